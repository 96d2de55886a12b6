//! The connector against the wire shapes of the platform, as pure machines with scripted frames.

mod frames;
mod history;
mod hostile;
mod keeping_alive;
mod sending;
mod session;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Built, Confirms, Connector, Content, Control, Dispatch, GuestSettings, Keep, Link,
    Opaque, Opening, Outgoing, Resume, SendOutcome, Settings, Transport, build,
};
use crate::domain::{SessionName, WallTime};
use crate::net::Frame;
use crate::runtime::{MonoTime, Secret};

const TOKEN: &str = "0b7c3a52-6d1e-4f8a-9c3b-5e2d7f1a4c60";
const DEPLOYMENT: &str = "6f0f0c0e-8a9c-4b8e-9d5e-2f4b6c1d7e90";
const MESSAGE: &str = "5c1e9d34-2f6b-4a7c-8d90-1b3e5f7a9c24";
const OTHER: &str = "8a7b6c5d-4e3f-4021-9a8b-7c6d5e4f3a2b";

fn guest() -> GuestSettings {
    GuestSettings {
        token: Secret::new(TOKEN.to_owned()),
        attributes: BTreeMap::new(),
        deployment_id: Some(DEPLOYMENT.to_owned()),
        origin: Some("https://www.example.org".to_owned()),
        rest_endpoint: None,
    }
}

fn settings_at(endpoint: &str, guest: GuestSettings) -> Settings {
    let session = SessionName::new("chat-1").unwrap();
    let endpoint = endpoint.parse().unwrap();
    Settings {
        guest: Some(guest),
        ..Settings::new("genesys-web-messaging", session, endpoint)
    }
}

fn settings() -> Settings {
    settings_at("wss://webmessaging.example.test", guest())
}

fn built(settings: &Settings) -> Arc<dyn Connector> {
    match build(settings).unwrap() {
        Built::Ready(mut connectors) => connectors.remove(0),
        Built::Planned(plan) => panic!("expected a connector, not {plan:?}"),
    }
}

fn connector() -> Arc<dyn Connector> {
    built(&settings())
}

fn introduced(attributes: &[(&str, &str)]) -> Arc<dyn Connector> {
    let pairs = attributes.iter();
    let attributes = pairs.map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let guest = GuestSettings {
        attributes: attributes.collect(),
        ..guest()
    };
    built(&settings_at("wss://webmessaging.example.test", guest))
}

fn wall(text: &str) -> WallTime {
    WallTime::parse_rfc3339(text).unwrap()
}

fn morning() -> WallTime {
    wall("2026-03-10T09:46:00Z")
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// What the engine hands over where a platform has no OAuth.
fn nobody() -> AccessToken {
    AccessToken {
        value: Secret::new("0auth".to_owned()),
        generation: 1,
        expires_at: MonoTime::now() + seconds(3600),
    }
}

fn link_at(connector: &dyn Connector, kept: Option<&Opaque>, now: MonoTime) -> Box<dyn Link> {
    connector.link(Opening {
        transport: Transport::WebSocket,
        resume: Resume {
            after: 0,
            opaque: kept,
        },
        beside: false,
        now,
        wall: morning(),
    })
}

fn json_of(frame: &Frame) -> Value {
    match frame {
        Frame::Text(text) => serde_json::from_slice(text).unwrap(),
        other => panic!("expected a text, not {other:?}"),
    }
}

fn read(link: &mut dyn Link, now: MonoTime, frame: &Value) -> Batch {
    link.read_frame(now, &frame.to_string().into()).unwrap()
}

fn session(body: Value) -> Value {
    json!({ "type": "response", "class": "SessionResponse", "code": 200,
            "tracingId": "tieline-configure", "body": body })
}

fn begun() -> Value {
    session(json!({ "connected": true, "newSession": true, "readOnly": false }))
}

fn goes_on() -> Value {
    session(json!({ "connected": true, "newSession": false, "readOnly": false }))
}

fn jwt(exp: u64) -> Value {
    json!({ "type": "response", "class": "JwtResponse", "code": 200, "tracingId": "tieline-jwt-1",
            "body": { "jwt": "j.w.t", "exp": exp } })
}

/// Far behind everything that is tested.
fn lasting() -> Value {
    jwt(2_000_000_000)
}

fn error(code: u32, tracing: Option<&str>) -> Value {
    let mut frame = json!({ "type": "response", "class": "string", "code": code, "body": "words" });
    if let Some(id) = tracing {
        frame["tracingId"] = id.into();
    }
    frame
}

fn throttled(tracing: Option<&str>, retry_after: Value) -> Value {
    let mut frame = json!({ "type": "response", "class": "TooManyRequestsErrorMessage", "code": 429,
        "body": { "retryAfter": retry_after, "errorCode": 4029, "errorMessage": "words" } });
    if let Some(id) = tracing {
        frame["tracingId"] = id.into();
    }
    frame
}

fn echo(tracing: &str, id: &str) -> Value {
    json!({ "type": "message", "class": "StructuredMessage", "code": 200, "tracingId": tracing,
            "body": { "id": id, "type": "Text", "text": "Hello", "direction": "Inbound",
                      "channel": { "time": "2026-03-10T09:46:11.201Z" } } })
}

/// What is due now, as JSON.
fn due(link: &mut dyn Link, now: MonoTime) -> Vec<Value> {
    assert!(
        link.heartbeat_due().is_some_and(|due| due <= now),
        "nothing is due"
    );
    let frames = link.heartbeat(now, morning()).unwrap();
    frames.iter().map(json_of).collect()
}

/// A link whose session and JWT are there.
fn standing(connector: &dyn Connector, kept: Option<&Opaque>, now: MonoTime) -> Box<dyn Link> {
    let mut link = link_at(connector, kept, now);
    link.opened(Resume::default());
    let answer = match kept {
        Some(_) => goes_on(),
        None => begun(),
    };
    read(&mut *link, now, &answer);
    assert_eq!(due(&mut *link, now)[0]["action"], "getJwt");
    let batch = read(&mut *link, now, &lasting());
    assert_eq!(batch.confirms, Confirms::All);
    link
}

fn kept(link: &dyn Link) -> Opaque {
    match link.keep() {
        Keep::This(opaque) => opaque,
        other => panic!("expected something to keep, not {other:?}"),
    }
}

fn expired(batch: &Batch) -> &str {
    match batch.controls.as_slice() {
        [Control::Expired { reason }] => reason,
        other => panic!("expected an end, not {other:?}"),
    }
}

fn text(text: &str) -> Content {
    let text = text.to_owned();
    Content::Text { text }
}

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

/// Sends, and gives what was written.
fn sent(link: &mut dyn Link, id: &str, content: &Content, own: &[(&str, &str)]) -> Option<Value> {
    let attributes = attributes(own);
    let message = Outgoing {
        id,
        content,
        attributes: &attributes,
    };
    match link.send(MonoTime::now(), morning(), &message)? {
        Dispatch::Frames(frames) => {
            assert_eq!(frames.len(), 1);
            Some(json_of(&frames[0]))
        }
        other @ Dispatch::Call(_) => panic!("expected a frame, not {other:?}"),
    }
}

fn receipts(batch: &Batch) -> Vec<(Option<&str>, &SendOutcome)> {
    let all = batch.receipts.iter();
    all.map(|r| (r.id.as_deref(), &r.outcome)).collect()
}

fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}
