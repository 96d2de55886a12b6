//! [`Ledger`]: what was issued to agent sessions, what became of it, and each answer that a poll
//! got: the oracle of tests. Pure, bounded.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::WallTime;
use crate::sandbox::platform::{Digest, Log};

/// One event that was issued to an agent session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Counts facts from 1, over all sessions. It does not stand on the wire.
    pub number: u64,
    /// Whose session.
    pub agent: Arc<str>,
    /// Which session: the `SessionId` of its `AgentSessionStart`.
    pub session: u64,
    /// Its `Type`; empty where it was malformed on purpose.
    pub event_type: Arc<str>,
    /// Bytes of its JSON.
    pub bytes: u32,
    /// SHA-256 of its JSON as it stands on the wire, in hexadecimal.
    pub sha256: Digest,
    /// When it was issued, RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub issued_at: WallTime,
    /// What became of it.
    pub fate: FactFate,
}

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FactFate {
    /// It waits for a poll.
    Queued,
    /// It stood in the answer of this number, which no later poll has confirmed.
    Sent(u64),
    /// It stood in the answer of this number, and a later poll came with that answer's id.
    Confirmed(u64),
    /// A newer event of the same name, the fact of this number, took its place.
    Coalesced(u64),
    /// A snapshot, the answer of this number, took its place.
    Replaced(u64),
    /// Its session was over first, or too many waited.
    Dropped,
}

/// One answer with a new session id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PollAnswer {
    /// Counts answers from 1, over all sessions.
    pub number: u64,
    /// Whose session.
    pub agent: Arc<str>,
    /// Which session.
    pub session: u64,
    /// When, RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub at: WallTime,
    /// Why it has what it has.
    pub cause: AnswerCause,
    /// The facts in it.
    pub facts: Vec<u64>,
    /// SHA-256 of what is in it without being a fact: the items of a snapshot.
    pub items: Vec<Digest>,
    /// The last fact that had been issued.
    pub head: u64,
    /// Whether a later poll came with its id.
    pub confirmed: bool,
}

/// Why an answer has what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerCause {
    /// There was something new.
    NewEvents,
    /// The first after the session was started: a snapshot.
    Started,
    /// The first after the session was joined: a snapshot.
    Joined,
    /// The poll came with an old id: a snapshot.
    OldId,
    /// More was waiting than is kept: a snapshot.
    Overflow,
    /// A fault: nothing.
    Nothing,
}

impl AnswerCause {
    /// Whether it tells what is, and not what happened.
    #[must_use]
    pub fn is_snapshot(self) -> bool {
        !matches!(self, Self::NewEvents | Self::Nothing)
    }
}

fn as_text<S: serde::Serializer>(time: &WallTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

#[derive(Debug)]
pub(super) struct Ledger {
    facts: Log<Fact>,
    answers: Log<PollAnswer>,
}

impl Ledger {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            facts: Log::new(capacity),
            answers: Log::new(capacity),
        }
    }

    /// Enters a fact; its number.
    pub(super) fn issue(&mut self, fact: Fact) -> u64 {
        self.facts.enter(|number| Fact { number, ..fact })
    }

    /// Enters an answer; its number.
    pub(super) fn answer(&mut self, answer: PollAnswer) -> u64 {
        let number = self.answers.enter(|number| PollAnswer { number, ..answer });
        let facts = self.answers.get_mut(number).map(|own| own.facts.clone());
        self.settle(&facts.unwrap_or_default(), FactFate::Sent(number));
        number
    }

    /// An answer has arrived, as a later poll shows.
    pub(super) fn confirm(&mut self, number: u64) {
        let Some(answer) = self.answers.get_mut(number) else {
            return;
        };
        answer.confirmed = true;
        let facts = answer.facts.clone();
        self.settle(&facts, FactFate::Confirmed(number));
    }

    /// Writes down what became of facts.
    pub(super) fn settle(&mut self, facts: &[u64], fate: FactFate) {
        for number in facts {
            if let Some(fact) = self.facts.get_mut(*number) {
                fact.fate = fate;
            }
        }
    }

    /// The last fact's number.
    pub(super) fn head(&self) -> u64 {
        self.facts.entered()
    }

    pub(super) fn facts(&self, after: u64, limit: usize) -> Vec<Fact> {
        self.facts.after(after, limit)
    }

    pub(super) fn answers(&self, after: u64, limit: usize) -> Vec<PollAnswer> {
        self.answers.after(after, limit)
    }

    /// Facts and answers that are no longer kept.
    pub(super) fn dropped(&self) -> (u64, u64) {
        (self.facts.dropped(), self.answers.dropped())
    }
}
