//! [`Overlap`]: repeated events on two connections that stand side by side, where the platform
//! neither numbers nor names its events (U16). Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::runtime::MonoTime;

/// Events of the older connection are remembered this long before an overlap begins, and counted
/// this long after it ended.
const SPAN: Duration = Duration::from_secs(10);
const MOST_RECENT: usize = 4096;

/// Which of the two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The older.
    Older,
    /// Its successor.
    Newer,
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// New, for one connection is never compared with itself.
    New,
    /// The other connection brought it already.
    Duplicate,
    /// An equal event came before the counting began: both are kept.
    PossibleDuplicate,
}

/// Compares two connections as multisets: the n-th occurrence on one is the n-th on the other.
#[derive(Debug, Default)]
pub struct Overlap {
    recent: VecDeque<(MonoTime, u64)>,
    counts: Option<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    older: HashMap<u64, u32>,
    newer: HashMap<u64, u32>,
    ends: Option<MonoTime>,
}

impl Overlap {
    /// The successor has asked for its events: count from here.
    pub fn begin(&mut self) {
        self.counts = Some(Counts::default());
    }

    /// Which side the connection in use is on: the older until its successor took over.
    #[must_use]
    pub fn live_side(&self) -> Side {
        match &self.counts {
            Some(counts) if counts.ends.is_some() => Side::Newer,
            Some(_) | None => Side::Older,
        }
    }

    /// The older connection is gone; what it brought is compared for a little longer.
    pub fn end(&mut self, now: MonoTime) {
        if let Some(counts) = &mut self.counts {
            counts.ends = Some(now + SPAN);
        }
    }

    /// Judges one event, named by a hash of its topic and bytes.
    pub fn judge(&mut self, now: MonoTime, side: Side, hash: u64) -> Seen {
        if self
            .counts
            .as_ref()
            .is_some_and(|c| c.ends.is_some_and(|at| at <= now))
        {
            self.counts = None;
        }
        self.forget(now);
        let Some(counts) = &mut self.counts else {
            self.recent.push_back((now, hash));
            return Seen::New;
        };
        let (own, other) = match side {
            Side::Older => (&mut counts.older, &counts.newer),
            Side::Newer => (&mut counts.newer, &counts.older),
        };
        let occurrence = own.entry(hash).or_default();
        *occurrence += 1;
        if *occurrence <= other.get(&hash).copied().unwrap_or_default() {
            return Seen::Duplicate;
        }
        let before = self.recent.iter().any(|(_, recent)| *recent == hash);
        if side == Side::Newer && before {
            Seen::PossibleDuplicate
        } else {
            Seen::New
        }
    }

    fn forget(&mut self, now: MonoTime) {
        while let Some((at, _)) = self.recent.front() {
            let expired = now.saturating_duration_since(*at) > SPAN;
            if !expired && self.recent.len() < MOST_RECENT {
                return;
            }
            self.recent.pop_front();
        }
    }
}
