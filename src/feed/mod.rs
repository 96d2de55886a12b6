//! Delivery to subscribers: what is durable in a journal, to as many readers as there are.
//!
//! A [`Feed`] stands before one journal. Readers hold a place, not a queue: far from the end they
//! read from disk, at the end they follow a ring of recent events that all of them share, and one
//! that is too slow for the ring reads from disk again. Nobody waits for anybody, and an absent
//! reader costs nothing.

mod cursors;
mod delivery;
mod dismissal;
mod elements;
mod endings;
mod erase;
mod error;
mod expression;
mod fields;
mod figures;
mod filter;
mod gather;
mod keys;
mod losses;
mod metrics;
mod pace;
mod pages;
mod read;
mod registry;
mod request;
mod ring;
mod shard;
mod shelf;
mod start;
mod steps;
mod stream;
mod subscription;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use self::cursors::Cursors;
use self::gather::Gather;
use self::metrics::FeedStats;
use self::pages::Pages;
use self::registry::{Full, Seat};
use self::ring::Ring;
use self::start::Resolved;
use self::steps::Terms;
use self::subscription::Subscription;
use crate::domain::{JournalName, Sequence};
use crate::runtime::{Clock, Drain, Rng};

pub use self::cursors::{Cursor, CursorError, CursorNames, MOST_CURSORS};
pub use self::delivery::{Cause, Closing, Delivery, Gap, Notice, Opened};
pub use self::elements::{Elements, Part};
pub use self::erase::ErasePlan;
pub use self::error::{Bounds, FeedError};
pub use self::expression::{MAX_EXPRESSION_LEN, MAX_OPERATIONS};
pub use self::figures::FeedSnapshot;
pub use self::filter::{Filter, FilterSpec, InvalidFilter, MAX_VALUE_LEN, MAX_VALUES};
pub use self::metrics::EndReason;
pub use self::metrics::FeedCounts;
pub use self::read::Reading;
pub use self::registry::{Registry, SubscriberFacts};
pub use self::request::{
    AskedPosition, Batching, Caller, End, Origin, Policy, ReadPlan, Selection, Start, SubscribePlan,
};
pub use self::ring::{RingBounds, Run};
pub use self::shard::{InvalidShard, Shard};
pub use self::steps::StateName;
pub use self::stream::Subscriber;
pub use crate::journal::{DurableEnd, Entry, Health, Info, Journal, View, ViewedElement};

/// The most that a response may hold, whatever is configured: below the 4 MiB that clients accept.
pub const MOST_MESSAGE_BYTES: usize = 3_670_016;

const SHORTEST_HEARTBEAT: Duration = Duration::from_secs(1);
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(60);
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(10);

/// Settings of a feed.
#[derive(Debug, Clone, Copy)]
pub struct FeedConfig {
    /// How much of the recent past is kept in memory, once for all readers.
    pub ring: RingBounds,
    /// The most that a response may hold.
    pub message_bytes: usize,
    /// How old a stream may become, give or take a tenth; `None` has no limit.
    pub max_age: Option<Duration>,
}

impl Default for FeedConfig {
    fn default() -> Self {
        Self {
            ring: RingBounds::default(),
            message_bytes: 1 << 20,
            max_age: None,
        }
    }
}

/// What a feed needs from its surroundings.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where its streams are registered; shared by all feeds of a process.
    pub registry: Registry,
    /// Which journal keeps which managed cursor; shared likewise.
    pub cursor_names: CursorNames,
    /// Time.
    pub clock: Clock,
    /// Chance: jitter of ages and delays.
    pub rng: Rng,
    /// Told when streams are to end.
    pub drain: Drain,
}

/// One journal, ready to be read by many. Clones share it.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    journal: Arc<dyn Journal>,
    name: JournalName,
    pages: Arc<Pages>,
    ring: Arc<Ring>,
    cursors: Cursors,
    surroundings: Surroundings,
    config: FeedConfig,
    stats: Arc<FeedStats>,
}

impl Feed {
    /// Puts a feed before a journal and begins to keep what becomes durable from now on. From now on
    /// the journal holds back what its managed cursors ask for.
    #[must_use]
    pub fn attach(
        journal: Arc<dyn Journal>,
        surroundings: Surroundings,
        config: FeedConfig,
    ) -> Self {
        let ring = Arc::new(Ring::new(config.ring));
        ring.begin_at(journal.attach(Arc::clone(&ring) as Arc<_>));
        let config = FeedConfig {
            message_bytes: config.message_bytes.min(MOST_MESSAGE_BYTES),
            ..config
        };
        Self(Arc::new(Inner {
            name: journal.info().name,
            cursors: Cursors::of(&*journal, surroundings.cursor_names.clone()),
            pages: Pages::new(Arc::clone(&journal)),
            journal,
            ring,
            surroundings,
            config,
            stats: Arc::default(),
        }))
    }

    /// The journal's name.
    #[must_use]
    pub fn name(&self) -> &JournalName {
        &self.0.name
    }

    /// The journal's incarnation and extent, as of now.
    #[must_use]
    pub fn info(&self) -> Info {
        self.0.journal.info()
    }

    /// Watches the journal's durable end.
    #[must_use]
    pub fn durable_end(&self) -> watch::Receiver<DurableEnd> {
        self.0.journal.durable_end()
    }

    /// What was counted and measured here since the start, and how its readers fare.
    #[must_use]
    pub fn stats(&self) -> FeedSnapshot {
        FeedSnapshot::of(self, &self.0.stats)
    }

    /// The streams that are open, of this feed and of those that share its registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.surroundings.registry
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// [`FeedError`]; then nothing is delivered.
    pub async fn subscribe(&self, plan: SubscribePlan) -> Result<Subscriber, FeedError> {
        let opened = self.open(plan).await;
        if let Err(error) = &opened {
            metrics::subscription_refused(&self.0.stats, error);
        }
        opened
    }

    async fn open(&self, plan: SubscribePlan) -> Result<Subscriber, FeedError> {
        if self.drain().is_draining() {
            return Err(FeedError::Draining {
                retry_delay: self.retry_delay(),
            });
        }
        let info = self.info();
        if let Some(End::At(last)) = &plan.end
            && last.epoch != info.epoch.to_string()
        {
            return Err(start::epoch_changed(last, &info));
        }
        let (resolved, seat, lease) = match &plan.start {
            Origin::Place(start) => {
                let resolved = self.resolve(start, plan.policy).await?;
                (resolved, self.sit(&plan)?, None)
            }
            // Nobody is sent away for the sake of one for whom there is no place.
            Origin::Cursor(name) => {
                let seat = self.sit(&plan)?;
                let opening = self.open_cursor(name.clone(), plan.policy).await?;
                (opening.0, seat, Some(opening.1))
            }
        };
        seat.begins(resolved.through, lease.as_ref());
        metrics::subscription_opened(&seat, resolved.start);
        let terms = self.terms(plan, &resolved, &seat);
        Ok(Subscriber::new(stream::Parts {
            subscription: Subscription::new(terms, resolved, self.clock().now()),
            lease,
            pages: Arc::clone(&self.0.pages),
            end: self.durable_end(),
            ring: Arc::clone(&self.0.ring),
            clock: self.clock().clone(),
            drain: self.drain().clone(),
            seat,
        }))
    }

    fn sit(&self, plan: &SubscribePlan) -> Result<Seat, FeedError> {
        let times = (self.clock().wall(), self.clock().now());
        let seat = self.registry().sit(
            self.name().clone(),
            Arc::clone(&plan.caller),
            times,
            Arc::clone(&self.0.stats),
        );
        seat.map_err(|full| {
            let retry_delay = self.retry_delay();
            match full {
                Full::All(limit) => FeedError::SubscriberQuota { limit, retry_delay },
                Full::Principal(limit) => FeedError::PrincipalQuota {
                    principal: plan.caller.principal.clone(),
                    limit,
                    retry_delay,
                },
            }
        })
    }

    fn terms(&self, plan: SubscribePlan, resolved: &Resolved, seat: &Seat) -> Terms {
        let info = self.info();
        let jitter = 0.9 + 0.2 * self.0.surroundings.rng.unit();
        let opened = Opened {
            journal: info.name,
            epoch: info.epoch,
            earliest: info.earliest,
            latest: info.latest,
            start: resolved.start,
            subscriber: seat.id(),
            heartbeat: plan
                .heartbeat
                .unwrap_or(DEFAULT_HEARTBEAT)
                .clamp(SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT),
            max_age: self.0.config.max_age.map(|age| age.mul_f64(jitter)),
            lease: seat.facts().lease,
        };
        Terms {
            policy: plan.policy,
            end: plan.end,
            gather: Gather::new(plan.view, plan.batching, self.0.config.message_bytes),
            selection: plan.selection,
            linger: plan.batching.linger,
            replay_rate: plan.replay_rate,
            opened,
            drain_delay: self.retry_delay(),
            age_delay: Duration::from_secs(1).mul_f64(self.0.surroundings.rng.unit()),
        }
    }

    async fn resolve(&self, start: &Start, policy: Policy) -> Result<Resolved, FeedError> {
        let sought = self.sought(start).await?;
        // Read after the search, so that what was trimmed meanwhile is noticed.
        start::resolve(start, policy, &self.info(), sought)
    }

    /// Where a start by time is.
    async fn sought(&self, start: &Start) -> Result<Sequence, FeedError> {
        let Start::FromTime(time) = start else {
            return Ok(Sequence::ZERO);
        };
        let sought = self.journal().seek_time(*time).await;
        sought.map_err(|error| FeedError::Unreadable {
            after: Sequence::ZERO,
            reason: error.to_string(),
            retry_delay: self.retry_delay(),
        })
    }

    /// A jittered delay for those who are sent away: a restart takes a moment, and they must not
    /// all come back in the same one.
    fn retry_delay(&self) -> Duration {
        Duration::from_secs(1) + Duration::from_secs(4).mul_f64(self.0.surroundings.rng.unit())
    }

    fn cursors(&self) -> &Cursors {
        &self.0.cursors
    }

    fn journal(&self) -> &dyn Journal {
        self.0.journal.as_ref()
    }

    fn clock(&self) -> &Clock {
        &self.0.surroundings.clock
    }

    fn drain(&self) -> &Drain {
        &self.0.surroundings.drain
    }

    fn config(&self) -> &FeedConfig {
        &self.0.config
    }
}
