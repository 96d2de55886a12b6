//! [`GuestPlatform`]: a running sandbox and what its owner may do with it.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::fault::GuestFault;
use super::record::{AgentMessage, GuestCounters, GuestMessage, GuestRequest, SessionStatus};
use super::server::{self, Core};
use super::state::State;
use super::{Deed, GuestConfig, UnknownSession};
use crate::runtime::{Clock, Rng, TaskFailure, TaskKind, TaskSet};
#[cfg(any(test, feature = "testing"))]
use crate::sandbox::server::{Arriving, serve_incoming};
use crate::sandbox::server::{
    Entrance, Hub, generate, keep_time, play, serve_loopback, serve_platform,
};
use crate::sandbox::{ClientCredentials, Faults, StartError};

/// A simulated platform for guests, on real sockets. Everything it runs ends when it is dropped.
#[derive(Debug)]
pub struct GuestPlatform {
    core: Arc<Core>,
    endpoint: Url,
    control: Url,
    ca_pem: Option<String>,
    tasks: TaskSet,
}

impl GuestPlatform {
    /// Binds both listeners and begins.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub async fn start(config: GuestConfig, clock: Clock, rng: Rng) -> Result<Self, StartError> {
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
        let name = config.dialect.platform();
        let mut sandbox = Self::begin(config, clock, &rng, endpoint, control_url);
        sandbox.ca_pem = ca_pem;
        let share = || Arc::clone(&sandbox.core);
        let serving = serve_platform(share(), platform, tls);
        let controlling = serve_loopback(share(), server::routes(), control);
        let critical = TaskKind::Critical;
        sandbox.tasks.spawn(critical, "platform", serving);
        sandbox.tasks.spawn(critical, "control", controlling);
        let (endpoint, control_url) = (&sandbox.endpoint, &sandbox.control);
        tracing::info!(%endpoint, %control_url, platform = name, seed = rng.seed(), "Sandbox started");
        Ok(sandbox)
    }

    /// The same on connections that come from elsewhere, and without a control API: in a simulation.
    /// `endpoint` is what its clients call it.
    ///
    /// # Errors
    /// [`StartError::Invalid`].
    #[cfg(any(test, feature = "testing"))]
    pub fn start_simulated(
        config: GuestConfig,
        clock: Clock,
        rng: &Rng,
        endpoint: Url,
        incoming: Arriving,
    ) -> Result<Self, StartError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(StartError::Invalid { problems });
        }
        let mut sandbox = Self::begin(config, clock, rng, endpoint.clone(), endpoint);
        let serving = serve_incoming(Arc::clone(&sandbox.core), incoming);
        sandbox.tasks.spawn(TaskKind::Critical, "platform", serving);
        Ok(sandbox)
    }

    fn begin(config: GuestConfig, clock: Clock, rng: &Rng, endpoint: Url, control: Url) -> Self {
        let (rate, script) = (config.rate, config.script.clone());
        let core = Hub::new(State::new(config, rng), clock, rate);
        let mut tasks = TaskSet::new();
        let share = || Arc::clone(&core);
        let critical = TaskKind::Critical;
        tasks.spawn(critical, "chatter", generate(share()));
        tasks.spawn(critical, "hours", server::keep_hours(share()));
        tasks.spawn(critical, "bells", server::wake_all(share()));
        tasks.spawn(critical, "faults", keep_time(share()));
        tasks.spawn(critical, "script", play(share(), script));
        Self {
            core,
            endpoint,
            control,
            ca_pem: None,
            tasks,
        }
    }

    /// Where sockets and REST are.
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

    /// How it behaves.
    #[must_use]
    pub fn config(&self) -> GuestConfig {
        self.core.with(|state| state.config.clone())
    }

    /// Its OAuth client (webchat).
    #[must_use]
    pub fn client_credentials(&self) -> ClientCredentials {
        self.core.with(|state| state.client.clone())
    }

    /// Sets and clears faults.
    #[must_use]
    pub fn faults(&self) -> Faults<GuestFault> {
        Faults(Arc::<Core>::clone(&self.core))
    }

    /// Reads what guests said: the oracle.
    #[must_use]
    pub fn record(&self) -> RecordReader {
        RecordReader(Arc::clone(&self.core))
    }

    /// What the agent said, as far as it is kept.
    #[must_use]
    pub fn said(&self) -> Vec<AgentMessage> {
        self.core.with(|state| state.said.after(0, usize::MAX))
    }

    /// The sessions that the platform knows, by their tokens or instances.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionStatus> {
        self.core.with(|state| state.session_page("", usize::MAX))
    }

    /// Does something to a session.
    ///
    /// # Errors
    /// [`UnknownSession`] where there is none, or where it is over already.
    pub fn act(&self, session: &str, deed: &Deed) -> Result<(), UnknownSession> {
        let now = self.core.times();
        let done = self.core.with(|state| state.act(session, deed, now));
        self.core.notice();
        done
    }

    /// The agent says something.
    ///
    /// # Errors
    /// [`UnknownSession`] where there is none, or where it is over already.
    pub fn say(&self, session: &str, text: &str) -> Result<(), UnknownSession> {
        let deed = Deed::Say {
            text: text.to_owned(),
            choices: Vec::new(),
        };
        self.act(session, &deed)
    }

    /// Cuts every connection at once, and takes none for so long; sessions are kept.
    pub fn restart(&self, down: Duration) {
        server::restart(&self.core, down);
    }

    /// The agent says so many things a second to those who have a socket; zero stops.
    pub fn set_rate(&self, per_second: f64) {
        self.core.set_rate(per_second);
    }

    /// Requests that arrived after one entry, as far as they are remembered.
    #[must_use]
    pub fn requests(&self, after: u64, limit: usize) -> Vec<GuestRequest> {
        self.core.with(|state| state.requests.after(after, limit))
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> GuestCounters {
        self.core.with(|state| state.counters.clone())
    }

    /// Sockets that stand.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.core.with(|state| state.socket_count())
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

/// Reads the record of a [`GuestPlatform`]: every message of a guest that it took.
#[derive(Debug, Clone)]
pub struct RecordReader(Arc<Core>);

impl RecordReader {
    /// Messages after one number, in the order in which they were taken.
    #[must_use]
    pub fn page(&self, after: u64, limit: usize) -> Vec<GuestMessage> {
        self.0.with(|state| state.record.after(after, limit))
    }

    /// Every message that is kept.
    #[must_use]
    pub fn entries(&self) -> Vec<GuestMessage> {
        self.page(0, usize::MAX)
    }

    /// How many were taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.0.with(|state| state.record.entered())
    }
}
