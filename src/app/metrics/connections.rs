//! Figures of the gRPC listener's connections, and of what was refused at its door.

use super::family::families;
use crate::grpc::ConnectionStats;
use crate::telemetry::metrics::Sheet;

families! {
    ACCEPTED: Counter "tieline_grpc_connections_accepted_total" [] "Connections that were given a place";
    CALLS_REFUSED: Counter "tieline_grpc_calls_refused_total" ["reason"] "Calls that were refused for their peer, their page or their quota";
    CUT: Counter "tieline_grpc_connections_cut_total" ["reason"] "Connections that were ended although their peer held them";
    OPEN: Gauge "tieline_grpc_connections" [] "Connections that are open";
    REFUSED: Counter "tieline_grpc_connections_refused_total" ["reason"] "Connections that were closed as soon as they came, for want of a place";
}

pub(super) fn put(sheet: &mut Sheet, connections: &ConnectionStats) {
    let seen = connections.snapshot();
    sheet.put(&ACCEPTED, &[], seen.accepted);
    sheet.put_each(&CALLS_REFUSED, &[], &seen.calls_refused);
    sheet.put_each(&CUT, &[], &seen.cut);
    sheet.put(&OPEN, &[], seen.open);
    sheet.put_each(&REFUSED, &[], &seen.refused);
}
