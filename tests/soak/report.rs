//! What a soak found, as a table, and what is wrong with it.

use std::time::Duration;

use crate::figures::{Percentiles, Sample, medians, slope};
use crate::place::KINDS;
use crate::platform::Judgement;
use crate::readers::Got;
use crate::run::Found;

/// What the process takes beside what it holds for events, in MiB: see "Memory" of the README.
const IDLE: f64 = 2.0;
/// What a journal holds of recent events, in MiB.
const RECENT: f64 = 8.0;
/// What a journal and a session hold of the id of each event of ten minutes, in bytes.
const ID: f64 = 8.0 + 36.0;
const ID_SECONDS: f64 = 600.0;
/// What a reader and its connection hold, in MiB: a response, its window, a socket's buffer, and a page.
const READER: f64 = (3.0 * 64.0 + 272.0) / 1024.0;
/// What an allocator keeps beside what is in use.
const KEPT: f64 = 1.3;
/// What open files may grow by, from the second quarter to the last.
const FILES: usize = 12;

/// One reader and what its oracle says.
pub(crate) struct Judged {
    of: usize,
    events: u64,
    resumed: u64,
    has_open_gaps: bool,
    judgement: Judgement,
}

impl Judged {
    pub(crate) fn of(of: usize, got: &Got, judgement: Judgement) -> Self {
        Self {
            of,
            events: got.events,
            resumed: got.resumed,
            has_open_gaps: got.has_open_gaps(),
            judgement,
        }
    }

    /// Nothing is missing, and no promise was broken.
    pub(crate) fn is_well(&self) -> bool {
        self.judgement.lost == 0 && self.judgement.other == 0 && !self.has_open_gaps
    }
}

/// The beginning and the end of a quarter of the soak, from zero.
pub(crate) fn quarter(length: Duration, nth: u32) -> (Duration, Duration) {
    (length * nth / 4, length * (nth + 1) / 4)
}

pub(crate) fn print(found: &Found) {
    let (first, last) = (found.quarter(0), found.quarter(3));
    let allowed = allowed(found);
    let growth = slope(&found.samples, quarter(found.length, 1).0);
    let [Percentiles(p50, p99), Percentiles(p50_last, p99_last)] = &found.latencies;
    println!("\n| | first quarter | last quarter | |");
    println!("|---|---|---|---|");
    println!(
        "| resident, median | {:.1} MiB | {:.1} MiB | {growth:+.1} MiB/h after the first quarter |",
        first.resident, last.resident
    );
    println!(
        "| of it its own, median | {:.1} MiB | {:.1} MiB | by the README at most {allowed:.1} MiB |",
        first.own, last.own
    );
    println!(
        "| open files, median | {} | {} | |",
        first.files, last.files
    );
    println!("| issued to read, p50 | {p50:.1} ms | {p50_last:.1} ms | faults included |");
    println!("| issued to read, p99 | {p99:.1} ms | {p99_last:.1} ms | faults included |");

    println!(
        "\n| reader of | events | deaths | issued | delivered | on record | lost | doubled, disordered, invented, altered |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for reader in &found.readers {
        let (name, judged) = (KINDS[reader.of].1, &reader.judgement);
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            reader.events,
            reader.resumed,
            judged.issued,
            judged.delivered,
            judged.on_record,
            judged.lost,
            judged.other
        );
    }

    println!("\n| fault | dealt | struck |");
    println!("|---|---|---|");
    for (name, dealt) in found.deck.dealt() {
        let struck = found
            .struck
            .get(name)
            .map_or("-".to_owned(), u64::to_string);
        println!("| {name} | {dealt} | {struck} |");
    }
    println!("\n| suspended, and reconnected by hand | times |");
    println!("|---|---|");
    for (reason, times) in &found.suspended {
        println!("| {reason} | {times} |");
    }
    let (dealt, struck) = (found.dealt(), found.struck.values().sum::<u64>());
    println!(
        "\n{:.0?}: {dealt} faults dealt, which struck {struck} times",
        found.length
    );
}

/// What must not be so.
pub(crate) fn complaints(found: &Found) -> Vec<String> {
    let mut complaints = Vec::new();
    for reader in found.readers.iter().filter(|reader| !reader.is_well()) {
        complaints.push(format!(
            "reader of {}: {:?}, open gaps: {}",
            KINDS[reader.of].1, reader.judgement, reader.has_open_gaps
        ));
    }
    let (before, last, allowed) = (found.quarter(1), found.quarter(3), allowed(found));
    if last.own > allowed {
        let own = last.own;
        complaints.push(format!(
            "{own:.1} MiB of its own, {allowed:.1} are promised"
        ));
    }
    if last.files > before.files + FILES {
        let (few, many) = (before.files, last.files);
        complaints.push(format!("{few} open files became {many}"));
    }
    // A soak in which nothing goes wrong proves nothing.
    let dealt = found.deck.dealt().keys();
    let met = |name: &&String| found.struck.get(*name).is_some_and(|struck| *struck > 0);
    let (kinds, met) = (dealt.clone().count(), dealt.filter(met).count());
    if met * 3 < kinds {
        complaints.push(format!("only {met} of {kinds} kinds of faults were met"));
    }
    let idle = found
        .readers
        .iter()
        .filter(|reader| reader.judgement.delivered == 0);
    complaints.extend(idle.map(|reader| format!("nothing came of {}", KINDS[reader.of].1)));
    complaints
}

/// What the process may hold, in MiB, by what the README says of memory.
fn allowed(found: &Found) -> f64 {
    let seconds = found.length.as_secs_f64();
    let of_kind = |kind| found.readers.iter().filter(move |reader| reader.of == kind);
    let events: u64 = (0..KINDS.len())
        .filter_map(|kind| of_kind(kind).map(|reader| reader.events).max())
        .sum();
    let ids = events as f64 / seconds * seconds.min(ID_SECONDS) * ID / f64::from(1 << 20);
    let (journals, readers) = (KINDS.len() as f64, found.readers.len() as f64);
    (IDLE + journals * RECENT + ids + readers * READER) * KEPT
}

impl Found {
    /// The medians of a quarter, from zero.
    fn quarter(&self, nth: u32) -> Sample {
        let (from, to) = quarter(self.length, nth);
        medians(&self.samples, from, to).unwrap_or_default()
    }

    fn dealt(&self) -> u64 {
        self.deck.dealt().values().sum()
    }
}
