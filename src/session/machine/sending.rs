//! What the application sends (U36 to U38): what is asked goes to the [`Queue`], and what it says is
//! journaled, answered and done.

use std::time::Duration;

use super::carrying::Way;
use super::io::{Action, Actions, At};
use super::state::{State, limits};
use super::{Machine, Next};
use crate::connectors::{Connector, Link, LossWindow, Receipt, Seen};
use crate::domain::Sequence;
use crate::runtime::{MonoTime, Rng};
use crate::session::BackoffConfig;
use crate::session::outbound::queue::{self, Asked, Effects, Message, Moment, Path, Queue, Rules};
use crate::session::outbound::{Answer, Defaults, NewMessage, SendProblem, Stage, Ticket};

/// When somebody may ask again whom the journal kept waiting.
const JOURNAL_RETRY: Duration = Duration::from_secs(5);
/// A message's content and attributes together, whatever the platform would take.
const MOST_BYTES: usize = 256 << 10;

/// What is sent, and how.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) queue: Queue,
    /// How the message in flight left.
    pub(super) way: Option<Way>,
    /// Of the last connection that was set up, for what goes over REST while none stands.
    pub(super) rest: Option<Box<dyn Link>>,
    pub(super) may_rest: bool,
    pub(super) dispatches: Ticket,
    /// Only history can tell what became of a message: it is asked after a reconnect.
    reconnect: bool,
}

impl From<At> for Moment {
    fn from(at: At) -> Self {
        Self {
            now: at.now,
            wall: at.wall,
        }
    }
}

impl Outbound {
    pub(super) fn new(
        session: &crate::domain::SessionName,
        connector: &dyn Connector,
        defaults: Defaults,
        backoff: &BackoffConfig,
        rng: &Rng,
        stored: Vec<(String, Message)>,
        at: At,
    ) -> Self {
        let sending = connector.sending();
        let rules = Rules {
            defaults,
            pace: sending.map_or(Duration::ZERO, |s| s.pace),
            acknowledged_within: sending.map_or(limits::ACKNOWLEDGED, |s| s.acknowledged_within),
            history: sending.is_some_and(|s| s.history),
            backoff: (backoff.base.0, backoff.cap.0),
        };
        Self {
            queue: Queue::new(session, rules, rng.fork("outbound"), stored, at.into()),
            way: None,
            rest: None,
            may_rest: sending.is_some_and(|s| s.rest),
            dispatches: 0,
            reconnect: false,
        }
    }

    /// Whether a message is in flight that may be acknowledged yet.
    pub(super) fn is_in_flight(&self) -> bool {
        self.queue.is_in_flight()
    }
}

impl Machine {
    /// Whether the guest's session is over (U39).
    #[must_use]
    pub fn has_expired(&self) -> bool {
        self.outbound
            .as_ref()
            .is_some_and(|o| o.queue.has_expired())
    }

    /// Somebody wants a message to be sent.
    pub(super) fn send_asked(
        &mut self,
        at: At,
        ticket: Ticket,
        message: NewMessage,
        stage: Stage,
        out: &mut Actions,
    ) {
        let stopped = self.outbox.has_given_up();
        let closed = self.outbox.is_stuck();
        let problem = match &self.outbound {
            None => Some(SendProblem::Unsendable(self.no_messages())),
            Some(outbound) if !stopped && outbound.queue.knows(&message.id) => None,
            Some(_) if stopped || closed => Some(SendProblem::ReadOnly {
                retry_after: JOURNAL_RETRY,
            }),
            Some(_) => self.unsendable(&message).map(SendProblem::Unsendable),
        };
        if let Some(problem) = problem {
            return out.push(Action::Answer(ticket, Answer::NotSent(problem)));
        }
        self.with_queue(out, at, |queue, fx| {
            queue.accept(at.into(), message, stage, ticket, fx);
        });
    }

    fn no_messages(&self) -> crate::connectors::Unsendable {
        crate::connectors::Unsendable {
            reason: "CONTENT_UNSUPPORTED",
            field: "parent",
            problem: format!("session {} takes no messages", self.session),
        }
    }

    fn unsendable(&self, message: &NewMessage) -> Option<crate::connectors::Unsendable> {
        let outgoing = message.outgoing();
        let size = message.size();
        if size > MOST_BYTES {
            return Some(crate::connectors::Unsendable {
                reason: "MESSAGE_TOO_LONG",
                field: "message",
                problem: format!("{size} bytes with its attributes; at most {MOST_BYTES}"),
            });
        }
        self.connector.check_outgoing(&outgoing).err()
    }

    pub(super) fn cancel_asked(&mut self, at: At, ticket: Ticket, id: &str, out: &mut Actions) {
        if self.outbox.has_given_up() || self.outbound.is_none() {
            let problem = match self.outbound {
                None => crate::session::outbound::CancelProblem::NotFound,
                Some(_) => crate::session::outbound::CancelProblem::Unavailable {
                    retry_after: JOURNAL_RETRY,
                },
            };
            return out.push(Action::Answer(ticket, Answer::NotCancelled(problem)));
        }
        self.with_queue(out, at, |queue, fx| queue.cancel(at.into(), id, ticket, fx));
    }

    /// Lets the queue do something, and does what follows from it.
    pub(super) fn with_queue<T>(
        &mut self,
        out: &mut Actions,
        at: At,
        act: impl FnOnce(&mut Queue, &mut Effects) -> T,
    ) -> Option<T> {
        let outbound = self.outbound.as_mut()?;
        let mut fx = Effects::default();
        let result = act(&mut outbound.queue, &mut fx);
        let waiting = outbound.queue.waiting();
        self.share.outbound_waiting(waiting);
        for change in fx.changes {
            let index = change.event.map(|event| {
                self.stats.message(self.session.as_str(), &event);
                self.message_fact(at, event)
            });
            let own = index.filter(|_| change.accepts);
            self.outbox.set(change.key, change.value, own);
            self.outbox.await_message(change.order, own);
        }
        let answers = fx.answers.into_iter();
        out.extend(answers.map(|(ticket, answer)| Action::Answer(ticket, answer)));
        Some(result)
    }

    /// What every input ends with: the next message leaves, where one may.
    pub(super) fn mind_sending(&mut self, at: At, out: &mut Actions) {
        let Some(outbound) = &mut self.outbound else {
            return;
        };
        if let State::Draining { .. } | State::Ended = self.state {
            if matches!(self.state, State::Ended) {
                self.with_queue(out, at, |queue, fx| queue.dismiss(fx));
            }
            return;
        }
        if std::mem::take(&mut outbound.reconnect) {
            for generation in self.generations(|_| true) {
                out.push(Action::Drop { generation });
                self.socket_lost(at, generation, "MESSAGE_UNCERTAIN", Next::Dial, out);
            }
        }
        let path = match &self.state {
            State::Live(_) => Path::Open,
            State::Waiting { until, .. } => Path::Down(*until),
            State::Suspended { until, .. } => {
                Path::Down(until.unwrap_or(at.now + limits::SUSPENDED_RETRY))
            }
            State::Idle
            | State::Connecting(_)
            | State::Polling(_)
            | State::Sifting(_)
            | State::Draining { .. }
            | State::Ended => Path::Opening,
        };
        let rest = self.outbound.as_ref().is_some_and(|o| o.rest.is_some());
        let stopped = self.outbox.has_given_up();
        self.with_queue(out, at, |queue, fx| {
            queue.connected(at.into(), path, fx);
            if !stopped {
                queue.begin(at.into(), rest, fx);
            }
        });
        self.dispatch(at, out);
    }

    /// What the platform said of messages.
    pub(super) fn receipts(&mut self, at: At, receipts: Vec<Receipt>, out: &mut Actions) {
        for receipt in receipts {
            let asks = self.with_queue(out, at, |queue, fx| queue.receipt(at.into(), receipt, fx));
            if let Some(outbound) = &mut self.outbound {
                let left = matches!(outbound.way, Some(Way::Frames { .. }));
                let wanted = left || outbound.queue.is_unsettled();
                outbound.reconnect |= wanted && asks == Some(queue::Asks::Reconnect);
                if !outbound.queue.is_in_flight() {
                    outbound.way = None;
                }
            }
        }
    }

    /// Changes of messages are durable.
    pub(super) fn messages_durable(
        &mut self,
        at: At,
        changes: Vec<(u64, Option<Sequence>)>,
        out: &mut Actions,
    ) {
        self.with_queue(out, at, |queue, fx| {
            for (order, accepted) in changes {
                queue.durable(at.into(), order, accepted, fx);
            }
        });
    }

    /// The journal takes nothing for now: whoever waits for it is told.
    pub(super) fn messages_stuck(&mut self, at: At, out: &mut Actions) {
        self.with_queue(out, at, |queue, fx| queue.stuck(JOURNAL_RETRY, fx));
    }

    /// Whoever asked has left.
    pub(super) fn caller_left(&mut self, ticket: Ticket) {
        if let Some(outbound) = &mut self.outbound {
            outbound.queue.left(ticket);
        }
    }

    /// What waits longer than it may, and what is not acknowledged in time (U37, U38).
    pub(super) fn sending_due(&mut self, at: At, out: &mut Actions) {
        if self.outbox.has_given_up() {
            return;
        }
        self.with_queue(out, at, |queue, fx| queue.due(at.into(), fx));
        let hears = self.wants_frames();
        let Some(outbound) = &mut self.outbound else {
            return;
        };
        if !outbound.queue.is_overdue(at.now) {
            return;
        }
        match &outbound.way {
            Some(Way::Frames { generation, .. }) if hears => {
                let generation = *generation;
                out.push(Action::Drop { generation });
                self.socket_lost(at, generation, "NOT_ACKNOWLEDGED", Next::Dial, out);
            }
            // Nothing is read, or the request has a deadline of its own.
            Some(_) => outbound.queue.unheard(at.into()),
            None => {
                self.with_queue(out, at, |queue, fx| queue.interrupted(at.into(), false, fx));
            }
        }
    }

    pub(super) fn sending_timeout(&self) -> Option<MonoTime> {
        let outbound = self.outbound.as_ref();
        let outbound = outbound.filter(|_| !self.outbox.has_given_up());
        outbound.and_then(|outbound| outbound.queue.next_timeout())
    }

    // What history tells.

    /// The time that history is asked about: from before the oldest message that is not settled.
    pub(super) fn asked_of_history(&self, window: &LossWindow) -> LossWindow {
        let outbound = self.outbound.as_ref();
        let oldest = outbound.and_then(|outbound| outbound.queue.oldest_unsettled());
        LossWindow {
            start: oldest.map_or(window.start, |oldest| window.start.min(oldest)),
            end: window.end,
        }
    }

    pub(super) fn history_showed(&mut self, seen: Vec<Seen>) {
        if let Some(outbound) = &mut self.outbound {
            outbound.queue.seen(seen);
        }
    }

    /// The answers about this time are in.
    pub(super) fn history_told(
        &mut self,
        at: At,
        asked: Asked,
        everything: bool,
        out: &mut Actions,
    ) {
        self.with_queue(out, at, |queue, fx| {
            queue.recovered(at.into(), asked, everything, fx);
        });
    }

    /// Connected again, and nothing will be asked: the policy says what becomes of messages.
    pub(super) fn settle_without_history(&mut self, at: At, out: &mut Actions) {
        let unsettled = self
            .outbound
            .as_ref()
            .is_some_and(|o| o.queue.is_unsettled());
        if unsettled && self.recoveries.is_empty() {
            self.with_queue(out, at, |queue, fx| queue.without_history(at.into(), fx));
        }
    }
}
