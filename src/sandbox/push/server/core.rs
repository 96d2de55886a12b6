//! [`Core`]: the hub of a platform that pushes, and what its state does to connections.

use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::fault::{FaultRule, FaultTable};
use crate::sandbox::platform::{Outcome, decimals};
use crate::sandbox::push::fault::{PushFault, PushFaultName as Name};
use crate::sandbox::push::record::{PushOperation, PushRequest};
use crate::sandbox::push::state::State;
use crate::sandbox::server::{Effect, Hub, Simulated};

/// Everything that the tasks of the sandbox share.
pub(in crate::sandbox::push) type Core = Hub<State>;

impl Simulated for State {
    type Fault = PushFault;
    type Request = PushOperation;

    fn faults(&self) -> &FaultTable<PushFault> {
        &self.faults
    }

    fn faults_mut(&mut self) -> &mut FaultTable<PushFault> {
        &mut self.faults
    }

    fn set_fault(
        &mut self,
        rule: FaultRule<PushFault>,
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
        for _ in 0..count {
            self.tell_next(wall);
        }
    }

    fn admit(&mut self) -> Option<u64> {
        let open = self.connections.len();
        let limit = match self.faults.in_force(Name::ConnectionLimit) {
            Some(PushFault::ConnectionLimit { max }) => *max as usize,
            _ => usize::MAX,
        };
        if open >= limit {
            self.strike(Name::ConnectionLimit);
        }
        if open >= limit.min(self.config.max_connections) {
            self.counters.connections_refused += 1;
            return None;
        }
        self.counters.connections_accepted += 1;
        let id = self.counters.connections_accepted;
        self.connections.insert(id);
        Some(id)
    }

    fn leave(&mut self, connection: u64) {
        self.connections.remove(&connection);
    }

    fn arrive(&mut self, connection: u64, request: &PushOperation, at: WallTime) -> u64 {
        self.requests.enter(|entry| PushRequest {
            entry,
            at: decimals(at),
            connection,
            operation: *request,
            outcome: None,
        })
    }

    fn end(&mut self, entry: u64, request: &PushOperation, outcome: Outcome) {
        let ended = self.counters.requests.entry(*request).or_default();
        *ended.entry(outcome).or_default() += 1;
        if let Some(entry) = self.requests.get_mut(entry) {
            entry.outcome = Some(outcome);
        }
    }
}
