//! Final states: how a message comes to one, what ends many at once, and when they are forgotten.

use super::message::Phase;
use super::{Change, Effects, FAR, KEPT_FOR, Moment, Over, Queue};
use crate::runtime::MonoTime;

pub(super) const SESSION_EXPIRED: &str = "GUEST_SESSION_EXPIRED";
pub(super) const SESSION_CLOSED: &str = "SESSION_CLOSED";
/// When a message is looked at again whose time passed before it was durable.
const SOON: std::time::Duration = std::time::Duration::from_secs(1);
const TIME_PASSED: &str = "EXPIRE_TIME_PASSED";

impl Queue {
    /// Ends a message that was not taken; where an earlier attempt may have been, that is what is
    /// known of it.
    pub(super) fn finish(
        &mut self,
        at: Moment,
        order: u64,
        phase: Phase,
        reason: &str,
        fx: &mut Effects,
    ) {
        let doubtful = self.get(order).is_some_and(|message| message.doubtful);
        let phase = if doubtful { Phase::Unknown } else { phase };
        self.settle(at, order, phase, reason, fx);
    }

    /// Brings a message to a final state. An unknown outcome that stays so is told again only where
    /// its reason is news.
    pub(super) fn settle(
        &mut self,
        at: Moment,
        order: u64,
        phase: Phase,
        reason: &str,
        fx: &mut Effects,
    ) {
        self.waiting.remove(&order);
        self.unsettled.remove(&order);
        let Some(held) = self.messages.get_mut(&order) else {
            return;
        };
        self.expiries.remove(&(held.expires_at, order));
        let message = &mut held.message;
        let before = (message.shown(), message.reason.clone());
        let was_final = message.phase.is_final();
        message.phase = phase;
        message.ended = Some(at.wall);
        message.retry_in(at.wall, None);
        reason.clone_into(&mut message.reason);
        let shown = message.shown();
        let news = before.0 != shown || before.1 != reason;
        if was_final {
            self.purges.retain(|(_, own)| *own != order);
        } else {
            self.bytes = self.bytes.saturating_sub(message.weight());
        }
        self.purges.insert((at.now + KEPT_FOR, order));
        self.record(order, news.then_some(shown), false, fx);
    }

    /// Nothing more is taken; what waits comes to its end, or stays for the next process. What is in
    /// flight has its moment yet, until [`Queue::give_up`].
    pub(crate) fn end(&mut self, at: Moment, over: Over, fx: &mut Effects) {
        self.over = Some(over);
        self.withdraw(at, fx);
        if over == Over::Draining {
            return self.answer_all(at, fx);
        }
        for order in self.waiting.clone() {
            self.end_accepted(at, order, fx);
        }
        self.settle_over(at, fx);
    }

    /// Whether the guest's session is over.
    pub(crate) fn has_expired(&self) -> bool {
        self.over == Some(Over::Expired)
    }

    /// The moment of what is in flight is over.
    pub(crate) fn give_up(&mut self, at: Moment, fx: &mut Effects) {
        if matches!(self.over, Some(Over::Expired | Over::Closed)) {
            self.interrupted(at, false, fx);
            self.settle_over(at, fx);
        }
    }

    fn settle_over(&mut self, at: Moment, fx: &mut Effects) {
        let reason = match self.over {
            Some(Over::Expired) => SESSION_EXPIRED,
            Some(Over::Closed) => SESSION_CLOSED,
            Some(Over::Draining) | None => return,
        };
        for order in self.unsettled.clone() {
            self.settle(at, order, Phase::Unknown, reason, fx);
        }
    }

    /// Ends a message that waits, once it is durable, where the session is over.
    pub(super) fn end_accepted(&mut self, at: Moment, order: u64, fx: &mut Effects) {
        let durable = self.get(order).is_some_and(|m| m.accepted.is_some());
        if !durable || !self.waiting.contains(&order) {
            return;
        }
        match self.over {
            Some(Over::Expired) => self.finish(at, order, Phase::Expired, SESSION_EXPIRED, fx),
            Some(Over::Closed) => self.finish(at, order, Phase::Cancelled, SESSION_CLOSED, fx),
            Some(Over::Draining) | None => {}
        }
    }

    /// Does what is due.
    pub(crate) fn due(&mut self, at: Moment, fx: &mut Effects) {
        while let Some((due, order)) = self.expiries.first().copied() {
            if due > at.now {
                break;
            }
            self.expiries.remove(&(due, order));
            self.expire(at, order, fx);
        }
        while let Some((due, order)) = self.purges.first().copied() {
            if due > at.now {
                break;
            }
            self.purges.remove(&(due, order));
            self.forget(order, fx);
        }
        if self.settle_by.is_some_and(|due| due <= at.now) {
            self.settle_by = None;
            self.without_history(at, fx);
        }
    }

    /// The time of a message passed. In flight it settles; waiting it is over.
    fn expire(&mut self, at: Moment, order: u64, fx: &mut Effects) {
        if !self.waiting.contains(&order) {
            return;
        }
        let Some(held) = self.messages.get_mut(&order) else {
            return;
        };
        let left = held.message.expires.since(at.wall);
        let durable = held.message.accepted.is_some();
        if left.is_zero() && durable {
            return self.finish(at, order, Phase::Expired, TIME_PASSED, fx);
        }
        held.expires_at = at.now + left.clamp(SOON, FAR);
        self.expiries.insert((held.expires_at, order));
    }

    fn forget(&mut self, order: u64, fx: &mut Effects) {
        if let Some(held) = self.messages.remove(&order) {
            self.orders.remove(&held.id);
            fx.changes.push(Change::forget(order, &held.id));
        }
    }

    /// When [`Queue::due`], or another beginning, is due.
    pub(crate) fn next_timeout(&self) -> Option<MonoTime> {
        let overdue = self.flight.as_ref().and_then(super::flight::Flight::due);
        let all = [
            self.expiries.first().map(|(due, _)| *due),
            self.purges.first().map(|(due, _)| *due),
            self.settle_by,
            self.wake,
            overdue,
        ];
        all.into_iter().flatten().min()
    }
}
