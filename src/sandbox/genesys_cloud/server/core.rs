//! [`Core`]: the hub of Genesys Cloud, and what its state does to connections.

use std::sync::Arc;

use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::fault::{FaultRule, FaultTable};
use crate::sandbox::genesys_cloud::fault::{GenesysFault, GenesysFaultName as Name};
use crate::sandbox::genesys_cloud::record::{GenesysRequest, Request};
use crate::sandbox::genesys_cloud::state::State;
use crate::sandbox::genesys_cloud::world::iso;
use crate::sandbox::platform::Outcome;
use crate::sandbox::server::{Effect, Hub, Simulated, until_then};

/// Everything the tasks of a sandbox of Genesys Cloud share.
pub(in crate::sandbox::genesys_cloud) type Core = Hub<State>;

impl Simulated for State {
    type Fault = GenesysFault;
    type Request = Request;

    fn faults(&self) -> &FaultTable<GenesysFault> {
        &self.faults
    }

    fn faults_mut(&mut self) -> &mut FaultTable<GenesysFault> {
        &mut self.faults
    }

    fn set_fault(
        &mut self,
        rule: FaultRule<GenesysFault>,
        (now, _): (MonoTime, WallTime),
    ) -> Option<Effect> {
        let name = rule.name();
        let named = |channel: Option<&String>, state: &Self| -> Vec<Arc<str>> {
            let all = state.channels.iter().map(|of| Arc::clone(&of.id));
            all.filter(|id| channel.is_none_or(|named| **named == **id))
                .collect()
        };
        match &rule.fault {
            GenesysFault::ExpireTokensNow {} => {
                self.tokens.expire_all(now);
                self.end_lives(now);
            }
            GenesysFault::RevokeTokensNow {} => {
                self.tokens.revoke_all();
                self.end_lives(now);
            }
            GenesysFault::EvictChannel { channel } => {
                for id in named(channel.as_ref(), self) {
                    self.evict(&id);
                }
            }
            GenesysFault::ExpireChannel { channel } => {
                for id in named(channel.as_ref(), self) {
                    self.channels.end_life(&id, now);
                }
                self.end_lives(now);
            }
            GenesysFault::PlatformDown {} => self.faults.set(rule, now),
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

    fn tell(&mut self, count: u64, now: (MonoTime, WallTime)) {
        for _ in 0..count {
            self.tell_next(now);
        }
    }

    fn admit(&mut self) -> Option<u64> {
        let open = self.connections.len();
        let limit = match self.faults.in_force(Name::ConnectionLimit) {
            Some(GenesysFault::ConnectionLimit { max }) => *max as usize,
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

    fn arrive(&mut self, connection: u64, request: &Request, at: WallTime) -> u64 {
        self.requests.enter(|entry| GenesysRequest {
            entry,
            at: iso(at),
            connection,
            operation: request.operation,
            line: request.line.clone(),
            outcome: None,
        })
    }

    fn end(&mut self, entry: u64, request: &Request, outcome: Outcome) {
        let ended = self.counters.requests.entry(request.operation).or_default();
        *ended.entry(outcome).or_default() += 1;
        if let Some(entry) = self.requests.get_mut(entry) {
            entry.outcome = Some(outcome);
        }
    }
}

/// Does what is due by time: observations that were held back, the end of channels and tokens.
pub(in crate::sandbox::genesys_cloud) async fn clockwork(core: Arc<Core>) -> anyhow::Result<()> {
    let mut changes = core.changes();
    loop {
        changes.borrow_and_update();
        let now = core.times();
        let (next, happened) = core.with(|state| state.tick(now));
        if happened {
            core.change();
            continue;
        }
        tokio::select! {
            changed = changes.changed() => changed?,
            () = until_then(next) => {}
        }
    }
}
