//! [`Options`]: everything a [`FileJournal`](super::FileJournal) is told when it is opened.

use std::path::PathBuf;
use std::time::Duration;

use super::recent::Window;
use super::retention::Retention;
use super::{JournalConfig, Store, StoreConfig};
use crate::domain::JournalName;
use crate::runtime::{Clock, Rng};

/// A segment is rolled when it is this old, even if it is small.
const ROLL_AGE: Duration = Duration::from_secs(3600);
/// And at least so often within the age that retention allows, so that trims are fine enough.
const ROLLS_PER_MAX_AGE: u32 = 8;
const MAX_SEGMENT: u64 = 64 << 20;
const MIN_SEGMENT: u64 = 1 << 20;
const SEGMENTS_PER_MAX_BYTES: u64 = 8;

/// What a journal is and where it stands.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name.
    pub name: JournalName,
    /// Its directory.
    pub path: PathBuf,
    /// What is kept of an event.
    pub store: Store,
    /// When events are deleted.
    pub retention: Retention,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
}

/// Bounds that nobody needed to configure yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Length of a segment file.
    pub(crate) segment_bytes: u64,
    /// Age of its first event at which a segment is rolled.
    pub(crate) roll_age: Duration,
    /// Bound of an encoded event.
    pub(crate) event_bytes: usize,
    /// Bytes and commits that are written and synced together.
    pub(crate) batch_bytes: usize,
    pub(crate) batch_commits: usize,
    /// Bytes that wait for the writer.
    pub(crate) queue_bytes: usize,
    /// How far back ids are remembered.
    pub(crate) ids: Window,
    /// After a full disk, until the next try.
    pub(crate) retry_after: Duration,
}

impl Options {
    /// What a configuration says.
    #[must_use]
    pub fn new(config: &JournalConfig, clock: Clock, rng: Rng) -> Self {
        let keep = &config.retention;
        Self {
            name: config.name.clone(),
            path: config.path.clone(),
            store: config.store.into(),
            retention: Retention {
                max_age: Some(keep.max_age.0),
                max_bytes: Some(keep.max_bytes.0),
                hard_max_bytes: Some(keep.hard_max_bytes.0.max(keep.max_bytes.0)),
                min_free_bytes: keep.min_free_bytes.0,
            },
            limits: Limits {
                segment_bytes: (keep.max_bytes.0 / SEGMENTS_PER_MAX_BYTES)
                    .clamp(MIN_SEGMENT, MAX_SEGMENT),
                roll_age: ROLL_AGE.min(keep.max_age.0 / ROLLS_PER_MAX_AGE),
                ..Limits::default()
            },
            clock,
            rng,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: MAX_SEGMENT,
            roll_age: ROLL_AGE,
            event_bytes: 3 << 20,
            batch_bytes: 1 << 20,
            batch_commits: 4096,
            queue_bytes: 16 << 20,
            ids: Window {
                age: Duration::from_secs(600),
                count: 1_000_000,
            },
            retry_after: Duration::from_secs(5),
        }
    }
}

impl From<StoreConfig> for Store {
    fn from(config: StoreConfig) -> Self {
        match config {
            StoreConfig::Full => Self::Full,
            StoreConfig::Normalized => Self::Normalized,
            StoreConfig::Raw => Self::Raw,
        }
    }
}
