//! What a soak found, as a table, and what is wrong with it.

use std::time::Duration;

use crate::figures::{Percentiles, medians, slope};
use crate::place::KINDS;
use crate::platform::Judgement;
use crate::readers::Got;
use crate::run::Found;

/// What resident memory may grow by from the second quarter to the last, in MiB. Ids of ten minutes
/// and what an allocator keeps are within it; over an hour, a leak of a hundred bytes per event is not.
const GROWTH: f64 = 48.0;
/// And what open files may.
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
    let of = |nth| {
        let (from, to) = quarter(found.length, nth);
        medians(&found.samples, from, to)
    };
    let ((first_memory, first_files), (last_memory, last_files)) = (of(0), of(3));
    let growth = slope(&found.samples, quarter(found.length, 1).0);
    let [Percentiles(p50, p99), Percentiles(p50_last, p99_last)] = &found.latencies;
    println!("\n| | first quarter | last quarter | |");
    println!("|---|---|---|---|");
    println!(
        "| resident, median | {first_memory:.1} MiB | {last_memory:.1} MiB | {growth:+.1} MiB/h after the first quarter |"
    );
    println!("| open files, median | {first_files} | {last_files} | |");
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
    let of = |nth| {
        let (from, to) = quarter(found.length, nth);
        medians(&found.samples, from, to)
    };
    let ((memory, files), (last_memory, last_files)) = (of(1), of(3));
    if last_memory > memory + GROWTH {
        complaints.push(format!("{memory:.1} MiB became {last_memory:.1} MiB"));
    }
    if last_files > files + FILES {
        complaints.push(format!("{files} open files became {last_files}"));
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

impl Found {
    fn dealt(&self) -> u64 {
        self.deck.dealt().values().sum()
    }
}
