//! What the feed says about itself: one line per stream, and the reason of every end.

use super::cursors::{Cursor, CursorError};
use super::error::FeedError;
use super::registry::Seat;
use crate::domain::{JournalName, Sequence, SubscriptionName};

/// Why a stream ended; each has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The caller went away.
    ClientCancelled,
    /// A requested end was reached.
    Completed,
    /// Retention overtook it.
    OutOfRange,
    /// Damage, and the policy was to fail.
    DataLoss,
    /// The process is about to end.
    Draining,
    /// It reached its planned age.
    MaxAge,
    /// A newer stream took its managed cursor over.
    TakenOver,
    /// Its managed cursor was moved by hand.
    Fenced,
    /// Its managed cursor was deleted.
    CursorDeleted,
    /// A read failed.
    Unreadable,
    /// Anything that a running stream does not end with.
    Refused,
}

impl EndReason {
    /// The label in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCancelled => "client_cancelled",
            Self::Completed => "completed",
            Self::OutOfRange => "out_of_range",
            Self::DataLoss => "data_loss",
            Self::Draining => "draining",
            Self::MaxAge => "max_age",
            Self::TakenOver => "taken_over",
            Self::Fenced => "fenced",
            Self::CursorDeleted => "subscription_deleted",
            Self::Unreadable => "unreadable",
            Self::Refused => "refused",
        }
    }

    pub(super) fn of(outcome: &Result<(), FeedError>) -> Self {
        match outcome {
            Ok(()) => Self::Completed,
            Err(FeedError::PositionTrimmed(_) | FeedError::PositionNotWritten(_)) => {
                Self::OutOfRange
            }
            Err(FeedError::Corrupted { .. }) => Self::DataLoss,
            Err(FeedError::Draining { .. }) => Self::Draining,
            Err(FeedError::MaxAge { .. }) => Self::MaxAge,
            Err(FeedError::Unreadable { .. }) => Self::Unreadable,
            Err(FeedError::Cursor(CursorError::TakenOver { .. })) => Self::TakenOver,
            Err(FeedError::Cursor(CursorError::Fenced { .. })) => Self::Fenced,
            Err(FeedError::Cursor(CursorError::NotFound { .. })) => Self::CursorDeleted,
            Err(
                FeedError::EpochChanged { .. }
                | FeedError::EventNotFound { .. }
                | FeedError::SubscriberQuota { .. }
                | FeedError::Cursor(_),
            ) => Self::Refused,
        }
    }
}

pub(super) fn subscription_opened(seat: &Seat, start: Sequence) {
    let facts = seat.facts();
    tracing::info!(
        subscriber = facts.id,
        journal = %facts.journal,
        client_id = %facts.client_id,
        subscription = facts.subscription.as_ref().map(SubscriptionName::as_str),
        lease = Some(facts.lease).filter(|lease| *lease > 0),
        from_seq = start.get(),
        "Subscription opened"
    );
}

pub(super) fn subscription_ended(seat: &Seat, reason: EndReason) {
    let facts = seat.facts();
    tracing::info!(
        subscriber = facts.id,
        journal = %facts.journal,
        client_id = %facts.client_id,
        seq = facts.through.get(),
        sent_events = facts.sent_events,
        end_reason = reason.as_str(),
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
