//! How conversations begin and go from step to step, and what that makes of agents. Pure.

use std::sync::Arc;
use std::time::Duration;

use super::change::InvalidChange;
use super::conversation::{Conversation, Scene};
use super::step::{PRESENT, unknown};
use super::timeline::Timeline;
use super::words::{Media, RoutingState, Stage, SystemPresence};
use super::{Draft, World, identifier};
use crate::domain::WallTime;

impl World {
    pub(super) fn start(
        &mut self,
        queue: usize,
        media: Media,
        at: WallTime,
        drafts: &mut Vec<Draft>,
    ) -> Arc<str> {
        let id = identifier(&self.rng);
        let scene = Scene::queued(self.fresh(), self.fresh(), at);
        let address = match media {
            Media::Voice | Media::Callback => format!("tel:+1555{:07}", self.rng.below(10_000_000)),
            _ => format!("guest{}@example.invalid", self.rng.below(100_000)),
        };
        self.make_room();
        self.conversations.push_back(Conversation {
            id: Arc::clone(&id),
            media,
            queue,
            address,
            line: Timeline::new(at, Arc::new(scene), self.size.history),
        });
        if let Some(conversation) = self.conversations.back() {
            self.tell_conversation(conversation, drafts);
            let scene = conversation.present();
            drafts.push(self.detail(conversation, "customer.start", &scene.customer, at));
            drafts.push(self.detail(conversation, "acd.start", &scene.acd, at));
        }
        self.touch(queue);
        id
    }

    /// Forgets the conversation that ended first, where there are too many.
    fn make_room(&mut self) {
        if self.conversations.len() >= self.size.conversations {
            let over = self.conversations.iter().position(|c| !c.is_open());
            self.conversations.remove(over.unwrap_or(0));
        }
    }

    pub(super) fn advance(
        &mut self,
        id: &str,
        to: Option<Stage>,
        user: Option<usize>,
        at: WallTime,
        drafts: &mut Vec<Draft>,
    ) -> Result<(), InvalidChange> {
        let unknown = || unknown("conversation", id);
        let index = self.conversations.iter().position(|c| *c.id == *id);
        let index = index.ok_or_else(unknown)?;
        let known = self.conversations.get(index).ok_or_else(unknown)?;
        let (was, queue) = (Arc::clone(known.present()), known.queue);
        let to = to.unwrap_or_else(|| next_stage(was.stage));
        let alerted = match to {
            Stage::Alerting => {
                let user = user.or_else(|| self.idle_member(queue));
                let nobody = || InvalidChange::NobodyIdle { id: id.to_owned() };
                Some((user.ok_or_else(nobody)?, self.fresh()))
            }
            _ => None,
        };
        // Its steps have times of their own, and so has what is told of them.
        let at = at.max(known.line.present().0.plus(Duration::from_millis(1)));
        let next = was
            .step(to, alerted, at)
            .map_err(|impossible| InvalidChange::NoStep {
                id: id.to_owned(),
                from: impossible.from,
                to: impossible.to,
            })?;
        let next = Arc::new(next);
        if let Some(conversation) = self.conversations.get_mut(index) {
            conversation.line.push(at, Arc::clone(&next));
        }
        if let Some(conversation) = self.conversations.get(index) {
            self.tell_conversation(conversation, drafts);
            self.tell_details(conversation, (&was, &next), at, drafts);
        }
        self.occupy(&was, &next, at, drafts);
        self.touch(queue);
        Ok(())
    }

    /// Agents are interacting while they have a conversation, until the notes are written.
    fn occupy(&mut self, was: &Scene, next: &Scene, at: WallTime, drafts: &mut Vec<Draft>) {
        let agent = next.agents.last().and_then(|agent| agent.user);
        let status = match (was.stage, next.stage) {
            (Stage::Alerting, Stage::Connected) => RoutingState::Interacting,
            (Stage::Alerting, Stage::Queued) => RoutingState::NotResponding,
            (Stage::Connected | Stage::WrapUp, Stage::Ended) => RoutingState::Idle,
            _ => return,
        };
        let Some(user) = agent else {
            return;
        };
        let on_queue = self
            .users
            .get(user)
            .is_some_and(|user| user.presence.present().1 == SystemPresence::OnQueue);
        let status = match status {
            RoutingState::Idle if !on_queue => RoutingState::OffQueue,
            status => status,
        };
        self.set_routing(user, status, at, drafts);
        self.tell_activity(user, drafts);
    }

    /// Somebody on queue who takes conversations of this queue and has none.
    pub(super) fn idle_member(&self, queue: usize) -> Option<usize> {
        let ringing: Vec<_> = self
            .conversations
            .iter()
            .filter_map(|c| c.present().agent()?.user)
            .collect();
        let mut members = self.queues.get(queue)?.members_at(PRESENT);
        members
            .find(|(user, joined)| {
                let status = self.routing_at(*user, PRESENT).1;
                *joined && status == RoutingState::Idle && !ringing.contains(user)
            })
            .map(|(user, _)| user)
    }
}

const fn next_stage(from: Stage) -> Stage {
    match from {
        Stage::Queued => Stage::Alerting,
        Stage::Alerting => Stage::Connected,
        Stage::Connected => Stage::WrapUp,
        Stage::WrapUp | Stage::Ended => Stage::Ended,
    }
}
