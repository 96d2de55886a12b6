//! [`Budget`]: how many requests may leave, and which go first when they are scarce (U40). Pure.

use std::time::Duration;

use super::contract::CallClass;
use crate::runtime::MonoTime;

const MINUTE: Duration = Duration::from_secs(60);
/// The part of a minute's requests that may leave at once; the rest trickles in. Both together are
/// all that a minute allows, wherever it begins.
const AT_ONCE: f64 = 0.2;
/// Polls are paced by the platform, which holds them: this only stops a loop that turned hot.
const POLLS: u32 = 60_000;
/// What is lost when fractions are added up.
const TOLERANCE: f64 = 1e-6;

/// Two token buckets of one credential: one for long polls, one for all other requests.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    calls: Bucket,
    polls: Bucket,
}

/// So many at once, and then so many a second.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    at: MonoTime,
}

impl Budget {
    /// Full, for at most `per_minute` requests in any minute.
    pub(super) fn new(per_minute: u32, now: MonoTime) -> Self {
        Self {
            calls: Bucket::full(per_minute, now),
            polls: Bucket::full(POLLS, now),
        }
    }

    /// At most `per_minute` from now on; what was taken stays taken.
    pub(super) fn limit(&mut self, per_minute: u32, now: MonoTime) {
        self.calls.settle(now);
        let taken = self.calls.capacity - self.calls.level;
        let fresh = Bucket::full(per_minute, now);
        self.calls = Bucket {
            level: (fresh.capacity - taken).max(0.0),
            ..fresh
        };
    }

    /// Takes one request of `class` out, or says how long nothing will change for it.
    pub(super) fn take(&mut self, now: MonoTime, class: CallClass) -> Result<(), Duration> {
        let bucket = self.bucket(class);
        let reserve = (bucket.capacity * reserve(class)).min(bucket.capacity - 1.0);
        bucket.take(now, reserve)
    }

    /// The platform throttles although we counted: others use its limit too, or it is lower.
    pub(super) fn throttled(&mut self, now: MonoTime, class: CallClass) {
        let bucket = self.bucket(class);
        bucket.settle(now);
        bucket.level = 0.0;
    }

    fn bucket(&mut self, class: CallClass) -> &mut Bucket {
        match class {
            CallClass::Poll => &mut self.polls,
            _ => &mut self.calls,
        }
    }
}

/// The part of the bucket that a class leaves to those before it. While one of those waits, the
/// level never rises to what a later one needs: so they go first.
fn reserve(class: CallClass) -> f64 {
    match class {
        CallClass::Token | CallClass::Poll => 0.0,
        CallClass::Subscription => 0.1,
        CallClass::Send => 0.2,
        CallClass::Backfill => 0.4,
        CallClass::Health => 0.6,
    }
}

impl Bucket {
    fn full(per_minute: u32, now: MonoTime) -> Self {
        let per_minute = f64::from(per_minute.max(2));
        let capacity = (per_minute * AT_ONCE).floor().max(1.0);
        Self {
            capacity,
            per_second: (per_minute - capacity) / MINUTE.as_secs_f64(),
            level: capacity,
            at: now,
        }
    }

    /// At most `limit` in any second, a tenth of them at once.
    pub(super) fn of_seconds(limit: u32, now: MonoTime) -> Self {
        let limit = f64::from(limit.max(1));
        let capacity = (limit / 10.0).floor().max(1.0);
        Self {
            capacity,
            per_second: (limit - capacity).max(limit / 2.0),
            level: capacity,
            at: now,
        }
    }

    fn settle(&mut self, now: MonoTime) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = passed
            .mul_add(self.per_second, self.level)
            .min(self.capacity);
        self.at = self.at.max(now);
    }

    /// Takes one out and leaves `reserve`, or says how long that takes.
    pub(super) fn take(&mut self, now: MonoTime, reserve: f64) -> Result<(), Duration> {
        self.settle(now);
        let missing = reserve + 1.0 - self.level;
        if missing > TOLERANCE {
            return Err(Duration::from_secs_f64(missing / self.per_second));
        }
        self.level = (self.level - 1.0).max(0.0);
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests/budget.rs"]
mod tests;
