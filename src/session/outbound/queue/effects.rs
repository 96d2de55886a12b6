//! [`Effects`]: what follows from an input, in order: changes for the journal, and answers.

use bytes::Bytes;

use super::answering::{Answer, Ticket};
use super::message::{Message, resource};
use crate::proto::v1;
use crate::proto::v1::OutboundMessageState as Shown;
use crate::session::outbound::{CancelProblem, SendProblem};

/// Below the session's prefix, with the message's id behind it.
pub(crate) const KEYS: &str = "outbound/";

/// What follows from an input.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// In order; those of one input belong into one commit.
    pub(crate) changes: Vec<Change>,
    pub(crate) answers: Vec<(Ticket, Answer)>,
}

/// A change of one message.
#[derive(Debug)]
pub(crate) struct Change {
    /// Names the message to [`super::Queue::durable`].
    pub(crate) order: u64,
    /// Below the session's prefix.
    pub(crate) key: String,
    /// `None` where the message is forgotten.
    pub(crate) value: Option<Bytes>,
    /// The state that it came to.
    pub(crate) event: Option<v1::OutboundMessageEvent>,
    /// Whether it is the acceptance, whose sequence counts.
    pub(crate) accepts: bool,
}

impl Change {
    pub(super) fn of(
        session: &str,
        id: &str,
        message: &Message,
        event: Option<Shown>,
        accepts: bool,
    ) -> Self {
        Self {
            order: message.order,
            key: format!("{KEYS}{id}"),
            value: Some(message.encode()),
            event: event.map(|state| v1::OutboundMessageEvent {
                outbound_message: resource(session, id),
                state: state.into(),
                provider_message_id: message.provider_id.clone().unwrap_or_default(),
                reason: message.reason.clone(),
            }),
            accepts,
        }
    }

    pub(super) fn forget(order: u64, id: &str) -> Self {
        Self {
            order,
            key: format!("{KEYS}{id}"),
            value: None,
            event: None,
            accepts: false,
        }
    }
}

impl Effects {
    pub(super) fn problem(&mut self, ticket: Ticket, problem: SendProblem) {
        self.answers.push((ticket, Answer::NotSent(problem)));
    }

    pub(super) fn not_cancelled(&mut self, ticket: Ticket, problem: CancelProblem) {
        self.answers.push((ticket, Answer::NotCancelled(problem)));
    }
}
