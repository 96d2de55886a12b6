//! What is remembered of requests and counted, and the form in which sessions are shown. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::WallTime;
use crate::sandbox::{Outcome, RequestCount};

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CxoneRequestKind {
    /// Either discovery document, or the keys.
    Discovery,
    /// An access token.
    Token,
    /// Whose token it is.
    WhoAmI,
    /// Starting a session.
    Start,
    /// Joining a session.
    Join,
    /// Ending a session.
    End,
    /// The next event.
    Poll,
    /// The states of all agents.
    States,
    /// The server's time.
    ServerTime,
    /// Anything else.
    Other,
}

/// A request as it is remembered. Session ids are secrets and do not stand here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CxoneRequest {
    /// Counts requests from 1.
    pub entry: u64,
    /// When it arrived, RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub at: WallTime,
    /// On which connection.
    pub connection: u64,
    /// What for.
    pub kind: CxoneRequestKind,
    /// Of a poll: how its session id stood when it arrived.
    pub cursor: Option<Cursor>,
    /// Of a poll: the hold it asked for, in seconds.
    pub timeout: Option<u8>,
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
}

/// How the session id of a poll stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    /// It is the one that was given out last.
    Current,
    /// It was given out, and another one later.
    Old,
    /// Its session is over.
    Ended,
    /// It is not known, or no longer.
    Unknown,
}

fn as_text<S: serde::Serializer>(time: &WallTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// Everything that is counted, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CxoneCounters {
    /// Requests by kind.
    pub requests: BTreeMap<CxoneRequestKind, RequestCount>,
    /// TCP connections accepted.
    pub connections_accepted: u64,
    /// TCP connections closed at once, being too many.
    pub connections_refused: u64,
    /// Polls that are held now.
    pub polls_held: u64,
    /// Facts put on the wire.
    pub facts_sent: u64,
    /// Snapshots put on the wire.
    pub snapshots_sent: u64,
}

impl CxoneCounters {
    /// Requests of one kind that arrived.
    #[must_use]
    pub fn arrived(&self, kind: CxoneRequestKind) -> u64 {
        self.requests.get(&kind).map_or(0, |count| count.arrived)
    }

    /// Requests of one kind that were answered with `status`.
    #[must_use]
    pub fn answered(&self, kind: CxoneRequestKind, status: u16) -> u64 {
        self.ended(kind, Outcome::Status(status))
    }

    /// Requests of one kind that ended so.
    #[must_use]
    pub fn ended(&self, kind: CxoneRequestKind, outcome: Outcome) -> u64 {
        let count = self.requests.get(&kind);
        let ended = count.and_then(|count| count.ended.get(&outcome));
        ended.copied().unwrap_or_default()
    }

    pub(super) fn arrive(&mut self, kind: CxoneRequestKind) {
        self.requests.entry(kind).or_default().arrived += 1;
    }

    pub(super) fn end(&mut self, kind: CxoneRequestKind, outcome: Outcome) {
        let count = self.requests.entry(kind).or_default();
        *count.ended.entry(outcome).or_default() += 1;
    }
}

/// A session, for people and tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionStatus {
    /// Whose.
    pub agent: String,
    /// The `SessionId` of its `AgentSessionStart`.
    pub session: u64,
    /// Whether it goes on.
    pub open: bool,
    /// Events that wait for a poll.
    pub queued: usize,
    /// Ids given out so far.
    pub ids_issued: u64,
}
