//! What a subscription does about events that cannot be read. Pure; part of the machine.

use super::delivery::{Cause, Gap, Notice};
use super::error::{Bounds, FeedError};
use super::request::Policy;
use super::steps::Moment;
use super::subscription::{Due, State, Subscription};
use crate::domain::{Sequence, WallTime};
use crate::journal::GapCause;

impl Subscription {
    /// Retention has deleted what would have come next.
    pub(super) fn overtaken(
        &mut self,
        at: &Moment,
        earliest: Sequence,
        earliest_time: Option<WallTime>,
    ) {
        let latest = at.end.latest.max(earliest.previous());
        let (last, end_time) = match self.terms.policy {
            Policy::Fail => {
                let bounds = self.bounds(earliest, latest, earliest_time);
                return self.fail(FeedError::PositionTrimmed(bounds));
            }
            Policy::ResumeAtEarliest => (earliest.previous(), earliest_time),
            Policy::ResumeAtLatest => (latest, Some(at.end.latest_time)),
        };
        self.skip(Cause::Trimmed, (self.cursor.next(), last), (None, end_time));
    }

    /// The next run cannot be read. What was erased on request is reported under every policy: it
    /// was meant to go, and a reader must be able to pass it.
    pub(super) fn damaged(
        &mut self,
        at: &Moment,
        cause: GapCause,
        (first, last): (Sequence, Sequence),
        times: (Option<WallTime>, Option<WallTime>),
    ) {
        match (cause, self.terms.policy) {
            (GapCause::Erased, _) => self.skip(Cause::Erased, (first, last), times),
            (GapCause::Corrupted, Policy::Fail) => self.fail(FeedError::Corrupted { first, last }),
            (GapCause::Corrupted, Policy::ResumeAtEarliest) => {
                self.skip(Cause::Corrupted, (first, last), times);
            }
            (GapCause::Corrupted, Policy::ResumeAtLatest) => {
                let last = at.end.latest.max(last);
                self.shelf.clear();
                let times = (times.0, Some(at.end.latest_time));
                self.skip(Cause::Corrupted, (first, last), times);
            }
        }
    }

    fn skip(
        &mut self,
        cause: Cause,
        (first, last): (Sequence, Sequence),
        (start_time, end_time): (Option<WallTime>, Option<WallTime>),
    ) {
        let gap = Gap {
            cause,
            range: Some((first, last)),
            start_time,
            end_time,
            previous_epoch: None,
        };
        self.due = Some(Due {
            notice: Notice::Gap(Box::new(gap)),
            then: last,
        });
    }

    pub(super) fn fail(&mut self, error: FeedError) {
        self.shelf.clear();
        self.state = State::Failing(error);
    }

    pub(super) fn bounds(
        &self,
        earliest: Sequence,
        latest: Sequence,
        earliest_time: Option<WallTime>,
    ) -> Bounds {
        Bounds {
            epoch: self.terms.opened.epoch,
            requested: self.cursor,
            earliest,
            latest,
            earliest_time,
        }
    }
}
