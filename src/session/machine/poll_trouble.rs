//! Polls that end otherwise than well: too soon, refused, interrupted, unreadable (U10 to U13).

use super::ends::End;
use std::time::Duration;

use super::io::{Actions, At};
use super::live_poll::PollPhase;
use super::outcome::{PROXY_REFUSED, retry_after};
use super::state::limits;
use super::tokens::{REFUSED_TWICE, Strike};
use super::{Machine, Next};
use crate::connectors::Verdict;
use crate::net::HttpResponse;
use crate::runtime::Mistake;

impl Machine {
    /// An empty or failed answer that took less than a second: at once again, but after three in a
    /// row with a back-off (U10).
    pub(super) fn poll_quick(&mut self, at: At, out: &mut Actions) {
        let unit = self.rng.unit();
        let Some(polling) = self.polling() else {
            return;
        };
        polling.quick += 1;
        if polling.quick < limits::IN_A_ROW || Mistake::EmptyAnswersPolledAtOnce.is_made() {
            self.poll_after_commit(at, out);
        } else {
            let delay = polling.quick_backoff.next_delay(unit);
            self.pause_poll(at, delay, "POLL_ANSWERS_AT_ONCE");
        }
    }

    pub(super) fn pause_poll(&mut self, at: At, delay: Duration, reason: &str) {
        self.standing.degraded(reason);
        if let Some(polling) = self.polling() {
            polling.phase = PollPhase::Paused {
                until: at.now + delay,
            };
        }
    }

    pub(super) fn pause_poll_backing_off(&mut self, at: At, reason: &str, out: &mut Actions) {
        if self.endpoint_failed() {
            return self.hold_off(at, Next::Negotiate, reason, out);
        }
        self.pause_poll_holding_off(at, reason, out);
    }

    /// The same where something else than the endpoint failed.
    pub(super) fn pause_poll_holding_off(&mut self, at: At, reason: &str, out: &mut Actions) {
        match self.next_backoff() {
            Some(delay) => self.pause_poll(at, delay, reason),
            None => self.suspend(at, "ATTEMPTS_EXHAUSTED", out),
        }
    }

    /// A status other than success.
    pub(super) fn poll_refused(
        &mut self,
        at: At,
        held: Duration,
        token: u64,
        answer: &HttpResponse,
        out: &mut Actions,
    ) {
        let word = format!("HTTP_{}", answer.status.as_u16());
        match self.verdict(answer.status) {
            Verdict::Unauthorized => match self.strike(token, out) {
                Strike::Again => self.poll_pause_over(out),
                Strike::Out => {
                    self.suspend(at, REFUSED_TWICE, out);
                }
            },
            Verdict::Forbidden => {
                self.poll_over(Some(answer.status));
                self.suspend(at, "PERMISSION_DENIED", out);
            }
            Verdict::Ended => {
                self.poll_over(Some(answer.status));
                self.ended(at, &word, out);
            }
            Verdict::Expired => {
                self.poll_over(Some(answer.status));
                self.ends(at, End::ForGood(word), out);
            }
            Verdict::Throttled => {
                let delay = retry_after(&answer.headers, at.wall);
                let delay = self.spread(delay);
                let reason = format!("THROTTLED: next request in {} s", delay.as_secs());
                self.pause_poll(at, delay, &reason);
            }
            Verdict::Interrupted => self.poll_interrupted(at, held, &word, out),
            Verdict::Unavailable => self.pause_poll_backing_off(at, &word, out),
            Verdict::Gone => {
                self.poll_over(Some(answer.status));
                self.set_up_anew(at, &word, out);
            }
        }
    }

    /// A hold that something broke: again at once at the same position; three in a row renegotiate
    /// from the beginning (U11).
    pub(super) fn poll_interrupted(
        &mut self,
        at: At,
        held: Duration,
        word: &str,
        out: &mut Actions,
    ) {
        let Some(polling) = self.polling() else {
            return;
        };
        polling.resets += 1;
        let enough = polling.resets >= limits::IN_A_ROW;
        if held < limits::QUICK {
            polling.quick += 1;
        }
        let quick = polling.quick >= limits::IN_A_ROW;
        match (enough, quick) {
            (true, _) => self.renegotiate_poll(at, quick, word, out),
            (false, true) => self.pause_poll_backing_off(at, word, out),
            (false, false) => self.poll_pause_over(out),
        }
    }

    /// A body that is cut short, too large or no batch: all of it is discarded (U13).
    pub(super) fn poll_unreadable(
        &mut self,
        at: At,
        held: Duration,
        word: &str,
        out: &mut Actions,
    ) {
        self.unreadable += 1;
        let Some(polling) = self.polling() else {
            return;
        };
        if held < limits::QUICK {
            polling.quick += 1;
        }
        let quick = polling.quick >= limits::IN_A_ROW;
        match self.unreadable {
            limits::IN_A_ROW => self.renegotiate_poll(at, quick, word, out),
            n if n >= 2 * limits::IN_A_ROW => self.begin_sift(at, word, out),
            _ if quick => self.pause_poll_backing_off(at, word, out),
            _ => self.poll_pause_over(out),
        }
    }

    pub(super) fn renegotiate_poll(&mut self, at: At, quick: bool, word: &str, out: &mut Actions) {
        if quick {
            self.lose_poll(at, word, out);
        } else {
            self.leave(at, word, out);
            self.endpoint_failed();
            self.begin(at, Next::Negotiate, out);
        }
    }

    /// The chain is broken: from the beginning after a back-off, unless only a person can mend it.
    pub(super) fn lose_poll(&mut self, at: At, word: &str, out: &mut Actions) {
        if word == PROXY_REFUSED {
            return self.proxy_refused(at, PROXY_REFUSED, out);
        }
        self.back_off(at, Next::Negotiate, word, out);
    }
}
