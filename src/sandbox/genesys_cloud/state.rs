//! [`State`]: everything that the platform knows, and what it does with it. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::GenesysCloudConfig;
use super::channels::{self, Channels, Offered, Outgoing, Refused};
use super::fault::{GenesysFault, GenesysFaultName as Name};
use super::ledger::{Due, DueFate, Fact, Ledger};
use super::record::{GenesysCounters, GenesysRequest};
use super::tokens::{Standing, Tokens};
use super::world::{Change, Changed, Draft, InvalidChange, Size, World, identifier};
use crate::domain::WallTime;
use crate::runtime::{MonoTime, Rng};
use crate::sandbox::fault::{FaultTable, Occasions};
use crate::sandbox::platform::{Digest, Log};

const REMEMBERED: usize = 20_000;

/// Everything that the platform knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: GenesysCloudConfig,
    pub(crate) faults: FaultTable<GenesysFault>,
    pub(crate) tokens: Tokens,
    pub(crate) channels: Channels,
    pub(crate) world: World,
    pub(crate) ledger: Ledger,
    pub(crate) counters: GenesysCounters,
    pub(crate) requests: Log<GenesysRequest>,
    pub(crate) connections: BTreeSet<u64>,
    pub(super) rng: Rng,
}

/// Both times of a moment.
pub(crate) type Times = (MonoTime, WallTime);

impl State {
    pub(crate) fn new(config: GenesysCloudConfig, rng: &Rng, began: WallTime) -> Self {
        let tokens = Tokens::new(
            &config.clients,
            config.token_lifetime,
            config.token_requests_per_minute,
            config.requests_per_minute,
            rng.fork("tokens"),
        );
        let size = Size {
            users: config.users,
            queues: config.queues,
            units: config.management_units,
            conversations: config.conversations_kept.max(1),
            history: config.history.max(2),
            observation_interval: config.observation_interval,
        };
        Self {
            faults: FaultTable::default(),
            tokens,
            channels: Channels::default(),
            world: World::new(size, rng.fork("world"), began),
            ledger: Ledger::new(config.ledger_capacity),
            counters: GenesysCounters::default(),
            requests: Log::new(REMEMBERED),
            connections: BTreeSet::new(),
            rng: rng.fork("platform"),
            config,
        }
    }

    /// An id that is for one answer, one delivery or one channel.
    pub(crate) fn identifier(&self) -> Arc<str> {
        identifier(&self.rng)
    }

    /// Whether a fault strikes on this occasion.
    pub(crate) fn strike(&mut self, name: Name) -> Option<GenesysFault> {
        let fault = self.faults.strike(name, self.rng.unit());
        self.told(name, fault)
    }

    /// Like [`State::strike`], once for each rule and bearer of `seen`.
    pub(crate) fn strike_once(
        &mut self,
        name: Name,
        seen: &mut Occasions<Name>,
    ) -> Option<GenesysFault> {
        let fault = self.faults.strike_once(name, seen, self.rng.unit());
        self.told(name, fault)
    }

    /// Like [`State::strike`], for faults of requests below a path.
    pub(crate) fn strike_under(&mut self, name: Name, path: &str) -> Option<GenesysFault> {
        let covered = match self.faults.may_strike(name)? {
            GenesysFault::RestStatus { under, .. } | GenesysFault::RestSlow { under, .. } => {
                path.starts_with(under.as_str())
            }
            _ => true,
        };
        if covered { self.strike(name) } else { None }
    }

    fn told(&self, name: Name, fault: Option<GenesysFault>) -> Option<GenesysFault> {
        if fault.is_some() {
            tracing::info!(fault = %name, struck = self.faults.struck(name), "Fault struck");
        }
        fault
    }

    /// How late an answer or a frame is.
    pub(crate) fn latency(&mut self) -> Duration {
        match self.strike(Name::Latency) {
            Some(GenesysFault::Latency { delay, jitter }) => {
                delay.0 + jitter.0.mul_f64(self.rng.unit())
            }
            _ => Duration::ZERO,
        }
    }

    /// Lets something happen, and tells it.
    pub(crate) fn happen(&mut self, change: &Change, now: Times) -> Result<Changed, InvalidChange> {
        let (drafts, conversation) = self.world.apply(change, now.1)?;
        let facts = self.issue(drafts, now.1);
        self.publish(now);
        Ok(Changed {
            facts,
            conversation: conversation.map(|id| id.to_string()),
        })
    }

    /// The next change of the story.
    pub(crate) fn tell_next(&mut self, now: Times) {
        if let Some(change) = self.world.invent() {
            let told = self.happen(&change, now);
            debug_assert!(told.is_ok(), "{change:?}: {told:?}");
        }
    }

    fn publish(&mut self, now: Times) -> bool {
        let drafts = self.world.publish(now.0, now.1);
        let any = !drafts.is_empty();
        self.issue(drafts, now.1);
        any
    }

    /// Tells events: each to the channels that are subscribed to it now. The numbers of the facts.
    fn issue(&mut self, drafts: Vec<Draft>, at: WallTime) -> Vec<u64> {
        drafts
            .into_iter()
            .map(|draft| self.issue_one(&draft, at))
            .collect()
    }

    fn issue_one(&mut self, draft: &Draft, at: WallTime) -> u64 {
        let subscribed = self.channels.subscribed(&draft.topic);
        let due = subscribed.iter().map(|id| Due {
            channel: Arc::clone(id),
            client: self
                .channels
                .get(id)
                .map_or_else(|| "".into(), |of| self.tokens.client_id(of.client)),
            fate: DueFate::NoSocket,
        });
        let fact = self.ledger.enter(Fact {
            number: 0,
            at,
            topic: Arc::clone(&draft.topic),
            sha256: Digest::of(draft.body.as_bytes()),
            bytes: u32::try_from(draft.body.len()).unwrap_or(u32::MAX),
            dated: draft.dated,
            due: due.collect(),
        });
        for id in subscribed {
            let text = channels::event(&draft.topic, &draft.body, &self.identifier());
            let frame = Outgoing {
                text,
                fact: Some(fact),
            };
            match self.channels.offer(&id, frame, self.config.outbox) {
                Offered::Waiting => self.ledger.settle(fact, &id, DueFate::Waiting),
                Offered::NoSocket => {}
                Offered::Overrun { lost } => self.cut(&id, lost),
            }
        }
        fact
    }

    /// What waited on a channel is not sent any more.
    pub(crate) fn cut(&mut self, channel: &str, facts: Vec<u64>) {
        for fact in facts {
            self.ledger.settle(fact, channel, DueFate::Cut);
        }
    }

    /// A frame of the platform itself, to a channel's socket if there is one.
    pub(crate) fn say(&mut self, channel: &str, text: String) {
        let frame = Outgoing { text, fact: None };
        if let Offered::Overrun { lost } = self.channels.offer(channel, frame, self.config.outbox) {
            self.cut(channel, lost);
        }
    }

    pub(crate) fn tell_update(&mut self, channel: &str) {
        if self.config.tell_subscription_changes {
            let client = self.client_of(channel);
            let text = channels::updated(channel, &client, &self.identifier());
            self.say(channel, text);
        }
    }

    pub(super) fn client_of(&self, channel: &str) -> Arc<str> {
        let client = self.channels.get(channel).map(|channel| channel.client);
        client.map_or_else(|| "".into(), |client| self.tokens.client_id(client))
    }

    /// Whether a client may have an individual topic.
    pub(crate) fn permits(&mut self, client: usize, topic: &str) -> Result<(), Refused> {
        if let Some(GenesysFault::ForbidTopic { topic: part, .. }) =
            self.faults.may_strike(Name::ForbidTopic)
            && topic.contains(part.as_str())
            && let Some(GenesysFault::ForbidTopic { permission, .. }) =
                self.strike(Name::ForbidTopic)
        {
            return Err(lacking(vec![permission]));
        }
        let known = channels::find(topic).ok_or_else(|| Refused {
            reason: "The topic does not exist".to_owned(),
            missing: Vec::new(),
            unknown: true,
        })?;
        if known.needs_user {
            return Err(Refused {
                reason: "The topic requires a user".to_owned(),
                missing: Vec::new(),
                unknown: false,
            });
        }
        let mut permissions = known.permissions.iter();
        if known.permissions.is_empty() || permissions.any(|one| self.tokens.may(client, one)) {
            return Ok(());
        }
        Err(lacking(
            known
                .permissions
                .iter()
                .map(|one| (*one).to_owned())
                .collect(),
        ))
    }

    /// What is due by now: observations that were held back, the end of channels. When to look
    /// again, and whether anything happened.
    pub(crate) fn tick(&mut self, now: Times) -> (Option<MonoTime>, bool) {
        let published = self.publish(now);
        let ended = self.end_lives(now.0);
        let lives = self.channels.iter().map(|channel| channel.expires);
        let tokens = self.channels.iter().filter_map(|channel| {
            match self.tokens.standing(channel.token, now.0) {
                Standing::Good(until) => Some(until),
                _ => None,
            }
        });
        let next = lives
            .chain(tokens)
            .chain(self.world.next_publication())
            .min();
        (next, published || ended)
    }
}

fn lacking(missing: Vec<String>) -> Refused {
    Refused {
        reason: format!("Missing permission(s): {}", missing.join(", ")),
        missing,
        unknown: false,
    }
}
