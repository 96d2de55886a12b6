//! Trims: by age while idle, by size, by free space; what survives them and what survives a restart.

use std::time::Duration;

use super::kit::{KEEP_ALL, Rig, events, limits};
use crate::domain::Sequence;
use crate::journal::retention::{Hold, Retention};
use crate::journal::{ReadError, reader};

#[test]
fn an_idle_journal_is_trimmed() {
    let keep = Retention {
        max_age: Some(Duration::from_secs(60)),
        ..KEEP_ALL
    };
    let mut rig = Rig::new(1, limits(1 << 16), keep);
    rig.check_reopened();
    rig.append(&[events(&[10, 10, 10])]).unwrap();
    for _ in 0..10 {
        rig.pass(5);
        rig.check();
    }
    assert_eq!(rig.earliest().get(), 1);
    rig.pass(20);
    assert_eq!((rig.earliest().get(), rig.latest().get()), (4, 3));
    assert_eq!(
        rig.shared().catalog.all().len(),
        1,
        "and it is not rolled for ever"
    );
    let files = rig.disk.names().len();
    for _ in 0..50 {
        rig.pass(30);
    }
    assert_eq!(rig.disk.names().len(), files);
    let error = reader::read_page(&rig.shared(), Sequence::ZERO, 1).unwrap_err();
    assert!(matches!(error, ReadError::Trimmed { earliest, .. } if earliest.get() == 4));
    rig.close();
    rig.open().unwrap();
    rig.check_reopened();
    assert_eq!(rig.earliest().get(), 4);
    assert_eq!(rig.shared().info().earliest_time, None);
    assert_eq!(rig.shared().info().latest_time, Some(super::kit::START));
}

#[test]
fn ids_of_trimmed_events_are_remembered_also_after_a_restart() {
    let keep = Retention {
        max_bytes: Some(10_000),
        ..KEEP_ALL
    };
    let mut rig = Rig::new(1, limits(4_096), keep);
    rig.check_reopened();
    for _ in 0..40 {
        rig.append(&[events(&[900])]).unwrap();
        rig.pass(1);
        rig.check();
    }
    assert!(rig.earliest().get() > 30);
    let ids = rig.shared().ids.lock().all();
    assert_eq!(ids.len(), 40);
    for power in [false, true] {
        rig.writer = None;
        if power {
            rig.disk.cut_power();
        }
        rig.open().unwrap();
        rig.check_reopened();
        assert_eq!(rig.shared().ids.lock().all(), ids);
    }
    rig.pass(700);
    rig.writer = None;
    rig.open().unwrap();
    let known = rig.shared().ids.lock().all();
    assert_eq!(known, ids, "nothing came that would have aged them");
    rig.append(&[events(&[900])]).unwrap();
    assert_eq!(rig.shared().ids.lock().all().len(), 1);
}

#[test]
fn size_stays_within_its_bound() {
    let keep = Retention {
        max_bytes: Some(30_000),
        hard_max_bytes: Some(40_000),
        ..KEEP_ALL
    };
    let mut rig = Rig::new(1, limits(4_096), keep);
    rig.check_reopened();
    for _ in 0..100 {
        rig.append(&[events(&[700])]).unwrap();
        rig.pass(1);
        assert!(rig.shared().info().size_bytes <= 30_000);
    }
    let kept = rig.latest().since(rig.earliest());
    assert!(kept > 15, "{kept} events are kept in 30 kB");
}

fn hold(rig: &Rig, passed: u64, bytes: u64) {
    let passed = Sequence::new(passed);
    *rig.shared().holds.lock() = [Hold { passed, bytes }].into();
}

#[test]
fn a_cursor_holds_back_its_bytes_and_lets_go_of_what_it_passes() {
    let keep = Retention {
        max_bytes: Some(20_000),
        ..KEEP_ALL
    };
    let mut rig = Rig::new(1, limits(4_096), keep);
    rig.check_reopened();
    let size = |rig: &Rig| rig.shared().info().size_bytes;
    hold(&rig, 0, 30_000);
    for _ in 0..200 {
        rig.append(&[events(&[700])]).unwrap();
        rig.pass(1);
        assert!(size(&rig) <= 50_000, "{}", size(&rig));
    }
    assert!(size(&rig) > 35_000, "it is used: {}", size(&rig));
    let latest = rig.latest().get();
    hold(&rig, latest, 30_000);
    rig.pass(1);
    assert!(size(&rig) <= 20_000, "{}", size(&rig));
}

#[test]
fn a_cursor_holds_back_up_to_the_hard_bound() {
    let keep = Retention {
        max_bytes: Some(20_000),
        hard_max_bytes: Some(60_000),
        ..KEEP_ALL
    };
    let mut rig = Rig::new(1, limits(4_096), keep);
    rig.check_reopened();
    hold(&rig, 5, u64::MAX);
    for _ in 0..50 {
        rig.append(&[events(&[700])]).unwrap();
        rig.pass(1);
    }
    assert!(
        rig.earliest().get() <= 6,
        "it is still there for the cursor"
    );
    for _ in 0..100 {
        rig.append(&[events(&[700])]).unwrap();
        rig.pass(1);
        assert!(rig.shared().info().size_bytes <= 60_000);
    }
    assert!(
        rig.earliest().get() > 6,
        "the hard bound beats every cursor"
    );
}

#[test]
fn the_file_for_the_next_segment_counts_as_well() {
    let keep = Retention {
        max_bytes: Some(30_000),
        ..KEEP_ALL
    };
    let mut rig = Rig::new(1, limits(8_192), keep);
    rig.check_reopened();
    for _ in 0..100 {
        rig.append(&[events(&[700])]).unwrap();
        if rig.writer().wanted_spare().is_some() {
            rig.prepare_spare();
        }
        let size = rig.shared().info().size_bytes;
        assert!(size <= 30_000, "{size}");
    }
}

#[test]
fn little_free_space_deletes_the_oldest() {
    let keep = Retention {
        min_free_bytes: 20_000,
        ..KEEP_ALL
    };
    let mut rig = Rig::new(1, limits(4_096), keep);
    rig.check_reopened();
    rig.disk.set_capacity(50_000);
    for _ in 0..100 {
        rig.append(&[events(&[700])]).unwrap();
        rig.pass(1);
        rig.check();
    }
    assert!(rig.disk.used() <= 35_000);
    assert!(rig.earliest().get() > 50);
}

#[test]
fn a_reader_of_a_trimmed_segment_finishes_its_page_or_is_told() {
    let keep = Retention {
        max_age: Some(Duration::from_secs(60)),
        ..KEEP_ALL
    };
    let mut rig = Rig::new(1, limits(1 << 16), keep);
    rig.check_reopened();
    rig.append(&[events(&[10, 10, 10])]).unwrap();
    let shared = rig.shared();
    let segment = shared.catalog.all()[0].clone();
    let file = shared.catalog.file(&*shared.storage, &segment).unwrap();
    rig.pass(100);
    assert_eq!(rig.earliest().get(), 4);
    let mut bytes = vec![0; 300];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 300);
    assert!(bytes.starts_with(b"TIELSEG"));
}

#[test]
fn the_next_segment_is_prepared_ahead_and_taken() {
    let mut rig = Rig::new(1, limits(8_192), KEEP_ALL);
    rig.check_reopened();
    assert_eq!(rig.writer().wanted_spare(), None);
    rig.append(&[events(&[3_000])]).unwrap();
    assert_eq!(rig.writer().wanted_spare(), Some(8_192));
    rig.prepare_spare();
    assert_eq!(rig.writer().wanted_spare(), None);
    assert!(rig.disk.names().contains(&"spare".to_owned()));
    rig.append(&[events(&[6_000])]).unwrap();
    assert!(!rig.disk.names().contains(&"spare".to_owned()));
    assert_eq!(rig.shared().catalog.all().len(), 2);
    rig.check();
}
