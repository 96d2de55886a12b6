//! What an application says through a platform, and what the platform answers to it. Values only.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Call;
use crate::domain::WallTime;
use crate::net::Frame;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Content {
    /// Plain text.
    Text {
        /// As typed. Personal data.
        text: String,
    },
    /// The choice of a quick reply that was offered.
    QuickReply {
        /// As shown.
        text: String,
        /// As the platform named the choice.
        payload: String,
    },
    /// Something that was uploaded before.
    Attachment {
        /// The platform's id of it.
        id: String,
    },
}

/// A message as a platform is given it.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// A UUID; what the platform is asked to echo.
    pub id: &'a str,
    /// What it says.
    pub content: &'a Content,
    /// Shown to the agent beside it. Personal data.
    pub attributes: &'a BTreeMap<String, String>,
}

/// How a platform takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// The shortest time between two messages of one session: faster ones would be throttled.
    pub pace: Duration,
    /// How long an acknowledgement may take before the connection is called unhealthy (U38).
    pub acknowledged_within: Duration,
    /// Whether a message that was never written may go over REST while no connection stands (U36).
    pub rest: bool,
    /// Whether the platform's history shows what arrived ([`super::Recovered::seen`]).
    pub history: bool,
}

/// A message that the platform would refuse whenever it is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Unsendable {
    /// As in `ErrorInfo.reason`: `MESSAGE_TOO_LONG`, `ATTACHMENT_UNKNOWN`, `CONTENT_UNSUPPORTED`.
    pub reason: &'static str,
    /// The field of the request, such as `message.text.text`.
    pub field: &'static str,
    /// What is wrong with it, and the limit. Nothing of the content.
    pub problem: String,
}

/// How a message leaves.
#[derive(Debug)]
pub enum Dispatch {
    /// As these frames, in this order, on the connection; the last one carries the message.
    Frames(Vec<Frame>),
    /// As this request; its answer goes to [`super::Link::sent_answer`].
    Call(Box<Call>),
}

/// What a platform said of a message of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The [`Outgoing::id`] that was echoed; `None` where it named none: the message in flight is meant.
    pub id: Option<String>,
    /// What was said.
    pub outcome: SendOutcome,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// The platform has it.
    Acknowledged {
        /// By its own id, where it gave one.
        provider_id: Option<String>,
    },
    /// It reached the other side.
    Delivered,
    /// It was read there.
    Read,
    /// It was certainly not taken: too fast. The same message again after this.
    Throttled {
        /// At least this long.
        retry_after: Duration,
    },
    /// It was certainly not taken, and would not be taken again.
    Refused {
        /// As in `ErrorInfo.reason`.
        reason: &'static str,
    },
    /// It was certainly not taken, for the platform is in trouble: again after a back-off.
    NotTaken {
        /// As in `ErrorInfo.reason`.
        reason: &'static str,
    },
    /// It may have been taken.
    Unknown {
        /// As in `ErrorInfo.reason`.
        reason: &'static str,
    },
}

/// A message of this session that stands in the platform's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The platform's own id of it.
    pub provider_id: String,
    /// The id that was echoed, where the history keeps it.
    pub id: Option<String>,
    /// What it says, as it would be sent again; `None` where that cannot be told.
    pub content: Option<Content>,
    /// When, by the platform's clock.
    pub time: Option<WallTime>,
}
