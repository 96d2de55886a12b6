//! What happens by itself: customers come, agents take them, write notes, take breaks. Pure.

use super::change::Change;
use super::step::PRESENT;
use super::words::{Activity, Media, RoutingState, Stage, SystemPresence};
use super::{Membership, World};

const UTTERANCES: [&str; 4] = [
    "How can I help you?",
    "It is about my last invoice.",
    "Let me look that up.",
    "Thank you, that is all.",
];

impl World {
    /// What happens next. There is always something that can.
    pub(crate) fn invent(&self) -> Option<Change> {
        let open = self.conversations.iter().filter(|c| c.is_open()).count();
        let crowded = open >= self.users.len().max(4) * 3 / 2;
        match self.rng.below(20) {
            0..=4 if !crowded => self.customer(),
            0..=12 => self.progress().or_else(|| self.mood()),
            13..=16 => self.mood(),
            17 => self.membership_toggle(),
            18 => self.schedule(),
            _ => self.speech().or_else(|| self.mood()),
        }
    }

    fn pick<'a, T>(&self, mut from: impl ExactSizeIterator<Item = &'a T>) -> Option<&'a T> {
        let at = self.rng.below(from.len() as u64);
        from.nth(usize::try_from(at).unwrap_or_default())
    }

    fn customer(&self) -> Option<Change> {
        let media = match self.rng.below(10) {
            0..=5 => Media::Voice,
            6 => Media::Callback,
            7 => Media::Chat,
            8 => Media::Email,
            _ => Media::Message,
        };
        let queue = self.pick(self.queues.iter())?.id.to_string();
        Some(Change::StartConversation { queue, media })
    }

    /// Some conversation takes its next step.
    fn progress(&self) -> Option<Change> {
        let open: Vec<_> = self.conversations.iter().filter(|c| c.is_open()).collect();
        let conversation = *self.pick(open.iter())?;
        let advance = |to| Change::AdvanceConversation {
            conversation: conversation.id.to_string(),
            to: Some(to),
            user: None,
        };
        Some(match conversation.present().stage {
            Stage::Queued => match self.idle_member(conversation.queue) {
                Some(_) => advance(Stage::Alerting),
                // The customer gives up.
                None if self.rng.below(5) == 0 => advance(Stage::Ended),
                None => return None,
            },
            Stage::Alerting if self.rng.below(10) == 0 => advance(Stage::Queued),
            Stage::Alerting => advance(Stage::Connected),
            Stage::Connected => advance(Stage::WrapUp),
            Stage::WrapUp | Stage::Ended => advance(Stage::Ended),
        })
    }

    /// An agent who has no conversation goes on or off queue.
    fn mood(&self) -> Option<Change> {
        let index = usize::try_from(self.rng.below(self.users.len() as u64)).unwrap_or_default();
        let agent = self.users.get(index)?;
        let user = agent.id.to_string();
        let status = self.routing_at(index, PRESENT).1;
        if status == RoutingState::NotResponding {
            let status = RoutingState::Idle;
            return Some(Change::RoutingStatus { user, status });
        }
        let presence = match agent.presence.present().1 {
            SystemPresence::OnQueue if status == RoutingState::Interacting => {
                SystemPresence::OnQueue
            }
            SystemPresence::OnQueue => match self.rng.below(6) {
                0 => SystemPresence::Break,
                1 => SystemPresence::Meal,
                2 => SystemPresence::Meeting,
                3 => SystemPresence::Training,
                4 => SystemPresence::Away,
                _ => SystemPresence::Available,
            },
            _ => SystemPresence::OnQueue,
        };
        Some(Change::Presence { user, presence })
    }

    fn membership_toggle(&self) -> Option<Change> {
        let queue = self.pick(self.queues.iter())?;
        let (user, _) = self.pick_member(queue)?;
        let joined = queue.membership(user) != Membership::Joined;
        Some(Change::Membership {
            queue: queue.id.to_string(),
            user: self.user_id(user).to_owned(),
            joined,
        })
    }

    fn pick_member(&self, queue: &super::Queue) -> Option<(usize, bool)> {
        let members: Vec<_> = queue.members_at(PRESENT).collect();
        self.pick(members.iter()).copied()
    }

    fn schedule(&self) -> Option<Change> {
        let user = self.pick(self.users.iter())?.id.to_string();
        let scheduled = match self.rng.below(4) {
            0 => Activity::Break,
            1 => Activity::Meal,
            _ => Activity::OnQueueWork,
        };
        let scheduled = Some(scheduled);
        let state = None;
        Some(Change::Adherence {
            user,
            scheduled,
            state,
        })
    }

    fn speech(&self) -> Option<Change> {
        let talking: Vec<_> = self
            .conversations
            .iter()
            .filter(|c| c.media == Media::Voice && c.present().stage == Stage::Connected)
            .collect();
        let conversation = self.pick(talking.iter())?.id.to_string();
        let text = (*self.pick(UTTERANCES.iter())?).to_owned();
        Some(Change::Utterance { conversation, text })
    }
}
