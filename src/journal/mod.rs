//! The journal: a durable, numbered log of events with the state that belongs to them.
//!
//! See [`Journal`] for what every implementation promises, [`FileJournal`] for the one in a directory,
//! [`offline`] for looking into a directory. The rest of this page is the format of that directory,
//! versions 1 and 2, complete enough to write a reader from.
//!
//! # Files
//!
//! | name | what |
//! |---|---|
//! | `meta` | which journal and which incarnation; replaced as a whole |
//! | `lock` | locked (`flock`) by the process that has the journal open, and its id as text |
//! | `{first:020}-{generation:016x}.seg` | a segment: first sequence in decimal, generation in hexadecimal |
//! | `spare`, `*.tmp` | unfinished or prepared work; deleted at the next start |
//!
//! All numbers are little-endian, all times nanoseconds since 1970. *CRC* is CRC-32C.
//!
//! # `meta`: 96 bytes
//!
//! | at | field |
//! |---|---|
//! | 0 | magic `TIELJRN\0` |
//! | 8 | u32 version = 1; 2 once anything was erased |
//! | 12 | u32 length of this header = 96 |
//! | 16 | u128 identity of the journal: random, never told to clients |
//! | 32 | u64 epoch |
//! | 40 | u64 time when the epoch began |
//! | 48 | u64 inode of the directory |
//! | 56 | u64 inode of this very file |
//! | 64 | u64 birth time of this very file; 0 if the file system does not tell |
//! | 72 | zeros |
//! | 92 | u32 CRC of all before |
//!
//! Magic, version, length and a CRC at the end of that length are so in every version. When the inodes or
//! the birth time are not those recorded, the directory is a copy, and the next start begins a new
//! epoch.
//!
//! # Segments
//!
//! Segments are ordered by generation, which rises; first sequences never fall. The last one is being
//! written. A segment is a header of 96 bytes, frames, and zeros up to its allocated length; or, once it
//! is *sealed*, header, frames, a footer frame and a trailer of 16 bytes.
//!
//! | at | field of the header |
//! |---|---|
//! | 0 | magic `TIELSEG\0` |
//! | 8 | u32 version = 1 |
//! | 12 | u32 length of this header = 96 |
//! | 16 | u128 identity of the journal |
//! | 32 | u64 epoch that wrote it |
//! | 40 | u64 generation |
//! | 48 | u64 sequence of its first event, if it has any |
//! | 56 | u64 allocated length: a file that is shorter and not sealed was cut by somebody |
//! | 64 | u64 time when it was made |
//! | 72 | zeros |
//! | 92 | u32 CRC of all before |
//!
//! | at, from the end | field of the trailer |
//! |---|---|
//! | -16 | u64 offset of the footer frame, where the data ends |
//! | -8 | `SEAL` |
//! | -4 | u32 CRC of the 12 bytes before |
//!
//! # Frames
//!
//! A frame begins at a multiple of 4, the first at 96. Its *seed* is the CRC of identity, epoch and
//! generation (32 bytes, as encoded); "seeded" means continued from there.
//!
//! | at | field | event | commit | footer |
//! |---|---|---|---|---|
//! | 0 | u32 | seeded CRC of everything from 4 to the end of the padding | same | same |
//! | 4 | u32 | length of the payload | same | same |
//! | 8 | u64 | its sequence | last sequence so far | last sequence of the segment |
//! | 16 | u64 | `record_time` | time of the commit | time of the last event |
//! | 24 | u64 | xxh3 of source, a zero byte, id | offset where its write began | 0 |
//! | 32 | u32 | where in the payload `data` begins | number of its events | 0 |
//! | 36 | u32 | where `raw_data` begins | CRC over those of its events | 0 |
//! | 40 | u8 kind | 1 | 2 | 3 |
//! | 41 | u8 flags | 1 erased | 1 snapshot, 2 closing | 0 |
//! | 42 | u16 check | seeded CRC of 4 to 42, its halves xored | same | same |
//! | 44 | payload | an element of `SubscribeResponse.events` | state, or nothing | index, ids |
//! | | zeros | up to a multiple of 4 | same | same |
//!
//! The CRC over those of a commit's events starts at 0; for each event it becomes the CRC of the event
//! frame's first 4 bytes, continued from the value so far xor the seed.
//!
//! **Commit payload**: u32 number of changes; each: u8 1 = set, 0 = delete; u64 sequence that goes with
//! it, or 0; u32 length and key; u32 length and value. Then *runs of ids*: u32 number of runs; each: u64
//! time of its last event, u32 number of hashes, the hashes as u64. The runs of a commit are of events
//! whose segments are deleted. An empty payload means no changes and no runs.
//!
//! **Footer payload**: u64 time of the first event; u32 number of index entries, each u64 sequence,
//! u64 time, u64 offset of an event frame (the first event, and one about every 64 KiB); runs of ids of
//! the segment's events that were recent when it was sealed.
//!
//! # Rules
//!
//! - A commit is its event frames and, behind them, its commit frame. It counts if every frame's CRC is
//!   right, its events are numbered on from the commit before, and count and CRC in its commit frame fit.
//! - The first commit of a segment is its snapshot: it has no events, its changes are all the state
//!   there is, its runs all ids that no segment holds. Its time is that of the last event before it.
//!   State is that of the last snapshot with the changes behind it.
//! - A write is one or more commits, and begins when all before it are synced. So whatever stands before
//!   the beginning of a write of which any commit is whole was synced, and if it is not whole now, it
//!   is damaged.
//! - Behind the last write of which a commit is whole, bytes are *torn* if, of each block of 512 bytes of
//!   the file, they are zeros or the frames that belong there: that was never visible and is cut.
//!   Anything else may have been visible: then the next start begins a new epoch.
//! - A segment is sealed only when the next one is durable. A sealed segment that is the last one
//!   has lost its successor: new epoch. A segment that another follows reaches up to that one's
//!   first sequence; what is missing before it is damage.
//! - Events in or behind damage are served if their own frames are whole; the numbers missing between them
//!   are a gap. So are the numbers of a missing segment: a journal that lost one opens, and says so.
//! - Only a segment whose last commit is *closing* is written to after a restart. After any other end
//!   there may be bytes on the disk that reading does not show (of a write whose sync failed), so the
//!   journal goes on in a new segment.
//! - The payload of an erased event is zeros, as long as it was. An entry `journal/erasures/…` of the state
//!   names what is erased before the segments are rewritten (beside them, synced, renamed; each frame
//!   stays where it is): u32 number of runs, each u64 first and last sequence; u32 number of keys,
//!   each u32 length and key, whose values go wherever commits hold them. What it names is not
//!   served, and the next start goes on with it; it is deleted when no segment holds any of it.
//! - Events before the first sequence of the oldest segment were deleted by retention.

mod chain;
mod config;
#[cfg(test)]
pub(crate) mod conformance;
mod contract;
mod element;
mod encode;
mod erasing;
mod erasure;
mod error;
mod failure;
mod file;
mod files;
mod fold;
mod format;
mod found;
mod frames;
mod hints;
mod metrics;
pub mod offline;
mod options;
mod reader;
mod recent;
mod recovery;
mod resume;
mod retention;
mod rewrite;
mod scan;
mod segment;
mod shared;
mod shell;
mod storage;
mod survey;
mod tail;
#[cfg(any(test, feature = "testing"))]
mod tampered;
mod turns;
mod upkeep;
mod window;
mod writer;

#[cfg(test)]
mod tests;

pub use config::{JournalConfig, RetentionConfig, StoreConfig};
pub use contract::{
    Batch, Commit, CommitSink, Committed, DurableEnd, Entry, GapCause, Health, Info, Item, Journal,
    Page, StateDelta, StateEntry,
};
pub use element::{EncodedDraft, Store, View, ViewedElement, id_hash};
pub use erasure::{Erasure, MOST_RANGES, Ranges};
pub use error::{AppendError, OpenError, ReadError};
pub use file::FileJournal;
pub use metrics::{JournalCounts, JournalSnapshot, Refusal};
pub use options::Options;
pub use retention::{Hold, Retention};
#[cfg(any(test, feature = "testing"))]
pub use storage::simulated::{Operation, SimulatedDisk};
#[cfg(any(test, feature = "testing"))]
pub use tampered::{decode_commit, entry, open_tampered};
pub use turns::{Lane, Turn};
