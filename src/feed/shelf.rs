//! [`Shelf`]: what was read from disk and not yet offered, and the page behind it, which is read while
//! the first is sent. Pure.

use std::sync::Arc;

use crate::domain::Sequence;
use crate::journal::{Item, Page, ReadError};

/// The rest of a page, and the one behind it; other readers may hold them as well. A reader that waits
/// for events holds none.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    page: Option<Arc<Page>>,
    next: usize,
    behind: Behind,
    /// The place after which a read goes on.
    asked: Option<Sequence>,
}

/// The page behind the first.
#[derive(Debug, Default)]
enum Behind {
    #[default]
    Unknown,
    /// And the place after which it begins.
    Held(Sequence, Arc<Page>),
    /// It was refused: asked for again when its turn comes.
    Refused,
}

impl Shelf {
    /// Puts a page on it, but for what a reader that has come to `cursor` has had.
    pub(super) fn put(&mut self, page: Arc<Page>, cursor: Sequence) {
        let next = page.items.partition_point(|item| last(item) <= cursor);
        self.leave(page, next);
    }

    /// Keeps the answer to the read after a place for when the first page is done with.
    pub(super) fn put_behind(&mut self, after: Sequence, answer: Result<Arc<Page>, ReadError>) {
        self.behind = match answer {
            Ok(page) if !page.items.is_empty() => Behind::Held(after, page),
            Ok(_) | Err(_) => Behind::Refused,
        };
    }

    /// Turns to the page behind, if the first is done with. What stood between was forgotten where
    /// that begins beyond the cursor.
    pub(super) fn turn(&mut self, cursor: Sequence) {
        if self.page.is_none()
            && let Behind::Held(after, page) = std::mem::take(&mut self.behind)
            && after <= cursor
        {
            self.put(page, cursor);
        }
    }

    /// Takes the page and the place of its next item, and leaves nothing.
    pub(super) fn take(&mut self) -> Option<(Arc<Page>, usize)> {
        Some((self.page.take()?, self.next))
    }

    /// Leaves what begins at an item of a page.
    pub(super) fn leave(&mut self, page: Arc<Page>, next: usize) {
        self.page = (next < page.items.len()).then_some(page);
        self.next = next;
    }

    /// The place after which should be read while the first page is sent, if anything up to `end` is
    /// behind it.
    pub(super) fn reads_ahead(&self, end: Sequence) -> Option<Sequence> {
        let through = self.page.as_ref()?.through;
        let unknown = matches!(self.behind, Behind::Unknown);
        (unknown && self.asked.is_none() && through < end).then_some(through)
    }

    /// A read goes on.
    pub(super) fn ask(&mut self, after: Sequence) {
        self.asked = Some(after);
    }

    /// It was answered. Gives the place after which it was.
    pub(super) fn answered(&mut self) -> Option<Sequence> {
        self.asked.take()
    }

    /// Whether a read goes on.
    pub(super) fn is_awaited(&self) -> bool {
        self.asked.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.page.is_none()
    }

    /// Forgets what was read; a read that goes on is still answered.
    pub(super) fn clear(&mut self) {
        self.page = None;
        self.behind = Behind::Unknown;
    }
}

fn last(item: &Item) -> Sequence {
    match item {
        Item::Event(entry) => entry.sequence,
        Item::Gap { last, .. } => *last,
    }
}
