//! Figures of journals.

use super::family::families;
use super::timestamp;
use crate::domain::Sequence;
use crate::journal::{Health, JournalSnapshot};
use crate::telemetry::metrics::Sheet;

families! {
    APPEND: Histogram "tieline_journal_append_seconds" ["journal"] "From handing a commit in until it is durable";
    COMMIT: Histogram "tieline_journal_commit_events" ["journal"] "Events of a commit";
    DAMAGED: Counter "tieline_journal_damaged_runs_total" ["journal"] "Damaged runs of events found at the start";
    EARLIEST: Gauge "tieline_journal_earliest_sequence" ["journal"] "First sequence that can be read";
    EVENTS: Counter "tieline_journal_events_total" ["journal"] "Events appended";
    FREE: Gauge "tieline_journal_volume_free_bytes" ["journal"] "Free space of the volume that the journal is on";
    LATEST: Gauge "tieline_journal_latest_sequence" ["journal"] "Last durable sequence";
    NEWEST: Gauge "tieline_journal_newest_event_timestamp_seconds" ["journal"] "When the last event became durable";
    OLDEST: Gauge "tieline_journal_oldest_event_timestamp_seconds" ["journal"] "When the first event that can be read became durable";
    REFUSED: Counter "tieline_journal_refused_appends_total" ["journal", "reason"] "Appends that were refused";
    SEGMENTS: Gauge "tieline_journal_segments" ["journal"] "Segments on disk";
    SIZE: Gauge "tieline_journal_size_bytes" ["journal"] "Bytes on disk";
    MOST: Gauge "tieline_journal_max_bytes" ["journal"] "Bytes beyond which the oldest events are deleted; absent without a bound";
    STATE: Gauge "tieline_journal_state" ["journal", "state"] "1 for the state that the journal is in";
    SYNC: Histogram "tieline_journal_sync_seconds" ["journal"] "What making one write durable took";
    TRIMMED: Counter "tieline_journal_trimmed_segments_total" ["journal"] "Segments deleted by retention";
    TRIM_FAILED: Counter "tieline_journal_trim_failures_total" ["journal"] "Segments that retention could not delete";
    WRITES: Counter "tieline_journal_writes_total" ["journal"] "Writes, each of one commit or more, and synced";
    WRITTEN: Counter "tieline_journal_written_bytes_total" ["journal"] "Bytes written for appended commits";
}

pub(super) fn put(sheet: &mut Sheet, seen: &JournalSnapshot) {
    let (counted, info) = (&seen.counted, &seen.info);
    let journal = &[info.name.as_str()][..];
    sheet.put(&APPEND, journal, counted.append.clone());
    sheet.put(&COMMIT, journal, counted.commit_events.clone());
    sheet.put(&SYNC, journal, counted.sync.clone());
    sheet.put(&DAMAGED, journal, counted.damaged);
    sheet.put(&EARLIEST, journal, info.earliest.get());
    sheet.put(&LATEST, journal, info.latest.get());
    sheet.put(&EVENTS, journal, counted.events);
    sheet.put(&WRITES, journal, counted.writes);
    sheet.put(&WRITTEN, journal, counted.bytes);
    sheet.put(&SEGMENTS, journal, seen.segments);
    sheet.put(&SIZE, journal, info.size_bytes);
    sheet.put(&TRIMMED, journal, counted.trims);
    sheet.put(&TRIM_FAILED, journal, counted.trims_failed);
    sheet.put_each(&REFUSED, journal, &counted.refused);
    if let Some(most) = info.max_bytes {
        sheet.put(&MOST, journal, most);
    }
    if let Some(free) = seen.free_bytes {
        sheet.put(&FREE, journal, free);
    }
    // An empty journal has neither; a series that is absent is no series that lies.
    if let (Some(oldest), true) = (info.earliest_time, info.latest > Sequence::ZERO) {
        sheet.put(&OLDEST, journal, timestamp(oldest));
    }
    if let Some(newest) = info.latest_time {
        sheet.put(&NEWEST, journal, timestamp(newest));
    }
    let state = |word, is: bool| (word, u64::from(is));
    let states = vec![
        state("writable", info.health == Health::Writable),
        state("no_space", info.health == Health::NoSpace),
        state("read_only", matches!(info.health, Health::Poisoned { .. })),
    ];
    sheet.put_each(&STATE, journal, &states);
}
