//! [`GenesysCloud`]: a running sandbox and what its owner may do with it.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::GenesysCloudConfig;
use super::channels::ChannelStatus;
use super::fault::GenesysFault;
use super::ledger::{Fact, FactPage};
use super::record::{GenesysCounters, GenesysRequest};
use super::server::{self, Core};
use super::state::State;
use super::tokens::GenesysCredentials;
use super::world::{Change, Changed, InvalidChange, WorldState};
use crate::runtime::{Clock, Rng, TaskFailure, TaskKind, TaskSet};
#[cfg(any(test, feature = "testing"))]
use crate::sandbox::server::{Arriving, serve_incoming};
use crate::sandbox::server::{Entrance, generate, keep_time, play, serve_loopback, serve_platform};
use crate::sandbox::{Faults, StartError};

/// The contact centre has been open for so long when somebody looks first.
const SHIFT: Duration = Duration::from_secs(60 * 60);

/// A simulated Genesys Cloud on real sockets. Everything it runs ends when it is dropped.
#[derive(Debug)]
pub struct GenesysCloud {
    core: Arc<Core>,
    endpoint: Url,
    control: Url,
    ca_pem: Option<String>,
    tasks: TaskSet,
}

impl GenesysCloud {
    /// Binds both listeners and begins to tell its story. The same seed tells the same story.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub async fn start(
        config: GenesysCloudConfig,
        clock: Clock,
        rng: Rng,
    ) -> Result<Self, StartError> {
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
        tracing::info!(%endpoint, %control_url, seed = rng.seed(), "Sandbox of Genesys Cloud started");
        let mut cloud = Self::begin(config, clock, &rng, endpoint, control_url);
        cloud.ca_pem = ca_pem;
        let serving = serve_platform(Arc::clone(&cloud.core), platform, tls);
        let controlling = serve_loopback(Arc::clone(&cloud.core), server::routes(), control);
        let critical = TaskKind::Critical;
        cloud.tasks.spawn(critical, "platform", serving);
        cloud.tasks.spawn(critical, "control", controlling);
        Ok(cloud)
    }

    /// The same on connections that come from elsewhere, and without a control API: in a simulation.
    /// `endpoint` is what its clients call it.
    ///
    /// # Errors
    /// [`StartError::Invalid`].
    #[cfg(any(test, feature = "testing"))]
    pub fn start_simulated(
        config: GenesysCloudConfig,
        clock: Clock,
        rng: &Rng,
        endpoint: Url,
        incoming: Arriving,
    ) -> Result<Self, StartError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(StartError::Invalid { problems });
        }
        let mut cloud = Self::begin(config, clock, rng, endpoint.clone(), endpoint);
        let serving = serve_incoming(Arc::clone(&cloud.core), incoming);
        cloud.tasks.spawn(TaskKind::Critical, "platform", serving);
        Ok(cloud)
    }

    fn begin(
        config: GenesysCloudConfig,
        clock: Clock,
        rng: &Rng,
        endpoint: Url,
        control: Url,
    ) -> Self {
        let (rate, script) = (config.rate, config.script.clone());
        let state = State::new(config, rng, clock.wall().minus(SHIFT));
        let core = Core::new(state, clock, rate);
        let mut tasks = TaskSet::new();
        let share = || Arc::clone(&core);
        let critical = TaskKind::Critical;
        tasks.spawn(critical, "story", generate(share()));
        tasks.spawn(critical, "clockwork", server::clockwork(share()));
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

    /// Where login, API and sockets are.
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

    /// Where the authority's certificate was written, where TLS is served.
    pub(super) fn ca_file(&self) -> Option<String> {
        self.core.with(|state| {
            let file = state.config.tls_ca_out.as_ref();
            file.map(|path| path.display().to_string())
        })
    }

    /// Every OAuth client.
    #[must_use]
    pub fn clients(&self) -> Vec<GenesysCredentials> {
        self.core.with(|state| state.tokens.credentials())
    }

    /// The first OAuth client.
    ///
    /// # Panics
    /// Never: there is at least one.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a configuration without a client does not start"
    )]
    pub fn client_credentials(&self) -> GenesysCredentials {
        let mut clients = self.clients().into_iter();
        clients.next().expect("one client at least")
    }

    /// Sets and clears faults.
    #[must_use]
    pub fn faults(&self) -> Faults<GenesysFault> {
        Faults(Arc::<Core>::clone(&self.core))
    }

    /// Lets something happen, at once.
    ///
    /// # Errors
    /// [`InvalidChange`] where it cannot; then nothing does.
    pub fn change(&self, change: &Change) -> Result<Changed, InvalidChange> {
        let now = self.core.times();
        self.core.alter(|state| state.happen(change, now))
    }

    /// Lets so many changes of the story happen, at once.
    pub fn tell(&self, count: u64) {
        self.core.tell(count);
    }

    /// Changes of the story per second from now on; zero stops it.
    pub fn set_rate(&self, per_second: f64) {
        self.core.set_rate(per_second);
    }

    /// The contact centre as it stands.
    #[must_use]
    pub fn world(&self) -> WorldState {
        self.core.with(|state| state.world.state())
    }

    /// Facts after one, in their order.
    #[must_use]
    pub fn ledger(&self, after: u64, limit: usize) -> FactPage {
        self.core.with(|state| state.ledger.page(after, limit))
    }

    /// Every fact that is kept.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        self.ledger(0, usize::MAX).facts
    }

    /// The channels there are.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelStatus> {
        self.core.with(|state| {
            let client = |client| state.tokens.client_id(client);
            state.channels.status(client)
        })
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> GenesysCounters {
        self.core.with(|state| state.counters.clone())
    }

    /// Requests that arrived after one entry, as far as they are remembered.
    #[must_use]
    pub fn requests(&self, after: u64, limit: usize) -> Vec<GenesysRequest> {
        self.core.with(|state| state.requests.after(after, limit))
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
