//! Settings of a session.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::topics::{AgentConfig, TopicConfig};
use crate::auth::AuthConfig;
use crate::connectors::{GuestSettings, HeartbeatSettings, Profile, Redundancy, Settings};
use crate::domain::{JournalName, SessionName};
use crate::net::{ProxyConfig, RateLimitConfig, TlsConfig};
use crate::runtime::HumanDuration;

/// An answer that leaves at the end of its hold still arrives in time.
const HOLD_MARGIN: Duration = Duration::from_secs(10);
/// No platform holds a poll for longer.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

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
    /// Which connector or profile: `genesys-events`; `custom` is described by `profile`.
    pub platform: String,
    /// The dialect of platform `custom`.
    #[serde(default)]
    pub profile: Option<Arc<Profile>>,
    /// Base address of the platform.
    #[schemars(with = "String")]
    pub endpoint: Url,
    /// Where the same can be had when the path to `endpoint` fails, in the order in which they are
    /// taken (U27). Tokens still come from where they come from.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub alternative_endpoints: Vec<Url>,
    /// What to subscribe to, in the platform's own words.
    #[serde(default)]
    pub channels: Vec<String>,
    /// What to subscribe to, where topics name things: a topic, or a family of topics with what its
    /// `{id}` stands for.
    #[serde(default)]
    pub topics: Vec<TopicConfig>,
    /// Connections that stand at once: 2 overlap, so that one may break without a gap.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 2))]
    pub redundancy: u32,
    /// Which agent's session to read, where sessions are an agent's.
    #[serde(default)]
    pub agent: Option<AgentConfig>,
    /// Whose session it is, where it was made of a template.
    #[serde(skip)]
    #[schemars(skip)]
    pub guest: Option<GuestSettings>,
    /// The platform's limit on requests.
    #[serde(default)]
    pub rate_limit: RateLimitConfig,
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
    /// The proxy that every connection of this session goes through, instead of the one that the
    /// environment names (`HTTPS_PROXY`, `NO_PROXY`).
    #[serde(default)]
    pub proxy: Option<ProxyConfig>,
}

impl SessionConfig {
    /// Its endpoints, its own first.
    pub fn endpoints(&self) -> impl Iterator<Item = &Url> {
        std::iter::once(&self.endpoint).chain(&self.alternative_endpoints)
    }

    /// What a connector is made of.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings_at(&self.endpoint)
    }

    /// What the connector of one of its endpoints is made of.
    #[must_use]
    pub fn settings_at(&self, endpoint: &Url) -> Settings {
        let redundancy = match self.redundancy {
            2.. => Redundancy::Double,
            _ => Redundancy::Single,
        };
        Settings {
            channels: self.channels.clone(),
            topics: self.topics.iter().flat_map(TopicConfig::settings).collect(),
            redundancy,
            agent: self.agent.as_ref().and_then(AgentConfig::settings),
            guest: self.guest.clone(),
            profile: self.profile.clone(),
            heartbeat: self.timing.heartbeat.settings(),
            hold: hold(self.timing.poll_timeout.0),
            allowed_domains: self.allowed_domains.clone(),
            allow_plaintext: self.allow_plaintext,
            source_host: self.endpoint.host_str().map(str::to_owned),
            ..Settings::new(&self.platform, self.name.clone(), endpoint.clone())
        }
    }
}

/// How long a platform may hold a poll that the client gives up after `poll_timeout` (U9).
fn hold(poll_timeout: Duration) -> Duration {
    let before = poll_timeout.saturating_sub(HOLD_MARGIN);
    before.max(poll_timeout / 2).min(LONGEST_HOLD)
}

fn one() -> u32 {
    1
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
    /// How often a request shows whether the platform is well, one for all sessions that share an
    /// endpoint and a credential (U27).
    pub health_interval: HumanDuration,
    /// Average round trip above which a session is degraded (U28).
    pub degraded_latency: HumanDuration,
    /// How long a message to be sent may wait (U37); for session templates.
    pub outbound_ttl: HumanDuration,
    /// How often heartbeats are sent, where the platform wants them beside pings (U26).
    pub heartbeat: HeartbeatConfig,
    /// Reconnecting (U30).
    pub backoff: BackoffConfig,
}

/// How often heartbeats are sent; the platform's own intervals where not given. The platform's bounds
/// win over what lies outside of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeartbeatConfig {
    /// While all is well.
    pub stable: Option<HumanDuration>,
    /// While round trips are slow or too many are lost.
    pub degraded: Option<HumanDuration>,
    /// After a connection broke, until one is confirmed.
    pub reconnecting: Option<HumanDuration>,
}

impl HeartbeatConfig {
    fn settings(&self) -> HeartbeatSettings {
        let own = |given: Option<HumanDuration>| given.map(|given| given.0);
        HeartbeatSettings {
            stable: own(self.stable),
            degraded: own(self.degraded),
            reconnecting: own(self.reconnecting),
        }
    }
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
            health_interval: HumanDuration::from_secs(15),
            degraded_latency: HumanDuration::from_millis(800),
            outbound_ttl: HumanDuration::from_secs(300),
            heartbeat: HeartbeatConfig::default(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::{AgentSettings, Selector};
    use serde_json::json;

    fn config(topics: &serde_json::Value) -> SessionConfig {
        serde_json::from_value(json!({
            "name": "cc", "platform": "p", "endpoint": "https://api.example.test",
            "topics": topics, "redundancy": 2, "agent": { "id": "4711" },
            "auth": { "grant": "client_credentials" },
        }))
        .unwrap()
    }

    #[test]
    fn topics_are_read_in_every_form() {
        let settings = config(&json!([
            "v2.system.x",
            { "v2.users.{id}.presence": { "all_users_of_queue": "q1" } },
            { "v2.users.{id}.activity": { "all_users_of_queue": ["q1", "q2"] } },
            { "v2.routing.queues.{id}.conversations": ["q1", "q2"] },
            { "v2.routing.queues.{id}.users": "all" },
            { "v2.users.{id}?presence&routingStatus": "alice@example.test" },
            { "v2.routing.queues.{id}.users": ["all"] },
        ]))
        .settings();
        let named = |names: &[&str]| {
            Some(Selector::Named(
                names.iter().map(|&n| n.to_owned()).collect(),
            ))
        };
        let of = |names: &[&str]| {
            Some(Selector::UsersOfQueues(
                names.iter().map(|&n| n.to_owned()).collect(),
            ))
        };
        let read: Vec<_> = settings.topics.iter().map(|t| t.ids.clone()).collect();
        assert_eq!(
            read,
            [
                None,
                of(&["q1"]),
                of(&["q1", "q2"]),
                named(&["q1", "q2"]),
                Some(Selector::All),
                named(&["alice@example.test"]),
                // A queue may be called so.
                named(&["all"]),
            ]
        );
        assert_eq!(settings.topics[0].template, "v2.system.x");
        assert_eq!(
            settings.topics[5].template,
            "v2.users.{id}?presence&routingStatus"
        );
        assert_eq!(settings.redundancy, Redundancy::Double);
        let agent_id = "4711".to_owned();
        assert_eq!(settings.agent, Some(AgentSettings::Join { agent_id }));
    }

    #[test]
    fn u9_a_hold_ends_before_the_client_gives_up() {
        for (timeout, expected) in [(35, 25_000), (10, 5_000), (3, 1_500), (600, 60_000)] {
            let held = hold(Duration::from_secs(timeout));
            assert_eq!(held, Duration::from_millis(expected), "{timeout}");
        }
    }
}
