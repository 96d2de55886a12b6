//! [`Mail`]: the box in which the edge leaves what a session is asked to send. It outlives the driver
//! that empties it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};

use crate::connectors::{Content, Outgoing, Unsendable};
use crate::domain::{Position, WallTime};
use crate::proto::v1;

/// What may lie in a box; what is accepted does not lie in it any more.
const MOST_LETTERS: usize = 256;

/// A message as it is handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The request's UUID, in lower case: names the message for ever.
    pub id: String,
    /// What it says.
    pub content: Content,
    /// Shown to the agent beside it.
    pub attributes: BTreeMap<String, String>,
    /// Not sent after this; the session's own time to live where it is not given.
    pub expire_time: Option<WallTime>,
    /// What happens when nobody knows whether it arrived; the session's own policy where not given.
    pub unknown_outcome: Option<UnknownOutcome>,
}

impl NewMessage {
    /// As a platform would be given it.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            id: &self.id,
            content: &self.content,
            attributes: &self.attributes,
        }
    }

    /// Bytes of its content and attributes.
    #[must_use]
    pub fn size(&self) -> usize {
        size(&self.content, &self.attributes)
    }
}

/// Bytes of a content and its attributes.
pub(super) fn size(content: &Content, attributes: &BTreeMap<String, String>) -> usize {
    let content = match content {
        Content::Text { text } => text.len(),
        Content::QuickReply { text, payload } => text.len() + payload.len(),
        Content::Attachment { id } => id.len(),
    };
    let attributes = attributes.iter();
    content + attributes.map(|(k, v)| k.len() + v.len()).sum::<usize>()
}

/// What happens to a message that may have arrived, where no history settles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownOutcome {
    /// It stays so, and those behind it go on.
    #[default]
    Report,
    /// It is sent again: it may arrive twice.
    Resend,
}

/// How far a message must get before the sender is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stage {
    /// Durable.
    #[default]
    Accepted,
    /// Written to the platform.
    Sent,
    /// Confirmed by the platform.
    Acknowledged,
}

/// A message that was taken, as it stands now.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The message.
    pub message: v1::OutboundMessage,
    /// Of its ACCEPTED event.
    pub position: Position,
}

/// Why a message was not taken, or did not get as far as was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendProblem {
    /// The same id was used with other content.
    #[error("request_id was used before, with other content")]
    ExistsOtherwise,
    /// The platform would not take it.
    #[error(transparent)]
    Unsendable(#[from] Unsendable),
    /// So many wait that no more are taken.
    #[error("{waiting} messages wait to be sent")]
    TooMany {
        /// How many.
        waiting: usize,
    },
    /// The guest's session is over (U39).
    #[error("the guest's session is over")]
    SessionExpired,
    /// It was asked to be SENT, or more, and no connection stands. It stays ACCEPTED.
    #[error("the platform is not connected: the message stays accepted")]
    Disconnected {
        /// When to ask again, with the same id.
        retry_after: Duration,
    },
    /// It was asked to be SENT, or more, and the platform throttles. It stays ACCEPTED.
    #[error("the platform throttles: the message stays accepted")]
    Throttled {
        /// When the platform takes messages again.
        retry_after: Duration,
    },
    /// The journal takes nothing.
    #[error("the journal takes nothing at the moment")]
    ReadOnly {
        /// When to ask again, with the same id.
        retry_after: Duration,
    },
    /// The sidecar, or the session, is about to end.
    #[error("the session is about to end")]
    Draining {
        /// When to ask again, with the same id.
        retry_after: Duration,
    },
}

/// Why a message was not cancelled.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CancelProblem {
    /// There is no such message.
    #[error("there is no such message")]
    NotFound,
    /// It is on its way, or has ended.
    #[error("only a message that is ACCEPTED can be cancelled")]
    TooLate(Box<v1::OutboundMessage>),
    /// As [`SendProblem::ReadOnly`] and [`SendProblem::Draining`].
    #[error("the session cannot do so at the moment")]
    Unavailable {
        /// When to ask again.
        retry_after: Duration,
    },
}

/// What a session is asked.
#[derive(Debug)]
pub enum Letter {
    /// To send a message.
    Send(SendLetter),
    /// To cancel one that is still ACCEPTED.
    Cancel(CancelLetter),
    /// To end the session for good: what waits is cancelled, what is in flight has its moment to be
    /// acknowledged, the platform is told, and the driver ends (`CloseSession`).
    Close,
}

impl Letter {
    /// Nobody reads it.
    fn return_to_sender(self, problem: SendProblem) {
        const RETRY: Duration = Duration::from_secs(5);
        // Whoever asked may have left.
        match self {
            Self::Send(letter) => {
                let _left = letter.answer.send(Err(problem));
            }
            Self::Cancel(letter) => {
                let problem = CancelProblem::Unavailable { retry_after: RETRY };
                let _left = letter.answer.send(Err(problem));
            }
            Self::Close => {}
        }
    }
}

/// A message with whom to tell.
#[derive(Debug)]
pub struct SendLetter {
    /// The message.
    pub message: NewMessage,
    /// When to answer.
    pub wait_for: Stage,
    /// Where; whoever asked may have left.
    pub answer: oneshot::Sender<Result<Accepted, SendProblem>>,
}

/// A message's id with whom to tell.
#[derive(Debug)]
pub struct CancelLetter {
    /// [`NewMessage::id`].
    pub id: String,
    /// Where to answer, once the cancellation is durable.
    pub answer: oneshot::Sender<Result<v1::OutboundMessage, CancelProblem>>,
}

/// A session's letter box.
#[derive(Debug, Default)]
pub struct Mail {
    letters: Mutex<Letters>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Letters {
    waiting: VecDeque<Letter>,
    /// Its session has ended, nobody empties it, and this is what whoever asks is told.
    closed: Option<SendProblem>,
}

/// The box holds all it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too much is asked of this session at once")]
pub struct MailFull;

impl Mail {
    /// Leaves a letter. Where the session has ended, its answer comes at once:
    /// [`SendProblem::SessionExpired`] or [`SendProblem::Draining`].
    ///
    /// # Errors
    /// [`MailFull`]: try again later.
    pub fn post(&self, letter: Letter) -> Result<(), MailFull> {
        let mut letters = self.letters.lock();
        if let Some(problem) = letters.closed.clone() {
            drop(letters);
            letter.return_to_sender(problem);
            return Ok(());
        }
        if letters.waiting.len() >= MOST_LETTERS {
            return Err(MailFull);
        }
        letters.waiting.push_back(letter);
        drop(letters);
        self.arrived.notify_one();
        Ok(())
    }

    /// How many letters lie in it.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.letters.lock().waiting.len()
    }

    /// Takes the oldest letter.
    #[must_use]
    pub fn take(&self) -> Option<Letter> {
        self.letters.lock().waiting.pop_front()
    }

    /// Somebody empties the box from now on.
    pub(in crate::session) fn open(&self) {
        self.letters.lock().closed = None;
    }

    /// Nobody does any more: what lies in it, and what is still posted, is answered with that.
    pub(in crate::session) fn close(&self, problem: &SendProblem) {
        let mut letters = self.letters.lock();
        letters.closed = Some(problem.clone());
        let waiting = std::mem::take(&mut letters.waiting);
        drop(letters);
        for letter in waiting {
            letter.return_to_sender(problem.clone());
        }
    }

    /// Completes when a letter may have come. For one reader; cancel-safe.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }
}
