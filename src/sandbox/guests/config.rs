//! [`GuestConfig`]: how a platform for guests behaves when nothing goes wrong.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::fault::GuestFault;
use crate::sandbox::script::Step;

/// In which words the platform speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestDialect {
    /// genesys-web-messaging: a deployment, sessions by a token that the client makes, history.
    WebMessaging,
    /// genesys-webchat: OAuth, instances that the platform makes, sending over REST.
    Webchat,
}

impl GuestDialect {
    /// The platform's name in a configuration.
    #[must_use]
    pub const fn platform(self) -> &'static str {
        match self {
            Self::WebMessaging => "genesys-web-messaging",
            Self::Webchat => "genesys-webchat",
        }
    }
}

/// What the agent does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AgentReply {
    /// Nothing: it says what it is told to.
    #[default]
    Off,
    /// Says what it was told.
    Echo,
    /// Greets, answers, offers choices on `help`, and ends the conversation on `bye`.
    Script,
}

impl FromStr for AgentReply {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "echo" => Ok(Self::Echo),
            "script" => Ok(Self::Script),
            other => Err(format!("'{other}' is no way to reply: off, echo, script")),
        }
    }
}

/// How the platform behaves.
#[derive(Debug, Clone)]
pub struct GuestConfig {
    /// In which words it speaks.
    pub dialect: GuestDialect,
    /// Address of the platform.
    pub listen: SocketAddr,
    /// Address of the control API; loopback only.
    pub control: SocketAddr,
    /// Serves TLS with a certificate of an authority of its own, written to this file as PEM.
    pub tls_ca_out: Option<PathBuf>,
    /// With TLS, serves only clients with a certificate of an authority in this PEM file.
    pub tls_client_ca: Option<PathBuf>,
    /// The deployment that guests come to (web messaging).
    pub deployment_id: String,
    /// Origins that the deployment allows; empty allows all (web messaging).
    pub allowed_origins: Vec<String>,
    /// How long a guest's session lives after it was configured or last spoken in; that of a
    /// webchat is not prolonged.
    pub session_duration: Duration,
    /// Lifetime of a JWT for the history (web messaging).
    pub jwt_lifetime: Duration,
    /// Lifetime of access tokens (webchat).
    pub token_lifetime: Duration,
    /// Sockets that one session may have; the oldest makes way.
    pub sockets_per_session: usize,
    /// Messages that one session may send within a second.
    pub messages_per_second: usize,
    /// Handshakes that the whole platform takes within a second; `None` is unlimited.
    pub handshakes_per_second: Option<usize>,
    /// What the agent does by itself.
    pub reply: AgentReply,
    /// How long the agent thinks.
    pub reply_delay: Duration,
    /// What the agent says by itself, in messages a second over all open sessions.
    pub rate: f64,
    /// Frames that may wait on a socket; beyond, the socket is closed.
    pub outbox: usize,
    /// Messages of a conversation that the history keeps.
    pub history: usize,
    /// Messages of guests that the record keeps.
    pub record_capacity: usize,
    /// Guests' sessions that are kept; beyond, those without a socket are forgotten, the oldest first.
    pub max_sessions: usize,
    /// Requests that the token endpoint takes in a minute; `None` is unlimited (webchat).
    pub token_requests_per_minute: Option<u32>,
    /// Connections open at once.
    pub max_connections: usize,
    /// Faults and what the agent says, by time.
    pub script: Vec<Step<GuestFault>>,
}

impl GuestConfig {
    /// A platform that speaks this dialect.
    #[must_use]
    pub fn new(dialect: GuestDialect) -> Self {
        let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            dialect,
            listen: anywhere,
            control: anywhere,
            tls_ca_out: None,
            tls_client_ca: None,
            deployment_id: "6f0f0c0e-8a9c-4b8e-9d5e-2f4b6c1d7e90".to_owned(),
            allowed_origins: Vec::new(),
            session_duration: Duration::from_secs(3600),
            jwt_lifetime: Duration::from_secs(900),
            token_lifetime: Duration::from_secs(3600),
            sockets_per_session: 3,
            messages_per_second: 2,
            handshakes_per_second: None,
            reply: AgentReply::Off,
            reply_delay: Duration::ZERO,
            rate: 0.0,
            outbox: 1000,
            history: 10_000,
            record_capacity: 1_000_000,
            max_sessions: 100_000,
            token_requests_per_minute: Some(300),
            max_connections: 20_000,
            script: Vec::new(),
        }
    }

    /// What is wrong with the settings; empty where nothing is.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let longest = Duration::from_secs(365 * 24 * 3600);
        let lives = |duration: Duration| !duration.is_zero() && duration <= longest;
        let checks = [
            (
                self.control.ip().is_loopback(),
                "the control API listens on loopback only",
            ),
            (
                !self.deployment_id.is_empty(),
                "a deployment has an id that is not empty",
            ),
            (
                lives(self.session_duration)
                    && lives(self.jwt_lifetime)
                    && lives(self.token_lifetime),
                "sessions, JWTs and tokens live longer than nothing, and a year at most",
            ),
            (
                self.reply_delay <= Duration::from_secs(3600),
                "the agent thinks for an hour at most",
            ),
            (
                self.sockets_per_session > 0,
                "a session may have a socket at least",
            ),
            (
                self.messages_per_second > 0,
                "a session may send a message in a second at least",
            ),
            (
                self.handshakes_per_second != Some(0),
                "the platform takes a handshake in a second at least",
            ),
            (
                (0.0..=1_000_000.0).contains(&self.rate),
                "the rate lies between 0 and 1000000 messages a second",
            ),
            (
                self.outbox > 0 && self.history > 0 && self.max_sessions > 0,
                "there is room for a frame, a message and a session",
            ),
        ];
        let wrong = checks.into_iter().filter(|(good, _)| !good);
        wrong.map(|(_, problem)| problem.to_owned()).collect()
    }
}
