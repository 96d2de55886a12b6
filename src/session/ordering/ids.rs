//! [`RecentIds`]: which event ids were seen of late (U16). Pure.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::runtime::MonoTime;

/// Ids are remembered this long, beyond what is asked for, and at most this many.
const WINDOW: Duration = Duration::from_secs(600);
const MOST: usize = 1_000_000;
/// Ids that came within this time of each other, and not too many of them, are forgotten together.
const SPAN: Duration = Duration::from_secs(1);
const TOGETHER: usize = 256;

/// Hashes of source and id, seen within the window. 18 to 36 bytes for each.
#[derive(Debug, Default)]
pub struct RecentIds {
    seen: HashSet<u64>,
    /// The same, as they came.
    order: VecDeque<u64>,
    /// When they came, in the same order: a time for each would take more than the ids.
    spans: VecDeque<Span>,
    shared: SharedIds,
}

/// Ids of [`RecentIds::order`] that came after one another.
#[derive(Debug)]
struct Span {
    first: MonoTime,
    last: MonoTime,
    ids: usize,
}

/// What a journal remembered when the process began, for all its sessions together: a million hashes
/// for each of thousands would be too many. Each lets go of it with the window, and the last frees it.
#[derive(Debug, Clone, Default)]
pub struct SharedIds(Option<Arc<Remembered>>);

/// The same, for whoever hands it out: it frees nothing and keeps nothing.
#[derive(Debug, Clone, Default)]
pub struct LentIds(Weak<Remembered>);

#[derive(Debug)]
struct Remembered {
    since: MonoTime,
    /// Ascending.
    hashes: Vec<u64>,
}

impl SharedIds {
    /// Remembers these.
    #[must_use]
    pub fn new(now: MonoTime, mut hashes: Vec<u64>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        Self(Some(Arc::new(Remembered { since: now, hashes })))
    }

    /// To hand it out later to others, as long as somebody has it.
    #[must_use]
    pub fn lent(&self) -> LentIds {
        LentIds(self.0.as_ref().map(Arc::downgrade).unwrap_or_default())
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        let known = self.0.as_ref();
        known.is_some_and(|known| known.hashes.binary_search(&hash).is_ok())
    }

    fn forget(&mut self, now: MonoTime, window: Duration) {
        self.0 = self
            .0
            .take()
            .filter(|known| now.saturating_duration_since(known.since) <= window);
    }
}

impl LentIds {
    /// Nothing, once everybody has let go of it.
    #[must_use]
    pub fn get(&self) -> SharedIds {
        SharedIds(self.0.upgrade())
    }
}

impl RecentIds {
    /// Begins with what the journal remembers.
    #[must_use]
    pub fn seeded(shared: SharedIds) -> Self {
        Self {
            shared,
            ..Self::default()
        }
    }

    /// Whether this id was seen within the window.
    #[must_use]
    pub fn contains(&self, hash: u64) -> bool {
        self.seen.contains(&hash) || self.shared.contains(hash)
    }

    /// Whether this id was not seen within the window, which begins `asked` earlier; it is now.
    pub fn is_new(&mut self, now: MonoTime, asked: Duration, hash: u64) -> bool {
        self.forget(now, asked);
        let new = !self.shared.contains(hash) && self.seen.insert(hash);
        if new {
            self.order.push_back(hash);
            self.date(now);
        }
        new
    }

    /// Makes room for one more: what is older than the window goes, which begins `asked` earlier, and the
    /// oldest if they are too many.
    pub fn forget(&mut self, now: MonoTime, asked: Duration) {
        let window = WINDOW.saturating_add(asked);
        self.shared.forget(now, window);
        while let Some(oldest) = self.spans.front_mut() {
            let expired = now.saturating_duration_since(oldest.last) > window;
            if !expired && self.order.len() < MOST {
                break;
            }
            if let Some(id) = self.order.pop_front() {
                self.seen.remove(&id);
            }
            oldest.ids -= 1;
            if oldest.ids == 0 {
                self.spans.pop_front();
            }
        }
    }

    /// One more came now.
    fn date(&mut self, now: MonoTime) {
        match self.spans.back_mut() {
            Some(span)
                if span.ids < TOGETHER && now.saturating_duration_since(span.first) < SPAN =>
            {
                span.last = now;
                span.ids += 1;
            }
            _ => self.spans.push_back(Span {
                first: now,
                last: now,
                ids: 1,
            }),
        }
    }
}
