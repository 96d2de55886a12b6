//! [`Supervisor`]: runs every session of a configuration, each as a task of its own.

mod handle;
mod lane;
mod posts;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};

use self::handle::Order;
pub use self::handle::SupervisorHandle;
pub(super) use self::session::{Build, Session, Surroundings};
use super::outbound::OutboundSettings;
use super::{BoardSlot, HealthDesk, Owner, SessionBoard, SessionConfig, SessionStats, StartError};
use crate::auth::{Sealer, TokenSource};
use crate::connectors;
use crate::domain::SessionName;
use crate::journal::Journal;
use crate::net::HttpClient;
use crate::runtime::{Clock, Drain, DrainTrigger, Rng};
use crate::telemetry::traces::Tracer;

/// What one session needs of the world.
#[derive(Debug)]
pub struct SessionParts<C> {
    /// Its configuration.
    pub config: SessionConfig,
    /// Its way out, with the proxy, TLS and hosts of its configuration.
    pub http: Arc<C>,
    /// Its credential.
    pub tokens: Arc<dyn TokenSource>,
    /// Where it writes.
    pub journal: Arc<dyn Journal>,
    /// The health of its endpoints, shared by all sessions of one credential.
    pub health: HealthDesk,
    /// Seals what of its state acts as a credential; where there is none, it is kept plain.
    pub sealer: Option<Arc<Sealer>>,
    /// How it sends, where it does.
    pub outbound: Option<OutboundSettings>,
}

/// What a supervisor needs.
#[derive(Debug)]
pub struct SupervisorParts<C> {
    /// The sessions.
    pub sessions: Vec<SessionParts<C>>,
    /// Where they post their state.
    pub board: SessionBoard,
    /// The source of time.
    pub clock: Clock,
    /// The source of chance.
    pub rng: Rng,
    /// What records the traces of events.
    pub tracer: Tracer,
}

/// Runs sessions.
#[derive(Debug)]
pub struct Supervisor<C> {
    sessions: Vec<Session<C>>,
    surroundings: Surroundings,
    orders: mpsc::Receiver<Order<C>>,
    handle: SupervisorHandle<C>,
}

impl<C: HttpClient + 'static> Supervisor<C> {
    /// Opens each session's place on the board; nothing runs yet.
    ///
    /// # Errors
    /// [`StartError`] names the session whose settings are wrong.
    pub fn new(parts: SupervisorParts<C>) -> Result<Self, StartError> {
        Self::building(parts, by_settings)
    }

    /// As [`Supervisor::new`], with what makes the connectors of each session.
    pub(super) fn building(
        parts: SupervisorParts<C>,
        build: impl Fn(&SessionConfig) -> Build,
    ) -> Result<Self, StartError> {
        let surroundings = Surroundings {
            board: parts.board,
            clock: parts.clock,
            rng: parts.rng,
            recent_ids: Arc::default(),
            tracer: parts.tracer,
        };
        let sessions = parts.sessions.into_iter().map(|session| {
            let build = build(&session.config);
            open(session, build, &surroundings)
        });
        let sessions = sessions.collect::<Result<_, _>>()?;
        let (handle, orders) = SupervisorHandle::new();
        Ok(Self {
            sessions,
            surroundings,
            orders,
            handle,
        })
    }

    /// The counters of every session; they outlive the supervisor.
    #[must_use]
    pub fn stats(&self) -> Vec<(SessionName, Arc<SessionStats>)> {
        self.sessions.iter().map(Session::stats).collect()
    }

    /// Begins and ends single sessions while it runs.
    #[must_use]
    pub fn handle(&self) -> SupervisorHandle<C> {
        self.handle.clone()
    }

    /// Runs every session until drained.
    pub async fn run(self, drain: Drain) {
        let mut surroundings = self.surroundings;
        let mut orders = self.orders;
        let mut running = Running::default();
        for session in self.sessions {
            running.begin(session, &drain);
        }
        let mut draining = false;
        while !(draining && running.tasks.is_empty()) {
            tokio::select! {
                biased;
                () = drain.draining(), if !draining => draining = true,
                Some(ended) = running.tasks.join_next(), if !running.tasks.is_empty() => {
                    running.ended(ended);
                }
                Some(order) = orders.recv(), if !draining => match order {
                    Order::Begin(parts, answer) => {
                        // What was journaled since the others began is not among what they remember.
                        surroundings.recent_ids = Arc::default();
                        let build = by_settings(&parts.config);
                        let opened = open(*parts, build, &surroundings).map(|session| {
                            let (_, stats) = session.stats();
                            running.begin(session, &drain);
                            stats
                        });
                        drop(answer.send(opened));
                    }
                    Order::End(name, answer) => running.end(&name, answer),
                },
            }
        }
    }
}

/// The sessions that run, and those whose end stays on the board to say so.
#[derive(Debug, Default)]
struct Running {
    tasks: JoinSet<(SessionName, Arc<BoardSlot>)>,
    triggers: BTreeMap<SessionName, DrainTrigger>,
    /// They were told to end, and these wait for it.
    leaving: BTreeMap<SessionName, oneshot::Sender<()>>,
    over: BTreeMap<SessionName, Arc<BoardSlot>>,
}

impl Running {
    fn begin<C: HttpClient + 'static>(&mut self, session: Session<C>, drain: &Drain) {
        let (name, _) = session.stats();
        let (trigger, own) = drain.child();
        self.triggers.insert(name.clone(), trigger);
        let running = Box::new(session).run(own);
        self.tasks.spawn(running.map(|slot| (name, slot)));
    }

    fn end(&mut self, name: &SessionName, answer: oneshot::Sender<()>) {
        match self.triggers.get(name) {
            Some(trigger) => {
                trigger.drain();
                self.leaving.insert(name.clone(), answer);
            }
            // It is over already, or there never was one.
            None => {
                self.over.remove(name);
                answer.send(()).ok();
            }
        }
    }

    fn ended(&mut self, ended: Result<(SessionName, Arc<BoardSlot>), JoinError>) {
        match ended {
            Ok((name, slot)) => {
                self.triggers.remove(&name);
                match self.leaving.remove(&name) {
                    Some(answer) => {
                        // Its post is gone before another of its name is opened.
                        drop(slot);
                        answer.send(()).ok();
                    }
                    None => drop(self.over.insert(name, slot)),
                }
            }
            // What runs a session has no business failing: whoever runs us decides.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
}

fn open<C: HttpClient + 'static>(
    session: SessionParts<C>,
    build: Build,
    surroundings: &Surroundings,
) -> Result<Session<C>, StartError> {
    let name = session.config.name.to_string();
    Session::new(session, build, Owner::default(), surroundings).map_err(|source| {
        StartError::Settings {
            session: name,
            source,
        }
    })
}

/// What a session's settings say that it consists of.
fn by_settings(config: &SessionConfig) -> Build {
    let endpoints = config.endpoints();
    let settings: Vec<_> = endpoints.map(|e| config.settings_at(e)).collect();
    Box::new(move |endpoint| match settings.get(endpoint) {
        Some(settings) => connectors::build(settings).map(Some),
        None => Ok(None),
    })
}
