//! What was asked and what is open, as people and tests read it. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rest::Operation;
use crate::sandbox::platform::Outcome;

/// One request that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GenesysRequest {
    /// Counts requests from 1.
    pub entry: u64,
    /// When, RFC 3339.
    pub at: String,
    /// On which connection.
    pub connection: u64,
    /// What for.
    pub operation: Operation,
    /// Method and path with query, as it was asked. The path of a socket is a secret elsewhere.
    pub line: String,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
}

/// A request as it is logged.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) operation: Operation,
    pub(crate) line: String,
}

/// Everything that is counted, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GenesysCounters {
    /// Requests by what they are for, and by how they ended.
    pub requests: BTreeMap<Operation, BTreeMap<Outcome, u64>>,
    /// TCP connections accepted.
    pub connections_accepted: u64,
    /// TCP connections closed at once, being too many.
    pub connections_refused: u64,
    /// Channels made.
    pub channels_made: u64,
    /// Channels pushed out by others.
    pub channels_evicted: u64,
    /// Sockets opened.
    pub sockets_opened: u64,
    /// Events put on the wire, doubles included.
    pub events_sent: u64,
    /// Heartbeats put on the wire.
    pub heartbeats_sent: u64,
    /// Pings received as text.
    pub text_pings: u64,
    /// Pings received as frames of the protocol.
    pub protocol_pings: u64,
    /// Text received that is nothing known.
    pub strange_texts: u64,
    /// Close frames received, by code; 1005 where there was none.
    pub closes_received: BTreeMap<u16, u64>,
}

impl GenesysCounters {
    /// Requests for this that ended, however they did.
    #[must_use]
    pub fn asked(&self, operation: Operation) -> u64 {
        let ended = self.requests.get(&operation);
        ended.map_or(0, |ended| ended.values().sum())
    }

    /// Requests for this that were answered with `status`.
    #[must_use]
    pub fn answered(&self, operation: Operation, status: u16) -> u64 {
        let ended = self.requests.get(&operation);
        let count = ended.and_then(|ended| ended.get(&Outcome::Status(status)));
        count.copied().unwrap_or_default()
    }
}
