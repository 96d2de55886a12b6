//! [`Clock`]: the only source of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::domain::WallTime;

/// Monotonic time, for scheduling. Stands still and jumps under paused and simulated time.
pub type MonoTime = tokio::time::Instant;

/// Reads time. Clones agree with each other.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System,
    Anchored {
        wall: WallTime,
        mono: MonoTime,
        /// By how many nanoseconds somebody has set it.
        set: AtomicI64,
    },
}

impl Clock {
    /// The machine's clock: wall time follows its adjustments.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// Wall time that starts at `wall` now and moves with the runtime's time, paused or simulated.
    #[must_use]
    pub fn anchored(wall: WallTime) -> Self {
        Self(Arc::new(Source::Anchored {
            wall,
            mono: MonoTime::now(),
            set: AtomicI64::new(0),
        }))
    }

    /// Sets an anchored clock forward, or back where `by_nanos` is negative, as an administrator or a
    /// time server does.
    #[cfg(any(test, feature = "testing"))]
    pub fn set_by(&self, by_nanos: i64) {
        if let Source::Anchored { set, .. } = &*self.0 {
            set.fetch_add(by_nanos, Ordering::Relaxed);
        }
    }

    /// Monotonic time.
    #[must_use]
    pub fn now(&self) -> MonoTime {
        MonoTime::now()
    }

    /// Civil time. May step in either direction.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        match &*self.0 {
            Source::Anchored { wall, mono, set } => {
                let by = set.load(Ordering::Relaxed);
                let moved = Duration::from_nanos(by.unsigned_abs());
                let wall = wall.plus(mono.elapsed());
                if by < 0 {
                    wall.minus(moved)
                } else {
                    wall.plus(moved)
                }
            }
            Source::System => system_wall(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the machine's clock"
)]
fn system_wall() -> WallTime {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    WallTime::from_nanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn anchored_wall_time_moves_with_paused_time() {
        let clock = Clock::anchored(WallTime::from_millis(1_000));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.wall(), WallTime::from_millis(1_250));
    }
}
