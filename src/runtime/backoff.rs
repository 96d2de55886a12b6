//! [`Backoff`]: exponential delays with full jitter. Pure.

use std::time::Duration;

use super::Mistake;

/// Counts failures and turns them into delays: uniform in `0..=min(cap, base × 2ⁿ)`.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// A back-off that has seen no failure.
    #[must_use]
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self {
            base,
            cap,
            failures: 0,
        }
    }

    /// Counts one failure and returns how long to wait; `unit` is a random number in [0, 1).
    #[must_use = "waiting is the point of a back-off"]
    pub fn next_delay(&mut self, unit: f64) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures.min(31));
        self.failures = self.failures.saturating_add(1);
        if Mistake::BackOffDoesNotWait.is_made() {
            return Duration::ZERO;
        }
        self.base
            .saturating_mul(factor)
            .min(self.cap)
            .mul_f64(unit.clamp(0.0, 1.0))
    }

    /// Failures since the last reset.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Forgets the failures.
    pub fn reset(&mut self) {
        if !Mistake::BackOffNotReset.is_made() {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_double_up_to_the_cap() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        let longest: Vec<_> = (0..7).map(|_| backoff.next_delay(1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.next_delay(1.0), Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn no_delay_exceeds_the_cap(failures in 0_u32..200, unit in 0.0..1.0_f64) {
            let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(30));
            backoff.failures = failures;
            prop_assert!(backoff.next_delay(unit) <= Duration::from_secs(30));
        }
    }
}
