//! What the end of a WebSocket, or a refusal inside it, leads to (U13, U31, U33).

use super::ends::End;
use super::io::{Action, Actions, At, Generation};
use super::live_ws::Owner;
use super::outcome::{Ending, ending};
use super::state::{Role, limits};
use super::tokens::{REFUSED_TWICE, Strike};
use super::{Machine, Next};
use crate::connectors::Verdict;
use crate::net::HttpFailure;

impl Machine {
    /// A refusal inside a frame is treated as its status would be (U33).
    pub(super) fn refused_in_frame(
        &mut self,
        at: At,
        generation: Generation,
        verdict: Verdict,
        token: u64,
        out: &mut Actions,
    ) {
        out.push(Action::Drop { generation });
        match verdict {
            Verdict::Unauthorized => self.token_refused(at, generation, token, out),
            Verdict::Forbidden => self.forbidden(at, generation, out),
            Verdict::Ended => self.ended(at, "ENDED", out),
            Verdict::Expired => self.ends(at, End::ForGood("EXPIRED".to_owned()), out),
            Verdict::Gone => self.socket_lost(at, generation, "GONE", Next::Dial, out),
            Verdict::Throttled | Verdict::Interrupted | Verdict::Unavailable => {
                self.socket_lost(at, generation, "REFUSED_IN_FRAME", Next::Dial, out);
            }
        }
    }

    pub(super) fn token_refused(
        &mut self,
        at: At,
        generation: Generation,
        token: u64,
        out: &mut Actions,
    ) {
        if let Some(role @ (Role::Failback | Role::Beside)) = self.role_of(generation) {
            self.strike(token, out);
            return self.successor_over(at, role, out);
        }
        if self.one_lost(at, generation, "TOKEN_REFUSED", out) {
            self.strike(token, out);
            return;
        }
        // First leave: a connection that proved nothing gives back the strikes it had wiped out.
        self.leave(at, "TOKEN_REFUSED", out);
        match self.strike(token, out) {
            Strike::Again => {
                let delay = self.jittered(self.timing.backoff.base.0);
                self.wait(at, delay, Next::Dial, "TOKEN_REFUSED", out);
            }
            Strike::Out => self.suspend(at, REFUSED_TWICE, out),
        }
    }

    pub(super) fn forbidden(&mut self, at: At, generation: Generation, out: &mut Actions) {
        match self.role_of(generation) {
            Some(role @ (Role::Failback | Role::Beside)) => self.successor_over(at, role, out),
            None if self.one_lost(at, generation, "PERMISSION_DENIED", out) => {}
            Some(Role::Primary) | None => self.suspend(at, "PERMISSION_DENIED", out),
        }
    }

    /// A connection ended, with or without a close frame.
    pub(super) fn socket_ended(
        &mut self,
        at: At,
        generation: Generation,
        code: Option<u16>,
        failure: Option<HttpFailure>,
        out: &mut Actions,
    ) {
        self.retiring.retain(|(retired, _)| *retired != generation);
        out.push(Action::Drop { generation });
        let Some(owner) = self.owner(generation) else {
            return;
        };
        self.stats.socket_over(code, failure.is_some());
        if let Some(error @ HttpFailure::TooLarge { .. }) = &failure {
            self.stats.unreadable(self.session.as_str(), error);
            self.discard(at, generation, "FRAME_TOO_LARGE", out);
            return;
        }
        let token = self.socket_mut(generation).map_or(0, |s| s.token);
        let word = match (code, &failure) {
            (Some(code), _) => format!("CLOSED_{code}"),
            (None, Some(failure)) => failure.word().to_owned(),
            (None, None) => "CLOSED".to_owned(),
        };
        match (ending(code), owner) {
            (Ending::Token, _) => self.token_refused(at, generation, token, out),
            (Ending::Forbidden, _) => self.forbidden(at, generation, out),
            (_, Owner::Attempt(role @ (Role::Failback | Role::Beside))) => {
                self.successor_over(at, role, out);
            }
            (_, Owner::Attempt(Role::Primary)) => self.closed_unconfirmed(at, &word, out),
            (Ending::Planned, Owner::Live) if self.connector.capabilities().stop_on_clean_close => {
                self.stop_for_good(at, &word, out);
            }
            (Ending::Planned | Ending::BaseDelay, Owner::Live) => {
                if self.one_lost(at, generation, &word, out) {
                    return;
                }
                if !self.successor_inherits(at, &word, out) {
                    let delay = self.jittered(self.timing.backoff.base.0);
                    self.wait(at, delay, Next::Dial, &word, out);
                }
            }
            (Ending::BackOff, Owner::Live) => {
                self.socket_lost(at, generation, &word, Next::Dial, out);
            }
        }
    }

    /// Closed after the handshake, before any confirmation: three in a row are a network that lets
    /// handshakes through and nothing else.
    pub(super) fn closed_unconfirmed(&mut self, at: At, word: &str, out: &mut Actions) {
        self.unconfirmed += 1;
        if self.unconfirmed >= limits::IN_A_ROW && self.transports().1 {
            self.unconfirmed = 0;
            self.no_websocket(at, Role::Primary, word, out);
        } else {
            self.back_off(at, Next::Dial, word, out);
        }
    }

    /// The connection in use broke: its successor inherits, else a back-off.
    pub(super) fn socket_lost(
        &mut self,
        at: At,
        generation: Generation,
        word: &str,
        next: Next,
        out: &mut Actions,
    ) {
        match self.role_of(generation) {
            Some(role @ (Role::Failback | Role::Beside)) => self.successor_over(at, role, out),
            Some(Role::Primary) => self.back_off(at, next, word, out),
            None => {
                if !self.one_lost(at, generation, word, out)
                    && !self.successor_inherits(at, word, out)
                {
                    self.back_off(at, next, word, out);
                }
            }
        }
    }

    /// A frame that is no batch. Where numbers tell what it held, it is discarded and asked for
    /// again (U13); elsewhere it is kept as it is (U20).
    pub(super) fn frame_unreadable(
        &mut self,
        at: At,
        generation: Generation,
        error: &crate::connectors::Unreadable,
        bytes: bytes::Bytes,
        out: &mut Actions,
    ) {
        if self.ordering.is_some() {
            out.push(Action::Drop { generation });
            self.discard(at, generation, "FRAME_UNREADABLE", out);
        } else {
            self.keep_unreadable(at, &error.reason, bytes);
        }
    }

    pub(super) fn discard(
        &mut self,
        at: At,
        generation: Generation,
        word: &str,
        out: &mut Actions,
    ) {
        if matches!(
            self.role_of(generation),
            Some(Role::Failback | Role::Beside)
        ) {
            self.socket_lost(at, generation, word, Next::Dial, out);
            return;
        }
        self.unreadable += 1;
        match self.unreadable {
            limits::IN_A_ROW => self.socket_lost(at, generation, word, Next::Negotiate, out),
            n if n >= 2 * limits::IN_A_ROW => self.begin_sift(at, word, out),
            _ => self.socket_lost(at, generation, word, Next::Dial, out),
        }
    }
}
