//! Messages that an application sends through a session (U36 to U39): what is asked of a session, and
//! what it answers.

mod mail;

use std::sync::Arc;
use std::time::Duration;

pub use mail::{
    Accepted, CancelLetter, CancelProblem, Letter, Mail, MailFull, NewMessage, SendLetter,
    SendProblem, Stage, UnknownOutcome,
};

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
