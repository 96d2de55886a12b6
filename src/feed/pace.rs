//! [`Pace`]: a bound on events per second while catching up. Pure.

use std::time::Duration;

use crate::runtime::MonoTime;

/// A bucket that fills at a steady rate and holds at most a twentieth of a second of events.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    per_event: Duration,
    burst: u32,
    /// When the bucket would be full again; each event moves it on.
    full_at: MonoTime,
}

impl Pace {
    /// A full bucket; `None` when there is no limit.
    pub(super) fn new(per_second: u32, now: MonoTime) -> Option<Self> {
        let per_event = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self {
            per_event,
            burst: (per_second / 20).max(1),
            full_at: now,
        })
    }

    /// Whether one more event may go now.
    pub(super) fn allows(&self, now: MonoTime) -> bool {
        self.ready_at() <= now
    }

    /// When the next event may go.
    pub(super) fn ready_at(&self) -> MonoTime {
        let slack = self.per_event * (self.burst - 1);
        self.full_at.checked_sub(slack).unwrap_or(self.full_at)
    }

    /// Counts one event.
    pub(super) fn spend(&mut self, now: MonoTime) {
        self.full_at = self.full_at.max(now) + self.per_event;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_window_holds_more_than_the_rate_and_one_burst() {
        let start = MonoTime::now();
        let mut pace = Pace::new(100, start).unwrap();
        let mut sent = Vec::new();
        for step in 0..3_000_u32 {
            let now = start + Duration::from_millis(1) * step;
            while pace.allows(now) {
                pace.spend(now);
                sent.push(step);
            }
        }
        assert!((295..=306).contains(&sent.len()), "{}", sent.len());
        for from in 0..2_000 {
            let within = sent.iter().filter(|at| (from..from + 1_000).contains(*at));
            assert!(within.count() <= 106);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_below_one_event_in_a_burst_still_moves() {
        let start = MonoTime::now();
        let mut pace = Pace::new(1, start).unwrap();
        assert!(pace.allows(start));
        pace.spend(start);
        assert!(!pace.allows(start));
        assert_eq!(pace.ready_at(), start + Duration::from_secs(1));
        assert!(Pace::new(0, start).is_none());
    }
}
