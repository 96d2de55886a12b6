//! How a subscription ends: what was asked for, age, drain, failure. Pure; part of the machine.

use std::time::Duration;

use super::delivery::{Closing, Notice};
use super::error::FeedError;
use super::request::End;
use super::steps::{Moment, Step};
use super::subscription::{State, Subscription};

/// How long after `until_time` the end is taken for complete: an event stamped before it may still
/// be on its way to disk.
pub(super) const SETTLING: Duration = Duration::from_millis(250);

impl Subscription {
    pub(super) fn look_for_the_end(&mut self, at: &Moment) {
        if let State::Closing(_) | State::Failing(_) | State::Ended(_) = self.state {
            return;
        }
        let at_the_edge = matches!(self.state, State::Live) && !self.behind(at);
        let told_all = self.due.is_none();
        let closing = if at.forced {
            Closing::Draining(self.terms.drain_delay)
        } else if told_all && self.end_reached(at) {
            Closing::EndReached
        } else if told_all && at.draining && at_the_edge {
            Closing::Draining(self.terms.drain_delay)
        } else if at.now >= self.opened_at + self.terms.opened.max_age {
            Closing::MaxAge(self.terms.age_delay)
        } else {
            return;
        };
        self.due = None;
        self.shelf.clear();
        self.state = State::Closing(closing);
    }

    /// The last response, and after it the end.
    pub(super) fn leave(&mut self, at: &Moment) -> Option<Step> {
        let outcome = match &self.state {
            State::Closing(closing) => match *closing {
                Closing::EndReached => Ok(()),
                Closing::Draining(retry_delay) => Err(FeedError::Draining { retry_delay }),
                Closing::MaxAge(retry_delay) => Err(FeedError::MaxAge { retry_delay }),
            },
            State::Failing(error) => Err(error.clone()),
            State::Ended(outcome) => return Some(Step::End(outcome.clone())),
            State::Opening | State::CatchUp { .. } | State::Handoff | State::Live => return None,
        };
        // An error has no bookmark, so what was passed over is told before it.
        let untold = matches!(self.state, State::Failing(_)) && self.told < self.cursor;
        if untold || !self.terms.gather.is_empty() {
            return Some(self.emit(at, None));
        }
        match std::mem::replace(&mut self.state, State::Ended(outcome.clone())) {
            State::Closing(closing) => Some(self.emit(at, Some(Notice::Closing(closing)))),
            _ => Some(Step::End(outcome)),
        }
    }

    fn end_reached(&self, at: &Moment) -> bool {
        match &self.terms.end {
            None => false,
            Some(End::At(_)) => self.reached_its_last_event(),
            Some(End::Time(time)) => {
                self.past_end || (at.wall >= time.plus(SETTLING) && !self.behind(at))
            }
            Some(End::CaughtUp) => matches!(self.state, State::Live),
        }
    }

    pub(super) fn reached_its_last_event(&self) -> bool {
        matches!(&self.terms.end, Some(End::At(last)) if self.cursor >= last.sequence)
    }
}
