//! Reading: a run of events after a place, as slices of one buffer. Every frame's checksum is checked.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::erasure::Ranges;
use super::format::{FRAME_HEADER_LEN, FrameHeader, Kind, Parsed, parse};
use super::frames::find_frame;
use super::segment::{Place, Segment};
use super::shared::Shared;
use super::storage::StorageFile;
use super::window::Window;
use super::{Entry, GapCause, Item, Page, ReadError};
use crate::domain::{Sequence, WallTime};

/// The longest read from a file for one page, but for an event that is longer.
const MAX_WINDOW: usize = 256 << 10;
/// Also read beyond what was asked for: frame headers, and the way from the index to the event.
const MARGIN: usize = 16 << 10;

/// Reads one page, as of the erasures that have begun when it returns.
pub(crate) fn read_page(
    shared: &Shared,
    after: Sequence,
    max_bytes: usize,
) -> Result<Page, ReadError> {
    loop {
        let erased = Arc::clone(&shared.erased.read());
        let page = read_unless(shared, after, max_bytes, &erased)?;
        if Arc::ptr_eq(&erased, &shared.erased.read()) {
            return Ok(page);
        }
    }
}

/// Reads one page without what was erased.
fn read_unless(
    shared: &Shared,
    after: Sequence,
    max_bytes: usize,
    erased: &Ranges,
) -> Result<Page, ReadError> {
    let end = shared.durable_end();
    if after > end.latest {
        return Err(ReadError::NotWritten {
            after,
            latest: end.latest,
        });
    }
    if after.next() < end.earliest {
        return Err(trimmed(shared, after, end.earliest));
    }
    let mut page = Page {
        items: Vec::new(),
        through: after,
        buffer: Bytes::new(),
    };
    while page.items.is_empty() && page.through < end.latest {
        let next = page.through.next();
        match shared.catalog.place(next) {
            Some(Place::In(segment)) => {
                let failed = |error: io::Error| failed(shared, after, &segment, &error);
                let file = shared
                    .catalog
                    .file(&*shared.storage, &segment)
                    .map_err(failed)?;
                let part = Part {
                    shared,
                    segment: &segment,
                    file,
                    latest: end.latest,
                    max_bytes,
                    erased,
                };
                part.read(&mut page).map_err(failed)?;
            }
            Some(Place::Missing(last)) => page.gap(last.min(end.latest), None, None),
            None => page.gap(end.latest, None, None),
        }
    }
    Ok(page)
}

fn trimmed(shared: &Shared, after: Sequence, earliest: Sequence) -> ReadError {
    ReadError::Trimmed {
        after,
        earliest,
        earliest_time: shared.catalog.first_time(),
    }
}

/// A file that is gone was trimmed a moment ago.
fn failed(shared: &Shared, after: Sequence, segment: &Segment, error: &io::Error) -> ReadError {
    if error.kind() == io::ErrorKind::NotFound {
        return trimmed(shared, after, segment.last().next());
    }
    ReadError::Io {
        after,
        reason: format!("read {}: {error}", segment.name()),
    }
}

impl Page {
    /// An event that was erased; a run of them is one gap.
    fn erased(&mut self, header: &FrameHeader) {
        let (sequence, time) = (header.sequence, header.time);
        let before = self.last_time();
        self.gap(sequence.previous(), before, Some(time));
        match self.items.last_mut() {
            Some(Item::Gap {
                cause: GapCause::Erased,
                last,
                end_time,
                ..
            }) => (*last, *end_time) = (sequence, Some(time)),
            _ => self.items.push(Item::Gap {
                cause: GapCause::Erased,
                first: sequence,
                last: sequence,
                start_time: Some(time),
                end_time: Some(time),
            }),
        }
        self.through = sequence;
    }

    /// Everything up to `last` cannot be read.
    fn gap(&mut self, last: Sequence, before: Option<WallTime>, behind: Option<WallTime>) {
        let first = self.through.next();
        if first > last {
            return;
        }
        self.items.push(Item::Gap {
            cause: GapCause::Corrupted,
            first,
            last,
            start_time: before,
            end_time: behind,
        });
        self.through = last;
    }

    /// One event; those that should come before it cannot be read.
    fn event(&mut self, header: &FrameHeader, element: Bytes) {
        let before = self.last_time();
        self.gap(header.sequence.previous(), before, Some(header.time));
        self.items.push(Item::Event(Entry {
            sequence: header.sequence,
            record_time: header.time,
            id_hash: header.hash,
            element,
            data_at: header.a,
            raw_at: header.b,
        }));
        self.through = header.sequence;
    }

    fn last_time(&self) -> Option<WallTime> {
        match self.items.last()? {
            Item::Event(entry) => Some(entry.record_time),
            Item::Gap { .. } => None,
        }
    }
}

/// The part of one segment that a page is read from.
struct Part<'a> {
    shared: &'a Shared,
    segment: &'a Arc<Segment>,
    file: Arc<dyn StorageFile>,
    latest: Sequence,
    max_bytes: usize,
    /// Not served, whatever stands in the segment.
    erased: &'a Ranges,
}

/// Why no more is taken from a buffer.
enum Stop {
    /// It is used up, or the page is full.
    Enough,
    /// It ends before the next frame does, which is so long.
    Cut(usize),
    /// Damage.
    Bad,
}

impl Part<'_> {
    fn read(&self, page: &mut Page) -> io::Result<()> {
        let next = page.through.next();
        let (last, end, indexed) = self
            .segment
            .with_extent(|extent| (extent.last, extent.data_end, extent.seek(next)));
        let last = last.min(self.latest);
        let mut at = self
            .shared
            .hints
            .find(self.segment.generation, next)
            .unwrap_or(indexed);
        let mut want = self.max_bytes.saturating_add(MARGIN).min(MAX_WINDOW);
        while page.items.is_empty() && page.through < last {
            let buffer = self.buffer(at, end, want)?;
            let is_whole = buffer.len() as u64 == end.saturating_sub(at).min(want as u64);
            let (used, stop) = self.take(buffer, page, last);
            at += used as u64;
            if !page.items.is_empty() {
                break;
            }
            match stop {
                Stop::Cut(len) if is_whole && at + len as u64 <= end => want = want.max(len),
                Stop::Enough if is_whole && at < end => {}
                // Damage, or nothing but damage says that a frame reaches beyond the data or that
                // there are too few.
                Stop::Enough | Stop::Cut(_) | Stop::Bad => at = self.pass(page, at, end, last)?,
            }
        }
        self.shared
            .hints
            .note(self.segment.generation, page.through.next(), at);
        Ok(())
    }

    fn buffer(&self, at: u64, end: u64, want: usize) -> io::Result<Vec<u8>> {
        let len = usize::try_from(end.saturating_sub(at))
            .unwrap_or(usize::MAX)
            .min(want);
        let mut buffer = Vec::with_capacity(len);
        self.file.append_at(&mut buffer, len, at)?;
        Ok(buffer)
    }

    /// Takes events from the front of a buffer. Returns how far it came, and why not further.
    ///
    /// The elements are moved together, so that a run of them can be sent as it stands.
    fn take(&self, mut buffer: Vec<u8>, page: &mut Page, last: Sequence) -> (usize, Stop) {
        let mut events = Vec::new();
        let (mut at, mut kept, mut next) = (0, 0, page.through.next());
        let stop = loop {
            let rest = buffer.get(at..).unwrap_or_default();
            if next > last || rest.is_empty() {
                break Stop::Enough;
            }
            let (header, size, len) = match parse(self.segment.seed, rest) {
                Parsed::Short(len) => break Stop::Cut(len),
                Parsed::Bad => break Stop::Bad,
                Parsed::Frame {
                    header,
                    payload,
                    len,
                    ..
                } => (header, payload.len(), len),
            };
            let erased = header.is_erased() || self.erased.contains(header.sequence);
            if header.kind == Kind::Event && header.sequence >= next && erased {
                events.push((header, None));
                next = header.sequence.next();
            } else if header.kind == Kind::Event && header.sequence >= next {
                if kept > 0 && kept + size > self.max_bytes {
                    break Stop::Enough;
                }
                let start = at + FRAME_HEADER_LEN;
                buffer.copy_within(start..start + size, kept);
                events.push((header, Some(kept..kept + size)));
                kept += size;
                next = header.sequence.next();
            }
            at += len;
        };
        buffer.truncate(kept);
        page.buffer = buffer.into();
        page.items.reserve(events.len());
        for (header, place) in events {
            match place {
                Some(place) => {
                    let element = page.buffer.slice(place);
                    page.event(&header, element);
                }
                None => page.erased(&header),
            }
        }
        (at, stop)
    }

    /// Goes over damage at `at`: up to the next event, or to the end of the segment.
    fn pass(&self, page: &mut Page, at: u64, end: u64, last: Sequence) -> io::Result<u64> {
        let mut window = Window::new(&*self.file, end);
        let next = page.through.next();
        let mut event = None;
        let found = find_frame(&mut window, self.segment.seed, at, |header, _| {
            let wanted = header.kind == Kind::Event && (next..=last).contains(&header.sequence);
            if wanted {
                event = Some((header.sequence, header.time));
            }
            wanted
        })?;
        let before = page.last_time();
        match (found, event) {
            (Some(at), Some((sequence, time))) => {
                page.gap(sequence.previous(), before, Some(time));
                Ok(at)
            }
            _ => {
                page.gap(last, before, None);
                Ok(end)
            }
        }
    }
}

/// The place after which every event was written at `time` or later.
pub(crate) fn seek_time(shared: &Shared, time: WallTime) -> Result<Sequence, ReadError> {
    let end = shared.durable_end();
    let floor = end.earliest.previous();
    let Some((segment, mut before)) = shared.catalog.at_time(time) else {
        return Ok(end.latest.max(floor));
    };
    let failed = |error: io::Error| failed(shared, floor, &segment, &error);
    let file = shared
        .catalog
        .file(&*shared.storage, &segment)
        .map_err(failed)?;
    let (at, data_end) = segment.with_extent(|extent| (extent.seek_time(time), extent.data_end));
    let mut window = Window::new(&*file, data_end);
    find_frame(&mut window, segment.seed, at, |header, _| {
        let is_event = header.kind == Kind::Event;
        if is_event && header.time < time {
            before = before.max(header.sequence);
        }
        is_event && header.time >= time
    })
    .map_err(failed)?;
    Ok(before.clamp(floor, end.latest))
}
