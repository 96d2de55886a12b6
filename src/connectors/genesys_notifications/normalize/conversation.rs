//! Conversations as a whole: events of queues and users, and the record of the conversation.

use serde::Deserialize;

use super::lenient::{Moment, Reference, id_of, word};
use super::{Body, Normal, body};
use crate::connectors::genesys_notifications::topics::{Kind, Topic};
use crate::domain::WallTime;
use crate::proto::v1;
use crate::proto::v1::event::Data;
use crate::proto::v1::participant::Role;
use crate::proto::v1::{Direction, Media, Phase};

pub(super) const CONVERSATION: &str = "ccaas.conversation.updated.v1";

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Conversation {
    id: Option<String>,
    start_time: Moment,
    end_time: Moment,
    participants: Option<Vec<Part>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Part {
    id: Option<String>,
    purpose: Option<String>,
    user_id: Option<String>,
    user: Option<Reference>,
    queue_id: Option<String>,
    queue: Option<Reference>,
    start_time: Moment,
    connected_time: Moment,
    end_time: Moment,
    address: Option<String>,
    start_acw_time: Moment,
    end_acw_time: Moment,
    wrapup_required: Option<bool>,
    wrapup: Option<Wrapup>,
    calls: Option<Vec<Leg>>,
    callbacks: Option<Vec<Leg>>,
    chats: Option<Vec<Leg>>,
    emails: Option<Vec<Leg>>,
    messages: Option<Vec<Leg>>,
    social_expressions: Option<Vec<Leg>>,
    videos: Option<Vec<Leg>>,
    workitems: Option<Vec<Leg>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Wrapup {
    code: Option<String>,
}

/// One medium of one participant.
#[derive(Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase", default)]
struct Leg {
    state: Option<String>,
    direction: Option<String>,
    held: Option<bool>,
    disconnect_type: Option<String>,
    connected_time: Moment,
    disconnected_time: Moment,
    after_call_work: Option<AfterCallWork>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase", default)]
struct AfterCallWork {
    state: Option<String>,
}

/// A participant read: its normal form, its media, and the way its leg went.
struct Read {
    normal: v1::Participant,
    role: Role,
    phase: Phase,
    media: Media,
    direction: Direction,
    start: Option<WallTime>,
    end: Option<WallTime>,
}

pub(super) fn conversation(topic: &Topic<'_>, json: Body<'_>) -> Result<Option<Normal>, String> {
    let read: Conversation = body(json)?;
    let conversation_id = read.id.filter(|id| !id.is_empty());
    let conversation_id = conversation_id.ok_or("no conversation id")?;
    let parts = read.participants.unwrap_or_default();
    let parts: Vec<Read> = parts.into_iter().map(Part::read).collect();
    let begun = parts.iter().filter_map(|p| p.start).min();
    let phase = match read.end_time.0 {
        Some(_) if parts.iter().all(|p| p.phase != Phase::WrapUp) => Phase::Ended,
        _ => of_all(&parts),
    };
    let last = parts.iter().filter_map(|p| p.end).max();
    let ended = matches!(phase, Phase::Ended | Phase::WrapUp);
    let end = read.end_time.0.or(last.filter(|_| ended));
    Ok(Some(Normal {
        kind: CONVERSATION,
        subject: format!("conversations/{conversation_id}"),
        data: Data::ConversationEvent(v1::ConversationEvent {
            conversation_id,
            media: media_of(&parts).into(),
            direction: direction_of(&parts).into(),
            phase: phase.into(),
            queue_id: queue_of(topic, &parts),
            start_time: read.start_time.0.or(begun).map(WallTime::to_proto),
            end_time: end.map(WallTime::to_proto),
            participants: parts.into_iter().map(|p| p.normal).collect(),
            snapshot: true,
        }),
    }))
}

impl Part {
    fn read(self) -> Read {
        let role = role(&self.purpose.as_deref().map(word).unwrap_or_default());
        // A callback rides on a call, so the rarer medium names what it is.
        let media = [
            (self.callbacks, Media::Callback),
            (self.messages, Media::Message),
            (self.emails, Media::Email),
            (self.chats, Media::Chat),
            (self.social_expressions, Media::Social),
            (self.videos, Media::Video),
            (self.workitems, Media::WorkItem),
            (self.calls, Media::Voice),
        ];
        let mut legs = media
            .into_iter()
            .filter_map(|(legs, media)| Some((legs?.pop()?, media)));
        let (leg, media) = legs.next().unwrap_or_default();
        let work = leg.after_call_work.as_ref();
        // Whoever it rang at in vain has no notes to write, whatever the queue requires of them.
        let answered = self.connected_time.0.or(leg.connected_time.0).is_some();
        let wraps_up = match (work, self.start_acw_time.0) {
            _ if role != Role::Agent => false,
            (Some(work), _) => work.is_going_on(),
            (None, Some(_)) => self.end_acw_time.0.is_none(),
            (None, None) => answered && self.wrapup_required == Some(true) && self.wrapup.is_none(),
        };
        let end = self.end_time.0.or(leg.disconnected_time.0);
        let phase = leg.phase(role, end.is_some(), wraps_up);
        let start = self.start_time.0.or(self.connected_time.0);
        let start = start.or(leg.connected_time.0);
        let direction = direction(&leg.direction.unwrap_or_default());
        let normal = v1::Participant {
            participant_id: self.id.unwrap_or_default(),
            role: role.into(),
            agent_id: self.user_id.or(id_of(self.user)).unwrap_or_default(),
            queue_id: self.queue_id.or(id_of(self.queue)).unwrap_or_default(),
            phase: phase.into(),
            address: self.address.unwrap_or_default(),
            start_time: start.map(WallTime::to_proto),
            end_time: end.map(WallTime::to_proto),
            disconnect_reason: leg.disconnect_type.unwrap_or_default(),
            wrap_up_code: self.wrapup.and_then(|w| w.code).unwrap_or_default(),
        };
        Read {
            normal,
            role,
            phase,
            media,
            direction,
            start,
            end,
        }
    }
}

impl AfterCallWork {
    fn is_going_on(&self) -> bool {
        let state = self.state.as_deref().map(word).unwrap_or_default();
        matches!(state.as_str(), "PENDING" | "IN_PROGRESS")
    }
}

impl Leg {
    fn phase(&self, role: Role, ended: bool, wraps_up: bool) -> Phase {
        let state = self.state.as_deref().map(word).unwrap_or_default();
        let over = ended || matches!(state.as_str(), "DISCONNECTED" | "TERMINATED");
        match (state.as_str(), role) {
            _ if over && wraps_up => Phase::WrapUp,
            _ if over => Phase::Ended,
            ("ALERTING" | "DIALING" | "CONTACTING" | "OFFERING" | "SCHEDULED", _) => {
                Phase::Alerting
            }
            ("CONNECTED" | "TRANSMITTING", Role::Queue) => Phase::Queued,
            ("CONNECTED" | "TRANSMITTING", Role::Bot) => Phase::SelfService,
            ("CONNECTED" | "TRANSMITTING", _) if self.held == Some(true) => Phase::Held,
            ("CONNECTED" | "TRANSMITTING", _) => Phase::Connected,
            _ => Phase::Unspecified,
        }
    }
}

/// Where the whole stands: by what an agent does, else by what waits, else by what is left.
fn of_all(parts: &[Read]) -> Phase {
    let agents = || parts.iter().filter(|p| p.role == Role::Agent);
    for phase in [Phase::Connected, Phase::Held, Phase::Alerting] {
        if agents().any(|p| p.phase == phase) {
            return phase;
        }
    }
    for phase in [Phase::Queued, Phase::SelfService] {
        if parts.iter().any(|p| p.phase == phase) {
            return phase;
        }
    }
    if agents().any(|p| p.phase == Phase::WrapUp) {
        return Phase::WrapUp;
    }
    if !parts.is_empty() && parts.iter().all(|p| p.phase == Phase::Ended) {
        return Phase::Ended;
    }
    for phase in [Phase::Alerting, Phase::Held, Phase::Connected] {
        if parts.iter().any(|p| p.phase == phase) {
            return phase;
        }
    }
    Phase::Unspecified
}

fn media_of(parts: &[Read]) -> Media {
    let mut media = parts.iter().map(|p| p.media);
    // One callback makes all of it one, whoever's leg is an ordinary call.
    if media.clone().any(|m| m == Media::Callback) {
        return Media::Callback;
    }
    let known = media.find(|m| *m != Media::Unspecified);
    known.unwrap_or_default()
}

/// The customer's way is the conversation's; an agent's leg goes the other way.
fn direction_of(parts: &[Read]) -> Direction {
    let customers = parts.iter().filter(|p| p.role == Role::Customer);
    let known = customers.chain(parts).map(|p| p.direction);
    let mut known = known.filter(|d| *d != Direction::Unspecified);
    known.next().unwrap_or_default()
}

/// The last queue it was in; the topic's own where no participant names one.
fn queue_of(topic: &Topic<'_>, parts: &[Read]) -> String {
    let mut queues = parts.iter().rev().map(|p| &p.normal.queue_id);
    match queues.find(|id| !id.is_empty()) {
        Some(id) => id.clone(),
        None if topic.kind == Kind::QueueConversations => topic.id.to_owned(),
        None => String::new(),
    }
}

/// By the word in its capital form.
pub(super) fn role(purpose: &str) -> Role {
    match purpose {
        "CUSTOMER" => Role::Customer,
        "AGENT" | "USER" => Role::Agent,
        "ACD" => Role::Queue,
        "IVR" | "BOT" | "BOTFLOW" | "WORKFLOW" | "DIALER" | "VOICEMAIL" => Role::Bot,
        "EXTERNAL" => Role::External,
        "MONITOR" | "COACH" | "SUPERVISOR" => Role::Supervisor,
        _ => Role::Unspecified,
    }
}

pub(super) fn media(text: &str) -> Media {
    match text.to_ascii_lowercase().as_str() {
        "voice" | "call" => Media::Voice,
        "callback" => Media::Callback,
        "chat" | "webchat" => Media::Chat,
        "email" => Media::Email,
        "message" => Media::Message,
        "social" | "socialexpression" => Media::Social,
        "video" => Media::Video,
        "workitem" => Media::WorkItem,
        _ => Media::Unspecified,
    }
}

pub(super) fn direction(text: &str) -> Direction {
    match text.to_ascii_lowercase().as_str() {
        "inbound" => Direction::Inbound,
        "outbound" => Direction::Outbound,
        _ => Direction::Unspecified,
    }
}
