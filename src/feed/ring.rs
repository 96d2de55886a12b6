//! [`Ring`]: the recent events of one journal as shared bytes, for readers at the live edge.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;

use super::keys::Keys;
use crate::domain::{Sequence, WallTime};
use crate::journal::{Batch, CommitSink, Entry, View};

/// Bounds of a ring. The newest batch is kept even when it alone exceeds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingBounds {
    /// Memory: of encoded events, and of what is kept about them.
    pub bytes: usize,
    /// Events.
    pub events: usize,
}

impl Default for RingBounds {
    /// About two seconds of a busy journal.
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            events: 16_384,
        }
    }
}

/// Recent batches. There is no queue per reader: a reader brings its place and is given what
/// follows it, or is told to read from disk.
#[derive(Debug)]
pub(super) struct Ring {
    bounds: RingBounds,
    held: RwLock<Held>,
}

#[derive(Debug, Default)]
struct Held {
    runs: VecDeque<Arc<Run>>,
    /// The place from which on everything is held; `None` until the journal has told it.
    floor: Option<Sequence>,
    bytes: usize,
    events: usize,
}

/// One batch, with what readers found out about it, for those who come after them.
#[derive(Debug)]
pub struct Run {
    entries: Arc<[Entry]>,
    bytes: usize,
    buffer: usize,
    last: Sequence,
    keys: OnceLock<Box<[Keys]>>,
    viewed: [OnceLock<usize>; 4],
    encoded: Mutex<SmallVec<[Encoded; 1]>>,
}

/// A response that consists of the whole batch.
#[derive(Debug)]
struct Encoded {
    place: Place,
    bytes: Bytes,
}

/// What two responses with the same batch differ in: view, `through` and `latest`.
type Place = (View, Sequence, Sequence);

/// Batches of which encodings are kept: readers that are further behind are sent several at once.
const ENCODED_RUNS: usize = 4;
/// Encodings of one batch that are kept. There are four views; the end moves on between readers.
const ENCODINGS: usize = 4;

impl Ring {
    pub(super) fn new(bounds: RingBounds) -> Self {
        Self {
            bounds,
            held: RwLock::default(),
        }
    }

    /// Tells an empty ring from where on it will see all.
    pub(super) fn begin_at(&self, place: Sequence) {
        self.held.write().floor.get_or_insert(place);
    }

    /// The batch that holds the event after `after`; `None` when it is not held.
    pub(super) fn follow(&self, after: Sequence) -> Option<Arc<Run>> {
        let held = self.held.read();
        if held.floor.is_none_or(|floor| after < floor) {
            return None;
        }
        let at = held.runs.partition_point(|run| run.last <= after);
        held.runs.get(at).cloned()
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.held.read().bytes
    }
}

impl CommitSink for Ring {
    fn committed(&self, batch: &Batch) {
        let (Some(first), Some(last)) = (batch.entries.first(), batch.entries.last()) else {
            return;
        };
        let run = Arc::new(Run {
            bytes: batch.entries.iter().map(|e| e.element.len()).sum(),
            buffer: batch.buffer,
            last: last.sequence,
            keys: OnceLock::new(),
            viewed: Default::default(),
            encoded: Mutex::default(),
            entries: Arc::clone(&batch.entries),
        });
        let before = first.sequence.previous();
        let mut dropped = Vec::new();
        let mut held = self.held.write();
        let end = held.runs.back().map(|run| run.last).or(held.floor);
        if end != Some(before) {
            // What came between was not seen here: readers find it on disk.
            dropped.extend(held.runs.drain(..));
            (held.bytes, held.events) = (0, 0);
            held.floor = Some(before);
        }
        held.bytes += run.memory();
        held.events += run.entries.len();
        held.runs.push_back(run);
        let old = held.runs.len().checked_sub(ENCODED_RUNS + 1);
        let encoded = old.and_then(|at| held.runs.get(at)).cloned();
        while (held.bytes > self.bounds.bytes || held.events > self.bounds.events)
            && held.runs.len() > 1
        {
            let Some(oldest) = held.runs.pop_front() else {
                break;
            };
            held.bytes -= oldest.memory();
            held.events -= oldest.entries.len();
            held.floor = Some(oldest.last);
            dropped.push(oldest);
        }
        // The bytes are freed after the lock is released.
        drop(held);
        if let Some(run) = encoded {
            run.encoded.lock().clear();
        }
    }

    fn erased(&self) {
        let mut held = self.held.write();
        let last = held.runs.back().map(|run| run.last);
        // Readers find on disk what is left.
        let dropped = std::mem::take(&mut held.runs);
        (held.bytes, held.events) = (0, 0);
        held.floor = last.or(held.floor);
        drop(held);
        drop(dropped);
    }
}

impl Run {
    /// What is held as long as it is: of a commit with one small event, a third is not the event.
    fn memory(&self) -> usize {
        self.buffer + size_of_val(&*self.entries) + size_of::<Self>()
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The sequence before its first.
    pub(super) fn before(&self) -> Sequence {
        self.last.minus(self.entries.len() as u64)
    }

    pub(super) fn last(&self) -> Sequence {
        self.last
    }

    /// When they became durable.
    pub(super) fn last_time(&self) -> Option<WallTime> {
        self.entries.last().map(|entry| entry.record_time)
    }

    /// Bytes of its events in a view.
    pub(super) fn len(&self, view: View) -> usize {
        let sum = || self.entries.iter().map(|e| e.view(view).len()).sum();
        match (view, self.viewed.get(view as usize)) {
            (View::Full, _) => self.bytes,
            (_, Some(known)) => *known.get_or_init(sum),
            (_, None) => sum(),
        }
    }

    /// The keys of the events, in their order; scanned once for all readers.
    pub(super) fn keys(&self) -> &[Keys] {
        self.keys
            .get_or_init(|| self.entries.iter().map(Keys::scan).collect())
    }

    /// The encoding of a response at `place`, which `encode` makes for the first reader there.
    pub(super) fn encoded_once(&self, place: Place, encode: impl FnOnce() -> Bytes) -> Bytes {
        let mut encoded = self.encoded.lock();
        if let Some(known) = encoded.iter().find(|known| known.place == place) {
            return known.bytes.clone();
        }
        let bytes = encode();
        if encoded.len() == ENCODINGS {
            encoded.remove(0);
        }
        encoded.push(Encoded {
            place,
            bytes: bytes.clone(),
        });
        bytes
    }
}
