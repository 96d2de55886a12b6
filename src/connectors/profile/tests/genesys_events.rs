//! The profile genesys-events against the wire shapes of its source document.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::*;
use crate::connectors::{Batch, NumberRange, ProviderEvent, Unreadable};
use crate::domain::WallTime;
use crate::net::{Frame, HttpResponse};
use crate::proto::v1::event::Data;

fn connector() -> Arc<dyn Connector> {
    super::connector(Settings {
        channels: vec![
            "routing.queueStats".to_owned(),
            "routing.agentEvent".to_owned(),
        ],
        ..settings("genesys-events")
    })
}

fn read(body: &str) -> Result<Batch, Unreadable> {
    let mut link = connector().link(opening(Transport::WebSocket));
    link.read_frame(MonoTime::now(), &Bytes::copy_from_slice(body.as_bytes()))
}

fn one(body: &str) -> ProviderEvent {
    read(body).unwrap().events.remove(0)
}

#[test]
fn u1_the_probe_carries_no_credential() {
    let probe = connector().probe().unwrap();
    let expected = "wss://api.example.test/api/v2/events/subscribe?polling=true";
    assert_eq!(probe.url.as_str(), expected);
    assert!(probe.headers.is_empty());
}

#[test]
fn requests_stand_as_the_source_writes_them() {
    let connector = connector();
    let mut link = connector.link(opening(Transport::LongPoll));
    let resume = Resume {
        after: 41,
        opaque: None,
    };
    let handshake = link.handshake(&token()).unwrap();
    assert_eq!(
        handshake.url.as_str(),
        "wss://api.example.test/api/v2/events/subscribe"
    );
    assert!(handshake.headers["authorization"].is_sensitive());
    let frames = link.opened(resume);
    let subscribe =
        r#"{"channels":["routing.queueStats","routing.agentEvent"],"polling":false,"sequence":41}"#;
    assert_eq!(frames, [Frame::Text(subscribe.into())]);
    let poll = link.poll(resume, &token()).unwrap();
    assert_eq!(
        (poll.method.as_str(), poll.url.path()),
        ("POST", "/api/v2/events/subscribe")
    );
    assert_eq!(poll.body, subscribe.replace("false", "true"));
    assert_eq!(poll.headers["authorization"], "Bearer t0ken");
    let range = NumberRange {
        first: 41,
        last: 45,
    };
    let history = connector.catch_up(range, &token()).unwrap();
    let expected = "https://api.example.test/api/v2/events/history?after=40&channels=routing.queueStats%2Crouting.agentEvent&through=45";
    assert_eq!(history.url.as_str(), expected);
    let health = connector.health(&token()).unwrap();
    assert_eq!(health.url.path(), "/api/v2/system/health");
    assert!(!format!("{poll:?} {handshake:?} {history:?}").contains("t0ken"));
}

#[test]
fn events_are_slices_of_the_body() {
    let body = Bytes::from_static(
        br#"{"sequence":42, "events":[ {"eventType":"a","sequence":41,"timestamp":"2026-03-10T09:41:07.552Z"} ,{"eventType":"b","timestamp":1773135667552,"id":"x"}]}"#,
    );
    let mut link = connector().link(opening(Transport::WebSocket));
    let batch = link.read_frame(MonoTime::now(), &body).unwrap();
    assert_eq!((batch.number, batch.confirms), (Some(42), Confirms::All));
    let [a, b] = batch.events.as_slice() else {
        panic!("two events")
    };
    let within = body.as_ptr_range();
    assert!(within.contains(&a.raw.as_ptr()) && within.contains(&b.raw.as_ptr()));
    assert!(a.raw.starts_with(b"{\"eventType\":\"a\"") && a.raw.ends_with(b"Z\"}"));
    assert_eq!((a.number, a.topic.as_str()), (Some(41), "a"));
    assert_eq!(a.time, WallTime::parse_rfc3339("2026-03-10T09:41:07.552Z"));
    assert_eq!(
        (b.number, b.time, b.id.as_deref()),
        (None, a.time, Some("x"))
    );
}

#[test]
fn empty_answers_confirm() {
    let mut link = connector().link(opening(Transport::LongPoll));
    let answer = |status, body: &'static str| HttpResponse {
        status,
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
    };
    let none = link.read_poll(&answer(StatusCode::NO_CONTENT, "")).unwrap();
    assert_eq!((none.confirms, none.number), (Confirms::All, None));
    let hold = link.read_poll(&answer(StatusCode::OK, r#"{"sequence":9,"events":[]}"#));
    let hold = hold.unwrap();
    assert_eq!(
        (hold.confirms, hold.number, hold.events.len()),
        (Confirms::All, Some(9), 0)
    );
    let nothing = link.read_poll(&answer(StatusCode::OK, " \n")).unwrap();
    assert_eq!(
        (nothing.confirms, nothing.number, nothing.events.len()),
        (Confirms::Nothing, None, 0),
        "anybody can answer with nothing"
    );
}

#[test]
fn u13_what_is_not_a_batch_is_refused_as_a_whole() {
    for bad in [
        "",
        "<html>login</html>",
        r#"{"sequence":1,"events":[{"eventType":"a"}"#,
        r#"{"sequence":1,"events":{}}"#,
        r#"{"sequence":"x","events":[]}"#,
        r#"{"hello":1}"#,
        "[]",
        "7",
        "{} {}",
    ] {
        let refused = read(bad).unwrap_err().to_string();
        assert!(!refused.contains("login"), "{refused}");
    }
    let mut link = connector().link(opening(Transport::WebSocket));
    let not_text = Bytes::from_static(b"{\"eventType\":\"\xff\"}");
    assert!(link.read_frame(MonoTime::now(), &not_text).is_err());
}

#[test]
fn u20_a_bare_event_without_a_type_is_an_event_and_no_empty_batch() {
    for bad in [
        r#"{"sequence":12,"timestamp":"2026-03-10T09:41:07Z","data":{}}"#,
        r#"{"eventType":7,"sequence":12,"data":"x"}"#,
    ] {
        let batch = read(bad).unwrap();
        assert_eq!(batch.number, None, "it covers nothing but itself");
        let event = &batch.events[0];
        assert_eq!((event.number, &event.raw[..]), (Some(12), bad.as_bytes()));
        assert_eq!(event.malformed.as_deref(), Some("it has no type"));
    }
}

#[test]
fn u20_a_malformed_event_is_kept_raw_and_numbered_by_its_place() {
    let batch = read(
        r#"{"sequence":12,"events":[{"eventType":"a","sequence":10},{"eventType":7,"sequence":"x"},{"eventType":"c","sequence":12}, 5]}"#,
    );
    let events = batch.unwrap().events;
    let numbers: Vec<_> = events.iter().map(|e| e.number).collect();
    assert_eq!(numbers, [Some(10), Some(10), Some(12), Some(12)]);
    let batch =
        read(r#"{"sequence":12,"events":[{"eventType":"a","sequence":11},{"sequence":"x"}]}"#);
    let bad = batch.unwrap().events.remove(1);
    assert_eq!(bad.number, Some(12));
    let draft = connector().normalize(&bad);
    assert_eq!(draft.r#type, "ccaas.unmapped.v1");
    assert_eq!(
        draft.attributes["parseerror"],
        "its number is not a number, it has no type"
    );
    assert_eq!(draft.raw_data, r#"{"sequence":"x"}"#);
    let scalar = &events[3];
    assert_eq!(scalar.malformed.as_deref(), Some("it has no type"));
    assert_eq!(scalar.raw, "5");
}

#[test]
fn u33_an_error_frame_is_its_status() {
    let batch = read(r#"{"status":403,"message":"missing permission"}"#).unwrap();
    let reason = "missing permission".to_owned();
    assert_eq!(
        batch.controls,
        [Control::Refused {
            status: 403,
            reason
        }]
    );
    assert_eq!(batch.confirms, Confirms::Nothing);
}

#[test]
fn agent_events_take_their_normal_form() {
    let event = one(
        r#"{"eventType":"routing.agentEvent","sequence":3,"timestamp":"2026-03-10T09:41:07Z","data":{"agentId":"a-1","state":"AfterCallWork","reason":"wrap","since":"2026-03-10T09:40:00Z"}}"#,
    );
    let draft = connector().normalize(&event);
    assert_eq!(draft.r#type, "ccaas.agent.state_changed.v1");
    assert_eq!(
        (draft.subject.as_str(), draft.ordering_key.as_str()),
        ("agents/a-1", "agents/a-1")
    );
    assert_eq!(draft.source, "//genesys-events/api.example.test/cc");
    assert_eq!(draft.provider_type, "routing.agentEvent");
    assert_eq!(draft.raw_data, event.raw);
    let Some(Data::AgentStateEvent(agent)) = draft.data else {
        panic!("an agent state")
    };
    assert_eq!(
        agent.availability(),
        v1::agent_state_event::Availability::AfterContactWork
    );
    assert_eq!(
        (
            agent.provider_state.as_str(),
            agent.provider_reason.as_str()
        ),
        ("AfterCallWork", "wrap")
    );
    let since = WallTime::parse_rfc3339("2026-03-10T09:40:00Z").unwrap();
    assert_eq!(agent.start_time, Some(since.to_proto()));
}

#[test]
fn queue_statistics_take_their_normal_form() {
    let event = one(
        r#"{"eventType":"routing.queueStats","data":{"queueId":"q","media":"VOICE","metrics":{"oWaiting":3,"tWait":1.5}}}"#,
    );
    let draft = connector().normalize(&event);
    assert_eq!(
        (draft.r#type.as_str(), draft.subject.as_str()),
        ("ccaas.queue.statistics.v1", "queues/q")
    );
    let Some(Data::QueueStatisticsEvent(queue)) = draft.data else {
        panic!("statistics")
    };
    assert_eq!(queue.media(), v1::Media::Voice);
    let metrics: Vec<_> = queue
        .metrics
        .iter()
        .map(|m| (m.name.as_str(), m.value))
        .collect();
    assert_eq!(metrics, [("oWaiting", 3.0), ("tWait", 1.5)]);
}

#[test]
fn other_events_are_unmapped_and_broken_ones_say_why() {
    let draft = connector().normalize(&one(
        r#"{"eventType":"platform.connectionEvent","data":{}}"#,
    ));
    assert_eq!(
        (draft.r#type.as_str(), draft.subject.as_str()),
        ("ccaas.unmapped.v1", "platform.connectionEvent")
    );
    assert!(draft.attributes.is_empty() && draft.data.is_none());
    let broken = one(r#"{"eventType":"routing.agentEvent","data":{"state":"idle"}}"#);
    let draft = connector().normalize(&broken);
    assert_eq!(draft.r#type, "ccaas.unmapped.v1");
    assert_eq!(draft.attributes["parseerror"], "no agent id");
}
