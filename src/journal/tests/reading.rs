//! Reads: from every place, in pages of every size, by time; and state of every size.

use super::kit::{KEEP_ALL, Rig, Shape, events, limits};
use crate::domain::{Sequence, WallTime};
use crate::journal::{ReadError, reader};

fn varied() -> Rig {
    let mut rig = Rig::new(1, limits(20_000), KEEP_ALL);
    rig.check_reopened();
    for n in 0..60_usize {
        rig.append(&[events(&[n * 7, n]), events(&[n * 40])])
            .unwrap();
        rig.pass(1);
    }
    rig
}

#[test]
fn every_place_is_served_in_pages_of_every_size() {
    let rig = varied();
    for after in 0..rig.latest().get() {
        for max_bytes in [0, 1, 300, 5_000, 1 << 20] {
            rig.check_from(Sequence::new(after), max_bytes);
        }
    }
}

#[test]
fn the_events_of_a_page_stand_one_right_behind_the_other() {
    let rig = varied();
    let page = reader::read_page(&rig.shared(), Sequence::ZERO, 4_000).unwrap();
    let starts: Vec<_> = super::kit::entries(&page)
        .map(|e| e.element.as_ptr().addr())
        .collect();
    assert!(starts.len() > 5);
    let elements: Vec<_> = super::kit::entries(&page)
        .map(|e| e.element.clone())
        .collect();
    assert_eq!(page.buffer, elements.concat());
    let ends = elements.iter().map(|e| e.as_ptr().addr() + e.len());
    assert!(ends.zip(&starts[1..]).all(|(end, start)| end == *start));
}

#[test]
fn an_event_larger_than_any_window_is_read() {
    let mut rig = Rig::new(1, limits(1 << 20), KEEP_ALL);
    rig.check_reopened();
    rig.append(&[events(&[10, 700_000, 10])]).unwrap();
    rig.append(&[events(&[2_900_000])]).unwrap();
    rig.check_from(Sequence::ZERO, 100);
    rig.check();
    rig.writer = None;
    rig.disk.cut_power();
    rig.open().unwrap();
    rig.check_reopened();
}

#[test]
fn a_time_is_found_exactly() {
    let rig = varied();
    let seek = |time| reader::seek_time(&rig.shared(), time).unwrap().get();
    let seen = rig.seen();
    assert_eq!(seek(WallTime::default()), 0);
    assert_eq!(seek(WallTime::from_nanos(u64::MAX)), seen.len() as u64);
    for entry in seen {
        for nanos in [-1_i64, 0, 1] {
            let time = entry
                .record_time
                .as_nanos()
                .checked_add_signed(nanos)
                .unwrap();
            let time = WallTime::from_nanos(time);
            let expected = seen.iter().filter(|e| e.record_time < time).count();
            assert_eq!(seek(time), expected as u64);
        }
    }
}

#[test]
fn a_place_beyond_the_end_is_an_error() {
    let rig = varied();
    let beyond = rig.latest().next();
    let error = reader::read_page(&rig.shared(), beyond, 1).unwrap_err();
    assert!(matches!(error, ReadError::NotWritten { .. }));
    assert!(
        reader::read_page(&rig.shared(), rig.latest(), 1)
            .unwrap()
            .items
            .is_empty()
    );
}

#[test]
fn record_time_never_decreases_though_the_clock_does() {
    let mut rig = varied();
    let before = rig.now;
    rig.now = before.minus(std::time::Duration::from_secs(3_600));
    rig.append(&[events(&[1])]).unwrap();
    assert!(rig.seen().last().unwrap().record_time >= rig.seen()[rig.seen().len() - 2].record_time);
    rig.close();
    rig.open().unwrap();
    rig.append(&[events(&[1])]).unwrap();
    assert!(rig.seen().is_sorted_by_key(|entry| entry.record_time));
}

#[test]
fn state_larger_than_a_segment_is_kept_and_rolled() {
    let mut rig = Rig::new(1, limits(2_048), KEEP_ALL);
    rig.check_reopened();
    for key in 0..200_u8 {
        let state = vec![(key, true)];
        rig.append(&[Shape {
            events: vec![100],
            state,
        }])
        .unwrap();
    }
    assert!(
        rig.shared().catalog.all().len() < 40,
        "each segment has room beside its snapshot"
    );
    rig.writer = None;
    rig.disk.cut_power();
    rig.open().unwrap();
    rig.check_reopened();
}

#[test]
fn state_alone_rolls_a_segment_and_burns_no_sequence() {
    let mut rig = Rig::new(1, limits(2_048), KEEP_ALL);
    rig.check_reopened();
    for _ in 0..200 {
        rig.append(&[Shape {
            events: vec![],
            state: vec![(1, true), (2, false)],
        }])
        .unwrap();
    }
    assert!(rig.shared().catalog.all().last().unwrap().generation > 3);
    assert_eq!(rig.latest(), Sequence::ZERO);
    rig.append(&[events(&[5])]).unwrap();
    rig.close();
    rig.open().unwrap();
    rig.check_reopened();
}
