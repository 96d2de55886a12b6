//! Messages that an application sends through a session (U36 to U39): what is asked of a session, and
//! what it answers.

mod handover;
mod mail;
pub(crate) mod queue;
mod stored;

use std::sync::Arc;
use std::time::Duration;

pub use crate::connectors::Content;
pub use handover::Handover;
pub use mail::{
    Accepted, CancelLetter, CancelProblem, Letter, Mail, MailFull, NewMessage, SendLetter,
    SendProblem, Stage, UnknownOutcome,
};
pub use queue::{Answer, Ticket};
pub use stored::{is_message, is_same, list, read};

/// What holds for messages that do not say otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// How long one may wait (U37).
    pub ttl: Duration,
    /// How often one is tried (U37).
    pub attempts: u32,
    /// What happens to one that may have arrived.
    pub unknown_outcome: UnknownOutcome,
}

impl OutboundSettings {
    /// What holds for messages that do not say otherwise.
    #[must_use]
    pub fn defaults(&self) -> Defaults {
        Defaults {
            ttl: self.ttl,
            attempts: self.attempts,
            unknown_outcome: self.unknown_outcome,
        }
    }
}

/// How a session sends; only sessions that take messages have it.
#[derive(Debug, Clone)]
pub struct OutboundSettings {
    /// Where it is asked to.
    pub mail: Arc<Mail>,
    /// How long a message may wait, where it does not say so itself (U37).
    pub ttl: Duration,
    /// How often one is tried (U37).
    pub attempts: u32,
    /// What happens to one that may have arrived, where it does not say so itself.
    pub unknown_outcome: UnknownOutcome,
}
