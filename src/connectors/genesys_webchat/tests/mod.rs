//! The connector against the wire shapes of its description, as pure machines with scripted answers.

mod sending;
mod session;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::auth::AccessToken;
use crate::connectors::{
    Batch, Built, Call, Confirms, Connector, Content, GuestSettings, Keep, Link, Opaque, Opening,
    Outgoing, Resume, Settings, Setup, Transport, build,
};
use crate::domain::{SessionName, WallTime};
use crate::net::{Frame, HttpResponse};
use crate::runtime::{MonoTime, Secret};

const GUEST: &str = "0b7c3a52-6d1e-4f8a-9c3b-5e2d7f1a4c60";
const MESSAGE: &str = "5c1e9d34-2f6b-4a7c-8d90-1b3e5f7a9c24";

fn guest() -> GuestSettings {
    GuestSettings {
        token: Secret::new(GUEST.to_owned()),
        attributes: attributes(&[
            ("email", "guest@example.org"),
            ("firstName", "A."),
            ("lastName", "Guest"),
        ]),
        deployment_id: None,
        origin: None,
        rest_endpoint: None,
    }
}

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn settings_of(guest: GuestSettings) -> Settings {
    let session = SessionName::new("chat-1").unwrap();
    let endpoint = "https://chat.example.test".parse().unwrap();
    Settings {
        guest: Some(guest),
        ..Settings::new("genesys-webchat", session, endpoint)
    }
}

fn built(settings: &Settings) -> Arc<dyn Connector> {
    match build(settings).unwrap() {
        Built::Ready(mut connectors) => connectors.remove(0),
        Built::Planned(plan) => panic!("expected a connector, not {plan:?}"),
    }
}

fn connector() -> Arc<dyn Connector> {
    built(&settings_of(guest()))
}

fn morning() -> WallTime {
    WallTime::parse_rfc3339("2026-03-10T09:46:00Z").unwrap()
}

fn token() -> AccessToken {
    AccessToken {
        value: Secret::new("0auth".to_owned()),
        generation: 1,
        expires_at: MonoTime::now() + Duration::from_secs(3600),
    }
}

fn link_at(connector: &dyn Connector, kept: Option<&Opaque>, wall: WallTime) -> Box<dyn Link> {
    connector.link(Opening {
        transport: Transport::WebSocket,
        resume: Resume {
            after: 0,
            opaque: kept,
        },
        beside: false,
        now: MonoTime::now(),
        wall,
    })
}

fn answered(status: u16, body: impl ToString) -> HttpResponse {
    HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
    }
}

fn made() -> HttpResponse {
    answered(
        200,
        json!({ "webchatInstanceId": "i-1", "token": "gu3st", "expiresIn": 3600 }),
    )
}

fn call(setup: Setup) -> Call {
    match setup {
        Setup::Call(call) => *call,
        other => panic!("expected a call, not {other:?}"),
    }
}

/// A link whose guest was made.
fn set_up(connector: &dyn Connector) -> Box<dyn Link> {
    let mut link = link_at(connector, None, morning());
    call(link.setup(&token()));
    link.setup_answer(&made()).unwrap();
    assert!(matches!(link.setup(&token()), Setup::Ready));
    link
}

/// A link that is open and confirmed.
fn standing(connector: &dyn Connector) -> Box<dyn Link> {
    let mut link = set_up(connector);
    let ping = match link.opened(Resume::default()).as_slice() {
        [Frame::Ping(named)] => named.clone(),
        other => panic!("expected a ping, not {other:?}"),
    };
    assert_eq!(link.ponged(&ping), Confirms::All);
    link
}

fn kept(link: &dyn Link) -> Opaque {
    match link.keep() {
        Keep::This(opaque) => opaque,
        other => panic!("expected something to keep, not {other:?}"),
    }
}

fn read(link: &mut dyn Link, frame: &Value) -> Batch {
    let frame = Bytes::from(frame.to_string());
    link.read_frame(MonoTime::now(), &frame).unwrap()
}

fn text(text: &str) -> Content {
    let text = text.to_owned();
    Content::Text { text }
}

fn outgoing<'a>(content: &'a Content, own: &'a BTreeMap<String, String>) -> Outgoing<'a> {
    Outgoing {
        id: MESSAGE,
        content,
        attributes: own,
    }
}
