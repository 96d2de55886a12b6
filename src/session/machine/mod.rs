//! The session as a pure machine: moments, frames, answers and tokens go in, actions come out. No
//! socket, no clock, no task; chance comes from a seeded source given at construction.
//!
//! `Idle → Probing → AwaitingToken → Handshaking → Subscribing → Live`, with long polling where the
//! network lets no WebSocket through, `Waiting` between attempts, `Suspended` where a person is
//! needed. A successor may be on its way beside a connection that works (make before break).

mod carrying;
mod catch_up;
mod commits;
mod connect;
mod coverage;
mod creation;
mod deaf;
mod doubt;
mod draft;
mod drain;
mod early;
mod endpoints;
mod ends;
mod errands;
mod facts;
mod failback;
mod gaps;
mod health;
mod holding;
mod ingest;
mod io;
mod keeping;
mod link_down;
mod live;
mod live_poll;
mod live_ws;
mod losses;
mod outbox;
mod outcome;
mod poll_end;
mod poll_trouble;
mod proof;
mod quality;
mod questions;
mod recovered;
mod recoveries;
mod recovery;
mod refused;
mod rejected;
mod renumbering;
mod requests;
mod sending;
mod sift;
mod snapshot;
mod socket;
mod state;
mod status;
#[cfg(test)]
pub(super) mod tests;
mod timeouts;
mod tokens;
mod tracked;
mod underway;
mod windows;
mod ws_ending;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use endpoints::Endpoint;
pub use io::{Action, Actions, At, CallId, CommitNumber, Generation, Input};
pub use recovered::Recovered;
pub use state::StateName;

use crate::auth::Sealer;
use crate::connectors::{Connector, Identity, Transport};
use crate::domain::{SessionName, WallTime};
use crate::runtime::{Backoff, MonoTime, Rng};
use crate::session::metrics::Share;
use crate::session::ordering::{Ordering, Overlap, RecentIds, SharedIds};
use crate::session::outbound::Defaults;
use crate::session::waiting::MOST_EVENTS;
use crate::session::{SessionStats, TimingConfig, TransportChoice};
use crate::telemetry::traces::Tracer;
use catch_up::CatchUp;
use coverage::Coverage;
use creation::Creations;
use deaf::Deaf;
use doubt::Doubtful;
use drain::Lingering;
use endpoints::Endpoints;
use facts::Facts;
use gaps::Gap;
use ingest::Payload;
use keeping::Keeping;
use losses::Losses;
use outbox::Outbox;
use quality::Quality;
use recoveries::Recoveries;
use rejected::Subscribed;
use renumbering::Renumbering;
use sending::Outbound;
use snapshot::PresentState;
use state::{Next, State, Successor};
use status::Standing;
use tokens::TokenDesk;
use tracked::Known;

/// What a machine is made of.
#[derive(Debug)]
pub struct MachineParts {
    /// The session's name.
    pub session: SessionName,
    /// Resource name of its journal, for its status.
    pub journal: String,
    /// Where its state stands in the journal, e.g. `sessions/cc/`.
    pub prefix: String,
    /// The platform's dialect.
    pub connector: Arc<dyn Connector>,
    /// Where else the same can be had (U27).
    pub alternatives: Vec<Endpoint>,
    /// Which transports may be used.
    pub transport: TransportChoice,
    /// Deadlines and intervals.
    pub timing: TimingConfig,
    /// A source of chance for this session alone.
    pub rng: Rng,
    /// Where it counts.
    pub stats: Arc<SessionStats>,
    /// What was committed before.
    pub recovered: Recovered,
    /// Seals what acts as a credential before it is committed.
    pub sealer: Option<Arc<Sealer>>,
    /// The journal's recent ids, for platforms that name their events.
    pub recent_ids: SharedIds,
    /// What holds for messages, where the session sends any.
    pub outbound: Option<Defaults>,
    /// What records the traces of its events.
    pub tracer: Tracer,
}

/// One session.
#[derive(Debug)]
pub struct Machine {
    session: SessionName,
    prefix: String,
    sealer: Option<Arc<Sealer>>,
    connector: Arc<dyn Connector>,
    endpoints: Endpoints,
    /// Whose health was asked for and not answered yet.
    health_asked: Option<Arc<dyn Connector>>,
    quality: Quality,
    deaf: Deaf,
    choice: TransportChoice,
    timing: TimingConfig,
    rng: Rng,
    stats: Arc<SessionStats>,
    share: Share,

    state: State,
    successor: Successor,
    failback_pause: Duration,
    retiring: Vec<(Generation, MonoTime)>,
    last_generation: Generation,
    last_call: CallId,
    tokens: TokenDesk,
    backoff: Backoff,
    /// Of connections beside those that stand.
    beside_backoff: Backoff,
    /// Of attempts that a proxy refuses.
    proxy_backoff: Backoff,
    newest_token: u64,
    setup_refusals: u32,
    up: Option<Up>,
    last_transport: Option<Transport>,
    unconfirmed: u32,
    unreadable: u32,

    ordering: Option<Ordering<Payload>>,
    keeping: Keeping,
    known: Known,
    subscribed: Subscribed,
    ids: RecentIds,
    overlap: Overlap,
    gaps: Vec<Gap>,
    losses: Losses,
    renumbering: Renumbering,
    unclear_renumberings: u32,
    doubtful: Doubtful,
    holes_at: Option<MonoTime>,
    catch_up: CatchUp,
    coverage: Coverage,
    recoveries: Recoveries,
    snapshots: VecDeque<PresentState>,
    most_held: usize,
    /// When frames were last left unread: those that come after were sent some time ago.
    stalled: Option<MonoTime>,
    outbox: Outbox,
    outbound: Option<Outbound>,
    /// Stays, while the session ends, for what is in flight on it.
    lingering: Option<Lingering>,
    /// Why the session was over before it began.
    over: Option<String>,
    position_moved: bool,
    missing_moved: bool,
    facts: Facts,
    creations: Creations,
    standing: Standing,
}

/// A subscription that stands.
#[derive(Debug)]
struct Up {
    transport: Transport,
    confirmed_at: MonoTime,
    /// The back-off and the refusals as they were before the confirmation.
    backoff_before: Backoff,
    strikes_before: u32,
}

impl Machine {
    /// A session that has not begun.
    #[must_use]
    pub fn new(parts: MachineParts, at: At) -> Self {
        let timing = parts.timing;
        let recovered = parts.recovered;
        let ordering = match parts.connector.capabilities().identity {
            Identity::Numbers(rule) => Some(Ordering::new(rule, recovered.position)),
            Identity::Ids | Identity::Neither => None,
        };
        let facts = Facts::new(
            &parts.session,
            parts.connector.source(),
            &parts.rng,
            at.wall,
        );
        let outbound = parts.outbound.map(|defaults| {
            let stored = recovered.outbound;
            let (connector, backoff) = (&*parts.connector, &timing.backoff);
            Outbound::new(
                &parts.session,
                connector,
                defaults,
                backoff,
                &parts.rng,
                stored,
                at,
            )
        });
        let creations = Creations::new(parts.tracer, parts.journal.clone(), at);
        let standing = Standing::new(&parts.session, parts.journal, &*parts.connector);
        Self {
            backoff: Backoff::new(timing.backoff.base.0, timing.backoff.cap.0),
            beside_backoff: Backoff::new(timing.backoff.base.0, timing.backoff.cap.0),
            proxy_backoff: Backoff::new(timing.backoff.base.0, timing.backoff.cap.0),
            newest_token: 0,
            setup_refusals: 0,
            failback_pause: timing.failback_interval.0,
            ids: RecentIds::seeded(parts.recent_ids),
            coverage: Coverage::new(recovered.covered, at),
            keeping: recovered.keeping,
            known: recovered.known,
            subscribed: Subscribed::default(),
            recoveries: Recoveries::default(),
            snapshots: VecDeque::new(),
            most_held: MOST_EVENTS,
            stalled: None,
            losses: Losses::of(&recovered.gaps, at.wall),
            gaps: recovered.gaps,
            endpoints: Endpoints::new(&parts.connector, parts.alternatives),
            health_asked: None,
            quality: Quality::new(timing.degraded_latency.0),
            deaf: Deaf::default(),
            session: parts.session,
            prefix: parts.prefix,
            sealer: parts.sealer,
            connector: parts.connector,
            choice: parts.transport,
            rng: parts.rng,
            share: Share::of(Arc::clone(&parts.stats)),
            stats: parts.stats,
            timing,
            ordering,
            facts,
            creations,
            standing,
            state: State::Idle,
            successor: Successor::None,
            retiring: Vec::new(),
            last_generation: 0,
            last_call: 0,
            holes_at: None,
            renumbering: Renumbering::Unsuspected,
            unclear_renumberings: 0,
            doubtful: Doubtful::default(),
            tokens: TokenDesk::default(),
            up: None,
            last_transport: None,
            unconfirmed: 0,
            unreadable: 0,
            overlap: Overlap::default(),
            catch_up: CatchUp::default(),
            outbox: Outbox::default(),
            outbound,
            lingering: None,
            over: recovered.over,
            position_moved: false,
            missing_moved: false,
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, at: At, input: Input, out: &mut Actions) {
        self.receive(at, input, out);
        self.finish(at, out);
    }

    /// Takes one of several inputs of one moment; [`Machine::finish`] stands behind them.
    pub fn receive(&mut self, at: At, input: Input, out: &mut Actions) {
        self.mind_clock(at);
        self.creations.turn(at);
        if matches!(self.state, State::Draining { .. } | State::Ended) {
            self.handle_draining(at, input, out);
        } else {
            self.take(at, input, out);
        }
    }

    fn take(&mut self, at: At, input: Input, out: &mut Actions) {
        match input {
            Input::Start => {
                if matches!(self.state, State::Idle) {
                    self.with_queue(out, at, |queue, fx| queue.start(at.into(), fx));
                    match self.over.take() {
                        Some(reason) => self.is_over(at, &reason, out),
                        None => self.begin(at, Next::Negotiate, out),
                    }
                }
            }
            Input::Token(result) => self.token_came(at, result, out),
            Input::TokenRenewed { generation } => self.token_renewed(at, generation, out),
            Input::SecretsChanged => self.secrets_changed(at, out),
            Input::Replaced(connector) => self.replaced(at, connector, out),
            Input::DialWaits { generation } => self.dial_begins(generation, None),
            Input::DialBegins { generation } => self.dial_begins(generation, Some(at)),
            Input::Dialled { generation, result } => self.dialled(at, generation, result, out),
            Input::Frame { generation, frame } => self.frame_came(at, generation, frame, out),
            Input::Closed {
                generation,
                failure,
            } => {
                self.socket_ended(at, generation, None, failure, out);
            }
            Input::Answer { call, result } => self.answer_came(at, call, result, out),
            Input::Appended { number, result } => self.appended(at, number, result, out),
            Input::Health(report) => self.health_came(at, &report, out),
            Input::Send {
                ticket,
                message,
                wait_for,
            } => self.send_asked(at, ticket, *message, wait_for, out),
            Input::CancelMessage { ticket, id } => self.cancel_asked(at, ticket, &id, out),
            Input::Left(ticket) => self.caller_left(ticket),
            Input::Written { generation, ticket } => self.written(at, generation, ticket, out),
            Input::CloseAsked => self.close_asked(at, out),
            Input::ReconnectAsked => self.reconnect_asked(at, out),
            Input::Drain => self.drain(at, out),
        }
    }

    /// Whether frames should be read: not while so much waits for the journal (U41). While
    /// draining, the peer's close frame is still waited for.
    #[must_use]
    pub fn wants_frames(&self) -> bool {
        match self.state {
            State::Draining { .. } => true,
            State::Ended => false,
            _ => !self.outbox.is_full() && !self.outbox.is_stuck() && !self.holds_too_much(),
        }
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> StateName {
        self.state.name()
    }

    /// What the inputs of a moment end with: commit what gathered, post what changed.
    pub fn finish(&mut self, at: At, out: &mut Actions) {
        self.mind_sending(at, out);
        self.flush(out);
        if !self.wants_frames() {
            self.stalled = Some(at.now);
        }
        self.mind_reading(at);
        self.mind_health(out);
        if self.standing.is_news(at.wall, self.state.name()) {
            out.push(Action::Post);
        }
    }

    fn enter(&mut self, state: State) {
        tracing::debug!(
            session = %self.session,
            from = ?self.state.name(),
            to = ?state.name(),
            "Session state"
        );
        self.state = state;
    }

    fn next_generation(&mut self) -> Generation {
        self.last_generation += 1;
        self.last_generation
    }

    fn next_call(&mut self) -> CallId {
        self.last_call += 1;
        self.stats.request();
        self.last_call
    }

    /// A delay near `base`, so that many sessions do not come back together (U34).
    fn jittered(&self, base: Duration) -> Duration {
        base.mul_f64(0.5 + 0.5 * self.rng.unit())
    }

    /// A delay of at least `least`, for what was asked of us.
    fn spread(&self, least: Duration) -> Duration {
        least.mul_f64(1.0 + 0.1 * self.rng.unit())
    }

    fn wall_of_life(&self) -> Option<WallTime> {
        self.standing.last_receive
    }
}
