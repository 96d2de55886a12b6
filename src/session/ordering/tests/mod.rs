//! Ordering on its own, against what may arrive in any order.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const DENSE: Numbering = Numbering {
    dense: true,
    batch_is_cursor: true,
};

fn unit(number: u64) -> Unit<u64> {
    Unit {
        number,
        payload: number,
        events: 1,
        bytes: 10,
        hash: number ^ 77,
    }
}

fn ordering() -> Ordering<u64> {
    Ordering::new(DENSE, Position::default())
}

fn numbers(released: &[Released<u64>]) -> Vec<u64> {
    released.iter().map(|r| r.number).collect()
}

fn range(first: u64, last: u64) -> NumberRange {
    NumberRange { first, last }
}

#[test]
fn u17_later_numbers_wait_behind_a_hole_and_leave_in_order() {
    let mut ordering = ordering();
    let mut out = Vec::new();
    assert_eq!(ordering.offer(unit(1), &mut out), Offered::Accepted);
    assert_eq!(ordering.offer(unit(4), &mut out), Offered::Held);
    assert_eq!(ordering.offer(unit(4), &mut out), Offered::Duplicate);
    assert_eq!(ordering.holes(), [range(2, 3)]);
    assert_eq!((ordering.position().cursor, ordering.highest()), (1, 4));
    assert_eq!(ordering.offer(unit(3), &mut out), Offered::Held);
    assert_eq!(ordering.absent(range(1, 9)), [range(2, 2), range(5, 9)]);
    assert_eq!(ordering.offer(unit(2), &mut out), Offered::Accepted);
    assert_eq!(numbers(&out), [1, 2, 3, 4]);
    assert_eq!(ordering.offer(unit(2), &mut out), Offered::Duplicate);
}

#[test]
fn u17_what_comes_after_its_gap_was_given_up_is_late_and_only_once() {
    let mut ordering = ordering();
    let mut out = Vec::new();
    ordering.offer(unit(5), &mut out);
    ordering.give_up(range(1, 4), Some(Sequence::new(9)), &mut out);
    assert_eq!(numbers(&out), [5]);
    assert_eq!(ordering.offer(unit(3), &mut out), Offered::Late);
    assert_eq!(out[1].late, Some(Sequence::new(9)));
    assert_eq!(ordering.offer(unit(3), &mut out), Offered::Duplicate);
    let left: Vec<_> = ordering
        .position()
        .missing
        .runs()
        .iter()
        .map(|r| r.range)
        .collect();
    assert_eq!(left, [range(1, 2), range(4, 4)]);
}

#[test]
fn u15_what_a_batch_passed_over_behind_a_hole_is_taken_where_it_comes_after_all() {
    let mut ordering = ordering();
    let mut out = Vec::new();
    ordering.offer(unit(2), &mut out);
    ordering.skip_to(9, &mut out);
    // In the middle of what was passed over, at its end, and at its beginning.
    for number in [6, 9, 3] {
        assert_eq!(ordering.offer(unit(number), &mut out), Offered::Held);
        assert_eq!(ordering.offer(unit(number), &mut out), Offered::Duplicate);
    }
    assert_eq!(ordering.holes(), [range(1, 1)]);
    ordering.offer(unit(1), &mut out);
    assert_eq!(numbers(&out), [1, 2, 3, 6, 9]);
    assert_eq!(ordering.position().cursor, 9);
}

#[test]
fn u15_an_empty_batch_advances_the_cursor_without_a_hole() {
    let mut ordering = ordering();
    let mut out = Vec::new();
    ordering.skip_to(50, &mut out);
    assert_eq!(ordering.offer(unit(51), &mut out), Offered::Accepted);
    assert!(ordering.holes().is_empty());
    // What the platform skipped and then sends after all is not lost.
    assert_eq!(ordering.offer(unit(20), &mut out), Offered::Late);
    assert_eq!(out[1].late, None);
    // Behind a hole it waits its turn.
    ordering.offer(unit(53), &mut out);
    ordering.skip_to(60, &mut out);
    assert_eq!((ordering.position().cursor, ordering.highest()), (51, 60));
    ordering.offer(unit(52), &mut out);
    assert_eq!(ordering.position().cursor, 60);
}

#[test]
fn u15_sparse_numbers_have_no_holes() {
    let rule = Numbering {
        dense: false,
        batch_is_cursor: true,
    };
    let mut ordering = Ordering::new(rule, Position::default());
    let mut out = Vec::new();
    assert_eq!(ordering.offer(unit(10), &mut out), Offered::Accepted);
    assert_eq!(ordering.offer(unit(500), &mut out), Offered::Accepted);
    assert_eq!(ordering.offer(unit(400), &mut out), Offered::Duplicate);
    assert!(!ordering.is_holding());
}

#[test]
fn u17_a_full_buffer_says_so() {
    let mut ordering = ordering();
    let mut out = Vec::new();
    for number in 2..=10_002 {
        ordering.offer(unit(number), &mut out);
    }
    assert!(ordering.is_full());
    ordering.give_up(range(1, 1), None, &mut out);
    assert!(!ordering.is_full() && !ordering.is_holding());
    let mut large = unit(20_000);
    large.bytes = 17 << 20;
    ordering.offer(large, &mut out);
    assert!(ordering.is_full());
}

#[test]
fn u19_numbers_that_begin_anew_need_two_answers_ten_seconds_apart() {
    let mut ordering = ordering();
    let mut out = Vec::new();
    (1..=5).for_each(|n| {
        ordering.offer(unit(n), &mut out);
    });
    let start = MonoTime::now();
    let at = |s| start + Duration::from_secs(s);
    assert!(!ordering.began_anew(at(0), 2, false));
    assert!(!ordering.began_anew(at(9), 3, false));
    assert!(
        !ordering.began_anew(at(11), 5, false),
        "an answer at the cursor is no sign"
    );
    assert!(!ordering.began_anew(at(12), 2, false));
    assert!(
        !ordering.began_anew(at(30), 2, true),
        "a repetition is no sign"
    );
    assert!(ordering.began_anew(at(31), 2, false));
    assert!(ordering.is_repetition(4, 4 ^ 77));
    assert!(!ordering.is_repetition(4, 4));
    assert!(!ordering.is_repetition(4 + 1_024, 4 ^ 77), "another number");
    assert!(!ordering.is_repetition(600, 0), "nothing came there");
    ordering.offer(unit(9), &mut out);
    ordering.begin_anew(&mut out);
    assert_eq!(numbers(&out), [1, 2, 3, 4, 5, 9]);
    assert_eq!(
        (ordering.position().numbering, ordering.position().cursor),
        (1, 0)
    );
}

#[test]
fn u16_ids_are_forgotten_after_ten_minutes() {
    let now = MonoTime::now();
    let shared = SharedIds::new(now, vec![2, 1]);
    let mut ids = RecentIds::seeded(shared.clone());
    let lent = shared.lent();
    drop(shared);
    let none = Duration::ZERO;
    assert!(!ids.is_new(now, none, 2));
    assert!(ids.is_new(now + Duration::from_secs(1), none, 3));
    let later = now + Duration::from_millis(600_500);
    let asked = Duration::from_millis(500);
    assert!(!ids.is_new(later, asked, 2) && !ids.is_new(later, asked, 3));
    assert!(lent.get().contains(2));
    assert!(ids.is_new(later, none, 2) && !ids.is_new(later, none, 3));
    assert!(!lent.get().contains(2), "nobody has them any more");
}

/// An id is a duplicate if the same came within ten minutes, whatever else came; of one that came up to
/// a second before that, either may be said.
#[derive(Debug, Default)]
struct Remembered(std::collections::BTreeMap<u64, MonoTime>);

impl Remembered {
    fn agrees(&mut self, now: MonoTime, id: u64, is_new: bool) -> bool {
        let ago = self.0.get(&id).map(|at| now - *at);
        if is_new {
            self.0.insert(id, now);
        }
        match ago {
            None => is_new,
            Some(ago) if ago <= Duration::from_secs(600) => !is_new,
            Some(ago) => is_new || ago <= Duration::from_secs(601),
        }
    }
}

#[test]
fn u16_no_more_than_a_million_ids_are_remembered() {
    let now = MonoTime::now();
    let mut ids = RecentIds::default();
    assert!((0..1_000_001).all(|id| ids.is_new(now, Duration::ZERO, id)));
    assert!(!ids.contains(0), "the oldest made room");
    assert!((1..1_000_001).all(|id| ids.contains(id)));
}

mod overlapping;

proptest! {
    #[test]
    fn u16_an_id_is_known_for_ten_minutes_whatever_else_comes(
        arrivals in proptest::collection::vec((0_u64..30, 0_u64..40_000), 1..600),
    ) {
        let mut now = MonoTime::now();
        let (mut ids, mut remembered) = (RecentIds::default(), Remembered::default());
        for (id, wait) in arrivals {
            now += Duration::from_millis(wait);
            let is_new = ids.is_new(now, Duration::ZERO, id);
            prop_assert!(remembered.agrees(now, id, is_new), "{id} is new: {is_new}");
        }
    }

    #[test]
    fn every_number_is_released_once_and_in_order_or_given_up(
        arrivals in proptest::collection::vec((1_u64..40, 0_u8..10), 1..200),
    ) {
        let mut ordering = ordering();
        let mut out = Vec::new();
        let mut given_up = BTreeSet::new();
        let mut offered = BTreeSet::new();
        for (number, what) in arrivals {
            match what {
                0 => {
                    for hole in ordering.holes() {
                        given_up.extend(hole.first..=hole.last);
                        ordering.give_up(hole, Some(Sequence::new(1)), &mut out);
                    }
                }
                _ => {
                    offered.insert(number);
                    ordering.offer(unit(number), &mut out);
                }
            }
            let in_order: Vec<_> = out.iter().filter(|r| r.late.is_none()).map(|r| r.number).collect();
            prop_assert!(in_order.is_sorted_by(|a, b| a < b));
            let all: Vec<_> = numbers(&out);
            let once: BTreeSet<_> = all.iter().copied().collect();
            prop_assert_eq!(once.len(), all.len(), "nothing twice");
            prop_assert!(once.is_subset(&offered), "nothing invented");
            for covered in 1..=ordering.position().cursor {
                prop_assert!(once.contains(&covered) || given_up.contains(&covered));
            }
            prop_assert!(out.iter().all(|r| r.late.is_none() || given_up.contains(&r.number)));
        }
    }
}
