//! [`Segment`] and [`Catalog`]: what readers and the writer know of the files of a journal.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use super::format::{IndexEntry, SEGMENT_HEADER_LEN, Seed, segment_name};
use super::storage::{Access, Storage, StorageFile};
use crate::domain::{Sequence, WallTime};

/// Files that are held open for readers; descriptors are scarce, and opening is cheap.
const OPEN_FILES: usize = 64;

/// One segment file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) generation: u64,
    pub(crate) seed: Seed,
    /// Sequence of its first event, if it has any.
    pub(crate) first: Sequence,
    file: Mutex<Option<Arc<dyn StorageFile>>>,
    extent: RwLock<Extent>,
}

/// How far a segment reaches: grows while it is written.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    /// Last sequence; one less than the first where it has no events.
    pub(crate) last: Sequence,
    /// Times of the first and the last event; meaningless where it has none.
    pub(crate) first_time: WallTime,
    pub(crate) last_time: WallTime,
    /// Where the last frame ends that may be read.
    pub(crate) data_end: u64,
    /// Length of the file.
    pub(crate) bytes: u64,
    pub(crate) index: Vec<IndexEntry>,
}

/// Where a sequence stands.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    In(Arc<Segment>),
    /// In no segment: everything up to this sequence is missing.
    Missing(Sequence),
}

/// The segments, oldest first; the last is being written.
#[derive(Debug)]
pub(crate) struct Catalog {
    segments: RwLock<VecDeque<Arc<Segment>>>,
    opened: Mutex<VecDeque<Weak<Segment>>>,
}

impl Segment {
    pub(crate) fn new(
        (generation, seed): (u64, Seed),
        first: Sequence,
        extent: Extent,
        file: Option<Arc<dyn StorageFile>>,
    ) -> Self {
        Self {
            generation,
            seed,
            first,
            file: Mutex::new(file),
            extent: RwLock::new(extent),
        }
    }

    pub(crate) fn name(&self) -> String {
        segment_name(self.first, self.generation)
    }

    /// Reads of the extent see it before or after an update, never within.
    pub(crate) fn with_extent<T>(&self, read: impl FnOnce(&Extent) -> T) -> T {
        read(&self.extent.read())
    }

    pub(crate) fn update_extent(&self, update: impl FnOnce(&mut Extent)) {
        update(&mut self.extent.write());
    }

    /// Another file has its name now.
    pub(crate) fn reopen(&self) {
        *self.file.lock() = None;
    }

    pub(crate) fn last(&self) -> Sequence {
        self.extent.read().last
    }

    pub(crate) fn has_events(&self) -> bool {
        self.last() >= self.first
    }
}

impl Extent {
    /// Of a segment without events.
    pub(crate) fn empty(first: Sequence, data_end: u64, bytes: u64) -> Self {
        Self {
            last: first.previous(),
            first_time: WallTime::default(),
            last_time: WallTime::default(),
            data_end,
            bytes,
            index: Vec::new(),
        }
    }

    /// A place at or before the frame of `sequence`, and near it.
    pub(crate) fn seek(&self, sequence: Sequence) -> u64 {
        self.entry_before(
            self.index
                .partition_point(|entry| entry.sequence <= sequence),
        )
    }

    /// A place at or before the last event that was written before `time`, and near it.
    pub(crate) fn seek_time(&self, time: WallTime) -> u64 {
        self.entry_before(self.index.partition_point(|entry| entry.time < time))
    }

    fn entry_before(&self, count: usize) -> u64 {
        let entry = count.checked_sub(1).and_then(|at| self.index.get(at));
        entry.map_or(SEGMENT_HEADER_LEN as u64, |entry| entry.offset)
    }
}

impl Catalog {
    pub(crate) fn new(segments: Vec<Segment>) -> Self {
        Self {
            segments: RwLock::new(segments.into_iter().map(Arc::new).collect()),
            opened: Mutex::default(),
        }
    }

    /// The segments as they are now.
    pub(crate) fn all(&self) -> Vec<Arc<Segment>> {
        self.segments.read().iter().cloned().collect()
    }

    pub(crate) fn push(&self, segment: Arc<Segment>) {
        self.segments.write().push_back(segment);
    }

    /// Takes the oldest out, unless it is the only one.
    pub(crate) fn pop_oldest(&self) -> Option<Arc<Segment>> {
        let mut segments = self.segments.write();
        if segments.len() > 1 {
            segments.pop_front()
        } else {
            None
        }
    }

    /// First sequence of the oldest segment that is left.
    pub(crate) fn first(&self) -> Sequence {
        self.segments
            .read()
            .front()
            .map_or(Sequence::ZERO, |oldest| oldest.first)
    }

    /// Time of the oldest event.
    pub(crate) fn first_time(&self) -> Option<WallTime> {
        let segments = self.segments.read();
        let oldest = segments.iter().find(|segment| segment.has_events())?;
        Some(oldest.with_extent(|extent| extent.first_time))
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        let segments = self.segments.read();
        segments
            .iter()
            .map(|segment| segment.with_extent(|extent| extent.bytes))
            .sum()
    }

    /// Where `sequence` stands, which is not past the end of the journal.
    pub(crate) fn place(&self, sequence: Sequence) -> Option<Place> {
        let segments = self.segments.read();
        let after = segments.partition_point(|segment| segment.first <= sequence);
        let candidate = after.checked_sub(1).and_then(|at| segments.get(at));
        match (candidate, segments.get(after)) {
            (Some(segment), _) if segment.last() >= sequence => Some(Place::In(segment.clone())),
            (_, Some(next)) => Some(Place::Missing(next.first.previous())),
            (_, None) => None,
        }
    }

    /// The first segment with an event written at `time` or later, and the last sequence before it.
    pub(crate) fn at_time(&self, time: WallTime) -> Option<(Arc<Segment>, Sequence)> {
        let segments = self.segments.read();
        let reaches = |s: &Arc<Segment>| s.has_events() && s.with_extent(|e| e.last_time >= time);
        let at = segments.iter().position(reaches)?;
        let segment = segments.get(at)?.clone();
        let older = at.checked_sub(1).and_then(|at| segments.get(at));
        let before = older.map_or(segment.first.previous(), |older| older.last());
        Some((segment, before))
    }

    /// The file of this segment is open; that of another is closed if there are too many.
    pub(crate) fn note_open(&self, segment: &Arc<Segment>) {
        let evicted = {
            let mut opened = self.opened.lock();
            opened.push_back(Arc::downgrade(segment));
            if opened.len() > OPEN_FILES {
                opened.pop_front()
            } else {
                None
            }
        };
        if let Some(evicted) = evicted.and_then(|weak| weak.upgrade()) {
            *evicted.file.lock() = None;
        }
    }

    /// The segment's file, opened for reading.
    pub(crate) fn file(
        &self,
        storage: &dyn Storage,
        segment: &Arc<Segment>,
    ) -> io::Result<Arc<dyn StorageFile>> {
        if let Some(file) = &*segment.file.lock() {
            return Ok(file.clone());
        }
        let file = storage.open(&segment.name(), Access::Read)?;
        *segment.file.lock() = Some(file.clone());
        self.note_open(segment);
        Ok(file)
    }
}
