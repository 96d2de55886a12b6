//! The other profiles that are built in, against the wire shapes of their source documents.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::connectors::{Batch, Identity, NumberRange, Unreadable};
use crate::net::Frame;
use crate::proto::v1::event::Data;

fn text(frame: &str) -> Bytes {
    Bytes::copy_from_slice(frame.as_bytes())
}

fn read(settings: Settings, frame: &str) -> Result<Batch, Unreadable> {
    let mut link = connector(settings).link(opening(Transport::WebSocket));
    link.read_frame(MonoTime::now(), &text(frame))
}

fn cxone() -> Settings {
    Settings {
        channels: vec!["routing.agentEvent".to_owned()],
        ..settings("cxone-realtime")
    }
}

#[test]
fn cxone_realtime_is_the_same_machine_with_other_words() {
    let connector = connector(cxone());
    let resume = Resume {
        after: 41,
        opaque: None,
    };
    let probe = connector.probe().unwrap();
    let path = "wss://api.example.test/realtime/v1/events/subscribe";
    assert_eq!(probe.url.as_str(), format!("{path}?polling=true"));
    let mut link = connector.link(opening(Transport::WebSocket));
    assert_eq!(link.handshake(&token()).unwrap().url.as_str(), path);
    let subscribe = r#"{"channels":["routing.agentEvent"],"polling":false,"sequence":41}"#;
    assert_eq!(link.opened(resume), [Frame::Text(subscribe.into())]);
    let poll = link.poll(resume, &token()).unwrap();
    assert_eq!(poll.body, subscribe.replace("false", "true"));
    let range = NumberRange {
        first: 41,
        last: 45,
    };
    let history = connector.catch_up(range, &token()).unwrap();
    assert_eq!(history.url.path(), "/realtime/v1/events/history");
    assert_eq!(
        connector.health(&token()).unwrap().url.path(),
        "/realtime/v1/health"
    );
    let defaults = token_defaults(&cxone()).unwrap();
    assert_eq!(defaults.url.as_str(), "https://api.example.test/auth/token");
    let frame = r#"{"sequenceNumber":43,"events":[
        {"event_type":"routing.agentEvent","sequenceNumber":42,"timestamp":"2026-03-10T09:41:07.552Z","payload":{"agentId":"a-1","state":"BREAK"}},
        {"event_type":"routing.agentEvent","sequenceNumber":43,"timestamp":1773135667552,"payload":{"agentId":"a-2","state":"AVAILABLE"}}]}"#;
    let batch = read(cxone(), frame).unwrap();
    assert_eq!(batch.number, Some(43));
    let [a, b] = batch.events.as_slice() else {
        panic!("two events")
    };
    assert_eq!((a.number, b.number), (Some(42), Some(43)));
    assert_eq!(a.time, b.time);
    let draft = connector.normalize(a);
    assert_eq!(draft.subject, "agents/a-1");
    assert!(matches!(draft.data, Some(Data::AgentStateEvent(_))));
}

#[test]
fn cxone_realtime_may_be_on_either_of_its_ports() {
    let with = |endpoint: &str| {
        let endpoint = endpoint.parse().unwrap();
        connector(Settings {
            endpoint,
            ..cxone()
        })
    };
    for endpoint in ["https://cx.example.test", "https://cx.example.test:8443"] {
        let connector = with(endpoint);
        for port in ["", ":443", ":8443"] {
            let url = format!("wss://cx.example.test{port}/x").parse().unwrap();
            connector.addresses().check(&url).unwrap();
        }
        let other = "wss://cx.example.test:9443/x".parse().unwrap();
        connector.addresses().check(&other).unwrap_err();
    }
}

#[test]
fn u18_what_is_not_numbered_has_loss_windows_and_needs_no_channels() {
    for name in [
        "genesys-streaming",
        "genesys-adherence",
        "genesys-analytics",
    ] {
        let connector = connector(settings(name));
        let can = connector.capabilities();
        assert_eq!(
            (can.identity, can.resumes),
            (Identity::Neither, false),
            "{name}"
        );
        assert!(can.websocket && !can.long_poll, "{name}");
        assert_eq!(connector.topics().len(), 1, "{name}");
        let chosen = Settings {
            channels: vec!["x".to_owned()],
            ..settings(name)
        };
        let refused = build(&chosen).unwrap_err().to_string();
        assert!(refused.contains("channels"), "{refused}");
        let mut link = connector.link(opening(Transport::WebSocket));
        let frames = link.opened(Resume::default());
        let Some(Frame::Ping(named)) = frames.last() else {
            panic!("{name} asks for no answer: {frames:?}")
        };
        assert_eq!(link.ponged(named), Confirms::All, "{name}");
        assert_eq!(link.ponged(&Bytes::new()), Confirms::Nothing, "{name}");
    }
}

#[test]
fn genesys_streaming_reads_data_in_each_of_its_forms() {
    let frames = [
        (
            r#"{"type":"STREAMING_DATA","eventType":"a","data":{}}"#,
            "a",
        ),
        (r#"{"type":"STREAMING_DATA","data":{"eventType":"b"}}"#, "b"),
        (r#"{"type":"STREAMING_DATA","data":[]}"#, "STREAMING_DATA"),
    ];
    for (frame, topic) in frames {
        let batch = read(settings("genesys-streaming"), frame).unwrap();
        assert_eq!(batch.events[0].topic, topic);
        assert_eq!(batch.confirms, Confirms::All);
    }
    let ack = r#"{"type":"KEEP_ALIVE_ACK","timestamp":1}"#;
    let batch = read(settings("genesys-streaming"), ack).unwrap();
    assert!(batch.events.is_empty() && batch.controls.is_empty());
    let defaults = token_defaults(&settings("genesys-streaming")).unwrap();
    assert_eq!(defaults.url.path(), "/api/v2/oauth/token");
    assert_eq!(
        defaults.refresh_before,
        Some(std::time::Duration::from_secs(30))
    );
}

#[test]
fn u24_genesys_adherence_has_its_token_in_the_address_and_shows_it_nowhere() {
    let connector = connector(settings("genesys-adherence"));
    let mut link = connector.link(opening(Transport::WebSocket));
    let handshake = link.handshake(&token()).unwrap();
    let expected = "wss://api.example.test/api/v2/notifications?access_token=t0ken";
    assert_eq!(handshake.url.as_str(), expected);
    assert!(!handshake.headers.contains_key("authorization"));
    assert!(!format!("{handshake:?} {link:?} {connector:?}").contains("t0ken"));
    let subscribe = json!({ "type": "subscribe", "data": { "resource": "wfm/adherence" } });
    let frames = link.opened(Resume::default());
    assert_eq!(frames[0], Frame::Text(subscribe.to_string().into()));
}

#[test]
fn genesys_adherence_reads_both_envelopes() {
    let body = r#"{"user":{"id":"u-1"},"adherenceState":"OutOfAdherence","adherenceChangeTime":"2026-03-10T09:44:00Z"}"#;
    let frames = [
        format!(
            r#"{{"topicName":"v2.users.u-1.workforcemanagement.adherence","eventBody":{body}}}"#
        ),
        format!(r#"{{"type":"wfm.adherence.changed","data":{body}}}"#),
    ];
    let connector = connector(settings("genesys-adherence"));
    for frame in frames {
        let batch = read(settings("genesys-adherence"), &frame).unwrap();
        let draft = connector.normalize(&batch.events[0]);
        assert_eq!(draft.r#type, "ccaas.adherence.changed.v1", "{draft:?}");
        assert_eq!(draft.subject, "agents/u-1");
        let Some(Data::AdherenceEvent(adherence)) = draft.data else {
            panic!("adherence")
        };
        assert_eq!(
            adherence.state(),
            v1::adherence_event::State::OutOfAdherence
        );
        assert!(draft.time.is_some() && adherence.start_time.is_some());
    }
}

#[test]
fn u33_a_refusal_in_a_frame_is_its_status() {
    for (name, frame, expected) in [
        (
            "genesys-adherence",
            r#"{"type":"error","status":403,"message":"no"}"#,
            403,
        ),
        (
            "genesys-adherence",
            r#"{"type":"error","data":{"status":401}}"#,
            401,
        ),
        ("genesys-adherence", r#"{"type":"error"}"#, 400),
        ("genesys-streaming", r#"{"type":"ERROR","status":403}"#, 403),
        (
            "genesys-analytics",
            r#"{"status":429,"message":"slow"}"#,
            429,
        ),
    ] {
        let batch = read(settings(name), frame).unwrap();
        let [Control::Refused { status, .. }] = batch.controls.as_slice() else {
            panic!("{name}: {batch:?}")
        };
        assert_eq!(*status, expected, "{name}");
        assert_eq!(batch.confirms, Confirms::Nothing);
    }
}

#[test]
fn genesys_analytics_reads_one_event_and_an_array() {
    let one = r#"{"eventType":"routing.queueStats","timestamp":"2026-03-10T09:44:00Z","data":{"queueId":"q"}}"#;
    let many = format!("[{one}, {one} ,{}]", r#"{"data":1}"#);
    let batch = read(settings("genesys-analytics"), &many).unwrap();
    assert_eq!(batch.events.len(), 3);
    assert_eq!(batch.events[1].raw, one);
    assert_eq!(batch.events[2].malformed.as_deref(), Some("it has no type"));
    assert_eq!(
        read(settings("genesys-analytics"), one)
            .unwrap()
            .events
            .len(),
        1
    );
    for bad in ["[]", "[1,", "[}", r#"[{"eventType":"a"}"#] {
        read(settings("genesys-analytics"), bad).unwrap_err();
    }
}

#[test]
fn a_credential_stands_where_the_profile_wants_it() {
    let with = |credential: serde_json::Value| {
        let mut profile = smallest();
        profile["credential"] = credential;
        let link = connector(custom(profile)).link(opening(Transport::WebSocket));
        link.handshake(&token()).unwrap()
    };
    let header = |name: &str, handshake: &crate::connectors::Handshake| {
        let value = handshake.headers.get(name).unwrap();
        assert!(value.is_sensitive());
        value.to_str().unwrap().to_owned()
    };
    assert_eq!(header("authorization", &with(json!({}))), "Bearer t0ken");
    let named = with(json!({ "name": "X-Api-Key", "scheme": "" }));
    assert_eq!(header("x-api-key", &named), "t0ken");
    let query = with(json!({ "place": "query", "name": "key" }));
    assert_eq!(query.url.query(), Some("key=t0ken"));
}
