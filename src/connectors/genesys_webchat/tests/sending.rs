//! Messages of the guest, on the socket and over REST.

use http::header::RETRY_AFTER;

use super::*;
use crate::connectors::{Dispatch, Receipt, SendOutcome, Sending};

#[test]
fn u36_a_message_is_the_same_on_the_socket_and_over_rest() {
    let connector = connector();
    let none = BTreeMap::new();
    let content = text("Where is my parcel?");
    let message = outgoing(&content, &none);
    let expected =
        json!({ "type": "message", "content": "Where is my parcel?", "messageId": MESSAGE });
    let mut link = standing(&*connector);
    match link.send(MonoTime::now(), morning(), &message) {
        Some(Dispatch::Frames(frames)) => match frames.as_slice() {
            [Frame::Text(text)] => {
                assert_eq!(serde_json::from_slice::<Value>(text).unwrap(), expected);
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    let call = set_up(&*connector).send_over_rest(&message).unwrap();
    assert_eq!(call.method, http::Method::POST);
    assert_eq!(
        call.url.as_str(),
        "https://chat.example.test/api/v2/webchat/instances/i-1/messages"
    );
    assert_eq!(call.headers["authorization"], "Bearer gu3st");
    assert_eq!(call.headers["content-type"], "application/json");
    assert_eq!(
        serde_json::from_slice::<Value>(&call.body).unwrap(),
        expected
    );
    connector.addresses().check(&call.url).unwrap();
}

#[test]
fn nothing_is_sent_where_nothing_stands() {
    let connector = connector();
    let none = BTreeMap::new();
    let content = text("Hello");
    let message = outgoing(&content, &none);
    let mut link = set_up(&*connector);
    link.opened(Resume::default());
    assert!(link.send(MonoTime::now(), morning(), &message).is_none());
    let mut link = link_at(&*connector, None, morning());
    assert!(link.send_over_rest(&message).is_none(), "no guest yet");
    assert_eq!(
        connector.sending(),
        Some(Sending {
            pace: Duration::ZERO,
            acknowledged_within: Duration::from_secs(30),
            rest: true,
            history: false,
        })
    );
}

#[test]
fn u36_a_receipt_acknowledges_and_is_no_event() {
    let mut link = standing(&*connector());
    let batch = read(
        &mut *link,
        &json!({ "type": "messageReceived", "messageId": MESSAGE }),
    );
    let id = Some(MESSAGE.to_owned());
    let outcome = SendOutcome::Acknowledged { provider_id: None };
    assert_eq!(batch.receipts, [Receipt { id, outcome }]);
    assert!(batch.events.is_empty());
}

#[test]
fn answers_over_rest_say_what_became_of_the_message() {
    let mut link = set_up(&*connector());
    let refused = |reason| SendOutcome::Refused { reason };
    let unknown = |reason| SendOutcome::Unknown { reason };
    let over = SendOutcome::NotTaken {
        reason: "GUEST_SESSION_EXPIRED",
    };
    for (status, expected) in [
        (200, SendOutcome::Acknowledged { provider_id: None }),
        (202, SendOutcome::Acknowledged { provider_id: None }),
        (204, SendOutcome::Acknowledged { provider_id: None }),
        (302, unknown("UPSTREAM_ERROR")),
        (400, refused("UPSTREAM_REFUSED")),
        (401, over.clone()),
        (403, refused("UPSTREAM_PERMISSION_DENIED")),
        (404, over.clone()),
        (408, unknown("UPSTREAM_TIMEOUT")),
        (410, over),
        (413, refused("MESSAGE_TOO_LONG")),
        (422, refused("UPSTREAM_REFUSED")),
        (500, unknown("UPSTREAM_ERROR")),
        (502, unknown("UPSTREAM_ERROR")),
        (503, unknown("UPSTREAM_ERROR")),
    ] {
        let outcome = link.sent_answer(morning(), &answered(status, ""));
        assert_eq!(outcome, expected, "{status}");
    }
}

#[test]
fn u37_retry_after_is_obeyed_within_bounds() {
    let mut link = set_up(&*connector());
    for (header, expected) in [
        (Some("7"), 7),
        (Some("0"), 1),
        (Some("86400"), 300),
        (Some("Tue, 10 Mar 2026 09:46:30 GMT"), 30),
        (Some("Tue, 10 Mar 2020 09:46:30 GMT"), 1),
        (Some("soon"), 5),
        (None, 5),
    ] {
        let mut answer = answered(429, "");
        if let Some(value) = header {
            answer.headers.insert(RETRY_AFTER, value.parse().unwrap());
        }
        let retry_after = Duration::from_secs(expected);
        let outcome = link.sent_answer(morning(), &answer);
        assert_eq!(
            outcome,
            SendOutcome::Throttled { retry_after },
            "{header:?}"
        );
    }
}

#[test]
fn what_the_platform_would_refuse_is_refused_with_field_and_limit() {
    let connector = connector();
    let none = BTreeMap::new();
    let own = attributes(&[("order", "7")]);
    let long = |n: usize| text(&"é".repeat(n));
    connector
        .check_outgoing(&outgoing(&long(4_000), &none))
        .unwrap();
    let choice = Content::QuickReply {
        text: "Yes".to_owned(),
        payload: "y".to_owned(),
    };
    let file = Content::Attachment { id: "a".to_owned() };
    for (content, own, reason, field, says) in [
        (
            text(""),
            &none,
            "MESSAGE_EMPTY",
            "message.text.text",
            "empty",
        ),
        (
            long(4_001),
            &none,
            "MESSAGE_TOO_LONG",
            "message.text.text",
            "4001 characters; at most 4000",
        ),
        (
            choice,
            &none,
            "CONTENT_UNSUPPORTED",
            "message.quick_reply",
            "text alone",
        ),
        (
            file,
            &none,
            "CONTENT_UNSUPPORTED",
            "message.attachment",
            "text alone",
        ),
        (
            text("a"),
            &own,
            "CONTENT_UNSUPPORTED",
            "message.custom_attributes",
            "none",
        ),
    ] {
        let problem = connector
            .check_outgoing(&outgoing(&content, own))
            .unwrap_err();
        assert_eq!((problem.reason, problem.field), (reason, field));
        assert!(problem.problem.contains(says), "{problem}");
    }
}
