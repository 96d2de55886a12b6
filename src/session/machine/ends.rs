//! The end of a session as the platform or the application wants it: ended for now, over for good,
//! taken by another connection, closed (U39).

use super::Machine;
use super::facts::Fact;
use super::io::{Actions, At};
use super::recovered::{OVER, over_value};
use super::state::{Awaits, State, limits};
use crate::connectors::Control;
use crate::proto::v1::session_event::Kind;
use crate::session::outbound::queue::Over;

/// How a session ends.
#[derive(Debug)]
pub(super) enum End {
    /// Nothing comes until it begins anew, which is tried slowly.
    ForNow(String),
    /// A connection made anew would be another conversation.
    ForGood(String),
    /// Another connection took this one's place.
    Superseded(String),
}

impl End {
    /// What a control says of the end, if it does.
    pub(super) fn of(control: &Control) -> Option<Self> {
        match control {
            Control::Ended { reason } => Some(Self::ForNow(reason.clone())),
            Control::Expired { reason } => Some(Self::ForGood(reason.clone())),
            Control::Superseded { reason } => Some(Self::Superseded(reason.clone())),
            Control::Closing
            | Control::Refused { .. }
            | Control::TopicRejected { .. }
            | Control::SubscriptionLost { .. }
            | Control::Missed { .. }
            | Control::Answered { .. }
            | Control::Lasts { .. }
            | Control::Proof { .. } => None,
        }
    }
}

impl Machine {
    pub(super) fn ends(&mut self, at: At, end: End, out: &mut Actions) {
        match end {
            End::ForNow(reason) => self.ended(at, &reason, out),
            End::ForGood(reason) => self.over_for_good(at, &reason, out),
            End::Superseded(reason) => self.superseded(at, &reason, out),
        }
    }

    /// Over for good: nothing is sent any more, by a later process neither, and the driver ends.
    fn over_for_good(&mut self, at: At, reason: &str, out: &mut Actions) {
        self.leave(at, reason, out);
        self.stats.over(self.session.as_str(), reason);
        self.fact(at, Fact::new(Kind::Expired).reason(reason));
        self.outbox
            .set(OVER.to_owned(), Some(over_value(reason)), None);
        self.end_messages(at, Over::Expired, out);
        // A request that left before is answered all the same.
        if self.sending_call().is_none() {
            self.give_up_messages(at, out);
        }
        self.standing.closed();
        self.enter(State::Draining {
            until: at.now + limits::CLOSE_GRACE,
        });
    }

    /// Connecting again would take the place back, as planned by nobody: that waits to be asked for.
    fn superseded(&mut self, at: At, reason: &str, out: &mut Actions) {
        const WORD: &str = "CONNECTION_SUPERSEDED";
        tracing::debug!(session = %self.session, reason, "Another connection took over");
        self.leave(at, WORD, out);
        if self.standing.suspended(WORD) {
            self.stats.suspended(self.session.as_str(), WORD);
            self.fact(at, Fact::new(Kind::Suspended).reason(WORD));
        }
        self.backoff.reset();
        self.enter(State::Suspended {
            until: None,
            awaits: Awaits::Person,
        });
    }

    /// It was over when the process before this one ended.
    pub(super) fn is_over(&mut self, at: At, reason: &str, out: &mut Actions) {
        self.standing.set_reason(reason);
        self.standing.closed();
        let over = match reason {
            CLOSED => Over::Closed,
            _ => Over::Expired,
        };
        self.end_messages(at, over, out);
        self.give_up_messages(at, out);
        self.enter(State::Draining {
            until: at.now + limits::CLOSE_GRACE,
        });
        self.end_when_drained();
    }

    /// Somebody closed it: what waits is cancelled, what is in flight has its moment, the platform is
    /// told.
    pub(super) fn close_asked(&mut self, at: At, out: &mut Actions) {
        self.stats.over(self.session.as_str(), CLOSED);
        self.outbox
            .set(OVER.to_owned(), Some(over_value(CLOSED)), None);
        self.end_messages(at, Over::Closed, out);
        self.begin_to_end(at, CLOSED, true, out);
    }

    pub(super) fn end_messages(&mut self, at: At, over: Over, out: &mut Actions) {
        self.with_queue(out, at, |queue, fx| queue.end(at.into(), over, fx));
    }

    /// Waits no longer for what is in flight.
    pub(super) fn give_up_messages(&mut self, at: At, out: &mut Actions) {
        if let Some(outbound) = &mut self.outbound {
            outbound.drop_call(out);
        }
        self.with_queue(out, at, |queue, fx| queue.give_up(at.into(), fx));
    }
}

const CLOSED: &str = "SESSION_CLOSED";
