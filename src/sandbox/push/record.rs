//! What happened, what was asked and what was heard, as people and tests read it. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::fault::PushFaultName;
use crate::domain::WallTime;
use crate::sandbox::platform::{Digest, Outcome, decimals};

/// One event that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushFact {
    /// Counts facts from 1.
    pub number: u64,
    /// When it happened.
    #[serde(serialize_with = "as_date")]
    pub at: WallTime,
    /// The platform's name of it.
    #[serde(rename = "type")]
    pub event_type: String,
    /// SHA-256 of the event as it stands on the wire.
    pub sha256: Digest,
    /// Its bytes.
    pub bytes: u32,
    /// How often it was sent once more on a connection that came later.
    pub repeated: u32,
    /// The sockets that were subscribed at that moment.
    pub due: Vec<PushDue>,
}

/// What became of a fact on one socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushDue {
    /// The connection.
    pub connection: u64,
    /// What became of it.
    #[serde(flatten)]
    pub fate: PushFate,
}

/// What became of a fact on one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum PushFate {
    /// It waits to be sent.
    Waiting,
    /// It was put on the wire, so many times.
    Sent {
        /// More than 1 only where a fault repeated it.
        copies: u32,
    },
    /// The socket ended before it was sent.
    Cut,
    /// A fault lost it within the platform.
    Lost {
        /// Which.
        fault: PushFaultName,
    },
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PushOperation {
    /// A token.
    Token,
    /// A handshake.
    Handshake,
    /// The platform's health.
    Health,
    /// Something that the platform does not know.
    Other,
}

/// One request that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushRequest {
    /// Counts requests from 1.
    pub entry: u64,
    /// When, RFC 3339.
    pub at: String,
    /// On which connection.
    pub connection: u64,
    /// What for.
    pub operation: PushOperation,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
}

/// One heartbeat that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeartbeatEntry {
    /// Counts heartbeats from 1.
    pub entry: u64,
    /// When.
    #[serde(serialize_with = "as_date")]
    pub at: WallTime,
    /// On which connection.
    pub connection: u64,
    /// Bytes of its frame.
    pub bytes: usize,
    /// Its frame.
    #[serde(skip)]
    pub text: String,
    /// Milliseconds since the one before it on this connection, or since the connection was opened.
    pub after_ms: u64,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
}

/// Everything that is counted, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PushCounters {
    /// Requests by what they are for, and by how they ended.
    pub requests: BTreeMap<PushOperation, BTreeMap<Outcome, u64>>,
    /// TCP connections accepted.
    pub connections_accepted: u64,
    /// TCP connections closed at once, being too many.
    pub connections_refused: u64,
    /// Sockets opened.
    pub sockets_opened: u64,
    /// Sockets that subscribed, or need not.
    pub sockets_subscribed: u64,
    /// Sockets closed for want of a heartbeat.
    pub sockets_idle: u64,
    /// Events put on the wire, doubles included.
    pub events_sent: u64,
    /// Heartbeats received.
    pub heartbeats: u64,
    /// Of those, refused.
    pub heartbeats_refused: u64,
    /// Acknowledgements put on the wire.
    pub acknowledgements: u64,
    /// Pings received.
    pub pings: u64,
    /// Text received that is nothing known.
    pub strange_texts: u64,
    /// Close frames received, by code; 1005 where there was none.
    pub closes_received: BTreeMap<u16, u64>,
}

impl PushCounters {
    /// Requests for this that were answered with `status`.
    #[must_use]
    pub fn answered(&self, operation: PushOperation, status: u16) -> u64 {
        let ended = self.requests.get(&operation);
        let count = ended.and_then(|ended| ended.get(&Outcome::Status(status)));
        count.copied().unwrap_or_default()
    }
}

fn as_date<S: serde::Serializer>(time: &WallTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&decimals(*time))
}
