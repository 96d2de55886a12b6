//! [`Core`]: the hub of a tenant, and what its state does to connections.

use std::sync::Arc;

use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::Outcome;
use crate::sandbox::cxone::fault::{CxoneFault, CxoneFaultName as Name};
use crate::sandbox::cxone::platform::{Change, Changed, CxoneRequestKind, InvalidChange, State};
use crate::sandbox::fault::{FaultRule, FaultTable};
use crate::sandbox::server::{Effect, Hub, Simulated, until_then};

/// Everything the tasks of a sandbox of a tenant share.
pub(in crate::sandbox::cxone) type Core = Hub<State>;

impl Simulated for State {
    type Fault = CxoneFault;
    type Request = CxoneRequestKind;

    fn faults(&self) -> &FaultTable<CxoneFault> {
        &self.faults
    }

    fn faults_mut(&mut self) -> &mut FaultTable<CxoneFault> {
        &mut self.faults
    }

    fn set_fault(
        &mut self,
        rule: FaultRule<CxoneFault>,
        (now, _): (MonoTime, WallTime),
    ) -> Option<Effect> {
        let name = rule.name();
        match name {
            Name::ExpireTokensNow => self.tokens.expire_all(),
            Name::PlatformDown => self.faults.set(rule, now),
            _ => {
                self.faults.set(rule, now);
                return None;
            }
        }
        self.faults.count(name);
        (name == Name::PlatformDown).then_some(Effect::Down)
    }

    fn mend(&mut self, name: Name) -> Option<Effect> {
        match name {
            Name::Freeze => Some(Effect::Thaw),
            Name::PlatformDown => Some(Effect::Up),
            _ => None,
        }
    }

    fn tell(&mut self, count: u64, (_, wall): (MonoTime, WallTime)) {
        self.tell_steps(count, wall);
    }

    fn admit(&mut self) -> Option<u64> {
        let open = self.connections;
        let limit = match self.faults.in_force(Name::ConnectionLimit) {
            Some(CxoneFault::ConnectionLimit { max }) => u64::from(*max),
            _ => u64::MAX,
        };
        if open >= limit {
            self.strike(Name::ConnectionLimit);
        }
        if open >= limit.min(self.config.max_connections as u64) {
            self.counters.connections_refused += 1;
            return None;
        }
        self.connections += 1;
        self.counters.connections_accepted += 1;
        Some(self.counters.connections_accepted)
    }

    fn leave(&mut self, _connection: u64) {
        self.connections -= 1;
    }

    fn arrive(&mut self, connection: u64, kind: &CxoneRequestKind, at: WallTime) -> u64 {
        self.enter(connection, *kind, at)
    }

    fn end(&mut self, entry: u64, kind: &CxoneRequestKind, outcome: Outcome) {
        self.close(entry, *kind, outcome);
    }
}

impl Core {
    /// Makes a single change.
    pub(in crate::sandbox::cxone) fn make(
        &self,
        agent: &str,
        change: Change,
    ) -> Result<Changed, InvalidChange> {
        let now = self.times();
        self.alter(|state| state.change(agent, change, now))
    }
}

/// Ends the sessions that nobody polls, when their time is over.
pub(in crate::sandbox::cxone) async fn end_idle_sessions(core: Arc<Core>) -> anyhow::Result<()> {
    let mut changes = core.changes();
    loop {
        changes.borrow_and_update();
        let now = core.times();
        let (ended, next) = core.with(|state| state.end_idle(now));
        if ended {
            core.change();
            continue;
        }
        tokio::select! {
            changed = changes.changed() => changed?,
            () = until_then(next) => {}
        }
    }
}
