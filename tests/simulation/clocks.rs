//! [`Clocks`]: what the sidecar's clock showed when the platform's showed something else. Loss windows
//! are times of the former, what was issued has times of the latter.

use std::cell::RefCell;
use std::time::Duration;

use tieline::runtime::{Clock, WallTime};

use crate::platform::EPOCH;

/// The sidecar's clock, and how often somebody set it.
pub(crate) struct Clocks {
    /// Nobody sets this one.
    platform: Clock,
    sidecar: Clock,
    /// Since when, on the platform's clock, the sidecar's is ahead by so many nanoseconds; in order.
    set: RefCell<Vec<(WallTime, i64)>>,
}

impl Clocks {
    pub(crate) fn new() -> Self {
        Self {
            platform: Clock::anchored(EPOCH),
            sidecar: Clock::anchored(EPOCH),
            set: RefCell::default(),
        }
    }

    pub(crate) fn sidecar(&self) -> &Clock {
        &self.sidecar
    }

    pub(crate) fn set_by(&self, by: i64) {
        let mut set = self.set.borrow_mut();
        let ahead = set.last().map_or(0, |(_, ahead)| *ahead);
        set.push((self.platform.wall(), ahead + by));
        self.sidecar.set_by(by);
    }

    /// What the sidecar's clock showed at a time of the platform's.
    pub(crate) fn shown(&self, at: WallTime) -> WallTime {
        let set = self.set.borrow();
        let last = set.iter().rev().find(|(since, _)| *since <= at);
        moved(at, last.map_or(0, |(_, ahead)| *ahead))
    }

    /// When the sidecar's clock first showed this, on the platform's.
    pub(crate) fn first_showed(&self, wall: WallTime) -> WallTime {
        let set = self.set.borrow();
        let aheads = [0].into_iter().chain(set.iter().map(|(_, ahead)| *ahead));
        let times = aheads.map(|ahead| moved(wall, -ahead));
        let times = times.filter(|at| self.shown(*at) == wall);
        times.min().unwrap_or(wall)
    }
}

fn moved(at: WallTime, by: i64) -> WallTime {
    let distance = Duration::from_nanos(by.unsigned_abs());
    match by < 0 {
        true => at.minus(distance),
        false => at.plus(distance),
    }
}
