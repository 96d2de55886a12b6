//! `tieline sandbox --platform genesys-notifications`.

use super::{Refused, Running, SandboxArgs};
use crate::runtime::{Clock, Rng, TaskFailure};
use crate::sandbox::genesys_cloud::{GenesysCloud, GenesysCloudConfig};

pub(super) const HELP: &str = "\
genesys-notifications serves POST /oauth/token, /api/v2 (users, presences, routing, queues, analytics,
conversations, workforce management, notifications) and GET /channels/ID on one host.
Faults:
  handshake   strip_upgrade {status}  swallow_101  refuse_handshake {status}
  sockets     socket_closing {notice, after}  websocket_close {code, reason, after}
              websocket_reset {after, mid_frame}  freeze  drop_heartbeats  drop_pongs
              latency {delay, jitter}
  frames      drop_event  duplicate  malformed_frame {form: truncated|text|no_topic|nul}
  channels    evict_channel {channel}  expire_channel {channel}  forbid_topic {topic, permission}
  tokens      token_down {status}  token_slow {delay}  expire_tokens_now  revoke_tokens_now
              token_error {error: invalid_client|invalid_grant|rate_limit|rate_limit400}
  API         rest_status {status, retry_after, under}  rest_slow {delay, under}  snapshot_lag {by}
  platform    platform_down  connection_limit {max}
Control API:
  GET    /world /channels               the contact centre as it stands, channels and their sockets
  GET    /ledger?after=N&limit=N        every event: number, time, topic, SHA-256, fate on each channel
  GET    /requests?after=N&limit=N      every request: time, operation, line, outcome
  POST   /changes                       {\"change\": NAME, …}: presence {user, presence}
         routing_status {user, status}  membership {queue, user, joined}  remove_member {queue, user}
         adherence {user, scheduled, state}  start_conversation {queue, media}
         advance_conversation {conversation, to, user}  end_conversation {conversation}
         utterance {conversation, text}  raw {topic, body}
  POST   /emit                          {\"count\": 10} changes of the story
  POST   /expire-tokens  /revoke-tokens  /close-channels
";

pub(super) async fn start(
    args: &SandboxArgs,
    clock: Clock,
    rng: Rng,
) -> Result<GenesysCloud, Refused> {
    let defaults = GenesysCloudConfig::default();
    let config = GenesysCloudConfig {
        listen: args.listen,
        control: args.control,
        tls_ca_out: args.tls_ca_out.clone(),
        tls_client_ca: args.tls_client_ca.clone(),
        users: args.users,
        queues: args.queues,
        rate: args.rate(),
        token_lifetime: args
            .token_lifetime
            .map_or(defaults.token_lifetime, |lifetime| lifetime.0),
        requests_per_minute: Some(args.requests_per_minute),
        channel_lifetime: args.channel_lifetime.0,
        heartbeat: args.heartbeat.0,
        snapshot_lag: args.snapshot_lag.0,
        script: args.script().await?,
        ..defaults
    };
    Ok(GenesysCloud::start(config, clock, rng).await?)
}

impl Running for GenesysCloud {
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
