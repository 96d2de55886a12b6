//! Figures of the sidecar as a whole: configuration, end, log and export.

use super::family::families;
use super::{Life, timestamp};
use crate::runtime::WallTime;
use crate::telemetry;
use crate::telemetry::metrics::Sheet;

families! {
    BUILD: Info "tieline_build_info" ["version"] "The version that runs";
    DRAIN: Gauge "tieline_drain_seconds" [] "For how long the sidecar has been ending; 0 while it serves";
    EXPORTS: Counter "tieline_telemetry_exports_total" ["signal"] "Requests that the collector took";
    EXPORT_FAILURES: Counter "tieline_telemetry_export_failures_total" ["signal"] "Requests that the collector did not take";
    LINES: Counter "tieline_telemetry_log_lines_dropped_total" [] "Log lines that found their queue full";
    READY: Gauge "tieline_ready" [] "1 while Subscribe can be served";
    RELOADS: Counter "tieline_config_reloads_total" ["outcome"] "Times the configuration was read again";
    RELOADED: Gauge "tieline_config_last_success_timestamp_seconds" [] "When a configuration was last applied";
}

pub(super) fn put(sheet: &mut Sheet, life: &Life, ready: bool) {
    let lost = telemetry::stats();
    sheet.put(&BUILD, &[env!("CARGO_PKG_VERSION")], 1);
    let draining = match life.draining.get() {
        0 => 0.0,
        since => life
            .clock
            .wall()
            .since(WallTime::from_nanos(since))
            .as_secs_f64(),
    };
    sheet.put(&DRAIN, &[], draining);
    sheet.put_each(&EXPORTS, &[], &lost.exports.snapshot());
    sheet.put_each(&EXPORT_FAILURES, &[], &lost.export_failures.snapshot());
    sheet.put(&LINES, &[], lost.lines_dropped.get());
    sheet.put(&READY, &[], ready);
    sheet.put(&RELOADS, &["applied"], life.reloads.get());
    sheet.put(&RELOADS, &["refused"], life.reloads_refused.get());
    let last = WallTime::from_nanos(life.last_reload.get());
    sheet.put(&RELOADED, &[], timestamp(last));
}
