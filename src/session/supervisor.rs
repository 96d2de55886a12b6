//! [`Supervisor`]: runs every session of a configuration and restarts those whose driver failed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::Instrument;

use super::driver::{self, DriverParts};
use super::{BoardSlot, DriverError, SessionBoard, SessionConfig, SessionStats, StartError};
use crate::auth::TokenSource;
use crate::connectors::{self, Built, Connector, Settings};
use crate::domain::SessionName;
use crate::journal::Journal;
use crate::net::HttpClient;
use crate::proto::v1;
use crate::proto::v1::session::State;
use crate::runtime::{Backoff, Clock, Drain, MonoTime, Rng};

/// A driver that ran this long before it failed starts its back-off anew.
const PROVEN_AFTER: Duration = Duration::from_secs(60);

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
}

/// Runs sessions.
#[derive(Debug)]
pub struct Supervisor<C> {
    lanes: Vec<Lane<C>>,
    sessions: Vec<Session>,
    clock: Clock,
    rng: Rng,
}

/// One session as others see it.
#[derive(Debug)]
struct Session {
    name: SessionName,
    stats: Arc<SessionStats>,
    slot: Arc<BoardSlot>,
    /// Wakes each of its channels.
    reconnect: Vec<Arc<Notify>>,
}

/// One channel of a session; most sessions have one.
#[derive(Debug)]
struct Lane<C> {
    parts: Arc<SessionParts<C>>,
    connector: Arc<dyn Connector>,
    prefix: String,
    label: String,
    stats: Arc<SessionStats>,
    reconnect: Arc<Notify>,
    posts: Arc<LanePosts>,
    index: usize,
    backoff: Backoff,
    started: MonoTime,
}

/// The states of a session's channels, shown as one.
#[derive(Debug)]
struct LanePosts {
    slot: Arc<BoardSlot>,
    lanes: Mutex<Vec<v1::Session>>,
}

impl<C: HttpClient + 'static> Supervisor<C> {
    /// Opens each session's place on the board; nothing runs yet.
    ///
    /// # Errors
    /// [`StartError`] names the session whose settings are wrong.
    pub fn new(parts: SupervisorParts<C>) -> Result<Self, StartError> {
        let mut supervisor = Self {
            lanes: Vec::new(),
            sessions: Vec::new(),
            clock: parts.clock,
            rng: parts.rng,
        };
        for session in parts.sessions {
            supervisor.add(session, &parts.board)?;
        }
        Ok(supervisor)
    }

    /// The counters of every session; they outlive the supervisor.
    #[must_use]
    pub fn stats(&self) -> Vec<(SessionName, Arc<SessionStats>)> {
        let sessions = self.sessions.iter();
        sessions
            .map(|s| (s.name.clone(), Arc::clone(&s.stats)))
            .collect()
    }

    fn add(&mut self, parts: SessionParts<C>, board: &SessionBoard) -> Result<(), StartError> {
        let config = &parts.config;
        let name = config.name.clone();
        let built = connectors::build(&settings(config)).map_err(|source| {
            let session = name.to_string();
            StartError::Settings { session, source }
        })?;
        let connectors = match built {
            Built::Ready(connectors) => connectors,
            Built::Planned(plan) => {
                tracing::error!(?plan, "Plans are not carried out yet");
                Vec::new()
            }
        };
        let first = v1::Session {
            name: name.resource(),
            journal: parts.journal.info().name.resource(),
            provider: config.platform.clone(),
            state: State::Connecting.into(),
            ..v1::Session::default()
        };
        let slot = Arc::new(board.open(name.clone(), first.clone()));
        let posts = Arc::new(LanePosts {
            slot: Arc::clone(&slot),
            lanes: Mutex::new(vec![first; connectors.len()]),
        });
        let stats = Arc::<SessionStats>::default();
        let parts = Arc::new(parts);
        let mut reconnect = Vec::new();
        for (index, connector) in connectors.into_iter().enumerate() {
            let wake = Arc::<Notify>::default();
            reconnect.push(Arc::clone(&wake));
            let resource = name.resource();
            self.lanes.push(Lane {
                connector,
                prefix: match index {
                    0 => format!("{resource}/"),
                    _ => format!("{resource}.{index}/"),
                },
                label: format!("{resource}/{index}"),
                stats: Arc::clone(&stats),
                reconnect: wake,
                posts: Arc::clone(&posts),
                index,
                backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(30)),
                started: self.clock.now(),
                parts: Arc::clone(&parts),
            });
        }
        self.sessions.push(Session {
            name,
            stats,
            slot,
            reconnect,
        });
        Ok(())
    }

    /// Runs every session until drained.
    pub async fn run(self, drain: Drain) {
        let Self {
            mut lanes,
            sessions,
            clock,
            rng,
        } = self;
        let mut tasks = JoinSet::new();
        let mut names = HashMap::new();
        for (number, lane) in lanes.iter_mut().enumerate() {
            names.insert(lane.spawn(&mut tasks, &clock, &rng, &drain), number);
        }
        let mut restarts = FuturesUnordered::new();
        let mut asked: FuturesUnordered<_> = sessions.iter().map(Session::asked).collect();
        while !(tasks.is_empty() && drain.is_draining()) {
            tokio::select! {
                biased;
                () = drain.forced() => return tasks.shutdown().await,
                Some(ended) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                    let id = match &ended {
                        Ok((id, _)) => *id,
                        Err(error) => error.id(),
                    };
                    let Some(number) = names.remove(&id) else { continue };
                    let Some(lane) = lanes.get_mut(number) else { continue };
                    if let Some(delay) = lane.ended(ended, &clock, &rng) {
                        restarts.push(async move {
                            tokio::time::sleep(delay).await;
                            number
                        });
                    }
                }
                Some(number) = restarts.next(), if !restarts.is_empty() => {
                    if let Some(lane) = lanes.get_mut(number).filter(|_| !drain.is_draining()) {
                        names.insert(lane.spawn(&mut tasks, &clock, &rng, &drain), number);
                    }
                }
                Some(session) = asked.next(), if !asked.is_empty() => {
                    session.reconnect.iter().for_each(|wake| wake.notify_one());
                    asked.push(session.asked());
                }
                () = drain.draining(), if tasks.is_empty() => {}
            }
        }
    }
}

impl Session {
    async fn asked(&self) -> &Self {
        self.slot.reconnect_asked().await;
        self
    }
}

impl<C: HttpClient + 'static> Lane<C> {
    fn spawn(
        &mut self,
        tasks: &mut JoinSet<Result<(), DriverError>>,
        clock: &Clock,
        rng: &Rng,
        drain: &Drain,
    ) -> Id {
        self.started = clock.now();
        let (posts, index) = (Arc::clone(&self.posts), self.index);
        let parts = DriverParts {
            config: self.parts.config.clone(),
            connector: Arc::clone(&self.connector),
            prefix: self.prefix.clone(),
            http: Arc::clone(&self.parts.http),
            tokens: Arc::clone(&self.parts.tokens),
            journal: Arc::clone(&self.parts.journal),
            clock: clock.clone(),
            rng: rng.fork(&self.label),
            stats: Arc::clone(&self.stats),
            reconnect: Arc::clone(&self.reconnect),
            posts: Arc::new(move |state| posts.post(index, state)),
        };
        let span = tracing::info_span!("session", name = %self.label);
        let driver = driver::run(parts, drain.clone()).instrument(span);
        tasks.spawn(Box::pin(driver)).id()
    }

    /// How a driver ended; after how long it is started again.
    fn ended(
        &mut self,
        ended: Result<(Id, Result<(), DriverError>), JoinError>,
        clock: &Clock,
        rng: &Rng,
    ) -> Option<Duration> {
        match ended {
            Ok((_, Ok(()))) => return None,
            Ok((_, Err(error @ DriverError::State(_)))) => {
                tracing::error!(session = %self.label, %error, "Session cannot run");
                self.posts.refuse(self.index, "STATE_UNREADABLE");
                return None;
            }
            Err(error) => {
                tracing::error!(session = %self.label, %error, "Session failed");
            }
        }
        if clock.now().saturating_duration_since(self.started) >= PROVEN_AFTER {
            self.backoff.reset();
        }
        Some(self.backoff.next_delay(rng.unit()))
    }
}

impl LanePosts {
    fn post(&self, lane: usize, state: v1::Session) {
        let mut lanes = self.lanes.lock();
        if let Some(own) = lanes.get_mut(lane) {
            *own = state;
        }
        if let Some(whole) = merged(&lanes) {
            self.slot.post(whole);
        }
    }

    fn refuse(&self, lane: usize, reason: &str) {
        let state = self.lanes.lock().get(lane).cloned();
        if let Some(mut state) = state {
            state.state = State::Suspended.into();
            reason.clone_into(&mut state.reason);
            self.post(lane, state);
        }
    }
}

/// Channels side by side as one session: the worst state, the sums, the latest sign of life.
fn merged(lanes: &[v1::Session]) -> Option<v1::Session> {
    let badness = |s: &v1::Session| match s.state() {
        State::Active => 0,
        State::Degraded => 1,
        State::Connecting => 2,
        State::Reconnecting => 3,
        State::Closed => 4,
        State::Suspended | State::Unspecified => 5,
    };
    let mut whole = lanes.iter().max_by_key(|s| badness(s))?.clone();
    whole.topic_count = lanes.iter().map(|s| s.topic_count).sum();
    whole.reconnect_count = lanes.iter().map(|s| s.reconnect_count).sum();
    whole.generation = lanes.iter().map(|s| s.generation).sum();
    let lives = lanes.iter().filter_map(|s| s.last_receive_time);
    whole.last_receive_time = lives.max_by_key(|t| (t.seconds, t.nanos));
    let gaps = lanes.iter().map(|s| s.open_gap_sequence).filter(|s| *s > 0);
    whole.open_gap_sequence = gaps.min().unwrap_or(0);
    whole.review_required = lanes.iter().any(|s| s.review_required);
    Some(whole)
}

fn settings(config: &SessionConfig) -> Settings {
    Settings {
        channels: config.channels.clone(),
        allowed_domains: config.allowed_domains.clone(),
        allow_plaintext: config.allow_plaintext,
        ..Settings::new(
            &config.platform,
            config.name.clone(),
            config.endpoint.clone(),
        )
    }
}
