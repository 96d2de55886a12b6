//! [`Session`]: runs the channels of one session, restarts those that fail, and finds out now and
//! then what there is to subscribe to.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::Instrument;
use url::Url;

use super::SessionParts;
use super::lane::{After, Failed, Lane};
use super::posts::Posts;
use crate::connectors::{Built, Connector, Identity, Plan, SettingsError};
use crate::domain::{JournalName, SessionName};
use crate::journal::Journal;
use crate::net::HttpClient;
use crate::proto::v1;
use crate::proto::v1::session::State;
use crate::runtime::{Clock, Drain, MonoTime, Rng};
use crate::session::driver;
use crate::session::driver::DriverParts;
use crate::session::machine::Endpoint;
use crate::session::ordering::{LentIds, SharedIds};
use crate::session::planner::{Change, Planner, Standing, changes, replan_after};
use crate::session::{BoardSlot, DriverError, Owner, SessionBoard, SessionStats, Sources};
use crate::telemetry::traces::Tracer;

/// What every session shares.
#[derive(Debug)]
pub(in crate::session) struct Surroundings {
    pub(in crate::session) board: SessionBoard,
    pub(in crate::session) clock: Clock,
    pub(in crate::session) rng: Rng,
    pub(in crate::session) recent_ids: Arc<JournalIds>,
    pub(in crate::session) tracer: Tracer,
}

/// What each journal remembered when the first of its sessions asked.
#[derive(Debug, Default)]
pub(in crate::session) struct JournalIds(Mutex<BTreeMap<JournalName, LentIds>>);

impl JournalIds {
    /// Those of one journal, asked for once; nothing, once every session has let go of them.
    fn of(&self, journal: &dyn Journal, clock: &Clock) -> SharedIds {
        match self.0.lock().entry(journal.info().name) {
            Entry::Occupied(lent) => lent.get().get(),
            Entry::Vacant(vacant) => {
                let ids = SharedIds::new(clock.now(), journal.recent_ids());
                vacant.insert(ids.lent());
                ids
            }
        }
    }
}

/// Makes what a session consists of at one of its endpoints, from its settings; nothing where it has
/// no so many.
pub(in crate::session) type Build =
    Box<dyn Fn(usize) -> Result<Option<Built>, SettingsError> + Send + Sync>;

/// One session.
pub(in crate::session) struct Session<C> {
    name: SessionName,
    parts: SessionParts<C>,
    build: Build,
    stats: Arc<SessionStats>,
    slot: Arc<BoardSlot>,
    posts: Arc<Posts>,
    recent_ids: Arc<JournalIds>,
    clock: Clock,
    rng: Rng,
    tracer: Tracer,
    /// What it was found to consist of, by the index of its channels.
    settled: Vec<Arc<dyn Connector>>,
    /// The same elsewhere: of each alternative endpoint its host, and the connectors there.
    elsewhere: Vec<(String, Vec<Arc<dyn Connector>>)>,
    /// Boxed: a map has room for several at once, and most sessions have one.
    lanes: BTreeMap<usize, Box<Lane>>,
    planning: Planning,
    tasks: JoinSet<Ended>,
    roles: HashMap<Id, Role>,
    restarts: FuturesUnordered<BoxFuture<'static, usize>>,
}

/// How a session knows what it consists of.
#[derive(Debug)]
enum Planning {
    /// By its settings alone.
    Settled,
    /// It has to be asked for, at this time.
    Due(MonoTime, Option<Box<dyn Plan>>),
    /// It is being asked for.
    UnderWay(AbortHandle),
}

#[derive(Debug, Clone, Copy)]
enum Role {
    Lane(usize),
    Plan,
}

enum Ended {
    Lane(Result<(), DriverError>),
    Plan(Option<Vec<Arc<dyn Connector>>>),
}

impl<C: HttpClient + 'static> Session<C> {
    /// Opens its place on the board; nothing runs yet.
    pub(in crate::session) fn new(
        parts: SessionParts<C>,
        build: Build,
        owner: Owner,
        surroundings: &Surroundings,
    ) -> Result<Self, SettingsError> {
        let name = parts.config.name.clone();
        let (settled, plan) = match build(0)? {
            Some(Built::Ready(connectors)) => (connectors, None),
            Some(Built::Planned(plan)) => (Vec::new(), Some(plan)),
            None => (Vec::new(), None),
        };
        let mut elsewhere = Vec::new();
        for (index, endpoint) in parts.config.alternative_endpoints.iter().enumerate() {
            if let Some(Built::Ready(connectors)) = build(index + 1)? {
                elsewhere.push((host_of(endpoint), connectors));
            }
        }
        let first = v1::Session {
            name: name.resource(),
            journal: parts.journal.info().name.resource(),
            provider: parts.config.platform.clone(),
            state: State::Connecting.into(),
            ..v1::Session::default()
        };
        owner
            .stats
            .goes_by(parts.http.stats(), parts.tokens.status());
        let sources = Sources {
            token: Some(parts.tokens.status()),
            clock: surroundings.clock.clone(),
        };
        let board = &surroundings.board;
        let slot = Arc::new(board.open_for(&owner, name.clone(), first.clone(), sources));
        let mut session = Self {
            posts: Arc::new(Posts::new(Arc::clone(&slot), first)),
            slot,
            recent_ids: Arc::clone(&surroundings.recent_ids),
            stats: owner.stats,
            clock: surroundings.clock.clone(),
            rng: surroundings.rng.clone(),
            tracer: surroundings.tracer.clone(),
            settled: Vec::new(),
            elsewhere,
            lanes: BTreeMap::new(),
            planning: match plan {
                Some(plan) => Planning::Due(surroundings.clock.now(), Some(plan)),
                None => Planning::Settled,
            },
            tasks: JoinSet::new(),
            roles: HashMap::new(),
            restarts: FuturesUnordered::new(),
            name,
            parts,
            build,
        };
        for (index, connector) in settled.iter().enumerate() {
            session.add(index, Arc::clone(connector));
        }
        session.settled = settled;
        Ok(session)
    }

    /// Its counters.
    pub(super) fn stats(&self) -> (SessionName, Arc<SessionStats>) {
        (self.name.clone(), Arc::clone(&self.stats))
    }

    /// Runs it until drained, or until it is over, as a guest's session may be. Gives back its place
    /// on the board, so that whoever asked decides how long its last post stands.
    pub(in crate::session) async fn run(mut self: Box<Self>, drain: Drain) -> Arc<BoardSlot> {
        let slot = Arc::clone(&self.slot);
        let waiting: Vec<_> = self.lanes.keys().copied().collect();
        waiting
            .into_iter()
            .for_each(|index| self.start(index, &drain));
        let mut draining = false;
        loop {
            if self.is_over() || draining && self.tasks.is_empty() {
                return slot;
            }
            let due = match self.planning {
                Planning::Due(at, _) => Some(at),
                Planning::Settled | Planning::UnderWay(_) => None,
            };
            tokio::select! {
                biased;
                () = drain.forced() => {
                    self.tasks.shutdown().await;
                    return slot;
                }
                () = drain.draining(), if !draining => {
                    draining = true;
                    self.give_up_planning();
                }
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    self.ended(ended, &drain);
                }
                Some(index) = self.restarts.next(), if !draining && !self.restarts.is_empty() => {
                    self.start(index, &drain);
                }
                () = slot.reconnect_asked(), if !draining => self.reconnect(),
                () = until(due), if !draining && due.is_some() => self.plan(),
            }
        }
    }

    /// Whether nothing of it will ever run again: those of the configuration stay to say so.
    fn is_over(&self) -> bool {
        self.parts.outbound.is_some() && self.lanes.values().all(|lane| lane.is_over())
    }

    fn add(&mut self, index: usize, connector: Arc<dyn Connector>) {
        self.posts.open(index);
        match self.lanes.get_mut(&index) {
            // Still about to end: it begins anew when it has.
            Some(lane) => {
                lane.want(connector);
            }
            None => {
                let lane = Lane::new(&self.name, index, connector);
                self.lanes.insert(index, Box::new(lane));
            }
        }
    }

    /// Starts the driver of a channel that waits for it.
    fn start(&mut self, index: usize, drain: &Drain) {
        let Some(lane) = self.lanes.get_mut(&index).filter(|lane| lane.is_waiting()) else {
            return;
        };
        let (trigger, own_drain) = drain.child();
        let recent_ids = match (
            lane.has_run(),
            lane.connector.borrow().capabilities().identity,
        ) {
            (_, Identity::Numbers(_) | Identity::Neither) => SharedIds::default(),
            (false, Identity::Ids) => self.recent_ids.of(&*self.parts.journal, &self.clock),
            // What it journaled meanwhile is not among those of the beginning.
            (true, Identity::Ids) => {
                SharedIds::new(self.clock.now(), self.parts.journal.recent_ids())
            }
        };
        lane.running(trigger, &self.clock);
        let posts = Arc::clone(&self.posts);
        let parts = Box::new(DriverParts {
            config: self.parts.config.clone(),
            connector: lane.connector.subscribe(),
            alternatives: alternatives(&self.elsewhere, index),
            health: self.parts.health.clone(),
            prefix: lane.prefix.clone(),
            http: Arc::clone(&self.parts.http),
            tokens: Arc::clone(&self.parts.tokens),
            journal: Arc::clone(&self.parts.journal),
            clock: self.clock.clone(),
            rng: self.rng.fork(&lane.label),
            stats: Arc::clone(&self.stats),
            reconnect: Arc::clone(&lane.reconnect),
            posts: Arc::new(move |state, vitals| posts.post(index, state, vitals)),
            sealer: self.parts.sealer.clone(),
            // One channel sends: a session that has several takes no messages.
            outbound: self.parts.outbound.clone().filter(|_| index == 0),
            recent_ids,
            tracer: self.tracer.clone(),
        });
        let span = tracing::info_span!("session", lane = %lane.label);
        let driver = async { Ended::Lane(driver::run(parts, own_drain).await) };
        let task = self.tasks.spawn(Box::pin(driver.instrument(span)));
        self.roles.insert(task.id(), Role::Lane(index));
    }

    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>, drain: &Drain) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let outcome = ended
            .map(|(_, ended)| ended)
            .map_err(|error| error.is_panic());
        match (self.roles.remove(&id), outcome) {
            (Some(Role::Lane(index)), Ok(Ended::Lane(ended))) => {
                self.lane_ended(index, &ended.map_err(Failed::Driver), drain);
            }
            (Some(Role::Lane(index)), Err(_)) => {
                self.lane_ended(index, &Err(Failed::Panicked), drain);
            }
            (Some(Role::Plan), Ok(Ended::Plan(planned))) => self.planned(planned, drain),
            (Some(Role::Plan), Err(true)) => self.planned(None, drain),
            // Given up, so that another could begin; or nothing that was ours.
            (Some(Role::Plan) | None, _) | (Some(Role::Lane(_)), Ok(Ended::Plan(_))) => {}
        }
    }

    fn lane_ended(&mut self, index: usize, ended: &Result<(), Failed>, drain: &Drain) {
        let Some(lane) = self.lanes.get_mut(&index) else {
            return;
        };
        match lane.ended(ended, &self.clock, self.rng.unit()) {
            After::Nothing => {}
            After::Refused => self.posts.refuse(index, "STATE_UNREADABLE"),
            After::Gone => {
                self.lanes.remove(&index);
            }
            After::Restart(Duration::ZERO) if !drain.is_draining() => self.start(index, drain),
            After::Restart(delay) => self.restarts.push(Box::pin(async move {
                tokio::time::sleep(delay).await;
                index
            })),
        }
    }

    // What there is to subscribe to.

    fn reconnect(&mut self) {
        let lanes = self.lanes.values();
        lanes.for_each(|lane| lane.reconnect.notify_one());
        if !matches!(self.planning, Planning::Settled) {
            self.give_up_planning();
            self.plan();
        }
    }

    /// Begins to ask.
    fn plan(&mut self) {
        let given = match &mut self.planning {
            Planning::Due(_, plan) => plan.take(),
            Planning::Settled | Planning::UnderWay(_) => None,
        };
        let anew = || match (self.build)(0) {
            Ok(Some(Built::Planned(plan))) => Some(plan),
            // It was a plan at the start, and settings do not change.
            Ok(Some(Built::Ready(_)) | None) | Err(_) => None,
        };
        let Some(plan) = given.or_else(anew) else {
            return self.planning = Planning::Settled;
        };
        let posts = Arc::clone(&self.posts);
        let planner = Planner {
            http: Arc::clone(&self.parts.http),
            tokens: Arc::clone(&self.parts.tokens),
            clock: self.clock.clone(),
            rng: self.rng.clone(),
            posts: Arc::new(move |standing: &Standing| posts.stand(standing)),
        };
        let span = tracing::info_span!("plan", session = %self.name);
        let planning = async { Ended::Plan(planner.resolve(plan).await) };
        let task = self.tasks.spawn(Box::pin(planning.instrument(span)));
        self.roles.insert(task.id(), Role::Plan);
        self.planning = Planning::UnderWay(task);
    }

    fn give_up_planning(&mut self) {
        if let Planning::UnderWay(task) = &self.planning {
            self.roles.remove(&task.id());
            task.abort();
            self.planning = Planning::Due(self.clock.now(), None);
        }
    }

    /// What came of it: `None` where nothing did.
    fn planned(&mut self, planned: Option<Vec<Arc<dyn Connector>>>, drain: &Drain) {
        self.planning = Planning::Due(self.clock.now() + replan_after(&self.rng), None);
        match planned {
            Some(planned) if !drain.is_draining() => self.settle(planned, drain),
            Some(_) => {}
            None => tracing::error!(session = %self.name, "Plan came to no end"),
        }
    }

    fn settle(&mut self, planned: Vec<Arc<dyn Connector>>, drain: &Drain) {
        for change in changes(&self.settled, &planned) {
            match change {
                Change::Add(index, connector) => {
                    tracing::info!(session = %self.name, index, "Channel added");
                    self.add(index, connector);
                    self.start(index, drain);
                }
                Change::Replace(index, connector) => {
                    tracing::info!(session = %self.name, index, "Topics of a channel changed");
                    if let Some(lane) = self.lanes.get_mut(&index) {
                        lane.want(connector);
                    }
                }
                Change::Remove(index) => {
                    tracing::info!(session = %self.name, index, "Channel no longer wanted");
                    let lane = self.lanes.get_mut(&index);
                    if lane.is_some_and(|lane| lane.retire()) {
                        self.lanes.remove(&index);
                    }
                    self.posts.close(index);
                }
            }
        }
        self.settled = planned;
        if self.settled.is_empty() {
            self.posts.stand(&Standing {
                state: State::Suspended,
                reason: "NO_TOPICS: nothing is left to subscribe to".to_owned(),
            });
        }
    }
}

/// Where else a channel can be had.
fn alternatives(elsewhere: &[(String, Vec<Arc<dyn Connector>>)], lane: usize) -> Vec<Endpoint> {
    let endpoints = elsewhere.iter().filter_map(|(host, connectors)| {
        Some(Endpoint {
            host: host.clone(),
            connector: Arc::clone(connectors.get(lane)?),
        })
    });
    endpoints.collect()
}

/// What is shown of an address: paths may be secret.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

async fn until(due: Option<MonoTime>) {
    match due {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl<C: fmt::Debug> fmt::Debug for Session<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("parts", &self.parts)
            .field("lanes", &self.lanes)
            .field("planning", &self.planning)
            .finish_non_exhaustive()
    }
}
