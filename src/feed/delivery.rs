//! What a subscriber is sent: responses as stored bytes, and notices about the delivery.

use std::time::Duration;

use bytes::Bytes;

use super::elements::{Elements, Part};
use super::fields::Fields;
use crate::domain::{Epoch, JournalName, Sequence, WallTime};

/// One response.
#[derive(Debug)]
pub struct Delivery {
    /// What matched, ascending.
    pub elements: Elements,
    /// Everything up to here was delivered, did not match, or is named by a gap.
    pub through: Sequence,
    /// When the event at `through` became durable; `None` while none was looked at.
    pub through_time: Option<WallTime>,
    /// The durable end when this was made.
    pub latest: Sequence,
    /// News about the delivery itself.
    pub notice: Option<Notice>,
    /// Whether its events have just become durable, rather than being read again.
    pub live: bool,
    /// How long after that they are handed on, where that was measured.
    pub delay: Option<Duration>,
}

impl Delivery {
    /// The encoding of a response that many get: `encode` makes it for the first of them. `None` of
    /// a response that may be the only one of its kind.
    pub fn encoded_once(&self, encode: impl FnOnce(&Self) -> Bytes) -> Option<Bytes> {
        let (run, view) = self.elements.only_batch()?;
        let place = (view, self.through, self.latest);
        let is_plain = self.notice.is_none();
        is_plain.then(|| run.encoded_once(place, || encode(self)))
    }

    /// Names the trace contexts of its events, as they stand in them.
    pub fn trace_parents(&self, mut name: impl FnMut(&str)) {
        let mut viewed = Vec::new();
        for part in self.elements.parts() {
            match part {
                Part::Stored(elements) => trace_parents(elements, &mut name),
                Part::Viewed(element) => {
                    viewed.clear();
                    element.write(&mut viewed);
                    trace_parents(&viewed, &mut name);
                }
                Part::Batch(run, _) => {
                    let entries = run.entries().iter();
                    entries.for_each(|entry| trace_parents(&entry.element, &mut name));
                }
            }
        }
    }
}

/// Those of some elements.
fn trace_parents(elements: &[u8], name: &mut impl FnMut(&str)) {
    const EVENT: u64 = 1;
    const TRACE_PARENT: u64 = 12;
    let events = Fields::new(elements).filter(|field| field.number == EVENT);
    for event in events {
        let found = Fields::new(event.content).find(|field| field.number == TRACE_PARENT);
        if let Some(text) = found.and_then(|field| std::str::from_utf8(field.content).ok()) {
            name(text);
        }
    }
}

/// A fact about this delivery; never stored, never replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The first response.
    Opened(Box<Opened>),
    /// From here on, events are delivered as they become durable.
    CaughtUp,
    /// The reader was too slow for the live path and reads from disk; nothing is lost.
    FellBehind,
    /// A run that will not be delivered.
    Gap(Box<Gap>),
    /// The last response of a stream that ends as planned.
    Closing(Closing),
}

/// What a stream is, told before any event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The journal.
    pub journal: JournalName,
    /// Its incarnation.
    pub epoch: Epoch,
    /// First sequence that can be read.
    pub earliest: Sequence,
    /// Last durable sequence.
    pub latest: Sequence,
    /// Delivery begins after this.
    pub start: Sequence,
    /// The stream's number among the subscribers of this process.
    pub subscriber: u64,
    /// No silence is longer than this.
    pub heartbeat: Duration,
    /// When the stream will be ended; `None` where age ends none.
    pub max_age: Option<Duration>,
    /// The right to commit, where it reads by a managed cursor; otherwise zero.
    pub lease: u64,
}

/// A run that will not be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub cause: Cause,
    /// First and last sequence, inclusive; none where the epoch changed.
    pub range: Option<(Sequence, Sequence)>,
    /// Lower bound of the times of the run, where known.
    pub start_time: Option<WallTime>,
    /// Upper bound, where known.
    pub end_time: Option<WallTime>,
    /// The epoch of the position, where that is the cause.
    pub previous_epoch: Option<String>,
}

/// Why a run will not be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Deleted by retention.
    Trimmed,
    /// Erased on request.
    Erased,
    /// Failed its checksum.
    Corrupted,
    /// The position belongs to another epoch.
    EpochChanged,
}

/// Why a stream ends as planned, and when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The requested end was reached.
    EndReached,
    /// The process is about to end.
    Draining(Duration),
    /// The stream reached its planned age.
    MaxAge(Duration),
    /// An operator ended the stream.
    Disconnected(Duration),
    /// A newer stream took the managed cursor over.
    TakenOver,
}
