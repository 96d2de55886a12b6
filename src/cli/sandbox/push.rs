//! `tieline sandbox --platform genesys-streaming`, `genesys-adherence`, `genesys-analytics` and
//! `custom`: platforms that only push.

use std::sync::Arc;

use super::{Platform, Refused, Running, SandboxArgs};
use crate::config::{self, Sources};
use crate::connectors::{Profile, platforms};
use crate::runtime::{Clock, Rng, TaskFailure};
use crate::sandbox::push::{PushConfig, PushDialect, PushPlatform};

pub(super) const HELP: &str = "\
genesys-streaming, genesys-adherence and genesys-analytics serve a token endpoint and one WebSocket that pushes;
custom does so in the words of the profile in a configuration (--profile).
Faults:
  handshake   strip_upgrade {status}  swallow_101  refuse_handshake {status}  frame_error {status, code}
  connection  websocket_reset {after, mid_frame}  websocket_close {code, reason, after}  freeze
              drop_pongs  silence  latency {delay, jitter}  platform_down  connection_limit {max}
  heartbeats  drop_acknowledgements  late_acknowledgements {delay}  refuse_heartbeat
  events      duplicate  repeat_on_connect {events}  drop_event  not_json  oversize_event {size}
              malformed_event {form: no_type|wrong_types|scalar}
  tokens      token_down {status}  token_slow {delay}  expire_tokens_now
              token_error {error: invalid_client|invalid_grant|rate_limit|rate_limit400}
Control API:
  GET    /ledger?after=N&limit=N        every event: number, time, type, SHA-256, fate on each socket
  GET    /requests?after=N&limit=N      every request: time, what for, outcome
  GET    /heartbeats?after=N&limit=N    every heartbeat: time, size, how long after another, verdict
  POST   /emit                          {\"count\": 10}
  POST   /expire-tokens
";

pub(super) async fn start(
    args: &SandboxArgs,
    clock: Clock,
    rng: Rng,
) -> Result<PushPlatform, Refused> {
    let dialect = match args.platform {
        Platform::GenesysAdherence => PushDialect::Adherence,
        Platform::GenesysAnalytics => PushDialect::Analytics,
        Platform::Custom => PushDialect::Described(profile(args)?),
        _ => PushDialect::Streaming,
    };
    let defaults = PushConfig::new(dialect);
    let config = PushConfig {
        listen: args.listen,
        control: args.control,
        tls_ca_out: args.tls_ca_out.clone(),
        tls_client_ca: args.tls_client_ca.clone(),
        rate: args.rate(),
        payload: args.payload,
        token_lifetime: args
            .token_lifetime
            .map_or(defaults.token_lifetime, |lifetime| lifetime.0),
        script: args.script().await?,
        ..defaults
    };
    Ok(PushPlatform::start(config, clock, rng).await?)
}

/// The profile of the first session that has one.
fn profile(args: &SandboxArgs) -> Result<Arc<Profile>, Refused> {
    let refused = |what: String, problem: String| Refused::Configuration {
        what,
        problems: vec![problem],
    };
    let Some(file) = &args.profile else {
        let problem = "platform custom needs --profile, a configuration with its profile";
        return Err(refused("sandbox".to_owned(), problem.to_owned()));
    };
    let sources = Sources {
        file: file.clone(),
        variables: std::env::vars().collect(),
        flags: Vec::new(),
        platforms: platforms(),
    };
    let loaded = config::load(&sources)
        .map_err(|findings| refused(file.display().to_string(), findings.to_string()))?;
    let mut profiles = loaded.config.sessions.into_iter().filter_map(|s| s.profile);
    profiles.next().ok_or_else(|| {
        let problem = "no session of it has a profile".to_owned();
        refused(file.display().to_string(), problem)
    })
}

impl Running for PushPlatform {
    fn greeting(&self, _: &SandboxArgs, seed: u64) -> String {
        self.greeting(seed)
    }

    fn announcement(&self, seed: u64) -> String {
        self.announcement(seed)
    }

    fn farewell(&self) -> String {
        self.farewell()
    }

    async fn failed(&mut self) -> Option<TaskFailure> {
        self.failed().await
    }

    async fn shutdown(self) {
        self.shutdown().await;
    }
}
