//! [`Sandbox`]: a running sandbox and what its owner may do with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::SandboxConfig;
use super::fault::{Fault, FaultKind, FaultRule, FaultStatus};
use super::platform::{
    ClientCredentials, ConnectionStatus, Counters, Delivery, Emission, EventsDialect, InvalidEvent,
    LedgerEntry, LedgerPage, RequestEntry, State, SubscriptionStatus,
};
use super::server::{self, Core, Entrance, FaultDesk};
use crate::runtime::{Clock, Rng, TaskFailure, TaskKind, TaskSet};

/// A simulated platform on real sockets. Everything it runs ends when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    core: Arc<Core>,
    endpoint: Url,
    control: Url,
    ca_pem: Option<String>,
    tasks: TaskSet,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings contradict each other or themselves.
    #[error("start sandbox: {}", problems.join("; "))]
    Invalid {
        /// One for each mistake.
        problems: Vec<String>,
    },
    /// An address cannot be had.
    #[error("start sandbox: listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// No certificate.
    #[error("start sandbox: make a certificate")]
    Certificate(#[source] anyhow::Error),
    /// The authority's certificate cannot be written.
    #[error("start sandbox: write {path}")]
    Write {
        /// Where to.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Sandbox {
    /// Binds both listeners and begins to issue events. The same seed tells the same story.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub async fn start(config: SandboxConfig, clock: Clock, rng: Rng) -> Result<Self, StartError> {
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
        let mut sandbox = Self::begin(config, clock, &rng, endpoint, control_url);
        sandbox.ca_pem = ca_pem;
        let share = || Arc::clone(&sandbox.core);
        let (serving, controlling) = (
            server::serve_platform(share(), platform, tls),
            server::serve_control(share(), control),
        );
        let critical = TaskKind::Critical;
        sandbox.tasks.spawn(critical, "platform", serving);
        sandbox.tasks.spawn(critical, "control", controlling);
        let (endpoint, control_url) = (&sandbox.endpoint, &sandbox.control);
        tracing::info!(%endpoint, %control_url, seed = rng.seed(), "Sandbox started");
        Ok(sandbox)
    }

    /// The same on connections that come from elsewhere, and without a control API: in a simulation.
    /// `endpoint` is what its clients call it.
    ///
    /// # Errors
    /// [`StartError::Invalid`].
    #[cfg(any(test, feature = "testing"))]
    pub fn start_simulated(
        config: SandboxConfig,
        clock: Clock,
        rng: &Rng,
        endpoint: Url,
        incoming: server::Arriving,
    ) -> Result<Self, StartError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(StartError::Invalid { problems });
        }
        let mut sandbox = Self::begin(config, clock, rng, endpoint.clone(), endpoint);
        let serving = server::serve_incoming(Arc::clone(&sandbox.core), incoming);
        sandbox.tasks.spawn(TaskKind::Critical, "platform", serving);
        Ok(sandbox)
    }

    fn begin(config: SandboxConfig, clock: Clock, rng: &Rng, endpoint: Url, control: Url) -> Self {
        let script = config.script.clone();
        let rate = config.rate;
        let core = Core::new(State::new(config, rng), clock, rate);
        let mut tasks = TaskSet::new();
        let share = || Arc::clone(&core);
        let critical = TaskKind::Critical;
        tasks.spawn(critical, "generator", server::generate(share()));
        tasks.spawn(critical, "faults", server::keep_time(share()));
        tasks.spawn(critical, "script", server::play(share(), script));
        Self {
            core,
            endpoint,
            control,
            ca_pem: None,
            tasks,
        }
    }

    /// The platform's base address.
    #[must_use]
    pub fn endpoint(&self) -> Url {
        self.endpoint.clone()
    }

    /// The control API's base address.
    #[must_use]
    pub fn control_url(&self) -> Url {
        self.control.clone()
    }

    /// In which words it speaks.
    #[must_use]
    pub fn dialect(&self) -> EventsDialect {
        self.core.with(|state| state.config.dialect)
    }

    /// The authority's certificate, where TLS is served.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
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
    pub fn client_credentials(&self) -> ClientCredentials {
        self.clients()
            .into_iter()
            .next()
            .expect("one client at least")
    }

    /// Every OAuth client.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientCredentials> {
        self.core.with(|state| state.clients.clone())
    }

    /// Sets and clears faults.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults(Arc::<Core>::clone(&self.core))
    }

    /// What was issued to the first client's subscription to every channel.
    #[must_use]
    pub fn ledger(&self) -> LedgerReader {
        LedgerReader(Arc::clone(&self.core))
    }

    /// Issues events, at once; returns the last number of the subscription to every channel.
    ///
    /// # Errors
    /// [`InvalidEvent`] for an event of one's own that the platform would not issue.
    pub fn emit(&self, emission: &Emission) -> Result<u64, InvalidEvent> {
        self.core.emit(emission)
    }

    /// Issues so many events a second from now on; zero stops.
    pub fn set_rate(&self, per_second: f64) {
        self.core.set_rate(per_second);
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.core.with(|state| state.counters.clone())
    }

    /// The subscriptions known.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<SubscriptionStatus> {
        self.core.with(|state| state.subscription_status())
    }

    /// The connections open.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionStatus> {
        self.core.with(|state| state.connection_status())
    }

    /// What was put on the wire after one entry, as far as it is remembered.
    #[must_use]
    pub fn deliveries(&self, after: u64, limit: usize) -> Vec<Delivery> {
        self.core.with(|state| state.deliveries(after, limit))
    }

    /// Requests that arrived after one entry, as far as they are remembered.
    #[must_use]
    pub fn requests(&self, after: u64, limit: usize) -> Vec<RequestEntry> {
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

/// Sets and clears the faults of a sandbox.
#[derive(Debug, Clone)]
pub struct Faults<F: FaultKind = Fault>(pub(super) Arc<dyn FaultDesk<F>>);

impl<F: FaultKind> Faults<F> {
    /// Puts a fault in force, in place of the one of the same name.
    ///
    /// # Errors
    /// [`super::fault::InvalidFault`] for a parameter out of range; then nothing changes.
    pub fn set(&self, rule: impl Into<FaultRule<F>>) -> Result<(), super::fault::InvalidFault> {
        let rule = rule.into();
        rule.check()?;
        self.0.set(rule);
        Ok(())
    }

    /// Takes a fault out of force; whether it was. What was held back by it is let go.
    pub fn clear(&self, name: F::Name) -> bool {
        self.0.clear(name)
    }

    /// Takes every fault out of force.
    pub fn clear_all(&self) {
        self.0.clear_all();
    }

    /// How often a fault has struck since the start.
    #[must_use]
    pub fn struck(&self, name: F::Name) -> u64 {
        self.0.struck(name)
    }

    /// Every fault that is in force or has struck.
    #[must_use]
    pub fn status(&self) -> Vec<FaultStatus<F::Name>> {
        self.0.status()
    }
}

/// Reads the ledger of a [`Sandbox`].
#[derive(Debug, Clone)]
pub struct LedgerReader(Arc<Core>);

impl LedgerReader {
    /// Entries after one, in the order of issue.
    #[must_use]
    pub fn page(&self, after: u64, limit: usize) -> LedgerPage {
        self.0.with(|state| {
            let key = state.default_key();
            match state.subscription(&key) {
                Some(subscription) => subscription.ledger().page(after, limit),
                None => LedgerPage::default(),
            }
        })
    }

    /// Every entry that is kept.
    #[must_use]
    pub fn entries(&self) -> Vec<LedgerEntry> {
        self.page(0, usize::MAX).entries
    }

    /// The last number given.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.0.head()
    }
}
