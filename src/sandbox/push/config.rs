//! [`PushConfig`]: how the platform behaves when nothing goes wrong.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::fault::PushFault;
use crate::connectors::Profile;
use crate::sandbox::OnExpiry;
use crate::sandbox::script::Step;

/// In which words the platform speaks.
#[derive(Debug, Clone, PartialEq)]
pub enum PushDialect {
    /// genesys-streaming: heartbeats as frames.
    Streaming,
    /// genesys-adherence: the token in the address, two envelopes.
    Adherence,
    /// genesys-analytics: a first batch, then events alone or in arrays.
    Analytics,
    /// A vendor's own, as a profile describes it.
    Described(Arc<Profile>),
}

impl PushDialect {
    /// The platform's name in a configuration.
    #[must_use]
    pub const fn platform(&self) -> &'static str {
        match self {
            Self::Streaming => "genesys-streaming",
            Self::Adherence => "genesys-adherence",
            Self::Analytics => "genesys-analytics",
            Self::Described(_) => "custom",
        }
    }
}

/// How the platform behaves.
#[derive(Debug, Clone)]
pub struct PushConfig {
    /// In which words it speaks.
    pub dialect: PushDialect,
    /// Address of the platform.
    pub listen: SocketAddr,
    /// Address of the control API; loopback only.
    pub control: SocketAddr,
    /// Serves TLS with a certificate of an authority of its own, written to this file as PEM.
    pub tls_ca_out: Option<PathBuf>,
    /// With TLS, serves only clients with a certificate of an authority in this PEM file.
    pub tls_client_ca: Option<PathBuf>,
    /// Events per second.
    pub rate: f64,
    /// Bytes of an event's data at least.
    pub payload: usize,
    /// Lifetime of access tokens.
    pub token_lifetime: Duration,
    /// What happens to a socket whose token expires.
    pub on_expiry: OnExpiry,
    /// How long a socket may go without a heartbeat before it is closed, at least and at most: each
    /// draws its own; nothing comes of it where the dialect has no heartbeat.
    pub idle: (Duration, Duration),
    /// How soon after another a heartbeat may come.
    pub heartbeat_minimum: Duration,
    /// Events in the first batch, where the dialect has one.
    pub first_batch: usize,
    /// Events that may wait on a socket; beyond, the socket is closed.
    pub outbox: usize,
    /// Facts that are kept.
    pub ledger_capacity: usize,
    /// Requests that the token endpoint takes in a minute; `None` is unlimited.
    pub token_requests_per_minute: Option<u32>,
    /// Connections open at once.
    pub max_connections: usize,
    /// Faults and events by time.
    pub script: Vec<Step<PushFault>>,
}

impl PushConfig {
    /// A platform that speaks this dialect.
    #[must_use]
    pub fn new(dialect: PushDialect) -> Self {
        let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let heartbeat_minimum = match &dialect {
            PushDialect::Streaming => Duration::from_secs(15),
            _ => Duration::ZERO,
        };
        Self {
            dialect,
            listen: anywhere,
            control: anywhere,
            tls_ca_out: None,
            tls_client_ca: None,
            rate: 0.0,
            payload: 0,
            token_lifetime: Duration::from_secs(3600),
            on_expiry: OnExpiry::default(),
            idle: (Duration::from_secs(30), Duration::from_secs(60)),
            heartbeat_minimum,
            first_batch: 5,
            outbox: 10_000,
            ledger_capacity: 1_000_000,
            token_requests_per_minute: Some(300),
            max_connections: 1024,
            script: Vec::new(),
        }
    }

    /// What is wrong with the settings; empty where nothing is.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let checks = [
            (
                self.control.ip().is_loopback(),
                "the control API listens on loopback only",
            ),
            (
                (0.0..=1_000_000.0).contains(&self.rate),
                "the rate lies between 0 and 1000000 events a second",
            ),
            (self.payload <= 1 << 20, "a payload has at most 1 MiB"),
            (
                !self.token_lifetime.is_zero(),
                "a token lives longer than nothing",
            ),
            (
                self.idle.0 <= self.idle.1,
                "the shortest idle time is longer than the longest",
            ),
            (self.outbox > 0, "a socket has room for an event"),
            (
                match &self.dialect {
                    PushDialect::Described(profile) => {
                        profile.websocket.is_some() && profile.numbering.is_none()
                    }
                    _ => true,
                },
                "a profile is simulated that has a WebSocket and no numbers",
            ),
        ];
        let wrong = checks.into_iter().filter(|(good, _)| !good);
        let mut problems: Vec<_> = wrong.map(|(_, problem)| problem.to_owned()).collect();
        if let PushDialect::Described(profile) = &self.dialect {
            let mistakes = profile.mistakes().into_iter();
            problems.extend(mistakes.map(|mistake| format!("profile: {mistake}")));
        }
        problems
    }
}
