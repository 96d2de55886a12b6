//! [`Pacer`]: how many events are due at a rate. Pure, and exact over any span.

use std::time::Duration;

use crate::runtime::MonoTime;

/// No timer is finer.
const FINEST: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Pacer {
    per_second: f64,
    since: MonoTime,
    issued: u64,
}

impl Pacer {
    pub(crate) fn new(per_second: f64, now: MonoTime) -> Self {
        Self {
            per_second: if per_second.is_finite() {
                per_second.max(0.0)
            } else {
                0.0
            },
            since: now,
            issued: 0,
        }
    }

    /// How many events are due and not issued; they are taken as issued.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of events: not negative, far below 2^53"
    )]
    pub(crate) fn take_due(&mut self, now: MonoTime) -> u64 {
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        let total = (elapsed * self.per_second) as u64;
        let due = total.saturating_sub(self.issued);
        self.issued += due;
        due
    }

    /// When the next event is due; `None` at rate zero.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count of events is far below 2^53"
    )]
    pub(crate) fn next(&self, now: MonoTime) -> Option<MonoTime> {
        if self.per_second <= 0.0 {
            return None;
        }
        let seconds = (self.issued + 1) as f64 / self.per_second;
        // A little more, so that rounding never asks for a turn in which nothing is due.
        let due =
            self.since + Duration::try_from_secs_f64(seconds).ok()? + Duration::from_micros(1);
        Some(due.max(now + FINEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test(start_paused = true)]
    async fn over_ten_seconds_exactly_the_rate_is_issued() {
        let start = MonoTime::now();
        let mut pacer = Pacer::new(10_000.0, start);
        let mut now = start;
        let mut issued = 0;
        while let Some(next) = pacer
            .next(now)
            .filter(|next| *next <= start + Duration::from_secs(10))
        {
            now = next;
            issued += pacer.take_due(now);
        }
        assert!((99_989..=100_000).contains(&issued), "{issued}");
        assert_eq!(Pacer::new(0.0, start).next(start), None);
    }

    proptest! {
        #[test]
        fn each_turn_that_is_asked_for_has_work(rate in 0.01_f64..20_000.0) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _context = runtime.enter();
            let start = MonoTime::now();
            let mut pacer = Pacer::new(rate, start);
            let mut now = start;
            for _ in 0..100 {
                now = pacer.next(now).unwrap();
                prop_assert!(pacer.take_due(now) >= 1);
            }
        }
    }
}
