//! Every start under every policy, as a table.

use super::*;
use crate::feed::start::{Resolved, resolve};

/// Sequences 11 to 20 of 20 are left, recorded at 110 s to 200 s.
fn info() -> Info {
    Info {
        name: JournalName::new("j").unwrap(),
        epoch: Epoch::new(EPOCH),
        earliest: Sequence::new(11),
        latest: Sequence::new(20),
        earliest_time: Some(seconds(110)),
        latest_time: Some(seconds(200)),
        size_bytes: 0,
        max_age: None,
        max_bytes: None,
        create_time: WallTime::default(),
        health: Health::Writable,
    }
}

fn seconds(n: u64) -> WallTime {
    WallTime::from_millis(n * 1_000)
}

fn from_time(n: u64) -> (Start, u64) {
    let sought = (n.div_ceil(10)).saturating_sub(1).clamp(10, 20);
    (Start::FromTime(seconds(n)), sought)
}

fn resolved(start: &Start, policy: Policy, sought: u64) -> Result<Resolved, FeedError> {
    resolve(start, policy, &info(), Sequence::new(sought))
}

/// (through, start, gap) of a start that can be served.
fn served(start: Start, policy: Policy, sought: u64) -> (u64, u64, Option<(u64, u64)>) {
    let r = resolved(&start, policy, sought).unwrap();
    let range = r.gap.and_then(|g| g.range).map(|(f, l)| (f.get(), l.get()));
    (r.through.get(), r.start.get(), range)
}

const POLICIES: [Policy; 3] = [
    Policy::Fail,
    Policy::ResumeAtEarliest,
    Policy::ResumeAtLatest,
];

#[test]
fn a_start_within_what_is_kept_is_served_under_every_policy() {
    for policy in POLICIES {
        assert_eq!(served(after(10), policy, 0), (10, 10, None));
        assert_eq!(served(after(15), policy, 0), (15, 15, None));
        assert_eq!(served(after(20), policy, 0), (20, 20, None));
        assert_eq!(served(Start::Earliest, policy, 0), (10, 10, None));
        assert_eq!(served(Start::Latest, policy, 0), (20, 20, None));
        assert_eq!(served(Start::Last(0), policy, 0), (20, 20, None));
        assert_eq!(served(Start::Last(3), policy, 0), (17, 17, None));
        assert_eq!(served(Start::Last(u64::MAX), policy, 0), (10, 10, None));
        for (time, place) in [(110, 10), (111, 11), (200, 19), (201, 20)] {
            let (start, sought) = from_time(time);
            assert_eq!(
                served(start, policy, sought),
                (place, place, None),
                "{time}"
            );
        }
    }
}

#[test]
fn a_trimmed_start_fails_or_is_a_gap_up_to_the_next_event() {
    let earliest = Policy::ResumeAtEarliest;
    let latest = Policy::ResumeAtLatest;
    for place in [0, 5, 9] {
        let Err(FeedError::PositionTrimmed(at)) = resolved(&after(place), Policy::Fail, 0) else {
            panic!("{place} was served");
        };
        assert_eq!(
            (at.requested.get(), at.earliest.get(), at.latest.get()),
            (place, 11, 20)
        );
        assert_eq!(at.earliest_time, Some(seconds(110)));
        assert_eq!(
            served(after(place), earliest, 0),
            (place, 10, Some((place + 1, 10)))
        );
        assert_eq!(
            served(after(place), latest, 0),
            (place, 20, Some((place + 1, 20)))
        );
    }
    let (start, sought) = from_time(109);
    assert!(matches!(
        resolved(&start, Policy::Fail, sought),
        Err(FeedError::PositionTrimmed(_))
    ));
    assert_eq!(
        served(start.clone(), earliest, sought),
        (0, 10, Some((1, 10)))
    );
    assert_eq!(served(start, latest, sought), (0, 20, Some((1, 20))));
}

#[test]
fn a_position_past_the_end_is_an_error_under_every_policy() {
    for policy in POLICIES {
        for place in [21, 1 << 63, u64::MAX] {
            let refused = resolved(&after(place), policy, 0);
            assert!(
                matches!(refused, Err(FeedError::PositionNotWritten(_))),
                "{place}"
            );
        }
    }
}

#[test]
fn another_epoch_is_never_interpreted() {
    for epoch in [
        "",
        "0",
        "000000000000FEED",
        "not an epoch",
        "0000000000000bad",
    ] {
        let start = Start::After(AskedPosition {
            epoch: epoch.to_owned(),
            sequence: Sequence::new(15),
        });
        let Err(FeedError::EpochChanged {
            requested, current, ..
        }) = resolved(&start, Policy::Fail, 0)
        else {
            panic!("'{epoch}' was interpreted");
        };
        assert_eq!((requested.as_str(), current), (epoch, Epoch::new(EPOCH)));
        for (policy, place) in [(Policy::ResumeAtEarliest, 10), (Policy::ResumeAtLatest, 20)] {
            let r = resolved(&start, policy, 0).unwrap();
            let gap = r.gap.unwrap();
            assert_eq!((r.start.get(), r.through.get()), (place, place));
            assert_eq!((gap.cause, gap.range), (Cause::EpochChanged, None));
            assert_eq!(gap.previous_epoch.as_deref(), Some(epoch));
        }
    }
}

#[test]
fn a_journal_younger_than_the_time_is_served_from_its_first_event() {
    let young = Info {
        earliest: Sequence::new(1),
        ..info()
    };
    let start = Start::FromTime(seconds(3));
    let r = resolve(&start, Policy::Fail, &young, Sequence::ZERO).unwrap();
    assert_eq!((r.start, r.gap), (Sequence::ZERO, None));
    let empty = Info {
        earliest: Sequence::new(1),
        latest: Sequence::ZERO,
        earliest_time: None,
        latest_time: None,
        ..info()
    };
    let r = resolve(&start, Policy::Fail, &empty, Sequence::ZERO).unwrap();
    assert_eq!((r.start, r.gap), (Sequence::ZERO, None));
}

#[test]
fn a_time_in_a_journal_that_was_trimmed_whole_is_lost_only_if_events_reached_it() {
    let gone = Info {
        earliest: Sequence::new(21),
        earliest_time: None,
        ..info()
    };
    let at = |n| {
        resolve(
            &Start::FromTime(seconds(n)),
            Policy::Fail,
            &gone,
            Sequence::new(20),
        )
    };
    assert!(matches!(at(200), Err(FeedError::PositionTrimmed(_))));
    assert_eq!(at(201).unwrap().start, Sequence::new(20));
}
