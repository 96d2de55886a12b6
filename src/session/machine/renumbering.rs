//! A platform whose numbers begin again at 1 must not be taken for one that repeats itself for ever
//! (U19), and one that repeats itself not for one whose numbers begin again.

use super::gaps::{Extent, Resolution};
use super::ingest::Payload;
use super::io::{Action, Actions, At, CallId};
use super::requests::Asks;
use super::state::{State, limits};
use super::tokens::{Purpose, Strike};
use super::{Machine, Next};
use crate::auth::AccessToken;
use crate::connectors::{Batch, NumberRange, Verdict};
use crate::net::{HttpFailure, HttpResponse};
use crate::session::ordering::Unit;

const RESTARTED: &str = "NUMBERING_RESTARTED";

/// Whether the platform is being asked if it still knows our last number.
#[derive(Debug, Default)]
pub(super) enum Renumbering {
    #[default]
    Unsuspected,
    Token(Ground),
    Asked {
        ground: Ground,
        call: CallId,
        number: u64,
        token: u64,
    },
}

/// Why it is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ground {
    /// Two answers below our cursor: it is decided, whatever the history says.
    Signs,
    /// A number that was given up, and nothing since: only a history that answers decides.
    Silence,
}

impl Machine {
    /// Judges one confirmed answer. After two that are all below our cursor the history is asked
    /// for the last number we had: a platform that still has it only repeats itself.
    pub(super) fn judge_renumbering(
        &mut self,
        at: At,
        number: Option<u64>,
        units: &[Unit<Payload>],
        out: &mut Actions,
    ) {
        let Some(ordering) = &mut self.ordering else {
            return;
        };
        let highest = units.iter().map(|u| u.number).chain(number).max();
        let asks = self.connector.capabilities().catch_up;
        let doubtful = |number| asks && ordering.is_on_record(number);
        let expected = |u: &Unit<Payload>| {
            let late = ordering.is_missing(u.number) && !doubtful(u.number);
            late || ordering.is_repetition(u.number, u.hash)
        };
        let repeats = !units.is_empty() && units.iter().all(expected);
        let Some(highest) = highest.filter(|h| *h > 0) else {
            return;
        };
        let suspected = ordering.began_anew(at.now, highest, repeats);
        if !suspected || !matches!(self.renumbering, Renumbering::Unsuspected) {
            return;
        }
        if asks {
            self.ask_for_last_number(at, Ground::Signs, out);
        } else {
            self.begin_anew(at);
        }
    }

    /// Asks the history whether it still has our last number.
    pub(super) fn ask_for_last_number(&mut self, at: At, ground: Ground, out: &mut Actions) {
        self.doubtful.asked(at.now);
        self.renumbering = Renumbering::Token(ground);
        self.want_token(Purpose::Renumbering, out);
    }

    pub(super) fn renumbering_with(&mut self, at: At, token: &AccessToken, out: &mut Actions) {
        let Renumbering::Token(ground) = self.renumbering else {
            return;
        };
        let number = self.ordering.as_ref().map_or(0, super::Ordering::last_had);
        let range = NumberRange {
            first: number,
            last: number,
        };
        let call = self.connector.catch_up(range, token);
        match call.and_then(|call| self.call(Asks::Renumbering, call, limits::CALL_TIMEOUT, out)) {
            Some(call) => {
                let token = token.generation;
                self.renumbering = Renumbering::Asked {
                    ground,
                    call,
                    number,
                    token,
                };
            }
            None => self.nobody_knows(at, ground, out),
        }
    }

    pub(super) fn renumbering_answered(
        &mut self,
        at: At,
        result: &Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        let Renumbering::Asked {
            ground,
            number,
            token,
            call: _,
        } = std::mem::take(&mut self.renumbering)
        else {
            return;
        };
        match result {
            Ok(answer) if answer.status.is_success() => {
                match self
                    .connector
                    .read_catch_up(answer)
                    .map(|b| holds(&b, number))
                {
                    Ok(true) => self.only_repeats(at),
                    Ok(false) => self.renumbered(at, out),
                    Err(_) => self.unclear(at, ground, out),
                }
            }
            Ok(answer) if self.connector.catch_up_refused(answer.status) => {
                self.nobody_knows(at, ground, out);
            }
            Ok(answer) if self.verdict(answer.status) == Verdict::Unauthorized => {
                match self.strike(token, out) {
                    Strike::Again => {
                        self.renumbering = Renumbering::Token(ground);
                        self.want_token(Purpose::Renumbering, out);
                    }
                    Strike::Out => {
                        self.tokens.strikes = 0;
                        self.unclear(at, ground, out);
                    }
                }
            }
            Ok(_) | Err(_) => self.unclear(at, ground, out),
        }
    }

    /// There is no history that could ever say.
    fn nobody_knows(&mut self, at: At, ground: Ground, out: &mut Actions) {
        match ground {
            Ground::Signs => self.renumbered(at, out),
            Ground::Silence => self.only_repeats(at),
        }
    }

    fn only_repeats(&mut self, at: At) {
        self.unclear_renumberings = 0;
        if let Some(ordering) = &mut self.ordering {
            ordering.still_numbers();
        }
        self.release_doubtful(at);
    }

    /// No answer either way: asked again after the next signs, but not for ever, for that would be
    /// silence for ever.
    fn unclear(&mut self, at: At, ground: Ground, out: &mut Actions) {
        if matches!(ground, Ground::Silence) {
            return;
        }
        self.unclear_renumberings += 1;
        if self.unclear_renumberings >= limits::IN_A_ROW {
            self.renumbered(at, out);
        } else if let Some(ordering) = &mut self.ordering {
            ordering.still_numbers();
        }
    }

    /// Its numbers began anew: from the first one, on a subscription that says so.
    fn renumbered(&mut self, at: At, out: &mut Actions) {
        self.renumbering = Renumbering::Unsuspected;
        self.unclear_renumberings = 0;
        self.begin_anew(at);
        self.release_doubtful(at);
        self.settle_gaps(at);
        match &self.state {
            State::Live(_) => {
                self.retire_all(at, out);
                let delay = std::time::Duration::ZERO;
                self.wait(at, delay, Next::Dial, RESTARTED, out);
            }
            State::Polling(_) => self.poll_from_start(out),
            _ => {}
        }
    }

    fn begin_anew(&mut self, at: At) {
        let Some(ordering) = &mut self.ordering else {
            return;
        };
        let numbering = ordering.position().numbering;
        for gap in self.gaps.iter_mut().filter(|g| g.resolution.is_none()) {
            if let Extent::Hole { range, .. } = &gap.extent {
                gap.extent = Extent::Told(ordering.absent(*range));
                gap.resolution = Some(Resolution::Confirmed(RESTARTED.to_owned()));
            }
        }
        let mut released = Vec::new();
        ordering.begin_anew(&mut released);
        self.stats.numbering_began_anew(self.session.as_str());
        self.emit_released(at, numbering, released);
        let start = self.wall_of_life().unwrap_or(at.wall);
        self.tell_gap(at, Vec::new(), RESTARTED, start);
        self.position_moved = true;
        self.missing_moved = true;
    }

    pub(super) fn renumbering_call(&self) -> Option<CallId> {
        match self.renumbering {
            Renumbering::Asked { call, .. } => Some(call),
            Renumbering::Unsuspected | Renumbering::Token(_) => None,
        }
    }

    pub(super) fn renumbering_stop(&mut self, out: &mut Actions) {
        let call = self.renumbering_call();
        out.extend(call.map(|call| Action::Cancel { call }));
        self.renumbering = Renumbering::Unsuspected;
    }
}

/// Whether a batch holds an event of this number.
pub(super) fn holds(batch: &Batch, number: u64) -> bool {
    let mut events = batch.events.iter();
    events.any(|e| e.number.or(batch.number) == Some(number))
}
