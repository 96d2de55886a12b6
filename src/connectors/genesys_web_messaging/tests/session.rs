//! A session's life: how it begins, goes on and ends.

use super::*;
use crate::connectors::Verdict;
use http::StatusCode;

#[test]
fn u22_the_guests_token_is_the_session_and_no_other_token_is_shown() {
    let connector = connector();
    let now = MonoTime::now();
    let mut link = link_at(&*connector, None, now);
    let handshake = link.handshake(&nobody()).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        handshake.url.as_str(),
        format!(
            "wss://webmessaging.example.test/v1?deploymentId={DEPLOYMENT}&application=tieline-{version}"
        )
    );
    assert_eq!(handshake.headers["origin"], "https://www.example.org");
    assert_eq!(handshake.headers.len(), 1);
    let frames = link.opened(Resume::default());
    assert_eq!(
        json_of(&frames[0]),
        json!({ "action": "configureSession", "token": TOKEN, "deploymentId": DEPLOYMENT,
                "startNew": false, "tracingId": "tieline-configure" })
    );
    assert_eq!(frames.len(), 1);
}

#[test]
fn a_session_stands_once_it_is_there_and_the_jwt_came() {
    let connector = connector();
    let now = MonoTime::now();
    let mut link = link_at(&*connector, None, now);
    link.opened(Resume::default());
    assert_eq!(link.heartbeat_due(), None);
    let batch = read(&mut *link, now, &begun());
    assert_eq!(batch.confirms, Confirms::Nothing);
    assert!(batch.events.is_empty() && batch.controls.is_empty());
    assert_eq!(
        due(&mut *link, now),
        [json!({ "action": "getJwt", "token": TOKEN, "tracingId": "tieline-jwt-1" })]
    );
    let batch = read(&mut *link, now, &lasting());
    assert_eq!(batch.confirms, Confirms::All);
    assert!(batch.events.is_empty(), "a JWT is no event");
    assert_eq!(link.heartbeat_due(), Some(now + seconds(30)), "an echo");
}

#[test]
fn a_refused_jwt_leaves_a_session_without_history() {
    for refusal in [
        error(403, Some("tieline-jwt-1")),
        error(403, None),
        error(5000, Some("tieline-jwt-1")),
        json!({ "class": "JwtResponse", "code": 200, "body": {} }),
        json!({ "class": "JwtResponse", "code": 200, "body": { "jwt": "" } }),
        json!({ "class": "JwtResponse", "code": 401, "body": { "jwt": "x" } }),
    ] {
        let connector = connector();
        let now = MonoTime::now();
        let mut link = link_at(&*connector, None, now);
        read(&mut *link, now, &begun());
        due(&mut *link, now);
        let batch = read(&mut *link, now, &refusal);
        assert_eq!(batch.confirms, Confirms::All, "{refusal}");
        assert!(batch.events.is_empty(), "{refusal}");
        assert!(sent(&mut *link, MESSAGE, &text("Hello"), &[]).is_some());
    }
}

#[test]
fn a_throttled_jwt_is_asked_for_again_but_not_for_ever() {
    let connector = connector();
    let mut now = MonoTime::now();
    let mut link = link_at(&*connector, None, now);
    read(&mut *link, now, &begun());
    for _ in 0..2 {
        assert_eq!(due(&mut *link, now)[0]["action"], "getJwt");
        let batch = read(&mut *link, now, &throttled(None, json!(2)));
        assert_eq!(batch.confirms, Confirms::Nothing);
        assert_eq!(link.heartbeat_due(), Some(now + seconds(2)));
        now += seconds(2);
    }
    due(&mut *link, now);
    let batch = read(&mut *link, now, &throttled(None, json!(2)));
    assert_eq!(batch.confirms, Confirms::All);
}

#[test]
fn a_jwt_that_never_comes_is_given_up_and_the_next_answer_confirms() {
    let connector = connector();
    let now = MonoTime::now();
    let mut link = link_at(&*connector, None, now);
    read(&mut *link, now, &begun());
    due(&mut *link, now);
    let later = now + seconds(5);
    assert_eq!(link.heartbeat_due(), Some(later));
    let frames = due(&mut *link, later);
    assert_eq!(frames[0]["action"], "echo");
    assert!(sent(&mut *link, MESSAGE, &text("Hello"), &[]).is_none());
    let answer = echo(frames[0]["tracingId"].as_str().unwrap(), "e1");
    let batch = read(&mut *link, later, &answer);
    assert_eq!(batch.confirms, Confirms::All);
    assert_eq!(batch.controls, [Control::Answered { sent: later }]);
    assert!(batch.events.is_empty() && batch.receipts.is_empty());
}

#[test]
fn a_session_goes_on_with_the_same_token() {
    let connector = connector();
    let now = MonoTime::now();
    let link = standing(&*connector, None, now);
    let left = kept(&*link);
    assert!(matches!(link.keep(), Keep::Unchanged), "told once");
    assert!(!left.expose().contains(TOKEN));
    let next = standing(&*connector, Some(&left), now);
    assert!(matches!(next.keep(), Keep::Unchanged));
}

#[test]
fn an_old_session_in_answer_to_the_first_connection_was_begun_by_one_that_broke() {
    let connector = connector();
    let now = MonoTime::now();
    let mut link = link_at(&*connector, None, now);
    let batch = read(&mut *link, now, &goes_on());
    assert!(batch.controls.is_empty());
    assert_eq!(due(&mut *link, now)[0]["action"], "getJwt");
    kept(&*link);
}

#[test]
fn u39_a_new_session_where_an_old_one_was_is_the_end() {
    let connector = connector();
    let now = MonoTime::now();
    let left = kept(&*standing(&*connector, None, now));
    let mut link = link_at(&*connector, Some(&left), now);
    let batch = read(&mut *link, now, &begun());
    assert_eq!(expired(&batch), "SESSION_NEW");
    assert_eq!(batch.confirms, Confirms::Nothing);
    assert_eq!(link.heartbeat_due(), None, "nothing more is said");
    assert!(sent(&mut *link, MESSAGE, &text("Hello"), &[]).is_none());
    assert!(link.goodbye().is_empty());
}

#[test]
fn u39_what_another_guest_left_does_not_end_this_ones_beginning() {
    let now = MonoTime::now();
    let left = kept(&*standing(&*connector(), None, now));
    let token = Secret::new("11111111-2222-4333-8444-555555555555".to_owned());
    let another = GuestSettings { token, ..guest() };
    let another = built(&settings_at("wss://webmessaging.example.test", another));
    let mut link = link_at(&*another, Some(&left), now);
    assert!(read(&mut *link, now, &begun()).controls.is_empty());
}

#[test]
fn u39_every_way_in_which_a_session_ends_is_final() {
    let now = MonoTime::now();
    let connector = connector();
    let left = kept(&*standing(&*connector, None, now));
    let event = |class: &str| json!({ "type": "message", "class": class, "code": 200, "body": {} });
    let read_only = json!({ "class": "StructuredMessage", "code": 200, "body": {
        "id": "e", "type": "Event", "direction": "Outbound", "metadata": { "readOnly": "true" },
        "events": [{ "eventType": "Presence", "presence": { "type": "Disconnect" } }] } });
    for (frame, reason) in [
        (
            session(json!({ "connected": true, "readOnly": true })),
            "SESSION_READ_ONLY",
        ),
        (session(json!({ "connected": false })), "SESSION_CLOSED"),
        (
            session(json!({ "connected": true, "clearedExistingSession": true })),
            "CONVERSATION_CLEARED",
        ),
        (event("SessionExpiredEvent"), "SESSION_EXPIRED"),
        (event("SessionClearedEvent"), "CONVERSATION_CLEARED"),
        (event("LogoutEvent"), "LOGGED_OUT"),
        (error(4006, None), "SESSION_EXPIRED"),
        (error(4006, Some("tieline-configure")), "SESSION_EXPIRED"),
        (error(4007, Some("tieline-jwt-1")), "SESSION_NOT_FOUND"),
        (error(4007, Some("tieline-echo-1")), "SESSION_NOT_FOUND"),
        (read_only, "SESSION_READ_ONLY"),
    ] {
        for stands in [false, true] {
            let mut link = match stands {
                true => standing(&*connector, Some(&left), now),
                false => link_at(&*connector, Some(&left), now),
            };
            let batch = read(&mut *link, now, &frame);
            assert_eq!(expired(&batch), reason, "{frame}");
            assert_eq!(batch.confirms, Confirms::Nothing, "{frame}");
            assert_eq!(link.heartbeat_due(), None, "{frame}");
            let after = read(&mut *link, now, &goes_on());
            assert!(
                after.controls.is_empty() && after.events.is_empty(),
                "{frame}"
            );
            assert!(sent(&mut *link, MESSAGE, &text("Hello"), &[]).is_none());
        }
    }
}

#[test]
fn an_agent_who_leaves_a_conversation_that_goes_on_ends_nothing() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    for metadata in [
        json!({}),
        json!({ "readOnly": "false" }),
        json!({ "readOnly": [] }),
    ] {
        let frame = json!({ "class": "StructuredMessage", "code": 200, "body": {
            "id": "e", "type": "Event", "direction": "Outbound", "metadata": metadata,
            "events": [{ "eventType": "Presence", "presence": { "type": "Disconnect" } }] } });
        let batch = read(&mut *link, now, &frame);
        assert!(batch.controls.is_empty());
        assert_eq!(batch.events.len(), 1);
    }
}

#[test]
fn a_connection_that_another_replaced_is_superseded_and_not_expired() {
    let now = MonoTime::now();
    for (body, reason) in [
        (json!({}), "CONNECTION_SUPERSEDED"),
        (
            json!({ "reason": "signedIn" }),
            "CONNECTION_SUPERSEDED: signedIn",
        ),
        (json!({ "reasonCode": "x" }), "CONNECTION_SUPERSEDED: x"),
        (json!("words"), "CONNECTION_SUPERSEDED"),
    ] {
        let mut link = standing(&*connector(), None, now);
        let frame = json!({ "type": "message", "class": "ConnectionClosedEvent", "body": body });
        let batch = read(&mut *link, now, &frame);
        let reason = reason.to_owned();
        assert_eq!(batch.controls, [Control::Superseded { reason }]);
        assert_eq!(link.heartbeat_due(), None);
    }
}

#[test]
fn a_refused_session_is_refused_like_its_status() {
    let connector = connector();
    for (frame, expected) in [
        (error(401, Some("tieline-configure")), 401),
        (error(403, None), 403),
        (error(4000, None), 403),
        (error(4017, None), 403),
        (error(400, None), 400),
        (error(4020, None), 400),
        (error(5000, None), 503),
        (throttled(None, json!(3)), 429),
    ] {
        let now = MonoTime::now();
        let mut link = link_at(&*connector, None, now);
        match read(&mut *link, now, &frame).controls.as_slice() {
            [Control::Refused { status, .. }] => assert_eq!(*status, expected, "{frame}"),
            other => panic!("{frame}: {other:?}"),
        }
        assert!(matches!(link.keep(), Keep::Unchanged), "nothing began");
    }
    // Nobody can renew what a guest shows.
    let verdict = connector.verdict(StatusCode::UNAUTHORIZED);
    assert_eq!(verdict, Some(Verdict::Forbidden));
    assert_eq!(connector.handshake_verdict(StatusCode::FORBIDDEN), None);
}

#[test]
fn the_platform_says_when_a_session_ends_by_itself() {
    let connector = connector();
    let now = MonoTime::now();
    let until = |text: &str| [Control::Lasts { until: wall(text) }];
    for (body, expected) in [
        (
            json!({ "expirationDate": 1_773_139_500, "durationSeconds": 3600 }),
            "2026-03-10T10:45:00Z",
        ),
        (
            json!({ "expirationDate": "1773139500" }),
            "2026-03-10T10:45:00Z",
        ),
        (json!({ "durationSeconds": 60 }), "2026-03-10T09:47:07Z"),
    ] {
        let mut link = link_at(&*connector, None, now);
        let batch = read(&mut *link, now + seconds(7), &session(body));
        assert_eq!(batch.controls, until(expected));
    }
    let mut link = standing(&*connector, None, now);
    let quiet = now + seconds(30);
    let asked = due(&mut *link, quiet);
    let mut answer = echo(asked[0]["tracingId"].as_str().unwrap(), "e1");
    answer["body"]["metadata"] =
        json!({ "durationSeconds": "3600", "expirationDate": "1773139500" });
    let batch = read(&mut *link, quiet, &answer);
    assert!(batch.controls.contains(&until("2026-03-10T10:45:00Z")[0]));
    for odd in [
        json!(-1),
        json!("soon"),
        json!(u64::MAX),
        json!(1.5),
        json!({}),
    ] {
        let mut link = link_at(&*connector, None, now);
        let batch = read(&mut *link, now, &session(json!({ "expirationDate": odd })));
        assert!(batch.controls.is_empty(), "{odd}");
    }
}

#[test]
fn a_closed_session_takes_leave_for_every_connection() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    let frames: Vec<Value> = link.goodbye().iter().map(json_of).collect();
    assert_eq!(
        frames,
        [
            json!({ "action": "closeSession", "token": TOKEN, "tracingId": "tieline-close",
                 "closeAllConnections": true })
        ]
    );
    assert!(link_at(&*connector(), None, now).goodbye().is_empty());
    let batch = read(&mut *link, now, &error(400, Some("tieline-close")));
    assert!(batch.controls.is_empty() && batch.receipts.is_empty());
}
