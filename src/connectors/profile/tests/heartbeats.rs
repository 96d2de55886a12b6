//! Heartbeats of profiles (U26): frames, intervals, answers.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::connectors::{Condition, HeartbeatSettings, Link};
use crate::net::Frame;

const WALL: u64 = 1_773_135_667_552;

fn streaming() -> Settings {
    settings("genesys-streaming")
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A link that stands since `now`.
fn standing(settings: Settings, now: MonoTime) -> Box<dyn Link> {
    let mut link = connector(settings).link(Opening {
        now,
        ..opening(Transport::WebSocket)
    });
    assert_eq!(
        link.heartbeat_due(),
        Some(now),
        "it looks at the clock at once"
    );
    assert_eq!(beat(&mut *link, now), None, "and says nothing yet");
    link
}

fn beat(link: &mut dyn Link, now: MonoTime) -> Option<Value> {
    let frames = link.heartbeat(now, WallTime::from_millis(WALL)).unwrap();
    frames.first().map(|frame| match frame {
        Frame::Text(text) => serde_json::from_slice(text).unwrap(),
        other => panic!("{other:?}"),
    })
}

fn hear(link: &mut dyn Link, now: MonoTime, frame: &str) -> Vec<Control> {
    let frame = Bytes::copy_from_slice(frame.as_bytes());
    link.read_frame(now, &frame).unwrap().controls
}

const ACK: &str = r#"{"type":"KEEP_ALIVE_ACK","timestamp":1773135667600}"#;

#[test]
fn u26_a_heartbeat_stands_as_the_source_writes_it() {
    let start = MonoTime::now();
    let mut link = standing(streaming(), start);
    assert_eq!(link.heartbeat_due(), Some(start + secs(20)));
    assert_eq!(beat(&mut *link, start + secs(19)), None);
    let frame = beat(&mut *link, start + secs(20)).unwrap();
    let size = frame.to_string().len();
    let connection = frame["connectionId"].as_str().unwrap().to_owned();
    assert_eq!(connection.len(), 36);
    assert_eq!(
        (connection.get(14..15), connection.matches('-').count()),
        (Some("4"), 4)
    );
    let expected = json!({
        "connectionId": connection, "type": "KEEP_ALIVE", "timestamp": WALL,
        "intervalMatrix": { "current": 20_000, "state": "STABLE", "nextExpected": WALL + 20_000 },
        "sizeDirective": { "bytes": size, "maxAllowed": 1024, "compression": false },
    });
    assert_eq!(frame, expected);
    assert_eq!(link.heartbeat_due(), Some(start + secs(40)));
}

#[test]
fn u41_a_time_without_reading_is_neither_silence_nor_a_round_trip() {
    let start = MonoTime::now();
    let mut link = standing(streaming(), start);
    beat(&mut *link, start + secs(20)).unwrap();
    link.unheard(start + secs(100));
    beat(&mut *link, start + secs(100)).expect("it goes on");
    hear(&mut *link, start + secs(100), ACK);
    link.unheard(start + secs(160));
    let late = hear(&mut *link, start + secs(160), ACK);
    assert_eq!(late, [], "the answer waited, nobody knows how long");
    assert!(
        link.heartbeat(start + secs(219), WallTime::default())
            .is_ok()
    );
    assert!(
        link.heartbeat(start + secs(220), WallTime::default())
            .is_err()
    );
}

#[test]
fn u26_the_gateways_minimum_wins_over_shorter_intervals() {
    let start = MonoTime::now();
    // It counts from when it got the former one, which may have been late.
    let least = std::time::Duration::from_millis(15_500);
    for condition in [Condition::Degraded, Condition::Reconnecting] {
        let mut link = standing(streaming(), start);
        link.condition(start, condition);
        assert_eq!(link.heartbeat_due(), Some(start + least), "{condition:?}");
        let frame = beat(&mut *link, start + least).unwrap();
        assert_eq!(frame["intervalMatrix"]["current"], 15_000);
        link.condition(start, Condition::Stable);
        assert_eq!(
            link.heartbeat_due(),
            Some(start + least + secs(20)),
            "{condition:?}"
        );
    }
    let heartbeat = HeartbeatSettings {
        stable: Some(secs(90)),
        degraded: Some(secs(30)),
        reconnecting: None,
    };
    let own = Settings {
        heartbeat,
        ..streaming()
    };
    let mut link = standing(own, start);
    assert_eq!(
        link.heartbeat_due(),
        Some(start + secs(45)),
        "nor above the maximum"
    );
    link.condition(start, Condition::Degraded);
    assert_eq!(link.heartbeat_due(), Some(start + secs(30)));
}

#[test]
fn u26_an_acknowledgement_answers_the_oldest_open_heartbeat_and_data_none() {
    let start = MonoTime::now();
    let mut link = standing(streaming(), start);
    beat(&mut *link, start + secs(20)).unwrap();
    let data = r#"{"type":"STREAMING_DATA","eventType":"a","data":{}}"#;
    assert_eq!(hear(&mut *link, start + secs(21), data), []);
    let sent = start + secs(20);
    let answered = hear(&mut *link, start + secs(22), ACK);
    assert_eq!(answered, [Control::Answered { sent }]);
    assert_eq!(
        hear(&mut *link, start + secs(23), ACK),
        [],
        "nothing is open"
    );
    // One that is never answered does not make the next one look late.
    beat(&mut *link, start + secs(40)).unwrap();
    beat(&mut *link, start + secs(60)).unwrap();
    let sent = start + secs(60);
    let answered = hear(&mut *link, start + secs(61), ACK);
    assert_eq!(answered, [Control::Answered { sent }]);
}

#[test]
fn u26_a_platform_that_says_nothing_for_long_is_dead() {
    let start = MonoTime::now();
    let mut link = standing(streaming(), start);
    for at in [20, 40] {
        beat(&mut *link, start + secs(at)).unwrap();
    }
    hear(&mut *link, start + secs(41), ACK);
    beat(&mut *link, start + secs(60)).unwrap();
    for at in [80, 100] {
        beat(&mut *link, start + secs(at)).unwrap();
    }
    assert_eq!(link.heartbeat_due(), Some(start + secs(101)));
    link.heartbeat(start + secs(101), WallTime::from_millis(WALL))
        .unwrap_err();
}

#[test]
fn a_frame_that_the_platform_would_refuse_is_never_sent() {
    let mut profile = smallest();
    profile["websocket"]["heartbeat"] = json!({
        "frame": { "beat": "{connection}", "text": "x".repeat(200) },
        "interval": { "stable": "20s" }, "max_size": "100B",
    });
    let refused = build(&custom(profile.clone())).unwrap_err().to_string();
    assert!(refused.contains("at most 100B"), "{refused}");
    profile["websocket"]["heartbeat"]["max_size"] = json!("1KiB");
    profile["websocket"]["heartbeat"]["requires"] = json!({ "/type": "string" });
    let refused = build(&custom(profile)).unwrap_err().to_string();
    assert!(refused.contains("no string at /type"), "{refused}");
}

#[test]
fn each_connection_has_an_id_of_its_own() {
    let connector = connector(streaming());
    let id = |millis| {
        let start = MonoTime::now();
        let mut link = connector.link(Opening {
            now: start,
            wall: WallTime::from_millis(millis),
            ..opening(Transport::WebSocket)
        });
        beat(&mut *link, start);
        beat(&mut *link, start + secs(20)).unwrap()["connectionId"].to_string()
    };
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
}
