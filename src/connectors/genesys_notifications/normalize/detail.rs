//! Detail events: single changes to a conversation.

use serde::Deserialize;

use super::conversation::{direction, media, role};
use super::lenient::{Moment, word};
use super::{Body, Normal, body, required};
use crate::connectors::genesys_notifications::topics::Topic;
use crate::domain::WallTime;
use crate::proto::v1;
use crate::proto::v1::Phase;
use crate::proto::v1::event::Data;
use crate::proto::v1::participant::Role;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Detail {
    event_time: Moment,
    conversation_id: Option<String>,
    participant_id: Option<String>,
    media_type: Option<String>,
    direction: Option<String>,
    purpose: Option<String>,
    user_id: Option<String>,
    queue_id: Option<String>,
    disconnect_type: Option<String>,
    wrapup_code: Option<String>,
    wrap_up_code: Option<String>,
    address_from: Option<String>,
    ani: Option<String>,
}

/// Whose part the event is about, where that part stands after it, and whether it ends it.
fn part(event: &str) -> (Role, Phase) {
    match event {
        "acd.start" => (Role::Queue, Phase::Queued),
        "acd.end" => (Role::Queue, Phase::Ended),
        "customer.start" => (Role::Customer, Phase::Connected),
        "customer.end" => (Role::Customer, Phase::Ended),
        // A user's part begins when it is offered, so its start does not say that it is answered.
        "user.start" => (Role::Agent, Phase::Unspecified),
        "user.end" => (Role::Agent, Phase::Ended),
        "acw" => (Role::Agent, Phase::WrapUp),
        "wrapup" => (Role::Agent, Phase::Unspecified),
        "flow.start" => (Role::Bot, Phase::SelfService),
        "flow.end" => (Role::Bot, Phase::Ended),
        "flow.outcome" => (Role::Bot, Phase::Unspecified),
        _ => (Role::Unspecified, Phase::Unspecified),
    }
}

pub(super) fn detail(topic: &Topic<'_>, json: Body<'_>) -> Result<Option<Normal>, String> {
    let read: Detail = body(json)?;
    let conversation_id = required(read.conversation_id, topic, "conversation id")?;
    let (known, phase) = part(&topic.rest.to_ascii_lowercase());
    let purpose = read.purpose.as_deref().map(word).unwrap_or_default();
    let role = match known {
        Role::Unspecified => role(&purpose),
        known => known,
    };
    let at = read.event_time.0.map(WallTime::to_proto);
    let starts = topic.rest.to_ascii_lowercase().ends_with(".start");
    let participant = v1::Participant {
        participant_id: read.participant_id.unwrap_or_default(),
        role: role.into(),
        agent_id: read.user_id.unwrap_or_default(),
        queue_id: read.queue_id.clone().unwrap_or_default(),
        phase: phase.into(),
        address: read.address_from.or(read.ani).unwrap_or_default(),
        start_time: at.filter(|_| starts),
        end_time: at.filter(|_| phase == Phase::Ended),
        disconnect_reason: read.disconnect_type.unwrap_or_default(),
        wrap_up_code: read.wrapup_code.or(read.wrap_up_code).unwrap_or_default(),
    };
    // One part that ends is not the end of the conversation.
    let of_all = match phase {
        Phase::Queued | Phase::SelfService | Phase::WrapUp => phase,
        _ => Phase::Unspecified,
    };
    let named = !participant.participant_id.is_empty();
    Ok(Some(Normal {
        kind: super::conversation::CONVERSATION,
        subject: format!("conversations/{conversation_id}"),
        data: Data::ConversationEvent(v1::ConversationEvent {
            conversation_id,
            media: media(&read.media_type.unwrap_or_default()).into(),
            direction: direction(&read.direction.unwrap_or_default()).into(),
            phase: of_all.into(),
            participants: named.then_some(participant).into_iter().collect(),
            queue_id: read.queue_id.unwrap_or_default(),
            start_time: None,
            end_time: None,
            snapshot: false,
        }),
    }))
}
