//! Who may call and how much, out of the configuration and of what the system allows.

use std::time::Duration;

use crate::config::{Config, trusted_proxy};
use crate::grpc::{PeerLimits, Reach, ServerLimits};
use crate::runtime::open_files;

/// What the process opens besides its connections: segments, listeners, timers, the log.
pub(super) const OTHER_FILES: u64 = 256;
/// However few files there may be, so many connections are tried.
const FEWEST: u64 = 64;

/// What guests' sessions and connections of callers may take together, were they all there at once.
pub(super) fn sockets(config: &Config) -> u64 {
    guests(config) + u64::from(config.listen.limits.connections)
}

fn guests(config: &Config) -> u64 {
    match config.session_templates.is_empty() {
        true => 0,
        false => u64::from(config.max_dynamic_sessions),
    }
}

/// The bounds of the gRPC listener. Each connection is an open file: callers must not leave the
/// journal without one.
pub(super) fn limits(config: &Config) -> ServerLimits {
    let limits = &config.listen.limits;
    let of_one = &limits.per_peer;
    let left = open_files().map(|files| files.saturating_sub(guests(config) + OTHER_FILES));
    let most = left.map_or(u64::MAX, |left| left.max(FEWEST));
    let connections = u64::from(limits.connections).min(most);
    let size = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    ServerLimits {
        connections: usize::try_from(connections).unwrap_or(usize::MAX),
        streams_per_connection: limits.streams_per_connection,
        per_peer: PeerLimits {
            connections: size(of_one.connections),
            streams: size(of_one.streams),
            connections_per_second: of_one.connections_per_second,
        },
        max_connection_age: max_stream_age(config),
        ..ServerLimits::default()
    }
}

/// When streams end by age.
pub(super) fn max_stream_age(config: &Config) -> Option<Duration> {
    config.listen.limits.max_stream_age.map(|age| age.0)
}

/// Browsers and proxies.
pub(super) fn reach(config: &Config) -> Reach {
    let listen = &config.listen;
    // What is none was refused when the configuration was checked.
    let proxies = listen.trusted_proxies.iter();
    Reach {
        origins: listen.allowed_origins.clone(),
        hosts: listen.grpc_hosts.clone(),
        trusted_proxies: proxies.filter_map(|text| trusted_proxy(text)).collect(),
    }
}
