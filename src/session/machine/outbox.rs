//! [`Outbox`]: what waits to be journaled gathers behind what is on its way, and becomes the next
//! commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::creation;
use super::io::{Actions, At, CommitNumber};
use super::underway::{Sequel, Underway};
use crate::domain::{Sequence, WallTime};
use crate::journal::{AppendError, Commit, Committed, StateDelta};
use crate::proto::v1;
use crate::proto::v1::event::Origin;
use crate::runtime::{Mistake, MonoTime};
use crate::session::SessionStats;
use crate::session::waiting::{MOST_BYTES, MOST_EVENTS};
use crate::telemetry::traces::Span;

/// Room is made for no more events before they come.
const MOST_RESERVED: usize = 512;
/// A commit of as many events leaves its room to one that follows; more room than this is not kept.
const KEEPS_ROOM: usize = 256;
const MOST_KEPT: usize = 4096;

const SHORTEST_RETRY: Duration = Duration::from_millis(100);

/// What waits to be journaled, and what is on its way.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    events: Vec<v1::Event>,
    /// Room of an earlier commit, empty: where much comes, none is made anew.
    room: Vec<v1::Event>,
    bytes: usize,
    state: BTreeMap<String, (Option<Bytes>, Option<usize>)>,
    sequel: Sequel,
    underway: Underway,
    given_up: bool,
}

/// What became durable.
#[derive(Debug, Default)]
pub(super) struct Durable {
    /// Gaps, with the sequences of their suspicions.
    pub(super) gaps: Vec<(String, Sequence)>,
    /// Changes of outgoing messages, with the sequence of the event where it counts.
    pub(super) messages: Vec<(u64, Option<Sequence>)>,
}

/// What an answer of the journal means.
#[derive(Debug)]
pub(super) enum Written {
    /// Durable.
    Durable(Durable),
    /// No space: the same commit is tried again later.
    Later,
    /// One before it was refused: it follows that one.
    Behind,
    /// This event is too large.
    TooLarge { number: CommitNumber, index: usize },
    /// The journal takes nothing any more.
    Refused,
    /// Nobody waits for it.
    Unexpected,
}

impl Outbox {
    /// Adds an event and returns its index in the coming commit.
    pub(super) fn push(&mut self, event: v1::Event) -> usize {
        // What an event's other fields weigh hardly varies.
        const ATTRIBUTES: usize = 256;
        self.bytes += event.raw_data.len() + ATTRIBUTES;
        self.events.push(event);
        self.events.len() - 1
    }

    /// Sets state that becomes true together with the events gathered so far.
    pub(super) fn set(&mut self, key: String, value: Option<Bytes>, event: Option<usize>) {
        self.state.insert(key, (value, event));
    }

    /// Asks to be told the sequence of the event at `index`, which opened a gap.
    pub(super) fn await_gap(&mut self, key: String, index: usize) {
        self.sequel.gaps.push((key, index));
    }

    /// Asks to be told when a change of an outgoing message is durable, with the sequence of the
    /// event at `index`.
    pub(super) fn await_message(&mut self, order: u64, index: Option<usize>) {
        self.sequel.messages.push((order, index));
    }

    /// Ends the trace of the event at `index` once that is durable.
    pub(super) fn trace(&mut self, span: Span, index: usize) {
        self.sequel.creations.push((span, index));
    }

    /// The journal takes nothing any more.
    pub(super) fn give_up(&mut self) {
        self.given_up = true;
    }

    /// Whether nothing will ever be written again.
    pub(super) fn has_given_up(&self) -> bool {
        self.given_up
    }

    /// Whether events wait for the next commit.
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether nothing will ever be written again, and the journal has said so of everything.
    pub(super) fn has_ended(&self) -> bool {
        self.given_up && !self.underway.awaits_any()
    }

    /// Whether everything is durable.
    pub(super) fn is_empty(&self) -> bool {
        self.underway.is_empty() && self.events.is_empty() && self.state.is_empty()
    }

    /// Whether an append waits for space.
    pub(super) fn is_stuck(&self) -> bool {
        self.underway.retry_at().is_some()
    }

    /// Whether so much waits that nothing more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= MOST_EVENTS || self.bytes >= MOST_BYTES
    }

    /// Whether a commit would be sent now.
    pub(super) fn has_room(&self) -> bool {
        self.underway.has_room()
    }

    /// Sends what has gathered, if anything has and not too much is under way.
    pub(super) fn flush(&mut self, prefix: &str, out: &mut Actions) {
        if !self.has_room() || self.given_up || (self.events.is_empty() && self.state.is_empty()) {
            return;
        }
        let state = std::mem::take(&mut self.state);
        let state = state.into_iter().map(|(key, (value, event))| StateDelta {
            key: format!("{prefix}{key}"),
            value,
            event,
        });
        let mut commit = Commit {
            events: std::mem::replace(&mut self.events, std::mem::take(&mut self.room)),
            state: state.collect(),
        };
        if Mistake::PositionBeforeItsEvents.is_made()
            && commit.state.iter().all(|s| s.event.is_none())
            && !commit.state.is_empty()
        {
            std::mem::swap(&mut self.events, &mut commit.events);
        }
        self.bytes = 0;
        // The next one will be about as large: events are not moved as it grows.
        self.events.reserve(commit.events.len().min(MOST_RESERVED));
        let sequel = std::mem::take(&mut self.sequel);
        self.underway.send(commit, sequel, out);
    }

    /// Takes the journal's answer.
    pub(super) fn written(
        &mut self,
        at: At,
        number: CommitNumber,
        result: Result<Committed, AppendError>,
        stats: &SessionStats,
    ) -> Written {
        if !self.underway.awaits(number) {
            return Written::Unexpected;
        }
        match result {
            Err(_) if self.given_up => {
                self.underway.refused(number, None);
                Written::Unexpected
            }
            Ok(committed) => {
                self.underway.kept(number, committed);
                Written::Durable(self.take_durable(at, stats))
            }
            Err(AppendError::NoSpace { retry_after }) => {
                if Mistake::RefusedCommitForgotten.is_made() {
                    self.underway.empty(number);
                }
                // A delay of nothing would be a hot loop.
                let delay = retry_after.max(SHORTEST_RETRY);
                self.underway.refused(number, Some(at.now + delay));
                Written::Later
            }
            Err(AppendError::OutOfTurn) => {
                // The foremost follows nothing: whatever is meant, it is not asked for in a loop.
                let foremost = self.underway.is_foremost(number);
                let until = foremost.then(|| at.now + SHORTEST_RETRY);
                self.underway.refused(number, until);
                Written::Behind
            }
            Err(AppendError::TooLarge { index, .. }) => {
                self.underway.refused(number, None);
                Written::TooLarge { number, index }
            }
            Err(AppendError::ReadOnly { .. } | AppendError::Closed) => {
                self.underway.refused(number, None);
                Written::Refused
            }
        }
    }

    /// What follows from the commits that are durable with all before them.
    fn take_durable(&mut self, at: At, stats: &SessionStats) -> Durable {
        let mut durable = Durable::default();
        while let Some((commit, sequel, committed)) = self.underway.next_kept() {
            count_delays(&commit, at, stats);
            let sequence = |index: usize| committed.first.plus(index as u64);
            for (span, index) in sequel.creations {
                let delay = commit.events.get(index).and_then(|event| delay(event, at));
                if let (Some(delay), Some(context)) = (delay, span.context()) {
                    stats.ingest_shown(delay, context, at.wall);
                }
                creation::durable(at, span, sequence(index));
            }
            self.keep_room(commit);
            let gaps = sequel.gaps.into_iter();
            durable
                .gaps
                .extend(gaps.map(|(key, index)| (key, sequence(index))));
            let messages = sequel.messages.into_iter();
            durable
                .messages
                .extend(messages.map(|(order, index)| (order, index.map(sequence))));
        }
        durable
    }

    fn keep_room(&mut self, commit: Arc<Commit>) {
        let Ok(Commit { mut events, .. }) = Arc::try_unwrap(commit) else {
            return;
        };
        let room = KEEPS_ROOM..=MOST_KEPT;
        if room.contains(&events.len()) && events.capacity() <= MOST_KEPT {
            events.clear();
            self.room = events;
        }
    }

    /// The event at `index` of a commit that was refused, to be made smaller.
    pub(super) fn refused_event(
        &mut self,
        number: CommitNumber,
        index: usize,
    ) -> Option<&mut v1::Event> {
        self.underway.event(number, index)
    }

    /// Sends again what was refused, as far as its time has come.
    pub(super) fn resend(&mut self, now: MonoTime, out: &mut Actions) {
        if !self.given_up {
            self.underway.resend(now, out);
        }
    }

    /// When [`Outbox::resend`] is due.
    pub(super) fn retry_at(&self) -> Option<MonoTime> {
        self.underway.retry_at().filter(|_| !self.given_up)
    }
}

fn count_delays(commit: &Commit, at: At, stats: &SessionStats) {
    let delays = commit.events.iter().filter_map(|event| delay(event, at));
    delays.for_each(|delay| stats.ingested(delay));
}

/// How long after its own time an event that came live is durable. One from the future is not late.
fn delay(event: &v1::Event, at: At) -> Option<Duration> {
    let is_live = event.origin() == Origin::Live;
    let time = WallTime::from_proto(event.time.as_ref()?)?;
    is_live.then(|| at.wall.since(time))
}
