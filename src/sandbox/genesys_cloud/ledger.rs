//! [`Ledger`]: every change that was told, to which channels it was due, and what became of it
//! there: the oracle of every test. Pure, bounded.

use std::sync::Arc;

use serde::Serialize;

use super::fault::GenesysFaultName;
use super::world::iso;
use crate::domain::WallTime;
use crate::sandbox::platform::{Digest, Log};

/// One event that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Counts facts from 1.
    pub number: u64,
    /// When it happened.
    #[serde(serialize_with = "as_date")]
    pub at: WallTime,
    /// Its topic, an individual one.
    pub topic: Arc<str>,
    /// SHA-256 of its `eventBody` as it stands on the wire.
    pub sha256: Digest,
    /// Bytes of its `eventBody`.
    pub bytes: u32,
    /// Its body carries a date that moves with every change.
    pub dated: bool,
    /// The channels that were subscribed to its topic at that moment.
    pub due: Vec<Due>,
}

/// What became of a fact on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Due {
    /// The channel.
    pub channel: Arc<str>,
    /// The OAuth client whose channel it is.
    pub client: Arc<str>,
    /// What became of it.
    #[serde(flatten)]
    pub fate: DueFate,
}

/// What became of a fact on one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum DueFate {
    /// It waits to be sent.
    Waiting,
    /// It was put on the wire, so many times.
    Sent {
        /// More than 1 only where a fault doubled it.
        copies: u32,
    },
    /// There was no socket: the platform queues nothing.
    NoSocket,
    /// The socket ended before it was sent.
    Cut,
    /// A fault lost it.
    Lost {
        /// Which.
        fault: GenesysFaultName,
    },
}

fn as_date<S: serde::Serializer>(time: &WallTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso(*time))
}

/// A part of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FactPage {
    /// Facts in their order.
    pub facts: Vec<Fact>,
    /// Facts so far.
    pub issued: u64,
    /// Facts that are no longer kept, the oldest.
    pub dropped: u64,
    /// Where the next page begins, if there is one.
    pub next_after: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Ledger(Log<Fact>);

impl Ledger {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Log::new(capacity))
    }

    /// Enters a fact; its number is given here.
    pub(crate) fn enter(&mut self, fact: Fact) -> u64 {
        self.0.enter(|number| Fact { number, ..fact })
    }

    /// Something became of a fact.
    pub(crate) fn settle(&mut self, number: u64, channel: &str, fate: DueFate) {
        let due = self.0.get_mut(number).map(|fact| fact.due.iter_mut());
        let mut due = due.into_iter().flatten();
        if let Some(due) = due.find(|due| *due.channel == *channel) {
            due.fate = fate;
        }
    }

    /// How many facts there were.
    pub(crate) fn issued(&self) -> u64 {
        self.0.entered()
    }

    pub(crate) fn page(&self, after: u64, limit: usize) -> FactPage {
        let facts = self.0.after(after, limit);
        let last = facts.last().map_or(self.issued(), |fact| fact.number);
        FactPage {
            facts,
            issued: self.issued(),
            dropped: self.0.dropped(),
            next_after: (last < self.issued()).then_some(last),
        }
    }
}
