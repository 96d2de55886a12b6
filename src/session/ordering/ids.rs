//! [`RecentIds`]: which event ids were seen of late (U16). Pure.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::runtime::MonoTime;

/// Ids are remembered this long, and at most this many.
const WINDOW: Duration = Duration::from_secs(600);
const MOST: usize = 1_000_000;

/// Hashes of source and id, seen within the window.
#[derive(Debug, Default)]
pub struct RecentIds {
    seen: HashSet<u64>,
    order: VecDeque<(MonoTime, u64)>,
}

impl RecentIds {
    /// Begins with what a journal remembers, oldest first.
    #[must_use]
    pub fn seeded(now: MonoTime, hashes: impl IntoIterator<Item = u64>) -> Self {
        let mut ids = Self::default();
        for hash in hashes {
            ids.is_new(now, hash);
        }
        ids
    }

    /// Whether this id was seen within the window.
    #[must_use]
    pub fn contains(&self, hash: u64) -> bool {
        self.seen.contains(&hash)
    }

    /// Whether this id was not seen within the window; it is now.
    pub fn is_new(&mut self, now: MonoTime, hash: u64) -> bool {
        while let Some((at, old)) = self.order.front() {
            let expired = now.saturating_duration_since(*at) > WINDOW;
            if !expired && self.order.len() < MOST {
                break;
            }
            self.seen.remove(old);
            self.order.pop_front();
        }
        let new = self.seen.insert(hash);
        if new {
            self.order.push_back((now, hash));
        }
        new
    }
}
