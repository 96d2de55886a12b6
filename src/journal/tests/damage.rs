//! Changed bytes: every single-bit flip and every truncation of every file, stale frames, missing
//! segments. Nothing altered is served, nothing visible is lost without being named.

use std::path::Path;

use super::kit::{KEEP_ALL, Rig, Shape, assert_same, events, limits};
use crate::domain::Sequence;
use crate::journal::found::Contents;
use crate::journal::recovery::NewEpoch;
use crate::journal::survey::survey;
use crate::journal::{GapCause, Item, reader};
use crate::testing::scale;

/// Two sealed segments and an open one, of commits with several events and with state.
fn written(closes: bool) -> Rig {
    let mut rig = Rig::new(1, limits(2_048), KEEP_ALL);
    rig.check_reopened();
    let state = Shape {
        events: vec![60],
        state: vec![(1, true)],
    };
    for _ in 0..4 {
        rig.append(&[events(&[200, 100]), state.clone()]).unwrap();
        rig.append(&[events(&[150])]).unwrap();
    }
    assert_eq!(rig.shared().catalog.all().len(), 3);
    if closes {
        rig.close();
    }
    rig.writer = None;
    rig
}

/// What became of a tampered journal.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    gone: u64,
    same_epoch: bool,
}

/// Opens a tampered copy and checks what is served against what was. Whatever was found, it takes
/// events, and a restart finds the same.
fn check_tampered(original: &Rig, tampered: &mut Rig, what: &str) -> Verdict {
    let verdict = check_served(original, tampered, what);
    let end = tampered.latest();
    tampered
        .writer()
        .append(vec![super::kit::commit(1_000_000, 30)])
        .unwrap();
    let next = tampered.latest();
    assert_eq!(next, end.next());
    tampered.writer = None;
    tampered.open().unwrap();
    assert_eq!(tampered.latest(), next, "{what}");
    assert!(
        tampered.recovered.as_ref().unwrap().new_epoch.is_none(),
        "{what}: twice a new epoch"
    );
    verdict
}

/// Opens a tampered copy and checks what is served against what was.
fn check_served(original: &Rig, tampered: &mut Rig, what: &str) -> Verdict {
    tampered
        .open()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let shared = tampered.shared();
    let end = shared.durable_end();
    let same_epoch = tampered.recovered.as_ref().unwrap().new_epoch.is_none();
    let visible = original.seen().len() as u64;
    if same_epoch {
        assert_eq!(
            end.latest.get(),
            visible,
            "{what}: numbers will be given twice"
        );
        assert_eq!(end.earliest.get(), 1, "{what}");
    }
    let mut gone = visible - end.latest.get();
    let mut at = end.earliest.previous();
    while at < end.latest {
        let page = reader::read_page(&shared, at, 1 << 20).unwrap();
        assert!(page.through > at, "{what}: a stuck reader");
        for item in &page.items {
            match item {
                Item::Event(entry) => {
                    assert_eq!(entry.sequence, at.next(), "{what}");
                    assert_same(entry, &original.seen()[usize::try_from(at.get()).unwrap()]);
                    at = at.next();
                }
                Item::Gap {
                    cause, first, last, ..
                } => {
                    assert_eq!((*cause, *first), (GapCause::Corrupted, at.next()), "{what}");
                    assert!(last >= first);
                    gone += last.since(at);
                    at = *last;
                }
            }
        }
        assert_eq!(page.through, at, "{what}");
    }
    Verdict { gone, same_epoch }
}

fn files(rig: &Rig) -> Vec<(String, usize)> {
    let names = rig.disk.names();
    names
        .into_iter()
        .map(|name| (name.clone(), rig.disk.contents(&name).len()))
        .collect()
}

fn flips(closes: bool) {
    let original = written(closes);
    let open_segment = last_segment(&original);
    let proven = last_write(&original, &open_segment);
    for (name, len) in files(&original) {
        // The zeros of an open segment are many and alike.
        let stride = if scale() > 1 { 1 } else { 3 };
        let used = original
            .disk
            .contents(&name)
            .iter()
            .rposition(|b| *b != 0)
            .unwrap()
            + 8;
        for bit in (0..used.min(len) * 8)
            .chain((used * 8..len * 8).step_by(61))
            .step_by(stride)
        {
            let mut tampered = original.copy(bit as u64);
            tampered
                .disk
                .tamper(&name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let what = format!("{name} bit {bit}");
            let verdict = check_tampered(&original, &mut tampered, &what);
            if name == "meta" {
                assert_eq!((verdict.gone, verdict.same_epoch), (0, false), "{what}");
                continue;
            }
            // Everything before the last write was proven by it to have been synced.
            let at = bit / 8;
            if name != open_segment || (at < proven && (closes || at >= 96)) {
                assert!(
                    verdict.same_epoch && verdict.gone <= 1,
                    "{what}: {verdict:?}"
                );
            }
            assert!(verdict.gone <= 1, "{what}: {verdict:?}");
        }
    }
}

fn last_segment(rig: &Rig) -> String {
    files(rig)
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name != "meta")
        .max()
        .unwrap()
}

/// Where the last write of a segment began.
fn last_write(rig: &Rig, name: &str) -> usize {
    let found = survey(&*rig.disk.copy(1).process(), Path::new("/")).unwrap();
    let segment = found.segments.last().unwrap();
    assert_eq!(segment.name, name);
    let Contents::Scanned(scan) = &segment.contents else {
        panic!("the last segment is open");
    };
    usize::try_from(scan.write_start).unwrap()
}

#[test]
fn no_flipped_bit_is_served_or_loses_silently() {
    flips(false);
}

#[test]
fn after_an_orderly_end_no_flipped_bit_is_taken_for_a_torn_tail() {
    flips(true);
}

#[test]
fn no_truncation_is_served_or_loses_silently() {
    for closes in [false, true] {
        let original = written(closes);
        for (name, len) in files(&original) {
            for cut in 0..len {
                let mut tampered = original.copy(cut as u64);
                tampered.disk.tamper(&name, |bytes| bytes.truncate(cut));
                check_tampered(&original, &mut tampered, &format!("{name} cut at {cut}"));
            }
        }
    }
}

/// A segment of 64 KiB, full and sealed, and one behind it. Its name and length.
fn wide() -> (Rig, String, usize) {
    let mut rig = Rig::new(1, limits(64 << 10), KEEP_ALL);
    rig.check_reopened();
    let state = Shape {
        events: vec![90, 700],
        state: vec![(1, true)],
    };
    while rig.shared().catalog.all().len() == 1 {
        rig.append(&[events(&[200, 100, 0]), state.clone()])
            .unwrap();
        rig.append(&[events(&[1_500])]).unwrap();
    }
    rig.close();
    rig.writer = None;
    let (name, len) = files(&rig).swap_remove(0);
    assert!(len > 60 << 10, "{name} has {len} bytes");
    (rig, name, len)
}

/// Does it for all of these numbers, on two threads, or for one in so many where the scale is small.
fn for_each(count: usize, of_few: usize, work: impl Fn(usize) + Sync) {
    let stride = if scale() >= 8 { 1 } else { of_few };
    std::thread::scope(|threads| {
        for half in 0..2 {
            let work = &work;
            let numbers = (half * stride..count).step_by(2 * stride);
            threads.spawn(move || numbers.for_each(work));
        }
    });
}

#[test]
fn no_flipped_bit_of_a_full_segment_costs_more_than_its_event() {
    let (original, name, len) = wide();
    for_each(len * 8, 97, |bit| {
        let mut tampered = original.copy(bit as u64);
        tampered
            .disk
            .tamper(&name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let what = format!("bit {bit}");
        let verdict = check_served(&original, &mut tampered, &what);
        assert!(
            verdict.same_epoch && verdict.gone <= 1,
            "{what}: {verdict:?}"
        );
    });
}

#[test]
fn no_truncation_of_a_full_segment_costs_what_stands_before_it() {
    let (original, name, len) = wide();
    let ends = {
        let scanned = survey(&*original.disk.copy(1).process(), Path::new("/")).unwrap();
        let first = original.seen().iter().map(|entry| entry.element.len());
        let before = scanned.segments[1].first.get() - 1;
        // What stands before its end at the least: the bytes of the events themselves.
        let bytes = first.scan(0, |sum, len| {
            *sum += len;
            Some(*sum)
        });
        bytes
            .take(usize::try_from(before).unwrap())
            .collect::<Vec<_>>()
    };
    for_each(len, 13, |cut| {
        let mut tampered = original.copy(cut as u64);
        tampered.disk.tamper(&name, |bytes| bytes.truncate(cut));
        let what = format!("cut at {cut}");
        let verdict = check_served(&original, &mut tampered, &what);
        // An event takes less than so much beyond its bytes, and its header, commit and snapshot.
        let room = |index: usize| ends[index] + (index + 1) * 200 + 1_000;
        let whole = (0..ends.len()).filter(|index| room(*index) <= cut).count();
        let gone = u64::try_from(ends.len() - whole).unwrap();
        assert!(
            verdict.same_epoch && verdict.gone <= gone,
            "{what}: {verdict:?}, {whole} are whole"
        );
    });
}

#[test]
fn zeros_and_garbage_over_any_block_are_noticed() {
    for closes in [false, true] {
        let original = written(closes);
        for (name, len) in files(&original) {
            for block in 0..len.div_ceil(64) {
                for fill in [0, 0x5A, 0xFF] {
                    let mut tampered = original.copy(block as u64);
                    tampered.disk.tamper(&name, |bytes| {
                        let end = ((block + 1) * 64).min(bytes.len());
                        bytes[block * 64..end].fill(fill);
                    });
                    let what = format!("{name} block {block} filled with {fill:x}");
                    let is_meta = name == "meta";
                    let is_tail = !closes && fill == 0;
                    if is_meta || is_tail {
                        // A zeroed block at the end is what a torn write leaves.
                        tampered
                            .open()
                            .unwrap_or_else(|error| panic!("{what}: {error}"));
                    } else {
                        check_tampered(&original, &mut tampered, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn a_missing_middle_segment_is_a_gap() {
    let original = written(true);
    let segments: Vec<_> = files(&original)
        .into_iter()
        .filter(|(n, _)| n != "meta")
        .collect();
    let mut tampered = original.copy(1);
    tampered.disk.forget(&segments[1].0);
    let verdict = check_tampered(&original, &mut tampered, "middle segment");
    assert!(verdict.gone > 3 && verdict.same_epoch);
}

#[test]
fn a_missing_last_segment_is_a_new_epoch() {
    let original = written(true);
    let segments: Vec<_> = files(&original)
        .into_iter()
        .filter(|(n, _)| n != "meta")
        .collect();
    let mut tampered = original.copy(1);
    tampered.disk.forget(&segments[2].0);
    tampered.open().unwrap();
    assert_eq!(
        tampered.recovered.as_ref().unwrap().new_epoch,
        Some(NewEpoch::LostItsEnd)
    );
    assert!(tampered.latest() < Sequence::new(original.seen().len() as u64));
}

#[test]
fn state_survives_a_damaged_snapshot() {
    let original = written(true);
    let segments: Vec<_> = files(&original)
        .into_iter()
        .filter(|(n, _)| n != "meta")
        .collect();
    let mut tampered = original.copy(1);
    tampered
        .disk
        .tamper(&segments[2].0, |bytes| bytes[150] ^= 1);
    tampered.open().unwrap();
    assert!(!tampered.recovered.as_ref().unwrap().damage.is_empty());
    let mut whole = original.copy(2);
    whole.open().unwrap();
    assert_eq!(tampered.shared().state(""), whole.shared().state(""));
}

#[test]
fn stale_frames_of_a_recycled_file_are_not_taken_for_new_ones() {
    // An older segment's frames, byte for byte where the next commit would stand: the same journal, the
    // same epoch, even the right sequence.
    let mut rig = Rig::new(5, limits(4_096), KEEP_ALL);
    rig.check_reopened();
    rig.append(&[events(&[100])]).unwrap();
    let older = rig.shared().catalog.all()[0].name();
    rig.append(&[events(&[100])]).unwrap();
    let second = rig.disk.contents(&older);
    rig.pass(20);
    assert_eq!(rig.shared().catalog.all().len(), 2);
    let newer = rig.shared().catalog.all()[1].name();
    let ends = rig
        .shared()
        .catalog
        .all()
        .iter()
        .map(|s| s.with_extent(|e| e.data_end))
        .collect::<Vec<_>>();
    rig.writer = None;
    let frame = 100 + 44..usize::try_from(ends[0]).unwrap();
    rig.disk.tamper(&newer, |bytes| {
        let at = usize::try_from(ends[1]).unwrap();
        bytes[at..at + frame.len()].copy_from_slice(&second[frame.clone()]);
    });
    rig.open().unwrap();
    assert_eq!(rig.latest().get(), 2);
    assert!(
        rig.recovered.as_ref().unwrap().new_epoch.is_some(),
        "and the bytes were noticed"
    );
}

#[test]
fn a_segment_that_loses_its_header_is_still_read() {
    let original = written(true);
    for (name, _) in files(&original)
        .into_iter()
        .filter(|(name, _)| name != "meta")
    {
        let mut tampered = original.copy(1);
        tampered.disk.tamper(&name, |bytes| bytes[..96].fill(0));
        assert_eq!(check_tampered(&original, &mut tampered, &name).gone, 0);
    }
}
