//! [`World`]: a small contact centre that lives, with its past. Pure: the same seed and the same
//! changes tell the same story.

mod bodies;
mod change;
mod conversation;
mod handling;
mod observe;
mod people;
mod step;
mod story;
mod telling;
mod timeline;
mod view;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use change::{Change, Changed, InvalidChange};
pub(crate) use conversation::{Conversation, Party, Scene};
pub(crate) use observe::{Group, Observation, group_body, metric};
pub(crate) use people::{Adherence, Membership, Queue, Unit, User};
pub(crate) use step::PRESENT;
pub(crate) use telling::{Shown, purpose};
pub(crate) use timeline::{Spell, Timeline, iso};
pub use view::{ConversationState, QueueState, UserState, WorldState};
pub use words::{Activity, AdherenceState, Media, RoutingState, Stage, SystemPresence};

use crate::domain::WallTime;
use crate::runtime::{MonoTime, Rng};

/// How large the contact centre is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) users: usize,
    pub(crate) queues: usize,
    pub(crate) units: usize,
    /// Conversations kept, ended ones included.
    pub(crate) conversations: usize,
    /// Changes of one thing that are kept.
    pub(crate) history: usize,
    /// A queue's observations are published no more often.
    pub(crate) observation_interval: Duration,
}

/// A small contact centre.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) organization: Arc<str>,
    pub(crate) users: Vec<User>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) units: Vec<Unit>,
    pub(crate) conversations: VecDeque<Conversation>,
    pub(crate) began: WallTime,
    /// Ids of the presences of the organization.
    presences: BTreeMap<SystemPresence, Arc<str>>,
    size: Size,
    rng: Rng,
    /// Queues whose observations changed and are not published.
    touched: BTreeSet<usize>,
    published: BTreeMap<usize, MonoTime>,
    last_seen: BTreeMap<(usize, Group), Observation>,
}

/// An event that is due: what it is about, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) topic: Arc<str>,
    pub(crate) body: String,
    /// The body carries a date that moves with every change.
    pub(crate) dated: bool,
}

impl World {
    /// A centre in which most agents are on queue.
    pub(crate) fn new(size: Size, rng: Rng, began: WallTime) -> Self {
        let units = (1..=size.units.max(1))
            .map(|place| Unit {
                id: identifier(&rng),
                name: format!("Unit {place}"),
                business_unit: identifier(&rng),
                team: identifier(&rng),
            })
            .collect::<Vec<_>>();
        let users: Vec<_> = (0..size.users)
            .map(|place| first_user(place, place % units.len(), size, &rng, began))
            .collect();
        let queues = (0..size.queues)
            .map(|place| first_queue(place, &users, size, &rng, began))
            .collect();
        let presences = SystemPresence::ALL
            .into_iter()
            .map(|presence| (presence, identifier(&rng)))
            .collect();
        Self {
            organization: identifier(&rng),
            users,
            queues,
            units,
            conversations: VecDeque::new(),
            began,
            presences,
            size,
            rng,
            touched: BTreeSet::new(),
            published: BTreeMap::new(),
            last_seen: BTreeMap::new(),
        }
    }

    pub(crate) fn presence_id(&self, presence: SystemPresence) -> &str {
        self.presences.get(&presence).map_or("", |id| id)
    }

    pub(crate) fn user_id(&self, index: usize) -> &str {
        self.users.get(index).map_or("", |user| &user.id)
    }

    pub(crate) fn queue_id(&self, index: usize) -> &str {
        self.queues.get(index).map_or("", |queue| &queue.id)
    }

    pub(crate) fn find_user(&self, id: &str) -> Option<usize> {
        self.users.iter().position(|user| *user.id == *id)
    }

    pub(crate) fn find_queue(&self, id: &str) -> Option<usize> {
        self.queues.iter().position(|queue| *queue.id == *id)
    }

    pub(crate) fn find_conversation(&self, id: &str) -> Option<&Conversation> {
        self.conversations.iter().find(|c| *c.id == *id)
    }

    /// Queues that somebody takes conversations of, at a time.
    pub(crate) fn active_queues(
        &self,
        user: usize,
        time: WallTime,
    ) -> impl Iterator<Item = &Queue> {
        self.queues.iter().filter(move |queue| {
            let line = queue.members.get(&user);
            line.is_some_and(|line| line.at(time).1 == Membership::Joined)
        })
    }

    /// When somebody last joined or left a queue, seen from a time.
    pub(crate) fn queues_changed(&self, user: usize, time: WallTime) -> WallTime {
        let lines = self
            .queues
            .iter()
            .filter_map(|queue| queue.members.get(&user));
        lines
            .map(|line| line.at(time).0)
            .max()
            .unwrap_or(self.began)
    }

    fn fresh(&self) -> conversation::Fresh {
        conversation::Fresh {
            id: identifier(&self.rng),
            session: identifier(&self.rng),
        }
    }
}

fn first_user(place: usize, unit: usize, size: Size, rng: &Rng, began: WallTime) -> User {
    let presence = match place % 4 {
        3 => SystemPresence::Available,
        _ => SystemPresence::OnQueue,
    };
    let routing = match presence {
        SystemPresence::OnQueue => RoutingState::Idle,
        _ => RoutingState::OffQueue,
    };
    let scheduled = Activity::OnQueueWork;
    let adherence = Adherence {
        scheduled,
        state: Adherence::judged(scheduled, presence),
        since: began,
    };
    let number = place + 1;
    User {
        id: identifier(rng),
        name: format!("Agent {number:02}"),
        email: format!("agent{number:02}@sandbox.invalid"),
        unit,
        presence: Timeline::new(began, presence, size.history),
        routing: Timeline::new(began, routing, size.history),
        adherence: Timeline::new(began, adherence, size.history),
    }
}

/// Each agent is a member of two queues, one of them not joined now and then.
fn first_queue(place: usize, users: &[User], size: Size, rng: &Rng, began: WallTime) -> Queue {
    const NAMES: [&str; 6] = ["Support", "Sales", "Billing", "Returns", "Orders", "Claims"];
    let members = users.iter().enumerate().filter_map(|(index, _)| {
        let (first, second) = (index % size.queues, (index + 1) % size.queues);
        let membership = match place {
            _ if place == first => Membership::Joined,
            _ if place == second && index % 5 == 0 => Membership::Inactive,
            _ if place == second => Membership::Joined,
            _ => return None,
        };
        Some((index, Timeline::new(began, membership, size.history)))
    });
    let name = NAMES.get(place % NAMES.len()).copied().unwrap_or_default();
    Queue {
        id: identifier(rng),
        name: match place / NAMES.len() {
            0 => name.to_owned(),
            round => format!("{name} {}", round + 1),
        },
        members: members.collect(),
    }
}

/// A UUID as the platform gives them.
pub(crate) fn identifier(rng: &Rng) -> Arc<str> {
    let (high, low) = (rng.bits(), rng.bits());
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0x0fff);
    let (d, e) = (0x8000 | (low >> 48) & 0x3fff, low & 0xffff_ffff_ffff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}").into()
}

#[cfg(test)]
mod tests;
