//! [`Core`]: the hub of a platform for guests, and what its state does to connections.

use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::fault::{FaultRule, FaultTable};
use crate::sandbox::guests::fault::{GuestFault, GuestFaultName as Name};
use crate::sandbox::guests::record::{GuestOperation, GuestRequest};
use crate::sandbox::guests::state::State;
use crate::sandbox::platform::{Outcome, decimals};
use crate::sandbox::server::{Effect, Hub, Simulated};

/// Everything that the tasks of the sandbox share.
pub(in crate::sandbox::guests) type Core = Hub<State>;

impl Simulated for State {
    type Fault = GuestFault;
    type Request = GuestOperation;

    fn faults(&self) -> &FaultTable<GuestFault> {
        &self.faults
    }

    fn faults_mut(&mut self) -> &mut FaultTable<GuestFault> {
        &mut self.faults
    }

    fn set_fault(
        &mut self,
        rule: FaultRule<GuestFault>,
        (now, _): (MonoTime, WallTime),
    ) -> Option<Effect> {
        let name = rule.name();
        self.stir();
        match name {
            Name::ExpireTokensNow => self.tokens.expire_all(),
            Name::ExpireJwtsNow => self.expire_jwts(),
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
        self.stir();
        match name {
            Name::Freeze => Some(Effect::Thaw),
            Name::PlatformDown => Some(Effect::Up),
            _ => None,
        }
    }

    fn tell(&mut self, count: u64, now: (MonoTime, WallTime)) {
        for _ in 0..count {
            self.chatter(now);
        }
    }

    fn admit(&mut self) -> Option<u64> {
        let open = self.connections.len();
        let limit = match self.faults.in_force(Name::ConnectionLimit) {
            Some(GuestFault::ConnectionLimit { max }) => *max as usize,
            _ => usize::MAX,
        };
        if open >= limit {
            self.faults.count(Name::ConnectionLimit);
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

    fn arrive(&mut self, connection: u64, request: &GuestOperation, at: WallTime) -> u64 {
        self.requests.enter(|entry| GuestRequest {
            entry,
            at: decimals(at),
            connection,
            operation: *request,
            outcome: None,
        })
    }

    fn end(&mut self, entry: u64, request: &GuestOperation, outcome: Outcome) {
        let ended = self.counters.requests.entry(*request).or_default();
        *ended.entry(outcome).or_default() += 1;
        if let Some(entry) = self.requests.get_mut(entry) {
            entry.outcome = Some(outcome);
        }
    }
}
