//! The shape of the configuration file.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grpc::{Insecure, ListenAuthConfig, ListenTlsConfig};
use crate::journal::JournalConfig;
use crate::runtime::{ByteSize, HumanDuration};
use crate::session::{SessionConfig, SessionTemplateConfig};

/// The whole configuration.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Addresses to serve on.
    #[serde(default)]
    pub listen: ListenConfig,
    /// Journals; one named `default` in `/var/lib/tieline/default` where none is given.
    #[serde(default = "default_journals")]
    pub journals: Vec<JournalConfig>,
    /// Upstream sessions.
    #[serde(default)]
    pub sessions: Vec<SessionConfig>,
    /// What `CreateSession` makes sessions of: guest messaging.
    #[serde(default)]
    pub session_templates: Vec<SessionTemplateConfig>,
    /// Sessions that `CreateSession` may keep open at once.
    #[serde(default = "default_max_dynamic_sessions")]
    #[schemars(range(max = 100_000))]
    pub max_dynamic_sessions: u32,
    /// File that holds the key (32 bytes, base64 or hex) that seals credentials kept on disk: rotated
    /// refresh tokens, channels and cursors of platforms.
    #[serde(default)]
    pub state_key_file: Option<PathBuf>,
    /// How long an orderly end may take.
    #[serde(default = "default_drain_timeout")]
    pub drain_timeout: HumanDuration,
}

/// Addresses to serve on: `host:port`, or `unix:/path` where it says so.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenConfig {
    /// The gRPC services: `host:port` or `unix:/path`. Beyond loopback `tls` and `auth` must be given.
    pub grpc: Vec<String>,
    /// `/livez`, `/readyz`, `/startupz` and gRPC health; no data. Empty turns it off.
    pub health: String,
    /// The console, the status and `AdminService`: `host:port` or `unix:/path`. Over TCP nothing can
    /// be changed without a credential that may, and beyond loopback nothing can be seen; the socket
    /// belongs to its owner. None turns it off.
    pub admin: Vec<String>,
    /// Whether the live tail of the console may show payloads, which are customers' words.
    pub admin_payloads: bool,
    /// Names besides those of loopback under which the console may be asked for, as in `Host`.
    pub admin_hosts: Vec<String>,
    /// TLS of the TCP addresses of `grpc`, and of those of `admin` beyond loopback.
    pub tls: Option<ListenTlsConfig>,
    /// Who may call. Where it is not given, everybody who reaches a listener may do what it serves.
    pub auth: Option<ListenAuthConfig>,
    /// What to leave insecure beyond loopback, in words that say so.
    pub insecure: Option<Insecure>,
    /// Origins whose pages may call the gRPC services by gRPC-Web, as browsers write them:
    /// `https://wallboard.example.com`. None: no browser is served.
    pub allowed_origins: Vec<String>,
    /// Names besides those of loopback, and addresses, under which browsers may call the gRPC services.
    pub grpc_hosts: Vec<String>,
    /// Proxies before the gRPC services, as addresses or networks (`10.0.0.0/8`), that are believed when
    /// they say in `X-Forwarded-For` or `Forwarded` for whom they call.
    pub trusted_proxies: Vec<String>,
    /// Bounds on what callers may ask for.
    pub limits: LimitsConfig,
}

/// Bounds on what callers may ask for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Streams open at once, over all callers.
    pub subscribers: u32,
    /// Streams open at once of one principal, where `auth` says who calls.
    pub per_principal: u32,
    /// Messages and new guests' sessions in a minute of one principal, likewise.
    pub sends_per_minute: u32,
    /// The most a response may hold; at most 3.5 MiB.
    pub message: ByteSize,
    /// Connections at once, over all addresses of `grpc`. Once there are so many, one without a call
    /// makes room for the next.
    pub connections: u32,
    /// Streams at once on one connection.
    pub streams_per_connection: u32,
    /// Bounds on one peer.
    pub per_peer: PeerLimitsConfig,
    /// When a stream ends with `STREAM_MAX_AGE`, give or take a tenth, to be resumed at once; its
    /// connection is asked to go at that age as well. Without it streams do not end by age.
    pub max_stream_age: Option<HumanDuration>,
}

/// Bounds on one peer: an address (of IPv6 a network of /64), or a user over a Unix socket.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PeerLimitsConfig {
    /// Connections at once.
    pub connections: u32,
    /// Calls at once, streams among them.
    pub streams: u32,
    /// New connections in a second, after as many as `connections` in a burst.
    pub connections_per_second: u32,
}

impl Default for PeerLimitsConfig {
    fn default() -> Self {
        Self {
            connections: 1024,
            streams: 2048,
            connections_per_second: 200,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            subscribers: 1000,
            per_principal: 100,
            sends_per_minute: 3000,
            message: ByteSize::from_mib(1),
            connections: 2048,
            streams_per_connection: 1024,
            per_peer: PeerLimitsConfig::default(),
            max_stream_age: None,
        }
    }
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            grpc: vec!["127.0.0.1:7443".to_owned()],
            health: "0.0.0.0:7444".to_owned(),
            admin: vec!["127.0.0.1:7445".to_owned()],
            admin_payloads: false,
            admin_hosts: Vec::new(),
            tls: None,
            auth: None,
            insecure: None,
            allowed_origins: Vec::new(),
            grpc_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            limits: LimitsConfig::default(),
        }
    }
}

fn default_journals() -> Vec<JournalConfig> {
    use crate::domain::JournalName;
    JournalName::new("default")
        .map(|name| JournalConfig {
            name,
            path: "/var/lib/tieline/default".into(),
            store: crate::journal::StoreConfig::default(),
            retention: crate::journal::RetentionConfig::default(),
        })
        .into_iter()
        .collect()
}

fn default_max_dynamic_sessions() -> u32 {
    500
}

fn default_drain_timeout() -> HumanDuration {
    HumanDuration::from_secs(10)
}
