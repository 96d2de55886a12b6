//! [`Repeats`]: a warning that comes again and again is written a few times and then counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::callsite::Identifier;
use tracing::{Level, Metadata};

use crate::runtime::{Clock, MonoTime};

/// Lines that one place in the program may write in [`WINDOW`].
const MOST: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Holds back warnings and errors of a place in the program that has written many. There are as many
/// places as the program has lines that log, so this does not grow.
#[derive(Debug)]
pub(super) struct Repeats {
    clock: Clock,
    held_back: Arc<AtomicU64>,
    places: Mutex<HashMap<Identifier, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: MonoTime,
    lines: u32,
}

impl Repeats {
    /// Counts in `held_back` what it holds back.
    pub(super) fn new(clock: Clock, held_back: Arc<AtomicU64>) -> Self {
        Self {
            clock,
            held_back,
            places: Mutex::default(),
        }
    }

    /// Whether one more line from where this stands may be written.
    pub(super) fn lets_through(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() > Level::WARN || self.has_room(metadata.callsite())
    }

    fn has_room(&self, place: Identifier) -> bool {
        let now = self.clock.now();
        let mut places = self.places.lock();
        let fresh = Window {
            began: now,
            lines: 0,
        };
        let window = places.entry(place).or_insert(fresh);
        if now.saturating_duration_since(window.began) >= WINDOW {
            *window = fresh;
        }
        window.lines = window.lines.saturating_add(1);
        let lets_through = window.lines <= MOST;
        if !lets_through {
            self.held_back.fetch_add(1, Relaxed);
        }
        lets_through
    }
}
