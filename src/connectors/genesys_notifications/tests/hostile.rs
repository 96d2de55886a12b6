//! Answers and frames that no well-meaning platform sends: bounded, and nothing believed of them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn u42_a_channel_on_a_foreign_host_is_never_opened() {
    let connector = connector(&[&presence_of(AGENT)]);
    for uri in [
        "wss://evil.test/channels/x",
        "ws://streaming.example.test/x",
        "wss://u:p@streaming.example.test/x",
    ] {
        let mut link = link_at(&*connector, None, false, noon());
        call(link.setup(&token()));
        let body = json!({ "id": "streaming-3-abc", "connectUri": uri });
        link.setup_answer(&answered(200, body)).unwrap();
        call(link.setup(&token()));
        link.setup_answer(&answered(200, PERMITTED)).unwrap();
        assert!(matches!(link.setup(&token()), Setup::Ready));
        let handshake = link.handshake(&token()).unwrap();
        assert!(
            connector.addresses().check(&handshake.url).is_err(),
            "{uri}"
        );
    }
}

#[test]
fn answers_that_are_none_are_refused_and_not_quoted() {
    let wrong = [
        "",
        "nonsense",
        "[]",
        "null",
        "{}",
        r#"{"id":"a"}"#,
        r#"{"id":7,"connectUri":"wss://x/"}"#,
        r#"{"id":"../../users","connectUri":"wss://streaming.example.test/x"}"#,
        r#"{"id":"","connectUri":"wss://streaming.example.test/x"}"#,
        r#"{"id":"a","connectUri":"https://streaming.example.test/s3cret"}"#,
        r#"{"id":"a","connectUri":"s3cret"}"#,
    ];
    for body in wrong {
        let connector = connector(&[&presence_of(AGENT)]);
        let mut link = link_at(&*connector, None, false, noon());
        call(link.setup(&token()));
        let refused = link
            .setup_answer(&answered(200, body))
            .unwrap_err()
            .to_string();
        assert!(!refused.contains("s3cret"), "{refused}");
    }
    for body in ["", "{}", r#"{"entities":{}}"#, r#"{"entities":[{"id":1}]}"#] {
        let connector = connector(&[&presence_of(AGENT)]);
        let mut link = link_at(&*connector, None, false, noon());
        call(link.setup(&token()));
        link.setup_answer(&answered(200, CREATED)).unwrap();
        call(link.setup(&token()));
        link.setup_answer(&answered(200, body)).unwrap_err();
    }
}

#[test]
fn what_was_kept_by_something_else_is_nothing() {
    let connector = connector(&[&presence_of(AGENT)]);
    for kept in [
        "",
        "x",
        "{}",
        "[]",
        r#"{"channel":{"id":"a"},"evicted":false}"#,
        r#"{"channel":null,"evicted":7}"#,
    ] {
        let kept = Opaque::new(kept.to_owned());
        let mut link = link_at(&*connector, Some(&kept), false, noon());
        set_up(&mut *link, &token());
    }
}

#[test]
fn thousands_of_refused_topics_are_told_but_not_kept() {
    let connector = connector(&[&presence_of(AGENT)]);
    let mut link = link_at(&*connector, None, false, noon());
    call(link.setup(&token()));
    link.setup_answer(&answered(200, CREATED)).unwrap();
    call(link.setup(&token()));
    let refused = json!({ "id": "x".repeat(5_000), "state": "Rejected", "rejectionReason": "y".repeat(5_000) });
    link.setup_answer(&answered(200, json!({ "entities": vec![refused; 1000] })))
        .unwrap();
    let beat = frame(r#"{"topicName":"channel.metadata","eventBody":{}}"#);
    assert_eq!(
        link.read_frame(MonoTime::now(), &beat)
            .unwrap()
            .controls
            .len(),
        1000
    );
    let kept = kept(&*link);
    assert!(kept.expose().len() < 1_000);
    let mut next = link_at(&*connector, Some(&kept), false, noon());
    assert!(
        line(&call(next.setup(&token()))).starts_with("PUT"),
        "asked for again"
    );
}

#[test]
fn depth_and_length_are_no_danger() {
    let topic = format!("v2.routing.queues.{QUEUE}.conversations");
    let connector = connector(&[&topic]);
    let mut link = link_at(&*connector, None, false, noon());
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let wide = format!("{{\"participants\":[{}{{}}]}}", "{},".repeat(200_000));
    for body in [deep, wide] {
        for text in [
            format!(r#"{{"topicName":"{topic}","eventBody":{body}}}"#),
            format!(r#"{{"topicName":"{topic}","eventBody":{{}},"metadata":{body}}}"#),
            format!(r#"{{"result":{body}}}"#),
        ] {
            if let Ok(batch) = link.read_frame(MonoTime::now(), &frame(text)) {
                batch.events.iter().for_each(|event| {
                    connector.normalize(event);
                });
            }
        }
    }
}

#[test]
fn a_group_of_very_many_utterances_stays_together() {
    let topic = format!("v2.conversations.{CONVERSATION}.transcription");
    let connector = connector(&[&topic]);
    let mut link = link_at(&*connector, None, false, noon());
    let many = vec![json!({ "utteranceId": "u" }); 1_001];
    let text = json!({ "topicName": topic, "eventBody": { "transcripts": many } });
    let batch = link.read_frame(MonoTime::now(), &frame(text)).unwrap();
    assert_eq!(batch.events.len(), 1);
}

#[test]
fn numbers_that_no_field_holds_leave_the_event_readable() {
    for (topic, body) in [
        (
            presence_of(AGENT),
            r#"{"presenceDefinition":{"systemPresence":"AWAY"},"modifiedDate":99999999999999999999}"#,
        ),
        (
            presence_of(AGENT),
            r#"{"presenceDefinition":{"systemPresence":"AWAY"},"modifiedDate":18446744073709551615}"#,
        ),
        (
            presence_of(AGENT),
            r#"{"presenceDefinition":{"systemPresence":"AWAY"},"modifiedDate":-1}"#,
        ),
        (
            format!("v2.detail.events.conversation.{CONVERSATION}.acw"),
            r#"{"eventTime":1e300}"#,
        ),
        (
            format!("v2.analytics.queues.{QUEUE}.observations"),
            r#"{"data":[{"metrics":[{"metric":"m","stats":{"count":1e308,"x":"y","z":null}}]}]}"#,
        ),
    ] {
        let connector = connector(&[&topic]);
        let mut link = link_at(&*connector, None, false, noon());
        let text = format!(r#"{{"topicName":"{topic}","eventBody":{body}}}"#);
        let batch = link.read_frame(MonoTime::now(), &frame(text)).unwrap();
        let normal = connector.normalize(&batch.events[0]);
        assert!(normal.data.is_some(), "{body}: {:?}", normal.attributes);
    }
}

proptest! {
    #[test]
    fn no_frame_breaks_anything_and_its_bytes_are_kept(text in "\\PC{0,200}") {
        let connector = connector(&[]);
        let mut link = link_at(&*connector, None, false, noon());
        let bytes = frame(text);
        if let Ok(batch) = link.read_frame(MonoTime::now(), &bytes) {
            for event in &batch.events {
                prop_assert_eq!(&event.raw, &bytes);
                prop_assert_eq!(connector.normalize(event).raw_data, bytes.clone());
            }
        }
    }

    #[test]
    fn no_body_breaks_a_family(
        at in 0_usize..10,
        pairs in proptest::collection::vec(("[a-zA-Z]{2,20}", "[0-9]{1,25}|true|null|\"[a-z]{0,5}\"|\\{\\}|\\[\\]|\\[\\{\\}\\]"), 0..6),
    ) {
        let known = ["id", "user", "participants", "data", "group", "routingStatus", "presence",
            "presenceDefinition", "transcripts", "joined", "eventTime", "calls"];
        let shapes = ["users.X.presence", "users.X.routingStatus", "users.X.activity",
            "routing.queues.X.users", "routing.queues.X.conversations",
            "analytics.queues.X.observations", "detail.events.conversation.X.acd.start",
            "conversations.X.transcription", "workforcemanagement.managementunits.X.adherence",
            "users.X.workforcemanagement.adherence"];
        let topic = format!("v2.{}", shapes[at]);
        let fields: Vec<String> = pairs.iter().enumerate().map(|(n, (name, value))| {
            let name = known.get((name.len() + n) % (known.len() + 3)).map_or(name.as_str(), |k| k);
            format!("\"{name}\":{value}")
        }).collect();
        let text = format!(r#"{{"topicName":"{topic}","eventBody":{{{}}}}}"#, fields.join(","));
        let connector = connector(&[&topic]);
        let mut link = link_at(&*connector, None, false, noon());
        if let Ok(batch) = link.read_frame(MonoTime::now(), &frame(&text)) {
            for event in &batch.events {
                let normal = connector.normalize(event);
                prop_assert_eq!(normal.data.is_none(), normal.r#type == "ccaas.unmapped.v1");
                prop_assert!(!normal.subject.is_empty());
            }
        }
    }
}
