//! `tieline sandbox --platform cxone-agent`.

use super::{Refused, Running, SandboxArgs};
use crate::runtime::{Clock, Rng, TaskFailure};
use crate::sandbox::cxone::{CxoneAgent, CxoneConfig};

pub(super) const HELP: &str = "\
cxone-agent serves discovery, POST /auth/token and the sessions of the Agent API on one host.
Faults:
  polls       poll_status {status, retry_after, after}  poll_reset_in_hold {after}  lost_answer
              truncated_body {cut_connection}  not_json  empty_200_at_once {batch}  slow_answer {delay}
  sessions    stale_session  end_session {announced}  forget_session  session_refused {status}
  events      lower_case_type  session_start_last  unknown_type  oversize_event {size}
              malformed_event {form: no_type|wrong_types|scalar}
  tokens      token_down {status}  token_slow {delay}  expire_tokens_now
              token_error {error: invalid_client|invalid_grant|rate_limit|rate_limit400}
  discovery   discovery_down {status}  discovery_foreign_host {host}
  connection  latency {delay, jitter}  freeze  platform_down  connection_limit {max}
Control API:
  GET    /ledger?after=N&limit=N        every event issued: number, agent, type, SHA-256, time, fate
  GET    /answers?after=N&limit=N       every answer with a new session id, and what was in it
  GET    /requests?after=N&limit=N      every request: time, kind, how its session id stood, outcome
  POST   /agents/ID/change              {\"change\": NAME, …}: state {state, reason, acw}  offer {kind}
         contact {contact, status, ended}  custom {name, data}  event {event}  sign_in  sign_out
  POST   /emit                          {\"count\": 10} steps of the story
  POST   /expire-tokens
";

pub(super) async fn start(
    args: &SandboxArgs,
    clock: Clock,
    rng: Rng,
) -> Result<CxoneAgent, Refused> {
    let defaults = CxoneConfig::default();
    let config = CxoneConfig {
        listen: args.listen,
        control: args.control,
        tls_ca_out: args.tls_ca_out.clone(),
        tls_client_ca: args.tls_client_ca.clone(),
        agents: args.agents,
        rate: args.rate(),
        token_lifetime: args
            .token_lifetime
            .map_or(defaults.token_lifetime, |lifetime| lifetime.0),
        script: args.script().await?,
        ..defaults
    };
    Ok(CxoneAgent::start(config, clock, rng).await?)
}

impl Running for CxoneAgent {
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
