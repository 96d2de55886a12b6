//! Frames of the reference, as it has them, and their normal forms beside the golden files of the
//! conformance suite.

use super::*;
use crate::proto::v1;
use crate::proto::v1::event::Data;
use crate::proto::v1::participant::Role;

fn message(connector: &dyn Connector, body: &Value) -> v1::Event {
    let mut link = standing(connector, None, MonoTime::now());
    let frame =
        json!({ "type": "message", "class": "StructuredMessage", "code": 200, "body": body });
    let batch = read(&mut *link, MonoTime::now(), &frame);
    connector.normalize(&batch.events[0])
}

fn data(event: &v1::Event) -> &v1::MessageEvent {
    match &event.data {
        Some(Data::MessageEvent(message)) => message,
        other => panic!("expected a message, not {other:?}"),
    }
}

#[test]
fn the_frames_of_the_reference_are_understood_as_they_stand_there() {
    let connector = connector();
    let now = MonoTime::now();
    let mut link = link_at(&*connector, None, now);
    let session = r#"{"type":"response","class":"SessionResponse","code":200,"tracingId":"t-001",
 "body":{"connected":true,"newSession":true,"readOnly":false,"durationSeconds":3600,"expirationDate":1773139500}}"#;
    let batch = link.read_frame(now, &session.into()).unwrap();
    assert!(matches!(batch.controls.as_slice(), [Control::Lasts { .. }]));
    due(&mut *link, now);
    read(&mut *link, now, &lasting());
    let message = r#"{"type":"message","class":"StructuredMessage","code":200,"tracingId":"t-002",
 "body":{"id":"5d2e","type":"Text","text":"Where is my parcel?","direction":"Inbound",
         "channel":{"time":"2026-03-10T09:46:11.201Z","messageId":"t-002-x"}}}"#;
    let batch = link.read_frame(now, &message.into()).unwrap();
    assert_eq!(receipts(&batch)[0].0, Some("t-002"));
    let normal = connector.normalize(&batch.events[0]);
    assert_eq!(normal.r#type, "ccaas.message.sent.v1");
    assert_eq!(normal.attributes["correlationid"], "t-002");
    sent(&mut *link, MESSAGE, &text("a"), &[]);
    let throttled = r#"{"type":"response","class":"TooManyRequestsErrorMessage","code":429,
 "body":{"retryAfter":3,"errorCode":4029,"errorMessage":"…"}}"#;
    let batch = link.read_frame(now, &throttled.into()).unwrap();
    let retry_after = seconds(3);
    assert_eq!(
        receipts(&batch),
        [(None, &SendOutcome::Throttled { retry_after })]
    );
    let gone = r#"{"type":"response","class":"string","code":4007,"body":"…"}"#;
    let batch = link.read_frame(now, &gone.into()).unwrap();
    assert_eq!(expired(&batch), "SESSION_NOT_FOUND");
}

#[test]
fn who_speaks_is_told_by_direction_and_origin() {
    let connector = connector();
    for (direction, entity, kind, shown, role) in [
        (
            "Inbound",
            json!("Human"),
            "sent",
            v1::Direction::Inbound,
            Role::Customer,
        ),
        (
            "Inbound",
            json!(null),
            "sent",
            v1::Direction::Inbound,
            Role::Customer,
        ),
        (
            "Outbound",
            json!("Human"),
            "received",
            v1::Direction::Outbound,
            Role::Agent,
        ),
        (
            "Outbound",
            json!("Bot"),
            "received",
            v1::Direction::Outbound,
            Role::Bot,
        ),
        (
            "Outbound",
            json!("Oracle"),
            "received",
            v1::Direction::Outbound,
            Role::Unspecified,
        ),
        (
            "outbound",
            json!(null),
            "received",
            v1::Direction::Outbound,
            Role::Unspecified,
        ),
    ] {
        let normal = message(
            &*connector,
            &json!({ "id": "m", "type": "Text", "text": "x",
            "direction": direction, "originatingEntity": entity }),
        );
        assert_eq!(normal.r#type, format!("ccaas.message.{kind}.v1"));
        assert_eq!(
            (data(&normal).direction(), data(&normal).sender_role()),
            (shown, role)
        );
    }
}

#[test]
fn all_of_a_session_has_one_subject_whatever_the_platform_adds() {
    let connector = connector();
    for metadata in [json!({}), json!({ "conversationId": "c-1" })] {
        let normal = message(
            &*connector,
            &json!({ "id": "m", "type": "Text", "text": "x", "direction": "Outbound",
                     "metadata": metadata }),
        );
        assert_eq!(data(&normal).conversation_id, "chat-1");
        assert_eq!(normal.subject, "conversations/chat-1");
        assert_eq!(normal.ordering_key, normal.subject);
    }
}

#[test]
fn what_is_missing_or_odd_in_a_message_leaves_the_rest_readable() {
    let connector = connector();
    let normal = message(
        &*connector,
        &json!({ "direction": "Outbound", "text": "x" }),
    );
    assert_eq!((data(&normal).text.as_str(), normal.time), ("x", None));
    assert_eq!(data(&normal).message_id, "");
    let normal = message(
        &*connector,
        &json!({ "id": "m", "direction": "Outbound",
        "type": "Structured", "content": [{ "contentType": "Attachment",
        "attachment": { "id": "a", "fileName": "a.png" } }, { "contentType": "Card" }] }),
    );
    assert_eq!(data(&normal).attachments.len(), 1);
    assert_eq!(data(&normal).attachments[0].file_name, "a.png");
    for odd in [
        json!({}),
        json!({ "direction": "Inbound" }),
        json!({ "type": "Text" }),
    ] {
        let normal = message(&*connector, &odd);
        assert_eq!(normal.r#type, "ccaas.unmapped.v1", "{odd}");
        assert!(normal.attributes.contains_key("parseerror"), "{odd}");
    }
}
