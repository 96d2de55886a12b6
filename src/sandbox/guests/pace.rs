//! [`Pace`]: how many things came within the last second, and whether that is too many. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::runtime::MonoTime;

const SECOND: Duration = Duration::from_secs(1);
/// Moments that are remembered; more in one second are not told apart.
const MOST: usize = 100_000;

/// Moments of the last second.
#[derive(Debug, Default)]
pub(super) struct Pace(VecDeque<MonoTime>);

impl Pace {
    fn forget(&mut self, now: MonoTime) {
        while self
            .0
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) >= SECOND)
        {
            self.0.pop_front();
        }
    }

    /// One more came; how many there were within a second.
    pub(super) fn count(&mut self, now: MonoTime) -> usize {
        self.forget(now);
        if self.0.len() < MOST {
            self.0.push_back(now);
        }
        self.0.len()
    }

    /// Lets one pass where there were fewer than `most` within a second; else how long to wait.
    pub(super) fn take(&mut self, most: usize, now: MonoTime) -> Result<(), Duration> {
        self.forget(now);
        if self.0.len() < most {
            self.0.push_back(now);
            return Ok(());
        }
        let first = self.0.front().copied().unwrap_or(now);
        Err(SECOND.saturating_sub(now.saturating_duration_since(first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_pass_within_any_second() {
        let start = MonoTime::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::default();
        assert_eq!(pace.take(2, at(0)), Ok(()));
        assert_eq!(pace.take(2, at(600)), Ok(()));
        assert_eq!(pace.take(2, at(900)), Err(Duration::from_millis(100)));
        assert_eq!(pace.take(2, at(1000)), Ok(()));
        assert_eq!(pace.take(2, at(1500)), Err(Duration::from_millis(100)));
        let mut seen = Pace::default();
        assert_eq!([0, 10, 20, 1015].map(|ms| seen.count(at(ms))), [1, 2, 3, 2]);
    }
}
