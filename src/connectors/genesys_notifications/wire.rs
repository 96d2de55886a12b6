//! Frames: the envelope of events, the platform's words about the channel, and the second envelope
//! of answers in the channel (2.6, 2.7, 2.10). One pass picks slices; bodies are read by
//! whoever knows them.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answers::short;
use super::members::{Members, Seen};
use super::normalize::facts;
use super::rest::place;
use super::topics::{Kind, Names, parse};
use crate::connectors::{ProviderEvent, Span, Unreadable};

/// Longer trace ids are not shown.
const LONGEST_CORRELATION: usize = 200;

/// What a frame was.
#[derive(Debug)]
pub(super) enum Message {
    /// Its heartbeat.
    Alive,
    /// The answer to our ping.
    Pong,
    /// What a topic sent: one event, or each utterance of a transcript.
    Events(Vec<ProviderEvent>),
    /// An envelope that lacks what makes it an event; kept as it is (U20).
    Malformed(Box<ProviderEvent>),
    /// Something about the channel itself.
    Notice(Notice),
}

/// What the platform says of the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// It will close the socket in about a minute.
    Closing { channel: Option<String> },
    /// The channel was pushed out by another.
    Evicted { channel: Option<String> },
    /// The token behind the channel is gone.
    TokenRevoked { channel: Option<String> },
    /// It refuses, in the channel.
    Refused { status: u16, reason: String },
    /// Nothing that asks for anything.
    Other,
}

/// What stands around a body, of which `B` is kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "B: Deserialize<'de>"))]
struct Fields<'a, B> {
    #[serde(borrow, default)]
    topic_name: Option<Cow<'a, str>>,
    #[serde(default = "Option::default")]
    event_body: Option<B>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

/// A frame, read once.
pub(super) struct Envelope<'a> {
    topic_name: Option<Cow<'a, str>>,
    /// The body and, where they were seen, its members.
    event_body: Option<(&'a str, Members)>,
    metadata: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    pub(super) fn read(frame: &'a [u8]) -> Result<Self, String> {
        if let Ok(fields) = serde_json::from_slice::<Fields<'_, Seen<'_>>>(frame) {
            let places = fields.event_body.as_ref().map(|body| body.places(frame));
            if places.as_ref().is_none_or(Option::is_some) {
                return Ok(Self::of(fields, |_| places.flatten()));
            }
        }
        let fields = serde_json::from_slice::<Fields<'_, &RawValue>>(frame);
        let fields = fields.map_err(|error| place(&error))?;
        let whole = |body: Option<&'a RawValue>| body.map(|body| (body.get(), Members::new()));
        Ok(Self::of(fields, whole))
    }

    fn of<B>(
        fields: Fields<'a, B>,
        body: impl FnOnce(Option<B>) -> Option<(&'a str, Members)>,
    ) -> Self {
        Self {
            topic_name: fields.topic_name,
            event_body: body(fields.event_body),
            metadata: fields.metadata,
            result: fields.result,
            message: fields.message,
        }
    }

    /// The body of an event; `None` where this is no event but a record of the REST interface.
    pub(super) fn body(&self) -> Option<&'a [u8]> {
        self.topic_name.as_ref()?;
        self.event_body.as_ref().map(|(body, _)| body.as_bytes())
    }

    /// The platform's trace id.
    pub(super) fn correlation(&self) -> Option<String> {
        correlation(self.metadata?.get())
    }
}

/// The platform's trace id, from what stands beside a body.
pub(super) fn correlation(metadata: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(rename = "CorrelationId")]
        correlation_id: Option<String>,
    }
    let metadata: Metadata = serde_json::from_str(metadata).ok()?;
    // An attribute is read by people: a trace id is short.
    let id = metadata.correlation_id?;
    (!id.is_empty() && id.len() <= LONGEST_CORRELATION).then_some(id)
}

fn is_pong(body: &str) -> bool {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        message: Cow<'a, str>,
    }
    let body: Result<Body<'_>, _> = serde_json::from_str(body);
    body.is_ok_and(|body| body.message.eq_ignore_ascii_case("pong"))
}

/// Reads one frame.
pub(super) fn read(names: &Names, frame: &Bytes) -> Result<Message, Unreadable> {
    let envelope = Envelope::read(frame).map_err(|reason| Unreadable {
        what: "frame",
        reason,
    })?;
    Ok(message(names, envelope, frame))
}

fn message(names: &Names, envelope: Envelope<'_>, frame: &Bytes) -> Message {
    let Some(name) = envelope.topic_name else {
        return match envelope.result.and_then(status) {
            Some(status) => Message::Notice(reply(status, envelope.message)),
            None => malformed(frame, "", "neither a topic nor a result".to_owned()),
        };
    };
    let body = envelope.event_body.as_ref().map(|(body, _)| *body);
    if name.eq_ignore_ascii_case("channel.metadata") {
        return match body.is_some_and(is_pong) {
            true => Message::Pong,
            false => Message::Alive,
        };
    }
    if let Some(notice) = system(&name, body) {
        return Message::Notice(notice);
    }
    let spelled = names.spell(&name);
    match envelope.event_body {
        Some((body, members)) => {
            let spans = spans(envelope.metadata, members, frame);
            Message::Events(events(spelled, body, spans, frame))
        }
        None => malformed(frame, spelled, "it has no eventBody".to_owned()),
    }
}

fn malformed(frame: &Bytes, topic: &str, reason: String) -> Message {
    Message::Malformed(Box::new(ProviderEvent {
        topic: topic.to_owned(),
        raw: frame.clone(),
        malformed: Some(reason),
        ..ProviderEvent::default()
    }))
}

/// What is kept of a frame for its normal form: where its metadata stand, then its body's members;
/// nothing where these were not seen.
fn spans(metadata: Option<&RawValue>, members: Members, frame: &Bytes) -> Members {
    if members.is_empty() {
        return members;
    }
    let metadata = metadata.map_or(Span::default(), |metadata| Span::of(metadata.get(), frame));
    std::iter::once(metadata).chain(members).collect()
}

fn events(name: &str, body: &str, spans: Members, frame: &Bytes) -> Vec<ProviderEvent> {
    let kind = parse(name).kind;
    if kind == Kind::Transcription {
        let utterances = facts::utterances(name, body, frame);
        // The frame itself where it holds one event, as everywhere else.
        if utterances.len() > 1 {
            return utterances;
        }
    }
    let event = ProviderEvent {
        topic: name.to_owned(),
        raw: frame.clone(),
        identity: Some(frame.slice_ref(body.as_bytes())),
        family: kind.family(),
        spans,
        ..ProviderEvent::default()
    };
    vec![facts::complete(event)]
}

/// The platform's own topics; `None` for any other.
fn system(name: &str, body: Option<&str>) -> Option<Notice> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        #[serde(default)]
        channel_id: Option<String>,
    }
    let begins = |with: &str| {
        let head = name.get(..with.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(with))
    };
    if begins("v2.subscription.") {
        return Some(Notice::Other);
    }
    if !begins("v2.system.") {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let word = lower.strip_prefix("v2.system.")?;
    let body: Option<Body> = body.and_then(|body| serde_json::from_str(body).ok());
    let channel = body.unwrap_or_default().channel_id;
    Some(match word.split('.').next() {
        Some("socket_closing") => Notice::Closing { channel },
        Some("no_longer_subscribed") => Notice::Evicted { channel },
        Some("token_revoked") => Notice::TokenRevoked { channel },
        _ => Notice::Other,
    })
}

/// A result is a text that holds a number; a number will do.
fn status(result: &RawValue) -> Option<u16> {
    result.get().trim_matches('"').parse().ok()
}

fn reply(status: u16, message: Option<&RawValue>) -> Notice {
    // We ask for nothing in the channel but an answer to a ping, so a 400 is about no subscription.
    if !(401..=599).contains(&status) {
        return Notice::Other;
    }
    let message = message.and_then(|m| serde_json::from_str::<Cow<'_, str>>(m.get()).ok());
    Notice::Refused {
        status,
        reason: short(&message.unwrap_or_default()),
    }
}
