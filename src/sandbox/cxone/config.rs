//! [`CxoneConfig`]: how the simulated tenant behaves when nothing goes wrong.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::fault::CxoneFault;
use crate::sandbox::script::Step;

/// Agents at most.
const MOST_AGENTS: usize = 1_000;

/// How the simulated tenant behaves. Where the platform's behaviour is not documented, the field
/// says so.
#[derive(Debug, Clone)]
pub struct CxoneConfig {
    /// Address of the platform.
    pub listen: SocketAddr,
    /// Address of the control API; loopback only.
    pub control: SocketAddr,
    /// Serves TLS with a certificate of an authority of its own, written to this file as PEM.
    pub tls_ca_out: Option<PathBuf>,
    /// With TLS, serves only clients with a certificate of an authority in this PEM file.
    pub tls_client_ca: Option<PathBuf>,
    /// How many agents there are; each has an access key.
    pub agents: usize,
    /// Whether every agent has signed in at a desktop, so that their sessions can be joined.
    pub signed_in: bool,
    /// Changes of the story per second, over all agents.
    pub rate: f64,
    /// Lifetime of access tokens.
    pub token_lifetime: Duration,
    /// Lifetime of refresh tokens.
    pub refresh_lifetime: Duration,
    /// Whether a refresh token is good only once (not documented).
    pub rotate_refresh_tokens: bool,
    /// Whether a token that expires while a poll is held ends the hold with 401 (not documented).
    pub expiry_ends_holds: bool,
    /// Old session ids that are remembered as old; those before are unknown (not documented).
    pub remembered_ids: usize,
    /// Whether the id before the present one is answered with the last answer once more, instead
    /// of with a snapshot (not documented).
    pub replay_last: bool,
    /// Whether answers to polls carry `icbranchvalue` (not documented that all do).
    pub branch_value: bool,
    /// Events that wait for a poll; one more, and the platform tells that events were missed.
    pub queue_capacity: usize,
    /// A session that nobody polls for so long ends (not documented).
    pub idle_timeout: Option<Duration>,
    /// Facts, answers and requests that are remembered, of each.
    pub ledger_capacity: usize,
    /// Requests that the token endpoint takes in a minute; `None` is unlimited.
    pub token_requests_per_minute: Option<u32>,
    /// Connections open at once.
    pub max_connections: usize,
    /// Faults and steps of the story by time.
    pub script: Vec<Step<CxoneFault>>,
}

impl Default for CxoneConfig {
    fn default() -> Self {
        let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            listen: any_port,
            control: any_port,
            tls_ca_out: None,
            tls_client_ca: None,
            agents: 3,
            signed_in: true,
            rate: 0.0,
            token_lifetime: Duration::from_secs(3_600),
            refresh_lifetime: Duration::from_secs(7_200),
            rotate_refresh_tokens: false,
            expiry_ends_holds: false,
            remembered_ids: 16,
            replay_last: false,
            branch_value: true,
            queue_capacity: 1_000,
            idle_timeout: None,
            ledger_capacity: 100_000,
            token_requests_per_minute: None,
            max_connections: 512,
            script: Vec::new(),
        }
    }
}

impl CxoneConfig {
    /// What is wrong with it, if anything.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |good: bool, problem: &str| {
            if !good {
                problems.push(problem.to_owned());
            }
        };
        check(self.control.ip().is_loopback(), "control: loopback only");
        check(
            (1..=MOST_AGENTS).contains(&self.agents),
            "agents: between 1 and 1000",
        );
        check(
            self.rate.is_finite() && self.rate >= 0.0,
            "rate: not negative",
        );
        check(
            !self.token_lifetime.is_zero() && !self.refresh_lifetime.is_zero(),
            "token_lifetime, refresh_lifetime: more than nothing",
        );
        check(self.queue_capacity > 0, "queue_capacity: at least 1");
        check(
            self.idle_timeout.is_none_or(|idle| !idle.is_zero()),
            "idle_timeout: more than nothing",
        );
        check(self.max_connections > 0, "max_connections: at least 1");
        problems
    }
}
