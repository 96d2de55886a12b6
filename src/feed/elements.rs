//! [`Elements`]: encoded events in a row, in the buffers in which they were written or read. Pure.

use std::ops::Range;
use std::sync::Arc;

use bytes::{BufMut, Bytes};

use super::ring::Run;
use crate::journal::{View, ViewedElement};

/// Encoded events; shares the stored bytes.
#[derive(Debug, Default)]
pub struct Elements {
    parts: Vec<Part>,
    count: usize,
    len: usize,
    /// The end of the last part, while it still grows.
    row: Option<Row>,
}

/// Some of the events of a response.
#[derive(Debug)]
pub enum Part {
    /// As they are stored, one right behind the other.
    Stored(Bytes),
    /// One, without something.
    Viewed(ViewedElement),
    /// All those of a batch, which others may be sent as well.
    Batch(Arc<Run>, View),
}

/// Elements that stand one behind the other in a buffer.
#[derive(Debug)]
struct Row {
    buffer: Bytes,
    range: Range<usize>,
}

impl Elements {
    /// How many events these are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes that [`Elements::write`] will write.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends all of them.
    pub fn write(&self, out: &mut impl BufMut) {
        self.parts.iter().for_each(|part| part.write(out));
    }

    /// They themselves, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Adds an element that stands in `buffer`, or alone where there is none.
    pub(super) fn push(&mut self, element: &Bytes, buffer: Option<&Bytes>) {
        self.count += 1;
        self.len += element.len();
        let Some((buffer, range)) = buffer.and_then(|b| Some((b, place(element, b)?))) else {
            self.end_row();
            return self.parts.push(Part::Stored(element.clone()));
        };
        match &mut self.row {
            Some(row) if row.range.end == range.start && row.buffer.as_ptr() == buffer.as_ptr() => {
                row.range.end = range.end;
            }
            _ => {
                self.end_row();
                let buffer = buffer.clone();
                self.row = Some(Row { buffer, range });
            }
        }
    }

    pub(super) fn push_viewed(&mut self, element: ViewedElement) {
        self.count += 1;
        self.len += element.len();
        self.parts.push(Part::Viewed(element));
    }

    /// Adds a whole batch.
    pub(super) fn push_batch(&mut self, run: &Arc<Run>, view: View) {
        self.end_row();
        self.count += run.entries().len();
        self.len += run.len(view);
        self.parts.push(Part::Batch(Arc::clone(run), view));
    }

    /// Takes the events out.
    pub(super) fn take(&mut self) -> Self {
        self.end_row();
        std::mem::take(self)
    }

    /// The batch that these are, if they are one.
    pub(super) fn only_batch(&self) -> Option<(&Run, View)> {
        match self.parts.as_slice() {
            [Part::Batch(run, view)] => Some((run, *view)),
            _ => None,
        }
    }

    fn end_row(&mut self) {
        if let Some(Row { buffer, range }) = self.row.take() {
            self.parts.push(Part::Stored(buffer.slice(range)));
        }
    }
}

/// Where `element` stands in `buffer`; `None` when it stands elsewhere.
fn place(element: &Bytes, buffer: &Bytes) -> Option<Range<usize>> {
    let start = element
        .as_ptr()
        .addr()
        .checked_sub(buffer.as_ptr().addr())?;
    let end = start.checked_add(element.len())?;
    (end <= buffer.len()).then_some(start..end)
}

impl Part {
    /// Bytes that [`Part::write`] will write.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Stored(bytes) => bytes.len(),
            Self::Viewed(element) => element.len(),
            Self::Batch(run, view) => run.len(*view),
        }
    }

    /// Whether there is nothing to write; never true of a stored event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends it.
    pub fn write(&self, out: &mut impl BufMut) {
        match self {
            Self::Stored(bytes) => out.put_slice(bytes),
            Self::Viewed(element) => element.write(out),
            Self::Batch(run, View::Full) => {
                run.entries().iter().for_each(|e| out.put_slice(&e.element));
            }
            Self::Batch(run, view) => {
                run.entries().iter().for_each(|e| e.view(*view).write(out));
            }
        }
    }
}
