//! [`Registry`]: the streams that are open, with their state and progress, and the quota on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::cursors::Lease;
use super::delivery::Delivery;
use super::metrics::FeedStats;
use super::steps::StateName;
use crate::domain::{JournalName, Sequence, SubscriptionName, WallTime};
use crate::runtime::MonoTime;

/// Every open stream of the process. Clones share it.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: u32,
    seats: Mutex<Seats>,
    open: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Seats {
    last_id: u64,
    by_id: BTreeMap<u64, Arc<Mutex<SubscriberFacts>>>,
}

/// What is known of one open stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriberFacts {
    /// Its number in this process; never used twice.
    pub id: u64,
    /// The journal it reads.
    pub journal: JournalName,
    /// What the caller calls itself.
    pub client_id: String,
    /// The managed cursor that it reads by.
    pub subscription: Option<SubscriptionName>,
    /// Its right to commit; zero where it reads by none.
    pub lease: u64,
    /// Where it is on its way.
    pub state: StateName,
    /// What lies behind it.
    pub through: Sequence,
    /// When the last event behind it became durable; `None` while it has looked at none.
    pub through_time: Option<WallTime>,
    /// Durable events that do not, as of its last response.
    pub lag: u64,
    /// When it was opened.
    pub connect_time: WallTime,
    /// When it was last sent anything.
    pub last_progress: MonoTime,
    /// Events sent.
    pub sent_events: u64,
    /// Bytes of events sent.
    pub sent_bytes: u64,
}

/// One stream's place in the registry, given up when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    id: u64,
    facts: Arc<Mutex<SubscriberFacts>>,
    registry: Registry,
    stats: Arc<FeedStats>,
    opened_at: MonoTime,
}

impl Registry {
    /// An empty registry for at most `limit` streams at once.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self(Arc::new(Inner {
            limit,
            seats: Mutex::default(),
            open: watch::Sender::new(0),
        }))
    }

    /// The most streams at once.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.0.limit
    }

    /// Every open stream, oldest first.
    #[must_use]
    pub fn subscribers(&self) -> Vec<SubscriberFacts> {
        let seats = self.0.seats.lock();
        seats.by_id.values().map(|f| f.lock().clone()).collect()
    }

    /// Watches how many streams are open.
    #[must_use]
    pub fn open_streams(&self) -> watch::Receiver<usize> {
        self.0.open.subscribe()
    }

    /// Takes a place; `None` when all are taken.
    pub(super) fn sit(
        &self,
        journal: JournalName,
        client_id: String,
        (wall, now): (WallTime, MonoTime),
        stats: Arc<FeedStats>,
    ) -> Option<Seat> {
        let mut seats = self.0.seats.lock();
        if seats.by_id.len() >= self.0.limit as usize {
            return None;
        }
        seats.last_id += 1;
        let id = seats.last_id;
        let facts = Arc::new(Mutex::new(SubscriberFacts {
            id,
            journal,
            client_id,
            subscription: None,
            lease: 0,
            state: StateName::Replaying,
            through: Sequence::ZERO,
            through_time: None,
            lag: 0,
            connect_time: wall,
            last_progress: now,
            sent_events: 0,
            sent_bytes: 0,
        }));
        seats.by_id.insert(id, Arc::clone(&facts));
        self.0.open.send_replace(seats.by_id.len());
        Some(Seat {
            id,
            facts,
            registry: self.clone(),
            stats,
            opened_at: now,
        })
    }
}

impl Seat {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn stats(&self) -> &FeedStats {
        &self.stats
    }

    pub(super) fn opened_at(&self) -> MonoTime {
        self.opened_at
    }

    pub(super) fn facts(&self) -> SubscriberFacts {
        self.facts.lock().clone()
    }

    /// Its stream begins behind `through`.
    pub(super) fn begins(&self, through: Sequence, lease: Option<&Lease>) {
        let mut facts = self.facts.lock();
        facts.through = through;
        if let Some(lease) = lease {
            facts.subscription = Some(lease.name.clone());
            facts.lease = lease.number;
        }
    }

    pub(super) fn sent(&self, delivery: &Delivery, state: StateName, now: MonoTime) {
        let mut facts = self.facts.lock();
        facts.state = state;
        facts.through = delivery.through;
        facts.through_time = delivery.through_time;
        facts.lag = delivery.latest.since(delivery.through);
        facts.last_progress = now;
        facts.sent_events += delivery.elements.count() as u64;
        facts.sent_bytes += delivery.elements.len() as u64;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.registry.0.seats.lock();
        seats.by_id.remove(&self.id);
        self.registry.0.open.send_replace(seats.by_id.len());
    }
}
