//! `tieline sandbox --platform genesys-events` and `cxone-realtime`: one machine, two dialects.

use super::{Platform, Refused, Running, SandboxArgs};
use crate::runtime::{Clock, HumanDuration, Rng, TaskFailure};
use crate::sandbox::fault::FaultName;
use crate::sandbox::{EventsDialect, Sandbox, SandboxConfig};

/// A token lives for so long where nothing else is said.
const TOKEN_LIFETIME: HumanDuration = HumanDuration::from_secs(300);

pub(super) const HELP: &str = "\
genesys-events serves POST /oauth/token, /api/v2/events/subscribe (WebSocket and long poll), history and
health; cxone-realtime the same as POST /auth/token and below /realtime/v1.
Faults:
  handshake   strip_upgrade {status}  swallow_101  frame_error {status}
  connection  websocket_reset {after, mid_frame}  websocket_close {code, reason, after}
              freeze {transport: any|websocket|poll}  drop_pongs  latency {delay, jitter}
              platform_down  connection_limit {max}
  events      duplicate {what: event|batch}  reorder {depth}  skip {history}  late {after}
              restart_numbering  oversize_event {size}
              malformed_event {form: no_type|wrong_types|scalar}
  polls       poll_status {status, retry_after, after}  poll_reset_in_hold {after}
              truncated_body {cut_connection}  not_json {transport}  empty_200_at_once {batch}
  tokens      token_down {status}  token_slow {delay}  expire_tokens_now
              token_error {error: invalid_client|invalid_grant|rate_limit|rate_limit400}
  history     history_down {status}  history_gone {status}  history_slow {delay}
  health      health_down {status}
Control API:
  GET    /ledger?after=N&limit=N        every event issued: number, type, SHA-256, time, fate
  GET    /requests?after=N&limit=N      every request: time, kind, position asked for, outcome
  GET    /deliveries?after=N&limit=N    every batch put on the wire
  POST   /emit                          {\"count\": 10} or {\"channel\": …, \"data\": …}
  POST   /expire-tokens  /restart-numbering
";

pub(super) async fn start(args: &SandboxArgs, clock: Clock, rng: Rng) -> Result<Sandbox, Refused> {
    let hold = args.hold.0;
    let config = SandboxConfig {
        dialect: dialect(args),
        listen: args.listen,
        control: args.control,
        tls_ca_out: args.tls_ca_out.clone(),
        tls_client_ca: args.tls_client_ca.clone(),
        channels: args.channels.clone(),
        rate: args.rate(),
        payload: args.payload,
        token_lifetime: args.token_lifetime.unwrap_or(TOKEN_LIFETIME).0,
        hold_min: hold.mul_f64(5.0 / 6.0),
        hold_max: hold,
        script: args.script().await?,
        ..SandboxConfig::default()
    };
    Ok(Sandbox::start(config, clock, rng).await?)
}

fn dialect(args: &SandboxArgs) -> EventsDialect {
    match args.platform {
        Platform::CxoneRealtime => EventsDialect::CxoneRealtime,
        _ => EventsDialect::GenesysEvents,
    }
}

impl Running for Sandbox {
    fn greeting(&self, args: &SandboxArgs, seed: u64) -> String {
        greeting(self, args, seed)
    }

    fn announcement(&self, seed: u64) -> String {
        announcement(self, seed)
    }

    fn farewell(&self) -> String {
        farewell(self)
    }

    async fn failed(&mut self) -> Option<TaskFailure> {
        self.failed().await
    }

    async fn shutdown(self) {
        self.shutdown().await;
    }
}

fn greeting(sandbox: &Sandbox, args: &SandboxArgs, seed: u64) -> String {
    let client = sandbox.client_credentials();
    let dialect = dialect(args);
    let endpoint = sandbox.endpoint();
    let endpoint = endpoint.as_str().trim_end_matches('/');
    let control = format!("{}control/v1", sandbox.control_url());
    let ca = args
        .tls_ca_out
        .as_ref()
        .map_or_else(String::new, |path| format!(" --cacert {}", path.display()));
    let tls = args.tls_ca_out.as_ref().map_or_else(String::new, |path| {
        format!("\n    tls: {{ ca_file: {} }}", path.display())
    });
    let channels: Vec<_> = args
        .channels
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    let channels = channels.join(",");
    format!(
        "platform   {platform} at {endpoint}
control    {control}
client id  {id}
secret     {secret}
refresh    {refresh}
seed       {seed}

A configuration for `tieline run`:
  export CLIENT_ID={id} CLIENT_SECRET={secret}
  cat > tieline.yaml <<'END'
journals: [{{ name: default, path: ./journal }}]
sessions:
  - name: contact-centre
    platform: {platform}
    endpoint: {endpoint}{tls}
    auth: {{ grant: client_credentials, client_id_env: CLIENT_ID, client_secret_env: CLIENT_SECRET }}
    channels: [{names}]
END
  tieline run --config tieline.yaml

A token, and what happened since the start:
  TOKEN=$(curl -s{ca} -u {id}:{secret} -d grant_type=client_credentials {endpoint}{token} | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
  curl{ca} -H \"Authorization: Bearer $TOKEN\" -d '{{\"channels\":[{channels}],\"polling\":true,\"sequence\":0}}' {endpoint}{subscribe}
What was issued, and something that goes wrong:
  curl '{control}/ledger?after=0&limit=5'
  curl -X PUT -d '{{\"status\":426,\"for\":\"10s\"}}' {control}/faults/strip_upgrade

",
        platform = dialect.platform(),
        token = dialect.token_path(),
        subscribe = dialect.subscribe_path(),
        names = args.channels.join(", "),
        id = client.id,
        secret = client.secret,
        refresh = client.refresh_token,
    )
}

/// What a script needs to know, on one line.
fn announcement(sandbox: &Sandbox, seed: u64) -> String {
    let client = sandbox.client_credentials();
    let line = serde_json::json!({
        "endpoint": sandbox.endpoint(),
        "control": format!("{}control/v1", sandbox.control_url()),
        "client_id": client.id,
        "client_secret": client.secret,
        "refresh_token": client.refresh_token,
        "seed": seed,
    });
    format!("{line}\n")
}

fn farewell(sandbox: &Sandbox) -> String {
    let counters = sandbox.counters();
    let issued = sandbox.ledger().page(0, 0).issued;
    let struck: u64 = FaultName::ALL
        .iter()
        .map(|name| sandbox.faults().struck(*name))
        .sum();
    format!(
        "issued {issued}, sent over WebSocket {}, over polls {}, from history {}; tokens {}; faults struck {struck}\n",
        counters.events_over_websocket,
        counters.events_over_poll,
        counters.events_from_history,
        sandbox.tokens_issued(),
    )
}
