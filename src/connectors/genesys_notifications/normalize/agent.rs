//! Agent states: presence, routing status and both together.

use serde::Deserialize;

use super::lenient::{Moment, word};
use super::{Body, Normal, body, required};
use crate::connectors::genesys_notifications::topics::Topic;
use crate::domain::WallTime;
use crate::proto::v1;
use crate::proto::v1::agent_state_event::Availability;
use crate::proto::v1::event::Data;

const AGENT_STATE: &str = "ccaas.agent.state_changed.v1";

/// An event's body and the record of the bulk query; the last three fields are the timeline's.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Presence {
    presence_definition: Option<Definition>,
    modified_date: Moment,
    system_presence: Option<String>,
    organization_presence_id: Option<String>,
    start_time: Moment,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Definition {
    id: Option<String>,
    system_presence: Option<String>,
}

/// Nested in events and user records, a word in timelines.
#[derive(Deserialize)]
#[serde(untagged)]
enum Routing {
    Word(String),
    #[serde(rename_all = "camelCase")]
    Status {
        status: Option<String>,
        #[serde(default)]
        start_time: Moment,
    },
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RoutingStatus {
    routing_status: Option<Routing>,
    start_time: Moment,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Activity {
    routing_status: Option<Routing>,
    presence: Option<Presence>,
    active_queue_ids: Option<Vec<String>>,
}

struct State {
    availability: Availability,
    word: String,
    reason: String,
    since: Option<WallTime>,
    queues: Vec<String>,
}

impl Presence {
    /// State, reason, since.
    fn read(self) -> Option<(String, String, Option<WallTime>)> {
        let definition = self.presence_definition.unwrap_or_default();
        let state = definition.system_presence.or(self.system_presence)?;
        let reason = definition.id.or(self.organization_presence_id);
        let since = self.modified_date.0.or(self.start_time.0);
        Some((state, reason.unwrap_or_default(), since))
    }
}

impl Routing {
    fn read(self, start: Moment) -> Option<(String, Option<WallTime>)> {
        match self {
            Self::Word(word) => Some((word, start.0)),
            Self::Status { status, start_time } => Some((status?, start_time.0.or(start.0))),
        }
    }
}

pub(super) fn presence(topic: &Topic<'_>, json: Body<'_>) -> Result<Option<Normal>, String> {
    let read: Presence = body(json)?;
    let (state, reason, since) = read.read().ok_or("no system presence")?;
    agent(
        topic,
        State {
            availability: of_presence(&state),
            word: state,
            reason,
            since,
            queues: Vec::new(),
        },
    )
}

pub(super) fn routing_status(topic: &Topic<'_>, json: Body<'_>) -> Result<Option<Normal>, String> {
    let read: RoutingStatus = body(json)?;
    let status = read.routing_status.and_then(|r| r.read(read.start_time));
    let (status, since) = status.ok_or("no routing status")?;
    agent(
        topic,
        State {
            availability: of_routing(&status),
            word: status,
            reason: String::new(),
            since,
            queues: Vec::new(),
        },
    )
}

/// Presence and routing status together: work at hand counts most, then whether work is wanted.
pub(super) fn activity(topic: &Topic<'_>, json: Body<'_>) -> Result<Option<Normal>, String> {
    let read: Activity = body(json)?;
    let presence = read.presence.and_then(Presence::read);
    let routing = read.routing_status.and_then(|r| r.read(Moment(None)));
    let of_work = routing.as_ref().map(|(status, _)| of_routing(status));
    let of_person = presence.as_ref().map(|(state, ..)| of_presence(state));
    let availability = match (of_work, of_person) {
        (Some(work @ (Availability::Busy | Availability::NotResponding)), _) => work,
        (_, Some(person @ (Availability::Offline | Availability::Away))) => person,
        (Some(work), _) if work != Availability::Unspecified => work,
        (_, person) => person.unwrap_or_default(),
    };
    let since = [
        presence.as_ref().and_then(|(.., since)| *since),
        routing.as_ref().and_then(|(_, since)| *since),
    ];
    let (word, reason) = match (presence, routing) {
        (Some((state, ..)), Some((status, _))) => (state, status),
        (Some((state, reason, _)), None) => (state, reason),
        (None, Some((status, _))) => (status, String::new()),
        (None, None) => return Err("neither presence nor routing status".to_owned()),
    };
    agent(
        topic,
        State {
            availability,
            word,
            reason,
            since: since.into_iter().flatten().max(),
            queues: read.active_queue_ids.unwrap_or_default(),
        },
    )
}

fn agent(topic: &Topic<'_>, state: State) -> Result<Option<Normal>, String> {
    let agent_id = required(None, topic, "agent id")?;
    Ok(Some(Normal {
        kind: AGENT_STATE,
        subject: format!("agents/{agent_id}"),
        data: Data::AgentStateEvent(v1::AgentStateEvent {
            agent_id,
            availability: state.availability.into(),
            provider_state: state.word,
            provider_reason: state.reason,
            start_time: state.since.map(WallTime::to_proto),
            queue_ids: state.queues,
        }),
    }))
}

fn of_presence(state: &str) -> Availability {
    match word(state).as_str() {
        "OFFLINE" => Availability::Offline,
        "ON_QUEUE" => Availability::Available,
        "AVAILABLE" | "AWAY" | "BREAK" | "MEAL" | "MEETING" | "TRAINING" | "BUSY" | "IDLE" => {
            Availability::Away
        }
        _ => Availability::Unspecified,
    }
}

fn of_routing(status: &str) -> Availability {
    match word(status).as_str() {
        "OFF_QUEUE" => Availability::Away,
        "IDLE" => Availability::Available,
        "INTERACTING" | "COMMUNICATING" => Availability::Busy,
        "NOT_RESPONDING" => Availability::NotResponding,
        _ => Availability::Unspecified,
    }
}
