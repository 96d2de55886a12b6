//! What may stand in a directory when a journal is opened there, and which incarnation it is.

use super::kit::{KEEP_ALL, Rig, events, limits};
use crate::journal::storage::simulated::SimulatedDisk;
use crate::journal::{OpenError, recovery};

fn closed(disk: SimulatedDisk) -> Rig {
    Rig::closed(disk, limits(4_096), KEEP_ALL)
}

fn written() -> Rig {
    let mut rig = Rig::new(1, limits(4_096), KEEP_ALL);
    rig.check_reopened();
    rig.append(&[events(&[100, 100])]).unwrap();
    rig.close();
    rig
}

fn everything(disk: &SimulatedDisk) -> Vec<(String, Vec<u8>)> {
    disk.names()
        .into_iter()
        .map(|name| (name.clone(), disk.contents(&name)))
        .collect()
}

#[test]
fn somebody_elses_directory_is_refused_and_not_touched() {
    let disk = SimulatedDisk::new(1);
    disk.put("holiday.jpg", vec![1, 2, 3]);
    let before = everything(&disk);
    let error = closed(disk.clone()).open().unwrap_err();
    assert!(matches!(&error, OpenError::NotAJournal { found, .. } if found == "holiday.jpg"));
    assert!(error.to_string().contains("holds 'holiday.jpg'"), "{error}");
    assert_eq!(everything(&disk), before);
    assert_eq!(disk.operations(), []);
}

#[test]
fn the_root_of_a_new_volume_will_do() {
    let disk = SimulatedDisk::new(1);
    disk.put("lost+found", Vec::new());
    closed(disk).open().unwrap();
}

#[test]
fn files_that_are_not_ours_do_not_disturb() {
    let mut rig = written();
    rig.disk.put("notes.txt", vec![1]);
    rig.disk.put("00000000000000000001-zz.seg", vec![1]);
    rig.open().unwrap();
    rig.check_reopened();
}

#[test]
fn another_format_is_refused_and_not_touched() {
    for (name, reads) in [
        ("meta", 2),
        ("00000000000000000001-0000000000000001.seg", 1),
    ] {
        let mut rig = written();
        rig.disk.tamper(name, |bytes| {
            bytes[8] = 3;
            let crc = crc32c::crc32c(&bytes[..92]);
            bytes[92..96].copy_from_slice(&crc.to_le_bytes());
        });
        let before = everything(&rig.disk);
        let error = rig.open().unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Version {
                    found: 3,
                    supported,
                    ..
                } if supported == reads
            ),
            "{error}"
        );
        assert_eq!(everything(&rig.disk), before);
        assert_eq!(rig.disk.operations(), []);
    }
}

#[test]
fn a_second_process_is_told_who_was_first() {
    let mut rig = written();
    let process = rig.disk.process();
    let (_first, _) = recovery::open(process.clone(), &rig.options).unwrap();
    let before = everything(&rig.disk);
    let error = recovery::open(process, &rig.options).unwrap_err();
    assert!(matches!(&error, OpenError::InUse { holder, .. } if holder == "process 1"));
    assert_eq!(everything(&rig.disk), before);
    rig.writer = None;
}

#[test]
fn segments_of_two_journals_are_refused() {
    let mut rig = written();
    let mut other = Rig::closed(SimulatedDisk::new(9), limits(4_096), KEEP_ALL);
    other.options.rng = crate::runtime::Rng::from_seed(99);
    other.open().unwrap();
    let foreign = other
        .disk
        .contents("00000000000000000001-0000000000000001.seg");
    rig.disk
        .put("00000000000000000003-0000000000000002.seg", foreign);
    assert!(matches!(rig.open().unwrap_err(), OpenError::Mixed { .. }));
    rig.disk.forget("00000000000000000003-0000000000000002.seg");
    let own = rig
        .disk
        .contents("00000000000000000001-0000000000000001.seg");
    rig.disk
        .put("00000000000000000003-0000000000000002.seg", own);
    assert!(matches!(
        rig.open().unwrap_err(),
        OpenError::Mixed {
            reason: "it was renamed",
            ..
        }
    ));
}

#[test]
fn a_copied_directory_is_a_new_epoch_with_the_same_events() {
    let mut rig = written();
    let epoch = rig.recovered.is_some().then(|| {
        rig.open().unwrap();
        rig.shared().epoch
    });
    rig.close();
    rig.disk.move_to_another_directory();
    rig.open().unwrap();
    let moved = rig.shared().epoch;
    assert_ne!(Some(moved), epoch);
    assert_eq!(rig.latest().get(), 2);
    rig.check_from(crate::domain::Sequence::ZERO, 1_000);
    rig.append(&[events(&[10])]).unwrap();
    rig.close();
    rig.open().unwrap();
    assert_eq!(rig.shared().epoch, moved, "once is enough");
    assert_eq!(rig.latest().get(), 3);
}

#[test]
fn files_put_back_into_their_directory_are_a_new_epoch() {
    let mut rig = written();
    let meta = rig.disk.contents("meta");
    rig.disk.put("meta", meta);
    rig.open().unwrap();
    assert!(rig.recovered.as_ref().unwrap().new_epoch.is_some());
    rig.disk.forget("meta");
    rig.close();
    rig.open().unwrap();
    assert!(rig.recovered.as_ref().unwrap().new_epoch.is_some());
    assert_eq!(rig.latest().get(), 2);
}

#[test]
fn an_orderly_restart_writes_nothing_new() {
    let mut rig = written();
    let before = everything(&rig.disk);
    for _ in 0..3 {
        rig.open().unwrap();
        rig.check_reopened();
        rig.close();
    }
    assert_eq!(everything(&rig.disk), before);
}
