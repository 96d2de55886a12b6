//! [`History`]: what can be asked for by number, after it was delivered or instead. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{BatchLimit, Numbered};
use crate::sandbox::platform::event::Issued;

#[derive(Debug)]
pub(super) struct History {
    /// By number, the last given being the last here; `None` where an event is nowhere to be had.
    kept: VecDeque<Option<Arc<Issued>>>,
    head: u64,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

/// What the history answers.
#[derive(Debug)]
pub(crate) enum Past {
    Found {
        events: Vec<Numbered>,
        sequence: u64,
    },
    /// It was there once.
    Gone,
    /// It is not there.
    Missing,
}

impl History {
    pub(super) fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            head: 0,
            bytes: 0,
            most,
            most_bytes,
        }
    }

    /// The last number given.
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// Gives the next number, and keeps the event under it.
    pub(super) fn push(&mut self, event: Option<Arc<Issued>>) -> u64 {
        self.head += 1;
        self.bytes += event.as_ref().map_or(0, |event| event.size());
        self.kept.push_back(event);
        while self.kept.len() > self.most || (self.bytes > self.most_bytes && self.kept.len() > 1) {
            let Some(event) = self.kept.pop_front() else {
                break;
            };
            self.bytes -= event.map_or(0, |event| event.size());
        }
        self.head
    }

    /// What is kept after one number through another.
    pub(super) fn between(&self, after: u64, through: u64, limit: BatchLimit) -> Past {
        let first = self.head + 1 - self.kept.len() as u64;
        if through < first {
            return Past::Gone;
        }
        let from = after.saturating_add(1).max(first);
        let mut events = Vec::new();
        let mut bytes = 0;
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        for (number, event) in (from..=through).zip(self.kept.iter().skip(skip)) {
            let Some(event) = event else { continue };
            bytes += event.size() + 1;
            if !events.is_empty() && (events.len() == limit.events || bytes > limit.bytes) {
                break;
            }
            events.push((number, Arc::clone(event)));
        }
        match events.last() {
            Some((sequence, _)) => Past::Found {
                sequence: *sequence,
                events,
            },
            None if from > self.head || from > through => Past::Found {
                events,
                sequence: after,
            },
            None => Past::Missing,
        }
    }
}
