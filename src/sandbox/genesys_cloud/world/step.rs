//! How a change takes place: what becomes of the state, and which events tell it. Pure.

use std::sync::Arc;

use serde_json::{Value, json};

use super::change::{Change, InvalidChange};
use super::people::{Adherence, Membership};
use super::timeline::{Timeline, whole};
use super::words::{RoutingState, Stage, SystemPresence};
use super::{Draft, World};
use crate::domain::WallTime;

/// Later than everything: what stands at that time stands now.
pub(crate) const PRESENT: WallTime = WallTime::from_nanos(u64::MAX);
const LARGEST_BODY: usize = 1 << 20;

/// What came of a change: the events that tell it, and the conversation that was started.
type Told = (Vec<Draft>, Option<Arc<str>>);

impl World {
    /// Lets something happen.
    pub(crate) fn apply(&mut self, change: &Change, at: WallTime) -> Result<Told, InvalidChange> {
        let at = whole(at);
        let mut drafts = Vec::new();
        let mut started = None;
        match change {
            Change::Presence { user, presence } => {
                let user = self.user(user)?;
                self.set_presence(user, *presence, at, &mut drafts);
            }
            Change::RoutingStatus { user, status } => {
                let user = self.user(user)?;
                self.set_routing(user, *status, at, &mut drafts);
                self.tell_activity(user, &mut drafts);
            }
            Change::Membership {
                queue,
                user,
                joined,
            } => {
                let (queue, user) = (self.queue(queue)?, self.user(user)?);
                let becomes = match joined {
                    true => Membership::Joined,
                    false => Membership::Inactive,
                };
                self.set_membership(queue, user, becomes, at, &mut drafts);
            }
            Change::RemoveMember { queue, user } => {
                let (queue, user) = (self.queue(queue)?, self.user(user)?);
                self.set_membership(queue, user, Membership::Absent, at, &mut drafts);
            }
            Change::Adherence {
                user,
                scheduled,
                state,
            } => {
                let user = self.user(user)?;
                self.set_adherence(user, (*scheduled, *state), at);
                self.tell_adherence(user, &mut drafts);
            }
            Change::StartConversation { queue, media } => {
                let queue = self.queue(queue)?;
                started = Some(self.start(queue, *media, at, &mut drafts));
            }
            Change::AdvanceConversation {
                conversation,
                to,
                user,
            } => {
                let user = user.as_deref().map(|id| self.user(id)).transpose()?;
                self.advance(conversation, *to, user, at, &mut drafts)?;
            }
            Change::EndConversation { conversation } => {
                self.advance(conversation, Some(Stage::Ended), None, at, &mut drafts)?;
            }
            Change::Utterance { conversation, text } => {
                drafts.push(self.utterance(conversation, text, at)?);
            }
            Change::Raw { topic, body } => drafts.push(raw(topic, body)?),
        }
        Ok((drafts, started))
    }

    fn user(&self, id: &str) -> Result<usize, InvalidChange> {
        self.find_user(id).ok_or_else(|| unknown("user", id))
    }

    fn queue(&self, id: &str) -> Result<usize, InvalidChange> {
        self.find_queue(id).ok_or_else(|| unknown("queue", id))
    }

    fn set_presence(
        &mut self,
        user: usize,
        presence: SystemPresence,
        at: WallTime,
        drafts: &mut Vec<Draft>,
    ) {
        let Some(agent) = self.users.get_mut(user) else {
            return;
        };
        let was = agent.presence.present().1;
        agent.presence.push(at, presence);
        let routing = agent.routing.present().1;
        let topic = format!("v2.users.{}.presence", self.user_id(user));
        drafts.push(Draft::new(topic, &self.presence_body(user, PRESENT)).dated());
        let on_queue = |presence| presence == SystemPresence::OnQueue;
        match (on_queue(was), on_queue(presence)) {
            (false, true) => self.set_routing(user, RoutingState::Idle, at, drafts),
            (true, false) if routing != RoutingState::Interacting => {
                self.set_routing(user, RoutingState::OffQueue, at, drafts);
            }
            _ => {}
        }
        self.set_adherence(user, (None, None), at);
        self.tell_activity(user, drafts);
        self.touch_queues_of(user);
    }

    pub(super) fn set_routing(
        &mut self,
        user: usize,
        status: RoutingState,
        at: WallTime,
        drafts: &mut Vec<Draft>,
    ) {
        let Some(agent) = self.users.get_mut(user) else {
            return;
        };
        agent.routing.push(at, status);
        let id = self.user_id(user);
        let body = json!({ "id": id, "routingStatus": self.routing_body(user, PRESENT) });
        drafts.push(Draft::new(format!("v2.users.{id}.routingStatus"), &body).dated());
        self.touch_queues_of(user);
    }

    fn set_membership(
        &mut self,
        queue: usize,
        user: usize,
        becomes: Membership,
        at: WallTime,
        drafts: &mut Vec<Draft>,
    ) {
        let (began, history) = (self.began, self.size.history);
        let Some(of) = self.queues.get_mut(queue) else {
            return;
        };
        of.members
            .entry(user)
            .or_insert_with(|| Timeline::new(began, Membership::Absent, history))
            .push(at, becomes);
        let (queue_id, id) = (self.queue_id(queue), self.user_id(user));
        let body = json!({
            "id": id,
            "user": { "id": id },
            "queueId": queue_id,
            "joined": becomes == Membership::Joined,
        });
        drafts.push(Draft::new(
            format!("v2.routing.queues.{queue_id}.users"),
            &body,
        ));
        self.tell_activity(user, drafts);
        self.touch(queue);
    }

    fn set_adherence(
        &mut self,
        user: usize,
        (scheduled, state): (Option<super::Activity>, Option<super::AdherenceState>),
        at: WallTime,
    ) {
        let Some(agent) = self.users.get_mut(user) else {
            return;
        };
        let was = agent.adherence.present().1;
        let scheduled = scheduled.unwrap_or(was.scheduled);
        let judged = || Adherence::judged(scheduled, agent.presence.present().1);
        let state = state.unwrap_or_else(judged);
        if (scheduled, state) == (was.scheduled, was.state) {
            return;
        }
        let since = if state == was.state { was.since } else { at };
        agent.adherence.push(
            at,
            Adherence {
                scheduled,
                state,
                since,
            },
        );
    }

    pub(super) fn tell_activity(&self, user: usize, drafts: &mut Vec<Draft>) {
        let topic = format!("v2.users.{}.activity", self.user_id(user));
        drafts.push(Draft::new(topic, &self.activity_body(user, PRESENT)));
        self.tell_adherence(user, drafts);
    }

    /// Adherence is told of the user, of their management unit and of their team.
    fn tell_adherence(&self, user: usize, drafts: &mut Vec<Draft>) {
        let body = self.adherence_body(user, PRESENT);
        let unit = self
            .users
            .get(user)
            .and_then(|user| self.units.get(user.unit));
        let mut topics = vec![format!(
            "v2.users.{}.workforcemanagement.adherence",
            self.user_id(user)
        )];
        if let Some(unit) = unit {
            let root = "v2.workforcemanagement";
            topics.push(format!("{root}.managementunits.{}.adherence", unit.id));
            topics.push(format!("{root}.teams.{}.adherence", unit.team));
        }
        drafts.extend(topics.into_iter().map(|topic| Draft::new(topic, &body)));
    }
}

fn raw(topic: &str, body: &Value) -> Result<Draft, InvalidChange> {
    let draft = Draft::new(topic.to_owned(), body);
    let problem = match topic {
        "" => "a topic has a name",
        _ if topic.contains(['?', '&']) => "events come under individual topics",
        _ if draft.body.len() > LARGEST_BODY => "a body has at most 1 MiB",
        _ => return Ok(draft),
    };
    let topic = topic.to_owned();
    Err(InvalidChange::BadEvent { topic, problem })
}

pub(super) fn unknown(what: &'static str, id: &str) -> InvalidChange {
    let id = id.to_owned();
    InvalidChange::Unknown { what, id }
}
