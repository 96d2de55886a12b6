//! Normal forms against golden files: frames, and the REST records that stand for them.
//!
//! `TIELINE_BLESS=1` writes the golden files anew; a person then reads the difference.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, json};

use super::super::normalize::facts;
use super::*;
use crate::proto::v1;
use crate::proto::v1::event::Data;

/// The topic that each REST record stands for.
fn topic_of(record: &str) -> String {
    match record {
        "presence" | "presence_timeline" => presence_of(AGENT),
        "routing_status" | "routing_status_timeline" => format!("v2.users.{AGENT}.routingStatus"),
        "queue_observations" => format!("v2.analytics.queues.{QUEUE}.observations"),
        "queue_member" => format!("v2.routing.queues.{QUEUE}.users"),
        "adherence" => format!("v2.workforcemanagement.managementunits.{UNIT}.adherence"),
        "conversation" | "conversation_ended" => {
            format!("v2.routing.queues.{QUEUE}.conversations")
        }
        other => panic!("{other} stands for no topic"),
    }
}

fn folder(below: &str) -> PathBuf {
    let own = "src/connectors/genesys_notifications/fixtures";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(own).join(below)
}

/// Name and content of every fixture of a folder.
fn fixtures(below: &str) -> BTreeMap<String, Bytes> {
    let entries = fs::read_dir(folder(below)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let own = paths.filter(|path| path.extension().is_some_and(|e| e == "json"));
    own.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(&path).unwrap().into())
    })
    .collect()
}

fn compare(name: &str, events: &[ProviderEvent], wrong: &mut Vec<String>) {
    let connector = connector(&[]);
    let shown = events.iter().map(|event| {
        let normal = connector.normalize(event);
        assert_eq!(normal.source, connector.source());
        assert_eq!(normal.raw_data, event.raw, "{name}");
        assert_eq!(normal.subject, normal.ordering_key, "{name}");
        assert_eq!(normal.provider_type, event.topic, "{name}");
        assert!(normal.id.is_empty() && normal.data_content_type == "application/json");
        shown(event, &normal)
    });
    let is = serde_json::to_string_pretty(&shown.collect::<Vec<_>>()).unwrap() + "\n";
    let path = folder("expected").join(format!("{name}.json"));
    if std::env::var_os("TIELINE_BLESS").is_some() {
        fs::write(&path, &is).unwrap();
    }
    if fs::read_to_string(&path).unwrap_or_default() != is {
        wrong.push(format!("{name}: {is}"));
    }
}

#[test]
fn frames_take_the_form_of_their_golden_files() {
    let (mut wrong, mut kinds) = (Vec::new(), BTreeMap::new());
    for (name, bytes) in fixtures("") {
        let connector = connector(&[]);
        let mut link = link_at(&*connector, None, false, noon());
        let events = link.read_frame(MonoTime::now(), &bytes).unwrap().events;
        assert!(!events.is_empty(), "{name}");
        for event in &events {
            *kinds.entry(connector.normalize(event).r#type).or_insert(0) += 1;
        }
        compare(&name, &events, &mut wrong);
    }
    assert!(wrong.is_empty(), "these differ:\n{}", wrong.join("\n"));
    assert_eq!(
        kinds.len(),
        7,
        "every normal form of the platform: {kinds:?}"
    );
}

#[test]
fn rest_records_take_the_form_of_the_events_they_stand_for() {
    let mut wrong = Vec::new();
    for (name, bytes) in fixtures("rest") {
        let event = facts::complete(ProviderEvent {
            topic: topic_of(&name),
            raw: bytes.slice(..bytes.len() - 1),
            ..ProviderEvent::default()
        });
        compare(&format!("rest_{name}"), &[event], &mut wrong);
    }
    assert!(wrong.is_empty(), "these differ:\n{}", wrong.join("\n"));
}

#[test]
fn a_record_and_the_event_of_the_same_change_have_one_payload() {
    for (live, record) in [
        ("presence", "presence"),
        ("presence", "presence_timeline"),
        ("routing_status", "routing_status"),
        ("routing_status", "routing_status_timeline"),
        ("adherence_of_unit", "adherence"),
        ("queue_member_joined", "queue_member"),
    ] {
        let read = |name: &str| -> Value {
            let text = fs::read(folder("expected").join(format!("{name}.json"))).unwrap();
            let events: Value = serde_json::from_slice(&text).unwrap();
            json!([
                events[0]["type"],
                events[0]["subject"],
                events[0]["data"],
                events[0]["time"]
            ])
        };
        assert_eq!(
            read(live),
            read(&format!("rest_{record}")),
            "{live} {record}"
        );
    }
}

/// An event as JSON, without its bytes and without what is at its default.
fn shown(event: &ProviderEvent, normal: &v1::Event) -> Value {
    let attributes: BTreeMap<_, _> = normal.attributes.iter().collect();
    let tracked = event.tracked.as_ref();
    dense(json!({
        "type": normal.r#type,
        "subject": normal.subject,
        "time": time(normal.time.as_ref()),
        "providerType": normal.provider_type,
        "attributes": attributes,
        "data": normal.data.as_ref().map(data),
        "family": event.family,
        "key": event.key,
        "dated": event.dated,
        "tracked": tracked.map(|t| json!({ "scope": t.scope, "key": t.key, "stands": t.stands })),
    }))
}

fn time(time: Option<&prost_types::Timestamp>) -> Option<String> {
    time.map(|time| WallTime::from_proto(time).unwrap().to_string())
}

/// Without nulls, empty texts and lists, and `false`.
fn dense(value: Value) -> Value {
    let Value::Object(fields) = value else {
        return value;
    };
    let kept = fields.into_iter().filter(|(_, value)| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    });
    Value::Object(kept.collect::<Map<_, _>>())
}

fn data(data: &Data) -> Value {
    let (name, fields) = match data {
        Data::AgentStateEvent(e) => ("agentState", agent_state(e)),
        Data::ConversationEvent(e) => ("conversation", conversation(e)),
        Data::QueueStatisticsEvent(e) => ("queueStatistics", statistics(e)),
        Data::QueueMembershipEvent(e) => (
            "queueMembership",
            json!({ "queueId": e.queue_id, "agentId": e.agent_id, "joined": e.joined }),
        ),
        Data::AdherenceEvent(e) => ("adherence", adherence(e)),
        Data::TranscriptEvent(e) => ("transcript", transcript(e)),
        other => panic!("not of this platform: {other:?}"),
    };
    json!({ name: dense(fields) })
}

fn agent_state(e: &v1::AgentStateEvent) -> Value {
    json!({
        "agentId": e.agent_id,
        "availability": e.availability().as_str_name(),
        "providerState": e.provider_state,
        "providerReason": e.provider_reason,
        "startTime": time(e.start_time.as_ref()),
        "queueIds": e.queue_ids,
    })
}

fn conversation(e: &v1::ConversationEvent) -> Value {
    let participants = e.participants.iter().map(|p| {
        dense(json!({
            "participantId": p.participant_id,
            "role": p.role().as_str_name(),
            "agentId": p.agent_id,
            "queueId": p.queue_id,
            "phase": p.phase().as_str_name(),
            "address": p.address,
            "startTime": time(p.start_time.as_ref()),
            "endTime": time(p.end_time.as_ref()),
            "disconnectReason": p.disconnect_reason,
            "wrapUpCode": p.wrap_up_code,
        }))
    });
    json!({
        "conversationId": e.conversation_id,
        "media": e.media().as_str_name(),
        "direction": e.direction().as_str_name(),
        "phase": e.phase().as_str_name(),
        "participants": participants.collect::<Vec<_>>(),
        "queueId": e.queue_id,
        "startTime": time(e.start_time.as_ref()),
        "endTime": time(e.end_time.as_ref()),
        "snapshot": e.snapshot,
    })
}

fn statistics(e: &v1::QueueStatisticsEvent) -> Value {
    let metrics = e.metrics.iter();
    let metrics = metrics
        .map(|m| dense(json!({ "name": m.name, "qualifier": m.qualifier, "value": m.value })));
    json!({
        "queueId": e.queue_id,
        "media": e.media().as_str_name(),
        "metrics": metrics.collect::<Vec<_>>(),
        "startTime": time(e.start_time.as_ref()),
        "endTime": time(e.end_time.as_ref()),
    })
}

fn adherence(e: &v1::AdherenceEvent) -> Value {
    json!({
        "agentId": e.agent_id,
        "state": e.state().as_str_name(),
        "scheduledActivity": e.scheduled_activity,
        "actualActivity": e.actual_activity,
        "impact": e.impact,
        "managementUnitId": e.management_unit_id,
        "teamId": e.team_id,
        "startTime": time(e.start_time.as_ref()),
    })
}

fn transcript(e: &v1::TranscriptEvent) -> Value {
    json!({
        "conversationId": e.conversation_id,
        "utteranceId": e.utterance_id,
        "speakerRole": e.speaker_role().as_str_name(),
        "text": e.text,
        "final": e.r#final,
        "confidence": e.confidence,
        "startTime": time(e.start_time.as_ref()),
        "endTime": time(e.end_time.as_ref()),
    })
}
