//! Two connections that overlap: one may break without a gap (U5, U16).

use super::fake::{Fake, Rest};
use super::rig::{Rig, Sent};
use super::unnumbered::{PLATFORM_LAG, raw, window};
use crate::connectors::Identity;
use crate::proto::v1::session::State;
use crate::proto::v1::session_event::Kind;
use crate::session::TransportChoice;
use crate::session::machine::{Input, StateName};

fn double() -> Fake {
    let mut fake = Fake::new(Identity::Neither);
    fake.capabilities.connections = 2;
    fake
}

/// Two confirmed connections: the older, the newer.
fn two(fake: Fake) -> (Rig, u64, u64) {
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    let (older, ..) = rig.last_dial();
    rig.frame("ok");
    assert_eq!(rig.machine.status().reason, "ONE_CONNECTION");
    rig.dialled(Ok(()));
    rig.frame("ok");
    let (newer, ..) = rig.last_dial();
    assert!(newer > older);
    rig.pong_of(older);
    assert_eq!(rig.machine.status().state(), State::Active);
    (rig, older, newer)
}

fn reset_of(rig: &mut Rig, generation: u64) {
    let failure = Some(crate::net::HttpFailure::Reset("peer".to_owned()));
    rig.input(Input::Closed {
        generation,
        failure,
    });
}

#[test]
fn u16_the_first_of_two_counts_and_the_second_is_dropped() {
    let (mut rig, older, newer) = two(double());
    rig.frame_of(newer, "ev:a:1;ev:a:1;ev:a:2");
    rig.frame_of(older, "ev:a:1;ev:a:1;ev:a:2;dated:a:3");
    rig.frame_of(newer, "dated:a:3");
    assert_eq!(raw(&rig), ["1", "1", "2", "3"]);
    assert_eq!(rig.stats.snapshot().duplicates, 4);
}

#[test]
fn single_kills_open_no_gap_and_lose_nothing() {
    let (mut rig, mut older, mut newer) = two(double());
    let mut expected = Vec::new();
    for round in 0..50_u32 {
        let (dying, other) = if round % 3 == 0 {
            (newer, older)
        } else {
            (older, newer)
        };
        let text = |n: u32| format!("dated:a:{round}-{n}");
        rig.frame_of(other, &text(0));
        rig.frame_of(dying, &text(0));
        rig.frame_of(dying, &text(1));
        reset_of(&mut rig, dying);
        rig.frame_of(other, &text(1));
        rig.frame_of(other, &text(2));
        expected.extend((0..3).map(|n| format!("{round}-{n}")));
        assert_eq!(rig.machine.status().state(), State::Degraded);
        assert_eq!(rig.machine.status().reason, "ONE_CONNECTION");
        rig.until_request(31);
        rig.dialled(Ok(()));
        rig.frame("ok");
        rig.pong_of(other);
        (older, newer) = (other, rig.last_dial().0);
        rig.secs(12);
        rig.pong_of(older);
        rig.pong_of(newer);
    }
    assert_eq!(raw(&rig), expected);
    assert_eq!(rig.kinds(), ["connected"], "no gap, no disconnection");
    assert_eq!(rig.stats.snapshot().connections_lost, 50);
}

#[test]
fn u18_when_both_die_the_window_runs_from_the_last_answer_of_the_last() {
    let (mut rig, older, newer) = two(double());
    rig.secs(3);
    rig.frame_of(older, "ev:a:1");
    rig.secs(2);
    let survivor_asked = rig.wall;
    reset_of(&mut rig, older);
    rig.secs(1);
    rig.pong_of(newer);
    rig.frame_of(newer, "ev:a:2");
    rig.secs(1);
    // The companion on its way becomes the session's only attempt, or is begun anew.
    reset_of(&mut rig, newer);
    for _ in 0..200 {
        if rig.state() == StateName::Handshaking {
            rig.dialled(Ok(()));
            rig.frame("ok");
        }
        rig.millis(200);
        if rig.state() == StateName::LiveWebSocket {
            break;
        }
    }
    let suspected = rig.last_fact(Kind::GapSuspected);
    assert_eq!(window(&suspected).0, survivor_asked.minus(PLATFORM_LAG));
    let gaps = rig.kinds().into_iter().filter(|k| k == "gap_suspected");
    assert_eq!(gaps.count(), 1);
}

#[test]
fn u18_a_survivor_that_was_confirmed_after_the_last_answer_of_the_other_leaves_a_window_between() {
    let mut rig = Rig::with(double().shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    let (older, ..) = rig.last_dial();
    rig.frame("ok");
    rig.secs(5);
    rig.frame_of(older, "ev:a:1");
    rig.pong_of(older);
    let life = rig.wall;
    // The older is dead already when the newer is confirmed; nobody knows yet.
    rig.secs(1);
    rig.dialled(Ok(()));
    rig.frame("ok");
    let confirmed = rig.wall;
    let (newer, ..) = rig.last_dial();
    for _ in 0..4 {
        rig.secs(3);
        rig.frame_of(newer, "beat");
    }
    assert_eq!(
        rig.stats.snapshot().connections_lost,
        1,
        "it did not answer"
    );
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    let suspected = rig.last_fact(Kind::GapSuspected);
    assert_eq!(window(&suspected), (life.minus(PLATFORM_LAG), confirmed));
    assert_eq!(rig.last_fact(Kind::GapConfirmed).reason, "NOT_RECOVERABLE");
    assert!(!rig.kinds().contains(&"disconnected".to_owned()));
}

#[test]
fn u18_what_the_platform_itself_said_was_missed_is_not_told_again_when_the_other_dies() {
    let mut rig = Rig::with(double().shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    let (older, ..) = rig.last_dial();
    rig.frame("ok");
    rig.dialled(Ok(()));
    rig.frame("ok");
    rig.secs(3);
    let missed = rig.wall;
    rig.frame("missed");
    rig.secs(1);
    reset_of(&mut rig, older);
    let told: Vec<_> = rig
        .facts()
        .iter()
        .filter(|fact| fact.kind() == Kind::GapSuspected)
        .map(window)
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].0 < told[0].1 && told[0].1 == missed);
}

#[test]
fn u5_a_planned_close_replaces_one_of_two_without_touching_the_other() {
    let (mut rig, older, newer) = two(double());
    rig.sent();
    rig.frame_of(newer, "closing");
    rig.dialled(Ok(()));
    rig.frame("ok");
    let (third, ..) = rig.last_dial();
    assert!(third > newer);
    rig.frame_of(older, "beat");
    let closes = |s: &Sent| matches!(s, Sent::Close { .. });
    assert!(
        !rig.sent.iter().any(closes),
        "a frame may have been on its way before"
    );
    rig.pong_of(older);
    let closed: Vec<_> = rig
        .sent()
        .into_iter()
        .filter_map(|s| match s {
            Sent::Close { generation, .. } => Some(generation),
            _ => None,
        })
        .collect();
    assert_eq!(closed, [newer]);
    rig.frame_of(older, "dated:a:1");
    rig.frame_of(third, "dated:a:1;dated:a:2");
    assert_eq!(raw(&rig), ["1", "2"]);
    assert_eq!(rig.kinds(), ["connected"]);
}

#[test]
fn u21_a_new_token_replaces_both_one_after_the_other() {
    let mut fake = double();
    fake.capabilities.bound_to_token = true;
    let (mut rig, older, newer) = two(fake);
    rig.token = 2;
    rig.sent();
    rig.input(Input::TokenRenewed { generation: 2 });
    for _ in 0..2 {
        assert_eq!(rig.requests(), 1, "one at a time");
        rig.dialled(Ok(()));
        rig.frame("ok");
        rig.sent();
        rig.pong_of(older);
        rig.pong_of(newer);
    }
    let (last, ..) = rig.last_dial();
    rig.secs(1);
    rig.sent();
    rig.frame_of(last, "ev:a:1");
    assert_eq!((rig.requests(), raw(&rig).len()), (0, 1));
    assert_eq!(rig.kinds(), ["connected"]);
    assert_eq!(rig.machine.status().state(), State::Active);
}

#[test]
fn a_companion_that_cannot_be_had_leaves_the_session_working() {
    let mut fake = double();
    fake.setup = true;
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    let make = |rig: &mut Rig, status| {
        let (call, ..) = rig.last_call("/channels");
        rig.answer_to(call, status, &[], "wss://fake.test/one");
        if status == 200 {
            let (call, ..) = rig.last_call("/subscriptions");
            rig.answer_to(call, 200, &[], "");
            rig.dialled(Ok(()));
            rig.frame("ok");
        }
    };
    make(&mut rig, 200);
    let (first, ..) = rig.last_dial();
    rig.sent();
    for status in [503, 403, 401, 404, 503] {
        make(&mut rig, status);
        assert_eq!(rig.state(), StateName::LiveWebSocket);
        rig.frame_of(first, "ev:a:x");
        for _ in 0..40 {
            rig.secs(1);
            rig.frame_of(first, "beat");
        }
    }
    assert_eq!(raw(&rig).len(), 5);
    assert!(rig.requests() < 30, "{}", rig.requests());
    let mut fake = double();
    fake.yields = true;
    rig.replace(fake);
    for _ in 0..40 {
        rig.secs(1);
        rig.frame_of(first, "beat");
    }
    assert_eq!(
        rig.machine.status().reason,
        "ONE_CONNECTION: NO_CHANNEL_LEFT"
    );
    assert_eq!(rig.kinds(), ["connected"]);
}

#[test]
fn each_of_two_has_a_channel_of_its_own_and_opens_it_again() {
    let mut fake = double();
    fake.setup = true;
    fake.keeps = true;
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    for name in ["one", "two"] {
        let (call, ..) = rig.last_call("/channels");
        rig.answer_to(call, 200, &[], &format!("wss://fake.test/{name}"));
        let (call, ..) = rig.last_call("/subscriptions");
        rig.answer_to(call, 200, &[], "");
        rig.dialled(Ok(()));
        rig.frame("ok");
    }
    let (second, url, _) = rig.last_dial();
    assert!(url.ends_with("two"));
    rig.secs(12);
    let first = rig
        .asked()
        .find(|(url, _)| url.ends_with("/one"))
        .unwrap()
        .1;
    rig.pong_of(first);
    rig.frame_of(second, "beat");
    for _ in 0..30 {
        let dying = rig
            .asked()
            .filter(|(url, _)| url.ends_with("/one"))
            .last()
            .unwrap()
            .1;
        reset_of(&mut rig, dying);
        rig.until_request(31);
        assert!(
            rig.last_dial().1.ends_with("/one"),
            "its own channel, for it is free"
        );
        rig.dialled(Ok(()));
        rig.frame("ok");
        rig.secs(12);
        rig.frame_of(second, "beat");
        rig.frame("beat");
    }
    assert!(first < second);
    rig.crash();
    assert!(rig.last_dial().1.ends_with("/one"));
    rig.dialled(Ok(()));
    rig.frame("ok");
    assert!(rig.last_dial().1.ends_with("/two"));
    let made = rig.asked().filter(|(target, _)| target == "/channels");
    assert_eq!(made.count(), 2);
}

#[test]
fn u18_a_recovery_goes_on_when_one_of_two_dies() {
    let (mut rig, older, newer) = two(double().knowing(Rest::PresentState { calls: 1 }));
    rig.frame_of(newer, "missed");
    let (call, ..) = rig.last_call("/recovery");
    reset_of(&mut rig, older);
    rig.frame_of(newer, "ev:a:live");
    rig.answer_to(call, 200, &[], "ev:a:state");
    assert_eq!(raw(&rig), ["state", "live"]);
}
