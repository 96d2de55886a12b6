//! Figures of gRPC calls. Streams have no duration here: one of hours would say nothing of calls.

use super::family::families;
use crate::grpc::CallStats;
use crate::telemetry::metrics::Sheet;

families! {
    CALLS: Counter "tieline_grpc_calls_total" ["method", "code"] "Calls that were answered, streams included once they have begun; a code appears with its first";
    CALL: Histogram "tieline_grpc_call_seconds" ["method"] "How long unary calls took";
}

pub(super) fn put(sheet: &mut Sheet, calls: &CallStats) {
    for method in calls.snapshot() {
        for (code, count) in &method.codes {
            sheet.put(&CALLS, &[&method.name, code], *count);
        }
        if let Some(took) = method.took {
            sheet.put(&CALL, &[&method.name], took);
        }
    }
}
