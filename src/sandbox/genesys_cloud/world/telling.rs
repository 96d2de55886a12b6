//! How conversations are told: whole, by medium, step by step, and word by word. Pure.

use serde_json::{Value, json};

use super::change::InvalidChange;
use super::conversation::{Conversation, Party, Scene};
use super::step::unknown;
use super::timeline::iso;
use super::words::{Media, Stage};
use super::{Draft, World, identifier};
use crate::domain::WallTime;
use crate::sandbox::genesys_cloud::fields::set;

/// Who reads a conversation: the API shows some dates that events leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    InEvent,
    ByApi,
}

fn date(at: Option<WallTime>) -> Option<Value> {
    at.map(|at| iso(at).into())
}

impl World {
    /// A conversation as events and the conversations API have it: all of it.
    pub(crate) fn conversation_body(
        &self,
        conversation: &Conversation,
        scene: &Scene,
        shown: Shown,
    ) -> Value {
        let participants: Vec<_> = scene
            .parties()
            .map(|party| self.participant(conversation, scene, party, shown))
            .collect();
        json!({
            "id": &*conversation.id,
            "address": conversation.address,
            "maxParticipants": participants.len(),
            "participants": participants,
            "recentTransfers": [],
            "recordingState": "NONE",
            "divisions": [],
        })
    }

    fn participant(
        &self,
        conversation: &Conversation,
        scene: &Scene,
        party: &Party,
        shown: Shown,
    ) -> Value {
        let purpose = purpose(scene, party);
        let mut body = json!({
            "id": &*party.id,
            "purpose": purpose,
            "queueId": self.queue_id(conversation.queue),
            "wrapupRequired": purpose == "agent",
            "attributes": {},
            conversation.media.plural(): [communication(conversation, scene, party, shown)],
        });
        let start = Some(party.started).filter(|_| shown == Shown::ByApi);
        let address = (purpose == "customer").then(|| conversation.address.clone().into());
        set(
            &mut body,
            [
                ("startTime", date(start)),
                ("userId", party.user.map(|user| self.user_id(user).into())),
                ("connectedTime", date(party.connected)),
                ("endTime", date(party.ended())),
                ("startAcwTime", date(party.acw_start)),
                ("endAcwTime", date(party.acw_end)),
                ("address", address),
            ],
        );
        body
    }

    /// A conversation as the topic of its medium has it: one communication for each participant.
    fn media_body(&self, conversation: &Conversation, scene: &Scene) -> Value {
        let participants: Vec<_> = scene
            .parties()
            .map(|party| self.media_participant(conversation, scene, party))
            .collect();
        json!({
            "id": &*conversation.id,
            "address": conversation.address,
            "participants": participants,
            "otherMediaUris": [],
            "divisions": [],
        })
    }

    fn media_participant(
        &self,
        conversation: &Conversation,
        scene: &Scene,
        party: &Party,
    ) -> Value {
        let purpose = purpose(scene, party);
        let queue = self.queue_id(conversation.queue);
        let mut body = json!({
            "id": &*party.id,
            "purpose": purpose,
            "state": state(party),
            "initialState": initial_state(party),
            "direction": "inbound",
            "held": false,
            "startTime": iso(party.started),
            "wrapupRequired": purpose == "agent",
            "queue": { "id": queue },
            "attributes": {},
            "provider": provider(conversation.media),
        });
        let user = party.user.map(|user| json!({ "id": self.user_id(user) }));
        let peer = party.user.map(|_| (*scene.customer.session).into());
        let how = party.disconnected.map(|_| party.disconnect.into());
        set(
            &mut body,
            [
                ("user", user),
                ("peer", peer),
                ("disconnectType", how),
                ("connectedTime", date(party.connected)),
                ("endTime", date(party.disconnected)),
                ("startAcwTime", date(party.acw_start)),
                ("endAcwTime", date(party.acw_end)),
            ],
        );
        body
    }

    /// The whole conversation, and it by its medium, to its queue and to every agent who was in it.
    pub(super) fn tell_conversation(&self, conversation: &Conversation, drafts: &mut Vec<Draft>) {
        let scene = conversation.present();
        let body = self.conversation_body(conversation, scene, Shown::InEvent);
        let of_media = self.media_body(conversation, scene);
        let queue = self.queue_id(conversation.queue);
        let mut roots = vec![format!("v2.routing.queues.{queue}.conversations")];
        for agent in scene.agents.iter().filter_map(|agent| agent.user) {
            let root = format!("v2.users.{}.conversations", self.user_id(agent));
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        for root in roots {
            let leaf = format!("{root}.{}", conversation.media.plural());
            drafts.push(Draft::new(root, &body));
            drafts.push(Draft::new(leaf, &of_media));
        }
    }

    /// The steps that lie between two scenes.
    pub(super) fn tell_details(
        &self,
        conversation: &Conversation,
        (was, next): (&Scene, &Scene),
        at: WallTime,
        drafts: &mut Vec<Draft>,
    ) {
        let mut tell = |kind, party| drafts.push(self.detail(conversation, kind, party, at));
        if was.acd.disconnected.is_none() && next.acd.disconnected.is_some() {
            tell("acd.end", &next.acd);
        }
        for (place, agent) in next.agents.iter().enumerate() {
            let known = was.agents.get(place);
            if known.is_none() {
                tell("user.start", agent);
            }
            if agent.disconnected.is_some() && known.is_none_or(|a| a.disconnected.is_none()) {
                tell("user.end", agent);
            }
            if agent.acw_end.is_some() && known.is_none_or(|a| a.acw_end.is_none()) {
                tell("acw", agent);
            }
        }
        if was.customer.disconnected.is_none() && next.customer.disconnected.is_some() {
            tell("customer.end", &next.customer);
        }
    }

    /// A detail event: a step of one conversation, with its time in milliseconds.
    pub(super) fn detail(
        &self,
        conversation: &Conversation,
        kind: &str,
        party: &Party,
        at: WallTime,
    ) -> Draft {
        let mut body = json!({
            "eventTime": at.as_millis(),
            "conversationId": &*conversation.id,
            "participantId": &*party.id,
            "sessionId": &*party.session,
            "mediaType": conversation.media.word().to_uppercase(),
            "direction": "INBOUND",
            "provider": provider(conversation.media),
        });
        let address = match conversation.media {
            Media::Voice | Media::Callback => "ani",
            _ => "addressFrom",
        };
        let since = |from: Option<WallTime>, to: Option<WallTime>| {
            let length = to?.since(from?).as_millis();
            u64::try_from(length).ok().map(Value::from)
        };
        let scene = conversation.present();
        let answered = scene
            .agents
            .last()
            .filter(|_| scene.stage == Stage::Connected);
        let answered = answered.and_then(|agent| agent.user);
        let of_acd = kind == "acd.end";
        let outcome = if answered.is_some() {
            "ANSWERED"
        } else {
            "ABANDON"
        };
        let queue = (!kind.starts_with("customer")).then(|| self.queue_id(conversation.queue));
        let how = kind
            .ends_with(".end")
            .then(|| party.disconnect.to_uppercase());
        set(
            &mut body,
            [
                (address, Some(conversation.address.clone().into())),
                ("queueId", queue.map(Value::from)),
                ("userId", party.user.map(|user| self.user_id(user).into())),
                ("disconnectType", how.map(Value::from)),
                ("acdOutcome", of_acd.then(|| outcome.into())),
                (
                    "answeredUserId",
                    answered
                        .filter(|_| of_acd)
                        .map(|user| self.user_id(user).into()),
                ),
                (
                    "wrapupDurationMs",
                    since(party.acw_start, party.acw_end).filter(|_| kind == "acw"),
                ),
                (
                    "interactingDurationMs",
                    since(party.connected, party.disconnected)
                        .filter(|_| kind == "user.end" || kind == "customer.end"),
                ),
            ],
        );
        let id = &conversation.id;
        Draft::new(format!("v2.detail.events.conversation.{id}.{kind}"), &body).dated()
    }

    /// What somebody says.
    pub(super) fn utterance(
        &self,
        id: &str,
        text: &str,
        at: WallTime,
    ) -> Result<Draft, InvalidChange> {
        let conversation = self
            .find_conversation(id)
            .ok_or_else(|| unknown("conversation", id))?;
        let started = conversation.started();
        let offset = u64::try_from(at.since(started).as_millis()).unwrap_or_default();
        let channel = match self.rng.below(2) {
            0 => "EXTERNAL",
            _ => "INTERNAL",
        };
        let body = json!({
            "eventTime": iso(at),
            "organizationId": &*self.organization,
            "conversationId": id,
            "communicationId": &*conversation.present().customer.session,
            "sessionStartTimeMs": started.as_millis(),
            "transcriptionStartTimeMs": started.as_millis(),
            "transcripts": [{
                "utteranceId": &*identifier(&self.rng),
                "isFinal": true,
                "channel": channel,
                "engineProvider": "GENESYS",
                "dialect": "en-US",
                "alternatives": [{
                    "confidence": 0.93, "offsetMs": offset, "durationMs": 1_500,
                    "transcript": text,
                }],
            }],
        });
        let topic = format!("v2.conversations.{id}.transcription");
        Ok(Draft::new(topic, &body).dated())
    }
}

/// A call, chat, e-mail, message or callback of a participant.
fn communication(conversation: &Conversation, scene: &Scene, party: &Party, shown: Shown) -> Value {
    let mut body = json!({
        "id": &*party.session,
        "state": state(party),
        "initialState": initial_state(party),
        "direction": "inbound",
        "held": false,
        "provider": provider(conversation.media),
        "afterCallWorkRequired": party.user.is_some(),
    });
    let alerting = party.user.map(|_| party.started);
    let notes = party.acw_start.map(|start| {
        let state = match party.acw_end {
            Some(_) => "complete",
            None => "pending",
        };
        let mut notes = json!({ "state": state, "startTime": iso(start) });
        set(&mut notes, [("endTime", date(party.acw_end))]);
        notes
    });
    let how = party.disconnected.map(|_| party.disconnect.into());
    let peer = party.user.map(|_| (*scene.customer.session).into());
    set(
        &mut body,
        [
            (
                "startAlertingTime",
                date(alerting.filter(|_| shown == Shown::ByApi)),
            ),
            ("segments", (shown == Shown::ByApi).then(|| json!([]))),
            ("connectedTime", date(party.connected)),
            ("disconnectedTime", date(party.disconnected)),
            ("disconnectType", how),
            ("peerId", peer),
            ("afterCallWork", notes),
        ],
    );
    body
}

const fn state(party: &Party) -> &'static str {
    match (party.connected, party.disconnected) {
        (_, Some(_)) => "disconnected",
        (Some(_), None) => "connected",
        (None, None) => "alerting",
    }
}

const fn initial_state(party: &Party) -> &'static str {
    match party.user {
        Some(_) => "alerting",
        None => "connected",
    }
}

/// What a participant is in a conversation.
pub(crate) fn purpose(scene: &Scene, party: &Party) -> &'static str {
    match party.user {
        Some(_) => "agent",
        None if party.id == scene.acd.id => "acd",
        None => "customer",
    }
}

const fn provider(media: Media) -> &'static str {
    match media {
        Media::Voice | Media::Callback => "Edge",
        Media::Chat => "PureCloud Webchat v2",
        Media::Email => "PureCloud Email",
        Media::Message => "PureCloud Messaging",
    }
}
