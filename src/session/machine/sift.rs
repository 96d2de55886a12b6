//! Past an answer that can never be read: the history is asked for single events (U13).

use super::ingest::Via;
use super::io::{Actions, At, CallId};
use super::keeping::Place;
use super::renumbering::holds;
use super::requests::Asks;
use super::state::{State, limits};
use super::tokens::{Purpose, REFUSED_TWICE, Strike};
use super::{Machine, Next};
use crate::auth::AccessToken;
use crate::connectors::{NumberRange, Verdict};
use crate::net::{HttpFailure, HttpResponse};

/// More than this is not fetched one by one; then the ordinary way is tried again.
const MOST_SINGLES: u32 = 100;

/// The search for the next event that can be read.
#[derive(Debug)]
pub(super) struct Sift {
    /// The number asked for.
    number: u64,
    /// Numbers in a row that could not be had.
    failed: u64,
    /// Events had so far.
    found: u32,
    call: Option<(CallId, u64)>,
}

impl Sift {
    pub(super) fn call(&self) -> Option<CallId> {
        self.call.map(|(call, _)| call)
    }
}

impl Machine {
    /// Six bodies in a row could not be read at one position.
    pub(super) fn begin_sift(&mut self, at: At, word: &str, out: &mut Actions) {
        let able = self.connector.capabilities().catch_up;
        let dense = self.ordering.as_ref().is_some_and(|o| o.rule().dense);
        if !able || !dense {
            self.suspend(at, &format!("POISON_BATCH: {word}"), out);
            return;
        }
        self.leave(at, word, out);
        self.unreadable = 0;
        let number = self.resume(Place::FIRST).after.saturating_add(1);
        self.enter(State::Sifting(Sift {
            number,
            failed: 0,
            found: 0,
            call: None,
        }));
        self.want_token(Purpose::Sift, out);
    }

    pub(super) fn sift_with(&mut self, at: At, token: &AccessToken, out: &mut Actions) {
        let State::Sifting(sift) = &self.state else {
            return;
        };
        if sift.call.is_some() {
            return;
        }
        let range = NumberRange {
            first: sift.number,
            last: sift.number,
        };
        let call = self.connector.catch_up(range, token);
        let call = call.and_then(|call| self.call(Asks::Sift, call, limits::CALL_TIMEOUT, out));
        match (call, &mut self.state) {
            (Some(call), State::Sifting(sift)) => sift.call = Some((call, token.generation)),
            _ => self.suspend(at, "ADDRESS_REFUSED", out),
        }
    }

    pub(super) fn sift_answered(
        &mut self,
        at: At,
        result: Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        let State::Sifting(sift) = &mut self.state else {
            return;
        };
        let (number, token) = (sift.number, sift.call.take().map_or(0, |(_, token)| token));
        let batch = match result {
            Ok(answer) if answer.status.is_success() => self.connector.read_catch_up(&answer).ok(),
            Ok(answer) => match self.verdict(answer.status) {
                Verdict::Unauthorized if self.strike(token, out) == Strike::Again => {
                    self.want_token(Purpose::Sift, out);
                    return;
                }
                Verdict::Unauthorized => return self.suspend(at, REFUSED_TWICE, out),
                Verdict::Forbidden => return self.suspend(at, "PERMISSION_DENIED", out),
                _ => None,
            },
            Err(_) => None,
        };
        match batch.filter(|batch| holds(batch, number)) {
            Some(batch) => {
                self.ingest(at, batch, Via::History, out);
                // What lies between the position and this one cannot be had.
                self.find_holes(at);
                self.poison_holes(at, number);
                self.sift_on(at, true, out);
            }
            None => self.sift_on(at, false, out),
        }
    }

    fn sift_on(&mut self, at: At, found: bool, out: &mut Actions) {
        let State::Sifting(sift) = &mut self.state else {
            return;
        };
        sift.number = sift.number.saturating_add(1);
        if found {
            sift.found += 1;
            sift.failed = 0;
        } else {
            sift.failed += 1;
        }
        let (failed, had) = (sift.failed >= u64::from(limits::IN_A_ROW), sift.found);
        if had >= MOST_SINGLES || (failed && had > 0) {
            self.back_off(at, Next::Negotiate, "POISON_BATCH", out);
        } else if failed {
            self.suspend(at, "POISON_BATCH", out);
        } else {
            self.want_token(Purpose::Sift, out);
        }
    }
}
