//! What a queue looks like at a time, and when that is published: on change, and at most so often.
//! Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::timeline::iso;
use super::words::{Media, Stage};
use super::{Draft, World};
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// What observations of a queue are grouped by: nothing (its people), or a medium.
pub(crate) type Group = Option<Media>;

/// Metric and qualifier, and how many.
pub(crate) type Observation = BTreeMap<(&'static str, Option<&'static str>), u64>;

impl World {
    /// What a queue looked like at a time.
    pub(crate) fn observe(&self, queue: usize, time: WallTime) -> BTreeMap<Group, Observation> {
        let mut groups = BTreeMap::from([(None, self.people_of(queue, time))]);
        for media in Media::ALL {
            let counts = ["oWaiting", "oInteracting"].map(|metric| ((metric, None), 0));
            groups.insert(Some(media), Observation::from(counts));
        }
        for conversation in self.conversations.iter().filter(|c| c.queue == queue) {
            let metric = match conversation.at(time).map(|scene| scene.stage) {
                Some(Stage::Queued | Stage::Alerting) => "oWaiting",
                Some(Stage::Connected) => "oInteracting",
                _ => continue,
            };
            let group = groups.entry(Some(conversation.media)).or_default();
            *group.entry((metric, None)).or_default() += 1;
        }
        groups
    }

    fn people_of(&self, queue: usize, time: WallTime) -> Observation {
        let mut counts = Observation::new();
        let mut add = |metric, qualifier, by| *counts.entry((metric, qualifier)).or_default() += by;
        add("oOnQueueUsers", None, 0);
        add("oOffQueueUsers", None, 0);
        let members = self.queues.get(queue).into_iter();
        for (user, joined) in members.flat_map(|queue| queue.members_at(time)) {
            let Some(agent) = self.users.get(user) else {
                continue;
            };
            let status = agent.routing.at(time).1;
            let on = joined && status != super::RoutingState::OffQueue;
            add("oMemberUsers", None, 1);
            add(
                if on {
                    "oOnQueueUsers"
                } else {
                    "oOffQueueUsers"
                },
                None,
                1,
            );
            add("oUserRoutingStatuses", Some(status.upper()), 1);
            add("oUserPresences", Some(agent.presence.at(time).1.upper()), 1);
        }
        counts
    }

    /// The observations of this queue may have changed.
    pub(super) fn touch(&mut self, queue: usize) {
        self.touched.insert(queue);
    }

    /// The observations of every queue of a user may have changed.
    pub(super) fn touch_queues_of(&mut self, user: usize) {
        let of_user = self.queues.iter().enumerate();
        let touched: Vec<_> = of_user
            .filter(|(_, queue)| queue.members.contains_key(&user))
            .map(|(index, _)| index)
            .collect();
        self.touched.extend(touched);
    }

    /// When observations are due that were held back.
    pub(crate) fn next_publication(&self) -> Option<MonoTime> {
        let due = |queue| {
            let last = self.published.get(queue).copied();
            last.map(|last| last + self.size.observation_interval)
        };
        self.touched.iter().filter_map(due).min()
    }

    /// Observations that changed and are due: each group whose numbers moved.
    pub(crate) fn publish(&mut self, now: MonoTime, wall: WallTime) -> Vec<Draft> {
        let interval = self.size.observation_interval;
        let due: Vec<_> = self
            .touched
            .iter()
            .copied()
            .filter(|queue| {
                let last = self.published.get(queue);
                last.is_none_or(|last| *last + interval <= now)
            })
            .collect();
        let mut drafts = Vec::new();
        for queue in due {
            self.touched.remove(&queue);
            for (group, seen) in self.observe(queue, wall) {
                let before = self.last_seen.get(&(queue, group));
                let nothing_yet = before.is_none() && seen.values().all(|count| *count == 0);
                if before == Some(&seen) || nothing_yet {
                    continue;
                }
                drafts.push(self.observation(queue, group, &seen, wall));
                self.last_seen.insert((queue, group), seen);
                self.published.insert(queue, now);
            }
        }
        drafts
    }

    fn observation(&self, queue: usize, group: Group, seen: &Observation, at: WallTime) -> Draft {
        let id = self.queue_id(queue);
        let from = iso(at.minus(self.size.observation_interval));
        let metrics: Vec<_> = seen.iter().map(metric).collect();
        let body = json!({
            "group": group_body(id, group),
            "data": [{ "interval": format!("{from}/{}", iso(at)), "metrics": metrics }],
        });
        Draft::new(format!("v2.analytics.queues.{id}.observations"), &body)
    }
}

/// What a group of observations is called.
pub(crate) fn group_body(queue: &str, group: Group) -> Value {
    match group {
        Some(media) => json!({ "queueId": queue, "mediaType": media.word() }),
        None => json!({ "queueId": queue }),
    }
}

/// One number of an observation.
pub(crate) fn metric(
    ((metric, qualifier), count): (&(&'static str, Option<&'static str>), &u64),
) -> Value {
    let mut body = json!({ "metric": metric, "stats": { "count": count } });
    if let (Some(qualifier), Some(body)) = (qualifier, body.as_object_mut()) {
        body.insert("qualifier".to_owned(), (*qualifier).into());
    }
    body
}
