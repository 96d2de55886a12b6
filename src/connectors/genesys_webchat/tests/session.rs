//! A guest is made once, and what it was given serves every connection of the session.

use super::*;
use crate::connectors::{Control, LossWindow, Verdict};

#[test]
fn u22_a_guest_is_made_with_the_oauth_token_and_talks_with_its_own() {
    let connector = connector();
    let mut link = link_at(&*connector, None, morning());
    let asked = call(link.setup(&token()));
    assert_eq!(asked.method, http::Method::POST);
    assert_eq!(
        asked.url.as_str(),
        "https://chat.example.test/api/v2/webchat/guests"
    );
    assert_eq!(asked.headers["authorization"], "Bearer 0auth");
    assert!(asked.headers["authorization"].is_sensitive());
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    let known = json!({
        "email": "guest@example.org", "firstName": "A.", "lastName": "Guest",
    });
    assert_eq!(body, json!({ "guest": known }));
    link.setup_answer(&made()).unwrap();
    assert!(matches!(link.setup(&token()), Setup::Ready));
    let handshake = link.handshake(&token()).unwrap();
    assert_eq!(
        handshake.url.as_str(),
        "wss://chat.example.test/api/v2/webchat/instances/i-1/websocket"
    );
    assert_eq!(handshake.headers["authorization"], "Bearer gu3st");
    assert!(handshake.headers["authorization"].is_sensitive());
    let shown = format!("{connector:?} {link:?} {handshake:?} {asked:?}");
    for secret in ["gu3st", "0auth", GUEST, "guest@example.org"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn u22_what_the_guest_was_given_is_kept_and_used_again() {
    let connector = connector();
    let link = set_up(&*connector);
    let left = kept(&*link);
    assert!(matches!(link.keep(), Keep::Unchanged), "told once");
    let mut next = link_at(&*connector, Some(&left), morning());
    assert!(matches!(next.setup(&token()), Setup::Ready));
    assert!(matches!(next.keep(), Keep::Unchanged));
    let handshake = next.handshake(&token()).unwrap();
    assert!(handshake.url.path().contains("/i-1/"));
    assert_eq!(handshake.headers["authorization"], "Bearer gu3st");
}

#[test]
fn u39_an_instance_that_is_over_is_never_replaced_by_another() {
    let connector = connector();
    let left = kept(&*set_up(&*connector));
    let later = morning().plus(Duration::from_secs(4_000));
    let mut next = link_at(&*connector, Some(&left), later);
    assert!(matches!(next.setup(&token()), Setup::Ready), "no new guest");
    for status in [401, 404, 410] {
        let status = StatusCode::from_u16(status).unwrap();
        let verdict = connector.handshake_verdict(status);
        assert_eq!(verdict, Some(Verdict::Expired), "{status}");
        assert_eq!(connector.verdict(status), None, "of a request with OAuth");
    }
    assert_eq!(connector.handshake_verdict(StatusCode::FORBIDDEN), None);
}

#[test]
fn what_another_guest_left_is_of_no_use() {
    let left = kept(&*set_up(&*connector()));
    let token_of_another = Secret::new("11111111-2222-4333-8444-555555555555".to_owned());
    let another = built(&settings_of(GuestSettings {
        token: token_of_another,
        ..guest()
    }));
    let mut link = link_at(&*another, Some(&left), morning());
    call(link.setup(&token()));
    for odd in ["", "{}", "[]", r#"{"of":"x","id":"a","token":"b"}"#] {
        let odd = Opaque::new(odd.to_owned());
        let mut link = link_at(&*another, Some(&odd), morning());
        call(link.setup(&token()));
    }
}

#[test]
fn answers_that_make_no_guest_are_refused_and_not_quoted() {
    for body in [
        json!(null),
        json!([]),
        json!(["i-1", "s3cret"]),
        json!({}),
        json!({ "webchatInstanceId": "i-1" }),
        json!({ "webchatInstanceId": 7, "token": "s3cret" }),
        json!({ "webchatInstanceId": "", "token": "s3cret" }),
        json!({ "webchatInstanceId": "..", "token": "s3cret" }),
        json!({ "webchatInstanceId": "a\nb", "token": "s3cret" }),
        json!({ "webchatInstanceId": "x".repeat(201), "token": "s3cret" }),
        json!({ "webchatInstanceId": "i-1", "token": "s3cret\r\nX: y" }),
        json!({ "webchatInstanceId": "i-1", "token": "" }),
    ] {
        let connector = connector();
        let mut link = link_at(&*connector, None, morning());
        call(link.setup(&token()));
        let refused = link.setup_answer(&answered(200, &body)).unwrap_err();
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
        assert!(matches!(link.keep(), Keep::Unchanged));
        assert!(link.handshake(&token()).is_none());
    }
}

#[test]
fn an_id_is_one_segment_of_the_address_whatever_it_holds() {
    let connector = connector();
    let mut link = link_at(&*connector, None, morning());
    call(link.setup(&token()));
    let body = json!({ "webchatInstanceId": "../../users?x=#y", "token": "t" });
    link.setup_answer(&answered(200, body)).unwrap();
    let handshake = link.handshake(&token()).unwrap();
    assert_eq!(
        handshake.url.path(),
        "/api/v2/webchat/instances/..%2F..%2Fusers%3Fx=%23y/websocket"
    );
}

#[test]
fn the_pong_behind_the_handshake_confirms() {
    let connector = connector();
    let mut link = set_up(&*connector);
    link.opened(Resume::default());
    assert_eq!(link.ponged(&Bytes::from_static(b"")), Confirms::Nothing);
    standing(&*connector);
}

#[test]
fn a_message_of_the_other_side_is_received_and_its_end_is_told_once() {
    let connector = connector();
    let mut link = standing(&*connector);
    let frame = json!({ "type": "message", "content": "Hello", "messageId": "m-1" });
    let batch = read(&mut *link, &frame);
    let until = morning().plus(Duration::from_secs(3_600));
    assert_eq!(batch.controls, [Control::Lasts { until }]);
    let normal = connector.normalize(&batch.events[0]);
    assert_eq!(
        (normal.id.as_str(), normal.r#type.as_str()),
        ("m-1", "ccaas.message.received.v1")
    );
    assert_eq!(normal.subject, "conversations/chat-1");
    assert!(batch.receipts.is_empty());
    assert!(read(&mut *link, &frame).controls.is_empty());
}

#[test]
fn u20_frames_that_are_none_are_refused_and_odd_ones_kept() {
    let connector = connector();
    let mut link = standing(&*connector);
    for frame in ["", "[]", "7", "words", r#"{"type":7}"#] {
        link.read_frame(MonoTime::now(), &frame.into()).unwrap_err();
    }
    for frame in [
        json!({}),
        json!({ "type": "" }),
        json!({ "type": "messageReceived", "messageId": "" }),
        json!({ "type": "messageReceived", "messageId": "x".repeat(201) }),
        json!({ "type": "message", "content": 7, "messageId": {} }),
        json!({ "type": "unheard" }),
    ] {
        let batch = read(&mut *link, &frame);
        assert!(batch.receipts.is_empty(), "{frame}");
        let normal = connector.normalize(&batch.events[0]);
        assert_eq!(normal.r#type, "ccaas.unmapped.v1", "{frame}");
        assert_eq!(normal.raw_data, frame.to_string(), "{frame}");
    }
}

#[test]
fn u18_there_is_no_history() {
    let window = LossWindow {
        start: morning(),
        end: morning(),
    };
    assert!(connector().recover("", &window).is_none());
}
