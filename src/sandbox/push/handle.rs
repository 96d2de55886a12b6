//! [`PushPlatform`]: a running sandbox and what its owner may do with it.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::PushConfig;
use super::fault::PushFault;
use super::record::{HeartbeatEntry, PushCounters, PushFact, PushRequest};
use super::server::{self, Core};
use super::state::State;
use crate::runtime::{Clock, Rng, TaskFailure, TaskKind, TaskSet};
use crate::sandbox::server::{
    Entrance, Hub, generate, keep_time, play, serve_loopback, serve_platform,
};
use crate::sandbox::{ClientCredentials, Faults, StartError};

/// A simulated platform that pushes, on real sockets. Everything it runs ends when it is dropped.
#[derive(Debug)]
pub struct PushPlatform {
    core: Arc<Core>,
    endpoint: Url,
    control: Url,
    ca_pem: Option<String>,
    tasks: TaskSet,
}

impl PushPlatform {
    /// Binds both listeners and begins to tell its story. The same seed tells the same story.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub async fn start(config: PushConfig, clock: Clock, rng: Rng) -> Result<Self, StartError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(StartError::Invalid { problems });
        }
        let Entrance {
            platform,
            control,
            tls,
            ca_pem,
            endpoint,
            control_url,
        } = Entrance::open(
            config.listen,
            config.control,
            config.tls_ca_out.as_deref(),
            config.tls_client_ca.as_deref(),
        )
        .await?;
        let (rate, script, name) = (
            config.rate,
            config.script.clone(),
            config.dialect.platform(),
        );
        let core = Hub::new(State::new(config, &rng), clock, rate);
        let mut tasks = TaskSet::new();
        let share = || Arc::clone(&core);
        let critical = TaskKind::Critical;
        tasks.spawn(critical, "platform", serve_platform(share(), platform, tls));
        let control = serve_loopback(share(), server::routes(), control);
        tasks.spawn(critical, "control", control);
        tasks.spawn(critical, "story", generate(share()));
        tasks.spawn(critical, "faults", keep_time(share()));
        tasks.spawn(critical, "script", play(share(), script));
        tracing::info!(%endpoint, %control_url, platform = name, seed = rng.seed(), "Sandbox started");
        Ok(Self {
            core,
            endpoint,
            control: control_url,
            ca_pem,
            tasks,
        })
    }

    /// Where tokens and sockets are.
    #[must_use]
    pub fn endpoint(&self) -> Url {
        self.endpoint.clone()
    }

    /// The control API's base address.
    #[must_use]
    pub fn control_url(&self) -> Url {
        self.control.clone()
    }

    /// The authority's certificate, where TLS is served.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    pub(super) fn config(&self) -> PushConfig {
        self.core.with(|state| state.config.clone())
    }

    pub(super) fn token_path(&self) -> String {
        self.core.with(|state| state.speech.token_path().to_owned())
    }

    /// Its OAuth client.
    #[must_use]
    pub fn client_credentials(&self) -> ClientCredentials {
        self.core.with(|state| state.client.clone())
    }

    /// Sets and clears faults.
    #[must_use]
    pub fn faults(&self) -> Faults<PushFault> {
        Faults(Arc::<Core>::clone(&self.core))
    }

    /// Tells so many events of the story, at once.
    pub fn tell(&self, count: u64) {
        self.core.tell(count);
    }

    /// Tells so many events a second from now on; zero stops.
    pub fn set_rate(&self, per_second: f64) {
        self.core.set_rate(per_second);
    }

    /// Every fact that is kept.
    #[must_use]
    pub fn facts(&self) -> Vec<PushFact> {
        self.core.with(|state| state.ledger.after(0, usize::MAX))
    }

    /// How many facts there were.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.core.with(|state| state.ledger.entered())
    }

    /// Heartbeats that came, as far as they are remembered.
    #[must_use]
    pub fn heartbeats(&self) -> Vec<HeartbeatEntry> {
        self.core
            .with(|state| state.heartbeats.after(0, usize::MAX))
    }

    /// Requests that arrived after one entry, as far as they are remembered.
    #[must_use]
    pub fn requests(&self, after: u64, limit: usize) -> Vec<PushRequest> {
        self.core.with(|state| state.requests.after(after, limit))
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> PushCounters {
        self.core.with(|state| state.counters.clone())
    }

    /// Sockets that stand and have subscribed.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.core.with(|state| state.outboxes.len())
    }

    /// Access tokens issued since the start.
    #[must_use]
    pub fn tokens_issued(&self) -> u64 {
        self.core.with(|state| state.tokens.issued())
    }

    /// Waits until something is true of the sandbox, for so long at most; whether it became true.
    pub async fn wait_until(&self, within: Duration, test: impl Fn(&Self) -> bool) -> bool {
        self.core.until(within, || test(self)).await
    }

    /// Completes when a part of the sandbox failed. Cancel-safe.
    pub async fn failed(&mut self) -> Option<TaskFailure> {
        self.tasks.next_failure().await
    }

    /// Ends everything and waits until it is gone.
    pub async fn shutdown(mut self) {
        self.tasks.abort_all().await;
    }
}
