//! [`Counters`]: what was asked and what was answered; tests prove with it that nobody hammers.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// An access token.
    Token,
    /// A WebSocket handshake without credentials.
    Probe,
    /// A WebSocket handshake with credentials.
    Websocket,
    /// The first frame of a WebSocket.
    Subscribe,
    /// A long poll.
    Poll,
    /// The history.
    History,
    /// The health of the platform.
    Health,
    /// Anything else.
    Other,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// With an answer.
    Status(u16),
    /// With a reset.
    Reset,
    /// The client went away before there was an answer.
    Abandoned,
}

/// Requests of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RequestCount {
    /// Arrived.
    pub arrived: u64,
    /// Ended, by status, `reset` or `abandoned`. What is missing to `arrived` is still open.
    pub ended: BTreeMap<Outcome, u64>,
}

/// Everything that is counted, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests by kind.
    pub requests: BTreeMap<RequestKind, RequestCount>,
    /// TCP connections accepted.
    pub connections_accepted: u64,
    /// TCP connections closed at once, being too many.
    pub connections_refused: u64,
    /// WebSocket subscriptions confirmed.
    pub subscriptions_confirmed: u64,
    /// Events sent over WebSocket, repetitions included.
    pub events_over_websocket: u64,
    /// Events sent in answers to polls, repetitions included.
    pub events_over_poll: u64,
    /// Events sent by the history.
    pub events_from_history: u64,
    /// Pings received.
    pub pings_received: u64,
    /// Close frames received, by code; 1005 where there was none.
    pub closes_received: BTreeMap<u16, u64>,
}

impl Counters {
    /// Requests of one kind that arrived.
    #[must_use]
    pub fn arrived(&self, kind: RequestKind) -> u64 {
        self.requests.get(&kind).map_or(0, |count| count.arrived)
    }

    /// Requests of one kind that ended so.
    #[must_use]
    pub fn ended(&self, kind: RequestKind, outcome: Outcome) -> u64 {
        let count = self.requests.get(&kind);
        let ended = count.and_then(|count| count.ended.get(&outcome));
        ended.copied().unwrap_or_default()
    }

    /// Requests of one kind that were answered with `status`.
    #[must_use]
    pub fn answered(&self, kind: RequestKind, status: u16) -> u64 {
        self.ended(kind, Outcome::Status(status))
    }

    pub(crate) fn arrive(&mut self, kind: RequestKind) {
        self.requests.entry(kind).or_default().arrived += 1;
    }

    pub(crate) fn end(&mut self, kind: RequestKind, outcome: Outcome) {
        let count = self.requests.entry(kind).or_default();
        *count.ended.entry(outcome).or_default() += 1;
    }
}

impl Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Status(status) => serializer.collect_str(status),
            Self::Reset => serializer.serialize_str("reset"),
            Self::Abandoned => serializer.serialize_str("abandoned"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_read_well_as_json() {
        let mut counters = Counters::default();
        counters.arrive(RequestKind::Poll);
        counters.arrive(RequestKind::Poll);
        counters.end(RequestKind::Poll, Outcome::Status(200));
        let json = serde_json::to_value(&counters).unwrap();
        assert_eq!(json["requests"]["poll"]["arrived"], 2);
        assert_eq!(json["requests"]["poll"]["ended"]["200"], 1);
        assert_eq!(counters.answered(RequestKind::Poll, 200), 1);
        assert_eq!(counters.arrived(RequestKind::Token), 0);
    }
}
