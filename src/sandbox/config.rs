//! [`SandboxConfig`]: how the simulated platform behaves when nothing goes wrong.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::platform::{EventsDialect, UnknownPosition};
use super::script::Step;

/// The channels of a sandbox whose configuration names none.
pub const DEFAULT_CHANNELS: [&str; 3] = [
    "routing.queueStats",
    "routing.agentEvent",
    "platform.connectionEvent",
];

/// How the simulated platform behaves. Each default is what the platform's description says.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// In which words the platform speaks.
    pub dialect: EventsDialect,
    /// Address of the platform.
    pub listen: SocketAddr,
    /// Address of the control API; loopback only.
    pub control: SocketAddr,
    /// Serves TLS with a certificate of an authority of its own, written to this file as PEM.
    pub tls_ca_out: Option<PathBuf>,
    /// With TLS, serves only clients with a certificate of an authority in this PEM file.
    pub tls_client_ca: Option<PathBuf>,
    /// Channels that exist and may be read.
    pub channels: Vec<String>,
    /// Channels that exist and may not be read: 403.
    pub forbidden_channels: Vec<String>,
    /// How many OAuth clients there are; at least one.
    pub clients: usize,
    /// Events issued per second.
    pub rate: f64,
    /// Bytes of an event's `data` at least.
    pub payload: usize,
    /// Lifetime of access tokens.
    pub token_lifetime: Duration,
    /// Whether a refresh token is good only once.
    pub rotate_refresh_tokens: bool,
    /// What happens to a WebSocket whose token expires.
    pub on_expiry: OnExpiry,
    /// What a handshake without credentials on the probe's path is answered with: 101, 401, 403 or 404.
    pub probe_status: u16,
    /// The shortest hold of a poll.
    pub hold_min: Duration,
    /// The longest hold of a poll.
    pub hold_max: Duration,
    /// The answer after a hold without events.
    pub elapsed: ElapsedHold,
    /// Events that can be resumed.
    pub retention: usize,
    /// Events that the history has; at least `retention`.
    pub history_retention: usize,
    /// Bytes that either keeps, and that the platform keeps for subscriptions to come.
    pub retention_bytes: usize,
    /// Entries of each subscription's ledger.
    pub ledger_capacity: usize,
    /// What a reader gets whose position is beyond anything the platform knows.
    pub unknown_position: UnknownPosition,
    /// Events in one batch.
    pub batch_events: usize,
    /// Bytes in one batch; a single event may be larger.
    pub batch_bytes: usize,
    /// Of batches of one event over WebSocket, the share that is sent as a bare event.
    pub bare_share: f64,
    /// How often the platform pings a WebSocket.
    pub ping_interval: Duration,
    /// How long a WebSocket may take to subscribe.
    pub subscribe_timeout: Duration,
    /// Requests that the token endpoint takes in a minute; `None` is unlimited.
    pub token_requests_per_minute: Option<u32>,
    /// Requests other than tokens and polls that a client may make in a minute.
    pub requests_per_minute: Option<u32>,
    /// Connections open at once.
    pub max_connections: usize,
    /// Faults and events by time.
    pub script: Vec<Step>,
}

/// What happens to a WebSocket whose token expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExpiry {
    /// It is closed with 4401.
    #[default]
    Close,
    /// It goes on.
    Tolerate,
}

/// The answer after a hold without events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ElapsedHold {
    /// Sometimes the one, sometimes the other.
    #[default]
    Either,
    /// 200 with an empty batch.
    EmptyBatch,
    /// 204.
    NoContent,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            dialect: EventsDialect::default(),
            listen: anywhere,
            control: anywhere,
            tls_ca_out: None,
            tls_client_ca: None,
            channels: DEFAULT_CHANNELS.map(str::to_owned).into(),
            forbidden_channels: Vec::new(),
            clients: 1,
            rate: 0.0,
            payload: 0,
            token_lifetime: Duration::from_secs(300),
            rotate_refresh_tokens: false,
            on_expiry: OnExpiry::default(),
            probe_status: 101,
            hold_min: Duration::from_secs(25),
            hold_max: Duration::from_secs(30),
            elapsed: ElapsedHold::default(),
            retention: 100_000,
            history_retention: 100_000,
            retention_bytes: 128 << 20,
            ledger_capacity: 1_000_000,
            unknown_position: UnknownPosition::default(),
            batch_events: 500,
            batch_bytes: 1 << 20,
            bare_share: 0.1,
            ping_interval: Duration::from_secs(30),
            subscribe_timeout: Duration::from_secs(10),
            token_requests_per_minute: Some(300),
            requests_per_minute: None,
            max_connections: 1024,
            script: Vec::new(),
        }
    }
}

impl SandboxConfig {
    /// What is wrong with the settings; empty where nothing is.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let checks = [
            (
                self.control.ip().is_loopback(),
                "the control API listens on loopback only",
            ),
            (!self.channels.is_empty(), "a platform needs a channel"),
            (
                (1..=64).contains(&self.clients),
                "there are between 1 and 64 clients",
            ),
            (
                (0.0..=1_000_000.0).contains(&self.rate),
                "the rate lies between 0 and 1000000 events a second",
            ),
            (self.payload <= 1 << 20, "a payload has at most 1 MiB"),
            (
                self.hold_min <= self.hold_max,
                "the shortest hold is longer than the longest",
            ),
            (
                !self.token_lifetime.is_zero(),
                "a token lives longer than nothing",
            ),
            (
                matches!(self.probe_status, 101 | 200..=599),
                "the probe is answered with 101 or a status between 200 and 599",
            ),
            (
                (1..=self.history_retention).contains(&self.retention),
                "at least one event is kept, and the history keeps no less",
            ),
            (
                (1..=100_000).contains(&self.batch_events),
                "a batch has 1 to 100000 events",
            ),
        ];
        checks
            .into_iter()
            .filter(|(good, _)| !good)
            .map(|(_, problem)| problem.to_owned())
            .collect()
    }
}
