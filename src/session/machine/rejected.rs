//! Topics that the platform does not serve, and changes of what is subscribed to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::facts::Fact;
use super::ingest::Via;
use super::io::{Actions, At};
use super::{Machine, Next};
use crate::connectors::Connector;
use crate::proto::v1::session_event::Kind;

/// Rejections that are remembered, so that each is journaled once.
const MOST_TOLD: usize = 10_000;

/// What is subscribed to, as far as readers were told.
#[derive(Debug, Default)]
pub(super) struct Subscribed {
    /// The topics of the newest confirmed connection.
    pub(super) topics: Option<BTreeSet<String>>,
    /// What readers know of rejected topics.
    told: HashMap<String, String>,
}

impl Machine {
    pub(super) fn topic_rejected(&mut self, at: At, via: Via, topic: String, reason: String) {
        let attempt = match via {
            Via::Socket { generation, .. } => {
                let live = self
                    .live()
                    .is_some_and(|live| live.get(generation).is_some());
                self.socket_mut(generation).filter(|_| !live)
            }
            Via::Poll { .. } | Via::History => None,
        };
        match attempt {
            // Shown once it is the session's connection.
            Some(socket) => {
                socket.rejected.insert(topic.clone(), reason.clone());
            }
            None => self
                .standing
                .rejects(&BTreeMap::from([(topic.clone(), reason.clone())])),
        }
        let told = &mut self.subscribed.told;
        if told.get(&topic) == Some(&reason) {
            return;
        }
        if told.len() >= MOST_TOLD {
            told.clear();
        }
        told.insert(topic.clone(), reason.clone());
        let fact = Fact::new(Kind::SubscriptionsChanged).reason(&reason);
        self.fact(at, fact.topics(std::slice::from_ref(&topic)));
    }

    /// A connection is confirmed: its topics are what is subscribed to from now on.
    pub(super) fn subscribed_now(&mut self, at: At) {
        // As families name them: a topic that was asked for may stand for several.
        let families = self.connector.families().into_iter();
        let now: BTreeSet<String> = families.flat_map(|family| family.topics).collect();
        if self.subscribed.topics.as_ref() == Some(&now) {
            return;
        }
        let Some(before) = self.subscribed.topics.replace(now) else {
            return;
        };
        let now = self.subscribed.topics.iter().flatten();
        let added: Vec<String> = now.filter(|t| !before.contains(*t)).cloned().collect();
        let stays = |topic: &&String| {
            self.subscribed
                .topics
                .as_ref()
                .is_some_and(|n| n.contains(*topic))
        };
        let removed: Vec<String> = before.iter().filter(|t| !stays(t)).cloned().collect();
        for (word, topics) in [("ADDED", added), ("REMOVED", removed)] {
            if !topics.is_empty() {
                let fact = Fact::new(Kind::SubscriptionsChanged).reason(word);
                self.fact(at, fact.topics(&topics));
            }
        }
    }

    /// What is to be subscribed to changed: connections for it take over from those that stand.
    pub(super) fn replaced(&mut self, at: At, connector: Arc<dyn Connector>, out: &mut Actions) {
        self.connector = connector;
        self.standing.serves(self.connector.topics().len());
        if self.outbox.has_given_up() {
            return;
        }
        self.move_over(at, Next::Dial, "SUBSCRIPTIONS_CHANGED", out);
    }
}
