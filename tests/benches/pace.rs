//! A steady pace: events that are sent when they are due.

use std::time::Duration;

use tieline::runtime::MonoTime;

/// So many events a second, for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) per_second: u32,
    pub(crate) lasting: Duration,
}

impl Pace {
    /// How many events it has.
    pub(crate) fn total(self) -> u64 {
        u64::from(self.per_second) * u64::try_from(self.lasting.as_millis()).unwrap_or(0) / 1_000
    }

    /// When an event is due; the first has index zero.
    pub(crate) fn due(self, started: MonoTime, index: u64) -> MonoTime {
        started + Duration::from_secs(index) / self.per_second
    }

    /// Sends each event when it is due, those that fell due together at once: `send(first, count)`.
    pub(crate) fn keep(
        self,
        started: MonoTime,
        mut send: impl FnMut(u64, u64) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let total = self.total();
        let mut sent = 0;
        while sent < total {
            let due = self.due(started, sent);
            let wait = due.saturating_duration_since(MonoTime::now());
            if !wait.is_zero() {
                std::thread::park_timeout(wait);
                continue;
            }
            let passed = started.elapsed().as_nanos() * u128::from(self.per_second);
            let fallen = u64::try_from(passed / 1_000_000_000)?.min(total - 1) + 1;
            send(sent, fallen - sent)?;
            sent = fallen;
        }
        Ok(())
    }
}

/// How long each of the events took that arrived, by index: what waited behind a slow predecessor
/// counts its waiting.
pub(crate) fn latencies(
    pace: Pace,
    started: MonoTime,
    arrivals: impl IntoIterator<Item = (u64, MonoTime)>,
) -> Vec<Duration> {
    let each = arrivals.into_iter();
    each.map(|(index, arrived)| arrived.saturating_duration_since(pace.due(started, index)))
        .collect()
}
