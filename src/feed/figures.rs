//! [`FeedSnapshot`]: what a feed has counted, and how far its readers are behind.

use std::time::Duration;

use super::Feed;
use super::metrics::{FeedCounts, FeedStats};
use super::registry::SubscriberFacts;
use super::steps::StateName;
use crate::journal::Info;
use crate::runtime::Counts;

/// What a feed has counted and measured since it was attached, and how its readers fare now.
#[derive(Debug, Clone)]
pub struct FeedSnapshot {
    /// What it has counted and measured.
    pub counted: FeedCounts,
    /// Streams open now, by state.
    pub readers: Counts,
    /// Durable events that the reader furthest behind has yet to be sent.
    pub worst_lag_events: u64,
    /// By how much the newest event is younger than the one that reader was sent last.
    pub worst_lag: Duration,
    /// Managed cursors kept.
    pub cursors: u64,
    /// Events behind the managed cursor that is furthest behind.
    pub worst_cursor_lag: u64,
}

impl FeedSnapshot {
    pub(super) fn of(feed: &Feed, stats: &FeedStats) -> Self {
        let info = feed.info();
        let mut readers = feed.registry().subscribers();
        readers.retain(|reader| reader.journal == info.name);
        let cursors = feed.all_cursors();
        let behind = cursors.iter().map(|(_, cursor)| cursor.lag(&info));
        Self {
            counted: stats.snapshot(),
            readers: by_state(&readers),
            worst_lag_events: readers.iter().map(|r| lag(r, &info)).max().unwrap_or(0),
            worst_lag: readers
                .iter()
                .map(|reader| lag_in_time(reader, &info))
                .max()
                .unwrap_or_default(),
            worst_cursor_lag: behind.max().unwrap_or(0),
            cursors: cursors.len() as u64,
        }
    }
}

fn by_state(readers: &[SubscriberFacts]) -> Counts {
    let states = [
        (StateName::Replaying, "replaying"),
        (StateName::Live, "live"),
        (StateName::Closing, "closing"),
    ];
    let count = |state| readers.iter().filter(|r| r.state == state).count() as u64;
    states.map(|(state, word)| (word, count(state))).into()
}

fn lag(reader: &SubscriberFacts, info: &Info) -> u64 {
    info.latest.since(reader.through)
}

/// Of a reader that was sent nothing yet, no more is known than when it came.
fn lag_in_time(reader: &SubscriberFacts, info: &Info) -> Duration {
    if reader.through >= info.latest {
        return Duration::ZERO;
    }
    let sent = reader.through_time.unwrap_or(reader.connect_time);
    info.latest_time
        .map_or(Duration::ZERO, |latest| latest.since(sent))
}
