//! [`Core`]: the hub of genesys-events, and what its state does to connections.

use super::hub::{Effect, Hub, Simulated};
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::fault::{Fault, FaultName, FaultRule, FaultTable};
use crate::sandbox::platform::{Emission, InvalidEvent, Outcome, RequestKind, State, Transport};

/// Everything the tasks of a sandbox of genesys-events share.
pub(in crate::sandbox) type Core = Hub<State>;

impl Simulated for State {
    type Fault = Fault;
    type Request = RequestKind;

    fn faults(&self) -> &FaultTable {
        &self.faults
    }

    fn faults_mut(&mut self) -> &mut FaultTable {
        &mut self.faults
    }

    fn set_fault(&mut self, rule: FaultRule, (now, _): (MonoTime, WallTime)) -> Option<Effect> {
        let name = rule.name();
        match name {
            FaultName::ExpireTokensNow => self.tokens.expire_all(),
            FaultName::RestartNumbering => self.restart_numbering(),
            FaultName::PlatformDown => self.faults.set(rule, now),
            _ => {
                self.faults.set(rule, now);
                return None;
            }
        }
        self.faults.count(name);
        (name == FaultName::PlatformDown).then_some(Effect::Down)
    }

    fn mend(&mut self, name: FaultName) -> Option<Effect> {
        match name {
            FaultName::Freeze => return Some(Effect::Thaw),
            FaultName::PlatformDown => return Some(Effect::Up),
            FaultName::Late | FaultName::Reorder => self.release_late(),
            _ => {}
        }
        None
    }

    fn tell(&mut self, count: u64, (_, wall): (MonoTime, WallTime)) {
        let told = self.emit(&Emission::story(count), wall);
        debug_assert!(told.is_ok(), "the story is always valid");
    }

    fn admit(&mut self) -> Option<u64> {
        let open = self.connections.len();
        let limit = match self.faults.in_force(FaultName::ConnectionLimit) {
            Some(Fault::ConnectionLimit { max }) => *max as usize,
            _ => usize::MAX,
        };
        if open >= limit {
            self.strike(FaultName::ConnectionLimit);
        }
        if open >= limit.min(self.config.max_connections) {
            self.counters.connections_refused += 1;
            return None;
        }
        self.counters.connections_accepted += 1;
        let id = self.counters.connections_accepted;
        self.connections.insert(id, Transport::Idle);
        Some(id)
    }

    fn leave(&mut self, connection: u64) {
        self.connections.remove(&connection);
    }

    fn arrive(&mut self, connection: u64, kind: &RequestKind, at: WallTime) -> u64 {
        State::arrive(self, connection, *kind, at)
    }

    fn end(&mut self, entry: u64, kind: &RequestKind, outcome: Outcome) {
        State::end(self, entry, *kind, outcome);
    }
}

impl Core {
    /// Issues events; the last number of the default subscription.
    pub(in crate::sandbox) fn emit(&self, emission: &Emission) -> Result<u64, InvalidEvent> {
        match emission {
            Emission::Story(story) => self.tell(story.count),
            Emission::Event(_) => {
                let now = self.clock.wall();
                self.alter(|state| state.emit(emission, now))?;
            }
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

    pub(super) fn using(&self, connection: u64, transport: Transport) {
        self.with(|state| {
            // A connection that ended meanwhile is not brought back.
            if let Some(present) = state.connections.get_mut(&connection) {
                *present = transport;
            }
        });
        self.notice();
    }
}
