//! `AgentState`: what the agent does, and since when.

use super::{AGENT_STATE, Normal, is_one_of};
use crate::connectors::cxone_agent::wire::Fields;
use crate::proto::v1::AgentStateEvent;
use crate::proto::v1::agent_state_event::Availability;
use crate::proto::v1::event::Data;

/// With a contact, or between its offer and its beginning.
const BUSY: [&str; 14] = [
    "InboundContact",
    "OutboundContact",
    "InboundConsult",
    "OutboundConsult",
    "InboundPending",
    "OutboundPending",
    "CallbackPending",
    "PromisePending",
    "Consult",
    "Conference",
    "Dialer",
    "DialerPending",
    "Preview",
    "Working",
];

/// The event does not say whose state it is: that is the session's agent.
pub(super) fn normal(fields: &Fields<'_>, agent: Option<&str>) -> Result<Normal, String> {
    let own = fields.text("AgentId");
    let agent_id = own.as_deref().or(agent).ok_or("no agent id")?.to_owned();
    let state = fields.text("CurrentState").ok_or("no agent state")?;
    let availability = availability(&state, fields.flag("IsAcw") == Some(true));
    let reason = fields.text("CurrentOutReason").unwrap_or_default();
    Ok(Normal {
        kind: AGENT_STATE,
        subject: format!("agents/{agent_id}"),
        data: Data::AgentStateEvent(AgentStateEvent {
            agent_id,
            availability: availability.into(),
            provider_state: state.into_owned(),
            provider_reason: reason.into_owned(),
            start_time: fields.time("StartTimeUTC").map(|t| t.to_proto()),
            queue_ids: Vec::new(),
        }),
    })
}

/// After-contact work is a kind of being unavailable, told by a flag.
fn availability(state: &str, after_contact: bool) -> Availability {
    match state {
        s if is_one_of(s, &["Available"]) => Availability::Available,
        s if is_one_of(s, &["Unavailable"]) && after_contact => Availability::AfterContactWork,
        s if is_one_of(s, &["Unavailable", "LoggedIn"]) => Availability::Away,
        s if is_one_of(s, &["LoggedOut", "LoggedOff"]) => Availability::Offline,
        s if is_one_of(s, &["Refused"]) => Availability::NotResponding,
        s if is_one_of(s, &BUSY) => Availability::Busy,
        _ => Availability::Unspecified,
    }
}
