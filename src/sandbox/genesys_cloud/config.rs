//! [`GenesysCloudConfig`]: how the simulated platform behaves when nothing goes wrong.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::fault::GenesysFault;
use crate::sandbox::script::Step;

/// How the simulated platform behaves. Each default is what the platform is known to do.
#[derive(Debug, Clone)]
pub struct GenesysCloudConfig {
    /// Address of login, API and notification sockets.
    pub listen: SocketAddr,
    /// Address of the control API; loopback only.
    pub control: SocketAddr,
    /// Serves TLS with a certificate of an authority of its own, written to this file as PEM.
    pub tls_ca_out: Option<PathBuf>,
    /// With TLS, serves only clients with a certificate of an authority in this PEM file.
    pub tls_client_ca: Option<PathBuf>,
    /// OAuth clients; at least one.
    pub clients: Vec<OauthClient>,
    /// Agents.
    pub users: usize,
    /// Queues.
    pub queues: usize,
    /// Management units; each has a team of the same agents.
    pub management_units: usize,
    /// Changes of the story per second; each is told by several events.
    pub rate: f64,
    /// Lifetime of access tokens.
    pub token_lifetime: Duration,
    /// What becomes of a channel whose token ends.
    pub on_token_end: OnTokenEnd,
    /// Requests that the token endpoint takes in a minute; `None` is unlimited.
    pub token_requests_per_minute: Option<u32>,
    /// Requests that may be made with one token in a minute; `None` is unlimited.
    pub requests_per_minute: Option<u32>,
    /// Channels of one OAuth client.
    pub channels_per_client: usize,
    /// Topics of one channel.
    pub topics_per_channel: usize,
    /// A combined topic counts as each of its parts instead of as one.
    pub combined_topics_count_apart: bool,
    /// The longest topic, in bytes.
    pub longest_topic: usize,
    /// How long a channel lives after it was made or subscribed with.
    pub channel_lifetime: Duration,
    /// Channels may be managed with other tokens of the same client.
    pub any_token_manages: bool,
    /// How often a socket gets a heartbeat.
    pub heartbeat: Duration,
    /// How long before a planned close a socket is told.
    pub closing_notice: Duration,
    /// The close code of a socket that is not wanted any more; which it is is not documented.
    pub parting_code: u16,
    /// `subscribe` on a socket replaces the topics instead of adding to them.
    pub in_band_replaces: bool,
    /// `subscribe` on a socket extends the channel's life.
    pub in_band_extends: bool,
    /// A socket is told with `v2.subscription.updated` that its topics changed.
    pub tell_subscription_changes: bool,
    /// Frames that wait for one socket at most; one that reads no faster is cut off.
    pub outbox: usize,
    /// How much older than events is what the API shows.
    pub snapshot_lag: Duration,
    /// Observations of a queue are published no more often.
    pub observation_interval: Duration,
    /// Facts that the ledger keeps.
    pub ledger_capacity: usize,
    /// Conversations kept, ended ones included.
    pub conversations_kept: usize,
    /// Changes of one thing that are kept.
    pub history: usize,
    /// Connections open at once.
    pub max_connections: usize,
    /// Faults, changes and rates by time.
    pub script: Vec<Step<GenesysFault>>,
}

/// An OAuth client and what its roles permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    /// The client id.
    pub id: String,
    /// Its permissions; `None` is all of them.
    pub permissions: Option<Vec<String>>,
}

impl OauthClient {
    /// A client with every permission.
    #[must_use]
    pub fn all(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            permissions: None,
        }
    }

    /// A client with these permissions.
    #[must_use]
    pub fn only<'a>(id: impl Into<String>, permissions: impl IntoIterator<Item = &'a str>) -> Self {
        let permissions = permissions.into_iter().map(str::to_owned).collect();
        Self {
            id: id.into(),
            permissions: Some(permissions),
        }
    }
}

/// What becomes of a channel whose token ends. What the platform does is not documented; all of
/// these have been seen or said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnTokenEnd {
    /// The channel dies with it: the socket is closed, and its next handshake is a 404. A revoked
    /// token is announced with `v2.system.token_revoked` first.
    #[default]
    Close,
    /// The socket stays open and gets events; what is said on it is answered with 404.
    Tolerate,
}

impl Default for GenesysCloudConfig {
    fn default() -> Self {
        let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            listen: anywhere,
            control: anywhere,
            tls_ca_out: None,
            tls_client_ca: None,
            clients: vec![OauthClient::all("sandbox-client")],
            users: 24,
            queues: 4,
            management_units: 2,
            rate: 0.0,
            token_lifetime: Duration::from_secs(86_399),
            on_token_end: OnTokenEnd::default(),
            token_requests_per_minute: Some(300),
            requests_per_minute: Some(300),
            channels_per_client: 20,
            topics_per_channel: 1_000,
            combined_topics_count_apart: false,
            longest_topic: 200,
            channel_lifetime: Duration::from_secs(24 * 60 * 60),
            any_token_manages: false,
            heartbeat: Duration::from_secs(30),
            closing_notice: Duration::from_secs(60),
            parting_code: 1001,
            in_band_replaces: false,
            in_band_extends: false,
            tell_subscription_changes: true,
            outbox: 10_000,
            snapshot_lag: Duration::from_secs(2),
            observation_interval: Duration::from_secs(1),
            ledger_capacity: 200_000,
            conversations_kept: 5_000,
            history: 10_000,
            max_connections: 1024,
            script: Vec::new(),
        }
    }
}

impl GenesysCloudConfig {
    /// What is wrong with the settings; empty where nothing is.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let checks = [
            (
                self.control.ip().is_loopback(),
                "the control API listens on loopback only",
            ),
            (
                (1..=64).contains(&self.clients.len()),
                "there are between 1 and 64 OAuth clients",
            ),
            (
                (1..=10_000).contains(&self.users),
                "there are between 1 and 10000 users",
            ),
            (
                (1..=1_000).contains(&self.queues),
                "there are between 1 and 1000 queues",
            ),
            (
                (1..=100).contains(&self.management_units),
                "there are between 1 and 100 management units",
            ),
            (
                (0.0..=100_000.0).contains(&self.rate),
                "the rate lies between 0 and 100000 changes a second",
            ),
            (
                !self.token_lifetime.is_zero() && !self.channel_lifetime.is_zero(),
                "a token and a channel live longer than nothing",
            ),
            (
                self.snapshot_lag <= Duration::from_secs(5),
                "snapshots lag by 5 s at most",
            ),
            (!self.heartbeat.is_zero(), "heartbeats have an interval"),
            (self.channels_per_client >= 1, "a client may have a channel"),
        ];
        checks
            .into_iter()
            .filter(|(good, _)| !good)
            .map(|(_, problem)| problem.to_owned())
            .collect()
    }
}
