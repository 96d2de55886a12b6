//! [`Subscription`]: one reader's way from history to the live edge and back. Pure.
//!
//! `CatchUp` reads from disk up to the end it knew, `Handoff` joins the ring at exactly the next
//! number, `Live` follows it. A reader that the ring has overtaken goes back to `CatchUp`. Whatever
//! happens, every sequence is taken from one place, in order, or named by a gap.

use std::sync::Arc;

use bytes::Bytes;

use super::cursors::CursorError;
use super::delivery::{Closing, Delivery, Notice};
use super::endings::SETTLING;
use super::error::FeedError;
use super::keys::Keys;
use super::pace::Pace;
use super::request::End;
use super::ring::Run;
use super::shelf::Shelf;
use super::start::Resolved;
use super::steps::{Moment, StateName, Step, Terms};
use crate::domain::{Sequence, WallTime};
use crate::journal::{Entry, Item, Page, ReadError};
use crate::runtime::{Mistake, MonoTime};

#[derive(Debug)]
pub(super) enum State {
    Opening,
    CatchUp {
        known_end: Sequence,
    },
    Handoff,
    Live,
    /// Says this, and then ends so.
    Closing(Closing, Result<(), FeedError>),
    Failing(FeedError),
    Ended(Result<(), FeedError>),
}

/// A notice that must go out alone, and the place behind which the reader then is.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) notice: Notice,
    pub(super) then: Sequence,
}

/// One reader.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) state: State,
    pub(super) terms: Terms,
    pub(super) cursor: Sequence,
    /// When the event there became durable, as far as one was looked at.
    cursor_time: Option<WallTime>,
    /// The bookmark of the last response.
    pub(super) told: Sequence,
    /// What was read from disk and not yet offered.
    pub(super) shelf: Shelf,
    pub(super) due: Option<Due>,
    /// Why the managed cursor that it reads by is not its own any more.
    pub(super) revoked: Option<CursorError>,
    /// An operator wants it to end.
    pub(super) dismissed: bool,
    /// An event beyond `until_time` has been seen.
    pub(super) past_end: bool,
    pub(super) pace: Option<Pace>,
    pub(super) opened_at: MonoTime,
    pub(super) last_sent: MonoTime,
    /// When the oldest event of the unsent response was taken in.
    pub(super) gathering_since: Option<MonoTime>,
}

/// What became of an event that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Considered {
    Passed,
    Held,
}

impl Subscription {
    pub(super) fn new(terms: Terms, resolved: Resolved, now: MonoTime) -> Self {
        Self {
            state: State::Opening,
            cursor: resolved.through,
            cursor_time: None,
            told: resolved.through,
            shelf: Shelf::default(),
            due: resolved.gap.map(|gap| Due {
                notice: Notice::Gap(Box::new(gap)),
                then: resolved.start,
            }),
            revoked: None,
            dismissed: false,
            past_end: false,
            pace: Pace::new(terms.replay_rate, now),
            opened_at: now,
            last_sent: now,
            gathering_since: None,
            terms,
        }
    }

    pub(super) fn state(&self) -> StateName {
        match self.state {
            State::Opening | State::CatchUp { .. } | State::Handoff => StateName::Replaying,
            State::Live => StateName::Live,
            State::Closing(..) | State::Failing(_) | State::Ended(_) => StateName::Closing,
        }
    }

    /// Decides what is to be done now.
    pub(super) fn step(&mut self, at: &Moment) -> Step {
        if let State::Opening = self.state {
            self.state = State::CatchUp {
                known_end: at.end.latest,
            };
            let opened = Box::new(self.terms.opened.clone());
            return self.emit(at, Some(Notice::Opened(opened)));
        }
        self.look_for_the_end(at);
        if let Some(step) = self.leave(at) {
            return step;
        }
        if let Some(due) = self.due.take() {
            if !self.terms.gather.is_empty() {
                self.due = Some(due);
                return self.emit(at, None);
            }
            self.cursor = due.then;
            return self.emit(at, Some(due.notice));
        }
        if self.terms.gather.is_full() || at.now >= self.heartbeat_at() {
            return self.emit(at, None);
        }
        self.advance(at)
    }

    /// The managed cursor that it reads by is not its own any more.
    pub(super) fn revoke(&mut self, error: CursorError) {
        self.revoked = Some(error);
    }

    /// An operator wants it to end.
    pub(super) fn dismiss(&mut self) {
        self.dismissed = true;
    }

    /// What was read and not offered yet is read again.
    pub(super) fn forget_read(&mut self) {
        self.shelf.clear();
    }

    /// Takes the answer to [`Step::Read`].
    pub(super) fn read(&mut self, at: &Moment, answer: Result<Arc<Page>, ReadError>) {
        let Some(after) = self.shelf.answered() else {
            return;
        };
        // Who has gone on, or is about to end, needs no more of history.
        let State::CatchUp { .. } = self.state else {
            return;
        };
        if !self.shelf.is_empty() || self.due.is_some() {
            return self.shelf.put_behind(after, answer);
        }
        // The reader went on elsewhere, or what stood before it was forgotten.
        if after != self.cursor {
            return;
        }
        match answer {
            Ok(page) if page.items.is_empty() => self.fail(FeedError::Unreadable {
                after: self.cursor,
                reason: format!("nothing was found although the end is {}", at.end.latest),
                retry_delay: self.terms.drain_delay,
            }),
            Ok(page) => self.shelf.put(page, self.cursor),
            Err(ReadError::Trimmed {
                earliest,
                earliest_time,
                ..
            }) => self.overtaken(at, earliest, earliest_time),
            Err(ReadError::NotWritten { latest, .. }) => {
                let bounds = self.bounds(at.end.earliest, latest, None);
                self.fail(FeedError::PositionNotWritten(bounds));
            }
            Err(ReadError::Io { after, reason }) => self.fail(FeedError::Unreadable {
                after,
                reason,
                retry_delay: self.terms.drain_delay,
            }),
        }
    }

    /// Takes the answer to [`Step::Follow`]: `None` when the ring does not hold the next event.
    pub(super) fn followed(&mut self, at: &Moment, run: Option<&Arc<Run>>) {
        match run {
            Some(run) => self.take_from(run, at),
            None => {
                if let State::Live = self.state {
                    self.due = Some(Due {
                        notice: Notice::FellBehind,
                        then: self.cursor,
                    });
                }
                self.state = State::CatchUp {
                    known_end: at.end.latest,
                };
            }
        }
    }

    /// Moves towards the live edge as far as it goes without an answer from outside.
    fn advance(&mut self, at: &Moment) -> Step {
        loop {
            if self.behind(at) && self.catching_up() && self.paced_out(at) {
                return if self.terms.gather.is_empty() {
                    self.wait(at)
                } else {
                    self.emit(at, None)
                };
            }
            self.shelf.turn(self.cursor);
            if let Some(after) = self.reads_ahead() {
                return self.ask(after);
            }
            if !self.shelf.is_empty() {
                self.unload(at);
                return self.step(at);
            }
            match self.state {
                State::CatchUp { known_end } if self.cursor < known_end => {
                    if !self.terms.gather.is_empty() {
                        return self.emit(at, None);
                    }
                    return match self.shelf.is_awaited() {
                        true => self.wait(at),
                        false => self.ask(self.cursor),
                    };
                }
                State::CatchUp { .. } => {
                    if Mistake::HandoffLosesABatch.is_made() {
                        self.cursor = at.end.latest;
                    }
                    self.state = State::Handoff;
                }
                State::Handoff | State::Live if self.cursor < at.end.latest => {
                    if Mistake::LaggardSkipsToTheTail.is_made() {
                        self.cursor = self.cursor.max(at.end.latest.minus(20));
                    }
                    return Step::Follow { after: self.cursor };
                }
                State::Handoff => {
                    self.state = State::Live;
                    return self.emit(at, Some(Notice::CaughtUp));
                }
                _ if self.terms.gather.is_empty() || at.now < self.linger_until(at) => {
                    return self.wait(at);
                }
                _ => return self.emit(at, None),
            }
        }
    }

    /// Where to read on while what was read is sent. One that is paced has the time to wait for it.
    fn reads_ahead(&self) -> Option<Sequence> {
        let State::CatchUp { known_end } = self.state else {
            return None;
        };
        let end = match &self.terms.end {
            Some(End::At(last)) => known_end.min(last.sequence),
            Some(End::Time(_) | End::CaughtUp) | None => known_end,
        };
        self.shelf.reads_ahead(end).filter(|_| self.pace.is_none())
    }

    fn ask(&mut self, after: Sequence) -> Step {
        self.shelf.ask(after);
        Step::Read { after }
    }

    /// Offers what was read from disk, up to the first thing that must be sent before more.
    fn unload(&mut self, at: &Moment) {
        let Some((page, from)) = self.shelf.take() else {
            return;
        };
        for (index, item) in page.items.iter().enumerate().skip(from) {
            let outcome = match item {
                Item::Event(entry) if entry.sequence <= self.cursor => Considered::Passed,
                Item::Event(entry) => self.consider(entry, None, Some(&page.buffer), at),
                Item::Gap { last, .. } if *last <= self.cursor => Considered::Passed,
                Item::Gap { .. } if self.reached_its_last_event() => Considered::Held,
                Item::Gap {
                    cause,
                    first,
                    last,
                    start_time,
                    end_time,
                } => {
                    let range = ((*first).max(self.cursor.next()), *last);
                    self.shelf.leave(Arc::clone(&page), index + 1);
                    self.damaged(at, *cause, range, (*start_time, *end_time));
                    return;
                }
            };
            if outcome == Considered::Held {
                return self.shelf.leave(Arc::clone(&page), index);
            }
        }
    }

    fn take_from(&mut self, run: &Arc<Run>, at: &Moment) {
        if self.takes_whole(run, at) && self.terms.gather.offer_batch(run) {
            self.gathering_since.get_or_insert(at.now);
            self.cursor = run.last();
            self.cursor_time = run.last_time();
            return;
        }
        let keys = if self.terms.selection.is_everything() {
            &[]
        } else {
            run.keys()
        };
        let from = run
            .entries()
            .partition_point(|entry| entry.sequence <= self.cursor);
        for (index, entry) in run.entries().iter().enumerate().skip(from) {
            let index = match Mistake::KeysOfANeighbour.is_made() {
                true => index - from,
                false => index,
            };
            // The ring may be ahead of the announced end by one batch.
            if entry.sequence > at.end.latest {
                return;
            }
            if self.consider(entry, keys.get(index), None, at) == Considered::Held {
                return;
            }
        }
    }

    /// Whether each event of the batch is wanted now, so that none needs to be looked at.
    fn takes_whole(&self, run: &Run, at: &Moment) -> bool {
        self.terms.selection.is_everything()
            && self.terms.end.is_none()
            && !(self.catching_up() && self.pace.is_some())
            && run.before() == self.cursor
            && run.last() <= at.end.latest
    }

    /// Looks at the next event: takes it in, passes over it, or leaves it for later.
    fn consider(
        &mut self,
        entry: &Entry,
        keys: Option<&Keys>,
        buffer: Option<&Bytes>,
        at: &Moment,
    ) -> Considered {
        if self.reached_its_last_event() {
            return Considered::Held;
        }
        if matches!(&self.terms.end, Some(End::Time(time)) if entry.record_time > *time) {
            self.past_end = true;
            return Considered::Held;
        }
        if self.wants(entry, keys) {
            if self.catching_up() && self.paced_out(at) {
                return Considered::Held;
            }
            if !self.terms.gather.offer(entry, buffer) {
                return Considered::Held;
            }
            self.gathering_since.get_or_insert(at.now);
            if self.catching_up()
                && let Some(pace) = &mut self.pace
            {
                pace.spend(at.now);
            }
        }
        assert!(
            entry.sequence == self.cursor.next(),
            "a reader at {} was handed event {}",
            self.cursor,
            entry.sequence
        );
        self.cursor = entry.sequence;
        self.cursor_time = Some(entry.record_time);
        Considered::Passed
    }

    fn wants(&self, entry: &Entry, keys: Option<&Keys>) -> bool {
        let selection = &self.terms.selection;
        match keys {
            _ if selection.is_everything() => true,
            Some(keys) => selection.wants(keys, entry),
            None => selection.wants(&Keys::scan(entry), entry),
        }
    }

    fn catching_up(&self) -> bool {
        matches!(self.state, State::CatchUp { .. } | State::Handoff)
    }

    fn paced_out(&self, at: &Moment) -> bool {
        self.pace.as_ref().is_some_and(|pace| !pace.allows(at.now))
    }

    /// Whether durable events wait to be looked at.
    pub(super) fn behind(&self, at: &Moment) -> bool {
        self.cursor < at.end.latest || !self.shelf.is_empty()
    }

    /// A little early, so that the silence is not longer than was promised.
    fn heartbeat_at(&self) -> MonoTime {
        self.last_sent + self.terms.opened.heartbeat * 9 / 10
    }

    fn linger_until(&self, at: &Moment) -> MonoTime {
        self.gathering_since.unwrap_or(at.now) + self.terms.linger
    }

    fn wait(&self, at: &Moment) -> Step {
        let mut until = self.heartbeat_at();
        if let Some(ages_at) = self.ages_at() {
            until = until.min(ages_at);
        }
        if !self.terms.gather.is_empty() {
            until = until.min(self.linger_until(at));
        }
        if let Some(pace) = &self.pace
            && self.catching_up()
            && self.behind(at)
            && !self.shelf.is_awaited()
        {
            until = until.min(pace.ready_at());
        }
        if let Some(End::Time(time)) = &self.terms.end
            && !self.behind(at)
        {
            until = until.min(at.now + time.plus(SETTLING).since(at.wall));
        }
        Step::Wait { until }
    }

    pub(super) fn emit(&mut self, at: &Moment, notice: Option<Notice>) -> Step {
        self.last_sent = at.now;
        self.gathering_since = None;
        if Mistake::BookmarkAhead.is_made() && !self.terms.selection.is_everything() {
            self.cursor = at.end.latest;
        }
        self.told = self.cursor;
        let claims_the_end = Mistake::HeartbeatClaimsTheEnd.is_made();
        Step::Emit(Delivery {
            elements: self.terms.gather.take(),
            through: if claims_the_end {
                at.end.latest
            } else {
                self.cursor
            },
            through_time: self.cursor_time,
            latest: at.end.latest.max(self.cursor),
            // What is sent with that notice is the last of history.
            live: matches!(self.state, State::Live) && !matches!(notice, Some(Notice::CaughtUp)),
            notice,
            delay: None,
        })
    }
}
