//! Contact events: a call, voicemail, work item or digital contact as it stands with the agent.

use super::{CONVERSATION, Normal, is_one_of};
use crate::connectors::cxone_agent::wire::Fields;
use crate::proto::v1::event::Data;
use crate::proto::v1::participant::Role;
use crate::proto::v1::{ConversationEvent, Direction, Media, Participant, Phase};

const CALL: &str = "CallContactEvent";
const VOICE_MAIL: &str = "VoiceMailContactEvent";
const WORK_ITEM: &str = "WorkItemContactEvent";
const DIGITAL: &str = "DigitalContactEvent";

/// Offered or being reached; a callback's own word for it is `CallBackDisconnected`, for the
/// customer is not connected yet.
const ALERTING: [&str; 9] = [
    "Incoming",
    "Ringing",
    "Inviting",
    "Dialing",
    "Preview",
    "CallBackDisconnected",
    "NaturalCallDialing",
    "NaturalCallRinging",
    "NaturalCallAMD",
];
const CONNECTED: [&str; 3] = ["Active", "Joined", "Masking"];
const HELD: [&str; 2] = ["Holding", "Hold"];
const ENDED: [&str; 4] = ["Discarded", "Refused", "Ended", "Closed"];

/// Whether events of this type are about a contact.
pub(in super::super) fn is_contact(topic: &str) -> bool {
    [CALL, VOICE_MAIL, WORK_ITEM, DIGITAL].contains(&topic)
}

/// Whether the contact stands after this event; `None` where a snapshot does not list contacts of
/// its kind. A digital contact lives on outside the agent session once it is accepted, so the
/// platform's own client does not look for it in a snapshot either.
pub(in super::super) fn stands(topic: &str, fields: &Fields<'_>) -> Option<bool> {
    (topic != DIGITAL).then(|| phase(fields) != Phase::Ended)
}

/// A call that is torn down still counts as handled while the agent does the work after it; its
/// final state says when that is over.
fn phase(fields: &Fields<'_>) -> Phase {
    let status = fields.text("Status").unwrap_or_default();
    let open = fields.flag("FinalState") == Some(false);
    match status.as_ref() {
        s if is_one_of(s, &ALERTING) => Phase::Alerting,
        s if is_one_of(s, &["Waiting"]) => Phase::Queued,
        s if is_one_of(s, &CONNECTED) => Phase::Connected,
        s if is_one_of(s, &HELD) => Phase::Held,
        s if is_one_of(s, &["Disconnected"]) && open => Phase::WrapUp,
        s if is_one_of(s, &["Disconnected"]) || is_one_of(s, &ENDED) => Phase::Ended,
        _ => Phase::Unspecified,
    }
}

pub(super) fn normal(
    topic: &str,
    fields: &Fields<'_>,
    agent: Option<&str>,
) -> Result<Normal, String> {
    let contact = fields.text("ContactID").ok_or("no contact id")?;
    fields.text("Status").ok_or("no contact status")?;
    let phase = phase(fields);
    let direction = match fields.flag("IsInbound") {
        Some(true) => Direction::Inbound,
        Some(false) => Direction::Outbound,
        None => Direction::Unspecified,
    };
    let skill = fields.text("SkillId");
    let skill = skill.or_else(|| fields.text("Skill"));
    let skill = skill.or_else(|| fields.text("SkillName"));
    let ended = (phase == Phase::Ended).then(|| fields.time("LastStateChangeTimeUTC"));
    Ok(conversation(ConversationEvent {
        conversation_id: contact.into_owned(),
        media: media(topic, fields).into(),
        direction: direction.into(),
        phase: phase.into(),
        participants: participants(fields, direction, phase, agent),
        queue_id: skill.unwrap_or_default().into_owned(),
        start_time: fields.time("StartTimeUTC").map(|t| t.to_proto()),
        end_time: ended.flatten().map(|t| t.to_proto()),
        snapshot: true,
    }))
}

/// A contact that a snapshot left out: it has ended, nobody saw when.
pub(super) fn departed(contact: &str, agent: Option<&str>) -> Normal {
    conversation(ConversationEvent {
        conversation_id: contact.to_owned(),
        phase: Phase::Ended.into(),
        participants: agent
            .map(|id| of_agent(id, Phase::Ended))
            .into_iter()
            .collect(),
        snapshot: false,
        ..ConversationEvent::default()
    })
}

fn conversation(event: ConversationEvent) -> Normal {
    Normal {
        kind: CONVERSATION,
        subject: format!("conversations/{}", event.conversation_id),
        data: Data::ConversationEvent(event),
    }
}

/// The customer stands at the far end of the line: the caller of an inbound call, the called of an
/// outbound one. A voicemail says it in other words.
fn participants(
    fields: &Fields<'_>,
    direction: Direction,
    phase: Phase,
    agent: Option<&str>,
) -> Vec<Participant> {
    let address = match direction {
        Direction::Inbound => fields.text("ANI").or_else(|| fields.text("From")),
        Direction::Outbound => fields.text("DNIS").or_else(|| fields.text("To")),
        Direction::Unspecified => None,
    };
    let reason = fields.text("DisconnectCode");
    let customer = (address.is_some() || reason.is_some()).then(|| Participant {
        role: Role::Customer.into(),
        address: address.unwrap_or_default().into_owned(),
        disconnect_reason: reason.unwrap_or_default().into_owned(),
        ..Participant::default()
    });
    let own = fields.text("AgentId");
    let agent = own.as_deref().or(agent).map(|id| of_agent(id, phase));
    customer.into_iter().chain(agent).collect()
}

fn of_agent(id: &str, phase: Phase) -> Participant {
    Participant {
        role: Role::Agent.into(),
        agent_id: id.to_owned(),
        phase: phase.into(),
        ..Participant::default()
    }
}

fn media(topic: &str, fields: &Fields<'_>) -> Media {
    let channel = fields.text("ChannelType").unwrap_or_default();
    match (topic, channel.as_ref()) {
        (CALL | VOICE_MAIL, _) => Media::Voice,
        (WORK_ITEM, _) => Media::WorkItem,
        (_, c) if is_one_of(c, &["Email"]) => Media::Email,
        (_, c) if is_one_of(c, &["Chat", "LiveChat"]) => Media::Chat,
        (_, c) if is_one_of(c, &["SMS", "Messaging", "WhatsApp", "AppleMessages"]) => {
            Media::Message
        }
        (_, c)
            if is_one_of(
                c,
                &["Facebook", "Instagram", "Twitter", "LinkedIn", "YouTube"],
            ) =>
        {
            Media::Social
        }
        _ => Media::Unspecified,
    }
}
