//! What can go wrong with a journal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::{Sequence, WallTime};

/// Why an append was refused. Nothing of the commit was kept.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The disk is full. The journal tries again by itself; so should the caller, after the delay.
    #[error("append: no space left on the journal's volume")]
    NoSpace {
        /// When to try the same commit again.
        retry_after: Duration,
    },
    /// A write or sync failed: read-only until the process restarts.
    #[error("append: the journal is read-only since a failed write: {reason}")]
    ReadOnly {
        /// What failed.
        reason: String,
    },
    /// An event's encoding exceeds the limit of 3 MiB.
    #[error("append: event {index} of the commit is {size} bytes, above the limit of {limit}")]
    TooLarge {
        /// Index in the commit.
        index: usize,
        /// Encoded size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// One before it in its lane was refused, or has not come yet.
    #[error("append: a commit that goes before this one was not kept")]
    OutOfTurn,
    /// The journal has been closed.
    #[error("append: the journal is closed")]
    Closed,
}

/// Why a read was refused.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Events after the asked-for place are gone.
    #[error("read after {after}: events before {earliest} were deleted by retention")]
    Trimmed {
        /// The asked-for place.
        after: Sequence,
        /// The first event there is.
        earliest: Sequence,
        /// When it was written, if known.
        earliest_time: Option<WallTime>,
    },
    /// The asked-for place lies beyond the durable end.
    #[error("read after {after}: the journal ends at {latest}")]
    NotWritten {
        /// The asked-for place.
        after: Sequence,
        /// The last durable event.
        latest: Sequence,
    },
    /// The operating system failed the read.
    #[error("read after {after}: {reason}")]
    Io {
        /// The asked-for place.
        after: Sequence,
        /// What failed.
        reason: String,
    },
}

/// Why a journal's directory could not be opened. Nothing in it was changed, unless a disk failed
/// in the middle of a recovery, which goes on at the next start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("journal directory {}: in use by {holder}", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who has it, as they wrote it.
        holder: String,
    },
    /// There are files, and they are no journal's.
    #[error(
        "journal directory {}: not a journal, it holds '{found}'; give the journal an empty \
         directory of its own",
        path.display()
    )]
    NotAJournal {
        /// The directory.
        path: PathBuf,
        /// The first such file.
        found: String,
    },
    /// There is nothing to open.
    #[error("journal directory {}: there is no journal", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// Another release wrote it.
    #[error(
        "journal directory {}: '{file}' is of format {found}, this program reads format {supported}",
        path.display()
    )]
    Version {
        /// The directory.
        path: PathBuf,
        /// The file that says so.
        file: String,
        /// What it says.
        found: u32,
        /// What this program reads.
        supported: u32,
    },
    /// Files of several journals, or in an order that no journal leaves.
    #[error("journal directory {}: '{file}' does not belong: {reason}", path.display())]
    Mixed {
        /// The directory.
        path: PathBuf,
        /// The file.
        file: String,
        /// Why not.
        reason: &'static str,
    },
    /// The operating system does not allow it.
    #[error("journal directory {}: no permission to {action}", path.display())]
    Permission {
        /// The directory.
        path: PathBuf,
        /// What was attempted.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The operating system failed.
    #[error("journal directory {}: cannot {action}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What was attempted.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl OpenError {
    /// Sorts a failure of the system.
    pub(crate) fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission {
                    path,
                    action,
                    source,
                }
            }
            _ => Self::Io {
                path,
                action,
                source,
            },
        }
    }
}
