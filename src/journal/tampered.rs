//! A journal's files as somebody else may have left them, for fuzzing.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use super::encode::EncodedCommit;
use super::format::Payload;
use super::options::{Limits, Options};
use super::recent::Window;
use super::retention::Retention;
use super::storage::simulated::SimulatedDisk;
use super::{EncodedDraft, Entry, Item, Store, offline, reader, recovery};
use crate::domain::{JournalName, Sequence, WallTime};
use crate::proto::v1;
use crate::runtime::{Clock, Rng};

/// Bytes of one change to a file: which file, where (three bytes), what, with which byte.
const EDIT: usize = 6;
const EVENTS: u64 = 12;
const PATH: &str = "/simulated";

/// Opens a journal of three segments after these changes to its files, and reads it to its end.
///
/// # Panics
/// When an event is served that differs from what was written, or reading makes no progress.
pub fn open_tampered(edits: &[u8]) {
    static ORIGINAL: OnceLock<SimulatedDisk> = OnceLock::new();
    let disk = ORIGINAL.get_or_init(written).copy(1);
    let mut names = disk.names();
    names.sort();
    for edit in edits.chunks_exact(EDIT) {
        let &[file, high, middle, low, action, byte] = edit else {
            continue;
        };
        let Some(name) = names.get(usize::from(file) % names.len()) else {
            continue;
        };
        let at = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        disk.tamper(name, |bytes| change(bytes, at, action, byte));
    }
    let path = Path::new(PATH);
    // Damage is no error; what is no journal at all may be one.
    drop(offline::verify_on(&*disk.process(), path));
    let Ok((writer, _)) = recovery::open(disk.process(), &options()) else {
        return;
    };
    let end = writer.shared.durable_end();
    let mut at = end.earliest.previous();
    while at < end.latest {
        let Ok(page) = reader::read_page(&writer.shared, at, 1 << 20) else {
            return;
        };
        assert!(page.through > at, "no progress behind {at}");
        for item in &page.items {
            if let Item::Event(entry) = item {
                let served = entry.decode().ok();
                let written = draft(entry.sequence.get());
                let same = served.is_some_and(|event| {
                    event.id == written.id && event.raw_data == written.raw_data
                });
                assert!(same, "event {} is not what was written", entry.sequence);
            }
        }
        at = page.through;
    }
}

/// Decodes the payload of a commit; whatever it is taken for is taken for the same again.
///
/// # Panics
/// When it does not survive.
pub fn decode_commit(bytes: &[u8]) {
    let Some(payload) = Payload::decode(bytes) else {
        return;
    };
    let mut again = Vec::new();
    payload.encode(&mut again);
    assert_eq!(Payload::decode(&again), Some(payload));
}

/// An event as it stands in a journal, with its number.
#[must_use]
pub fn entry(draft: &v1::Event, sequence: Sequence, at: WallTime) -> Entry {
    let encoded = EncodedDraft::encode(draft, Store::Full);
    let mut element = Vec::new();
    let (data_at, raw_at) = encoded.write(sequence, at, &mut element);
    Entry {
        sequence,
        record_time: at,
        id_hash: encoded.id_hash(),
        element: element.into(),
        data_at,
        raw_at,
    }
}

fn change(bytes: &mut Vec<u8>, at: usize, action: u8, byte: u8) {
    if bytes.is_empty() {
        bytes.push(byte);
        return;
    }
    let at = at % bytes.len();
    let upto = (at + usize::from(byte)).min(bytes.len());
    match action % 6 {
        0 => bytes.truncate(at),
        1 => bytes.extend(std::iter::repeat_n(byte, at % 1024)),
        2 => bytes.get_mut(at..upto).unwrap_or_default().fill(0),
        3 => bytes.copy_within(at..upto, 0),
        _ => {
            if let Some(found) = bytes.get_mut(at) {
                *found ^= byte;
            }
        }
    }
}

fn draft(number: u64) -> v1::Event {
    v1::Event {
        id: format!("e{number}"),
        source: "tests".to_owned(),
        raw_data: vec![u8::try_from(number).unwrap_or_default(); 150].into(),
        ..v1::Event::default()
    }
}

fn options() -> Options {
    Options {
        name: JournalName::new("default").unwrap_or_else(|_| unreachable!("it is a name")),
        path: PATH.into(),
        store: Store::Full,
        retention: Retention {
            max_age: None,
            max_bytes: None,
            hard_max_bytes: None,
            min_free_bytes: 0,
        },
        limits: Limits {
            segment_bytes: 2_048,
            roll_age: Duration::from_secs(10),
            ids: Window {
                age: Duration::from_secs(600),
                count: 1_000,
            },
            ..Limits::default()
        },
        clock: Clock::anchored(WallTime::from_millis(1_800_000_000_000)),
        rng: Rng::from_seed(7),
    }
}

fn written() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let opened = recovery::open(disk.process(), &options());
    let Ok((mut writer, _)) = opened else {
        unreachable!("a new journal opens");
    };
    for number in 1..=EVENTS {
        let commit = EncodedCommit {
            drafts: vec![EncodedDraft::encode(&draft(number), Store::Full)],
            ..EncodedCommit::default()
        };
        assert!(writer.append(vec![commit]).is_ok(), "it takes events");
    }
    writer.close();
    disk
}
