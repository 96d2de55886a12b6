//! What the platform says of messages, and the state that each comes to by it (U36, U37).

use std::time::Duration;

use super::message::Phase;
use super::{Effects, Moment, Queue};
use crate::connectors::{Receipt, SendOutcome};
use crate::proto::v1::OutboundMessageState as Shown;
use crate::session::outbound::UnknownOutcome;

/// What is obeyed of a platform's `retry_after`: a wait of nothing would be a hot loop.
const SHORTEST: Duration = Duration::from_millis(100);
pub(super) const LONGEST: Duration = Duration::from_secs(300);

const THROTTLED: &str = "UPSTREAM_RATE_LIMITED";

/// What a receipt asks of whoever holds the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Nothing,
    /// History is to settle the message, and is asked after a reconnect. Where there is none, what
    /// the connection says later without an id must not be taken for the next message's.
    Reconnect,
}

impl Queue {
    /// Takes what the platform said. A receipt without an id is of the message in flight.
    pub(crate) fn receipt(&mut self, at: Moment, receipt: Receipt, fx: &mut Effects) -> Asks {
        let flying = self.handed_over();
        let named = receipt.id.as_deref().and_then(|id| self.orders.get(id));
        let order = match receipt.id {
            Some(_) => named.copied(),
            None => flying,
        };
        let Some(order) = order else {
            return Asks::Nothing;
        };
        match receipt.outcome {
            SendOutcome::Acknowledged { provider_id } => {
                self.acknowledge(at, order, provider_id, fx);
            }
            SendOutcome::Delivered => self.arrived(at, order, Phase::Delivered, fx),
            SendOutcome::Read => self.arrived(at, order, Phase::Read, fx),
            // What is not in flight was judged already.
            _ if flying != Some(order) => {}
            SendOutcome::Throttled { retry_after } => {
                self.throttled(at, order, retry_after, fx);
            }
            SendOutcome::Refused { reason } => {
                self.shown_written(at, order, fx);
                self.flight = None;
                self.finish(at, order, Phase::Failed, reason, fx);
            }
            SendOutcome::NotTaken { reason } => self.not_taken(at, order, reason, fx),
            SendOutcome::Unknown { reason } => {
                self.flight = None;
                self.unsettle(at, order, reason, fx);
                return Asks::Reconnect;
            }
        }
        Asks::Nothing
    }

    /// The platform has it.
    pub(super) fn acknowledge(
        &mut self,
        at: Moment,
        order: u64,
        provider_id: Option<String>,
        fx: &mut Effects,
    ) {
        self.shown_written(at, order, fx);
        let Some(message) = self.get_mut(order) else {
            return;
        };
        if message.began.is_none() {
            // Nothing of it was ever written: the platform means something else.
            return;
        }
        let learned = message.provider_id.is_none() && provider_id.is_some();
        if message.phase.has_arrived() {
            if learned {
                message.provider_id = provider_id;
                self.record(order, None, false, fx);
            }
            return;
        }
        if matches!(
            message.phase,
            Phase::Failed | Phase::Expired | Phase::Cancelled
        ) {
            // It said before that it did not take it, and whoever asked was told so.
            tracing::warn!(order, "A message that had failed is acknowledged");
            return;
        }
        if learned {
            message.provider_id = provider_id;
        }
        message.acknowledged = Some(at.wall);
        self.backoff.reset();
        if self.flight.as_ref().is_some_and(|f| f.order == order) {
            self.flight = None;
        }
        self.settle(at, order, Phase::Acknowledged, "", fx);
    }

    /// A receipt that follows the acknowledgement, and stands for it where that was lost.
    fn arrived(&mut self, at: Moment, order: u64, phase: Phase, fx: &mut Effects) {
        self.acknowledge(at, order, None, fx);
        let Some(message) = self.get_mut(order) else {
            return;
        };
        let rises = matches!(
            (message.phase, phase),
            (Phase::Acknowledged, _) | (Phase::Delivered, Phase::Read)
        );
        if rises {
            message.phase = phase;
            let shown = message.shown();
            self.record(order, Some(shown), false, fx);
        }
    }

    /// It was certainly not taken, and that does not count as an attempt.
    fn throttled(&mut self, at: Moment, order: u64, after: Duration, fx: &mut Effects) {
        self.shown_written(at, order, fx);
        let after = after.clamp(SHORTEST, LONGEST);
        let after = after.mul_f64(1.0 + 0.1 * self.rng.unit());
        self.throttled_until = Some(at.now + after);
        if let Some(message) = self.get_mut(order) {
            message.throttled_until = Some(at.wall.plus(after));
        }
        self.take_back(at);
        self.again(at, order, THROTTLED, after, fx);
        self.answer_all(at, fx);
    }

    fn not_taken(&mut self, at: Moment, order: u64, reason: &'static str, fx: &mut Effects) {
        self.shown_written(at, order, fx);
        self.flight = None;
        let attempts = self.get(order).map_or(0, |m| m.attempts);
        if attempts >= self.rules.defaults.attempts {
            return self.finish(at, order, Phase::Failed, reason, fx);
        }
        let pause = self.pause();
        if let Some(message) = self.get_mut(order).filter(|m| !m.doubtful) {
            message.began = None;
        }
        self.wait_again(at, order);
        if let Some(held) = self.messages.get_mut(&order) {
            held.not_before = Some(at.now + pause);
        }
        self.again(at, order, reason, pause, fx);
    }

    /// It waits again, and says why and how long; unless the session is over.
    fn again(&mut self, at: Moment, order: u64, reason: &str, after: Duration, fx: &mut Effects) {
        self.end_accepted(at, order, fx);
        if !self.waiting.contains(&order) {
            return;
        }
        let Some(message) = self.get_mut(order) else {
            return;
        };
        reason.clone_into(&mut message.reason);
        message.retry_in(at.wall, Some(after));
        let shown = message.shown();
        self.record(order, Some(shown), false, fx);
    }

    /// It may have arrived.
    pub(super) fn unsettle(&mut self, at: Moment, order: u64, reason: &str, fx: &mut Effects) {
        let Some(held) = self.messages.get_mut(&order) else {
            return;
        };
        let told = held.message.phase == Phase::Unsettled;
        held.message.phase = Phase::Unsettled;
        held.unsettled_at = Some(at.now);
        if !told {
            reason.clone_into(&mut held.message.reason);
            self.record(order, Some(Shown::OutcomeUnknown), false, fx);
        }
        self.unsettled.insert(order);
        if !self.rules.history {
            self.by_policy(at, order, reason, fx);
        }
    }

    /// Nothing settles it: what whoever sent it wants in that case.
    pub(super) fn by_policy(&mut self, at: Moment, order: u64, reason: &str, fx: &mut Effects) {
        let most = self.rules.defaults.attempts;
        let Some(message) = self.get_mut(order) else {
            return;
        };
        let again = message.policy == UnknownOutcome::Resend && self.over.is_none();
        let Some(message) = self.get_mut(order) else {
            return;
        };
        if again && message.attempts < most && message.expires > at.wall {
            message.doubtful = true;
            self.unsettled.remove(&order);
            self.wait_again(at, order);
            let pause = self.pause();
            if let Some(held) = self.messages.get_mut(&order) {
                held.not_before = Some(at.now + pause);
                held.message.retry_in(at.wall, Some(pause));
            }
            return self.record(order, None, false, fx);
        }
        self.settle(at, order, Phase::Unknown, reason, fx);
    }
}
