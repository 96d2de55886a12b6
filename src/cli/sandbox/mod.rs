//! `tieline sandbox`: a simulated platform alone.

mod cxone;
mod events;
mod genesys;
mod guests;
mod push;

use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::CommandError;
use crate::runtime::{Clock, EndSignals, HumanDuration, Rng, TaskFailure, raise_open_files};
use crate::sandbox::fault::FaultKind;
use crate::sandbox::guests::AgentReply;
use crate::sandbox::script::{self, Step};
use crate::sandbox::{DEFAULT_CHANNELS, StartError};

/// `EX_CONFIG` of sysexits.
const BAD_CONFIGURATION: u8 = 78;

/// Simulate a contact-centre platform on real sockets, with faults on demand.
///
/// What goes wrong is set over the control API or played from a script. Below stand the faults and
/// the control API of each platform.
#[derive(Debug, Args)]
#[command(after_long_help = after_help())]
pub(super) struct SandboxArgs {
    /// Which platform
    #[arg(long, value_enum, default_value_t)]
    platform: Platform,
    /// Address of the platform
    #[arg(long, default_value = "127.0.0.1:7480")]
    listen: SocketAddr,
    /// Address of the control API, on loopback
    #[arg(long, default_value = "127.0.0.1:7481")]
    control: SocketAddr,
    /// Serve TLS, and write the certificate of the sandbox's own authority to this file
    #[arg(long, value_name = "FILE")]
    tls_ca_out: Option<PathBuf>,
    /// Serve only clients with a certificate of an authority in this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_ca_out")]
    tls_client_ca: Option<PathBuf>,
    /// Events, or changes that are told by several events, per second; messages of the agent on
    /// platforms for guests [default: 10, on platforms for guests 0]
    #[arg(long)]
    rate: Option<f64>,
    /// Repeat the story of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// Play faults and bursts from this file (YAML or JSON)
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Lifetime of access tokens [default: 300s, of genesys-notifications a day, of others than genesys-events and cxone-realtime an hour]
    #[arg(long)]
    token_lifetime: Option<HumanDuration>,
    /// End after this long
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<HumanDuration>,
    /// Print addresses and credentials as one line of JSON
    #[arg(long)]
    json: bool,
    /// Channels of the platform
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = DEFAULT_CHANNELS.map(str::to_owned),
        help_heading = "genesys-events, cxone-realtime"
    )]
    channels: Vec<String>,
    /// Bytes of an event's data, at least
    #[arg(
        long,
        default_value_t = 0,
        help_heading = "genesys-events, cxone-realtime and platforms that push"
    )]
    payload: usize,
    /// Longest hold of a poll; the shortest is five sixths of it
    #[arg(
        long,
        default_value = "30s",
        help_heading = "genesys-events, cxone-realtime"
    )]
    hold: HumanDuration,
    /// A configuration: the profile of its first session that has one is spoken
    #[arg(long, value_name = "FILE", help_heading = "custom")]
    profile: Option<PathBuf>,
    /// Agents
    #[arg(long, default_value_t = 24, help_heading = "genesys-notifications")]
    users: usize,
    /// Queues
    #[arg(long, default_value_t = 4, help_heading = "genesys-notifications")]
    queues: usize,
    /// How much older than events is what the API shows, at most 5s
    #[arg(long, default_value = "2s", help_heading = "genesys-notifications")]
    snapshot_lag: HumanDuration,
    /// How often a socket gets a heartbeat
    #[arg(long, default_value = "30s", help_heading = "genesys-notifications")]
    heartbeat: HumanDuration,
    /// How long a channel lives unless it is subscribed with again
    #[arg(long, default_value = "24h", help_heading = "genesys-notifications")]
    channel_lifetime: HumanDuration,
    /// Requests that may be made with one token in a minute
    #[arg(long, default_value_t = 300, help_heading = "genesys-notifications")]
    requests_per_minute: u32,
    /// Agents, each with a session of its own
    #[arg(long, default_value_t = 3, help_heading = "cxone-agent")]
    agents: usize,
    /// The deployment that guests come to
    #[arg(long, value_name = "ID", help_heading = "genesys-web-messaging")]
    deployment: Option<String>,
    /// Origins that the deployment allows; every one unless some are given
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ORIGIN",
        help_heading = "genesys-web-messaging"
    )]
    origins: Vec<String>,
    /// How long a guest's session lives after it was configured or last spoken in
    #[arg(long, default_value = "1h", help_heading = GUESTS)]
    session_duration: HumanDuration,
    /// Sockets that one session may have
    #[arg(long, default_value_t = 3, help_heading = GUESTS)]
    sockets_per_session: usize,
    /// Handshakes that are taken within a second; unlimited unless it is given
    #[arg(long, help_heading = GUESTS)]
    handshakes_per_second: Option<usize>,
    /// What the agent does by itself: off, echo, or script (greets, answers, offers choices on `help`,
    /// ends on `bye`)
    #[arg(long, default_value = "script", help_heading = GUESTS)]
    reply: AgentReply,
    /// How long the agent thinks
    #[arg(long, default_value = "0s", help_heading = GUESTS)]
    reply_delay: HumanDuration,
}

const GUESTS: &str = "genesys-web-messaging, genesys-webchat";
/// Events a second, where none is asked for.
const RATE: f64 = 10.0;

/// The platforms that are simulated, as they are called in a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Platform {
    /// The documented dialect of numbered events: tokens, WebSocket, long poll, history, health
    #[default]
    GenesysEvents,
    /// The same machine in the words of CXone's realtime API
    CxoneRealtime,
    /// Pushes data, and wants heartbeats
    GenesysStreaming,
    /// Pushes adherence, with the token in the address
    GenesysAdherence,
    /// Pushes analytics: a first batch, then events, then long silences
    GenesysAnalytics,
    /// Pushes in the words of a profile
    Custom,
    /// Genesys Cloud: tokens, API and notification sockets
    GenesysNotifications,
    /// NICE CXone: tokens, discovery and the polled sessions of agents
    CxoneAgent,
    /// Guests who write: a deployment, sockets, history
    GenesysWebMessaging,
    /// Guests who write: tokens, instances, sockets, sending over REST
    GenesysWebchat,
}

/// A platform that runs.
trait Running: Sized {
    /// Addresses, credentials and commands to try, for people.
    fn greeting(&self, args: &SandboxArgs, seed: u64) -> String;

    /// What a script needs to know, on one line.
    fn announcement(&self, seed: u64) -> String;

    /// What came to pass, on one line.
    fn farewell(&self) -> String;

    /// Completes when a part of it failed. Cancel-safe.
    fn failed(&mut self) -> impl Future<Output = Option<TaskFailure>> + Send;

    /// Ends everything and waits until it is gone.
    fn shutdown(self) -> impl Future<Output = ()> + Send;
}

/// Why nothing was started.
enum Refused {
    /// A setting or a script is wrong.
    Configuration {
        what: String,
        problems: Vec<String>,
    },
    Failed(anyhow::Error),
}

impl From<StartError> for Refused {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Invalid { problems } => Self::Configuration {
                what: "sandbox".to_owned(),
                problems,
            },
            error => Self::Failed(error.into()),
        }
    }
}

impl SandboxArgs {
    /// Events a second.
    fn rate(&self) -> f64 {
        self.rate.unwrap_or(RATE)
    }

    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        run(self)
            .await
            .map_err(|error| CommandError::Failed(error.into()))
    }

    /// Reads the script, if there is one.
    async fn script<F: FaultKind>(&self) -> Result<Vec<Step<F>>, Refused> {
        let Some(path) = &self.script else {
            return Ok(Vec::new());
        };
        let text = tokio::fs::read_to_string(path)
            .await
            .with_context(|| format!("read {}", path.display()))
            .map_err(Refused::Failed)?;
        script::parse(&text).map_err(|invalid| Refused::Configuration {
            what: path.display().to_string(),
            problems: invalid.problems,
        })
    }
}

/// Runs the sandbox until it is interrupted, or for as long as it was told.
///
/// # Errors
/// When an address cannot be had, a file not be read or written, or a part of the sandbox fails.
async fn run(args: SandboxArgs) -> anyhow::Result<ExitCode> {
    // Each client is a socket; what is too little shows when one is refused.
    let _limit = raise_open_files();
    let rng = args.seed.map_or_else(Rng::from_entropy, Rng::from_seed);
    let seed = rng.seed();
    let clock = Clock::system();
    match args.platform {
        Platform::GenesysEvents | Platform::CxoneRealtime => {
            serve(events::start(&args, clock, rng).await, &args, seed).await
        }
        Platform::GenesysStreaming
        | Platform::GenesysAdherence
        | Platform::GenesysAnalytics
        | Platform::Custom => serve(push::start(&args, clock, rng).await, &args, seed).await,
        Platform::GenesysNotifications => {
            serve(genesys::start(&args, clock, rng).await, &args, seed).await
        }
        Platform::CxoneAgent => serve(cxone::start(&args, clock, rng).await, &args, seed).await,
        Platform::GenesysWebMessaging | Platform::GenesysWebchat => {
            serve(guests::start(&args, clock, rng).await, &args, seed).await
        }
    }
}

async fn serve<R: Running>(
    started: Result<R, Refused>,
    args: &SandboxArgs,
    seed: u64,
) -> anyhow::Result<ExitCode> {
    let mut sandbox = match started {
        Ok(sandbox) => sandbox,
        Err(Refused::Failed(error)) => return Err(error),
        Err(Refused::Configuration { what, problems }) => {
            for problem in problems {
                writeln!(std::io::stderr(), "{what}: {problem}")?;
            }
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        }
    };
    let mut signals = EndSignals::listen()?;
    let greeting = match args.json {
        true => sandbox.announcement(seed),
        false => sandbox.greeting(args, seed),
    };
    std::io::stdout().write_all(greeting.as_bytes())?;
    tokio::select! {
        () = end(args.duration, &mut signals) => {}
        failure = sandbox.failed() => if let Some(failure) = failure {
            return Err(failure.into());
        }
    }
    let farewell = sandbox.farewell();
    sandbox.shutdown().await;
    if !args.json {
        std::io::stdout().write_all(farewell.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
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

fn after_help() -> String {
    format!(
        "{COMMON_HELP}\n{}\n{}\n{}\n{}\n{}",
        events::HELP,
        push::HELP,
        genesys::HELP,
        cxone::HELP,
        guests::HELP
    )
}

const COMMON_HELP: &str = "\
Examples:
  tieline sandbox --rate 50 --seed 7 --script faults.yaml
  tieline sandbox --platform genesys-notifications --rate 5

A script is a list. Each entry has `at`, counted from the start, and one of `fault`, `clear`, `emit`, `rate`:
  - { at: 5s, fault: strip_upgrade, status: 426, for: 10s }
  - { at: 20s, fault: duplicate, count: 3 }
  - { at: 30s, emit: 500 }
  - { at: 40s, clear: all }

Faults take their parameters and the limits count, for and probability (between 0 and 1). Control APIs
speak JSON below /control/v1, and each has
  GET    /state /counters /faults       what is open, what was asked and answered, what strikes
  PUT    /faults/NAME                   sets a fault; the body holds parameters and limits
  DELETE /faults/NAME  /faults          clears one, clears all
  PUT    /rate                          {\"per_second\": 100}
";

#[cfg(test)]
mod tests;
