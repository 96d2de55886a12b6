//! [`Guest`]: one guest's session, and the conversation in it. Pure.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::agent::Saying;
use super::pace::Pace;
use super::record::{SessionStatus, Via};
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// One guest's session.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) id: String,
    /// What proves to be the guest, where that is not the id.
    pub(super) secret: String,
    pub(super) conversation: String,
    pub(super) read_only: bool,
    pub(super) expired: bool,
    pub(super) until: (MonoTime, WallTime),
    /// Its connections, the oldest first.
    pub(super) sockets: Vec<u64>,
    pub(super) pace: Pace,
    /// What was said in the conversation, the oldest first.
    pub(super) history: VecDeque<Utterance>,
    /// The agent has greeted.
    pub(super) greeted: bool,
    /// What the agent said and another message is to overtake: its number.
    pub(super) held: Option<(u64, Utterance)>,
    /// What arrives when the history has been asked for.
    pub(super) after_history: Vec<u64>,
}

/// Something that was said in a conversation.
#[derive(Debug, Clone)]
pub(super) struct Utterance {
    pub(super) id: String,
    pub(super) at: WallTime,
    /// From when the history shows it.
    pub(super) shown: MonoTime,
    /// By the guest.
    pub(super) inbound: bool,
    /// What the client called it.
    pub(super) request_id: Option<String>,
    pub(super) text: Option<String>,
    pub(super) content: Vec<Value>,
    /// Choices that are offered with it.
    pub(super) choices: Vec<String>,
    /// It is no message but the end of the conversation.
    pub(super) ends: bool,
}

/// What a guest says, as the dialect read it.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) session: String,
    pub(super) request_id: Option<String>,
    pub(super) text: Option<String>,
    pub(super) content: Vec<Value>,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) via: Via,
    pub(super) connection: u64,
}

/// What comes about at a time.
#[derive(Debug)]
pub(super) enum Due {
    /// A message arrives that was on its way when its connection was cut: its number among those.
    Arrival(u64),
    /// The agent speaks.
    Saying(String, Saying),
    /// What was held back goes out.
    Release(String),
    /// The session may be over.
    End(String),
}

/// A message on its way, and whether it is echoed.
#[derive(Debug)]
pub(super) struct OnItsWay {
    pub(super) said: Said,
    pub(super) echo: bool,
}

impl Guest {
    pub(super) fn status(&self) -> SessionStatus {
        SessionStatus {
            session: self.id.clone(),
            conversation: self.conversation.clone(),
            read_only: self.read_only,
            expired: self.expired,
            sockets: self.sockets.clone(),
            messages: self.history.len(),
        }
    }

    /// Keeps an utterance, and forgets the oldest where there are too many.
    pub(super) fn keep(&mut self, utterance: Utterance, most: usize) {
        if self.history.len() >= most {
            self.history.pop_front();
        }
        self.history.push_back(utterance);
    }
}
