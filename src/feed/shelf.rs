//! [`Shelf`]: what was read from disk and not yet offered. Pure.

use std::sync::Arc;

use crate::domain::Sequence;
use crate::journal::{Item, Page};

/// The rest of a page, which other readers may hold as well. A reader that waits holds none.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    page: Option<Arc<Page>>,
    next: usize,
}

impl Shelf {
    /// Puts a page on it, but for what a reader that has come to `cursor` has had.
    pub(super) fn put(&mut self, page: Arc<Page>, cursor: Sequence) {
        let next = page.items.partition_point(|item| last(item) <= cursor);
        self.leave(page, next);
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

    pub(super) fn is_empty(&self) -> bool {
        self.page.is_none()
    }

    pub(super) fn clear(&mut self) {
        self.page = None;
    }
}

fn last(item: &Item) -> Sequence {
    match item {
        Item::Event(entry) => entry.sequence,
        Item::Gap { last, .. } => *last,
    }
}
