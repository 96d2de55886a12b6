//! `tieline sandbox --platform genesys-web-messaging` and `genesys-webchat`: platforms for guests.

use super::{Platform, Refused, Running, SandboxArgs};
use crate::runtime::{Clock, Rng, TaskFailure};
use crate::sandbox::guests::{GuestConfig, GuestDialect, GuestPlatform};

pub(super) const HELP: &str = "\
genesys-web-messaging serves a deployment's configuration, the guests' sockets at /v1 and their history;
genesys-webchat serves a token endpoint, guests, their sockets, and sending over REST.
Faults of both:
  handshake   strip_upgrade {status}  swallow_101  refuse_handshake {status, retry_after}
  connection  websocket_reset {after, mid_frame}  websocket_close {code, reason, after}  freeze
              drop_pongs  silence  latency {delay, jitter}  platform_down  connection_limit {max}
  messages    cut_before_taking  cut_after_taking  cut_in_echo  late_arrival {after, after_history, echo}
              late_echo {delay}  lost_echo  throttle {retry_after}  message_error {code, taken}
              nameless_errors
  sessions    expire_session  refuse_session {code}  forget_session  supersede {after}
  agent       duplicate  reorder {within}  lost_push
              malformed_frame {form: not_json|scalar|wrong_types|unknown_class}
  REST        truncated_body
Faults of genesys-web-messaging: drop_health  refuse_jwt {code}  expire_jwts_now
              history_down {status, retry_after}  history_slow {delay}  history_late {delay}
Faults of genesys-webchat: refuse_guest {status, retry_after}  token_down {status}  token_slow {delay}
              token_error {error: invalid_client|invalid_grant|rate_limit|rate_limit400}  expire_tokens_now
Control API:
  GET    /messages?after=N&limit=N      the record: each message taken, its session, ids, time, receipt
  GET    /said?after=N&limit=N          what the agent said, and on which sockets
  GET    /sessions?after=ID&limit=N     sessions: conversation, sockets, whether they are over
  GET    /requests?after=N&limit=N      every request: time, what for, outcome
  POST   /sessions/ID/say               {\"text\": …, \"choices\": […]}; ID * is every session
  POST   /sessions/ID/end               the conversation can only be read from then on
  POST   /sessions/ID/DEED              expire  clear  forget  supersede
  POST   /emit                          {\"count\": 10} messages of the agent
  POST   /restart                       {\"down\": \"2s\"}: cuts every connection, keeps sessions
  POST   /expire-tokens
";

pub(super) async fn start(
    args: &SandboxArgs,
    clock: Clock,
    rng: Rng,
) -> Result<GuestPlatform, Refused> {
    let dialect = match args.platform {
        Platform::GenesysWebchat => GuestDialect::Webchat,
        _ => GuestDialect::WebMessaging,
    };
    let defaults = GuestConfig::new(dialect);
    let lifetime = args.token_lifetime.map(|lifetime| lifetime.0);
    let config = GuestConfig {
        listen: args.listen,
        control: args.control,
        tls_ca_out: args.tls_ca_out.clone(),
        tls_client_ca: args.tls_client_ca.clone(),
        rate: args.rate.unwrap_or(defaults.rate),
        deployment_id: args
            .deployment
            .clone()
            .unwrap_or_else(|| defaults.deployment_id.clone()),
        allowed_origins: args.origins.clone(),
        session_duration: args.session_duration.0,
        jwt_lifetime: lifetime.unwrap_or(defaults.jwt_lifetime),
        token_lifetime: lifetime.unwrap_or(defaults.token_lifetime),
        sockets_per_session: args.sockets_per_session,
        handshakes_per_second: args.handshakes_per_second,
        reply: args.reply,
        reply_delay: args.reply_delay.0,
        script: args.script().await?,
        ..defaults
    };
    Ok(GuestPlatform::start(config, clock, rng).await?)
}

impl Running for GuestPlatform {
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
