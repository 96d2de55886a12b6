//! [`Desk`]: begins and ends single sessions of the configuration while the others run.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::clients::Clients;
use super::made::{self, Keeper, Made, credential};
use super::{Ground, Problem, SessionError, Stats, Way};
use crate::app::Host;
use crate::config::Difference;
use crate::domain::SessionName;
use crate::runtime::{TaskFailure, TaskSet};
use crate::session::SupervisorHandle;

/// Begins and ends sessions.
#[derive(Debug)]
pub(in crate::app) struct Desk<H: Host> {
    ground: Ground<H>,
    clients: Clients,
    keepers: BTreeMap<SessionName, Keeper>,
    supervisor: SupervisorHandle<Way<H>>,
    stats: Stats,
    /// Of what began since the start.
    tasks: TaskSet,
    round: u64,
}

/// Sessions that begin once those before them have ended.
#[derive(Debug)]
pub(in crate::app) struct Next<H: Host>(Vec<Made<H>>);

impl<H: Host> Desk<H> {
    pub(super) fn new(
        ground: Ground<H>,
        clients: Clients,
        keepers: Vec<(SessionName, Keeper)>,
        supervisor: SupervisorHandle<Way<H>>,
    ) -> Self {
        Self {
            ground,
            clients,
            keepers: keepers.into_iter().collect(),
            supervisor,
            stats: Stats::default(),
            tasks: TaskSet::new(),
            round: 0,
        }
    }

    pub(in crate::app) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The next failure of what began since the start; `None` where nothing of it runs. Cancel-safe.
    pub(in crate::app) async fn next_failure(&mut self) -> Option<TaskFailure> {
        self.tasks.next_failure().await
    }

    /// Makes what a difference begins, so that it is applied as a whole or not at all.
    pub(in crate::app) fn make(&self, difference: &Difference) -> Result<Next<H>, SessionError> {
        let mut made = Vec::new();
        for session in &difference.next.sessions {
            let name = &session.name;
            let begins = difference.added.contains(name);
            if begins && self.ground.board.state(name).is_some() {
                return Err(SessionError::of(name, Problem::NameTaken));
            }
            if begins || restarts(difference, name) {
                let one = made::make(session, &self.ground);
                made.push(one.map_err(|problem| SessionError::of(name, problem))?);
            }
        }
        Ok(Next(made))
    }

    /// Ends what is gone or changed, politely and all at once, then begins what is new or changed.
    /// The others notice nothing.
    pub(in crate::app) async fn apply(&mut self, difference: &Difference, next: Next<H>) {
        let changed = difference
            .changed
            .iter()
            .filter(|changed| changed.restarts());
        let changed = changed.map(|changed| &changed.session);
        let leaving: Vec<_> = difference.removed.iter().chain(changed).collect();
        let (supervisor, keepers) = (&self.supervisor, &mut self.keepers);
        join_all(leaving.iter().map(|&name| {
            let keeper = keepers.remove(name);
            async move {
                supervisor.end(name.clone()).await;
                // It may send its last requests with a token, so that goes behind it.
                if let Some(keeper) = keeper {
                    keeper.end().await;
                }
            }
        }))
        .await;
        difference
            .removed
            .iter()
            .for_each(|name| self.stats.remove(name));
        self.count_clients(difference);
        self.round += 1;
        for made in next.0 {
            self.begin(made).await;
        }
    }

    /// The rates of all who are there now.
    fn count_clients(&mut self, difference: &Difference) {
        let sessions = difference.next.sessions.iter();
        let all: Vec<_> = sessions
            .filter_map(|session| {
                // Those that run were made of the same.
                let settings = credential(session, session.name.as_str()).ok()?;
                Some((settings, session.rate_limit.per_minute))
            })
            .collect();
        let all = all.iter().map(|(settings, rate)| (settings, *rate));
        self.clients.renew(all, &self.ground.clock);
    }

    async fn begin(&mut self, made: Made<H>) {
        let name = made.name().clone();
        let Some(shared) = self.clients.of(made.client().0) else {
            return;
        };
        let (parts, keeper) = made.launch(shared, self.round, &self.ground, &mut self.tasks);
        match self.supervisor.begin(parts).await {
            Ok(Some(stats)) => {
                self.stats.put(&name, stats);
                self.keepers.insert(name, keeper);
            }
            // Everything ends.
            Ok(None) => {}
            Err(error) => {
                tracing::error!(session = %name, %error, "Session cannot begin");
                keeper.end().await;
            }
        }
    }
}

fn restarts(difference: &Difference, name: &SessionName) -> bool {
    let mut changed = difference.changed.iter();
    changed.any(|changed| changed.session == *name && changed.restarts())
}
