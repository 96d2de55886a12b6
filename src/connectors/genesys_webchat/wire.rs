//! Frames, and the answer that makes a guest.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::kept::Instance;
use crate::connectors::{ProviderEvent, Receipt, SendOutcome, Unreadable};
use crate::domain::WallTime;

/// The type of what is said.
pub(super) const MESSAGE: &str = "message";
/// The type of an acknowledgement.
const RECEIVED: &str = "messageReceived";
/// Longer ids are none.
const LONGEST_ID: usize = 200;

/// What a frame said.
#[derive(Debug)]
pub(super) enum Said {
    Event(Box<ProviderEvent>),
    Receipt(Receipt),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame<'a> {
    #[serde(default)]
    r#type: Option<String>,
    #[serde(borrow, default)]
    message_id: Option<&'a RawValue>,
}

/// What is said.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Message {
    pub(super) content: Option<String>,
    pub(super) message_id: Option<String>,
}

impl Message {
    pub(super) fn read(raw: &[u8]) -> Result<Self, String> {
        object(raw)
    }
}

/// Reads one frame.
pub(super) fn read(bytes: &Bytes) -> Result<Said, Unreadable> {
    let frame: Frame<'_> = object(bytes).map_err(|problem| unreadable("frame", problem))?;
    let mut event = ProviderEvent {
        id: frame.message_id.and_then(id),
        raw: bytes.clone(),
        ..ProviderEvent::default()
    };
    match frame.r#type.filter(|kind| !kind.is_empty()) {
        Some(kind) if kind == RECEIVED => match event.id.take() {
            Some(id) => {
                return Ok(Said::Receipt(Receipt {
                    id: Some(id),
                    outcome: SendOutcome::Acknowledged { provider_id: None },
                }));
            }
            None => {
                event.topic = kind;
                event.malformed = Some("it acknowledges no message".to_owned());
            }
        },
        Some(kind) => event.topic = kind,
        None => event.malformed = Some("it has no type".to_owned()),
    }
    Ok(Said::Event(Box::new(event)))
}

/// Reads the answer that makes a guest. `wall` is when it was asked for.
pub(super) fn instance(body: &Bytes, wall: WallTime) -> Result<Instance, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Form<'a> {
        webchat_instance_id: String,
        token: String,
        #[serde(borrow, default)]
        expires_in: Option<&'a RawValue>,
    }
    const WHAT: &str = "guest";
    let form: Form<'_> = object(body).map_err(|problem| unreadable(WHAT, problem))?;
    let lives = form
        .expires_in
        .and_then(|value| value.get().trim_matches('"').parse().ok());
    let expires = lives.map(|seconds| wall.plus(Duration::from_secs(seconds)));
    let made = Instance::new(form.webchat_instance_id, form.token, expires);
    made.ok_or_else(|| unreadable(WHAT, "its instance or token is none".to_owned()))
}

fn id(value: &RawValue) -> Option<String> {
    let id: String = serde_json::from_str(value.get()).ok()?;
    (!id.is_empty() && id.len() <= LONGEST_ID).then_some(id)
}

/// Reads an object; a list of its values would do for the parser. Where it stopped being what was
/// expected is told without any of it.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, String> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err("not an object".to_owned());
    }
    serde_json::from_slice(json).map_err(|error| {
        let (kind, line, column) = (error.classify(), error.line(), error.column());
        format!("{kind:?} at line {line} column {column}")
    })
}

fn unreadable(what: &'static str, reason: String) -> Unreadable {
    Unreadable { what, reason }
}
