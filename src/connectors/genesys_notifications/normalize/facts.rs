//! What must be known of an event before it is normalized: its time, its key, what it begins or
//! ends (U16, U18). A body that cannot be read has none of it.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Moment, Reference, id_of};
use crate::connectors::genesys_notifications::rest::slice;
use crate::connectors::genesys_notifications::topics::{Kind, Topic, parse};
use crate::connectors::{ProviderEvent, Tracked};
use crate::domain::WallTime;

/// More utterances than this in one frame stay together.
const MOST_UTTERANCES: usize = 1000;

/// The dates of every family's bodies and records, and what else tells what they are about.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Body<'a> {
    id: Option<String>,
    conversation_id: Option<String>,
    user_id: Option<String>,
    user: Option<Reference>,
    joined: Option<bool>,
    modified_date: Moment,
    start_time: Moment,
    event_time: Moment,
    adherence_change_time: Moment,
    time_of_adherence_change: Moment,
    presence_update_time: Moment,
    date_active_queues_changed: Moment,
    #[serde(borrow)]
    routing_status: Option<&'a RawValue>,
    #[serde(borrow)]
    presence: Option<&'a RawValue>,
    group: Option<Group>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Group {
    queue_id: Option<String>,
    media_type: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Dates {
    start_time: Moment,
    modified_date: Moment,
}

impl Body<'_> {
    fn within(part: Option<&RawValue>) -> Option<WallTime> {
        let dates: Dates = serde_json::from_str(part?.get()).ok()?;
        dates.start_time.0.max(dates.modified_date.0)
    }

    fn time(&self, kind: Kind) -> Option<WallTime> {
        match kind {
            Kind::Presence => self.modified_date.0.or(self.start_time.0),
            Kind::RoutingStatus => Self::within(self.routing_status).or(self.start_time.0),
            Kind::Activity => {
                let parts = Self::within(self.routing_status).max(Self::within(self.presence));
                parts.max(self.date_active_queues_changed.0)
            }
            Kind::UserAdherence | Kind::UnitAdherence | Kind::TeamAdherence => {
                let change = self.adherence_change_time.0;
                change
                    .or(self.time_of_adherence_change.0)
                    .max(self.presence_update_time.0)
            }
            Kind::DetailEvent | Kind::Transcription | Kind::Other => self.event_time.0,
            Kind::UserConversations
            | Kind::QueueConversations
            | Kind::QueueMembers
            | Kind::QueueObservations
            | Kind::QueueAggregates => None,
        }
    }

    fn user(self) -> Option<String> {
        id_of(self.user).or(self.user_id).or(self.id)
    }
}

/// What a body says of its event.
#[derive(Default)]
struct Facts {
    time: Option<WallTime>,
    dated: bool,
    key: Option<String>,
    tracked: Option<Tracked>,
}

/// Fills in what the body says of an event that has its topic and bytes. A time that is already
/// there stays.
pub(in super::super) fn complete(mut event: ProviderEvent) -> ProviderEvent {
    let topic = parse(&event.topic);
    let members = event.spans.get(1..).unwrap_or_default();
    let Ok(body) = super::Body::of(&event, members).read::<Body<'_>>() else {
        return event;
    };
    let facts = facts(&topic, body);
    event.family = topic.kind.family();
    event.dated = facts.dated;
    event.key = facts.key.or(event.key);
    event.tracked = facts.tracked.or(event.tracked);
    event.time = event.time.or(facts.time);
    event
}

fn facts(topic: &Topic<'_>, body: Body<'_>) -> Facts {
    let time = body.time(topic.kind);
    // The dates of adherence are those of the state: something else may change and change back
    // without moving them.
    let moves = !matches!(
        topic.kind,
        Kind::UserAdherence | Kind::UnitAdherence | Kind::TeamAdherence
    );
    let facts = Facts {
        time,
        dated: time.is_some() && moves,
        ..Facts::default()
    };
    match topic.kind {
        Kind::QueueMembers => {
            let queue = topic.id;
            let joined = body.joined;
            let Some((user, stands)) = body.user().zip(joined) else {
                return facts;
            };
            Facts {
                key: Some(format!("{queue}/{user}")),
                tracked: Some(Tracked {
                    scope: format!("queues/{queue}"),
                    key: user,
                    stands,
                }),
                ..facts
            }
        }
        Kind::UserAdherence | Kind::UnitAdherence | Kind::TeamAdherence => {
            let key = match topic.kind {
                Kind::UserAdherence => Some(topic.id.to_owned()),
                _ => id_of(body.user),
            };
            Facts { key, ..facts }
        }
        Kind::UserConversations | Kind::QueueConversations => {
            let key = body.id.or(body.conversation_id);
            Facts { key, ..facts }
        }
        Kind::QueueObservations | Kind::QueueAggregates => {
            let group = body.group.unwrap_or_default();
            let queue = group.queue_id.unwrap_or_else(|| topic.id.to_owned());
            let media = group.media_type.unwrap_or_default().to_ascii_lowercase();
            let key = Some(format!("{queue}/{media}"));
            Facts { key, ..facts }
        }
        Kind::Presence
        | Kind::RoutingStatus
        | Kind::Activity
        | Kind::DetailEvent
        | Kind::Transcription
        | Kind::Other => facts,
    }
}

/// Each utterance of a transcript as an event of its own, with its own bytes: the platform sends
/// them in groups.
pub(in super::super) fn utterances(name: &str, body: &str, frame: &Bytes) -> Vec<ProviderEvent> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Message<'a> {
        #[serde(default)]
        session_start_time_ms: Moment,
        #[serde(borrow, default)]
        transcripts: Option<Vec<&'a RawValue>>,
    }
    let Ok(message) = serde_json::from_str::<Message<'_>>(body) else {
        return Vec::new();
    };
    let transcripts = message.transcripts.unwrap_or_default();
    if transcripts.len() > MOST_UTTERANCES {
        return Vec::new();
    }
    let events = transcripts.into_iter().map(|transcript| {
        let raw = slice(frame, transcript);
        let offset = super::transcript::offset(&raw);
        let begun = message.session_start_time_ms.0.zip(offset);
        ProviderEvent {
            topic: name.to_owned(),
            family: Kind::Transcription.family(),
            time: begun.map(|(start, offset)| start.plus(offset)),
            identity: Some(raw.clone()),
            raw,
            ..ProviderEvent::default()
        }
    });
    events.collect()
}
