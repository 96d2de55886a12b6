//! `tieline healthcheck` and `tieline wait`: for probes and scripts.

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::CommandError;
use super::credential_args::CredentialArgs;
use crate::client::{Address, Failure};
use crate::runtime::{Backoff, HumanDuration, Rng};

const WAIT_BASE: Duration = Duration::from_millis(50);
const WAIT_CAP: Duration = Duration::from_secs(1);
/// How long one question of `wait` may take before it is asked again.
const ONE_QUESTION: Duration = Duration::from_secs(2);

/// Asks once whether a server serves: exit code 0 if it does, else 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline healthcheck
  tieline healthcheck --address unix:/run/tieline/tieline.sock --service sessions/queue-stats")]
pub(super) struct HealthcheckArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How long the answer may take.
    #[arg(long, default_value = "2s")]
    timeout: HumanDuration,
}

/// Waits until a server serves: exit code 0, or 1 when the time is over.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline wait --timeout 60s && ./start-my-service")]
pub(super) struct WaitArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How long to wait.
    #[arg(long, default_value = "60s")]
    timeout: HumanDuration,
}

#[derive(Debug, Args)]
struct TargetArgs {
    /// Where the server listens: host:port, https://host:port or unix:/path.
    #[arg(long, default_value = "127.0.0.1:7443", env = "TIELINE_ADDRESS")]
    address: Address,
    #[command(flatten)]
    credentials: CredentialArgs,
    /// What is asked about: empty for the whole, tieline.v1.EventService, sessions/NAME,
    /// journals/NAME.
    #[arg(long, default_value = "", value_name = "NAME")]
    service: String,
}

impl HealthcheckArgs {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        self.target
            .ask_until(Instant::now() + self.timeout.0)
            .await
            .map_err(CommandError::failed)
    }
}

impl WaitArgs {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        let rng = Rng::from_entropy();
        let mut backoff = Backoff::new(WAIT_BASE, WAIT_CAP);
        let end = Instant::now() + self.timeout.0;
        loop {
            let question = (Instant::now() + ONE_QUESTION).min(end);
            let Err(answer) = self.target.ask_until(question).await else {
                return Ok(());
            };
            let delay = backoff.next_delay(rng.unit());
            if Instant::now() + delay >= end {
                let waited = self.timeout;
                return Err(CommandError::failed(format!("waited {waited}: {answer}")));
            }
            sleep(delay).await;
        }
    }
}

impl TargetArgs {
    /// `Ok` when it serves, else why not.
    async fn ask_until(&self, deadline: Instant) -> Result<(), String> {
        let (address, name) = (&self.address, self.service.as_str());
        let what = if name.is_empty() {
            "the server".to_owned()
        } else {
            format!("'{name}'")
        };
        let channel = self
            .credentials
            .target(address)
            .channel()
            .map_err(|error| format!("{address}: {error}"))?;
        let request = HealthCheckRequest {
            service: self.service.clone(),
        };
        let mut client = HealthClient::new(channel);
        match timeout_at(deadline, client.check(request)).await {
            Err(_) => Err(format!("{address} did not answer in time")),
            Ok(Err(status)) if status.code() == Code::NotFound => {
                Err(format!("{address} knows no {what}"))
            }
            Ok(Err(status)) => Err(format!("{address}: {}", Failure::from_status(&status))),
            Ok(Ok(response)) => match response.into_inner().status() {
                ServingStatus::Serving => Ok(()),
                ServingStatus::NotServing => Err(format!("{what} at {address} is not serving")),
                other => Err(format!("{what} at {address} is {}", other.as_str_name())),
            },
        }
    }
}
