//! Messages of the guest: how they are written, and what the platform says of them.

use super::*;
use crate::connectors::{Sending, Unsendable};

#[test]
fn text_is_written_as_the_mobile_client_writes_it() {
    let mut link = standing(&*connector(), None, MonoTime::now());
    assert_eq!(
        sent(&mut *link, MESSAGE, &text("Where is my parcel?"), &[]).unwrap(),
        json!({ "action": "onMessage", "token": TOKEN, "tracingId": MESSAGE,
                "message": { "type": "Text", "text": "Where is my parcel?" } })
    );
}

#[test]
fn a_choice_and_an_attachment_stand_in_the_content() {
    let mut link = standing(&*connector(), None, MonoTime::now());
    let choice = Content::QuickReply {
        text: "Yes".to_owned(),
        payload: "order_yes".to_owned(),
    };
    assert_eq!(
        sent(&mut *link, MESSAGE, &choice, &[]).unwrap()["message"],
        json!({ "type": "Text", "text": "", "content": [{ "contentType": "ButtonResponse",
            "buttonResponse": { "text": "Yes", "payload": "order_yes", "type": "QuickReply" } }] })
    );
    let id = "e7d6c5b4-a392-4817-8695-a4b3c2d1e0f9".to_owned();
    let attachment = Content::Attachment { id: id.clone() };
    assert_eq!(
        sent(&mut *link, OTHER, &attachment, &[]).unwrap()["message"],
        json!({ "type": "Text", "text": "", "content": [{ "contentType": "Attachment",
            "attachment": { "id": id } }] })
    );
}

#[test]
fn the_guest_is_introduced_until_a_message_that_does_so_was_acknowledged() {
    let connector = introduced(&[("email", "guest@example.org"), ("name", "A. Guest")]);
    let now = MonoTime::now();
    let mut link = standing(&*connector, None, now);
    kept(&*link);
    let shown = |frame: Value| frame["message"]["channel"]["metadata"]["customAttributes"].clone();
    let guest = json!({ "email": "guest@example.org", "name": "A. Guest" });
    let both = json!({ "email": "guest@example.org", "name": "Another", "order": "7" });
    let own = [("order", "7"), ("name", "Another")];
    assert_eq!(
        shown(sent(&mut *link, MESSAGE, &text("a"), &own).unwrap()),
        both
    );
    read(&mut *link, now, &throttled(Some(MESSAGE), json!(1)));
    assert_eq!(
        shown(sent(&mut *link, MESSAGE, &text("a"), &[]).unwrap()),
        guest
    );
    assert!(
        matches!(link.keep(), Keep::Unchanged),
        "a throttled message introduced nobody"
    );
    // Another device of the guest, of whose messages we know nothing.
    read(&mut *link, now, &echo(OTHER, "m0"));
    assert!(matches!(link.keep(), Keep::Unchanged));
    read(&mut *link, now, &echo(MESSAGE, "m1"));
    let left = kept(&*link);
    let after = sent(&mut *link, OTHER, &text("b"), &[]).unwrap();
    assert_eq!(after["message"].get("channel"), None);
    assert_eq!(
        shown(sent(&mut *link, OTHER, &text("b"), &own).unwrap()),
        json!({ "order": "7", "name": "Another" })
    );
    let mut next = standing(&*connector, Some(&left), now);
    let after = sent(&mut *next, OTHER, &text("b"), &[]).unwrap();
    assert_eq!(
        after["message"].get("channel"),
        None,
        "nor on a later connection"
    );
}

#[test]
fn u36_the_echo_acknowledges_and_is_an_event() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    sent(&mut *link, MESSAGE, &text("Hello"), &[]);
    let batch = read(&mut *link, now, &echo(MESSAGE, "m1"));
    let acknowledged = SendOutcome::Acknowledged {
        provider_id: Some("m1".to_owned()),
    };
    assert_eq!(receipts(&batch), [(Some(MESSAGE), &acknowledged)]);
    assert_eq!(batch.events[0].id.as_deref(), Some("m1"));
    assert_eq!(batch.events[0].time, Some(wall("2026-03-10T09:46:11.201Z")));
    let late = read(&mut *link, now, &echo(OTHER, "m0"));
    assert_eq!(
        receipts(&late)[0].0,
        Some(OTHER),
        "of an earlier connection"
    );
}

#[test]
fn u36_an_echo_without_a_tracing_id_is_known_by_its_metadata_or_not_at_all() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    let mut frame = echo("x", "m1");
    frame.as_object_mut().unwrap().remove("tracingId");
    let batch = read(&mut *link, now, &frame);
    assert!(batch.receipts.is_empty());
    assert_eq!(batch.events.len(), 1);
    frame["body"]["metadata"] = json!({ "customMessageId": MESSAGE });
    let batch = read(&mut *link, now, &frame);
    assert_eq!(receipts(&batch)[0].0, Some(MESSAGE));
}

#[test]
fn what_the_agent_says_or_the_guest_types_acknowledges_nothing() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    sent(&mut *link, MESSAGE, &text("Hello"), &[]);
    let mut agent = echo(MESSAGE, "m2");
    agent["body"]["direction"] = "Outbound".into();
    let mut typing = echo(MESSAGE, "m3");
    typing["body"]["type"] = "Event".into();
    for frame in [agent, typing] {
        let batch = read(&mut *link, now, &frame);
        assert!(batch.receipts.is_empty());
        assert_eq!(batch.events.len(), 1);
    }
}

#[test]
fn errors_say_what_became_of_the_message() {
    let refused = |reason| SendOutcome::Refused { reason };
    let unknown = SendOutcome::Unknown {
        reason: "UPSTREAM_ERROR",
    };
    for (code, expected) in [
        (400, refused("UPSTREAM_REFUSED")),
        (401, refused("UPSTREAM_UNAUTHENTICATED")),
        (403, refused("UPSTREAM_PERMISSION_DENIED")),
        (4000, refused("UPSTREAM_PERMISSION_DENIED")),
        (4001, refused("ATTACHMENT_TYPE_REFUSED")),
        (4002, refused("ATTACHMENT_TOO_LARGE")),
        (4003, refused("ATTACHMENT_CONTENT_REFUSED")),
        (4004, refused("ATTACHMENT_NAME_REFUSED")),
        (4005, refused("ATTACHMENT_NAME_REFUSED")),
        (4008, refused("ATTACHMENT_UNKNOWN")),
        (4009, refused("ATTACHMENT_UNKNOWN")),
        (4010, refused("ATTACHMENT_UNKNOWN")),
        (4011, refused("MESSAGE_TOO_LONG")),
        (4013, refused("CUSTOM_ATTRIBUTES_TOO_LARGE")),
        (4017, refused("UPSTREAM_PERMISSION_DENIED")),
        (4020, refused("UPSTREAM_REFUSED")),
        (4099, refused("UPSTREAM_REFUSED")),
        (500, unknown.clone()),
        (5000, unknown.clone()),
        (70_000, unknown),
    ] {
        for tracing in [None, Some(MESSAGE)] {
            let now = MonoTime::now();
            let mut link = standing(&*connector(), None, now);
            sent(&mut *link, MESSAGE, &text("Hello"), &[]);
            let batch = read(&mut *link, now, &error(code, tracing));
            assert_eq!(receipts(&batch), [(tracing, &expected)], "{code}");
            assert!(
                batch.controls.is_empty() && batch.events.is_empty(),
                "{code}"
            );
        }
    }
}

#[test]
fn u37_a_throttled_message_waits_as_long_as_the_platform_asks() {
    for (asked, expected) in [
        (json!(3), 3),
        (json!("3"), 3),
        (json!(0), 1),
        (json!(86_400), 300),
        (json!(null), 5),
        (json!("soon"), 5),
        (json!(-3), 5),
    ] {
        let now = MonoTime::now();
        let mut link = standing(&*connector(), None, now);
        sent(&mut *link, MESSAGE, &text("Hello"), &[]);
        let batch = read(&mut *link, now, &throttled(None, asked.clone()));
        let retry_after = seconds(expected);
        let outcome = SendOutcome::Throttled { retry_after };
        assert_eq!(receipts(&batch), [(None, &outcome)], "{asked}");
    }
}

#[test]
fn u39_a_message_that_meets_the_end_of_the_session_was_not_taken() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    sent(&mut *link, MESSAGE, &text("Hello"), &[]);
    let batch = read(&mut *link, now, &error(4006, Some(MESSAGE)));
    let reason = "GUEST_SESSION_EXPIRED";
    let outcome = SendOutcome::NotTaken { reason };
    assert_eq!(receipts(&batch), [(Some(MESSAGE), &outcome)]);
    assert_eq!(expired(&batch), "SESSION_EXPIRED");
}

#[test]
fn an_error_that_nothing_is_to_blame_for_is_kept_as_an_event() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    sent(&mut *link, MESSAGE, &text("Hello"), &[]);
    read(&mut *link, now, &echo(MESSAGE, "m1"));
    let batch = read(&mut *link, now, &error(5000, None));
    assert!(batch.receipts.is_empty());
    assert_eq!(batch.events[0].topic, "string");
    let normal = connector().normalize(&batch.events[0]);
    assert_eq!(normal.r#type, "ccaas.unmapped.v1");
}

#[test]
fn nothing_is_sent_before_the_session_stands() {
    let connector = connector();
    let now = MonoTime::now();
    let mut link = link_at(&*connector, None, now);
    assert!(sent(&mut *link, MESSAGE, &text("Hello"), &[]).is_none());
    read(&mut *link, now, &begun());
    assert!(sent(&mut *link, MESSAGE, &text("Hello"), &[]).is_none());
    assert_eq!(
        connector.sending(),
        Some(Sending {
            pace: Duration::from_millis(500),
            acknowledged_within: seconds(30),
            rest: false,
            history: true,
        })
    );
}

fn checked(
    connector: &dyn Connector,
    content: &Content,
    own: &[(&str, &str)],
) -> Result<(), Unsendable> {
    connector.check_outgoing(&Outgoing {
        id: MESSAGE,
        content,
        attributes: &attributes(own),
    })
}

#[test]
fn what_the_platform_would_refuse_is_refused_with_field_and_limit() {
    let plain = connector();
    let long = |n: usize| "é".repeat(n);
    let choice = |text: &str, payload: &str| Content::QuickReply {
        text: text.to_owned(),
        payload: payload.to_owned(),
    };
    let attachment = |id: &str| Content::Attachment { id: id.to_owned() };
    for fine in [text(&long(4_096)), choice("Yes", "y"), attachment("a")] {
        checked(&*plain, &fine, &[("a", "b")]).unwrap();
    }
    for (content, reason, field, limit) in [
        (text(""), "MESSAGE_EMPTY", "message.text.text", "empty"),
        (
            text(&long(4_097)),
            "MESSAGE_TOO_LONG",
            "message.text.text",
            "4097 characters; at most 4096",
        ),
        (
            choice("", "y"),
            "MESSAGE_EMPTY",
            "message.quick_reply.text",
            "empty",
        ),
        (
            choice("Yes", &long(5_000)),
            "MESSAGE_TOO_LONG",
            "message.quick_reply.payload",
            "4096",
        ),
        (
            attachment(""),
            "ATTACHMENT_UNKNOWN",
            "message.attachment.attachment_id",
            "1 to 200",
        ),
        (
            attachment(&long(101)),
            "ATTACHMENT_UNKNOWN",
            "message.attachment.attachment_id",
            "200",
        ),
    ] {
        let problem = checked(&*plain, &content, &[]).unwrap_err();
        assert_eq!((problem.reason, problem.field), (reason, field));
        assert!(problem.problem.contains(limit), "{problem}");
        assert!(!problem.problem.contains('é'), "nothing of the content");
    }
}

#[test]
fn attributes_count_together_with_the_guests_own() {
    let value = "x".repeat(1_500);
    let connector = introduced(&[("about", &value)]);
    checked(&*connector, &text("a"), &[]).unwrap();
    checked(&*connector, &text("a"), &[("about", &value)]).unwrap();
    let problem = checked(&*connector, &text("a"), &[("more", &"y".repeat(600))]).unwrap_err();
    assert_eq!(problem.reason, "CUSTOM_ATTRIBUTES_TOO_LARGE");
    assert_eq!(problem.field, "message.custom_attributes");
    assert!(problem.problem.contains("at most 2048"), "{problem}");
}
