//! Inspecting and verifying a directory, at rest and while it is written.

use std::path::Path;

use tokio::sync::oneshot;

use super::kit::{KEEP_ALL, Rig, Shape, events, limits};
use crate::domain::Sequence;
use crate::journal::offline::{GapReport, Verification, inspect_on, new_epoch_on, verify_on};
use crate::journal::storage::simulated::SimulatedDisk;
use crate::journal::{Erasure, OpenError};
use crate::runtime::{Clock, Rng};

fn written() -> Rig {
    let mut rig = Rig::new(1, limits(4_096), KEEP_ALL);
    rig.check_reopened();
    for n in 0..12 {
        rig.append(&[Shape {
            events: vec![500, 300],
            state: vec![(n % 3, true)],
        }])
        .unwrap();
    }
    rig
}

fn verify(disk: &SimulatedDisk) -> Verification {
    verify_on(&*disk.process(), Path::new("/simulated")).unwrap()
}

#[test]
fn a_report_says_what_is_there() {
    let mut rig = written();
    rig.close();
    let process = rig.disk.process();
    let report = inspect_on(&*process, Path::new("/simulated")).unwrap();
    assert_eq!((report.earliest, report.latest), (1, 24));
    assert!(report.segments.len() > 2);
    assert!(
        report
            .segments
            .iter()
            .rev()
            .skip(1)
            .all(|segment| segment.sealed)
    );
    let keys: Vec<_> = report
        .state
        .iter()
        .map(|entry| entry.key.as_str())
        .collect();
    assert_eq!(keys, ["k0", "k1", "k2"]);
    assert_eq!((report.gaps, report.new_epoch), (vec![], None));
    let text = verify(&rig.disk).to_string();
    assert!(text.contains("events     24: 1 to 24"), "{text}");
    assert!(text.contains("every checksum is right"), "{text}");
    let json = serde_json::to_value(verify(&rig.disk)).unwrap();
    assert_eq!(json["latest"], 24);
    assert_eq!(json["findings"], serde_json::json!([]));
}

#[test]
fn a_report_names_what_was_erased_and_what_is_about_to_be() {
    let runs = |runs: &[GapReport]| -> Vec<_> {
        let each = runs.iter().map(|run| (run.first, run.last));
        each.collect()
    };
    let mut rig = written();
    let dir = Path::new("/simulated");
    let looked = |rig: &Rig| inspect_on(&*rig.disk.copy(1).process(), dir).unwrap();
    let report = looked(&rig);
    assert_eq!((report.erased, report.erasing), (vec![], vec![]));
    let erasure = |sequences: [u64; 3]| Erasure {
        events: sequences.map(Sequence::new).into_iter().collect(),
        state: Vec::new(),
    };
    let (done, _) = oneshot::channel();
    rig.writer().erase(erasure([3, 4, 9]), done).unwrap();
    while rig.writer().owes_erasure() {
        rig.writer().erase_step();
    }
    // The process dies before it has rewritten anything for the second.
    let (done, _) = oneshot::channel();
    rig.writer().erase(erasure([4, 5, 12]), done).unwrap();
    rig.writer = None;
    let report = looked(&rig);
    assert_eq!(runs(&report.erased), [(3, 4), (9, 9)]);
    assert_eq!(runs(&report.erasing), [(5, 5), (12, 12)]);
    let text = report.to_string();
    for line in [
        "erasure    3 events in 2 runs, erased\n  3 to 4\n  9 to 9\n",
        "erasure    2 events in 2 runs, erased from the next start on\n  5 to 5\n  12 to 12\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let found = verify(&rig.disk);
    assert!(found.is_sound(), "{found}");
    assert_eq!(found.report, report);
}

#[test]
fn verify_finds_every_flipped_bit_and_changes_nothing() {
    let mut rig = written();
    rig.close();
    assert!(verify(&rig.disk).is_sound());
    for name in rig.disk.names() {
        let bytes = rig.disk.contents(&name);
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for bit in (0..used * 8).step_by(7) {
            let disk = rig.disk.copy(1);
            disk.tamper(&name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let before = disk.contents(&name);
            let verification = verify(&disk);
            assert!(!verification.is_sound(), "{name} bit {bit}");
            assert!(verification.to_string().contains("damage     "));
            assert_eq!(disk.contents(&name), before);
            assert_eq!(disk.operations(), []);
        }
    }
}

#[test]
fn a_missing_segment_is_named() {
    let mut rig = written();
    rig.close();
    let middle = rig.disk.names()[1].clone();
    rig.disk.forget(&middle);
    let verification = verify(&rig.disk);
    let lost = verification
        .findings
        .iter()
        .find_map(|finding| finding.lost.clone())
        .unwrap();
    assert_eq!(verification.report.gaps, std::slice::from_ref(&lost));
    assert!(middle.contains(&format!("{:020}", lost.first)));
}

#[test]
fn a_live_journal_verifies_at_every_moment() {
    let mut rig = written();
    for size in [10, 700, 2_000, 3_500] {
        let process = rig.shared().storage.clone();
        let live = verify_on(&*process, Path::new("/simulated")).unwrap();
        assert_eq!(live.report.holder.as_deref(), Some("process 1"));
        assert!(live.is_sound(), "{live}");
        rig.append(&[events(&[size])]).unwrap();
    }
    let process = rig.shared().storage.clone();
    let error = new_epoch_on(
        &*process,
        Path::new("/"),
        &Clock::system(),
        &Rng::from_seed(1),
    );
    assert!(matches!(error, Err(OpenError::InUse { .. })));
}

#[test]
fn a_new_epoch_keeps_events_and_state() {
    let mut rig = written();
    let old = rig.shared().epoch;
    rig.close();
    let state = rig.disk.names().len();
    let process = rig.disk.process();
    let clock = Clock::anchored(super::kit::START);
    let new = new_epoch_on(&*process, Path::new("/"), &clock, &Rng::from_seed(5)).unwrap();
    assert_ne!(new, old);
    assert_eq!(rig.disk.names().len(), state);
    rig.open().unwrap();
    assert_eq!(rig.shared().epoch, new);
    assert_eq!(rig.latest().get(), 24);
    assert_eq!(rig.shared().state("k").len(), 3);
    rig.check_from(crate::domain::Sequence::ZERO, 2_000);
    rig.close();
    assert!(verify(&rig.disk).is_sound());
}

#[test]
fn nothing_is_not_a_journal() {
    let disk = SimulatedDisk::new(1);
    let error = inspect_on(&*disk.process(), Path::new("/x")).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }));
    assert_eq!(
        error.to_string(),
        "journal directory /x: there is no journal"
    );
}
