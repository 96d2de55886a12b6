//! Settings of a session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::auth::AuthConfig;
use crate::domain::{JournalName, SessionName};
use crate::net::TlsConfig;
use crate::runtime::HumanDuration;

/// One entry of `sessions`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    /// The session's name; `sessions/{name}` in the API.
    #[schemars(with = "String")]
    pub name: SessionName,
    /// The journal it writes to; may be left out where there is only one.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub journal: Option<JournalName>,
    /// Which connector or profile: `genesys-events`.
    pub platform: String,
    /// Base address of the platform.
    #[schemars(with = "String")]
    pub endpoint: Url,
    /// What to subscribe to, in the platform's own words.
    #[serde(default)]
    pub channels: Vec<String>,
    /// How access tokens are obtained.
    pub auth: AuthConfig,
    /// Which transports may be used.
    #[serde(default)]
    pub transport: TransportChoice,
    /// Hosts (and their subdomains) that server-given addresses may point to, besides the
    /// endpoint's own (U42).
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// Allows `http` and `ws` beyond loopback.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Deadlines and intervals.
    #[serde(default)]
    pub timing: TimingConfig,
    /// TLS towards the platform.
    #[serde(default)]
    pub tls: TlsConfig,
}

/// Which transports may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransportChoice {
    /// WebSocket where the network lets it through, else long polling (U1 to U4).
    #[default]
    Auto,
    /// WebSocket alone.
    Websocket,
    /// Long polling alone.
    LongPoll,
}

/// Deadlines and intervals of the session engine.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimingConfig {
    /// Handshake deadline of the probe, everything from DNS to 101 (U1, U2).
    pub probe_timeout: HumanDuration,
    /// While polling, how often a WebSocket is tried again (U4).
    pub failback_interval: HumanDuration,
    /// Client timeout of one long poll (U9).
    pub poll_timeout: HumanDuration,
    /// How often a WebSocket is pinged (U25).
    pub websocket_ping: HumanDuration,
    /// How long a pong may take before the connection is dead (U25).
    pub pong_timeout: HumanDuration,
    /// Delivery latency above which a session is flagged for review (U14).
    pub review_latency: HumanDuration,
    /// How long later events are held while a hole is filled (U17).
    pub reorder_window: HumanDuration,
    /// How long before its expiry a token is refreshed (U21).
    pub token_refresh_before: HumanDuration,
    /// Reconnecting (U30).
    pub backoff: BackoffConfig,
}

impl Default for TimingConfig {
    fn default() -> Self {
        Self {
            probe_timeout: HumanDuration::from_secs(4),
            failback_interval: HumanDuration::from_secs(60),
            poll_timeout: HumanDuration::from_secs(35),
            websocket_ping: HumanDuration::from_secs(20),
            pong_timeout: HumanDuration::from_secs(10),
            review_latency: HumanDuration::from_secs(8),
            reorder_window: HumanDuration::from_secs(10),
            token_refresh_before: HumanDuration::from_secs(60),
            backoff: BackoffConfig::default(),
        }
    }
}

/// Exponential back-off with full jitter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffConfig {
    /// The first delay's upper bound.
    pub base: HumanDuration,
    /// The upper bound of every delay.
    pub cap: HumanDuration,
    /// Attempts before the session is suspended; 0 has no limit.
    pub max_attempts: u32,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            base: HumanDuration::from_secs(1),
            cap: HumanDuration::from_secs(30),
            max_attempts: 0,
        }
    }
}
