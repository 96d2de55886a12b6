//! Normal forms of the platform's events and of the REST records that stand for them. One file for
//! each kind of payload; what has no normal form stays readable as `ccaas.unmapped.v1`.

mod adherence;
mod agent;
mod conversation;
mod detail;
pub(super) mod facts;
pub(super) mod lenient;
mod queue;
mod transcript;

use serde::Deserialize;

use super::members::Body;
use super::rest::place;
use super::topics::{Kind, Topic, parse};
use super::wire::{self, Envelope};
use crate::connectors::ProviderEvent;
use crate::proto::v1;
use crate::proto::v1::event::Data;

const UNMAPPED: &str = "ccaas.unmapped.v1";

/// What a normal form adds to the bytes.
#[derive(Debug)]
struct Normal {
    kind: &'static str,
    subject: String,
    data: Data,
}

/// The event in its normal form; unmapped, with the reason as attribute, where it has none.
pub(super) fn normalize(source: &str, event: &ProviderEvent) -> v1::Event {
    let mut draft = v1::Event {
        source: source.to_owned(),
        time: event.time.map(crate::domain::WallTime::to_proto),
        provider_type: event.topic.clone(),
        raw_data: event.raw.clone(),
        ..v1::Event::default()
    };
    if !event.raw.is_empty() {
        "application/json".clone_into(&mut draft.data_content_type);
    }
    let (correlation, body) = parts(event);
    if let Some(id) = correlation {
        draft.attributes.insert("correlationid".to_owned(), id);
    }
    let normal = match (&event.malformed, body) {
        (Some(problem), _) => Err(problem.clone()),
        (None, _) if event.raw.is_empty() => Ok(queue::departed(event)),
        (None, Err(problem)) => Err(problem),
        (None, Ok(body)) => normal(event, body),
    };
    match normal {
        Ok(Some(normal)) => {
            normal.kind.clone_into(&mut draft.r#type);
            draft.ordering_key.clone_from(&normal.subject);
            draft.subject = normal.subject;
            draft.data = Some(normal.data);
        }
        Ok(None) => unmapped(&mut draft),
        Err(problem) => {
            unmapped(&mut draft);
            draft.attributes.insert("parseerror".to_owned(), problem);
        }
    }
    draft
}

/// The platform's trace id, and what is to be made normal.
fn parts(event: &ProviderEvent) -> (Option<String>, Result<Body<'_>, String>) {
    // What came in a frame was looked through when the frame was read.
    if let Some((metadata, members)) = event.spans.split_first() {
        let metadata = metadata.text(&event.raw);
        let body = Body::of(event, members);
        return (metadata.and_then(wire::correlation), Ok(body));
    }
    match Envelope::read(&event.raw) {
        Ok(envelope) => {
            let body = envelope.body().unwrap_or(&event.raw);
            (envelope.correlation(), Ok(Body::whole(body)))
        }
        Err(problem) => (None, Err(problem)),
    }
}

fn unmapped(draft: &mut v1::Event) {
    UNMAPPED.clone_into(&mut draft.r#type);
    draft.subject.clone_from(&draft.provider_type);
    draft.ordering_key.clone_from(&draft.provider_type);
}

fn normal(event: &ProviderEvent, body: Body<'_>) -> Result<Option<Normal>, String> {
    let topic = parse(&event.topic);
    match topic.kind {
        Kind::Presence => agent::presence(&topic, body),
        Kind::RoutingStatus => agent::routing_status(&topic, body),
        Kind::Activity => agent::activity(&topic, body),
        Kind::UserConversations | Kind::QueueConversations => {
            conversation::conversation(&topic, body)
        }
        Kind::DetailEvent => detail::detail(&topic, body),
        Kind::QueueMembers => queue::membership(&topic, body),
        Kind::QueueObservations | Kind::QueueAggregates => queue::statistics(&topic, body),
        Kind::UserAdherence | Kind::UnitAdherence | Kind::TeamAdherence => {
            adherence::adherence(&topic, body)
        }
        Kind::Transcription => transcript::transcript(&topic, body, event.time),
        Kind::Other => Ok(None),
    }
}

/// Reads a body, or says where it is not what its topic carries.
fn body<'a, T: Deserialize<'a>>(json: Body<'a>) -> Result<T, String> {
    json.read().map_err(|error| place(&error))
}

/// The id that an event cannot be understood without.
fn required(id: Option<String>, topic: &Topic<'_>, what: &str) -> Result<String, String> {
    let id = id.filter(|id| !id.is_empty());
    let named = || (!topic.id.is_empty()).then(|| topic.id.to_owned());
    id.or_else(named).ok_or_else(|| format!("no {what}"))
}
