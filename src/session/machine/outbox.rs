//! [`Outbox`]: one append in flight, everything else gathers behind it and becomes the next commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::creation;
use super::io::{Action, Actions, At};
use crate::domain::{Sequence, WallTime};
use crate::journal::{AppendError, Commit, Committed, StateDelta};
use crate::proto::v1;
use crate::proto::v1::event::Origin;
use crate::runtime::{Mistake, MonoTime};
use crate::session::SessionStats;
use crate::telemetry::traces::Span;

/// More than this is not read ahead of the journal (U41).
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;

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
    gaps: Vec<(String, usize)>,
    messages: Vec<(u64, Option<usize>)>,
    creations: Vec<(Span, usize)>,
    in_flight: Option<InFlight>,
    given_up: bool,
}

#[derive(Debug)]
struct InFlight {
    commit: Arc<Commit>,
    gaps: Vec<(String, usize)>,
    messages: Vec<(u64, Option<usize>)>,
    creations: Vec<(Span, usize)>,
    retry_at: Option<MonoTime>,
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
    /// This event (its index) is too large.
    TooLarge(usize),
    /// The journal takes nothing any more.
    Refused,
    /// Nothing was on its way.
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
        self.gaps.push((key, index));
    }

    /// Asks to be told when a change of an outgoing message is durable, with the sequence of the
    /// event at `index`.
    pub(super) fn await_message(&mut self, order: u64, index: Option<usize>) {
        self.messages.push((order, index));
    }

    /// Ends the trace of the event at `index` once that is durable.
    pub(super) fn trace(&mut self, span: Span, index: usize) {
        self.creations.push((span, index));
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

    /// Whether everything is durable.
    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.is_none() && self.events.is_empty() && self.state.is_empty()
    }

    /// Whether an append waits for space.
    pub(super) fn is_stuck(&self) -> bool {
        self.in_flight
            .as_ref()
            .is_some_and(|f| f.retry_at.is_some())
    }

    /// Whether so much waits that nothing more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= MOST_EVENTS || self.bytes >= MOST_BYTES
    }

    /// Whether an append is under way, or waits for space.
    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Sends what has gathered, if anything has and nothing is under way.
    pub(super) fn flush(&mut self, prefix: &str, out: &mut Actions) {
        if self.in_flight.is_some()
            || self.given_up
            || (self.events.is_empty() && self.state.is_empty())
        {
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
        let commit = Arc::new(commit);
        out.push(Action::Append(Arc::clone(&commit)));
        self.in_flight = Some(InFlight {
            commit,
            gaps: std::mem::take(&mut self.gaps),
            messages: std::mem::take(&mut self.messages),
            creations: std::mem::take(&mut self.creations),
            retry_at: None,
        });
    }

    /// Takes the journal's answer.
    pub(super) fn written(
        &mut self,
        at: At,
        result: Result<Committed, AppendError>,
        stats: &SessionStats,
    ) -> Written {
        let Some(mut in_flight) = self.in_flight.take() else {
            return Written::Unexpected;
        };
        let written = match result {
            Ok(committed) => {
                let commit = in_flight.commit;
                count_delays(&commit, at, stats);
                let sequence = |index: usize| committed.first.plus(index as u64);
                for (span, index) in in_flight.creations.drain(..) {
                    let delay = commit.events.get(index).and_then(|event| delay(event, at));
                    if let (Some(delay), Some(context)) = (delay, span.context()) {
                        stats.ingest_shown(delay, context, at.wall);
                    }
                    creation::durable(at, span, sequence(index));
                }
                self.keep_room(commit);
                let gaps = in_flight.gaps.drain(..);
                let messages = in_flight.messages.drain(..);
                return Written::Durable(Durable {
                    gaps: gaps.map(|(key, index)| (key, sequence(index))).collect(),
                    messages: messages
                        .map(|(order, index)| (order, index.map(sequence)))
                        .collect(),
                });
            }
            Err(AppendError::NoSpace { .. }) if Mistake::RefusedCommitForgotten.is_made() => {
                return Written::Durable(Durable::default());
            }
            Err(AppendError::NoSpace { retry_after }) => {
                // A delay of nothing would be a hot loop.
                let delay = retry_after.max(SHORTEST_RETRY);
                in_flight.retry_at = Some(at.now + delay);
                Written::Later
            }
            Err(AppendError::TooLarge { index, .. }) => Written::TooLarge(index),
            Err(_) => Written::Refused,
        };
        self.in_flight = Some(in_flight);
        written
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

    /// The event at `index` of the commit that was refused, to be made smaller.
    pub(super) fn refused_event(&mut self, index: usize) -> Option<&mut v1::Event> {
        let commit = Arc::make_mut(&mut self.in_flight.as_mut()?.commit);
        commit.events.get_mut(index)
    }

    /// Sends the refused commit again.
    pub(super) fn resend(&mut self, out: &mut Actions) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.retry_at = None;
            out.push(Action::Append(Arc::clone(&in_flight.commit)));
        }
    }

    /// When [`Outbox::resend`] is due.
    pub(super) fn retry_at(&self) -> Option<MonoTime> {
        self.in_flight.as_ref()?.retry_at
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
