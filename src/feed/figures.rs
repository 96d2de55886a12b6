//! [`FeedSnapshot`]: what a feed has counted, and how far its readers are behind.

use std::time::Duration;

use super::Feed;
use super::metrics::FeedStats;
use super::registry::SubscriberFacts;
use super::steps::StateName;
use crate::journal::Info;
use crate::runtime::{Counts, Tally};

/// What a feed has counted and measured since it was attached, and how its readers fare now.
#[derive(Debug, Clone)]
pub struct FeedSnapshot {
    /// Streams opened.
    pub opened: u64,
    /// Streams refused, by reason.
    pub refused: Counts,
    /// Streams ended, by reason.
    pub ended: Counts,
    /// How long they lasted.
    pub lasted: Tally,
    /// Events sent.
    pub events: u64,
    /// Bytes of events sent.
    pub bytes: u64,
    /// From an event's being durable until it was handed to the flow-controlled stream of a reader
    /// at the live edge.
    pub delay: Tally,
    /// Times a reader was too slow for the live path.
    pub fell_behind: u64,
    /// Runs that were not delivered, by cause.
    pub gaps: Counts,
    /// Readers at a position that was never written.
    pub not_written: u64,
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
            opened: stats.opened.get(),
            refused: stats.refused.snapshot(),
            ended: stats.ended.snapshot(),
            lasted: stats.lasted.snapshot(),
            events: stats.events.get(),
            bytes: stats.bytes.get(),
            delay: stats.delay.snapshot(),
            fell_behind: stats.fell_behind.get(),
            gaps: stats.gaps.snapshot(),
            not_written: stats.not_written.get(),
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
