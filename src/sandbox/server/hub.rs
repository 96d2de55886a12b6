//! [`Hub`]: a platform's state behind a lock, who is told when it changes, and its connections.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::link::Link;
use crate::domain::WallTime;
use crate::runtime::{Clock, MonoTime};
use crate::sandbox::fault::{FaultKind, FaultRule, FaultStatus, FaultTable};
use crate::sandbox::platform::Outcome;

/// Events told under one lock: readers get their turn in between.
const TOLD_AT_ONCE: u64 = 256;

/// A simulated platform's state, as the shells need it. Pure: time is handed in.
pub(in crate::sandbox) trait Simulated: fmt::Debug + Send + 'static {
    type Fault: FaultKind;
    /// What a request is for.
    type Request: fmt::Debug + Clone + Send + 'static;

    fn faults(&self) -> &FaultTable<Self::Fault>;
    fn faults_mut(&mut self) -> &mut FaultTable<Self::Fault>;

    /// Puts a fault in force; those that strike at once do so.
    fn set_fault(
        &mut self,
        rule: FaultRule<Self::Fault>,
        now: (MonoTime, WallTime),
    ) -> Option<Effect>;

    /// Undoes what a fault had done that is no longer in force.
    fn mend(&mut self, name: NameOf<Self>) -> Option<Effect>;

    /// Tells the next events of the story.
    fn tell(&mut self, count: u64, now: (MonoTime, WallTime));

    /// A connection is made: its number, or `None` where there are too many.
    fn admit(&mut self) -> Option<u64>;

    /// A connection is gone.
    fn leave(&mut self, connection: u64);

    /// A request arrived: the number it is remembered by.
    fn arrive(&mut self, connection: u64, request: &Self::Request, at: WallTime) -> u64;

    /// A request ended.
    fn end(&mut self, entry: u64, request: &Self::Request, outcome: Outcome);
}

/// The names of a platform's faults.
pub(in crate::sandbox) type NameOf<S> = <<S as Simulated>::Fault as FaultKind>::Name;

/// What a fault does to every connection at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Effect {
    /// They are reset, and no new ones are taken.
    Down,
    /// New ones are taken again.
    Up,
    /// Frozen ones move again.
    Thaw,
}

/// Everything the tasks of a sandbox share.
#[derive(Debug)]
pub(in crate::sandbox) struct Hub<S> {
    pub(in crate::sandbox) clock: Clock,
    state: Mutex<S>,
    /// Events, faults and tokens: whoever holds a connection looks again.
    changed: watch::Sender<u64>,
    /// Anything at all: whoever observes looks again.
    noticed: watch::Sender<u64>,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    up: watch::Sender<bool>,
    rate: watch::Sender<f64>,
    pub(super) rules: Notify,
}

impl<S: Simulated> Hub<S> {
    /// A state that tells so many events a second.
    pub(in crate::sandbox) fn new(state: S, clock: Clock, rate: f64) -> Arc<Self> {
        Arc::new(Self {
            clock,
            changed: watch::Sender::new(0),
            noticed: watch::Sender::new(0),
            links: Mutex::default(),
            up: watch::Sender::new(true),
            rate: watch::Sender::new(rate),
            rules: Notify::new(),
            state: Mutex::new(state),
        })
    }

    /// Looks at the state, or changes what only observers care for. Strikes are told to them here.
    pub(in crate::sandbox) fn with<T>(&self, look: impl FnOnce(&mut S) -> T) -> T {
        let mut state = self.state.lock();
        let before = state.faults().strikes();
        let seen = look(&mut state);
        let struck = state.faults().strikes() > before;
        drop(state);
        if struck {
            self.notice();
        }
        seen
    }

    /// Changes what connections care for: they look again.
    pub(in crate::sandbox) fn alter<T>(&self, change: impl FnOnce(&mut S) -> T) -> T {
        let made = self.with(change);
        self.change();
        made
    }

    /// Both times, read together.
    pub(in crate::sandbox) fn times(&self) -> (MonoTime, WallTime) {
        (self.clock.now(), self.clock.wall())
    }

    /// Tells observers.
    pub(in crate::sandbox) fn notice(&self) {
        self.noticed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells connections and observers that something happened.
    pub(in crate::sandbox) fn change(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
        self.notice();
    }

    pub(in crate::sandbox) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Waits until something is true, for so long at most; whether it became true.
    pub(in crate::sandbox) async fn until(
        &self,
        within: Duration,
        test: impl Fn() -> bool,
    ) -> bool {
        let mut notices = self.noticed.subscribe();
        let wait = async {
            loop {
                notices.borrow_and_update();
                if test() || notices.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(within, wait).await.is_ok()
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

    /// Tells so many events a second from now on; what is no rate is none.
    pub(in crate::sandbox) fn set_rate(&self, per_second: f64) {
        let valid = if per_second.is_finite() {
            per_second.max(0.0)
        } else {
            0.0
        };
        self.rate.send_replace(valid);
        tracing::info!(per_second = valid, "Rate set");
    }

    /// Tells some events of the story; how many are left.
    pub(in crate::sandbox) fn tell_some(&self, count: u64) -> u64 {
        let some = count.min(TOLD_AT_ONCE);
        let now = self.times();
        self.alter(|state| state.tell(some, now));
        count - some
    }

    /// Tells events of the story.
    pub(in crate::sandbox) fn tell(&self, count: u64) {
        let mut left = count;
        while left > 0 {
            left = self.tell_some(left);
        }
    }

    /// Puts a fault in force; those that strike at once do so.
    pub(in crate::sandbox) fn set_fault(&self, rule: FaultRule<S::Fault>) {
        let now = self.times();
        tracing::info!(fault = %rule.name(), rule = %rule.to_json(), "Fault set");
        let effect = self.with(|state| state.set_fault(rule, now));
        self.take_effect(effect);
        self.rules.notify_one();
        self.change();
    }

    /// Takes a fault out of force; whether it was.
    pub(in crate::sandbox) fn clear_fault(&self, name: NameOf<S>) -> bool {
        let was = self.with(|state| state.faults_mut().clear(name));
        if was {
            self.mend(name);
        }
        was
    }

    /// Takes every fault out of force.
    pub(in crate::sandbox) fn clear_faults(&self) {
        for name in self.with(|state| state.faults().names()) {
            self.clear_fault(name);
        }
    }

    /// Takes out of force what has lasted long enough; when to look again.
    pub(super) fn expire_faults(&self) -> Option<MonoTime> {
        let now = self.clock.now();
        for name in self.with(|state| state.faults_mut().expire(now)) {
            self.mend(name);
        }
        self.with(|state| state.faults().next_expiry())
    }

    fn mend(&self, name: NameOf<S>) {
        tracing::info!(fault = %name, "Fault cleared");
        let effect = self.with(|state| state.mend(name));
        self.take_effect(effect);
        self.change();
    }

    fn take_effect(&self, effect: Option<Effect>) {
        match effect {
            Some(Effect::Down) => {
                self.up.send_replace(false);
                self.links.lock().values().for_each(|link| link.reset());
            }
            Some(Effect::Up) => {
                self.up.send_replace(true);
            }
            Some(Effect::Thaw) => self.links.lock().values().for_each(|link| link.thaw()),
            None => {}
        }
    }

    /// A connection was made: its handle, or `None` where there are too many.
    pub(super) fn connect(&self) -> Option<Arc<Link>> {
        let link = self.with(S::admit).map(Link::new);
        if let Some(link) = &link {
            self.links.lock().insert(link.id, Arc::clone(link));
        }
        self.notice();
        link
    }

    /// A connection is gone.
    pub(super) fn disconnect(&self, id: u64) {
        self.links.lock().remove(&id);
        self.with(|state| state.leave(id));
        self.notice();
    }

    /// A request arrived.
    pub(in crate::sandbox) fn arrive(
        self: &Arc<Self>,
        connection: u64,
        request: S::Request,
    ) -> Arrival<S> {
        let wall = self.clock.wall();
        let entry = self.with(|state| state.arrive(connection, &request, wall));
        self.notice();
        Arrival {
            hub: Arc::clone(self),
            entry,
            request,
            outcome: Outcome::Abandoned,
        }
    }
}

/// A request on its way: counts how it ended, however it ended.
#[derive(Debug)]
pub(in crate::sandbox) struct Arrival<S: Simulated> {
    hub: Arc<Hub<S>>,
    /// The number it is remembered by.
    pub(in crate::sandbox) entry: u64,
    pub(in crate::sandbox) request: S::Request,
    outcome: Outcome,
}

impl<S: Simulated> Arrival<S> {
    pub(in crate::sandbox) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl<S: Simulated> Drop for Arrival<S> {
    fn drop(&mut self) {
        let (entry, outcome) = (self.entry, self.outcome);
        self.hub
            .with(|state| state.end(entry, &self.request, outcome));
        self.hub.notice();
    }
}

/// Sets and clears faults, whatever the platform: what a handle holds.
pub(in crate::sandbox) trait FaultDesk<F: FaultKind>:
    fmt::Debug + Send + Sync
{
    fn set(&self, rule: FaultRule<F>);
    fn clear(&self, name: F::Name) -> bool;
    fn clear_all(&self);
    fn struck(&self, name: F::Name) -> u64;
    fn status(&self) -> Vec<FaultStatus<F::Name>>;
}

impl<S: Simulated> FaultDesk<S::Fault> for Hub<S> {
    fn set(&self, rule: FaultRule<S::Fault>) {
        self.set_fault(rule);
    }

    fn clear(&self, name: NameOf<S>) -> bool {
        self.clear_fault(name)
    }

    fn clear_all(&self) {
        self.clear_faults();
    }

    fn struck(&self, name: NameOf<S>) -> u64 {
        self.with(|state| state.faults().struck(name))
    }

    fn status(&self) -> Vec<FaultStatus<NameOf<S>>> {
        self.with(|state| state.faults().status())
    }
}
