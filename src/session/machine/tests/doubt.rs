//! Events that come live for numbers that were given up: late ones, or those of a new numbering (U17,
//! U19).

use super::order::{ids, renewed};
use super::rig::{EMPTY, Rig, batch};

/// A session that gave up 2 to `last`, and goes on behind them after a crash.
fn after_a_gap_up_to(last: u64) -> Rig {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[last + 1]));
    rig.history(404, "");
    rig.crash();
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig
}

#[test]
fn u19_what_was_given_up_is_not_filled_by_the_same_numbers_of_a_new_numbering() {
    let mut rig = after_a_gap_up_to(59);
    rig.frame(&renewed(&[30]));
    rig.secs(11);
    rig.frame(&renewed(&[31]));
    assert_eq!(rig.numbers(), [1, 60]);
    rig.history(200, EMPTY);
    assert_eq!(rig.stats.snapshot().restarts, 1);
    rig.until_request(5);
    rig.dialled(Ok(()));
    assert_eq!(rig.asked_after(), 0);
    rig.frame(&renewed(&(1..=32).collect::<Vec<_>>()));
    let anew: Vec<_> = (1..=32).map(|n| format!("1:{n}:0")).collect();
    assert_eq!(ids(&rig)[2..], anew);
    let mut late = rig.platform_events();
    assert!(!late.any(|e| e.attributes.contains_key("gapsequence")));
}

#[test]
fn u17_a_late_event_with_nothing_behind_it_waits_for_the_history_to_know_our_last_number() {
    let mut rig = after_a_gap_up_to(3);
    rig.frame(&batch(&[3]));
    rig.secs(29);
    assert_eq!(rig.numbers(), [1, 4]);
    rig.secs(2);
    rig.history(503, "");
    assert_eq!(rig.numbers(), [1, 4], "no answer either way");
    rig.secs(31);
    rig.history(200, &batch(&[4]));
    assert_eq!(rig.numbers(), [1, 4, 3]);
    assert_eq!(rig.stats.snapshot().restarts, 0);
}

#[test]
fn u17_more_late_events_than_may_wait_go_on_at_once() {
    let mut rig = after_a_gap_up_to(20_000);
    rig.frame(&batch(&(2..=10_001).collect::<Vec<_>>()));
    assert_eq!(rig.numbers().len(), 2);
    rig.frame(&batch(&[10_002]));
    assert_eq!(rig.numbers(), [1, 20_001, 10_002]);
    rig.frame(&batch(&[20_002]));
    assert_eq!(rig.numbers().len(), 10_004, "what waited is not dropped");
}

#[test]
fn u19_silence_and_a_history_that_does_not_say_are_no_sign_of_a_new_numbering() {
    let mut rig = after_a_gap_up_to(3);
    rig.frame(&batch(&[3]));
    let (generation, ..) = rig.last_dial();
    for _ in 0..4 {
        for _ in 0..31 {
            rig.secs(1);
            rig.pong_of(generation);
        }
        rig.history(503, "");
    }
    assert_eq!(rig.numbers(), [1, 4]);
    for _ in 0..31 {
        rig.secs(1);
        rig.pong_of(generation);
    }
    rig.history(410, "");
    assert_eq!(rig.numbers(), [1, 4, 3], "it is kept back no longer");
    assert_eq!(rig.stats.snapshot().restarts, 0);
}
