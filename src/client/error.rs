//! Why a resuming subscription ended without its end being reached.

use super::{Failure, InvalidAddress, Refusal, Unavailable};

/// Why a subscription cannot go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The request names no start: there is no default, so that no event is skipped by omission.
    #[error("subscribe: the request names no start")]
    StartRequired,
    /// A commit without a managed cursor to commit to.
    #[error("commit: the stream does not start at a subscription")]
    NoCursor,
    /// A commit was not answered, or refused.
    #[error("commit: {0}")]
    Commit(Failure),
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// The position is gone and the choice was to stop.
    #[error("subscribe: {0}")]
    Gap(Unavailable),
    /// The server said something that repeating the request will not change.
    #[error("subscribe: {0}")]
    Refused(Refusal),
    /// The server broke the contract.
    #[error("subscribe: the server broke the contract: {0}")]
    Violation(#[from] Violation),
}

/// How a response broke the guarantees of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Another response came before `Opened`.
    #[error("the first response is not 'opened'")]
    NotOpened,
    /// `Opened` came twice.
    #[error("'opened' came a second time")]
    OpenedTwice,
    /// A resume did not continue where it was asked to.
    #[error("asked to continue after {asked}, it starts after {given}")]
    StartMoved {
        /// What the request named.
        asked: String,
        /// What the response resolved it to.
        given: String,
    },
    /// An event came twice, or out of order.
    #[error("event {sequence} came after {after}")]
    Disordered {
        /// The event.
        sequence: u64,
        /// What lay behind it already.
        after: u64,
    },
    /// Events are missing without a gap, filter or shard that explains it.
    #[error("events {first} to {last} are missing without a gap")]
    Hole {
        /// The first that is missing.
        first: u64,
        /// The last that is missing.
        last: u64,
    },
    /// The bookmark went back, or stands before an event of its own response.
    #[error("the bookmark {through} is before {at_least}")]
    Bookmark {
        /// `through_sequence` of the response.
        through: u64,
        /// What it may not be below.
        at_least: u64,
    },
}
