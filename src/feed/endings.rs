//! How a subscription ends: what was asked for, age, drain, failure. Pure; part of the machine.

use std::time::Duration;

use super::cursors::CursorError;
use super::delivery::{Closing, Notice};
use super::error::FeedError;
use super::request::End;
use super::steps::{Moment, Step};
use super::subscription::{State, Subscription};
use crate::runtime::MonoTime;

/// How long after `until_time` the end is taken for complete: an event stamped before it may still
/// be on its way to disk.
pub(super) const SETTLING: Duration = Duration::from_millis(250);

impl Subscription {
    pub(super) fn look_for_the_end(&mut self, at: &Moment) {
        if let State::Closing(..) | State::Failing(_) | State::Ended(_) = self.state {
            return;
        }
        match self.revoked.take() {
            Some(error @ CursorError::TakenOver { .. }) => {
                return self.close(Closing::TakenOver, Err(error.into()));
            }
            Some(error) => return self.fail(error.into()),
            None => {}
        }
        let at_the_edge = matches!(self.state, State::Live) && !self.behind(at);
        if std::mem::take(&mut self.dismissed) {
            let retry_delay = self.terms.drain_delay;
            let outcome = Err(FeedError::Disconnected { retry_delay });
            return self.close(Closing::Disconnected(retry_delay), outcome);
        }
        let told_all = self.due.is_none();
        let retry_delay = self.terms.drain_delay;
        let draining = (
            Closing::Draining(retry_delay),
            Err(FeedError::Draining { retry_delay }),
        );
        let (closing, outcome) = if at.forced {
            draining
        } else if told_all && self.end_reached(at) {
            (Closing::EndReached, Ok(()))
        } else if told_all && at.draining && at_the_edge {
            draining
        } else if self.ages_at().is_some_and(|then| at.now >= then) {
            let retry_delay = self.terms.age_delay;
            let outcome = Err(FeedError::MaxAge { retry_delay });
            (Closing::MaxAge(retry_delay), outcome)
        } else {
            return;
        };
        self.close(closing, outcome);
    }

    /// When it will have been open for as long as was planned.
    pub(super) fn ages_at(&self) -> Option<MonoTime> {
        let age = self.terms.opened.max_age?;
        Some(self.opened_at + age)
    }

    fn close(&mut self, closing: Closing, outcome: Result<(), FeedError>) {
        self.due = None;
        self.shelf.clear();
        self.state = State::Closing(closing, outcome);
    }

    /// The last response, and after it the end.
    pub(super) fn leave(&mut self, at: &Moment) -> Option<Step> {
        let outcome = match &self.state {
            State::Closing(_, outcome) => outcome.clone(),
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
            State::Closing(closing, _) => Some(self.emit(at, Some(Notice::Closing(closing)))),
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
