//! [`CxoneAgent`]: a running sandbox and what its owner may do with it.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::CxoneConfig;
use super::fault::CxoneFault;
use super::platform::{
    AgentPresent, Change, Changed, CxoneCounters, CxoneCredentials, CxoneRequest, Fact,
    InvalidChange, PollAnswer, SessionStatus, State,
};
use super::server::{self, Core};
use crate::runtime::{Clock, Rng, TaskFailure, TaskKind, TaskSet};
#[cfg(any(test, feature = "testing"))]
use crate::sandbox::server::{Arriving, serve_incoming};
use crate::sandbox::server::{Entrance, generate, keep_time, play, serve_loopback, serve_platform};
use crate::sandbox::{Faults, StartError};

/// A simulated tenant of CXone on real sockets. Everything it runs ends when it is dropped.
#[derive(Debug)]
pub struct CxoneAgent {
    core: Arc<Core>,
    endpoint: Url,
    control: Url,
    ca_pem: Option<String>,
    tasks: TaskSet,
}

impl CxoneAgent {
    /// Binds both listeners and begins to tell the story. The same seed tells the same story.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub async fn start(config: CxoneConfig, clock: Clock, rng: Rng) -> Result<Self, StartError> {
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
        tracing::info!(%endpoint, %control_url, seed = rng.seed(), "Sandbox of CXone started");
        let mut tenant = Self::begin(config, clock, &rng, endpoint, control_url);
        tenant.ca_pem = ca_pem;
        let serving = serve_platform(Arc::clone(&tenant.core), platform, tls);
        let controlling = serve_loopback(Arc::clone(&tenant.core), server::routes(), control);
        let critical = TaskKind::Critical;
        tenant.tasks.spawn(critical, "platform", serving);
        tenant.tasks.spawn(critical, "control", controlling);
        Ok(tenant)
    }

    /// The same on connections that come from elsewhere, and without a control API: in a simulation.
    /// `endpoint` is what its clients call it.
    ///
    /// # Errors
    /// [`StartError::Invalid`].
    #[cfg(any(test, feature = "testing"))]
    pub fn start_simulated(
        config: CxoneConfig,
        clock: Clock,
        rng: &Rng,
        endpoint: Url,
        incoming: Arriving,
    ) -> Result<Self, StartError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(StartError::Invalid { problems });
        }
        let mut tenant = Self::begin(config, clock, rng, endpoint.clone(), endpoint);
        let serving = serve_incoming(Arc::clone(&tenant.core), incoming);
        tenant.tasks.spawn(TaskKind::Critical, "platform", serving);
        Ok(tenant)
    }

    fn begin(config: CxoneConfig, clock: Clock, rng: &Rng, endpoint: Url, control: Url) -> Self {
        let (rate, script) = (config.rate, config.script.clone());
        let base = endpoint.as_str().trim_end_matches('/');
        let state = State::new(config, base, (clock.now(), clock.wall()), rng);
        let core = Core::new(state, clock, rate);
        let mut tasks = TaskSet::new();
        let share = || Arc::clone(&core);
        let critical = TaskKind::Critical;
        tasks.spawn(critical, "story", generate(share()));
        tasks.spawn(critical, "sessions", server::end_idle_sessions(share()));
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

    /// The platform's base address: discovery, tokens and services.
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

    /// The first access key, with the application's id and secret.
    ///
    /// # Panics
    /// Never: there is at least one agent, and each has a key.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a configuration without an agent does not start"
    )]
    pub fn credentials(&self) -> CxoneCredentials {
        let keys = self.keys().into_iter().next();
        keys.expect("one agent at least")
    }

    /// The access key of every agent.
    #[must_use]
    pub fn keys(&self) -> Vec<CxoneCredentials> {
        self.core.with(|state| state.credentials().to_vec())
    }

    /// How every agent stands.
    #[must_use]
    pub fn present(&self) -> Vec<AgentPresent> {
        self.core.with(|state| state.present())
    }

    /// The ids of all agents.
    #[must_use]
    pub fn agents(&self) -> Vec<String> {
        self.present().into_iter().map(|one| one.agent).collect()
    }

    /// The sessions known.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionStatus> {
        self.core.with(|state| state.session_status())
    }

    /// Makes a single change, at once.
    ///
    /// # Errors
    /// [`InvalidChange`] for one that cannot be; then nothing changes.
    pub fn change(&self, agent: &str, change: impl Into<Change>) -> Result<Changed, InvalidChange> {
        self.core.make(agent, change.into())
    }

    /// Tells so many steps of the story, at once; returns the number of the last fact.
    pub fn tell(&self, steps: u64) -> u64 {
        self.core.tell(steps);
        self.core.with(|state| state.head())
    }

    /// Tells so many steps a second from now on; zero stops.
    pub fn set_rate(&self, per_second: f64) {
        self.core.set_rate(per_second);
    }

    /// Sets and clears faults.
    #[must_use]
    pub fn faults(&self) -> Faults<CxoneFault> {
        Faults(Arc::<Core>::clone(&self.core))
    }

    /// Facts after one, as far as they are remembered.
    #[must_use]
    pub fn facts(&self, after: u64, limit: usize) -> Vec<Fact> {
        self.core.with(|state| state.facts(after, limit))
    }

    /// Answers with a new session id after one, as far as they are remembered.
    #[must_use]
    pub fn answers(&self, after: u64, limit: usize) -> Vec<PollAnswer> {
        self.core.with(|state| state.answers(after, limit))
    }

    /// Everything an oracle compares with, at one moment.
    #[must_use]
    pub fn record(&self) -> super::CxoneRecord {
        self.core.with(|state| super::CxoneRecord {
            facts: state.facts(0, usize::MAX),
            answers: state.answers(0, usize::MAX),
            present: state.present(),
        })
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> CxoneCounters {
        self.core.with(|state| state.counters.clone())
    }

    /// Requests that arrived after one entry, as far as they are remembered.
    #[must_use]
    pub fn requests(&self, after: u64, limit: usize) -> Vec<CxoneRequest> {
        self.core.with(|state| state.requests(after, limit))
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
