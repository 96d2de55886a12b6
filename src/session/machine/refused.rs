//! What a failed probe, handshake or set-up leads to (U1, U3, U12).

use super::ends::End;
use super::io::{Actions, At};
use super::outcome::{PROXY_REFUSED, Path, handshake_word, path_of, retry_after};
use super::state::{Awaits, Role};
use super::tokens::{REFUSED_TWICE, Strike};
use super::{Machine, Next};
use crate::connectors::Verdict;
use crate::net::HandshakeFailure;

impl Machine {
    pub(super) fn probe_failed(
        &mut self,
        at: At,
        role: Role,
        failure: &HandshakeFailure,
        out: &mut Actions,
    ) {
        match (path_of(failure), role, failure) {
            (Path::Unproven, ..) => self.ask_for_attempt(role, out),
            (Path::Throttled, Role::Primary, HandshakeFailure::Status { headers, .. }) => {
                let delay = retry_after(headers, at.wall);
                self.wait(at, delay, Next::Negotiate, "THROTTLED", out);
            }
            (Path::Throttled | Path::Blocked, ..) => {
                self.no_websocket(at, role, &handshake_word(failure), out);
            }
        }
    }

    pub(super) fn handshake_failed(
        &mut self,
        at: At,
        role: Role,
        token: u64,
        failure: HandshakeFailure,
        out: &mut Actions,
    ) {
        let word = handshake_word(&failure);
        match failure {
            HandshakeFailure::Status {
                status, headers, ..
            } => {
                let polls = self.transports().1;
                match self.handshake_verdict(status) {
                    verdict @ (Verdict::Unauthorized | Verdict::Throttled | Verdict::Gone) => {
                        self.attempt_refused(at, role, verdict, token, &word, &headers, out);
                    }
                    // A proxy may forbid what the platform allows: polling tells them apart.
                    Verdict::Forbidden if role == Role::Primary && !polls => {
                        self.suspend(at, "PERMISSION_DENIED", out);
                    }
                    Verdict::Ended if role == Role::Primary => self.ended(at, &word, out),
                    Verdict::Expired if role == Role::Primary => {
                        self.ends(at, End::ForGood(word), out);
                    }
                    Verdict::Forbidden
                    | Verdict::Interrupted
                    | Verdict::Unavailable
                    | Verdict::Ended
                    | Verdict::Expired => {
                        self.no_websocket(at, role, &word, out);
                    }
                }
            }
            _ => self.no_websocket(at, role, &word, out),
        }
    }

    /// The platform refused an attempt with a status.
    #[expect(clippy::too_many_arguments, reason = "a refusal is all of these")]
    pub(super) fn attempt_refused(
        &mut self,
        at: At,
        role: Role,
        verdict: Verdict,
        token: u64,
        word: &str,
        headers: &http::HeaderMap,
        out: &mut Actions,
    ) {
        match (verdict, role) {
            (Verdict::Unauthorized, _) => match (self.strike(token, out), role) {
                (Strike::Again, _) => self.ask_for_attempt(role, out),
                (Strike::Out, Role::Primary) => {
                    self.suspend(at, REFUSED_TWICE, out);
                }
                (Strike::Out, Role::Failback | Role::Beside) => self.successor_failed(at, role),
            },
            (Verdict::Gone, Role::Beside) => {
                let delay = self.delay_after_gone();
                self.successor_after(at, role, delay);
            }
            (Verdict::Throttled, Role::Beside) => {
                let delay = self.spread(retry_after(headers, at.wall));
                self.successor_after(at, role, delay);
            }
            (_, Role::Failback | Role::Beside) => self.successor_failed(at, role),
            (Verdict::Forbidden, Role::Primary) => self.suspend(at, "PERMISSION_DENIED", out),
            (Verdict::Ended, Role::Primary) => self.ended(at, word, out),
            (Verdict::Expired, Role::Primary) => {
                self.ends(at, End::ForGood(word.to_owned()), out);
            }
            (Verdict::Gone, Role::Primary) => self.set_up_anew(at, word, out),
            (Verdict::Throttled, Role::Primary) => {
                let delay = retry_after(headers, at.wall);
                self.wait(at, delay, Next::Dial, "THROTTLED", out);
            }
            (Verdict::Interrupted | Verdict::Unavailable, Role::Primary) => {
                self.back_off(at, Next::Dial, word, out);
            }
        }
    }

    /// No WebSocket gets through: long polling at once (U3), else a back-off.
    pub(super) fn no_websocket(&mut self, at: At, role: Role, reason: &str, out: &mut Actions) {
        match role {
            Role::Failback | Role::Beside => self.successor_failed(at, role),
            Role::Primary if reason == PROXY_REFUSED => self.proxy_refused(at, PROXY_REFUSED, out),
            Role::Primary if self.transports().1 => {
                self.standing.set_reason(reason);
                self.begin_polling(at, out);
            }
            Role::Primary => self.back_off(at, Next::Negotiate, reason, out),
        }
    }

    /// An attempt failed otherwise.
    pub(super) fn attempt_failed(&mut self, at: At, role: Role, reason: &str, out: &mut Actions) {
        match role {
            Role::Failback | Role::Beside => self.successor_failed(at, role),
            Role::Primary if reason == PROXY_REFUSED => self.proxy_refused(at, PROXY_REFUSED, out),
            Role::Primary => self.back_off(at, Next::Negotiate, reason, out),
        }
    }

    /// No transport gets past the proxy (U7). Its credentials may be mended at any moment, and the
    /// platform is not troubled by attempts that do not reach it: tried again like any other
    /// failure, and at once with the next token or when the password has changed.
    pub(super) fn proxy_refused(&mut self, at: At, reason: &str, out: &mut Actions) {
        let delay = self.proxy_backoff.next_delay(self.rng.unit());
        self.suspend_until(at, delay, Awaits::Proxy, reason, out);
    }

    pub(super) fn address_refused(&mut self, at: At, role: Role, out: &mut Actions) {
        match role {
            Role::Failback | Role::Beside => self.successor_failed(at, role),
            Role::Primary => self.suspend(at, "ADDRESS_REFUSED", out),
        }
    }
}
