//! Disks that refuse: an error at every sync and every write, and a full disk at every write.

use std::io::ErrorKind;

use super::kit::{KEEP_ALL, Rig, Shape, events, limits};
use crate::journal::storage::simulated::Operation;
use crate::journal::{AppendError, Health};

fn shapes() -> Vec<Vec<Shape>> {
    let state = Shape {
        events: vec![40],
        state: vec![(1, true)],
    };
    vec![
        vec![events(&[100]), events(&[900])],
        vec![state],
        vec![events(&[1_500, 1_500])],
        vec![events(&[10]), events(&[2_000])],
        vec![events(&[700])],
        vec![events(&[6_000])],
        vec![events(&[20])],
    ]
}

fn rig(seed: u64) -> Rig {
    let mut rig = Rig::new(seed, limits(4_096), KEEP_ALL);
    rig.check_reopened();
    rig
}

/// Which operations the appends make, counted from the first of them.
fn operations() -> Vec<Operation> {
    let mut rig = rig(1);
    let before = rig.disk.operations().len();
    for shapes in shapes() {
        rig.append(&shapes).unwrap();
    }
    rig.disk.operations().split_off(before)
}

#[test]
fn a_failed_write_or_sync_poisons_and_is_never_repeated() {
    for (nth, operation) in operations().into_iter().enumerate() {
        for power in [false, true] {
            let mut rig = rig(nth as u64);
            let before = rig.disk.operations().len();
            rig.disk.fail_at(nth, ErrorKind::Other);
            let refused = shapes()
                .iter()
                .position(|shapes| rig.append(shapes).is_err());
            let refused = refused.unwrap_or_else(|| panic!("{operation:?} failed unheard"));
            assert!(matches!(
                *rig.shared().health.read(),
                Health::Poisoned { .. }
            ));
            assert!(!rig.shared().durable_end().writable);
            let done = rig.disk.operations().len() - before;
            assert!(done <= nth + 2, "{operation:?} was repeated");
            let error = rig.append(&shapes()[refused]).unwrap_err();
            assert!(matches!(error, AppendError::ReadOnly { .. }));
            rig.pass(60);
            assert_eq!(
                rig.disk.operations().len(),
                before + done,
                "poisoned, yet it wrote"
            );
            rig.check();
            rig.writer = None;
            if power {
                rig.disk.cut_power();
            }
            rig.open().unwrap();
            rig.check_reopened();
            // What the restarted process shows must stand from now on, failed sync or not.
            rig.disk.cut_power();
            rig.open().unwrap();
            rig.check_reopened();
        }
    }
}

#[test]
fn a_full_disk_refuses_a_commit_and_takes_the_next() {
    let takes_space = |(_, operation): &(usize, Operation)| operation.takes_space();
    for (nth, operation) in operations().into_iter().enumerate().filter(takes_space) {
        let mut rig = rig(nth as u64);
        rig.disk.fail_at(nth, ErrorKind::StorageFull);
        let mut refused = 0;
        for shapes in shapes() {
            let before = rig.latest();
            if let Err(error) = rig.append(&shapes) {
                assert!(
                    matches!(error, AppendError::NoSpace { .. }),
                    "{operation:?}: {error}"
                );
                assert_eq!(*rig.shared().health.read(), Health::NoSpace);
                assert_eq!(rig.latest(), before);
                rig.check();
                let again = rig.append(&shapes).unwrap_err();
                assert!(
                    matches!(again, AppendError::NoSpace { .. }),
                    "before the delay"
                );
                rig.pass(6);
                rig.append(&shapes).unwrap();
                refused += 1;
            }
            rig.check();
        }
        // A footer without room is no reason to refuse anything.
        assert!(refused <= 1);
        rig.writer = None;
        rig.disk.cut_power();
        rig.open().unwrap();
        rig.check_reopened();
    }
}

#[test]
fn a_refused_commit_is_not_found_after_a_crash() {
    for seed in 0..40 {
        let mut rig = rig(seed);
        rig.append(&[events(&[100])]).unwrap();
        // The disk takes the whole write or a part of it, says that it is full, and the process dies.
        rig.disk.fail_at(0, ErrorKind::StorageFull);
        rig.append(&[events(&[200]), events(&[800])]).unwrap_err();
        rig.writer = None;
        if seed % 2 == 0 {
            rig.disk.cut_power();
        }
        rig.open().unwrap();
        assert_eq!(rig.latest().get(), 1);
        rig.check_reopened();
    }
}

#[test]
fn a_disk_that_stays_full_serves_readers_and_takes_appends_when_there_is_room() {
    let mut rig = rig(3);
    rig.append(&[events(&[500])]).unwrap();
    rig.disk.set_capacity(rig.disk.used() + 1_000);
    let mut refused = 0;
    for _ in 0..30 {
        if rig.append(&[events(&[900])]).is_err() {
            refused += 1;
        }
        rig.pass(2);
        rig.check();
    }
    assert!(refused > 20);
    assert!(!rig.shared().durable_end().writable);
    rig.disk.set_capacity(1 << 30);
    rig.pass(6);
    assert!(rig.shared().durable_end().writable);
    rig.append(&[events(&[900])]).unwrap();
    rig.check();
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_a_journal_from_writing_again() {
    let mut rig = rig(5);
    rig.pass(3_600);
    rig.append(&[events(&[500])]).unwrap();
    rig.disk.set_capacity(rig.disk.used());
    while rig.append(&[events(&[900])]).is_ok() {}
    rig.disk.set_capacity(1 << 30);
    rig.pass_with_clock_set_back(6);
    assert!(rig.shared().durable_end().writable);
}

#[test]
fn an_active_segment_that_disappears_poisons_instead_of_losing() {
    let mut rig = rig(4);
    rig.append(&[events(&[500])]).unwrap();
    let name = rig.shared().catalog.all().last().unwrap().name();
    rig.disk.forget(&name);
    rig.pass(5);
    assert!(matches!(
        *rig.shared().health.read(),
        Health::Poisoned { .. }
    ));
}
