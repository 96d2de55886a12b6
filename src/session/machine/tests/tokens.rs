//! Tokens, refusals and what is suspended.

use super::rig::{EMPTY, Rig, Sent, batch};
use crate::auth::TokenProblem;
use crate::net::{HandshakeFailure, HttpFailure};
use crate::proto::v1::session::State;
use crate::proto::v1::session_event::Kind;
use crate::session::machine::{Input, StateName};

fn refused() -> TokenProblem {
    TokenProblem::Refused {
        reason: "invalid_client".to_owned(),
    }
}

fn unavailable() -> TokenProblem {
    TokenProblem::Unavailable {
        reason: "503".to_owned(),
    }
}

fn rejections(rig: &Rig) -> Vec<u64> {
    let sent = rig.sent.iter().filter_map(|s| match s {
        Sent::Reject(generation) => Some(*generation),
        _ => None,
    });
    sent.collect()
}

fn newest_token(rig: &Rig) -> String {
    let sent = rig.sent.iter().rev().find_map(|s| match s {
        Sent::Call { token, .. } | Sent::Dial { token, .. } => token.clone(),
        _ => None,
    });
    sent.unwrap()
}

#[test]
fn u12_a_401_in_the_hold_is_repeated_once_with_a_fresh_token() {
    let mut rig = Rig::on_long_poll();
    rig.poll(200, &batch(&[1]));
    rig.sent();
    rig.secs(20);
    rig.poll(401, "");
    assert_eq!(rejections(&rig), [1]);
    assert_eq!((newest_token(&rig).as_str(), rig.asked_after()), ("t2", 1));
    rig.secs(20);
    rig.poll(200, &batch(&[2]));
    assert_eq!(rig.kinds(), ["connected"], "not counted as a failure");
    // Every token expires once; that alone never adds up to a refusal.
    for number in 3..9 {
        rig.secs(20);
        rig.poll(401, "");
        rig.poll(200, &batch(&[number]));
    }
    assert_eq!(rig.state(), StateName::LiveLongPoll);
}

#[test]
fn u24_a_second_401_with_a_fresh_token_is_a_credential_failure() {
    let mut rig = Rig::on_long_poll();
    rig.poll(401, "");
    rig.poll(401, "");
    assert_eq!(rig.state(), StateName::Suspended);
    assert!(
        rig.last_fact(Kind::Suspended)
            .reason
            .starts_with("CREDENTIALS_REFUSED")
    );
    // The same at the handshake.
    let mut rig = Rig::new();
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.refused_dial(401);
    assert_eq!(
        (rig.state(), newest_token(&rig).as_str()),
        (StateName::Handshaking, "t2")
    );
    rig.refused_dial(401);
    assert_eq!(rig.state(), StateName::Suspended);
}

#[test]
fn u21_requests_under_way_with_the_same_token_count_once() {
    let mut rig = Rig::on_long_poll();
    rig.poll(200, &batch(&[1, 3]));
    let (poll, ..) = rig.last_call("/subscribe");
    let (history, ..) = rig.last_call("/history");
    rig.sent();
    rig.answer_to(poll, 401, &[], "");
    rig.answer_to(history, 401, &[], "");
    assert_eq!(
        rejections(&rig),
        [1],
        "one refresh, however many were refused"
    );
    rig.history(200, &batch(&[2]));
    assert_eq!(rig.numbers(), [1, 2, 3]);
    assert_eq!(rig.state(), StateName::LiveLongPoll);
}

#[test]
fn u24_refused_credentials_suspend_and_are_tried_again_slowly() {
    let mut rig = Rig::new();
    rig.tokens.extend([Err(refused()), Err(refused())]);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    assert_eq!(rig.state(), StateName::Suspended);
    let status = rig.machine.status();
    assert_eq!(status.state(), State::Suspended);
    assert_eq!(status.reason, "CREDENTIALS_REFUSED: invalid_client");
    rig.sent();
    rig.secs(299);
    assert_eq!(rig.requests(), 0);
    rig.until_request(32);
    rig.dialled(Ok(()));
    assert_eq!(rig.state(), StateName::Suspended);
    rig.until_request(331);
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(EMPTY);
    assert_eq!(
        rig.state(),
        StateName::LiveWebSocket,
        "the secret was replaced"
    );
    assert_eq!(rig.kinds(), ["suspended", "connected"]);
}

#[test]
fn u24_a_new_token_wakes_a_session_that_waits_for_one() {
    let mut rig = Rig::new();
    rig.tokens.push_back(Err(refused()));
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.sent();
    rig.input(Input::TokenRenewed { generation: 2 });
    assert_eq!(rig.state(), StateName::Probing);
    // One that waits for a permission is not woken by it.
    let mut rig = Rig::on_websocket();
    rig.close(1008);
    rig.input(Input::TokenRenewed { generation: 2 });
    assert_eq!(rig.state(), StateName::Suspended);
}

#[test]
fn u23_an_endpoint_that_is_down_is_waited_for_with_back_off() {
    let mut rig = Rig::new();
    rig.tokens.extend((0..20).map(|_| Err(unavailable())));
    rig.input(Input::Start);
    for _ in 0..20 {
        rig.dialled(Ok(()));
        if rig.state() == StateName::Waiting {
            rig.until_request(31);
        }
    }
    assert!(rig.token_asks <= 21);
    // While polling the chain stands still and keeps its place.
    let mut rig = Rig::on_long_poll();
    rig.tokens.push_back(Err(unavailable()));
    rig.poll(200, &batch(&[1]));
    assert_eq!(rig.machine.status().state(), State::Degraded);
    rig.until_request(2);
    assert_eq!((rig.asked_after(), rig.kinds().len()), (1, 1));
}

#[test]
fn u24_a_token_that_was_rejected_and_comes_again_is_not_sent_again() {
    let mut rig = Rig::on_long_poll();
    rig.tokens.push_back(Ok(1));
    rig.sent();
    rig.poll(401, "");
    assert_eq!(rig.requests(), 0, "no loop with the same token");
    rig.until_request(2);
    assert_eq!(newest_token(&rig), "t2");
}

#[test]
fn u31_close_4401_takes_the_token_path() {
    let mut rig = Rig::on_websocket();
    rig.secs(15);
    rig.sent();
    rig.close(4401);
    assert_eq!(rejections(&rig), [1]);
    rig.until_request(2);
    rig.dialled(Ok(()));
    assert_eq!(newest_token(&rig), "t2");
    // At once again with the fresh token, before the connection proved anything.
    rig.frame(EMPTY);
    rig.close(4401);
    assert_eq!(rig.state(), StateName::Suspended);
}

#[test]
fn u24_no_secret_is_in_what_the_machine_shows() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.close(1006);
    let shown = format!("{:?} {:?}", rig.machine, rig.machine.status());
    assert!(!shown.contains("t1"), "{shown}");
}

fn proxy_refused() -> HandshakeFailure {
    HandshakeFailure::Http(HttpFailure::ProxyRefused)
}

#[test]
fn u7_a_probe_that_the_proxy_refuses_lets_the_token_source_meet_the_refusal() {
    let mut rig = Rig::new();
    let reason = "407".to_owned();
    rig.tokens
        .push_back(Err(TokenProblem::ProxyRefused { reason }));
    rig.input(Input::Start);
    rig.dialled(Err(proxy_refused()));
    assert_eq!((rig.state(), rig.token_asks), (StateName::Suspended, 1));
    let status = rig.machine.status();
    assert_eq!(status.state(), State::Suspended);
    assert_eq!(status.reason, "PROXY_REFUSED: 407");
    // The source has a token: the credentials were mended.
    rig.input(Input::TokenRenewed { generation: 1 });
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(EMPTY);
    assert_eq!(rig.state(), StateName::LiveWebSocket);
}

#[test]
fn u7_a_proxy_that_refuses_later_is_no_platform_that_does() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.dialled(Err(proxy_refused()));
    assert_eq!(rig.state(), StateName::Suspended);
    assert_eq!(rig.machine.status().reason, "PROXY_REFUSED");
    assert!(
        rejections(&rig).is_empty(),
        "the token is as good as before"
    );

    let mut rig = Rig::on_long_poll();
    rig.poll_fails(HttpFailure::ProxyRefused);
    assert_eq!(rig.state(), StateName::Suspended);
    assert_eq!(rig.machine.status().reason, "PROXY_REFUSED");
}

/// Nobody knows when a proxy is mended, and its refusals trouble no platform.
#[test]
fn u7_a_proxy_that_refuses_is_tried_again_within_half_a_minute() {
    let mut rig = Rig::on_long_poll();
    rig.poll_fails(HttpFailure::ProxyRefused);
    for _ in 0..20 {
        assert_eq!(rig.state(), StateName::Suspended);
        rig.until_request(30);
        rig.dialled(Err(proxy_refused()));
        rig.dialled(Err(proxy_refused()));
    }
    let suspended = rig.kinds().into_iter().filter(|kind| kind == "suspended");
    assert_eq!(suspended.count(), 1, "told once");
}

#[test]
fn u7_a_proxy_that_refuses_is_tried_again_at_once_when_its_password_changes() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.dialled(Err(proxy_refused()));
    assert_eq!(rig.state(), StateName::Suspended);
    let dials = rig.requests();
    rig.input(Input::SecretsChanged);
    assert_eq!(rig.requests(), dials + 1);
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(EMPTY);
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    rig.sent();
    rig.input(Input::SecretsChanged);
    assert!(rig.sent().is_empty(), "all is well");
}

#[test]
fn u24_what_the_platform_refused_waits_for_a_new_token_and_not_for_a_secret() {
    let mut rig = Rig::new();
    let reason = "invalid_client".to_owned();
    rig.tokens.push_back(Err(TokenProblem::Refused { reason }));
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    assert_eq!(rig.state(), StateName::Suspended);
    rig.input(Input::SecretsChanged);
    assert_eq!(rig.state(), StateName::Suspended);
    rig.input(Input::TokenRenewed { generation: 1 });
    assert_ne!(rig.state(), StateName::Suspended);
}
