//! [`Gather`]: fills one response up to its bounds. Pure.

use std::sync::Arc;

use bytes::Bytes;

use super::elements::Elements;
use super::request::Batching;
use super::ring::Run;
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
            elements: Elements::default(),
            refused: false,
        }
    }

    /// Takes an event in, unless it does not fit. A first event always fits. `buffer` is where it
    /// and its neighbours stand, if they stand together.
    pub(super) fn offer(&mut self, entry: &Entry, buffer: Option<&Bytes>) -> bool {
        let viewed = (self.view != View::Full).then(|| entry.view(self.view));
        let len = viewed.as_ref().map_or(entry.element.len(), |v| v.len());
        let fits = self.is_empty() || self.fit(1, len);
        match viewed {
            _ if !fits => self.refused = true,
            Some(viewed) => self.elements.push_viewed(viewed),
            None => self.elements.push(&entry.element, buffer),
        }
        fits
    }

    /// Takes a whole batch in, or nothing of it.
    pub(super) fn offer_batch(&mut self, run: &Arc<Run>) -> bool {
        let fits = self.fit(run.entries().len(), run.len(self.view));
        if fits {
            self.elements.push_batch(run, self.view);
        }
        fits
    }

    fn fit(&self, count: usize, len: usize) -> bool {
        self.elements.count() + count <= self.max_events
            && self.elements.len() + len <= self.max_bytes
    }

    /// Whether it should be sent rather than filled further.
    pub(super) fn is_full(&self) -> bool {
        self.refused
            || self.elements.count() >= self.max_events
            || (!self.is_empty() && self.elements.len() >= self.max_bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Takes the events out and leaves an empty response.
    pub(super) fn take(&mut self) -> Elements {
        self.refused = false;
        self.elements.take()
    }
}
