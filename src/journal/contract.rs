//! The trait [`Journal`] and the values that pass through it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::{AppendError, Erasure, Hold, ReadError, Turn};
use crate::domain::{Epoch, JournalName, Sequence, WallTime};
use crate::proto::v1;

/// A durable, numbered log of events with the state that belongs to them.
///
/// - Sequences are contiguous from 1 and assigned at the moment of append.
/// - A commit is all or nothing, across any crash: its events and its state never part.
/// - Nothing is visible (to readers, sinks, [`Journal::durable_end`] or the appender) before it is
///   synced.
/// - `record_time` never decreases.
#[async_trait]
pub trait Journal: Send + Sync + fmt::Debug {
    /// Name, incarnation and extent, as of now.
    fn info(&self) -> Info;

    /// Appends one commit and returns once it is durable and visible. The commits of one caller,
    /// awaited in turn, keep their order. Dropping the future may leave the commit appended.
    ///
    /// # Errors
    /// [`AppendError`]; then nothing of the commit was kept.
    async fn append(&self, commit: Commit) -> Result<Committed, AppendError>;

    /// The same for one of several commits that do not wait for each other's answers: it is kept
    /// behind all before it in its lane. The caller keeps it too, to hand it in again where it was
    /// refused.
    ///
    /// # Errors
    /// As [`Journal::append`]; [`AppendError::OutOfTurn`] where one before it was not kept.
    async fn append_in_turn(
        &self,
        commit: Arc<Commit>,
        turn: Turn,
    ) -> Result<Committed, AppendError>;

    /// Watches the durable end and the retained range.
    fn durable_end(&self) -> watch::Receiver<DurableEnd>;

    /// Reads a run of events after a place: at least one item if there is any, and at most about
    /// `max_bytes` of encoded events beyond the first. At the durable end the page is empty.
    ///
    /// # Errors
    /// [`ReadError`]; damage is not an error but an [`Item::Gap`].
    async fn read(&self, after: Sequence, max_bytes: usize) -> Result<Page, ReadError>;

    /// The place after which every retained event was recorded at `time` or later: one less than
    /// the first such event, or the durable end when there is none.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    async fn seek_time(&self, time: WallTime) -> Result<Sequence, ReadError>;

    /// The committed state whose keys begin with `prefix`, by key.
    fn state(&self, prefix: &str) -> Vec<StateEntry>;

    /// The id hashes of recent events (10 min or 1 M, whichever is less), oldest first.
    fn recent_ids(&self) -> Vec<u64>;

    /// Calls `sink` with every batch that becomes durable from now on, in order, before
    /// [`Journal::durable_end`] moves. Returns the durable end at which the sink begins to see all.
    fn attach(&self, sink: Arc<dyn CommitSink>) -> Sequence;

    /// Erases events and state: from one moment on nobody reads any of it, and it stays so across any
    /// crash. Readers get a gap instead; sequences, times and id hashes stay. Returns when the disk
    /// holds it no more. Dropping the future leaves it erased, or not begun.
    ///
    /// # Errors
    /// [`AppendError`]; then nothing is erased, but where the journal became read-only meanwhile:
    /// then the rest is done after a restart.
    async fn erase(&self, erasure: Erasure) -> Result<(), AppendError>;

    /// Keeps events beyond retention for readers that are away, instead of those named before. Bounds
    /// that nothing exceeds beat every one of them.
    fn hold_back(&self, holds: Vec<Hold>);
}

/// Receives batches as they become durable. Called on the writer's thread: must not block.
pub trait CommitSink: Send + Sync + fmt::Debug {
    /// One or more commits that were synced together; empty batches are not announced.
    fn committed(&self, batch: &Batch);

    /// Events before were erased: what is held of them is not handed out any more.
    fn erased(&self) {}
}

/// Events that became durable together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Ascending and contiguous; never empty.
    pub entries: Arc<[Entry]>,
    /// Bytes of memory that their elements are slices of: those, and what was written with them.
    pub buffer: usize,
}

impl Batch {
    /// Of entries whose elements are slices of nothing larger.
    #[must_use]
    pub fn of(entries: Arc<[Entry]>) -> Self {
        Self {
            buffer: entries.iter().map(|entry| entry.element.len()).sum(),
            entries,
        }
    }
}

/// What is appended as a unit.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Drafts: `sequence` and `record_time` are set by the journal, whatever they hold.
    pub events: Vec<v1::Event>,
    /// State that becomes true together with the events. A commit may carry state alone.
    pub state: Vec<StateDelta>,
}

/// One change to the state that is kept with the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDelta {
    /// A path such as `sessions/contact-centre/position`.
    pub key: String,
    /// The new value; `None` deletes the key.
    pub value: Option<Bytes>,
    /// Index of the event of this commit whose sequence is stored beside the value.
    pub event: Option<usize>,
}

/// One entry of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateEntry {
    /// The key of the delta that set it.
    pub key: String,
    /// Its value.
    pub value: Bytes,
    /// Sequence of the event that [`StateDelta::event`] named; zero where it named none.
    pub sequence: Sequence,
}

/// What an append resulted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Sequence of the commit's first event; of the next event to come where it had none.
    pub first: Sequence,
    /// Sequence of its last event; one less than `first` where it had none.
    pub last: Sequence,
    /// The `record_time` of its events.
    pub record_time: WallTime,
}

/// One stored event.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub sequence: Sequence,
    /// When it was written.
    pub record_time: WallTime,
    /// xxh3 of source and id.
    pub id_hash: u64,
    /// One element of `SubscribeResponse.events`, as it goes on the wire: `0x0A`, length, `Event`.
    /// Within it stand the attributes, then `data`, then `raw_data`.
    pub element: Bytes,
    /// Where in `element` the field `data` begins; the length of `element` if there is no more.
    pub data_at: u32,
    /// Where in `element` the field `raw_data` begins; likewise.
    pub raw_at: u32,
}

/// Why a run of sequences cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// Failed its checksum.
    Corrupted,
    /// Erased on request.
    Erased,
}

/// What stands at one place of a journal.
#[derive(Debug, Clone)]
pub enum Item {
    /// An event.
    Event(Entry),
    /// A run that cannot be read, inclusive at both ends.
    Gap {
        /// Why.
        cause: GapCause,
        /// First sequence of the run.
        first: Sequence,
        /// Last sequence of the run.
        last: Sequence,
        /// Times of the events around it, where known.
        start_time: Option<WallTime>,
        /// Likewise.
        end_time: Option<WallTime>,
    },
}

/// A run of items.
#[derive(Debug, Clone)]
pub struct Page {
    /// Contiguous and ascending: every sequence after the asked-for place up to `through` is in one.
    pub items: Vec<Item>,
    /// The last sequence covered; the asked-for place when there is nothing after it.
    pub through: Sequence,
    /// What the elements are slices of, where they stand one right behind the other; else empty.
    pub buffer: Bytes,
}

/// The end that is safe on disk, and the start that retention has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableEnd {
    /// Last durable sequence; zero in an empty journal.
    pub latest: Sequence,
    /// First sequence that can still be read; `latest + 1` when there is none.
    pub earliest: Sequence,
    /// `record_time` of the latest event; zero if there never was one.
    pub latest_time: WallTime,
    /// Whether appends are taken.
    pub writable: bool,
    /// Rises when events are erased: what was read before is to be read again.
    pub erasures: u64,
}

/// Whether a journal takes appends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Writable,
    /// No space; tried again by itself.
    NoSpace,
    /// A write or sync failed; read-only until restart.
    Poisoned {
        /// What failed.
        reason: String,
    },
}

/// A journal's name, incarnation and extent.
#[derive(Debug, Clone)]
pub struct Info {
    /// Its name.
    pub name: JournalName,
    /// Its incarnation.
    pub epoch: Epoch,
    /// First readable sequence; `latest + 1` when there is none.
    pub earliest: Sequence,
    /// Last durable sequence; zero in an empty journal.
    pub latest: Sequence,
    /// `record_time` of the earliest event.
    pub earliest_time: Option<WallTime>,
    /// `record_time` of the latest event.
    pub latest_time: Option<WallTime>,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// Retention by age; `None` keeps for ever.
    pub max_age: Option<Duration>,
    /// Retention by size; `None` has no bound.
    pub max_bytes: Option<u64>,
    /// When this incarnation was created.
    pub create_time: WallTime,
    /// Whether it takes appends.
    pub health: Health,
}
