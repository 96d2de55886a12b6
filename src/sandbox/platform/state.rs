//! [`State`]: everything the platform knows. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::counters::Counters;
use super::event::Issued;
use super::ledger::Fate;
use super::log::Log;
use super::record::{Delivery, RequestEntry, Transport};
use super::subscription::{BatchLimit, Bounds, Numbered, Subscription};
use super::throttle::Throttle;
use super::tokens::{ClientCredentials, Tokens};
use super::world::World;
use crate::runtime::{MonoTime, Rng};
use crate::sandbox::SandboxConfig;
use crate::sandbox::fault::{Fault, FaultName, FaultTable, Occasions};

/// Subscriptions that the platform keeps at most.
const MOST_SUBSCRIPTIONS: usize = 64;
/// Requests and deliveries that are remembered.
const REMEMBERED: usize = 10_000;

/// Everything the platform knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: SandboxConfig,
    pub(crate) faults: FaultTable,
    pub(crate) tokens: Tokens,
    pub(crate) counters: Counters,
    pub(crate) throttles: Vec<Throttle>,
    pub(crate) clients: Vec<ClientCredentials>,
    pub(crate) connections: BTreeMap<u64, Transport>,
    pub(super) subscriptions: BTreeMap<SubscriptionKey, Subscription>,
    pub(super) issued: VecDeque<Arc<Issued>>,
    pub(super) issued_bytes: usize,
    pub(super) world: World,
    pub(super) deliveries: Log<Delivery>,
    pub(super) requests: Log<RequestEntry>,
    /// Events until the one that was last held back is due.
    pub(super) overtaking: u32,
    pub(super) rng: Rng,
}

/// Whose log it is: a client's, for a set of channels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SubscriptionKey {
    pub(crate) client: usize,
    pub(crate) channels: BTreeSet<Arc<str>>,
}

impl State {
    pub(crate) fn new(config: SandboxConfig, rng: &Rng) -> Self {
        let clients = credentials(config.clients, &rng.fork("clients"));
        let throttle = Throttle::new(config.token_requests_per_minute);
        let tokens = Tokens::new(
            clients.clone(),
            config.token_lifetime,
            config.rotate_refresh_tokens,
            throttle,
            rng.fork("tokens"),
        );
        let world = World::new(&config.channels, config.payload, rng.fork("world"));
        let throttles = clients
            .iter()
            .map(|_| Throttle::new(config.requests_per_minute))
            .collect();
        let mut state = Self {
            faults: FaultTable::default(),
            tokens,
            counters: Counters::default(),
            throttles,
            clients,
            connections: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            issued: VecDeque::new(),
            issued_bytes: 0,
            world,
            deliveries: Log::new(REMEMBERED),
            requests: Log::new(REMEMBERED),
            overtaking: 0,
            rng: rng.fork("faults"),
            config,
        };
        let own = state.default_key();
        state.subscribe(own);
        state
    }

    /// The first client's subscription to every channel: it exists from the start.
    pub(crate) fn default_key(&self) -> SubscriptionKey {
        SubscriptionKey {
            client: 0,
            channels: self
                .config
                .channels
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
        }
    }

    pub(crate) fn subscription(&self, key: &SubscriptionKey) -> Option<&Subscription> {
        self.subscriptions.get(key)
    }

    /// Makes a subscription known; its log begins with all that the platform still has. `false`
    /// where there are too many.
    pub(crate) fn subscribe(&mut self, key: SubscriptionKey) -> bool {
        if self.subscriptions.contains_key(&key) {
            return true;
        }
        if self.subscriptions.len() >= MOST_SUBSCRIPTIONS {
            return false;
        }
        let mut subscription = Subscription::new(Bounds {
            retention: self.config.retention,
            history: self.config.history_retention,
            bytes: self.config.retention_bytes,
            ledger: self.config.ledger_capacity,
        });
        for event in &self.issued {
            if key.channels.contains(&event.channel) {
                subscription.push(event, Fate::Deliver);
            }
        }
        self.subscriptions.insert(key, subscription);
        true
    }

    /// Random in [0, 1).
    pub(crate) fn chance(&self) -> f64 {
        self.rng.unit()
    }

    /// Has one event of a batch stand in it twice.
    pub(crate) fn repeat_one(&self, events: &mut Vec<Numbered>) {
        let at = usize::try_from(self.rng.below(events.len() as u64)).unwrap_or_default();
        if let Some(event) = events.get(at).cloned() {
            events.insert(at, event);
        }
    }

    /// Whether a fault strikes on this occasion.
    pub(crate) fn strike(&mut self, name: FaultName) -> Option<Fault> {
        let fault = self.faults.strike(name, self.rng.unit());
        self.told(name, fault)
    }

    /// Like [`State::strike`], once for each rule and bearer of `seen`.
    pub(crate) fn strike_once(&mut self, name: FaultName, seen: &mut Occasions) -> Option<Fault> {
        let fault = self.faults.strike_once(name, seen, self.rng.unit());
        self.told(name, fault)
    }

    fn told(&self, name: FaultName, fault: Option<Fault>) -> Option<Fault> {
        if fault.is_some() {
            tracing::info!(fault = %name, struck = self.faults.struck(name), "Fault struck");
        }
        fault
    }

    /// How late an answer or a frame is.
    pub(crate) fn latency(&mut self) -> std::time::Duration {
        match self.strike(FaultName::Latency) {
            Some(Fault::Latency { delay, jitter }) => delay.0 + jitter.0.mul_f64(self.chance()),
            _ => std::time::Duration::ZERO,
        }
    }

    pub(crate) fn batch_limit(&self) -> BatchLimit {
        BatchLimit {
            events: self.config.batch_events,
            bytes: self.config.batch_bytes,
        }
    }

    /// What a bearer may do now; see [`Tokens::check`].
    pub(crate) fn access(&self, bearer: &str, now: MonoTime) -> Option<super::tokens::Access> {
        self.tokens.check(bearer, now)
    }
}

fn credentials(count: usize, rng: &Rng) -> Vec<ClientCredentials> {
    (1..=count)
        .map(|place| ClientCredentials {
            id: match place {
                1 => "sandbox-client".to_owned(),
                _ => format!("sandbox-client-{place}"),
            },
            secret: format!("sandbox-secret-{:016x}", rng.bits()),
            refresh_token: format!("sandbox-refresh-{:016x}", rng.bits()),
        })
        .collect()
}
