//! Pings, back-off, and how often anything is tried.

use std::time::Duration;

use super::rig::{EMPTY, Rig, Sent, batch};
use crate::net::{Frame, HandshakeFailure, HttpFailure};
use crate::session::TransportChoice;
use crate::session::machine::{Input, StateName};

fn pings(rig: &Rig) -> usize {
    let sent = rig.sent.iter();
    sent.filter(|s| {
        matches!(
            s,
            Sent::Frame {
                frame: Frame::Ping(_),
                ..
            }
        )
    })
    .count()
}

fn pong(rig: &mut Rig) {
    let (generation, ..) = rig.last_dial();
    let frame = Frame::Pong(bytes::Bytes::new());
    rig.input(Input::Frame { generation, frame });
}

#[test]
fn u25_a_silent_connection_is_pinged_and_a_dead_one_is_found_within_thirty_seconds() {
    let mut rig = Rig::on_websocket();
    rig.sent();
    rig.secs(20);
    assert_eq!(pings(&rig), 1);
    pong(&mut rig);
    rig.secs(20);
    assert_eq!(pings(&rig), 2);
    rig.secs(10);
    assert_eq!(rig.kinds(), ["connected", "disconnected"]);
    let fact = rig.facts().pop().unwrap();
    assert_eq!(fact.reason, "NO_PONG");
}

#[test]
fn u25_who_was_held_up_listens_again_before_it_takes_anybody_for_dead() {
    let mut rig = Rig::on_websocket();
    rig.sent();
    rig.secs(24);
    rig.held_up(Duration::from_secs(3));
    rig.millis(10);
    pong(&mut rig);
    rig.secs(24);
    assert_eq!(rig.kinds(), ["connected"]);
    rig.held_up(Duration::from_secs(3));
    rig.secs(10);
    assert_eq!(
        rig.kinds(),
        ["connected", "disconnected"],
        "and not for long"
    );
}

#[test]
fn u25_a_quarter_of_an_hour_of_silence_is_survived_with_pongs() {
    let mut rig = Rig::on_websocket();
    for _ in 0..900 {
        rig.sent();
        rig.secs(1);
        if pings(&rig) > 0 {
            rig.millis(30);
            pong(&mut rig);
        }
    }
    assert_eq!(
        (rig.state(), rig.kinds().len()),
        (StateName::LiveWebSocket, 1)
    );
    let way = rig.machine.status().round_trip.unwrap();
    assert!((way.seconds, way.nanos) < (1, 30_000_001), "{way:?}");
}

#[test]
fn u25_any_frame_is_a_sign_of_life() {
    let mut rig = Rig::on_websocket();
    for number in 1..30 {
        rig.secs(5);
        rig.frame(&batch(&[number]));
    }
    assert_eq!(rig.state(), StateName::LiveWebSocket);
}

#[test]
fn u30_back_off_grows_with_jitter_and_has_no_end_by_default() {
    let mut rig = Rig::with(super::rig::genesys(), TransportChoice::Websocket);
    rig.input(Input::Start);
    let mut delays = Vec::new();
    for _ in 0..60 {
        rig.dialled(Err(HandshakeFailure::Http(HttpFailure::Reset(
            "x".to_owned(),
        ))));
        assert_eq!(rig.state(), StateName::Waiting);
        let before = rig.now;
        rig.until_request(31);
        delays.push(rig.now.saturating_duration_since(before));
    }
    let longest = |range: std::ops::Range<usize>| delays[range].iter().max().copied().unwrap();
    assert!(longest(0..1) <= Duration::from_millis(1_050));
    assert!(longest(1..2) <= Duration::from_millis(2_050));
    assert!(longest(0..60) <= Duration::from_millis(30_050));
    assert!(
        longest(10..60) > Duration::from_secs(20),
        "the cap is reached"
    );
    assert!(
        delays[10..].iter().any(|d| *d < Duration::from_secs(10)),
        "full jitter"
    );
}

#[test]
fn u30_a_limit_of_attempts_suspends_and_never_exits() {
    let mut rig = Rig::with(super::rig::genesys(), TransportChoice::Websocket);
    rig.retime(|timing| timing.backoff.max_attempts = 3);
    rig.input(Input::Start);
    for _ in 0..3 {
        rig.refused_dial(503);
        rig.until_request(31);
    }
    rig.refused_dial(503);
    assert_eq!(rig.state(), StateName::Suspended);
    assert_eq!(rig.machine.status().reason, "ATTEMPTS_EXHAUSTED");
    rig.until_request(331);
}

#[test]
fn u30_it_resets_after_a_confirmed_subscription_and_not_after_a_handshake() {
    let mut rig = Rig::with(super::rig::genesys(), TransportChoice::Websocket);
    rig.input(Input::Start);
    for _ in 0..8 {
        rig.dialled(Ok(()));
        rig.reset();
        rig.until_request(31);
    }
    assert!(
        rig.machine.backoff.failures() >= 8,
        "handshakes alone prove nothing"
    );
    rig.dialled(Ok(()));
    rig.frame(EMPTY);
    assert_eq!(rig.machine.backoff.failures(), 0);
    rig.secs(15);
    rig.reset();
    rig.until_request(1);
}

#[test]
fn u30_a_server_that_confirms_and_hangs_up_is_not_hammered() {
    let mut rig = Rig::on_websocket();
    rig.sent();
    for _ in 0..6_000 {
        match rig.state() {
            StateName::Handshaking => rig.dialled(Ok(())),
            StateName::Subscribing => rig.frame(EMPTY),
            StateName::LiveWebSocket => rig.close(1011),
            _ => {}
        }
        rig.millis(100);
    }
    assert!(
        rig.requests() < 80,
        "{} handshakes in ten minutes",
        rig.requests()
    );
}

#[test]
fn u34_two_sidecars_do_not_come_back_together() {
    let comes_back = |seed| {
        let mut rig = Rig::new();
        rig.seed = seed;
        rig.retime(|_| {});
        rig.input(Input::Start);
        rig.dialled(Ok(()));
        rig.dialled(Ok(()));
        rig.frame(EMPTY);
        rig.secs(12);
        rig.close(1012);
        let before = rig.now;
        rig.until_request(2);
        rig.now.saturating_duration_since(before)
    };
    let delays: std::collections::BTreeSet<_> = (0..20).map(comes_back).collect();
    assert!(delays.len() > 5, "{delays:?}");
    assert_eq!(
        comes_back(3),
        comes_back(3),
        "the same seed, the same story"
    );
}
