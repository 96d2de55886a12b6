//! What is open, what was asked, and what was put on the wire, as people and tests read it. Pure.

use std::sync::Arc;

use serde::Serialize;

use super::batch::ranges;
use super::counters::{Outcome, RequestKind};
use super::state::State;
use super::subscription::Numbered;
use crate::domain::WallTime;

/// What a connection is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Nothing yet, or between requests.
    Idle,
    /// A request that is neither of these.
    Request,
    /// A long poll is held.
    Poll,
    /// A WebSocket without a subscription.
    Probe,
    /// A WebSocket that has subscribed.
    Websocket,
}

/// A connection, for people and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConnectionStatus {
    /// Counts connections from 1.
    pub connection: u64,
    /// What it is used for.
    pub transport: Transport,
}

/// A subscription, for people and tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscriptionStatus {
    /// The OAuth client's id.
    pub client: String,
    /// Its channels.
    pub channels: Vec<Arc<str>>,
    /// Counts restarts of the numbering from 1.
    pub numbering: u32,
    /// The last number given.
    pub head: u64,
    /// The highest number delivered.
    pub delivered: u64,
    /// The lowest number that can be resumed.
    pub oldest: Option<u64>,
    /// Events issued, across numberings.
    pub issued: u64,
}

/// One batch or bare event that was put on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Counts deliveries from 1.
    pub entry: u64,
    /// When, RFC 3339.
    pub at: String,
    /// On which connection.
    pub connection: u64,
    /// Over what.
    pub transport: Transport,
    /// The number of the batch.
    pub sequence: u64,
    /// The numbers of its events in their order: `1-3,7`.
    pub numbers: String,
    /// Bytes of its JSON.
    pub bytes: usize,
}

/// One request that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestEntry {
    /// Counts requests from 1.
    pub entry: u64,
    /// When, RFC 3339.
    pub at: String,
    /// On which connection.
    pub connection: u64,
    /// What for.
    pub kind: RequestKind,
    /// The position that a poll or a subscription asked for.
    pub position: Option<u64>,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
}

impl State {
    /// Remembers what was put on the wire.
    pub(crate) fn delivered(
        &mut self,
        connection: u64,
        transport: Transport,
        at: WallTime,
        batch: (&[Numbered], u64),
        bytes: usize,
    ) {
        let (events, sequence) = batch;
        let count = events.len() as u64;
        match transport {
            Transport::Websocket => self.counters.events_over_websocket += count,
            Transport::Poll => self.counters.events_over_poll += count,
            _ => self.counters.events_from_history += count,
        }
        self.deliveries.enter(|entry| Delivery {
            entry,
            at: at.to_string(),
            connection,
            transport,
            sequence,
            numbers: ranges(events),
            bytes,
        });
    }

    /// Deliveries after one, as far as they are remembered.
    pub(crate) fn deliveries(&self, after: u64, limit: usize) -> Vec<Delivery> {
        self.deliveries.after(after, limit)
    }

    /// A request arrived; the number it is remembered by.
    pub(crate) fn arrive(&mut self, connection: u64, kind: RequestKind, at: WallTime) -> u64 {
        self.counters.arrive(kind);
        self.requests.enter(|entry| RequestEntry {
            entry,
            at: at.to_string(),
            connection,
            kind,
            position: None,
            outcome: None,
        })
    }

    /// A request turned out to ask for what comes after a position.
    pub(crate) fn asked(&mut self, request: u64, position: u64) {
        if let Some(entry) = self.requests.get_mut(request) {
            entry.position = Some(position);
        }
    }

    /// A request ended.
    pub(crate) fn end(&mut self, request: u64, kind: RequestKind, outcome: Outcome) {
        self.counters.end(kind, outcome);
        if let Some(entry) = self.requests.get_mut(request) {
            entry.outcome = Some(outcome);
        }
    }

    /// Requests after one, as far as they are remembered.
    pub(crate) fn requests(&self, after: u64, limit: usize) -> Vec<RequestEntry> {
        self.requests.after(after, limit)
    }

    pub(crate) fn subscription_status(&self) -> Vec<SubscriptionStatus> {
        self.subscriptions
            .iter()
            .map(|(key, subscription)| SubscriptionStatus {
                client: self
                    .clients
                    .get(key.client)
                    .map_or_else(String::new, |client| client.id.clone()),
                channels: key.channels.iter().cloned().collect(),
                numbering: subscription.numbering(),
                head: subscription.head(),
                delivered: subscription.delivered(),
                oldest: subscription.oldest(),
                issued: subscription.ledger().issued(),
            })
            .collect()
    }

    pub(crate) fn connection_status(&self) -> Vec<ConnectionStatus> {
        self.connections
            .iter()
            .map(|(&connection, &transport)| ConnectionStatus {
                connection,
                transport,
            })
            .collect()
    }
}
