//! The message in flight: one attempt from its beginning to the end of it (U36, U37, U38).

use std::time::Duration;

use super::message::Phase;
use super::{Effects, Moment, Path, Queue};
use crate::connectors::Outgoing;
use crate::proto::v1::OutboundMessageState as Shown;
use crate::runtime::MonoTime;
use crate::session::outbound::UnknownOutcome;

/// The message in flight.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) order: u64,
    pub(super) step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// That the attempt begins is on its way into the journal: nothing of it is written.
    Committing,
    /// It may be handed over.
    Ready,
    /// It was, and is to be acknowledged until then.
    Handed { due: MonoTime },
}

impl Flight {
    /// When it is to be acknowledged at the latest.
    pub(super) fn due(&self) -> Option<MonoTime> {
        match self.step {
            Step::Handed { due } => Some(due),
            Step::Committing | Step::Ready => None,
        }
    }
}

impl Queue {
    /// Begins with the next message where one may leave: on the connection that stands, or over REST
    /// (`rest`) where none does.
    pub(crate) fn begin(&mut self, at: Moment, rest: bool, fx: &mut Effects) {
        self.wake = None;
        self.throttled_until = self.throttled_until.filter(|until| *until > at.now);
        if self.flight.is_some() || self.over.is_some() {
            return;
        }
        let open = self.path == Path::Open;
        let Some(order) = self.waiting.first().copied().filter(|_| open || rest) else {
            return;
        };
        let Some(held) = self.messages.get(&order) else {
            return;
        };
        let message = &held.message;
        if message.accepted.is_none() || self.is_blocked() || (!open && message.doubtful) {
            return;
        }
        let waits = [
            held.not_before,
            self.throttled_until,
            Some(self.paced_until),
        ];
        let until = waits.into_iter().flatten().max();
        if let Some(until) = until.filter(|until| *until > at.now) {
            self.wake = Some(until);
            return;
        }
        self.waiting.remove(&order);
        self.flight = Some(Flight {
            order,
            step: Step::Committing,
        });
        if let Some(message) = self.get_mut(order) {
            message.phase = Phase::Begun;
            message.attempts += 1;
            message.began.get_or_insert(at.wall);
            message.retry_in(at.wall, None);
            message.throttled_until = None;
        }
        self.record(order, None, false, fx);
    }

    /// Whether what may have arrived holds back what comes behind it: only what may be sent again
    /// keeps its place until it is settled.
    fn is_blocked(&self) -> bool {
        let mut unsettled = self.unsettled.iter().filter_map(|order| self.get(*order));
        unsettled.any(|message| message.policy == UnknownOutcome::Resend)
    }

    /// The attempt in flight is durable.
    pub(super) fn attempt_durable(&mut self, order: u64) {
        if let Some(flight) = &mut self.flight
            && flight.order == order
            && flight.step == Step::Committing
        {
            flight.step = Step::Ready;
        }
    }

    /// The message that may be handed over.
    pub(crate) fn ready(&self) -> Option<Outgoing<'_>> {
        let flight = self.flight.as_ref().filter(|f| f.step == Step::Ready)?;
        let held = self.messages.get(&flight.order)?;
        Some(held.message.outgoing(&held.id))
    }

    /// It was handed over.
    pub(crate) fn handed(&mut self, at: Moment) {
        let due = at.now + self.rules.acknowledged_within;
        if let Some(flight) = &mut self.flight {
            flight.step = Step::Handed { due };
        }
        self.paced_until = at.now + self.rules.pace;
    }

    /// Nothing can be sent at the moment: the same again after a while.
    pub(crate) fn not_handed(&mut self, at: Moment, fx: &mut Effects) {
        let pause = self.pause();
        if let Some(order) = self.take_back(at)
            && let Some(held) = self.messages.get_mut(&order)
        {
            held.not_before = Some(at.now + pause.max(Duration::from_millis(100)));
            self.record(order, None, false, fx);
            self.end_accepted(at, order, fx);
        }
    }

    /// There is no way to send it.
    pub(crate) fn not_sendable(&mut self, at: Moment, reason: &'static str, fx: &mut Effects) {
        if let Some(order) = self.take_back(at) {
            self.finish(at, order, Phase::Failed, reason, fx);
        }
    }

    /// All of it was written.
    pub(crate) fn written(&mut self, at: Moment, fx: &mut Effects) {
        let Some(order) = self.handed_over() else {
            return;
        };
        self.paced_until = at.now + self.rules.pace;
        if self.get(order).is_some_and(|m| m.phase == Phase::Begun) {
            self.sent(at, order, fx);
        }
    }

    fn sent(&mut self, at: Moment, order: u64, fx: &mut Effects) {
        if let Some(message) = self.get_mut(order) {
            message.phase = Phase::Sent;
            message.sent = Some(at.wall);
            message.reason.clear();
        }
        self.record(order, Some(Shown::Sent), false, fx);
    }

    /// The message in flight, once it was handed over.
    pub(super) fn handed_over(&self) -> Option<u64> {
        let flight = self.flight.as_ref()?;
        matches!(flight.step, Step::Handed { .. }).then_some(flight.order)
    }

    /// An answer shows that it was written, which may be known before it is reported.
    pub(super) fn shown_written(&mut self, at: Moment, order: u64, fx: &mut Effects) {
        let begun = self.get(order).is_some_and(|m| m.phase == Phase::Begun);
        if begun && self.handed_over() == Some(order) {
            self.sent(at, order, fx);
        }
    }

    /// What carried it is gone. `unwritten`: certainly no byte of it left.
    pub(crate) fn interrupted(&mut self, at: Moment, unwritten: bool, fx: &mut Effects) {
        match self.handed_over() {
            Some(order) if !unwritten => {
                self.flight = None;
                self.unsettle(at, order, "CONNECTION_LOST", fx);
            }
            Some(order) => {
                self.take_back(at);
                self.record(order, None, false, fx);
                self.end_accepted(at, order, fx);
            }
            None => self.withdraw(at, fx),
        }
    }

    /// What would have carried it is gone before it was handed over: it waits again.
    pub(crate) fn withdraw(&mut self, at: Moment, fx: &mut Effects) {
        if self.handed_over().is_none()
            && let Some(order) = self.take_back(at)
        {
            self.record(order, None, false, fx);
            self.end_accepted(at, order, fx);
        }
    }

    /// Whether a message is in flight that may be acknowledged yet.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.handed_over().is_some()
    }

    /// It is not acknowledged in time (U38).
    pub(crate) fn is_overdue(&self, now: MonoTime) -> bool {
        let flight = self.flight.as_ref();
        flight.and_then(Flight::due).is_some_and(|due| due <= now)
    }

    /// Nothing was read meanwhile, so that nothing could be heard: it has its time again.
    pub(crate) fn unheard(&mut self, at: Moment) {
        let due = at.now + self.rules.acknowledged_within;
        if let Some(flight) = &mut self.flight
            && matches!(flight.step, Step::Handed { .. })
        {
            flight.step = Step::Handed { due };
        }
    }

    /// The attempt in flight does not count, for nothing of it was written: the message waits again.
    /// The caller journals it.
    pub(super) fn take_back(&mut self, at: Moment) -> Option<u64> {
        let order = self.flight.take()?.order;
        if let Some(message) = self.get_mut(order) {
            message.attempts = message.attempts.saturating_sub(1);
            if !message.doubtful {
                message.began = None;
            }
        }
        self.wait_again(at, order);
        Some(order)
    }

    /// Takes back an attempt that is not handed over yet.
    pub(super) fn not_begun(&mut self, at: Moment, order: u64) {
        let early =
            |f: &Flight| f.order == order && matches!(f.step, Step::Committing | Step::Ready);
        if self.flight.as_ref().is_some_and(early) {
            self.take_back(at);
        }
    }

    /// Back to those that wait.
    pub(super) fn wait_again(&mut self, at: Moment, order: u64) {
        let Some(held) = self.messages.get_mut(&order) else {
            return;
        };
        held.message.phase = Phase::Accepted;
        held.expires_at = at.now + held.message.expires.since(at.wall).min(super::FAR);
        self.expiries.insert((held.expires_at, order));
        self.waiting.insert(order);
    }

    /// A pause after something that failed, with full jitter.
    pub(super) fn pause(&mut self) -> Duration {
        let unit = self.rng.unit();
        self.backoff.next_delay(unit)
    }
}
