//! [`WorldState`]: the contact centre as it stands, for whoever folds its events and compares.

use std::collections::BTreeMap;

use serde::Serialize;

use super::World;
use super::people::Membership;
use super::timeline::iso;
use super::words::{Activity, AdherenceState, Media, RoutingState, Stage, SystemPresence};

/// What stands at this moment, without lag. Keys are ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorldState {
    /// Agents.
    pub users: BTreeMap<String, UserState>,
    /// Queues.
    pub queues: BTreeMap<String, QueueState>,
    /// Conversations, ended ones as long as they are kept.
    pub conversations: BTreeMap<String, ConversationState>,
    /// Management units: id to the ids of their agents.
    pub management_units: BTreeMap<String, Vec<String>>,
    /// Teams: id to the ids of their agents.
    pub teams: BTreeMap<String, Vec<String>>,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserState {
    /// Their name.
    pub name: String,
    /// What they say of themselves.
    pub presence: SystemPresence,
    /// Since when, as it stands in events.
    pub presence_since: String,
    /// What they do for queues.
    pub routing_status: RoutingState,
    /// Since when, as it stands in events.
    pub routing_status_since: String,
    /// What they should do.
    pub scheduled: Activity,
    /// How that fits.
    pub adherence: AdherenceState,
    /// Since when, as it stands in events.
    pub adherence_since: String,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueState {
    /// Its name.
    pub name: String,
    /// Its members, by id, and whether they take conversations.
    pub members: BTreeMap<String, bool>,
    /// Conversations that wait, by medium.
    pub waiting: BTreeMap<Media, u64>,
    /// Conversations held with agents, by medium.
    pub interacting: BTreeMap<Media, u64>,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConversationState {
    /// How it is held.
    pub media: Media,
    /// Id of its queue.
    pub queue: String,
    /// How far it has come.
    pub stage: Stage,
    /// Id of the agent it rings at or who has it.
    pub agent: Option<String>,
}

impl World {
    pub(crate) fn state(&self) -> WorldState {
        let users = self.users.iter().map(|user| {
            let (presence_since, presence) = *user.presence.present();
            let (routing_since, routing_status) = *user.routing.present();
            let adherence = user.adherence.present().1;
            let state = UserState {
                name: user.name.clone(),
                presence,
                presence_since: iso(presence_since),
                routing_status,
                routing_status_since: iso(routing_since),
                scheduled: adherence.scheduled,
                adherence: adherence.state,
                adherence_since: iso(adherence.since),
            };
            (user.id.to_string(), state)
        });
        let conversations = self.conversations.iter().map(|conversation| {
            let scene = conversation.present();
            let state = ConversationState {
                media: conversation.media,
                queue: self.queue_id(conversation.queue).to_string(),
                stage: scene.stage,
                agent: scene
                    .agent()
                    .and_then(|party| Some(self.user_id(party.user?).to_string())),
            };
            (conversation.id.to_string(), state)
        });
        WorldState {
            users: users.collect(),
            queues: self.queue_states(),
            conversations: conversations.collect(),
            management_units: self.people_by(|unit| unit.id.to_string()),
            teams: self.people_by(|unit| unit.team.to_string()),
        }
    }

    fn queue_states(&self) -> BTreeMap<String, QueueState> {
        let states = self.queues.iter().enumerate().map(|(index, queue)| {
            let members = queue.members.keys().filter_map(|&user| {
                let membership = queue.membership(user);
                let joined = membership == Membership::Joined;
                (membership != Membership::Absent).then(|| (self.user_id(user).to_string(), joined))
            });
            let (mut waiting, mut interacting) = (BTreeMap::new(), BTreeMap::new());
            for conversation in self.conversations.iter().filter(|c| c.queue == index) {
                let counted = match conversation.present().stage {
                    Stage::Queued => &mut waiting,
                    Stage::Connected => &mut interacting,
                    _ => continue,
                };
                *counted.entry(conversation.media).or_default() += 1;
            }
            let state = QueueState {
                name: queue.name.clone(),
                members: members.collect(),
                waiting,
                interacting,
            };
            (queue.id.to_string(), state)
        });
        states.collect()
    }

    fn people_by(
        &self,
        key: impl Fn(&super::people::Unit) -> String,
    ) -> BTreeMap<String, Vec<String>> {
        let units = self.units.iter().enumerate().map(|(index, unit)| {
            let people = self.users.iter().filter(|user| user.unit == index);
            (key(unit), people.map(|user| user.id.to_string()).collect())
        });
        units.collect()
    }
}
