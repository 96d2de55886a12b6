//! A permission that is missing, wherever it is said: one attempt in five minutes, and no loop (U12,
//! U33).

use super::rig::{EMPTY, Rig, Sent};
use crate::proto::v1::session::State;
use crate::session::TransportChoice;
use crate::session::machine::{Input, StateName};

/// An hour in which every attempt is refused by `refuse`; how many attempts and requests there were.
fn an_hour(rig: &mut Rig, refuse: impl Fn(&mut Rig)) -> (usize, usize) {
    let (mut attempts, mut requests) = (0, 0);
    for _ in 0..3_600 {
        if rig.state() != StateName::Suspended {
            attempts += 1;
            refuse(rig);
            assert_eq!(rig.state(), StateName::Suspended);
        }
        requests += rig.requests();
        rig.sent();
        rig.secs(1);
    }
    (attempts, requests)
}

fn is_said(rig: &Rig) {
    let status = rig.machine.status();
    assert_eq!(
        (status.state(), status.reason.as_str()),
        (State::Suspended, "PERMISSION_DENIED")
    );
    let said = rig.kinds().into_iter().filter(|kind| kind == "suspended");
    assert_eq!(said.count(), 1);
}

#[test]
fn u12_a_403_at_the_handshake_is_asked_twelve_times_an_hour() {
    let mut rig = Rig::with(super::rig::genesys(), TransportChoice::Websocket);
    rig.input(Input::Start);
    let (attempts, requests) = an_hour(&mut rig, |rig| rig.refused_dial(403));
    is_said(&rig);
    assert!((10..=13).contains(&attempts), "{attempts}");
    assert_eq!(requests, attempts, "the handshake and nothing else");
}

#[test]
fn u12_a_403_to_a_poll_is_asked_twelve_times_an_hour() {
    let mut rig = Rig::polling_only();
    rig.input(Input::Start);
    let (attempts, requests) = an_hour(&mut rig, |rig| rig.poll(403, ""));
    is_said(&rig);
    assert!((10..=13).contains(&attempts), "{attempts}");
    assert_eq!(requests, attempts);
}

#[test]
fn u33_a_403_in_a_frame_is_asked_twelve_times_an_hour() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    let (attempts, requests) = an_hour(&mut rig, |rig| {
        rig.dialled(Ok(()));
        rig.dialled(Ok(()));
        rig.frame(r#"{"status":403,"message":"missing permission"}"#);
    });
    is_said(&rig);
    assert!((10..=13).contains(&attempts), "{attempts}");
    assert_eq!(requests, 2 * attempts, "probe and handshake");
    assert!(!rig.sent.iter().any(|s| matches!(s, Sent::Frame { .. })));
}

#[test]
fn u31_a_close_for_policy_is_asked_twelve_times_an_hour() {
    for code in [1008, 4403] {
        let mut rig = Rig::new();
        rig.input(Input::Start);
        let (attempts, _) = an_hour(&mut rig, |rig| {
            rig.dialled(Ok(()));
            rig.dialled(Ok(()));
            rig.frame(EMPTY);
            rig.close(code);
        });
        assert_eq!(rig.machine.status().reason, "PERMISSION_DENIED");
        assert!((10..=13).contains(&attempts), "{code}: {attempts}");
    }
}
