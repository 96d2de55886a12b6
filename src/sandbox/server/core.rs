//! [`Core`]: the platform's state behind a lock, and who is told when it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::link::Link;
use crate::runtime::{Clock, MonoTime, Rng};
use crate::sandbox::SandboxConfig;
use crate::sandbox::fault::{FaultName, FaultRule};
use crate::sandbox::platform::{Emission, InvalidEvent, Outcome, RequestKind, State, Transport};

/// Events issued under one lock: readers get their turn in between.
pub(super) const ISSUED_AT_ONCE: u64 = 256;

/// Everything the tasks of a sandbox share.
#[derive(Debug)]
pub(in crate::sandbox) struct Core {
    pub(in crate::sandbox) clock: Clock,
    state: Mutex<State>,
    /// Events, faults and tokens: whoever holds a connection looks again.
    changed: watch::Sender<u64>,
    /// Anything at all: whoever observes looks again.
    noticed: watch::Sender<u64>,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    up: watch::Sender<bool>,
    rate: watch::Sender<f64>,
    pub(super) rules: Notify,
}

impl Core {
    pub(in crate::sandbox) fn new(config: SandboxConfig, clock: Clock, rng: &Rng) -> Arc<Self> {
        Arc::new(Self {
            clock,
            changed: watch::Sender::new(0),
            noticed: watch::Sender::new(0),
            links: Mutex::default(),
            up: watch::Sender::new(true),
            rate: watch::Sender::new(config.rate),
            rules: Notify::new(),
            state: Mutex::new(State::new(config, rng)),
        })
    }

    /// Looks at the state, or changes what only observers care for. Strikes are told to them here.
    pub(in crate::sandbox) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let before = state.faults.strikes();
        let seen = look(&mut state);
        let struck = state.faults.strikes() > before;
        drop(state);
        if struck {
            self.notice();
        }
        seen
    }

    /// Tells observers.
    pub(super) fn notice(&self) {
        self.noticed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn change(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
        self.notice();
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(in crate::sandbox) fn notices(&self) -> watch::Receiver<u64> {
        self.noticed.subscribe()
    }

    pub(super) fn ups(&self) -> watch::Receiver<bool> {
        self.up.subscribe()
    }

    pub(super) fn rates(&self) -> watch::Receiver<f64> {
        self.rate.subscribe()
    }

    pub(in crate::sandbox) fn rate(&self) -> f64 {
        *self.rate.borrow()
    }

    /// Issues so many events a second from now on; what is no rate is none.
    pub(in crate::sandbox) fn set_rate(&self, per_second: f64) {
        let valid = if per_second.is_finite() {
            per_second.max(0.0)
        } else {
            0.0
        };
        self.rate.send_replace(valid);
        tracing::info!(per_second = valid, "Rate set");
    }

    /// Issues at most [`ISSUED_AT_ONCE`] events of the story; how many are left.
    pub(super) fn emit_some(&self, count: u64) -> u64 {
        let some = count.min(ISSUED_AT_ONCE);
        let issued = self.emit_once(&Emission::story(some));
        debug_assert!(issued.is_ok(), "the story is always valid");
        count - some
    }

    fn emit_once(&self, emission: &Emission) -> Result<(), InvalidEvent> {
        let now = self.clock.wall();
        self.with(|state| state.emit(emission, now))?;
        self.change();
        Ok(())
    }

    /// Issues events; the last number of the default subscription.
    pub(in crate::sandbox) fn emit(&self, emission: &Emission) -> Result<u64, InvalidEvent> {
        match emission {
            Emission::Story(story) => {
                let mut left = story.count;
                while left > 0 {
                    left = self.emit_some(left);
                }
            }
            Emission::Event(_) => self.emit_once(emission)?,
        }
        Ok(self.head())
    }

    /// The last number of the default subscription.
    pub(in crate::sandbox) fn head(&self) -> u64 {
        self.with(|state| {
            let key = state.default_key();
            state
                .subscription(&key)
                .map_or(0, |subscription| subscription.head())
        })
    }

    /// Puts a fault in force; those that strike once at once do so.
    pub(in crate::sandbox) fn set_fault(&self, rule: FaultRule) {
        let name = rule.name();
        let now = self.clock.now();
        tracing::info!(fault = %name, rule = %rule.to_json(), "Fault set");
        self.with(|state| match name {
            FaultName::ExpireTokensNow => {
                state.tokens.expire_all();
                state.faults.count(name);
            }
            FaultName::RestartNumbering => {
                state.restart_numbering();
                state.faults.count(name);
            }
            FaultName::PlatformDown => {
                state.faults.set(rule, now);
                state.faults.count(name);
            }
            _ => state.faults.set(rule, now),
        });
        if name == FaultName::PlatformDown {
            self.up.send_replace(false);
            self.links.lock().values().for_each(|link| link.reset());
        }
        self.rules.notify_one();
        self.change();
    }

    /// Takes a fault out of force; whether it was.
    pub(in crate::sandbox) fn clear_fault(&self, name: FaultName) -> bool {
        let was = self.with(|state| state.faults.clear(name));
        if was {
            self.mend(name);
        }
        was
    }

    /// Takes every fault out of force.
    pub(in crate::sandbox) fn clear_faults(&self) {
        for name in self.with(|state| state.faults.names()) {
            self.clear_fault(name);
        }
    }

    /// Takes out of force what has lasted long enough; when to look again.
    pub(super) fn expire_faults(&self) -> Option<MonoTime> {
        let now = self.clock.now();
        for name in self.with(|state| state.faults.expire(now)) {
            self.mend(name);
        }
        self.with(|state| state.faults.next_expiry())
    }

    /// Undoes what a fault had done that is no longer in force.
    fn mend(&self, name: FaultName) {
        tracing::info!(fault = %name, "Fault cleared");
        match name {
            FaultName::Freeze => self.links.lock().values().for_each(|link| link.thaw()),
            FaultName::PlatformDown => {
                self.up.send_replace(true);
            }
            FaultName::Late | FaultName::Reorder => self.with(State::release_late),
            _ => {}
        }
        self.change();
    }

    /// A connection was made: its handle, or `None` where there are too many.
    pub(super) fn connect(&self) -> Option<Arc<Link>> {
        let link = self.with(|state| {
            let open = state.connections.len();
            let limit = match state.faults.in_force(FaultName::ConnectionLimit) {
                Some(crate::sandbox::fault::Fault::ConnectionLimit { max }) => *max as usize,
                _ => usize::MAX,
            };
            if open >= limit {
                state.strike(FaultName::ConnectionLimit);
            }
            if open >= limit.min(state.config.max_connections) {
                state.counters.connections_refused += 1;
                return None;
            }
            state.counters.connections_accepted += 1;
            let id = state.counters.connections_accepted;
            state.connections.insert(id, Transport::Idle);
            Some(Link::new(id))
        });
        if let Some(link) = &link {
            self.links.lock().insert(link.id, Arc::clone(link));
        }
        self.notice();
        link
    }

    /// A connection is gone.
    pub(super) fn disconnect(&self, id: u64) {
        self.links.lock().remove(&id);
        self.with(|state| state.connections.remove(&id));
        self.notice();
    }

    pub(super) fn using(&self, connection: u64, transport: Transport) {
        self.with(|state| {
            // A connection that ended meanwhile is not brought back.
            if let Some(present) = state.connections.get_mut(&connection) {
                *present = transport;
            }
        });
        self.notice();
    }

    pub(super) fn arrive(self: &Arc<Self>, connection: u64, kind: RequestKind) -> Arrival {
        let wall = self.clock.wall();
        let entry = self.with(|state| state.arrive(connection, kind, wall));
        self.notice();
        Arrival {
            core: Arc::clone(self),
            entry,
            kind,
            outcome: Outcome::Abandoned,
        }
    }
}

/// A request on its way: counts how it ended, however it ended.
#[derive(Debug)]
pub(super) struct Arrival {
    core: Arc<Core>,
    /// The number it is remembered by.
    pub(super) entry: u64,
    pub(super) kind: RequestKind,
    outcome: Outcome,
}

impl Arrival {
    pub(super) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let (entry, kind, outcome) = (self.entry, self.kind, self.outcome);
        self.core.with(|state| state.end(entry, kind, outcome));
        self.core.notice();
    }
}
