//! How many requests leave, and which.

use super::*;
use proptest::prelude::*;

const COUNTED: [CallClass; 5] = [
    CallClass::Token,
    CallClass::Subscription,
    CallClass::Send,
    CallClass::Backfill,
    CallClass::Health,
];

/// How many of a class leave at one moment.
fn at_once(budget: &mut Budget, now: MonoTime, class: CallClass) -> usize {
    std::iter::from_fn(|| budget.take(now, class).ok()).count()
}

#[test]
fn u40_each_class_leaves_a_reserve_to_those_before_it() {
    let now = MonoTime::now();
    let mut budget = Budget::new(300, now);
    let mut taken = COUNTED;
    taken.reverse();
    let counts = taken.map(|class| at_once(&mut budget, now, class));
    assert_eq!(counts, [24, 12, 12, 6, 6]);
}

#[test]
fn u40_what_waits_is_served_in_the_order_of_classes() {
    let mut now = MonoTime::now();
    let mut budget = Budget::new(300, now);
    at_once(&mut budget, now, CallClass::Token);
    let mut waiting = COUNTED.to_vec();
    let mut served = Vec::new();
    while !waiting.is_empty() {
        let first = waiting
            .iter()
            .position(|class| budget.take(now, *class).is_ok());
        match first {
            Some(index) => served.push(waiting.remove(index)),
            None => now += Duration::from_millis(50),
        }
    }
    assert_eq!(served, COUNTED);
}

#[test]
fn u40_polls_do_not_count_and_are_not_hindered() {
    let now = MonoTime::now();
    let mut budget = Budget::new(300, now);
    for class in COUNTED {
        at_once(&mut budget, now, class);
    }
    assert_eq!(at_once(&mut budget, now, CallClass::Poll), 12_000);
    let mut budget = Budget::new(300, now);
    at_once(&mut budget, now, CallClass::Poll);
    assert_eq!(at_once(&mut budget, now, CallClass::Token), 60);
}

#[test]
fn a_platform_that_throttles_all_the_same_empties_the_bucket() {
    let now = MonoTime::now();
    let mut budget = Budget::new(300, now);
    budget.throttled(now, CallClass::Backfill);
    let wait = budget.take(now, CallClass::Token).unwrap_err();
    assert_eq!(wait, Duration::from_millis(250));
    assert_eq!(budget.take(now + wait, CallClass::Token), Ok(()));
    assert_eq!(budget.take(now, CallClass::Poll), Ok(()));
}

proptest! {
    #[test]
    fn u40_no_minute_holds_more_than_the_limit_and_every_class_gets_its_turn(
        per_minute in 2_u32..2_000,
        pauses in proptest::collection::vec((0_u64..3_000, 0_usize..5), 1..600),
    ) {
        let mut now = MonoTime::now();
        let mut budget = Budget::new(per_minute, now);
        let mut granted = Vec::new();
        for (pause, class) in pauses {
            now += Duration::from_millis(pause);
            match budget.take(now, COUNTED[class]) {
                Ok(()) => granted.push(now),
                // It says when to ask again, and then it is right if nobody else took anything.
                Err(wait) => {
                    prop_assert!(wait <= Duration::from_secs(61));
                    now += wait + Duration::from_micros(1);
                    prop_assert_eq!(budget.take(now, COUNTED[class]), Ok(()));
                    granted.push(now);
                }
            }
        }
        for (index, start) in granted.iter().enumerate() {
            let within = granted.iter().skip(index).take_while(|at| **at - *start < MINUTE);
            prop_assert!(within.count() <= usize::try_from(per_minute).unwrap() + 1);
        }
    }
}
