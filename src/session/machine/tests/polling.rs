//! Long polling.

use std::time::Duration;

use super::rig::{EMPTY, Rig, Sent, batch};
use crate::net::HttpFailure;
use crate::proto::v1::session::State;
use crate::proto::v1::session_event::Kind;
use crate::session::machine::{Input, StateName};

fn polls(rig: &Rig) -> usize {
    let calls = rig.calls().into_iter();
    calls
        .filter(|(_, target, _)| target.ends_with("/subscribe"))
        .count()
}

#[test]
fn u8_the_next_poll_leaves_when_the_answer_is_journaled_and_not_before() {
    let mut rig = Rig::on_long_poll();
    rig.auto_append = false;
    rig.sent();
    let call = rig.machine.last_call;
    rig.answer_to(call, 200, &[], &batch(&[1, 2]));
    assert_eq!(polls(&rig), 0);
    rig.commit_one();
    assert_eq!((polls(&rig), rig.asked_after()), (1, 2));
}

#[test]
fn u9_the_client_waits_longer_than_the_hold() {
    let rig = Rig::on_long_poll();
    assert_eq!(rig.timing.poll_timeout.0, Duration::from_secs(35));
    let mut rig = Rig::on_long_poll();
    rig.secs(30);
    rig.sent();
    rig.poll_in_hold(204, "");
    assert_eq!(polls(&rig), 1);
}

impl Rig {
    fn poll_in_hold(&mut self, status: u16, body: &str) {
        let call = self.machine.last_call;
        self.answer_to(call, status, &[], body);
    }
}

#[test]
fn u10_an_elapsed_hold_is_followed_at_once() {
    let mut rig = Rig::on_long_poll();
    for body in ["", EMPTY, "", EMPTY, ""] {
        rig.secs(25);
        rig.sent();
        rig.poll_in_hold(if body.is_empty() { 204 } else { 200 }, body);
        assert_eq!(polls(&rig), 1);
    }
    assert_eq!(rig.machine.status().state(), State::Active);
    assert_eq!(rig.kinds(), ["connected"]);
}

#[test]
fn u11_three_resets_renegotiate() {
    let broken = || HttpFailure::Reset("in the hold".to_owned());
    for status in [Some(408), Some(502), Some(504), None] {
        let mut rig = Rig::on_long_poll();
        rig.poll(200, &batch(&[1]));
        for _ in 0..2 {
            rig.secs(20);
            rig.sent();
            match status {
                Some(status) => rig.poll_in_hold(status, ""),
                None => {
                    let call = rig.machine.last_call;
                    let result = Err(broken());
                    rig.input(Input::Answer { call, result });
                }
            }
            assert_eq!(
                (polls(&rig), rig.asked_after()),
                (1, 1),
                "{status:?}: at once, same place"
            );
        }
        rig.secs(20);
        rig.sent();
        match status {
            Some(status) => rig.poll_in_hold(status, ""),
            None => {
                let call = rig.machine.last_call;
                let result = Err(broken());
                rig.input(Input::Answer { call, result });
            }
        }
        let (_, url, token) = rig.last_dial();
        assert!(
            url.contains("polling=true") && token.is_none(),
            "from the probe on"
        );
        assert_eq!(rig.state(), StateName::Probing);
    }
}

#[test]
fn u11_an_answer_in_between_starts_the_count_again() {
    let mut rig = Rig::on_long_poll();
    for _ in 0..4 {
        rig.secs(10);
        rig.poll(502, "");
        rig.secs(10);
        rig.poll(408, "");
        rig.secs(10);
        rig.poll(204, "");
    }
    assert_eq!(rig.state(), StateName::LiveLongPoll);
}

#[test]
fn u12_a_403_suspends_and_is_tried_again_slowly() {
    let mut rig = Rig::on_long_poll();
    rig.poll(403, "");
    assert_eq!(rig.state(), StateName::Suspended);
    assert_eq!(rig.machine.status().state(), State::Suspended);
    rig.sent();
    rig.secs(299);
    assert_eq!(rig.requests(), 0);
    rig.until_request(32);
    rig.refused_dial(400);
    rig.poll(403, "");
    let suspended = rig.kinds().into_iter().filter(|k| k == "suspended").count();
    assert_eq!(suspended, 1, "said once, not at every attempt");
}

#[test]
fn u12_retry_after_is_obeyed_and_said() {
    let mut rig = Rig::on_long_poll();
    let call = rig.machine.last_call;
    rig.sent();
    rig.answer_to(call, 429, &[("retry-after", "20")], "");
    assert_eq!(rig.machine.status().state(), State::Degraded);
    assert!(rig.machine.status().reason.starts_with("THROTTLED"));
    rig.millis(19_999);
    assert_eq!(polls(&rig), 0);
    rig.secs(3);
    assert_eq!(polls(&rig), 1);
    let call = rig.machine.last_call;
    rig.sent();
    rig.answer_to(call, 429, &[], "");
    rig.millis(4_999);
    assert_eq!(polls(&rig), 0, "5 s where it is missing");
    rig.secs(1);
    assert_eq!(polls(&rig), 1);
    rig.secs(20);
    rig.poll(204, "");
    assert_eq!(rig.machine.status().state(), State::Active);
}

#[test]
fn u12_other_server_errors_back_off() {
    let mut rig = Rig::on_long_poll();
    rig.secs(10);
    for _ in 0..30 {
        rig.poll(500, "");
        rig.secs(30);
    }
    assert_eq!(rig.state(), StateName::LiveLongPoll);
    assert_eq!(rig.asked_after(), 0);
}

#[test]
fn u13_a_body_that_is_cut_short_advances_nothing() {
    let mut rig = Rig::on_long_poll();
    rig.poll(200, &batch(&[1]));
    let whole = batch(&[2, 3]);
    let cut = whole.get(..whole.len() - 9).unwrap();
    rig.poll(200, cut);
    assert_eq!((rig.asked_after(), rig.numbers()), (1, vec![1]));
    rig.poll_fails(HttpFailure::Truncated { received: 9 });
    assert_eq!(rig.asked_after(), 1);
    rig.poll(200, &whole);
    assert_eq!(rig.numbers(), [1, 2, 3]);
    assert_eq!(rig.stats.snapshot().unreadable, 2);
}

#[test]
fn u13_three_bad_bodies_at_one_position_renegotiate() {
    let mut rig = Rig::on_long_poll();
    rig.secs(2);
    for _ in 0..3 {
        rig.secs(5);
        rig.poll_fails(HttpFailure::TooLarge { limit: 8 << 20 });
    }
    assert_eq!(rig.state(), StateName::Probing);
}

#[test]
fn u14_latency_above_the_limit_flags_the_session_once() {
    let mut rig = Rig::on_long_poll();
    let stamped = |rig: &Rig, number: u64, age: u64| {
        let time = rig.wall.minus(Duration::from_secs(age));
        format!(
            r#"{{"sequence":{number},"events":[{{"eventType":"a","sequence":{number},"timestamp":"{time}"}}]}}"#
        )
    };
    rig.secs(60);
    let body = stamped(&rig, 1, 7);
    rig.poll(200, &body);
    assert!(!rig.machine.status().review_required);
    let body = stamped(&rig, 2, 9);
    rig.poll(200, &body);
    assert!(rig.machine.status().review_required);
    let body = stamped(&rig, 3, 30);
    rig.poll(200, &body);
    let flagged = rig
        .facts()
        .into_iter()
        .filter(|f| f.kind() == Kind::ReviewRequired);
    assert_eq!(flagged.count(), 1);
    // What happened before the chain began is late because we were.
    let mut rig = Rig::on_long_poll();
    let body = stamped(&rig, 1, 3_600);
    rig.poll(200, &body);
    assert!(!rig.machine.status().review_required);
}

#[test]
fn u14_a_websocket_is_not_a_poll() {
    let mut rig = Rig::on_websocket();
    rig.secs(15);
    let time = rig.wall.minus(Duration::from_secs(10));
    rig.frame(&format!(
        r#"{{"eventType":"a","sequence":1,"timestamp":"{time}"}}"#
    ));
    assert_eq!(rig.numbers(), [1]);
    assert!(!rig.machine.status().review_required);
}

#[test]
fn the_answer_to_a_poll_that_was_given_up_is_dropped() {
    let mut rig = Rig::on_long_poll();
    let (call, ..) = rig.last_call("/subscribe");
    rig.until_request(61);
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(EMPTY);
    assert!(
        rig.sent
            .iter()
            .any(|s| matches!(s, Sent::Cancel { call: c } if *c == call))
    );
    rig.answer_to(call, 200, &[], &batch(&[1]));
    assert!(rig.numbers().is_empty());
}

#[test]
fn u32_the_answer_to_a_poll_that_was_given_up_is_dropped() {
    for upgrade_stripped in [false, true] {
        let mut rig = match upgrade_stripped {
            true => Rig::on_long_poll(),
            false => Rig::polling_only(),
        };
        rig.input(Input::Start);
        rig.poll(200, &batch(&[1]));
        let (old, ..) = rig.last_call("/subscribe");
        rig.sent();
        rig.input(Input::ReconnectAsked);
        let given_up = |s: &Sent| matches!(s, Sent::Cancel { call } if *call == old);
        assert!(rig.sent.iter().any(given_up));
        // Before its successor has left, while that is out, and once more.
        rig.answer_to(old, 200, &[], &batch(&[2]));
        rig.until_request(3);
        if upgrade_stripped {
            rig.answer_to(old, 200, &[], &batch(&[2]));
            rig.refused_dial(400);
        }
        let (new, ..) = rig.last_call("/subscribe");
        assert!(new != old);
        rig.answer_to(old, 200, &[], &batch(&[2]));
        assert_eq!((rig.numbers(), rig.asked_after()), (vec![1], 1));
        // What it would have brought, the new one brings.
        rig.answer_to(new, 200, &[], &batch(&[2]));
        assert_eq!(rig.numbers(), [1, 2]);
        rig.poll(200, &batch(&[3]));
        assert_eq!((rig.numbers(), rig.asked_after()), (vec![1, 2, 3], 3));
        assert_eq!(rig.kinds(), ["connected", "disconnected", "connected"]);
    }
}
