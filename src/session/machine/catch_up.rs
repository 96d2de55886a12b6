//! Asks the platform's history for what is missing, lowest gap first, one request at a time (U17).

use super::Machine;
use super::gaps::{Extent, Resolution};
use super::ingest::Via;
use super::io::{Action, Actions, At, CallId};
use super::outcome::retry_after;
use super::requests::Asks;
use super::state::limits;
use super::tokens::{Purpose, Strike};
use crate::auth::AccessToken;
use crate::connectors::{NumberRange, Verdict};
use crate::net::{HttpFailure, HttpResponse};
use crate::runtime::MonoTime;

/// What the catch-up is about.
#[derive(Debug, Default)]
pub(super) enum CatchUp {
    #[default]
    Idle,
    /// Not before this: the history had nothing new.
    Later(MonoTime),
    Token,
    Asked(Asked),
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) call: CallId,
    key: String,
    range: NumberRange,
    absent: u64,
    token: u64,
}

impl Machine {
    /// Asks, when it is time and anything is missing.
    pub(super) fn catch_up_next(&mut self, at: At, out: &mut Actions) {
        let due = match self.catch_up {
            CatchUp::Idle => true,
            CatchUp::Later(when) => when <= at.now,
            CatchUp::Token | CatchUp::Asked(_) => false,
        };
        if !due {
            return;
        }
        self.catch_up = CatchUp::Idle;
        let able = self.up.is_some() && self.connector.capabilities().catch_up;
        if able && self.wanted_range().is_some() {
            self.catch_up = CatchUp::Token;
            self.want_token(Purpose::CatchUp, out);
        }
    }

    /// The first missing run of the lowest open hole.
    fn wanted_range(&self) -> Option<(String, NumberRange)> {
        let ordering = self.ordering.as_ref()?;
        let current = ordering.position().numbering;
        let open = self.gaps.iter().filter(|g| g.resolution.is_none());
        let lowest = open.filter_map(|gap| match &gap.extent {
            Extent::Hole { numbering, range } if *numbering == current => Some((gap, *range)),
            _ => None,
        });
        let (gap, range) = lowest.min_by_key(|(_, range)| range.first)?;
        let run = *ordering.absent(range).first()?;
        Some((gap.key.clone(), run))
    }

    pub(super) fn catch_up_with(&mut self, at: At, token: &AccessToken, out: &mut Actions) {
        if !matches!(self.catch_up, CatchUp::Token) {
            return;
        }
        self.catch_up = CatchUp::Idle;
        let Some((key, range)) = self.wanted_range() else {
            return;
        };
        let call = self.connector.catch_up(range, token);
        let timeout = limits::CALL_TIMEOUT;
        let call = call.and_then(|c| self.call(Asks::CatchUp, c, timeout, out));
        match call {
            Some(call) => {
                self.catch_up = CatchUp::Asked(Asked {
                    call,
                    key,
                    range,
                    absent: range.len(),
                    token: token.generation,
                });
            }
            None => {
                self.confirm_hole(&key, "NO_HISTORY");
                self.settle_gaps(at);
            }
        }
    }

    pub(super) fn catch_up_answered(
        &mut self,
        at: At,
        result: Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        let CatchUp::Asked(asked) = std::mem::take(&mut self.catch_up) else {
            return;
        };
        match result {
            Ok(answer) if answer.status.is_success() => {
                self.history_came(at, &asked, &answer, out);
            }
            Ok(answer) if self.connector.catch_up_refused(answer.status) => {
                self.confirm_hole(&asked.key, "HISTORY_GONE");
                self.settle_gaps(at);
            }
            Ok(answer) => match self.verdict(answer.status) {
                Verdict::Unauthorized if self.strike(asked.token, out) == Strike::Again => {}
                // The history alone refuses us: the subscription is none the worse for it.
                Verdict::Unauthorized | Verdict::Forbidden => {
                    self.tokens.strikes = 0;
                    self.confirm_hole(&asked.key, "HISTORY_REFUSED");
                    self.settle_gaps(at);
                }
                Verdict::Throttled => {
                    let delay = self.spread(retry_after(&answer.headers, at.wall));
                    self.catch_up = CatchUp::Later(at.now + delay);
                }
                _ => self.catch_up_later(at),
            },
            Err(_) => self.catch_up_later(at),
        }
        self.catch_up_next(at, out);
    }

    fn history_came(&mut self, at: At, asked: &Asked, answer: &HttpResponse, out: &mut Actions) {
        match self.connector.read_catch_up(answer) {
            Ok(batch) => {
                self.tokens.strikes = 0;
                self.ingest(at, batch, Via::History, out);
                let ordering = self.ordering.as_ref();
                let absent =
                    ordering.map_or(0, |o| o.absent(asked.range).iter().map(|r| r.len()).sum());
                // No progress: the platform may not have it in its history yet.
                if absent >= asked.absent {
                    self.catch_up_later(at);
                }
            }
            Err(error) => {
                self.stats.unreadable(self.session.as_str(), &error);
                self.catch_up_later(at);
            }
        }
    }

    pub(super) fn catch_up_later(&mut self, at: At) {
        let delay = self.jittered(limits::CATCH_UP_PAUSE);
        self.catch_up = CatchUp::Later(at.now + delay);
    }

    pub(super) fn catch_up_stop(&mut self, out: &mut Actions) {
        if let CatchUp::Asked(asked) = std::mem::take(&mut self.catch_up) {
            out.push(Action::Cancel { call: asked.call });
        }
    }

    pub(super) fn catch_up_call(&self) -> Option<CallId> {
        match &self.catch_up {
            CatchUp::Asked(asked) => Some(asked.call),
            CatchUp::Idle | CatchUp::Later(_) | CatchUp::Token => None,
        }
    }

    pub(super) fn catch_up_due(&self) -> Option<MonoTime> {
        match self.catch_up {
            CatchUp::Later(when) => Some(when),
            CatchUp::Idle | CatchUp::Token | CatchUp::Asked(_) => None,
        }
    }

    /// Whether anything will ever fill the open holes but a late frame.
    pub(super) fn poison_holes(&mut self, at: At, below: u64) {
        for gap in self.gaps.iter_mut().filter(|g| g.resolution.is_none()) {
            if let Extent::Hole { range, .. } = &gap.extent
                && range.last < below
            {
                gap.resolution = Some(Resolution::Confirmed("POISON_BATCH".to_owned()));
            }
        }
        self.settle_gaps(at);
    }
}
