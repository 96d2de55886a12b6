//! The connector against the wire shapes of the platform.

mod crashes;
mod forms;
mod polling;
mod settings;
mod setup;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::auth::AccessToken;
use crate::connectors::{
    AgentSettings, Batch, Built, Call, Connector, Keep, Link, Opaque, Opening, Resume, Settings,
    Setup, Transport, build,
};
use crate::domain::{SessionName, WallTime};
use crate::net::HttpResponse;
use crate::runtime::{MonoTime, Secret};

const REAL: &str = "https://cxone.niceincontact.com/";
const CLUSTER: &str = "https://api-b32.nice-incontact.com/";
const CONFIGURATION: &str = r#"{"private":false,"area":"na1","cluster":"B32",
    "domain":"niceincontact.com","acdDomain":"nice-incontact.com","tenantId":"11ee-7a",
    "api_endpoint":"https://api-na1.niceincontact.com"}"#;

fn settings(endpoint: &str) -> Settings {
    let session = SessionName::new("cx").unwrap();
    Settings {
        agent: Some(AgentSettings::Join {
            agent_id: "4711".to_owned(),
        }),
        ..Settings::new("cxone-agent", session, endpoint.parse().unwrap())
    }
}

fn made_of(settings: &Settings) -> Arc<dyn Connector> {
    match build(settings).unwrap() {
        Built::Ready(mut connectors) => connectors.remove(0),
        Built::Planned(plan) => panic!("it needs no plan: {plan:?}"),
    }
}

fn connector() -> Arc<dyn Connector> {
    made_of(&settings(REAL))
}

fn link(connector: &dyn Connector, opaque: Option<&Opaque>) -> Box<dyn Link> {
    connector.link(Opening {
        transport: Transport::LongPoll,
        resume: Resume { after: 0, opaque },
        beside: false,
        now: MonoTime::now(),
        wall: WallTime::default(),
    })
}

/// A token of a user who is agent 99 of tenant 11ee-7a.
fn token() -> AccessToken {
    let claims = URL_SAFE_NO_PAD.encode(r#"{"tenantId":"11ee-7a","icAgentId":"99"}"#);
    AccessToken {
        value: Secret::new(format!("e30.{claims}.t0ken")),
        generation: 1,
        expires_at: MonoTime::now(),
    }
}

fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn branch(value: &'static str, status: u16, body: &str) -> HttpResponse {
    let mut answer = answer(status, body);
    answer
        .headers
        .insert("icbranchvalue", value.parse().unwrap());
    answer
}

fn call(link: &mut dyn Link) -> Box<Call> {
    match link.setup(&token()) {
        Setup::Call(call) => call,
        other => panic!("no call but {other:?}"),
    }
}

/// Sets a link up from nothing, with `first` as its session id.
fn enter(link: &mut dyn Link, first: &str) {
    call(link);
    link.setup_answer(&answer(200, CONFIGURATION)).unwrap();
    call(link);
    let body = format!(r#"{{"sessionId":"{first}"}}"#);
    link.setup_answer(&answer(202, &body)).unwrap();
    assert!(matches!(link.setup(&token()), Setup::Ready));
}

fn poll(link: &mut dyn Link) -> Call {
    link.poll(Resume::default(), &token()).unwrap()
}

fn read(link: &mut dyn Link, body: &str) -> Batch {
    link.read_poll(&answer(200, body)).unwrap()
}

fn kept(link: &dyn Link) -> Opaque {
    match link.keep() {
        Keep::This(opaque) => opaque,
        other => panic!("nothing to keep: {other:?}"),
    }
}

const START: &str =
    r#"{"Type":"AgentSessionStart","BusNo":"4500","AgentId":"4711","SessionId":"58070815"}"#;
const AVAILABLE: &str =
    r#"{"Type":"AgentState","CurrentState":"Available","StartTimeUTC":"2026-03-10T09:41:07.552Z"}"#;

fn body(id: &str, events: &[&str]) -> String {
    format!(r#"{{"sessionId":"{id}","events":[{}]}}"#, events.join(","))
}
