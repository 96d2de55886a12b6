//! Adherence: an event's body is flat, the REST record nested and names the time otherwise (4.3).

use serde::Deserialize;

use super::lenient::{Moment, Reference, id_of, word};
use super::{Body, Normal, body, required};
use crate::connectors::genesys_notifications::topics::{Kind, Topic};
use crate::domain::WallTime;
use crate::proto::v1;
use crate::proto::v1::adherence_event::State;
use crate::proto::v1::event::Data;

const ADHERENCE: &str = "ccaas.adherence.changed.v1";

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Adherence {
    user: Option<Reference>,
    management_unit_id: Option<String>,
    management_unit: Option<Reference>,
    team: Option<Reference>,
    scheduled_activity_category: Option<String>,
    actual_activity_category: Option<String>,
    adherence_state: Option<String>,
    impact: Option<String>,
    adherence_change_time: Moment,
    time_of_adherence_change: Moment,
}

pub(super) fn adherence(topic: &Topic<'_>, json: Body<'_>) -> Result<Option<Normal>, String> {
    let read: Adherence = body(json)?;
    let user = id_of(read.user);
    let agent_id = match topic.kind {
        Kind::UserAdherence => required(user, topic, "agent id")?,
        _ => user.ok_or("no agent id")?,
    };
    let unit = read.management_unit_id.or(id_of(read.management_unit));
    let state = read.adherence_state.unwrap_or_default();
    let since = read.adherence_change_time.0;
    let since = since.or(read.time_of_adherence_change.0);
    Ok(Some(Normal {
        kind: ADHERENCE,
        subject: format!("agents/{agent_id}"),
        data: Data::AdherenceEvent(v1::AdherenceEvent {
            agent_id,
            state: state_of(&state).into(),
            scheduled_activity: read.scheduled_activity_category.unwrap_or_default(),
            actual_activity: read.actual_activity_category.unwrap_or_default(),
            impact: read.impact.unwrap_or_default(),
            management_unit_id: unit.unwrap_or_default(),
            team_id: id_of(read.team).unwrap_or_default(),
            start_time: since.map(WallTime::to_proto),
        }),
    }))
}

fn state_of(text: &str) -> State {
    match word(text).as_str() {
        "IN_ADHERENCE" => State::InAdherence,
        "OUT_OF_ADHERENCE" => State::OutOfAdherence,
        "UNSCHEDULED" => State::Unscheduled,
        "UNKNOWN" => State::Unknown,
        "IGNORED" => State::Ignored,
        "EXPLAINED" => State::Explained,
        _ => State::Unspecified,
    }
}
