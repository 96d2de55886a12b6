//! [`Gather`]: fills one response up to its bounds. Pure.

use super::delivery::Elements;
use super::request::Batching;
use crate::journal::{Entry, View};

/// What one response holds where the caller names no bound: large enough that its frame is not the
/// cost, small enough that a thousand parked readers fit in memory.
const DEFAULT_BYTES: usize = 64 << 10;
const DEFAULT_EVENTS: usize = 1_000;
const MOST_EVENTS: usize = 10_000;
/// Room for the fields of a response besides its events.
const TAIL_BYTES: usize = 64;

/// A response that is being filled.
#[derive(Debug)]
pub(super) struct Gather {
    view: View,
    max_events: usize,
    max_bytes: usize,
    bytes: usize,
    elements: Elements,
    refused: bool,
}

impl Gather {
    /// An empty response; `message` is the most that the server sends in one.
    pub(super) fn new(view: View, batching: Batching, message: usize) -> Self {
        let bound = |asked: u32, default: usize, most: usize| match asked as usize {
            0 => default.min(most),
            asked => asked.min(most),
        };
        Self {
            view,
            max_events: bound(batching.max_events, DEFAULT_EVENTS, MOST_EVENTS),
            max_bytes: bound(batching.max_bytes, DEFAULT_BYTES, message).saturating_sub(TAIL_BYTES),
            bytes: 0,
            elements: none(view),
            refused: false,
        }
    }

    /// Takes an event in, unless it does not fit. A first event always fits.
    pub(super) fn offer(&mut self, entry: &Entry) -> bool {
        let count = self.elements.count();
        if count >= self.max_events {
            self.refused = true;
            return false;
        }
        let viewed = (self.view != View::Full).then(|| entry.view(self.view));
        let len = viewed.as_ref().map_or(entry.element.len(), |v| v.len());
        if count > 0 && self.bytes + len > self.max_bytes {
            self.refused = true;
            return false;
        }
        self.bytes += len;
        match (&mut self.elements, viewed) {
            (Elements::Viewed(elements), Some(viewed)) => elements.push(viewed),
            (Elements::Stored(elements), _) => elements.push(entry.element.clone()),
            (Elements::Viewed(elements), None) => elements.push(entry.view(self.view)),
        }
        true
    }

    /// Whether it should be sent rather than filled further.
    pub(super) fn is_full(&self) -> bool {
        self.refused
            || self.elements.count() >= self.max_events
            || (!self.is_empty() && self.bytes >= self.max_bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Takes the events out and leaves an empty response.
    pub(super) fn take(&mut self) -> Elements {
        self.bytes = 0;
        self.refused = false;
        std::mem::replace(&mut self.elements, none(self.view))
    }
}

fn none(view: View) -> Elements {
    match view {
        View::Full => Elements::Stored(Vec::new()),
        View::Normalized | View::Raw | View::Attributes => Elements::Viewed(Vec::new()),
    }
}
