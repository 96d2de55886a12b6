//! What an operator is told of a journal: each event that matters is one method, which logs and counts.

use std::io;
use std::time::Duration;

use super::encode::Write;
use super::recovery::{NewEpoch, Recovered};
use super::segment::Segment;
use super::shared::Shared;
use super::{AppendError, Health};
use crate::runtime::{Counter, Counters, Counts, Histogram, Scale, Tally};

crate::runtime::label!(
    /// Why an append was refused.
    pub Refusal {
        /// The volume is full.
        NoSpace = "no_space",
        /// It takes none until a restart.
        ReadOnly = "read_only",
        /// An event is larger than what is taken.
        TooLarge = "too_large",
        /// One before it was refused.
        OutOfTurn = "out_of_turn",
        /// It is closed.
        Closed = "closed",
    }
);

impl Refusal {
    fn of(error: &AppendError) -> Self {
        match error {
            AppendError::NoSpace { .. } => Self::NoSpace,
            AppendError::TooLarge { .. } => Self::TooLarge,
            AppendError::OutOfTurn => Self::OutOfTurn,
            AppendError::Closed => Self::Closed,
            AppendError::ReadOnly { .. } => Self::ReadOnly,
        }
    }
}

crate::runtime::measures! {
    /// What a journal has counted and measured since it was opened.
    pub(crate) JournalStats,
    /// `JournalStats` at one moment.
    pub JournalCounts {
        /// Events appended.
        events: Counter = Counter::new() => u64,
        /// Bytes written for them.
        bytes: Counter = Counter::new() => u64,
        /// Writes, each of which is synced.
        writes: Counter = Counter::new() => u64,
        /// Events of a commit.
        commit_events: Histogram = Histogram::new(Scale::COUNT) => Tally,
        /// From handing a commit in until it is durable.
        append: Histogram = Histogram::new(Scale::SHORT) => Tally,
        /// What syncing a write took.
        sync: Histogram = Histogram::new(Scale::SHORT) => Tally,
        /// Appends that were refused, by reason.
        refused: Counters<Refusal> = Counters::default() => Counts,
        /// Damaged runs found at the start.
        damaged: Counter = Counter::new() => u64,
        /// Segments deleted by retention.
        trims: Counter = Counter::new() => u64,
        /// Segments that could not be deleted.
        trims_failed: Counter = Counter::new() => u64,
    }
}

/// What a journal has counted, and its extent, at one moment.
#[derive(Debug, Clone)]
pub struct JournalSnapshot {
    /// What it has counted and measured.
    pub counted: JournalCounts,
    /// Segments on disk.
    pub segments: u64,
    /// Free space of its volume; `None` where it cannot be told.
    pub free_bytes: Option<u64>,
    /// What it holds.
    pub info: super::Info,
}

impl JournalSnapshot {
    pub(crate) fn of(shared: &Shared) -> Self {
        Self {
            counted: shared.stats.snapshot(),
            segments: shared.catalog.all().len() as u64,
            free_bytes: shared.storage.free_space().ok(),
            info: shared.info(),
        }
    }

    /// Whether it takes appends.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.info.health == Health::Writable
    }
}

/// A write is durable.
pub(crate) fn written(shared: &Shared, write: &Write) {
    let stats = &shared.stats;
    stats.writes.one();
    stats.bytes.add(write.bytes.len() as u64);
    for commit in &write.commits {
        let events = commit.last.next().since(commit.first);
        // One that carries state alone has none.
        if events > 0 {
            stats.events.add(events);
            stats.commit_events.record(events);
        }
    }
}

/// Whoever handed a commit in has the answer.
pub(crate) fn answered<T>(shared: &Shared, took: Duration, outcome: &Result<T, AppendError>) {
    match outcome {
        Ok(_) => shared.stats.append.took(took),
        Err(error) => shared.stats.refused.one(Refusal::of(error)),
    }
}

/// No segment holds these events any more.
pub(crate) fn erased(shared: &Shared, events: u64) {
    tracing::info!(journal = %shared.name, events, "Events erased");
}

/// The journal is open.
pub(crate) fn opened(shared: &Shared, recovered: &Recovered) {
    let end = shared.durable_end();
    tracing::info!(
        journal = %shared.name,
        epoch = %shared.epoch,
        earliest = %end.earliest,
        latest = %end.latest,
        segments = recovered.segments,
        cut_bytes = recovered.cut_bytes,
        "Journal opened"
    );
    match recovered.new_epoch {
        None => {}
        Some(cause @ NewEpoch::Created) => {
            tracing::info!(journal = %shared.name, epoch = %shared.epoch, %cause, "New epoch");
        }
        Some(cause) => {
            tracing::warn!(journal = %shared.name, epoch = %shared.epoch, %cause, "New epoch");
        }
    }
    for damage in &recovered.damage {
        shared.stats.damaged.one();
        tracing::error!(
            journal = %shared.name,
            segment = %damage.segment,
            offset = damage.place.offset,
            first = %damage.place.first,
            last = %damage.place.last,
            "Damaged events"
        );
    }
    if recovered.state_is_partial {
        tracing::error!(journal = %shared.name, "Session state is incomplete: its snapshot is damaged");
    }
}

/// A new segment is being written.
pub(crate) fn rolled(shared: &Shared, old: &Segment) {
    tracing::debug!(journal = %shared.name, segment = %old.name(), "Segment rolled");
}

/// Retention has deleted a segment.
pub(crate) fn trimmed(shared: &Shared, segment: &Segment) {
    shared.stats.trims.one();
    tracing::info!(
        journal = %shared.name,
        segment = %segment.name(),
        earliest = %shared.durable_end().earliest,
        "Segment trimmed"
    );
}

/// Retention could not delete a segment; it tries again.
pub(crate) fn trim_failed(shared: &Shared, segment: &Segment, error: &io::Error) {
    shared.stats.trims_failed.one();
    tracing::warn!(journal = %shared.name, segment = %segment.name(), %error, "Trim failed");
}

/// The volume is full.
pub(crate) fn no_space(shared: &Shared, error: &io::Error) {
    tracing::error!(journal = %shared.name, %error, "No space, appends are refused");
}

/// The volume is not full any more.
pub(crate) fn regained(shared: &Shared) {
    tracing::info!(journal = %shared.name, "Space regained, appends are taken");
}

/// A write or sync failed.
pub(crate) fn poisoned(shared: &Shared, reason: &str) {
    tracing::error!(journal = %shared.name, error = %reason, "Journal is read-only until restart");
}

/// The next segment could not be prepared; it will be made when it is needed.
pub(crate) fn spare_failed(shared: &Shared, error: &io::Error) {
    tracing::warn!(journal = %shared.name, %error, "Next segment not prepared");
}
