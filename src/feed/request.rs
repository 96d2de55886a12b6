//! What a reader asks for, in checked values. Pure.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::filter::Filter;
use super::keys::Keys;
use super::shard::Shard;
use crate::domain::{Sequence, SubscriptionName, WallTime};
use crate::journal::{Entry, View};
use crate::proto::v1;

/// A subscription as it was asked for.
#[derive(Debug, Clone)]
pub struct SubscribePlan {
    /// Where to begin.
    pub start: Origin,
    /// What to do when the start, or what follows it, cannot be served.
    pub policy: Policy,
    /// Where to end; `None` never ends.
    pub end: Option<End>,
    /// Which events.
    pub selection: Selection,
    /// What of each event.
    pub view: View,
    /// How much at once.
    pub batching: Batching,
    /// Longest silence that the caller wishes for.
    pub heartbeat: Option<Duration>,
    /// Pace of catching up in events per second; zero has no limit.
    pub replay_rate: u32,
    /// Who asks.
    pub caller: Arc<Caller>,
}

/// Who reads, as operators are shown.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// What it calls itself.
    pub client_id: String,
    /// Where it connected from.
    pub peer: String,
    /// Who it is; empty where that is not known.
    pub principal: String,
    /// Whether its principal may only have so many streams at once.
    pub has_quota: bool,
    /// Its filter, as it was sent.
    pub filter: Option<v1::EventFilter>,
    /// Cuts its connection, and every other stream on it.
    pub connection: Option<CancellationToken>,
}

/// One bounded read as it was asked for.
#[derive(Debug, Clone)]
pub struct ReadPlan {
    /// Where to begin.
    pub start: Start,
    /// What to do when the start, or what follows it, cannot be served.
    pub policy: Policy,
    /// Which events.
    pub selection: Selection,
    /// What of each event.
    pub view: View,
    /// How much at once; `linger` has no meaning here.
    pub batching: Batching,
    /// How long to wait for a first event.
    pub wait: Duration,
}

/// Where a subscription begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Where the caller says.
    Place(Start),
    /// Behind a managed cursor.
    Cursor(SubscriptionName),
}

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// After a position.
    After(AskedPosition),
    /// With the first event recorded at this time or later.
    FromTime(WallTime),
    /// With the first event there is.
    Earliest,
    /// With the next event to come.
    Latest,
    /// This many events before the end.
    Last(u64),
}

/// A position as a caller sent it: its epoch may be any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedPosition {
    /// The epoch as it was sent; compared for equality only.
    pub epoch: String,
    /// The last sequence that lies behind the position.
    pub sequence: Sequence,
}

/// What to do when something asked for cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// End with an error.
    #[default]
    Fail,
    /// Report a gap and continue with the earliest event there is.
    ResumeAtEarliest,
    /// Report a gap and continue with events recorded from now on.
    ResumeAtLatest,
}

/// Where a stream ends well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With this event.
    At(AskedPosition),
    /// With the last event recorded at this time or before.
    Time(WallTime),
    /// At the live edge.
    CaughtUp,
}

/// Bounds on one response; zero takes the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Batching {
    /// Events.
    pub max_events: u32,
    /// Bytes. A single event that is larger is sent alone.
    pub max_bytes: u32,
    /// How long to wait for a fuller response at the live edge.
    pub linger: Duration,
}

/// Which events a reader wants.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// By their attributes.
    pub filter: Filter,
    /// By the hash of their key.
    pub shard: Option<Shard>,
}

impl Selection {
    /// Whether it wants every event, so that no keys need to be looked at.
    #[must_use]
    pub(super) fn is_everything(&self) -> bool {
        self.shard.is_none() && self.filter.is_everything()
    }

    /// Whether it wants this event.
    #[must_use]
    pub(super) fn wants(&self, keys: &Keys, entry: &Entry) -> bool {
        self.filter.matches(keys, entry)
            && self
                .shard
                .is_none_or(|shard| keys.session_fact || shard.holds(keys, entry))
    }
}
