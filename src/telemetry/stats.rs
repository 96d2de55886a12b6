//! [`TelemetryStats`]: what of the process's own words was lost. There is one log and one collector in
//! a process, and so one of these.

use std::sync::LazyLock;

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

/// What was lost, and what was not.
#[derive(Debug, Default)]
pub struct TelemetryStats {
    /// Log lines that found their queue full.
    pub lines_dropped: Counter,
    /// Requests that the collector took.
    pub exports: Counters<Signal>,
    /// Requests that it did not take.
    pub export_failures: Counters<Signal>,
}

/// Those of this process.
#[must_use]
pub fn stats() -> &'static TelemetryStats {
    static STATS: LazyLock<TelemetryStats> = LazyLock::new(TelemetryStats::default);
    &STATS
}
