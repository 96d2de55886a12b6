//! Connections side by side, whose events have neither numbers nor names (U16).

use std::collections::HashMap;
use std::time::Duration;

use crate::runtime::{MonoTime, Rng};
use crate::session::ordering::{Overlap, Seen};

const OLDER: u64 = 1;
const NEWER: u64 = 2;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Both answer once.
fn asked(overlap: &mut Overlap) -> bool {
    overlap.answered(NEWER);
    overlap.compared(NEWER)
}

#[test]
fn u16_two_equal_frames_on_one_channel_are_two_events() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    for dated in [false, true] {
        for _ in 0..3 {
            assert_eq!(overlap.judge(now, OLDER, 7, dated), Seen::New);
        }
    }
    overlap.begin(now, NEWER);
    overlap.join(NEWER);
    assert!(asked(&mut overlap));
    assert_eq!(overlap.judge(now, OLDER, 8, false), Seen::New);
    assert_eq!(overlap.judge(now, OLDER, 8, false), Seen::New);
    assert_eq!(overlap.judge(now, NEWER, 8, false), Seen::Duplicate);
    assert_eq!(overlap.judge(now, NEWER, 8, false), Seen::Duplicate);
    assert_eq!(overlap.judge(now, NEWER, 8, false), Seen::New);
    assert_eq!(overlap.judge(now, OLDER, 8, false), Seen::Duplicate);
}

#[test]
fn u16_what_both_bring_before_the_newer_is_joined_is_one_event() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::New);
    overlap.begin(now, NEWER);
    for _ in 0..2 {
        assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::New);
    }
    for _ in 0..3 {
        assert_eq!(overlap.judge(now, NEWER, 7, false), Seen::Duplicate);
    }
    assert!(!overlap.join(NEWER), "they may be others than these");
    assert!(asked(&mut overlap), "no others came");
    assert_eq!(overlap.judge(now, NEWER, 7, false), Seen::New);
    assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::Duplicate);
}

/// The first is sent before the newer is subscribed, so that only the older brings it. The newer brings
/// the second sooner than the older, which dies before it brings the third.
#[test]
fn u16_the_newer_is_not_one_ahead_of_the_older_for_ever() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    overlap.begin(now, NEWER);
    assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::New);
    overlap.join(NEWER);
    // Nothing tells the second from the first yet: the death of the older opens a window.
    assert_eq!(overlap.judge(now, NEWER, 7, false), Seen::Duplicate);
    overlap.answered(NEWER);
    assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::New);
    assert!(!overlap.compared(NEWER), "was it the first or the second?");
    assert!(asked(&mut overlap), "it brought no other: the second");
    assert_eq!(overlap.judge(now, NEWER, 7, false), Seen::New, "the third");
    overlap.end(now, OLDER);
}

/// What the newer brought and the older did not yet stands for nothing: it is not settled until then.
#[test]
fn u16_the_newer_is_not_settled_while_the_older_owes_what_was_swallowed() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    overlap.begin(now, NEWER);
    for _ in 0..2 {
        assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::New);
    }
    overlap.join(NEWER);
    // Both came before the subscription.
    overlap.answered(NEWER);
    assert_eq!(overlap.judge(now, NEWER, 7, false), Seen::Duplicate);
    assert!(
        !overlap.compared(NEWER),
        "the older has not brought the third"
    );
    assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::New, "the third");
    assert!(asked(&mut overlap));
    assert_eq!(overlap.judge(now, NEWER, 7, false), Seen::New, "the fourth");
    assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::Duplicate);
}

#[test]
fn u16_where_the_counts_never_agree_every_occurrence_is_kept_until_none_comes() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    overlap.begin(now, NEWER);
    assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::New);
    overlap.join(NEWER);
    let mut rounds = 1;
    overlap.judge(now, NEWER, 7, false);
    overlap.answered(NEWER);
    overlap.judge(now, OLDER, 7, false);
    while !overlap.compared(NEWER) {
        overlap.judge(now, NEWER, 7, false);
        overlap.answered(NEWER);
        overlap.judge(now, OLDER, 7, false);
        rounds += 1;
    }
    assert_eq!(rounds, 8);
    for side in [NEWER, OLDER, NEWER] {
        assert_eq!(overlap.judge(now, side, 7, false), Seen::PossibleDuplicate);
    }
    let later = now + secs(11);
    assert_eq!(overlap.judge(later, NEWER, 7, false), Seen::New);
    assert_eq!(overlap.judge(later, OLDER, 7, false), Seen::Duplicate);
}

#[test]
fn u16_what_the_dead_brought_swallows_nothing_of_a_connection_that_took_their_place() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    overlap.begin(now, NEWER);
    assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::New);
    overlap.end(now, OLDER);
    overlap.replace(NEWER);
    assert_eq!(overlap.judge(now, NEWER, 7, false), Seen::New);
}

#[test]
fn u16_what_came_before_the_subscription_is_one_fact_where_it_is_dated_and_kept_where_not() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    overlap.judge(now, OLDER, 7, false);
    overlap.judge(now, OLDER, 7, true);
    let later = now + secs(2);
    overlap.begin(later, NEWER);
    overlap.end(later, OLDER);
    let seen = overlap.judge(later, NEWER, 7, false);
    assert_eq!(seen, Seen::PossibleDuplicate, "the older shows nothing now");
    assert_eq!(overlap.judge(later, NEWER, 7, true), Seen::Duplicate);
}

#[test]
fn u16_what_was_on_its_way_when_the_newer_was_subscribed_swallows_nothing() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    overlap.begin(now, NEWER);
    // Sent before the newer was subscribed, so the newer never brings it.
    assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::New);
    assert_eq!(overlap.judge(now, OLDER, 8, false), Seen::New);
    assert!(!overlap.join(NEWER), "there is something to wait for");
    assert_eq!(overlap.judge(now, NEWER, 8, false), Seen::Duplicate);
    assert!(asked(&mut overlap));
    overlap.end(now, OLDER);
    assert_eq!(overlap.judge(now, NEWER, 7, false), Seen::New);
    overlap.begin(now + secs(11), 3);
    assert!(overlap.join(3), "nothing came that it may bring");
}

#[test]
fn u16_what_the_other_side_never_brought_swallows_nothing_later() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    overlap.begin(now, NEWER);
    assert_eq!(overlap.judge(now, OLDER, 7, false), Seen::New);
    assert_eq!(overlap.judge(now, OLDER, 8, true), Seen::New);
    let later = now + secs(11);
    assert_eq!(overlap.judge(later, NEWER, 7, false), Seen::New);
    assert_eq!(overlap.judge(later, OLDER, 7, false), Seen::Duplicate);
    assert_eq!(overlap.judge(later, NEWER, 8, true), Seen::Duplicate);
    assert_eq!(overlap.judge(now + secs(700), NEWER, 8, true), Seen::New);
}

#[test]
fn u16_a_successor_of_a_dead_connection_starts_clean() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    overlap.judge(now, OLDER, 7, false);
    overlap.end(now + secs(1), OLDER);
    overlap.begin(now + secs(2), NEWER);
    let later = now + secs(3);
    assert_eq!(overlap.judge(later, NEWER, 7, false), Seen::New);
}

#[test]
fn u16_three_connections_at_once_bring_one_event_once() {
    let now = MonoTime::now();
    let mut overlap = Overlap::default();
    for side in 1..=3 {
        overlap.begin(now, side);
    }
    assert_eq!(overlap.judge(now, 2, 7, false), Seen::New);
    assert_eq!(overlap.judge(now, 1, 7, false), Seen::Duplicate);
    assert_eq!(overlap.judge(now, 3, 7, false), Seen::Duplicate);
}

#[test]
fn u16_it_does_not_grow_with_the_years() {
    let mut now = MonoTime::now();
    let mut overlap = Overlap::default();
    for round in 0..2_000_u64 {
        overlap.begin(now, round);
        overlap.end(now, round.wrapping_sub(1));
        for n in 0..200 {
            overlap.judge(now, round, n % 7, false);
            overlap.judge(now, round, round * 1_000 + n, true);
        }
        now += secs(20);
    }
    let (sides, facts) = overlap.size();
    assert!(sides < 5, "{sides}");
    assert!(facts < 12_000, "{facts}");
}

/// One random story of two connections, of which either may lose what it would bring. Times how
/// often each event occurred and was brought.
fn story(seed: u64) {
    let rng = Rng::from_seed(seed);
    let dated = rng.below(2) == 0;
    let mut now = MonoTime::now();
    let mut overlap = Overlap::default();
    overlap.begin(now, OLDER);
    overlap.begin(now, NEWER);
    let mut queues: [Vec<u64>; 2] = [Vec::new(), Vec::new()];
    let mut brought: [HashMap<u64, usize>; 2] = [HashMap::new(), HashMap::new()];
    let mut delivered: HashMap<u64, usize> = HashMap::new();
    let mut occurred: HashMap<u64, usize> = HashMap::new();
    for step in 0..300_u64 {
        now += Duration::from_millis(rng.below(30));
        if step < 200 {
            // What is dated never occurs twice with the same bytes.
            let hash = if dated { step } else { rng.below(6) };
            *occurred.entry(hash).or_default() += 1;
            let loses = rng.below(6);
            for (side, queue) in queues.iter_mut().enumerate() {
                if loses != side as u64 {
                    queue.push(hash);
                    *brought[side].entry(hash).or_default() += 1;
                }
            }
        }
        for _ in 0..rng.below(4) {
            let side = usize::from(rng.below(2) == 0);
            if !queues[side].is_empty() {
                let hash = queues[side].remove(0);
                let seen = overlap.judge(now, side as u64 + 1, hash, dated);
                *delivered.entry(hash).or_default() += usize::from(seen != Seen::Duplicate);
            }
        }
    }
    for (side, queue) in queues.iter_mut().enumerate() {
        for hash in std::mem::take(queue) {
            let seen = overlap.judge(now, side as u64 + 1, hash, dated);
            *delivered.entry(hash).or_default() += usize::from(seen != Seen::Duplicate);
        }
    }
    for (hash, times) in &occurred {
        let most = (0..2)
            .map(|s| brought[s].get(hash).copied().unwrap_or(0))
            .max();
        let had = delivered.get(hash).copied().unwrap_or(0);
        assert!(had >= most.unwrap(), "seed {seed}: {hash} came {had} times");
        assert!(had <= *times, "seed {seed}: {hash} was invented");
        if dated {
            assert_eq!(had, 1, "seed {seed}: {hash}");
        }
    }
}

#[test]
fn u16_random_connections_with_losses_bring_their_union() {
    for seed in 0..500 * u64::from(crate::testing::scale()) {
        story(seed);
    }
}
