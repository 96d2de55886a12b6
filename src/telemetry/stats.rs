//! [`TelemetryStats`]: what of the process's own words was lost. There is one log and one collector in
//! a process, and so one of these.

use std::sync::LazyLock;

use super::collector::Outcomes;
use crate::domain::WallTime;
use crate::runtime::{Counter, Counters};

crate::runtime::label!(
    /// What is sent to a collector.
    pub Signal {
        /// Spans.
        Traces = "traces",
        /// Figures.
        Metrics = "metrics",
    }
);

impl Signal {
    /// As the standard variables have it.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }
}

/// What was lost, and what was not.
#[derive(Debug, Default)]
pub struct TelemetryStats {
    /// Log lines that found their queue full.
    pub lines_dropped: Counter,
    /// Requests that the collector took.
    pub exports: Counters<Signal>,
    /// Requests that it did not take.
    pub export_failures: Counters<Signal>,
    /// Where signals go, and how that went last.
    pub outcomes: Outcomes,
}

impl TelemetryStats {
    /// The collector took a request.
    pub(super) fn taken(&self, signal: Signal) {
        self.exports.one(signal);
        self.outcomes.taken(signal);
    }

    /// The collector did not take a request; why, as it may be shown.
    pub(super) fn refused(&self, signal: Signal, problem: &str, at: WallTime) -> String {
        self.export_failures.one(signal);
        self.outcomes.refused(signal, problem, at)
    }
}

/// Those of this process.
#[must_use]
pub fn stats() -> &'static TelemetryStats {
    static STATS: LazyLock<TelemetryStats> = LazyLock::new(TelemetryStats::default);
    &STATS
}
