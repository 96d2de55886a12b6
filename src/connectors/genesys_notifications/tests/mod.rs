//! The connector against the wire shapes of the platform, as pure machines with scripted answers.

mod conversations;
mod frames;
mod golden;
mod hostile;
mod link;
mod plan;
mod recover;
mod settings;
mod spread;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use url::Url;

use super::connector::{NotificationsConnector, Site};
use super::rest::Rest;
use crate::auth::AccessToken;
use crate::connectors::{
    Call, Connector, Found, Keep, Link, LossWindow, Opaque, Opening, ProviderEvent, Recovered,
    Recoverer, Redundancy, Resume, Setup, Step, Transport,
};
use crate::domain::WallTime;
use crate::net::{HttpResponse, UrlPolicy};
use crate::runtime::{MonoTime, Secret};

const AGENT: &str = "3d0c7a51-8f1e-4b0a-9a54-5d1b8d2f6c10";
const OTHER_AGENT: &str = "6f1c2b7e-0a4d-4c55-8a21-7b90c1de2f34";
const QUEUE: &str = "91e4d2c0-5b7a-4f3e-8c6d-2a1b0c9d8e7f";
const UNIT: &str = "b2a4e6f8-1c3d-4e5f-8a9b-0c1d2e3f4a5b";
const CONVERSATION: &str = "0e5f1a2b-3c4d-4e6f-9a8b-7c6d5e4f3a2b";
const URI: &str = "wss://streaming.example.test/channels/streaming-3-abc";

fn endpoint() -> Url {
    "https://api.example.test".parse().unwrap()
}

fn site() -> Site {
    let domains = ["example.test".to_owned()];
    Site {
        source: "//genesys-notifications/example.test/cc".to_owned(),
        rest: Rest::new(endpoint()),
        addresses: UrlPolicy::new(&endpoint(), &domains, false).unwrap(),
        redundancy: Redundancy::Single,
    }
}

fn connector(topics: &[&str]) -> Arc<dyn Connector> {
    let topics = topics.iter().map(|t| (*t).to_owned()).collect();
    Arc::new(NotificationsConnector::new(&site(), topics, Vec::new()))
}

fn presence_of(user: &str) -> String {
    format!("v2.users.{user}.presence")
}

fn wall(text: &str) -> WallTime {
    WallTime::parse_rfc3339(text).unwrap()
}

fn noon() -> WallTime {
    wall("2026-03-10T12:00:00Z")
}

fn token_named(name: &str) -> AccessToken {
    AccessToken {
        value: Secret::new(name.to_owned()),
        generation: 1,
        expires_at: MonoTime::now() + Duration::from_secs(20 * 3600),
    }
}

fn token() -> AccessToken {
    token_named("t0ken")
}

fn answered(status: u16, body: impl ToString) -> HttpResponse {
    HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
    }
}

fn frame(text: impl ToString) -> Bytes {
    text.to_string().into()
}

/// A link, and what was kept for it.
fn link_at(
    connector: &dyn Connector,
    kept: Option<&Opaque>,
    beside: bool,
    wall: WallTime,
) -> Box<dyn Link> {
    connector.link(Opening {
        transport: Transport::WebSocket,
        resume: Resume {
            after: 0,
            opaque: kept,
        },
        beside,
        now: MonoTime::now(),
        wall,
    })
}

fn call(setup: Setup) -> Call {
    match setup {
        Setup::Call(call) => *call,
        other => panic!("expected a call, not {other:?}"),
    }
}

fn line(call: &Call) -> String {
    let query = call
        .url
        .query()
        .map_or_else(String::new, |q| format!("?{q}"));
    format!("{} {}{query}", call.method, call.url.path())
}

fn kept(link: &dyn Link) -> Opaque {
    match link.keep() {
        Keep::This(opaque) => opaque,
        other => panic!("expected something to keep, not {other:?}"),
    }
}

const CREATED: &str = r#"{"id":"streaming-3-abc","connectUri":"wss://streaming.example.test/channels/streaming-3-abc","expires":"2026-03-11T12:00:00.000Z"}"#;
const PERMITTED: &str = r#"{"entities":[]}"#;

/// Through the set-up of a new channel.
fn set_up(link: &mut dyn Link, token: &AccessToken) {
    assert_eq!(
        line(&call(link.setup(token))),
        "POST /api/v2/notifications/channels"
    );
    link.setup_answer(&answered(200, CREATED)).unwrap();
    call(link.setup(token));
    link.setup_answer(&answered(200, PERMITTED)).unwrap();
    assert!(matches!(link.setup(token), Setup::Ready));
}

fn window() -> LossWindow {
    LossWindow {
        start: noon(),
        end: noon().plus(Duration::from_secs(60)),
    }
}

/// Asks a recoverer to its end; `respond` gives status and body for each call.
fn recovered(
    recoverer: &mut dyn Recoverer,
    mut respond: impl FnMut(&Call) -> (u16, String),
) -> (Found, Vec<ProviderEvent>, Vec<String>) {
    let (mut events, mut complete) = (Vec::new(), Vec::new());
    for _ in 0..5_000 {
        let call = match recoverer.next(&token()) {
            Step::Done(found) => return (found, events, complete),
            Step::Call(call) => call,
        };
        let (status, body) = respond(&call);
        let answer = answered(status, body);
        if answer.status.is_success() {
            let Recovered {
                events: more,
                complete: scopes,
                seen: _,
            } = recoverer.answer(&answer, noon()).unwrap();
            events.extend(more);
            complete.extend(scopes);
        } else if !recoverer.refused(answer.status) {
            return (Found::Nothing, events, complete);
        }
    }
    panic!("a recoverer without an end");
}

fn body_of(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

fn query_of(call: &Call, key: &str) -> Vec<String> {
    let pairs = call.url.query_pairs();
    let own = pairs.filter(|(name, _)| name == key);
    own.map(|(_, value)| value.into_owned()).collect()
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}
