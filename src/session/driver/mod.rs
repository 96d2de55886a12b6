//! The IO shell of one machine: does what it is told and reports what happened. No decisions.

mod acts;
mod parts;
mod told;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{AbortHandle, BoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, mpsc, watch};

pub(super) use self::parts::{DriverParts, Posts};
use self::told::Told;
use super::DriverError;
use super::callers::Callers;
use super::health::{HealthDesk, HealthReport};
use super::inbox::{Arrivals, Came, Inbox};
use super::machine::{
    Actions, At, CallId, CommitNumber, Generation, Input, Machine, MachineParts, Recovered,
    StateName,
};
use super::outbound::{OutboundSettings, Ticket};
use super::socket::Command;
use crate::auth::{AccessToken, TokenProblem, TokenSource, TokenStatus};
use crate::connectors::Connector;
use crate::domain::SessionName;
use crate::journal::{AppendError, Committed, Journal, Lane};
use crate::net::{HandshakeFailure, HttpClient, HttpFailure, HttpResponse, WebSocketRequest};
use crate::runtime::{Clock, Drain, Rng};

/// Frames handed to the machine before anything else gets its turn.
const FRAMES_AT_ONCE: usize = 64;

/// What ended of the things that were begun, or waited for.
enum Ended<S> {
    Told(Told),
    Token(Result<AccessToken, TokenProblem>),
    /// A handshake may begin.
    Turn(Generation, Box<WebSocketRequest>),
    Dialled(Generation, Result<S, HandshakeFailure>),
    Answer(CallId, Result<HttpResponse, HttpFailure>),
    Appended(CommitNumber, Result<Committed, AppendError>),
    Health(HealthReport),
    /// The frames of a message were given to the socket.
    Written(Generation, Ticket),
    /// A connection is over, or something was given up.
    Nothing,
}

/// Runs one session, or one channel of it, until it is drained.
///
/// # Errors
/// When its stored state cannot be read.
pub(in crate::session) async fn run<C: HttpClient + 'static>(
    parts: Box<DriverParts<C>>,
    drain: Drain,
) -> Result<(), DriverError> {
    let mut driver = Driver::new(parts)?;
    driver.listen(&drain);
    driver.feed(Input::Start);
    driver.callers.open();
    let timer = tokio::time::sleep_until(driver.clock.now());
    tokio::pin!(timer);
    while driver.machine.state() != StateName::Ended {
        let due = driver.machine.next_timeout();
        if let Some(due) = due
            && due != timer.deadline()
        {
            timer.as_mut().reset(due);
        }
        tokio::select! {
            biased;
            () = &mut timer, if due.is_some() => driver.timed_out(),
            Some(ended) = driver.tasks.next() => match ended {
                Ended::Told(Told::Forced) => return Ok(()),
                ended => driver.ended(ended),
            },
            Some(came) = driver.frames.next(), if driver.machine.wants_frames() => {
                driver.incoming(came);
            }
        }
    }
    if driver.machine.has_expired() {
        driver.callers.session_expired();
    }
    Ok(())
}

struct Driver<C: HttpClient> {
    machine: Machine,
    session: SessionName,
    health_interval: Duration,
    rng: Rng,
    health: HealthDesk,
    /// The question for a health report, and the newest report of the same endpoint.
    health_asked: Option<AbortHandle>,
    health_seen: u64,
    http: Arc<C>,
    tokens: Arc<dyn TokenSource>,
    journal: Arc<dyn Journal>,
    lane: Lane,
    clock: Clock,
    reconnect: Arc<Notify>,
    posts: Posts,
    token_status: watch::Receiver<TokenStatus>,
    token_seen: u64,
    changes_seen: u64,
    connector: watch::Receiver<Arc<dyn Connector>>,
    tasks: FuturesUnordered<BoxFuture<'static, Ended<C::Socket>>>,
    calls: HashMap<CallId, AbortHandle>,
    connections: HashMap<Generation, Connection>,
    inbox: Inbox,
    frames: Arrivals,
    callers: Callers,
    actions: Actions,
    backlog: VecDeque<Input>,
}

/// A handshake under way or an open connection.
struct Connection {
    abort: AbortHandle,
    commands: Option<mpsc::Sender<Command>>,
}

impl<C: HttpClient + 'static> Driver<C> {
    fn new(parts: Box<DriverParts<C>>) -> Result<Self, DriverError> {
        let mut parts = *parts;
        let at = At {
            now: parts.clock.now(),
            wall: parts.clock.wall(),
        };
        let connector = Arc::clone(&parts.connector.borrow_and_update());
        let entries = parts.journal.state(&parts.prefix);
        let machine = MachineParts {
            session: parts.config.name.clone(),
            journal: parts.journal.info().name.resource(),
            recovered: Recovered::read(&parts.prefix, &entries, parts.sealer.as_deref())?,
            prefix: parts.prefix,
            connector,
            alternatives: parts.alternatives,
            sealer: parts.sealer,
            transport: parts.config.transport,
            timing: parts.config.timing.clone(),
            rng: parts.rng.clone(),
            stats: parts.stats,
            recent_ids: parts.recent_ids,
            outbound: parts.outbound.as_ref().map(OutboundSettings::defaults),
            tracer: parts.tracer,
        };
        let (inbox, frames) = Inbox::new();
        let mut token_status = parts.tokens.status();
        let (token_seen, changes_seen) = {
            let status = token_status.borrow_and_update();
            (status.generation, status.changes)
        };
        Ok(Self {
            machine: Machine::new(machine, at),
            session: parts.config.name,
            health_interval: parts.config.timing.health_interval.0,
            rng: parts.rng,
            health: parts.health,
            health_asked: None,
            health_seen: 0,
            http: parts.http,
            tokens: parts.tokens,
            journal: parts.journal,
            lane: Lane::default(),
            clock: parts.clock,
            reconnect: parts.reconnect,
            posts: parts.posts,
            token_status,
            token_seen,
            changes_seen,
            connector: parts.connector,
            tasks: FuturesUnordered::new(),
            calls: HashMap::new(),
            connections: HashMap::new(),
            inbox,
            frames,
            callers: Callers::new(parts.outbound.map(|outbound| outbound.mail)),
            actions: Actions::new(),
            backlog: VecDeque::new(),
        })
    }

    fn at(&self) -> At {
        At {
            now: self.clock.now(),
            wall: self.clock.wall(),
        }
    }

    /// Hands one input to the machine and does what it answers.
    fn feed(&mut self, input: Input) {
        self.machine.handle(self.at(), input, &mut self.actions);
        self.act_and_feed();
    }

    /// Does what the machine answers, and hands it what came of that at once.
    fn act_and_feed(&mut self) {
        self.act();
        while let Some(input) = self.backlog.pop_front() {
            let at = self.at();
            self.machine.handle(at, input, &mut self.actions);
            self.act();
        }
    }

    fn timed_out(&mut self) {
        let at = self.at();
        self.machine.handle_timeout(at, &mut self.actions);
        self.act_and_feed();
    }

    /// What arrived is journaled; what comes later is not read (U35).
    fn drain(&mut self) {
        while self.machine.wants_frames() {
            match self.frames.try_next() {
                Some(came) => self.incoming(came),
                None => break,
            }
        }
        self.feed(Input::Drain);
    }

    /// What has come by now is handled in one moment.
    fn incoming(&mut self, first: (Generation, Came)) {
        let at = self.at();
        let mut next = Some(first);
        let mut room = FRAMES_AT_ONCE;
        while let Some(came) = next.take() {
            self.came(at, came);
            room -= 1;
            if room > 0 && self.machine.wants_frames() {
                next = self.frames.try_next();
            }
        }
        self.machine.finish(at, &mut self.actions);
        self.act_and_feed();
    }

    fn came(&mut self, at: At, (generation, what): (Generation, Came)) {
        let input = match what {
            Came::Frame(frame) => Input::Frame { generation, frame },
            Came::Ended(failure) => Input::Closed {
                generation,
                failure,
            },
        };
        self.machine.receive(at, input, &mut self.actions);
    }

    fn token_changed(&mut self) {
        let (generation, changes) = {
            let status = self.token_status.borrow_and_update();
            (status.generation, status.changes)
        };
        if changes != self.changes_seen {
            self.changes_seen = changes;
            self.feed(Input::SecretsChanged);
        }
        if generation != self.token_seen {
            self.token_seen = generation;
            self.feed(Input::TokenRenewed { generation });
        }
    }

    fn connector_changed(&mut self) {
        let connector = Arc::clone(&self.connector.borrow_and_update());
        self.feed(Input::Replaced(connector));
    }

    fn ended(&mut self, ended: Ended<C::Socket>) {
        match ended {
            Ended::Told(told) => self.told(told),
            Ended::Token(result) => self.feed(Input::Token(result)),
            Ended::Answer(call, result) => {
                self.calls.remove(&call);
                self.feed(Input::Answer { call, result });
            }
            Ended::Appended(number, result) => self.feed(Input::Appended { number, result }),
            Ended::Turn(generation, request) => {
                self.feed(Input::DialBegins { generation });
                self.dial(generation, request);
            }
            Ended::Dialled(generation, Ok(socket)) => {
                self.run_socket(generation, socket);
                let result = Ok(());
                self.feed(Input::Dialled { generation, result });
            }
            Ended::Dialled(generation, Err(failure)) => {
                self.connections.remove(&generation);
                let result = Err(failure);
                self.feed(Input::Dialled { generation, result });
            }
            Ended::Health(report) => {
                self.health_asked = None;
                self.health_seen = report.serial;
                self.feed(Input::Health(report));
            }
            Ended::Written(generation, ticket) => {
                self.feed(Input::Written { generation, ticket });
            }
            Ended::Nothing => {}
        }
    }

    fn mail_came(&mut self) {
        for input in self.callers.take() {
            self.feed(input);
        }
    }

    fn act(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            self.perform(action);
        }
        self.actions = actions;
    }
}
