//! Frames to events: slices, keys, dates, what is tracked.

use serde_json::json;

use super::*;
use crate::connectors::{Batch, Confirms, Unreadable};

fn read_with(topics: &[&str], bytes: &Bytes) -> Result<Batch, Unreadable> {
    let connector = connector(topics);
    let mut link = link_at(&*connector, None, false, noon());
    link.read_frame(MonoTime::now(), bytes)
}

fn event(topic: &str, body: &Value) -> ProviderEvent {
    let envelope = json!({
        "topicName": topic, "version": "2", "eventBody": body,
        "metadata": { "CorrelationId": "1b7e4f0a" },
    });
    let mut batch = read_with(&[topic], &frame(envelope)).unwrap();
    assert_eq!(batch.confirms, Confirms::All);
    assert_eq!(batch.events.len(), 1);
    batch.events.remove(0)
}

#[test]
fn an_event_is_its_frame_and_compared_by_its_body() {
    let text = format!(
        r#" {{"eventBody": {{ "modifiedDate":"2026-03-10T09:41:07.552Z" }},"topicName":"v2.users.{AGENT}.PRESENCE","metadata":{{"CorrelationId":"a"}}}} "#
    );
    let bytes = frame(&text);
    let event = read_with(&[&presence_of(AGENT)], &bytes)
        .unwrap()
        .events
        .remove(0);
    assert_eq!(
        event.topic,
        presence_of(AGENT),
        "spelled as it was configured"
    );
    assert_eq!(event.raw, bytes);
    assert_eq!(
        event.identity.unwrap(),
        r#"{ "modifiedDate":"2026-03-10T09:41:07.552Z" }"#
    );
    assert_eq!(event.time, Some(wall("2026-03-10T09:41:07.552Z")));
    assert!(event.dated && event.id.is_none() && event.number.is_none());
    assert_eq!(event.family, "presence");
}

#[test]
fn u16_families_say_whether_their_bodies_carry_a_date() {
    let at = "2026-03-10T09:41:07.552Z";
    let dated = [
        (presence_of(AGENT), json!({ "modifiedDate": at })),
        (
            format!("v2.users.{AGENT}.routingStatus"),
            json!({ "routingStatus": { "startTime": at } }),
        ),
        (
            format!("v2.users.{AGENT}.activity"),
            json!({ "presence": { "modifiedDate": at } }),
        ),
        (
            format!("v2.detail.events.conversation.{CONVERSATION}.acw"),
            json!({ "eventTime": 1_773_135_667_552_u64 }),
        ),
    ];
    for (topic, body) in dated {
        let event = event(&topic, &body);
        assert!(event.dated, "{topic}");
        assert_eq!(event.time, Some(wall(at)), "{topic}");
    }
    let undated = [
        format!("v2.routing.queues.{QUEUE}.users"),
        format!("v2.routing.queues.{QUEUE}.conversations"),
        format!("v2.analytics.queues.{QUEUE}.observations"),
        presence_of(AGENT),
    ];
    for topic in undated {
        assert!(!event(&topic, &json!({ "id": "x" })).dated, "{topic}");
    }
    let topic = format!("v2.users.{AGENT}.workforcemanagement.adherence");
    let adherence = event(&topic, &json!({ "adherenceChangeTime": at }));
    assert!(!adherence.dated, "other changes leave its date as it is");
    assert_eq!(adherence.time, Some(wall(at)));
}

#[test]
fn keys_are_the_same_live_and_over_rest() {
    let of = |topic: &str, body: Value| event(topic, &body).key;
    let members = format!("v2.routing.queues.{QUEUE}.users");
    let member = json!({ "id": "m", "user": { "id": AGENT }, "joined": true });
    assert_eq!(of(&members, member), Some(format!("{QUEUE}/{AGENT}")));
    let queue = format!("v2.routing.queues.{QUEUE}.conversations");
    assert_eq!(
        of(&queue, json!({ "id": CONVERSATION })),
        Some(CONVERSATION.to_owned())
    );
    let observed = format!("v2.analytics.queues.{QUEUE}.observations");
    let group = json!({ "group": { "queueId": QUEUE, "mediaType": "VOICE" } });
    assert_eq!(of(&observed, group), Some(format!("{QUEUE}/voice")));
    let unit = format!("v2.workforcemanagement.managementunits.{UNIT}.adherence");
    assert_eq!(
        of(&unit, json!({ "user": { "id": AGENT } })),
        Some(AGENT.to_owned())
    );
    assert_eq!(of(&presence_of(AGENT), json!({})), None, "the topic");
}

#[test]
fn members_of_queues_are_tracked() {
    let topic = format!("v2.routing.queues.{QUEUE}.users");
    for joined in [true, false] {
        let body = json!({ "id": AGENT, "queueId": QUEUE, "joined": joined });
        let tracked = event(&topic, &body).tracked.unwrap();
        assert_eq!(tracked.scope, format!("queues/{QUEUE}"));
        assert_eq!((tracked.key.as_str(), tracked.stands), (AGENT, joined));
    }
    assert!(event(&topic, &json!({ "id": AGENT })).tracked.is_none());
}

#[test]
fn an_agent_who_let_it_ring_keeps_no_conversation_open() {
    use crate::proto::v1::{Phase, event::Data};

    let topic = format!("v2.routing.queues.{QUEUE}.conversations");
    for (connected, phase) in [
        (json!({}), Phase::Ended),
        (
            json!({ "connectedTime": "2026-03-10T09:40:00.000Z" }),
            Phase::WrapUp,
        ),
    ] {
        let left = "2026-03-10T09:41:07.552Z";
        let mut agent = json!({
            "id": "p", "purpose": "agent", "userId": AGENT, "wrapupRequired": true, "endTime": left,
            "calls": [{ "state": "disconnected", "disconnectedTime": left }],
        });
        for (name, value) in connected.as_object().unwrap() {
            agent[name] = value.clone();
        }
        let body = json!({ "id": CONVERSATION, "participants": [agent] });
        let normal = connector(&[&topic]).normalize(&event(&topic, &body));
        let Some(Data::ConversationEvent(told)) = normal.data else {
            panic!("{:?}", normal.data);
        };
        assert_eq!(told.phase(), phase);
    }
}

#[test]
fn who_left_a_queue_unseen_is_told_by_an_event_without_bytes() {
    let topic = format!("v2.routing.queues.{QUEUE}.users");
    let connector = connector(&[&topic]);
    let event = connector
        .departed(&format!("queues/{QUEUE}"), AGENT)
        .unwrap();
    assert_eq!(
        (event.topic.as_str(), event.family),
        (topic.as_str(), "queue_members")
    );
    let normal = connector.normalize(&event);
    assert_eq!(normal.r#type, "ccaas.queue.membership_changed.v1");
    assert!(normal.raw_data.is_empty() && normal.data_content_type.is_empty());
    let Some(crate::proto::v1::event::Data::QueueMembershipEvent(left)) = normal.data else {
        panic!("{:?}", normal.data);
    };
    assert_eq!(
        (left.queue_id.as_str(), left.agent_id.as_str(), left.joined),
        (QUEUE, AGENT, false)
    );
    assert!(connector.departed("contacts/x", AGENT).is_none());
}

#[test]
fn each_utterance_of_a_group_is_an_event_with_its_own_bytes() {
    let topic = format!("v2.conversations.{CONVERSATION}.transcription");
    let said = |n: u64| json!({ "utteranceId": format!("u{n}"), "alternatives": [{ "offsetMs": n * 1000 }] });
    let body =
        json!({ "sessionStartTimeMs": 1_773_135_667_000_u64, "transcripts": [said(1), said(2)] });
    let envelope = json!({ "topicName": topic, "eventBody": body });
    let bytes = frame(envelope);
    let events = read_with(&[&topic], &bytes).unwrap().events;
    let raws: Vec<Value> = events
        .iter()
        .map(|e| serde_json::from_slice(&e.raw).unwrap())
        .collect();
    assert_eq!(raws, [said(1), said(2)]);
    assert_eq!(events[1].time, Some(wall("2026-03-10T09:41:09Z")));
    let one = json!({ "transcripts": [said(1)] });
    assert!(
        event(&topic, &one).raw.len() > 100,
        "alone it is the whole frame"
    );
    assert_eq!(
        event(
            &topic,
            &json!({ "status": { "status": "SESSION_ONGOING" } })
        )
        .family,
        "other"
    );
}

#[test]
fn u20_an_envelope_without_a_body_is_kept_and_says_so() {
    for text in [
        r#"{"topicName":"v2.users.x.presence"}"#,
        r#"{"hello":"there"}"#,
    ] {
        let batch = read_with(&[], &frame(text)).unwrap();
        assert_eq!(batch.confirms, Confirms::Nothing);
        let event = &batch.events[0];
        assert!(event.malformed.is_some() && event.raw == text);
        let normal = connector(&[]).normalize(event);
        assert_eq!(normal.r#type, "ccaas.unmapped.v1");
        assert!(normal.attributes.contains_key("parseerror"));
    }
}

#[test]
fn u13_what_is_no_json_object_is_unreadable_and_not_quoted() {
    for text in [
        "",
        "hello secret",
        "{\"topicName\":\"secret",
        "[1,2]",
        "12:00:07 secret",
        "\"x\"",
        "nul",
    ] {
        let refused = read_with(&[], &frame(text)).unwrap_err().to_string();
        assert!(!refused.contains("secret"), "{refused}");
    }
    read_with(
        &[],
        &Bytes::from_static(b"{\"topicName\":\"\xff\xfe\",\"eventBody\":{}}"),
    )
    .unwrap_err();
}
