//! Why a subscription or a read was refused or ended.

use std::time::Duration;

use super::cursors::CursorError;
use crate::domain::{Epoch, Sequence, WallTime};

/// Where a journal stood when a position could not be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// The journal's incarnation.
    pub epoch: Epoch,
    /// The position that was asked for, or that the stream had reached.
    pub requested: Sequence,
    /// First sequence that can still be read.
    pub earliest: Sequence,
    /// Last durable sequence.
    pub latest: Sequence,
    /// When the earliest event was written, if known.
    pub earliest_time: Option<WallTime>,
}

/// Why a subscription or a read was refused or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// Retention deleted events after the position, and the policy is to fail.
    #[error(
        "read after {}: events before {} were deleted by retention", .0.requested, .0.earliest
    )]
    PositionTrimmed(Bounds),
    /// The position lies past the durable end: the wrong journal, or a lost tail.
    #[error("read after {}: the journal ends at {}", .0.requested, .0.latest)]
    PositionNotWritten(Bounds),
    /// The position is one of another incarnation.
    #[error("read at a position of epoch '{requested}': the journal's epoch is {current}")]
    EpochChanged {
        /// The epoch of the position, as it was sent.
        requested: String,
        /// The journal's epoch.
        current: Epoch,
        /// First sequence that can be read in it.
        earliest: Sequence,
        /// Its last durable sequence.
        latest: Sequence,
    },
    /// A run failed its checksum, and the policy is to fail.
    #[error("read events {first} to {last}: the stored bytes fail their checksum")]
    Corrupted {
        /// First sequence of the run.
        first: Sequence,
        /// Last sequence of the run.
        last: Sequence,
    },
    /// There is no such event.
    #[error("read event {sequence}: there is no such event")]
    EventNotFound {
        /// The sequence that was asked for.
        sequence: Sequence,
    },
    /// The operating system failed a read.
    #[error("read after {after}: {reason}")]
    Unreadable {
        /// The place that was read from.
        after: Sequence,
        /// What failed.
        reason: String,
        /// When to try again.
        retry_delay: Duration,
    },
    /// The journal takes no appends, so nothing can be erased.
    #[error("erase: {reason}")]
    ReadOnly {
        /// Why.
        reason: String,
        /// When to try again.
        retry_delay: Duration,
    },
    /// As many streams are open as are allowed.
    #[error("subscribe: {limit} streams are open, which is the limit")]
    SubscriberQuota {
        /// The limit.
        limit: u32,
        /// When to try again.
        retry_delay: Duration,
    },
    /// Its caller has as many streams open as it may.
    #[error("subscribe: principal '{principal}' has {limit} streams open, which is its limit")]
    PrincipalQuota {
        /// Who.
        principal: String,
        /// The limit.
        limit: u32,
        /// When to try again.
        retry_delay: Duration,
    },
    /// The process is about to end.
    #[error("the server is shutting down")]
    Draining {
        /// When to subscribe again.
        retry_delay: Duration,
    },
    /// It is about a managed cursor.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// An operator ended the stream.
    #[error("an operator disconnected this stream")]
    Disconnected {
        /// When to subscribe again.
        retry_delay: Duration,
    },
    /// The stream reached its planned age.
    #[error("the stream reached its planned age")]
    MaxAge {
        /// When to subscribe again.
        retry_delay: Duration,
    },
}
