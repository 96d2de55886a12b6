//! [`Registry`]: the streams that are open, with their state and progress, and the quota on them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::cursors::Lease;
use super::delivery::Delivery;
use super::dismissal::Dismissal;
use super::metrics::FeedStats;
use super::request::Caller;
use super::steps::StateName;
use crate::domain::{JournalName, Sequence, SubscriptionName, WallTime};
use crate::runtime::MonoTime;

/// A response that its peer has not taken after this is stuck, not on its way.
const STUCK: Duration = Duration::from_millis(250);

/// Every open stream of the process. Clones share it.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: AtomicU32,
    /// Of one principal, where it is known who calls.
    each: AtomicU32,
    seats: Mutex<Seats>,
    open: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Seats {
    last_id: u64,
    by_id: BTreeMap<u64, Arc<Place>>,
}

/// What one stream and its operators share.
#[derive(Debug)]
struct Place {
    principal: String,
    facts: Mutex<SubscriberFacts>,
    dismissal: Dismissal,
}

/// Why there is no place: as many are open as may be, of all or of one principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    All(u32),
    Principal(u32),
}

/// What is known of one open stream.
#[derive(Debug, Clone)]
pub struct SubscriberFacts {
    /// Its number in this process; never used twice.
    pub id: u64,
    /// The journal it reads.
    pub journal: JournalName,
    /// Who reads.
    pub caller: Arc<Caller>,
    /// The managed cursor that it reads by.
    pub subscription: Option<SubscriptionName>,
    /// Its right to commit; zero where it reads by none.
    pub lease: u64,
    /// Where it is on its way.
    pub state: StateName,
    /// What was sent last waits for the peer, whose flow-control window is used up.
    pub blocked: bool,
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
    place: Arc<Place>,
    registry: Registry,
    stats: Arc<FeedStats>,
    opened_at: MonoTime,
}

impl Registry {
    /// An empty registry for at most `limit` streams at once.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self(Arc::new(Inner {
            limit: AtomicU32::new(limit),
            each: AtomicU32::new(u32::MAX),
            seats: Mutex::default(),
            open: watch::Sender::new(0),
        }))
    }

    /// The most streams at once.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// From now on at most so many; those that are open stay.
    pub fn set_limit(&self, limit: u32) {
        self.0.limit.store(limit, Ordering::Relaxed);
    }

    /// From now on at most so many of each principal that has a quota, likewise.
    pub fn set_limit_of_each(&self, limit: u32) {
        self.0.each.store(limit, Ordering::Relaxed);
    }

    /// Every open stream, oldest first.
    #[must_use]
    pub fn subscribers(&self) -> Vec<SubscriberFacts> {
        let now = MonoTime::now();
        let places: Vec<_> = self.0.seats.lock().by_id.values().cloned().collect();
        places.iter().map(|place| place.seen(now)).collect()
    }

    /// Tells a stream of a journal to end; whether there is one of this number.
    #[must_use]
    pub fn dismiss(&self, journal: &JournalName, id: u64) -> bool {
        let place = self.0.seats.lock().by_id.get(&id).cloned();
        let place = place.filter(|place| place.facts.lock().journal == *journal);
        place.is_some_and(|place| {
            place.dismissal.tell();
            true
        })
    }

    /// Completes when no stream has this number any more. Cancel-safe.
    pub async fn gone(&self, id: u64) {
        let mut open = self.0.open.subscribe();
        while self.0.seats.lock().by_id.contains_key(&id) {
            if open.changed().await.is_err() {
                return;
            }
        }
    }

    /// Watches how many streams are open.
    #[must_use]
    pub fn open_streams(&self) -> watch::Receiver<usize> {
        self.0.open.subscribe()
    }

    /// Takes a place, or says which limit is in the way.
    pub(super) fn sit(
        &self,
        journal: JournalName,
        caller: Arc<Caller>,
        (wall, now): (WallTime, MonoTime),
        stats: Arc<FeedStats>,
    ) -> Result<Seat, Full> {
        let mut seats = self.0.seats.lock();
        if seats.by_id.len() >= self.limit() as usize {
            return Err(Full::All(self.limit()));
        }
        let each = self.0.each.load(Ordering::Relaxed);
        if caller.has_quota && seats.of(&caller.principal) >= each as usize {
            return Err(Full::Principal(each));
        }
        seats.last_id += 1;
        let id = seats.last_id;
        let principal = caller.principal.clone();
        let facts = SubscriberFacts {
            id,
            journal,
            caller,
            subscription: None,
            lease: 0,
            state: StateName::Replaying,
            blocked: false,
            through: Sequence::ZERO,
            through_time: None,
            lag: 0,
            connect_time: wall,
            last_progress: now,
            sent_events: 0,
            sent_bytes: 0,
        };
        let place = Arc::new(Place {
            principal,
            facts: Mutex::new(facts),
            dismissal: Dismissal::default(),
        });
        seats.by_id.insert(id, Arc::clone(&place));
        self.0.open.send_replace(seats.by_id.len());
        Ok(Seat {
            id,
            place,
            registry: self.clone(),
            stats,
            opened_at: now,
        })
    }
}

impl Seats {
    /// Streams of one principal.
    fn of(&self, principal: &str) -> usize {
        let all = self.by_id.values();
        all.filter(|place| place.principal == principal).count()
    }
}

impl Place {
    fn seen(&self, now: MonoTime) -> SubscriberFacts {
        let mut facts = self.facts.lock().clone();
        let age = now.saturating_duration_since(facts.last_progress);
        facts.blocked = !self.dismissal.waits() && age >= STUCK;
        facts
    }
}

impl Seat {
    pub(super) fn dismissal(&self) -> &Dismissal {
        &self.place.dismissal
    }

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
        self.place.facts.lock().clone()
    }

    /// Its stream begins behind `through`.
    pub(super) fn begins(&self, through: Sequence, lease: Option<&Lease>) {
        let mut facts = self.place.facts.lock();
        facts.through = through;
        if let Some(lease) = lease {
            facts.subscription = Some(lease.name.clone());
            facts.lease = lease.number;
        }
    }

    pub(super) fn sent(&self, delivery: &Delivery, state: StateName, now: MonoTime) {
        let mut facts = self.place.facts.lock();
        facts.state = state;
        facts.through = delivery.through;
        facts.through_time = delivery.through_time;
        facts.lag = delivery.latest.since(delivery.through);
        facts.last_progress = now;
        facts.sent_events += delivery.elements.count() as u64;
        facts.sent_bytes += delivery.elements.len() as u64;
        drop(facts);
        self.place.dismissal.gives();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.registry.0.seats.lock();
        seats.by_id.remove(&self.id);
        self.registry.0.open.send_replace(seats.by_id.len());
    }
}
