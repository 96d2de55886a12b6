//! What the feed says about itself: one line per stream, and the reason of every end. Each event that
//! matters is one method, which logs and counts.

use std::time::Duration;

use super::cursors::{Cursor, CursorError};
use super::delivery::{Cause, Delivery, Notice};
use super::error::FeedError;
use super::registry::Seat;
use super::steps::StateName;
use crate::domain::{JournalName, Sequence, SubscriptionName, WallTime};
use crate::runtime::{Counter, Counters, Counts, Histogram, Label, MonoTime, Scale, Tally};

crate::runtime::label!(
    /// Why no stream was opened.
    pub(super) Refused {
        /// Its position was deleted by retention.
        Trimmed = "position_trimmed",
        /// Its position lies past the end: the wrong journal, or a lost tail.
        NotWritten = "position_not_written",
        /// Its position is one of another incarnation.
        EpochChanged = "epoch_changed",
        /// As many streams are open as are allowed.
        Quota = "quota",
        /// The process is about to end.
        Draining = "draining",
        /// Its managed cursor is not there or not to be had.
        Cursor = "subscription",
        /// Anything else.
        Other = "other",
    }
);

impl Refused {
    fn of(error: &FeedError) -> Self {
        match error {
            FeedError::PositionTrimmed(_) => Self::Trimmed,
            FeedError::PositionNotWritten(_) => Self::NotWritten,
            FeedError::EpochChanged { .. } => Self::EpochChanged,
            FeedError::SubscriberQuota { .. } | FeedError::PrincipalQuota { .. } => Self::Quota,
            FeedError::Draining { .. } => Self::Draining,
            FeedError::Cursor(_) => Self::Cursor,
            FeedError::Corrupted { .. }
            | FeedError::EventNotFound { .. }
            | FeedError::Unreadable { .. }
            | FeedError::ReadOnly { .. }
            | FeedError::Disconnected { .. }
            | FeedError::MaxAge { .. } => Self::Other,
        }
    }
}

crate::runtime::measures! {
    /// What a feed has counted and measured since it was attached.
    pub(super) FeedStats,
    /// `FeedStats` at one moment.
    pub FeedCounts {
        /// Streams opened.
        opened: Counter = Counter::new() => u64,
        /// Streams refused, by reason.
        refused: Counters<Refused> = Counters::default() => Counts,
        /// Streams ended, by reason.
        ended: Counters<EndReason> = Counters::default() => Counts,
        /// How long they lasted.
        lasted: Histogram = Histogram::new(Scale::LONG) => Tally,
        /// Events sent.
        events: Counter = Counter::new() => u64,
        /// Bytes of events sent.
        bytes: Counter = Counter::new() => u64,
        /// From an event's being durable until it was handed to the flow-controlled stream of a reader
        /// at the live edge.
        delay: Histogram = Histogram::new(Scale::SHORT) => Tally,
        /// Times a reader was too slow for the live path.
        fell_behind: Counter = Counter::new() => u64,
        /// Runs that were not delivered, by cause.
        gaps: Counters<Cause> = Counters::default() => Counts,
        /// Readers at a position that was never written.
        not_written: Counter = Counter::new() => u64,
    }
}

impl FeedStats {
    /// A reader that asks for what was never written has the wrong journal, or the journal has lost
    /// its tail: somebody must look.
    pub(super) fn position(&self, error: &FeedError) {
        if let FeedError::PositionNotWritten(_) = error {
            self.not_written.one();
        }
    }
}

impl Label for Cause {
    const ALL: &'static [Self] = &[
        Self::Trimmed,
        Self::Erased,
        Self::Corrupted,
        Self::EpochChanged,
    ];

    fn index(self) -> usize {
        self as usize
    }

    fn word(self) -> &'static str {
        match self {
            Self::Trimmed => "trimmed",
            Self::Erased => "erased",
            Self::Corrupted => "corrupted",
            Self::EpochChanged => "epoch_changed",
        }
    }
}

crate::runtime::label!(
    /// Why a stream ended; each has exactly one.
    pub EndReason {
        /// The caller went away.
        ClientCancelled = "client_cancelled",
        /// A requested end was reached.
        Completed = "completed",
        /// Retention overtook it.
        OutOfRange = "out_of_range",
        /// Damage, and the policy was to fail.
        DataLoss = "data_loss",
        /// The process is about to end.
        Draining = "draining",
        /// It reached its planned age.
        MaxAge = "max_age",
        /// A newer stream took its managed cursor over.
        TakenOver = "taken_over",
        /// Its managed cursor was moved by hand.
        Fenced = "fenced",
        /// Its managed cursor was deleted.
        CursorDeleted = "subscription_deleted",
        /// Its caller may not read any more.
        Credentials = "credentials",
        /// An operator ended it.
        Disconnected = "disconnected",
        /// A read failed.
        Unreadable = "unreadable",
        /// Anything that a running stream does not end with.
        Refused = "refused",
    }
);

impl EndReason {
    pub(super) fn of(outcome: &Result<(), FeedError>) -> Self {
        match outcome {
            Ok(()) => Self::Completed,
            Err(FeedError::PositionTrimmed(_) | FeedError::PositionNotWritten(_)) => {
                Self::OutOfRange
            }
            Err(FeedError::Corrupted { .. }) => Self::DataLoss,
            Err(FeedError::Draining { .. }) => Self::Draining,
            Err(FeedError::MaxAge { .. }) => Self::MaxAge,
            Err(FeedError::Disconnected { .. }) => Self::Disconnected,
            Err(FeedError::Unreadable { .. }) => Self::Unreadable,
            Err(FeedError::Cursor(CursorError::TakenOver { .. })) => Self::TakenOver,
            Err(FeedError::Cursor(CursorError::Fenced { .. })) => Self::Fenced,
            Err(FeedError::Cursor(CursorError::NotFound { .. })) => Self::CursorDeleted,
            Err(
                FeedError::EpochChanged { .. }
                | FeedError::EventNotFound { .. }
                | FeedError::ReadOnly { .. }
                | FeedError::SubscriberQuota { .. }
                | FeedError::PrincipalQuota { .. }
                | FeedError::Cursor(_),
            ) => Self::Refused,
        }
    }
}

pub(super) fn subscription_opened(seat: &Seat, start: Sequence) {
    let facts = seat.facts();
    seat.stats().opened.one();
    tracing::info!(
        subscriber = facts.id,
        journal = %facts.journal,
        client_id = %facts.caller.client_id,
        principal = Some(&*facts.caller.principal).filter(|principal| !principal.is_empty()),
        peer = %facts.caller.peer,
        subscription = facts.subscription.as_ref().map(SubscriptionName::as_str),
        lease = Some(facts.lease).filter(|lease| *lease > 0),
        from_seq = start.get(),
        "Subscription opened"
    );
}

pub(super) fn subscription_refused(stats: &FeedStats, error: &FeedError) {
    stats.refused.one(Refused::of(error));
    stats.position(error);
}

/// A response is handed to the flow-controlled stream: how long after its events became durable, where
/// that says something.
pub(super) fn delivered(
    seat: &Seat,
    delivery: &Delivery,
    state: StateName,
    now: WallTime,
) -> Option<Duration> {
    let (stats, events) = (seat.stats(), delivery.elements.count() as u64);
    match &delivery.notice {
        Some(Notice::FellBehind) => stats.fell_behind.one(),
        Some(Notice::Gap(gap)) => stats.gaps.one(gap.cause),
        Some(Notice::Opened(_) | Notice::CaughtUp | Notice::Closing(_)) | None => {}
    }
    if events == 0 {
        return None;
    }
    stats.events.add(events);
    stats.bytes.add(delivery.elements.len() as u64);
    // What is read again from history was durable long ago.
    let (StateName::Live, Some(time)) = (state, delivery.through_time) else {
        return None;
    };
    let delay = now.since(time);
    stats.delay.took_each(delay, events);
    Some(delay)
}

pub(super) fn subscription_ended(seat: &Seat, reason: EndReason, now: MonoTime) {
    let facts = seat.facts();
    let stats = seat.stats();
    stats.ended.one(reason);
    stats.lasted.took(now - seat.opened_at());
    tracing::info!(
        subscriber = facts.id,
        journal = %facts.journal,
        client_id = %facts.caller.client_id,
        seq = facts.through.get(),
        sent_events = facts.sent_events,
        end_reason = reason.word(),
        "Subscription ended"
    );
}

/// `what` was done to a managed cursor by a call; a commit is told to those who look closely.
pub(super) fn cursor_changed(
    journal: &JournalName,
    name: &SubscriptionName,
    cursor: &Cursor,
    what: Option<&str>,
) {
    let (committed, lease) = (&cursor.committed, cursor.lease);
    match what {
        Some(what) => {
            tracing::info!(%journal, subscription = %name, what, %committed, lease, "Cursor changed");
        }
        None => tracing::trace!(%journal, subscription = %name, %committed, lease, "Cursor asked"),
    }
}
