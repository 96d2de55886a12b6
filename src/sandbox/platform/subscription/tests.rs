//! What readers get from a log, checked against the plainest reading of the rules.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::WallTime;
use crate::sandbox::EventsDialect;

const BATCH: BatchLimit = BatchLimit {
    events: 3,
    bytes: 1 << 20,
};

fn bounds(retention: usize, history: usize) -> Bounds {
    Bounds {
        retention,
        history,
        bytes: 1 << 20,
        ledger: 1000,
    }
}

fn event() -> Arc<Issued> {
    Arc::new(Issued::new(
        EventsDialect::default().words(),
        &"a".into(),
        "{}",
        WallTime::from_millis(0),
    ))
}

fn log(fates: &[Fate]) -> Subscription {
    let mut subscription = Subscription::new(bounds(1000, 1000));
    for fate in fates {
        subscription.push(&event(), *fate);
    }
    subscription
}

fn numbers(events: &[Numbered]) -> Vec<u64> {
    events.iter().map(|(number, _)| *number).collect()
}

/// Everything a reader at `after` gets, over as many batches as it takes.
fn follow(subscription: &Subscription, after: u64) -> Vec<u64> {
    let mut cursor = subscription.cursor(after, UnknownPosition::FromNow);
    let mut all = Vec::new();
    loop {
        let reading = subscription.read(cursor, BATCH);
        if reading.events.is_empty() {
            return all;
        }
        assert_eq!(
            reading.events.iter().map(|(n, _)| *n).max(),
            Some(reading.sequence)
        );
        all.extend(numbers(&reading.events));
        cursor = reading.cursor;
    }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        6 => Just(Fate::Deliver),
        2 => (1_u32..5).prop_map(Fate::Delay),
        1 => Just(Fate::History),
        1 => Just(Fate::Lost),
    ];
    proptest::collection::vec(fate, 0..40)
}

#[test]
fn a_position_resumes_after_it_and_zero_has_everything() {
    let subscription = log(&[Fate::Deliver; 5]);
    assert_eq!(follow(&subscription, 0), [1, 2, 3, 4, 5]);
    assert_eq!(follow(&subscription, 3), [4, 5]);
    assert_eq!(follow(&subscription, 5), [] as [u64; 0]);
}

#[test]
fn a_late_event_comes_to_those_who_had_passed_its_place() {
    let (deliver, late) = (Fate::Deliver, Fate::Delay(2));
    let subscription = log(&[deliver, late, deliver, deliver, deliver]);
    assert_eq!(follow(&subscription, 0), [1, 3, 4, 2, 5]);
    assert_eq!(follow(&subscription, 1), [3, 4, 2, 5]);
    // Filled from the history meanwhile: what is above it comes, it does not.
    assert_eq!(follow(&subscription, 2), [3, 4, 5]);
    assert_eq!(follow(&subscription, 4), [2, 5]);
    assert_eq!(follow(&subscription, 5), [] as [u64; 0]);
}

#[test]
fn what_is_held_back_can_be_let_go() {
    let mut subscription = log(&[Fate::Delay(9), Fate::Deliver]);
    assert_eq!(follow(&subscription, 0), [2]);
    subscription.release_late();
    assert_eq!(follow(&subscription, 2), [1]);
}

#[test]
fn a_skipped_number_is_a_hole_that_the_history_may_fill() {
    let subscription = log(&[Fate::Deliver, Fate::History, Fate::Lost, Fate::Deliver]);
    assert_eq!(follow(&subscription, 0), [1, 4]);
    let Past::Found { events, sequence } = subscription.past(1, 3, BATCH) else {
        panic!("the history has one of two");
    };
    assert_eq!((numbers(&events), sequence), (vec![2], 2));
    assert!(matches!(subscription.past(2, 3, BATCH), Past::Missing));
}

#[test]
fn an_empty_batch_never_covers_what_was_withheld() {
    let subscription = log(&[Fate::Deliver, Fate::History]);
    let cursor = subscription.cursor(1, UnknownPosition::FromNow);
    let reading = subscription.read(cursor, BATCH);
    assert_eq!((reading.events.len(), reading.sequence), (0, 1));
}

#[test]
fn retention_drops_the_oldest_and_the_history_may_keep_more() {
    let mut subscription = Subscription::new(bounds(2, 4));
    (0..6).for_each(|_| {
        subscription.push(&event(), Fate::Deliver);
    });
    assert_eq!(follow(&subscription, 0), [5, 6]);
    assert_eq!(follow(&subscription, 2), [5, 6]);
    assert_eq!(subscription.oldest(), Some(5));
    assert!(matches!(subscription.past(0, 2, BATCH), Past::Gone));
    let Past::Found { events, .. } = subscription.past(1, 4, BATCH) else {
        panic!("3 and 4 are kept");
    };
    assert_eq!(numbers(&events), [3, 4]);
}

#[test]
fn bytes_bound_the_log_too_and_a_batch_has_one_event_at_least() {
    let mut subscription = Subscription::new(Bounds {
        bytes: 300,
        ..bounds(1000, 1000)
    });
    (0..50).for_each(|_| {
        subscription.push(&event(), Fate::Deliver);
    });
    assert!((1..10).contains(&follow(&subscription, 0).len()));
    let tight = BatchLimit {
        events: 10,
        bytes: 1,
    };
    let cursor = subscription.cursor(0, UnknownPosition::FromNow);
    assert_eq!(subscription.read(cursor, tight).events.len(), 1);
}

#[test]
fn a_late_event_that_fills_a_batch_does_not_keep_a_poller_where_it_is() {
    let subscription = log(&[Fate::Delay(2), Fate::Deliver, Fate::Deliver, Fate::Deliver]);
    let tight = BatchLimit {
        events: 1,
        bytes: 1,
    };
    // At 3 a reader has missed the first, which came behind it.
    let cursor = subscription.cursor(3, UnknownPosition::FromNow);
    let reading = subscription.read(cursor, tight);
    assert_eq!(numbers(&reading.events), [1, 4]);
}

#[test]
fn a_restarted_numbering_gives_new_numbers_to_readers_in_place() {
    let mut subscription = log(&[Fate::Deliver; 9]);
    let in_place = subscription.cursor(9, UnknownPosition::FromNow);
    subscription.restart();
    subscription.push(&event(), Fate::Deliver);
    assert_eq!(numbers(&subscription.read(in_place, BATCH).events), [1]);
    assert_eq!(
        (subscription.numbering(), subscription.ledger().issued()),
        (2, 10)
    );

    let answer = |unknown| {
        let cursor = subscription.cursor(9, unknown);
        let reading = subscription.read(cursor, BATCH);
        (numbers(&reading.events), reading.sequence)
    };
    assert_eq!(answer(UnknownPosition::FromNow), (vec![], 1));
    assert_eq!(answer(UnknownPosition::Everything), (vec![1], 1));
    assert_eq!(answer(UnknownPosition::Nothing), (vec![], 1));
}

proptest! {
    /// A reader gets what is above its position, and what was delivered after its position was.
    #[test]
    fn resuming_follows_the_plain_rule(fates in fates(), after in 1_u64..45) {
        let subscription = log(&fates);
        let delivered = follow(&subscription, 0);
        prop_assume!(after <= subscription.delivered());
        let reached = delivered.iter().position(|number| *number == after);
        let reached = reached.or_else(|| delivered.iter().position(|number| *number > after));
        let expected: Vec<_> = delivered
            .iter()
            .enumerate()
            .filter(|(at, number)| **number > after || Some(*at) > reached)
            .map(|(_, number)| *number)
            .collect();
        prop_assert_eq!(follow(&subscription, after), expected);
    }

    /// A poller asks after the highest number it has; it misses nothing that is ever delivered.
    #[test]
    fn a_poller_gets_everything_that_is_delivered(fates in fates(), step in 1_usize..4) {
        let mut subscription = Subscription::new(bounds(1000, 1000));
        let mut got = std::collections::BTreeSet::new();
        let mut highest = 0;
        let limit = BatchLimit { events: 1000, bytes: 1 << 20 };
        for chunk in fates.chunks(step) {
            for fate in chunk {
                subscription.push(&event(), *fate);
            }
            let cursor = subscription.cursor(highest, UnknownPosition::FromNow);
            let reading = subscription.read(cursor, limit);
            got.extend(numbers(&reading.events));
            highest = highest.max(reading.sequence);
        }
        let delivered: std::collections::BTreeSet<_> = follow(&subscription, 0).into_iter().collect();
        prop_assert_eq!(got, delivered);
    }

    /// Numbers are dense in the ledger, and each event that is not withheld is delivered once.
    #[test]
    fn every_number_has_one_fate(fates in fates()) {
        let mut subscription = log(&fates);
        subscription.release_late();
        let entries = subscription.ledger().page(0, 1000).entries;
        let all: Vec<_> = (1..=fates.len() as u64).collect();
        prop_assert_eq!(entries.iter().map(|e| e.number).collect::<Vec<_>>(), all);
        let mut delivered = follow(&subscription, 0);
        delivered.sort_unstable();
        let expected: Vec<_> = entries
            .iter()
            .filter(|entry| matches!(entry.fate, Fate::Deliver | Fate::Delay(_)))
            .map(|entry| entry.number)
            .collect();
        prop_assert_eq!(delivered, expected);
    }
}
