//! `tieline sandbox`: the simulated platform alone.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::CommandError;
use crate::runtime::{Clock, EndSignals, HumanDuration, Rng};
use crate::sandbox::fault::FaultName;
use crate::sandbox::{DEFAULT_CHANNELS, Sandbox, SandboxConfig, StartError, script};

/// `EX_CONFIG` of sysexits.
const BAD_CONFIGURATION: u8 = 78;

/// Simulate a contact-centre platform on real sockets, with faults on demand.
///
/// Serves the platform genesys-events: OAuth tokens, WebSocket, long poll, history and health. What
/// goes wrong is set over the control API or played from a script.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(super) struct SandboxArgs {
    /// Address of the platform
    #[arg(long, default_value = "127.0.0.1:7480")]
    listen: SocketAddr,
    /// Address of the control API, on loopback
    #[arg(long, default_value = "127.0.0.1:7481")]
    control: SocketAddr,
    /// Serve TLS, and write the certificate of the sandbox's own authority to this file
    #[arg(long, value_name = "FILE")]
    tls_ca_out: Option<PathBuf>,
    /// Channels of the platform
    #[arg(long, value_delimiter = ',', default_values_t = DEFAULT_CHANNELS.map(str::to_owned))]
    channels: Vec<String>,
    /// Events issued per second
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// Bytes of an event's data, at least
    #[arg(long, default_value_t = 0)]
    payload: usize,
    /// Repeat the story of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// Play faults and bursts from this file (YAML or JSON)
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Lifetime of access tokens
    #[arg(long, default_value = "300s")]
    token_lifetime: HumanDuration,
    /// Longest hold of a poll; the shortest is five sixths of it
    #[arg(long, default_value = "30s")]
    hold: HumanDuration,
    /// End after this long
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<HumanDuration>,
    /// Print addresses and credentials as one line of JSON
    #[arg(long)]
    json: bool,
}

impl SandboxArgs {
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        run(self)
            .await
            .map_err(|error| CommandError::Failed(error.into()))
    }
}

const AFTER_HELP: &str = "\
Example:
  tieline sandbox --rate 50 --seed 7 --script faults.yaml

A script is a list. Each entry has `at`, counted from the start, and one of `fault`, `clear`, `emit`, `rate`:
  - { at: 5s, fault: strip_upgrade, status: 426, for: 10s }
  - { at: 20s, fault: skip, history: true, count: 3 }
  - { at: 30s, emit: 500 }
  - { at: 40s, clear: all }

Faults take their parameters and the limits count, for and probability (between 0 and 1):
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

Control API (JSON, below /control/v1):
  GET    /state /counters /faults       what is open, what was asked and answered, what strikes
  GET    /ledger?after=N&limit=N        every event issued: number, type, SHA-256, time, fate
  GET    /requests?after=N&limit=N      every request: time, kind, position asked for, outcome
  GET    /deliveries?after=N&limit=N    every batch put on the wire
  PUT    /faults/NAME                   sets a fault; the body holds parameters and limits
  DELETE /faults/NAME  /faults          clears one, clears all
  POST   /emit                          {\"count\": 10} or {\"channel\": …, \"data\": …}
  PUT    /rate                          {\"per_second\": 100}
  POST   /expire-tokens  /restart-numbering";

/// Runs the sandbox until it is interrupted, or for as long as it was told.
///
/// # Errors
/// When an address cannot be had, a file not be read or written, or a part of the sandbox fails.
async fn run(args: SandboxArgs) -> anyhow::Result<ExitCode> {
    let script = match &args.script {
        None => Vec::new(),
        Some(path) => {
            let text = tokio::fs::read_to_string(path)
                .await
                .with_context(|| format!("read {}", path.display()))?;
            match script::parse(&text) {
                Ok(script) => script,
                Err(invalid) => return refused(&path.display().to_string(), &invalid.problems),
            }
        }
    };
    let hold = args.hold.0;
    let config = SandboxConfig {
        listen: args.listen,
        control: args.control,
        tls_ca_out: args.tls_ca_out.clone(),
        channels: args.channels.clone(),
        rate: args.rate,
        payload: args.payload,
        token_lifetime: args.token_lifetime.0,
        hold_min: hold.mul_f64(5.0 / 6.0),
        hold_max: hold,
        script,
        ..SandboxConfig::default()
    };
    let mut signals = EndSignals::listen()?;
    let rng = args.seed.map_or_else(Rng::from_entropy, Rng::from_seed);
    let seed = rng.seed();
    let mut sandbox = match Sandbox::start(config, Clock::system(), rng).await {
        Err(StartError::Invalid { problems }) => return refused("sandbox", &problems),
        started => started?,
    };
    let greeting = if args.json {
        announcement(&sandbox, seed)
    } else {
        greeting(&sandbox, &args, seed)
    };
    std::io::stdout().write_all(greeting.as_bytes())?;
    tokio::select! {
        () = end(args.duration, &mut signals) => {}
        failure = sandbox.failed() => if let Some(failure) = failure {
            return Err(failure.into());
        }
    }
    let farewell = farewell(&sandbox);
    sandbox.shutdown().await;
    if !args.json {
        std::io::stdout().write_all(farewell.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(what: &str, problems: &[String]) -> anyhow::Result<ExitCode> {
    for problem in problems {
        writeln!(std::io::stderr(), "{what}: {problem}")?;
    }
    Ok(ExitCode::from(BAD_CONFIGURATION))
}

/// Completes when the time is over or the process is asked to end.
async fn end(duration: Option<HumanDuration>, signals: &mut EndSignals) {
    let time = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration.0).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time => {}
        _ = signals.next() => {}
    }
}

fn greeting(sandbox: &Sandbox, args: &SandboxArgs, seed: u64) -> String {
    let client = sandbox.client_credentials();
    let endpoint = sandbox.endpoint();
    let endpoint = endpoint.as_str().trim_end_matches('/');
    let control = format!("{}control/v1", sandbox.control_url());
    let ca = args
        .tls_ca_out
        .as_ref()
        .map_or_else(String::new, |path| format!(" --cacert {}", path.display()));
    let channels: Vec<_> = args
        .channels
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    let channels = channels.join(",");
    format!(
        "platform   genesys-events at {endpoint}
control    {control}
client id  {id}
secret     {secret}
refresh    {refresh}
seed       {seed}

A token, and what happened since the start:
  TOKEN=$(curl -s{ca} -u {id}:{secret} -d grant_type=client_credentials {endpoint}/oauth/token | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
  curl{ca} -H \"Authorization: Bearer $TOKEN\" -d '{{\"channels\":[{channels}],\"polling\":true,\"sequence\":0}}' {endpoint}/api/v2/events/subscribe
What was issued, and something that goes wrong:
  curl '{control}/ledger?after=0&limit=5'
  curl -X PUT -d '{{\"status\":426,\"for\":\"10s\"}}' {control}/faults/strip_upgrade

",
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, FromArgMatches, Parser};

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        args: SandboxArgs,
    }

    fn args(line: &str) -> SandboxArgs {
        let words = ["tieline"].into_iter().chain(line.split_whitespace());
        let matches = Alone::command().try_get_matches_from(words).unwrap();
        Alone::from_arg_matches(&matches).unwrap().args
    }

    #[test]
    fn the_help_names_every_fault_and_path() {
        let help = Alone::command().render_long_help().to_string();
        for name in FaultName::ALL {
            assert!(help.contains(name.as_str()), "{name}");
        }
        for path in [
            "/state",
            "/ledger",
            "/deliveries",
            "/emit",
            "/rate",
            "/expire-tokens",
        ] {
            assert!(help.contains(path), "{path}");
        }
        Alone::command().debug_assert();
    }

    #[tokio::test]
    async fn it_ends_by_itself_with_status_zero() {
        let args = args("--listen 127.0.0.1:0 --control 127.0.0.1:0 --rate 1000 --for 50ms");
        assert_eq!(run(args).await.unwrap(), ExitCode::SUCCESS);
    }

    #[tokio::test]
    async fn a_wrong_script_or_setting_is_a_wrong_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faults.yaml");
        std::fs::write(&path, "- { at: 1s, fault: gremlins }").unwrap();
        let line = format!(
            "--listen 127.0.0.1:0 --control 127.0.0.1:0 --script {}",
            path.display()
        );
        let expected = ExitCode::from(BAD_CONFIGURATION);
        assert_eq!(run(args(&line)).await.unwrap(), expected);
        let line = "--listen 127.0.0.1:0 --control 0.0.0.0:0";
        assert_eq!(run(args(line)).await.unwrap(), expected);
        assert!(run(args("--script no-such-file")).await.is_err());
    }

    #[tokio::test]
    async fn the_greeting_says_how_to_reach_it() {
        let sandbox = Sandbox::start(SandboxConfig::default(), Clock::system(), Rng::from_seed(7))
            .await
            .unwrap();
        let text = greeting(&sandbox, &args("--seed 7"), 7);
        let endpoint = sandbox.endpoint();
        assert!(text.contains(endpoint.as_str().trim_end_matches('/')));
        assert!(text.contains(&sandbox.client_credentials().secret));
        assert!(text.contains(&format!("{}control/v1/ledger", sandbox.control_url())));
    }
}
