//! [`Queue`]: the messages of one session, from acceptance to their final state. Pure: moments, receipts
//! and the ends of connections go in, changes to journal and answers come out.
//!
//! A message is *waiting*, *in flight* (one at a time), *unsettled* (it may have arrived, and history
//! may tell) or in its final state. An attempt is durable before a byte of it is written, so that
//! after a crash exactly those in flight may have arrived.

mod answering;
mod effects;
mod ending;
mod flight;
mod message;
mod receipts;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

pub use answering::{Answer, Ticket};
pub(crate) use effects::{Change, Effects, KEYS};
pub(crate) use message::{Message, shown};
pub(crate) use receipts::Asks;
pub(crate) use settle::Asked;

use super::{CancelProblem, Defaults, NewMessage, SendProblem, Stage};
use crate::connectors::Seen;
use crate::domain::{Sequence, SessionName, WallTime};
use crate::proto::v1::OutboundMessageState as Shown;
use crate::runtime::{Backoff, MonoTime, Rng};
use answering::Waiter;
use flight::Flight;
use message::Phase;

/// Messages that may wait at once, and their bytes.
pub(crate) const MOST_WAITING: usize = 1_000;
const MOST_WAITING_BYTES: usize = 4 << 20;
/// Messages that may be remembered at once, those in their final state among them.
const MOST_KEPT: usize = 20_000;
/// How long a message is remembered after its final state (U36).
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// A deadline further away is looked at again after this.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// What holds for every message of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Where a message does not say otherwise.
    pub(crate) defaults: Defaults,
    /// The shortest time between two.
    pub(crate) pace: Duration,
    /// How long an acknowledgement may take (U38).
    pub(crate) acknowledged_within: Duration,
    /// Whether history shows what arrived.
    pub(crate) history: bool,
    /// Between two attempts: the first and the longest pause.
    pub(crate) backoff: (Duration, Duration),
}

/// The moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: MonoTime,
    pub(crate) wall: WallTime,
}

/// How the session is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// A confirmed connection takes messages.
    Open,
    /// On its way there.
    Opening,
    /// Not before this.
    Down(MonoTime),
}

/// Why nothing more is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The guest's session is over (U39).
    Expired,
    /// Somebody closed it.
    Closed,
    /// The process ends: everything stays for the next one.
    Draining,
}

/// The messages of one session.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Resource name.
    session: String,
    rules: Rules,
    rng: Rng,
    backoff: Backoff,
    messages: BTreeMap<u64, Held>,
    orders: HashMap<String, u64>,
    next_order: u64,
    waiting: BTreeSet<u64>,
    unsettled: BTreeSet<u64>,
    flight: Option<Flight>,
    /// When each of those that wait expires.
    expiries: BTreeSet<(MonoTime, u64)>,
    /// When each of those in their final state is forgotten.
    purges: BTreeSet<(MonoTime, u64)>,
    /// Of what is not in its final state.
    bytes: usize,
    waiters: Vec<Waiter>,
    path: Path,
    paced_until: MonoTime,
    throttled_until: Option<MonoTime>,
    /// When the next message may leave, where time alone holds it back.
    wake: Option<MonoTime>,
    /// When history is given up.
    settle_by: Option<MonoTime>,
    seen: Vec<Seen>,
    over: Option<Over>,
}

/// A message with what the process alone knows of it.
#[derive(Debug)]
struct Held {
    id: String,
    message: Message,
    /// Changes on their way into the journal.
    pending: u32,
    /// Not before this, after an attempt that failed.
    not_before: Option<MonoTime>,
    /// Since when it is unsettled.
    unsettled_at: Option<MonoTime>,
    expires_at: MonoTime,
}

impl Queue {
    /// Goes on with what was committed before.
    pub(crate) fn new(
        session: &SessionName,
        rules: Rules,
        rng: Rng,
        stored: Vec<(String, Message)>,
        at: Moment,
    ) -> Self {
        let mut queue = Self {
            session: session.resource(),
            backoff: Backoff::new(rules.backoff.0, rules.backoff.1),
            rules,
            rng,
            messages: BTreeMap::new(),
            orders: HashMap::new(),
            next_order: 1,
            waiting: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            flight: None,
            expiries: BTreeSet::new(),
            purges: BTreeSet::new(),
            bytes: 0,
            waiters: Vec::new(),
            path: Path::Opening,
            // When the one before it left is not known any more.
            paced_until: at.now + rules.pace,
            throttled_until: None,
            wake: None,
            settle_by: None,
            seen: Vec::new(),
            over: None,
        };
        for (id, message) in stored {
            queue.next_order = queue.next_order.max(message.order + 1);
            queue.insert(at, id, message);
        }
        queue
    }

    fn insert(&mut self, at: Moment, id: String, message: Message) {
        let order = message.order;
        if let Some(ended) = message.ended.filter(|_| message.phase.is_final()) {
            let left = ended.plus(KEPT_FOR).since(at.wall);
            self.purges.insert((at.now + left.min(KEPT_FOR), order));
        } else {
            self.bytes += message.weight();
        }
        let here = |until: WallTime| at.now + until.since(at.wall).min(receipts::LONGEST);
        let not_before = message.retry_at.map(here);
        self.throttled_until = self.throttled_until.max(message.throttled_until.map(here));
        if message.phase == Phase::Accepted {
            self.waiting.insert(order);
        }
        let expires_at = at.now + message.expires.since(at.wall).min(FAR);
        if !message.phase.is_final() {
            self.expiries.insert((expires_at, order));
        }
        self.orders.insert(id.clone(), order);
        self.messages.insert(
            order,
            Held {
                id,
                message,
                pending: 0,
                not_before,
                unsettled_at: None,
                expires_at,
            },
        );
    }

    /// Begins, after a restart as well: what was in flight may have arrived.
    pub(crate) fn start(&mut self, at: Moment, fx: &mut Effects) {
        let open = |phase: Phase| matches!(phase, Phase::Begun | Phase::Sent | Phase::Unsettled);
        let cut: Vec<u64> = self
            .messages
            .iter()
            .filter(|(_, held)| open(held.message.phase))
            .map(|(order, _)| *order)
            .collect();
        for order in cut {
            self.unsettle(at, order, "CONNECTION_LOST", fx);
        }
    }

    /// Whether this id was used and is still remembered.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.orders.contains_key(id)
    }

    /// How many messages are not written yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a message; the same id again is the same message again.
    pub(crate) fn accept(
        &mut self,
        at: Moment,
        asked: NewMessage,
        stage: Stage,
        ticket: Ticket,
        fx: &mut Effects,
    ) {
        if let Some(held) = self.held_by(&asked.id) {
            let known = &held.message;
            let order = known.order;
            if known.content != asked.content || known.attributes != asked.attributes {
                return fx.problem(ticket, SendProblem::ExistsOtherwise);
            }
            self.waiters.push(Waiter::send(ticket, order, stage));
            return self.answer(at, order, fx);
        }
        match self.over {
            Some(Over::Expired) => return fx.problem(ticket, SendProblem::SessionExpired),
            Some(Over::Closed | Over::Draining) => return fx.problem(ticket, draining()),
            None => {}
        }
        let waiting = self.messages.len() - self.purges.len();
        let full = self.bytes >= MOST_WAITING_BYTES || self.messages.len() >= MOST_KEPT;
        if full || waiting >= MOST_WAITING {
            return fx.problem(ticket, SendProblem::TooMany { waiting });
        }
        let order = self.next_order;
        self.next_order += 1;
        let message = Message {
            order,
            content: asked.content,
            attributes: asked.attributes,
            created: at.wall,
            expires: asked
                .expire_time
                .unwrap_or_else(|| at.wall.plus(self.rules.defaults.ttl)),
            policy: asked
                .unknown_outcome
                .unwrap_or(self.rules.defaults.unknown_outcome),
            phase: Phase::Accepted,
            attempts: 0,
            doubtful: false,
            began: None,
            sent: None,
            acknowledged: None,
            ended: None,
            provider_id: None,
            reason: String::new(),
            retry_millis: None,
            retry_at: None,
            throttled_until: None,
            accepted: None,
        };
        self.insert(at, asked.id, message);
        self.waiters.push(Waiter::send(ticket, order, stage));
        self.record(order, Some(Shown::Accepted), true, fx);
    }

    /// Cancels a message that is certainly not written.
    pub(crate) fn cancel(&mut self, at: Moment, id: &str, ticket: Ticket, fx: &mut Effects) {
        let Some(held) = self.held_by(id) else {
            return fx.not_cancelled(ticket, CancelProblem::NotFound);
        };
        let (order, accepted) = (held.message.order, held.message.accepted.is_some());
        if self.over == Some(Over::Draining) {
            return fx.not_cancelled(ticket, unavailable());
        }
        // What is not durable yet is cancelled as soon as it is.
        self.waiters.push(Waiter::cancel(ticket, order));
        if accepted {
            self.cancel_now(at, order, fx);
        }
        self.answer(at, order, fx);
    }

    fn cancel_now(&mut self, at: Moment, order: u64, fx: &mut Effects) {
        if self.get(order).is_none_or(|message| message.doubtful) {
            return;
        }
        self.not_begun(at, order);
        if self.waiting.contains(&order) {
            self.finish(at, order, Phase::Cancelled, "", fx);
        }
    }

    /// A change of this message is durable; with its acceptance comes the sequence of that.
    pub(crate) fn durable(
        &mut self,
        at: Moment,
        order: u64,
        accepted: Option<Sequence>,
        fx: &mut Effects,
    ) {
        let Some(held) = self.messages.get_mut(&order) else {
            return;
        };
        held.pending = held.pending.saturating_sub(1);
        let settled = held.pending == 0;
        if let Some(sequence) = accepted {
            held.message.accepted = Some(sequence.get());
            self.end_accepted(at, order, fx);
        }
        if settled {
            self.attempt_durable(order);
        }
        if self.waiters.iter().any(|w| w.cancels(order)) {
            self.cancel_now(at, order, fx);
        }
        self.answer(at, order, fx);
    }

    /// How the session is connected from now on.
    pub(crate) fn connected(&mut self, at: Moment, path: Path, fx: &mut Effects) {
        if self.path == path {
            return;
        }
        let opened = path == Path::Open && self.path != Path::Open;
        self.path = path;
        if opened && !self.unsettled.is_empty() {
            self.settle_by = Some(at.now + settle::PATIENCE);
        }
        if matches!(path, Path::Down(_)) {
            self.answer_all(at, fx);
        }
    }

    /// Journals a message as it is now, with the event of a state where it came to one.
    fn record(&mut self, order: u64, event: Option<Shown>, accepts: bool, fx: &mut Effects) {
        let session = &self.session;
        let Some(held) = self.messages.get_mut(&order) else {
            return;
        };
        held.pending += 1;
        fx.changes
            .push(Change::of(session, &held.id, &held.message, event, accepts));
    }

    fn held_by(&self, id: &str) -> Option<&Held> {
        self.messages.get(self.orders.get(id)?)
    }

    fn get(&self, order: u64) -> Option<&Message> {
        self.messages.get(&order).map(|held| &held.message)
    }

    fn get_mut(&mut self, order: u64) -> Option<&mut Message> {
        self.messages.get_mut(&order).map(|held| &mut held.message)
    }
}

const SOON: Duration = Duration::from_secs(5);

fn draining() -> SendProblem {
    SendProblem::Draining { retry_after: SOON }
}

fn unavailable() -> CancelProblem {
    CancelProblem::Unavailable { retry_after: SOON }
}
