//! What REST can say about a loss window, one file for each family (4.2). The platform replays
//! nothing, so each asks for a present state, and where a history exists, for that.

mod adherence;
mod agents;
mod conversations;
mod members;
mod observations;
mod presence;
mod routing_status;
mod timeline;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::connector::Shared;
use super::topics::{Kind, parse};
use crate::connectors::{LossWindow, Recoverer};
use crate::domain::WallTime;

/// The platform's clock and ours differ, and an event that it dated just before our window may not
/// have reached us: what it dates this much earlier still counts as missed.
const EARLY: Duration = Duration::from_secs(5);
/// Likewise at the other end, where events come live.
const LATE: Duration = Duration::from_secs(1);
/// More calls than this for one window would take all of the rate budget (3.1).
const MOST_CALLS: usize = 600;

/// A loss window on the platform's clock.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: WallTime,
    to: WallTime,
}

impl Span {
    fn of(window: &LossWindow) -> Self {
        Self {
            from: window.start.minus(EARLY),
            to: window.end.plus(LATE),
        }
    }

    /// Whether a state that holds since `since` held through all of it.
    fn is_after(&self, since: WallTime) -> bool {
        since < self.from
    }

    fn contains(&self, time: WallTime) -> bool {
        self.from <= time && time <= self.to
    }
}

/// The ids of a family's topics, with the topic that each stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    id: String,
    topic: String,
}

/// A chunk of a list; empty past its end.
fn chunk<T>(list: &[T], from: usize, size: usize) -> &[T] {
    let to = from.saturating_add(size).min(list.len());
    list.get(from..to).unwrap_or_default()
}

fn asked(shared: &Shared, kind: Kind) -> Vec<Asked> {
    let names = shared.names.sorted().into_iter();
    let topics = names.map(|name| (name, parse(name)));
    let mut known = HashMap::new();
    for (name, topic) in topics.filter(|(_, topic)| topic.kind == kind) {
        known
            .entry(topic.id.to_ascii_lowercase())
            .or_insert_with(|| Asked {
                id: topic.id.to_owned(),
                topic: name.to_owned(),
            });
    }
    let mut asked: Vec<Asked> = known.into_values().collect();
    asked.sort_by(|a, b| a.id.cmp(&b.id));
    asked
}

/// Who asks about the window of a family; `None` where REST has nothing to say.
pub(super) fn recoverer(
    shared: &Arc<Shared>,
    family: &str,
    window: &LossWindow,
) -> Option<Box<dyn Recoverer>> {
    let span = Span::of(window);
    let shared = Arc::clone(shared);
    let is = |kind: Kind| kind.family() == family;
    if is(Kind::Presence) {
        let users = asked(&shared, Kind::Presence);
        return presence::recoverer(shared, users, span);
    }
    if is(Kind::RoutingStatus) {
        let users = asked(&shared, Kind::RoutingStatus);
        return routing_status::recoverer(shared, users, span);
    }
    if is(Kind::QueueObservations) {
        let queues = asked(&shared, Kind::QueueObservations);
        return observations::Observations::begin(shared, queues);
    }
    if is(Kind::QueueMembers) {
        let queues = asked(&shared, Kind::QueueMembers);
        return members::Members::begin(shared, queues);
    }
    if is(Kind::UserAdherence) {
        return adherence::Adherence::begin(shared, span);
    }
    if is(Kind::UserConversations) {
        return conversations::Conversations::begin(shared, span);
    }
    None
}
