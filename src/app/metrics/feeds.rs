//! Figures of readers, for each journal.

use super::family::families;
use crate::feed::FeedSnapshot;
use crate::telemetry::metrics::Sheet;

families! {
    CURSORS: Gauge "tieline_feed_cursors" ["journal"] "Managed cursors kept";
    CURSOR_LAG: Gauge "tieline_feed_worst_cursor_lag_events" ["journal"] "Events behind the managed cursor that is furthest behind";
    DELAY: Histogram "tieline_feed_delivery_delay_seconds" ["journal"] "From an event's being durable until it was handed to the flow-controlled stream of a reader at the live edge";
    ENDED: Counter "tieline_feed_subscriptions_ended_total" ["journal", "reason"] "Streams that ended";
    EVENTS: Counter "tieline_feed_sent_events_total" ["journal"] "Events sent to readers";
    BYTES: Counter "tieline_feed_sent_bytes_total" ["journal"] "Bytes of events sent to readers";
    FELL_BEHIND: Counter "tieline_feed_fell_behind_total" ["journal"] "Times a reader was too slow for the live path and went on from disk";
    GAPS: Counter "tieline_feed_gaps_total" ["journal", "cause"] "Runs of events that a reader was told it would not get";
    LAG: Gauge "tieline_feed_worst_lag_events" ["journal"] "Durable events that the reader furthest behind has yet to be sent";
    LAG_SECONDS: Gauge "tieline_feed_worst_lag_seconds" ["journal"] "By how much the newest event is younger than the one that the reader furthest behind was sent last";
    LASTED: Histogram "tieline_feed_subscription_seconds" ["journal"] "How long streams lasted";
    NOT_WRITTEN: Counter "tieline_feed_positions_not_written_total" ["journal"] "Readers that asked for a position past the end: the wrong journal, or one that lost its tail";
    OPENED: Counter "tieline_feed_subscriptions_opened_total" ["journal"] "Streams opened";
    READERS: Gauge "tieline_feed_subscribers" ["journal", "state"] "Streams that are open";
    REFUSED: Counter "tieline_feed_subscriptions_refused_total" ["journal", "reason"] "Streams that were not opened";
}

pub(super) fn put(sheet: &mut Sheet, journal: &str, seen: &FeedSnapshot) {
    let journal = &[journal][..];
    let counted = &seen.counted;
    sheet.put(&CURSORS, journal, seen.cursors);
    sheet.put(&CURSOR_LAG, journal, seen.worst_cursor_lag);
    sheet.put(&DELAY, journal, counted.delay.clone());
    sheet.put_each(&ENDED, journal, &counted.ended);
    sheet.put(&EVENTS, journal, counted.events);
    sheet.put(&BYTES, journal, counted.bytes);
    sheet.put(&FELL_BEHIND, journal, counted.fell_behind);
    sheet.put_each(&GAPS, journal, &counted.gaps);
    sheet.put(&LAG, journal, seen.worst_lag_events);
    sheet.put(&LAG_SECONDS, journal, seen.worst_lag.as_secs_f64());
    sheet.put(&LASTED, journal, counted.lasted.clone());
    sheet.put(&NOT_WRITTEN, journal, counted.not_written);
    sheet.put(&OPENED, journal, counted.opened);
    sheet.put_each(&READERS, journal, &seen.readers);
    sheet.put_each(&REFUSED, journal, &counted.refused);
}
