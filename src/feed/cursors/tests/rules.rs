//! What may move a cursor, and where to: one by one, and in any order.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::drafts::{Change, Drafts};
use super::stored::{self, Record};
use super::*;
use crate::journal::StateEntry;

const NOW: WallTime = WallTime::from_millis(7);

fn cursor(epoch: u64, sequence: u64, lease: u64) -> Cursor {
    Cursor {
        committed: position(epoch, sequence),
        commit_time: None,
        lease,
        max_retained_bytes: 0,
    }
}

fn commit(of: &Cursor, lease: u64, to: AskedPosition) -> Result<Option<Cursor>, FeedError> {
    of.commit(&name("c"), lease, &to, (&info(1, 11, 50), NOW))
}

#[test]
fn a_commit_moves_forward_and_an_older_one_is_none() {
    let cursor = cursor(1, 20, 3);
    let moved = commit(&cursor, 3, at(1, 30)).unwrap().unwrap();
    assert_eq!(moved.committed, position(1, 30));
    assert_eq!((moved.commit_time, moved.lease), (Some(NOW), 3));
    for older in [0, 5, 19, 20] {
        assert_eq!(commit(&cursor, 3, at(1, older)), Ok(None), "{older}");
    }
    assert!(commit(&cursor, 3, at(1, 50)).unwrap().is_some(), "the end");
}

#[test]
fn a_commit_of_the_present_epoch_replaces_one_of_a_former_whatever_its_number() {
    let former = cursor(9, 1_000_000, 0);
    let moved = commit(&former, 0, at(1, 12)).unwrap().unwrap();
    assert_eq!(moved.committed, position(1, 12));
}

#[test]
fn a_commit_that_cannot_be_true_says_why() {
    let here = cursor(1, 20, 3);
    let epoch = commit(&here, 3, at(9, 1)).unwrap_err();
    assert!(matches!(epoch, FeedError::EpochChanged { .. }), "{epoch:?}");
    let same_former = commit(&cursor(9, 5, 3), 3, at(9, 5)).unwrap_err();
    assert!(matches!(same_former, FeedError::EpochChanged { .. }));
    let beyond = commit(&here, 3, at(1, 51)).unwrap_err();
    assert!(matches!(beyond, FeedError::PositionNotWritten(at) if at.latest.get() == 50));
    for lease in [0, 2, 4, u64::MAX] {
        // Whatever it names: who lost the lease is told that first.
        for to in [at(1, 20), at(1, 21), at(9, 1), at(1, 51)] {
            let fenced = commit(&here, lease, to).unwrap_err();
            let expected = CursorError::Fenced {
                name: name("c"),
                lease: 3,
            };
            assert_eq!(fenced, expected.into());
        }
    }
}

#[test]
fn a_seek_goes_anywhere_that_can_be_read_from_and_raises_the_lease() {
    let here = cursor(1, 20, 3);
    let info = info(1, 11, 50);
    let seek = |to: Start, sought| here.seek(&to, Sequence::new(sought), (&info, NOW));
    let places = [
        (Start::After(at(1, 10)), 10),
        (Start::After(at(1, 50)), 50),
        (Start::Earliest, 10),
        (Start::Latest, 50),
        (Start::FromTime(WallTime::from_millis(30)), 29),
    ];
    for (to, expected) in places {
        let moved = seek(to.clone(), 29).unwrap();
        assert_eq!(moved.committed, position(1, expected), "{to:?}");
        assert_eq!(moved.lease, 4);
    }
    let trimmed = seek(Start::After(at(1, 9)), 0).unwrap_err();
    assert!(matches!(trimmed, FeedError::PositionTrimmed(_)));
    let beyond = seek(Start::After(at(1, 51)), 0).unwrap_err();
    assert!(matches!(beyond, FeedError::PositionNotWritten(_)));
    let epoch = seek(Start::After(at(9, 20)), 0).unwrap_err();
    assert!(matches!(epoch, FeedError::EpochChanged { .. }));
}

#[test]
fn a_stream_begins_behind_what_was_committed_or_as_its_policy_says() {
    let info = info(1, 11, 50);
    let (opened, resolved) = cursor(1, 20, 3).open(Policy::Fail, &info).unwrap();
    assert_eq!((opened.lease, resolved.start.get()), (4, 20));
    assert_eq!(opened.committed, position(1, 20), "it moves nothing");
    for (lost, is_epoch) in [(cursor(9, 20, 3), true), (cursor(1, 5, 3), false)] {
        let refused = lost.open(Policy::Fail, &info).unwrap_err();
        assert_eq!(
            matches!(refused, FeedError::EpochChanged { .. }),
            is_epoch,
            "{refused:?}"
        );
        let (_, resolved) = lost.open(Policy::ResumeAtEarliest, &info).unwrap();
        assert_eq!((resolved.start.get(), resolved.gap.is_some()), (10, true));
        let (_, resolved) = lost.open(Policy::ResumeAtLatest, &info).unwrap();
        assert_eq!((resolved.start.get(), resolved.gap.is_some()), (50, true));
    }
}

#[test]
fn lag_counts_what_is_not_done_with() {
    let info = info(1, 11, 50);
    assert_eq!(cursor(1, 20, 0).lag(&info), 30);
    assert_eq!(cursor(1, 50, 0).lag(&info), 0);
    assert_eq!(cursor(1, 5, 0).lag(&info), 45, "what is gone was not read");
    assert_eq!(cursor(9, 49, 0).lag(&info), 40, "all that there are");
}

#[test]
fn only_a_cursor_of_this_incarnation_with_bytes_to_its_name_holds_back() {
    let info = info(1, 11, 50);
    let holding = |epoch, max_retained_bytes| Cursor {
        max_retained_bytes,
        ..cursor(epoch, 20, 0)
    };
    assert_eq!(holding(1, 0).hold(&info), None);
    assert_eq!(holding(9, 7).hold(&info), None);
    let hold = holding(1, 7).hold(&info).unwrap();
    assert_eq!((hold.passed.get(), hold.bytes), (20, 7));
}

#[test]
fn a_journal_keeps_no_more_than_its_number_of_cursors() {
    let kept: BTreeMap<_, _> = (0..MOST_CURSORS)
        .map(|n| (name(&format!("c{n}")), cursor(1, 20, 0)))
        .collect();
    let mut drafts = Drafts::over(&kept, 0);
    let here = info(1, 11, 50);
    let create = Change::Create {
        start: Start::Latest,
        max_retained_bytes: 0,
    };
    let mut apply = |of: &str, change: &Change| drafts.apply(&name(of), change, (&here, NOW));
    let limit = MOST_CURSORS;
    let refused = apply("new", &create).unwrap_err();
    assert_eq!(refused, CursorError::Quota { limit }.into());
    let delete = Change::Delete {
        etag: String::new(),
    };
    apply("c7", &delete).unwrap();
    apply("new", &create).unwrap();
    assert!(apply("c7", &create).is_err());
}

/// Everything that can be asked of two cursors, under leases and at positions of any kind.
fn any_change() -> impl Strategy<Value = Change> {
    let place = (1_u64..3, 0_u64..60).prop_map(|(epoch, to)| at(epoch, to));
    let start = prop_oneof![
        Just(Start::Earliest),
        Just(Start::Latest),
        place.clone().prop_map(Start::After)
    ];
    let policy = prop_oneof![Just(Policy::Fail), Just(Policy::ResumeAtEarliest)];
    prop_oneof![
        2 => start.clone().prop_map(|start| Change::Create { start, max_retained_bytes: 9 }),
        1 => Just(Change::Delete { etag: String::new() }),
        1 => Just(Change::Delete { etag: "0123".to_owned() }),
        8 => (0_u64..6, place).prop_map(|(lease, to)| Change::Commit { lease, to }),
        2 => start.prop_map(|to| Change::Seek { to, sought: Sequence::ZERO }),
        3 => policy.prop_map(|policy| Change::Open { policy }),
    ]
}

proptest! {
    #![proptest_config(cases(256))]

    /// Changes come in runs, of which some are kept and others are not; the journal grows meanwhile, is
    /// trimmed, and becomes another incarnation.
    #[test]
    fn no_cursor_goes_back_and_no_lease_is_given_out_twice(
        runs in vec((vec((0_u8..2, any_change()), 1..8), any::<bool>(), 0_u64..12, 0_u8..16), 1..12),
    ) {
        let mut kept = BTreeMap::<SubscriptionName, Cursor>::new();
        let mut spent = 0;
        // The highest lease that anybody was given, by name.
        let mut given = BTreeMap::<SubscriptionName, u64>::new();
        let mut here = info(1, 1, 20);
        for (run, is_kept, grows, other) in runs {
            here.latest = here.latest.plus(grows);
            match other {
                0 => here.epoch = Epoch::new(2),
                1 => here.earliest = here.latest.minus(5).next(),
                _ => {}
            }
            let mut drafts = Drafts::over(&kept, spent);
            let mut now = kept.clone();
            let mut told = given.clone();
            for (of, change) in &run {
                let of = name(&format!("c{of}"));
                let before = now.get(&of).cloned();
                let Ok(applied) = drafts.apply(&of, change, (&here, NOW)) else {
                    continue;
                };
                let after = applied.cursor;
                match (change, before) {
                    (Change::Create { .. }, before) => {
                        prop_assert_eq!(before, None);
                        let ever = told.get(&of).copied().unwrap_or(0);
                        prop_assert!(after.lease >= ever, "{} after {}", after.lease, ever);
                        now.insert(of, after);
                    }
                    (Change::Delete { etag }, Some(before)) => {
                        prop_assert!(etag.is_empty());
                        prop_assert_eq!(&after, &before);
                        now.remove(&of);
                    }
                    (Change::Commit { lease, to }, Some(before)) => {
                        prop_assert_eq!(*lease, before.lease);
                        prop_assert_eq!(after.lease, before.lease);
                        prop_assert_eq!(after.committed.epoch, here.epoch);
                        prop_assert!(after.committed.sequence >= to.sequence);
                        prop_assert!(after.committed.sequence <= here.latest);
                        if before.committed.epoch == here.epoch {
                            prop_assert!(after.committed.sequence >= before.committed.sequence);
                        }
                        now.insert(of, after);
                    }
                    (Change::Seek { .. }, Some(before)) => {
                        prop_assert_eq!(after.lease, before.lease + 1);
                        now.insert(of, after);
                    }
                    (Change::Open { .. }, Some(before)) => {
                        prop_assert_eq!(after.lease, before.lease + 1);
                        prop_assert!(after.lease > told.get(&of).copied().unwrap_or(0));
                        prop_assert_eq!(after.committed, before.committed);
                        told.insert(of.clone(), after.lease);
                        now.insert(of, after);
                    }
                    (_, None) => prop_assert!(false, "{change:?} of none"),
                }
            }
            let draft = drafts.finish();
            // What is written is what was decided: read back, it is that.
            let mut written: BTreeMap<_, _> = kept
                .iter()
                .map(|(name, cursor)| stored::delta(name, Some(cursor)))
                .chain([stored::spent_delta(spent)])
                .map(|delta| (delta.key, delta.value))
                .collect();
            written.extend(draft.deltas.into_iter().map(|delta| (delta.key, delta.value)));
            let (mut read, mut spent_read) = (BTreeMap::new(), 0);
            for (key, value) in written {
                let Some(value) = value else { continue };
                match stored::read(&StateEntry { key, value, sequence: Sequence::ZERO }) {
                    Some(Record::Cursor(name, cursor)) => drop(read.insert(name, cursor)),
                    Some(Record::Spent(lease)) => spent_read = lease,
                    None => prop_assert!(false, "it is not read"),
                }
            }
            prop_assert_eq!(&read, &now);
            prop_assert_eq!(spent_read, draft.spent);
            if is_kept {
                (kept, spent, given) = (now, draft.spent, told);
            }
        }
    }

    #[test]
    fn an_etag_tells_any_two_cursors_apart(
        of in any::<[u64; 4]>(), (at, other) in (0_usize..5, any::<u64>()),
    ) {
        let make = |of: [u64; 4]| Cursor {
            commit_time: Some(WallTime::from_nanos(of[2] >> 2)),
            max_retained_bytes: of[3],
            ..cursor(1, of[0], of[1])
        };
        // In one field, or in none.
        let mut changed = of;
        if let Some(field) = changed.get_mut(at) {
            *field = other;
        }
        let (a, b) = (make(of), make(changed));
        prop_assert_eq!(a.etag() == b.etag(), a == b);
    }
}

#[test]
fn what_is_not_a_cursor_of_ours_is_not_read_as_one() {
    let entry = |key: &str, value: &'static [u8]| StateEntry {
        key: key.to_owned(),
        value: value.into(),
        sequence: Sequence::ZERO,
    };
    for (key, value) in [
        ("subscriptions", &b"short"[..]),
        ("subscriptions/a", b"\xff\xff"),
        ("subscriptions/a", b""),
        ("subscriptions/NOT", b""),
        ("subscriptionsx", b"12345678"),
    ] {
        assert_eq!(stored::read(&entry(key, value)), None, "{key}");
    }
}
