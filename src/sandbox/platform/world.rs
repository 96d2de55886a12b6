//! [`World`]: a small contact centre that lives: agents take conversations from queues, wrap up,
//! take breaks. Each turn is one event. Pure: the same seed tells the same story.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use super::event::quoted;
use crate::runtime::Rng;

const AGENTS: usize = 24;
const MEDIA: [&str; 4] = ["voice", "chat", "email", "callback"];
const QUEUES: usize = 6;
const REGIONS: [&str; 3] = ["eu-central-1", "us-east-1", "ap-southeast-2"];
/// Callers who give up are forgotten oldest first.
const LONGEST_QUEUE: usize = 50;

#[derive(Debug)]
pub(crate) struct World {
    rng: Rng,
    channels: Vec<Arc<str>>,
    agents: Vec<Agent>,
    queues: Vec<Queue>,
    /// Latest changes of conversations, for the channels that tell them.
    changes: VecDeque<String>,
    turn: u64,
    payload: usize,
}

#[derive(Debug)]
struct Agent {
    id: String,
    state: AgentState,
    conversation: Option<(String, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AgentState {
    Offline,
    Available,
    Interacting,
    AfterCallWork,
    Break,
}

#[derive(Debug)]
struct Queue {
    id: String,
    media: &'static str,
    waiting: VecDeque<String>,
    interacting: u32,
    offered: u64,
    answered: u64,
    abandoned: u64,
}

/// What happened: where it is told, and its `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) channel: Arc<str>,
    pub(crate) data: String,
}

impl World {
    /// A centre that tells its events on `channels`, each `data` of at least `payload` bytes.
    pub(crate) fn new(channels: &[String], payload: usize, rng: Rng) -> Self {
        let agents = (0..AGENTS)
            .map(|_| Agent {
                id: identifier(&rng),
                state: AgentState::Offline,
                conversation: None,
            })
            .collect();
        let queues = (0..QUEUES)
            .zip(MEDIA.into_iter().cycle())
            .map(|(_, media)| Queue {
                id: identifier(&rng),
                media,
                waiting: VecDeque::new(),
                interacting: 0,
                offered: 0,
                answered: 0,
                abandoned: 0,
            })
            .collect();
        Self {
            rng,
            channels: channels.iter().map(|name| name.as_str().into()).collect(),
            agents,
            queues,
            changes: VecDeque::new(),
            turn: 0,
            payload,
        }
    }

    /// The next event; `now` is RFC 3339 and stands in what has a beginning.
    pub(crate) fn next(&mut self, now: &str) -> Option<Draft> {
        self.turn += 1;
        let channel = self.choose_channel()?;
        let data = match &*channel {
            "routing.agentEvent" => self.agent_event(now),
            "routing.queueStats" => self.queue_stats(),
            "platform.connectionEvent" => self.connection_event(now),
            name if name.contains("onversation") => self.conversation_event(now),
            _ => Some(format!("{{\"turn\":{},\"at\":\"{now}\"", self.turn)),
        };
        let data = self.padded(data?);
        Some(Draft { channel, data })
    }

    /// Agents and queues have much to say, connections little.
    fn choose_channel(&mut self) -> Option<Arc<str>> {
        let weight = |name: &str| {
            if name == "platform.connectionEvent" {
                1
            } else {
                9
            }
        };
        let total = self.channels.iter().map(|name| weight(name)).sum();
        let mut draw = self.rng.below(total);
        let chosen = self.channels.iter().find(|name| {
            let own = weight(name);
            let here = draw < own;
            draw = draw.saturating_sub(own);
            here
        });
        chosen.cloned()
    }

    fn draw(&self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap_or_default()
    }

    fn agent_event(&mut self, now: &str) -> Option<String> {
        let (at, queue_at, chance) = (self.draw(AGENTS), self.draw(QUEUES), self.draw(10));
        let agent = self.agents.get_mut(at)?;
        let (state, reason) = match agent.state {
            AgentState::Offline => (AgentState::Available, "LOGIN"),
            AgentState::Available => {
                let queue = self.queues.get_mut(queue_at)?;
                match queue.waiting.pop_front() {
                    Some(conversation) => {
                        queue.answered += 1;
                        queue.interacting += 1;
                        self.changes
                            .push_back(told(&conversation, queue, "CONNECTED", &agent.id));
                        agent.conversation = Some((conversation, queue_at));
                        (AgentState::Interacting, "CONVERSATION")
                    }
                    None if chance == 0 => (AgentState::Offline, "LOGOUT"),
                    None => (AgentState::Break, "BREAK"),
                }
            }
            AgentState::Interacting => {
                if let Some((conversation, at)) = agent.conversation.take()
                    && let Some(queue) = self.queues.get_mut(at)
                {
                    queue.interacting = queue.interacting.saturating_sub(1);
                    self.changes
                        .push_back(told(&conversation, queue, "DISCONNECTED", &agent.id));
                }
                (AgentState::AfterCallWork, "WRAP_UP")
            }
            AgentState::AfterCallWork => (AgentState::Available, "WRAP_UP_DONE"),
            AgentState::Break => (AgentState::Available, "BREAK_OVER"),
        };
        agent.state = state;
        let mut data = format!(
            "{{\"agentId\":\"{}\",\"state\":\"{}\",\"reason\":\"{reason}\",\"since\":\"{now}\"",
            agent.id,
            state.as_str()
        );
        if let Some((conversation, _)) = &agent.conversation {
            let written = write!(data, ",\"conversationId\":\"{conversation}\"");
            debug_assert!(written.is_ok());
        }
        self.forget_old_changes();
        Some(data)
    }

    fn queue_stats(&mut self) -> Option<String> {
        let (at, arrivals, chance) = (self.draw(QUEUES), self.draw(3), self.draw(12));
        let fresh: Vec<_> = (0..arrivals).map(|_| identifier(&self.rng)).collect();
        let queue = self.queues.get_mut(at)?;
        for conversation in fresh {
            queue.offered += 1;
            self.changes
                .push_back(told(&conversation, queue, "QUEUED", ""));
            queue.waiting.push_back(conversation);
        }
        let patience_ends = chance == 0 || queue.waiting.len() > LONGEST_QUEUE;
        if patience_ends && let Some(conversation) = queue.waiting.pop_front() {
            queue.abandoned += 1;
            self.changes
                .push_back(told(&conversation, queue, "ABANDONED", ""));
        }
        let settled = queue.answered + queue.abandoned;
        let level = (queue.answered * 1000).checked_div(settled).unwrap_or(1000);
        let data = format!(
            "{{\"queueId\":\"{}\",\"media\":\"{}\",\"metrics\":{{\"oWaiting\":{},\"oInteracting\":{},\
             \"nOffered\":{},\"nAnswered\":{},\"nAbandoned\":{},\"oServiceLevel\":{}.{:03}}}",
            queue.id,
            queue.media,
            queue.waiting.len(),
            queue.interacting,
            queue.offered,
            queue.answered,
            queue.abandoned,
            level / 1000,
            level % 1000
        );
        self.forget_old_changes();
        Some(data)
    }

    fn connection_event(&mut self, now: &str) -> Option<String> {
        let region = REGIONS.get(self.draw(REGIONS.len()))?;
        let edge = self.draw(8);
        let state = ["ACTIVE", "DEGRADED", "RECOVERED"];
        let state = state.get(self.draw(state.len()))?;
        let millis = 20 + self.draw(180);
        Some(format!(
            "{{\"connectionId\":\"edge-{edge}\",\"region\":\"{region}\",\"state\":\"{state}\",\
             \"latencyMs\":{millis},\"since\":\"{now}\""
        ))
    }

    fn conversation_event(&mut self, now: &str) -> Option<String> {
        let told = self.changes.pop_front().unwrap_or_else(|| {
            let conversation = identifier(&self.rng);
            format!("{{\"conversationId\":\"{conversation}\",\"state\":\"QUEUED\"")
        });
        Some(format!("{told},\"since\":\"{now}\""))
    }

    fn forget_old_changes(&mut self) {
        while self.changes.len() > LONGEST_QUEUE {
            self.changes.pop_front();
        }
    }

    /// Closes the object, filled up with a note where it is too short.
    fn padded(&self, mut data: String) -> String {
        const FRAME: usize = ",\"note\":\"\"}".len();
        if data.len() + 1 < self.payload {
            let missing = self.payload.saturating_sub(data.len() + FRAME);
            data.push_str(",\"note\":\"");
            let mut left = missing;
            while left > 0 {
                let words = format!("{:016x}", self.rng.bits());
                let part = words.get(..left.min(words.len())).unwrap_or_default();
                data.push_str(part);
                left -= part.len();
            }
            data.push('"');
        }
        data.push('}');
        data
    }
}

/// A conversation's change, its object left open.
fn told(conversation: &str, queue: &Queue, state: &str, agent: &str) -> String {
    let mut data = format!(
        "{{\"conversationId\":\"{conversation}\",\"queueId\":\"{}\",\"media\":\"{}\",\"state\":\"{state}\"",
        queue.id, queue.media
    );
    if !agent.is_empty() {
        let written = write!(data, ",\"agentId\":{}", quoted(agent));
        debug_assert!(written.is_ok());
    }
    data
}

/// In the form of a UUID.
fn identifier(rng: &Rng) -> String {
    let (high, low) = (rng.bits(), rng.bits());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0xfff,
        low & 0xffff_ffff_ffff
    )
}

impl AgentState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "OFFLINE",
            Self::Available => "AVAILABLE",
            Self::Interacting => "INTERACTING",
            Self::AfterCallWork => "AFTER_CALL_WORK",
            Self::Break => "BREAK",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn world(seed: u64, payload: usize) -> World {
        let channels = [
            "routing.agentEvent",
            "routing.queueStats",
            "platform.connectionEvent",
            "routing.conversationEvent",
            "acme.other",
        ];
        let channels = channels.map(str::to_owned);
        World::new(&channels, payload, Rng::from_seed(seed))
    }

    fn story(seed: u64, length: usize) -> Vec<Draft> {
        let mut world = world(seed, 0);
        (0..length).filter_map(|_| world.next("now")).collect()
    }

    #[test]
    fn the_same_seed_tells_the_same_story() {
        assert_eq!(story(7, 2000), story(7, 2000));
        assert_ne!(story(7, 50), story(8, 50));
    }

    #[test]
    fn every_event_is_json_and_agents_move_plausibly() {
        let mut states: BTreeMap<String, String> = BTreeMap::new();
        let mut talked = 0;
        for draft in story(1, 5000) {
            let data: serde_json::Value = serde_json::from_str(&draft.data).unwrap();
            match &*draft.channel {
                "routing.agentEvent" => {
                    let (id, state) = (data["agentId"].to_string(), data["state"].to_string());
                    if state.contains("AFTER_CALL_WORK") {
                        talked += 1;
                        assert!(states[&id].contains("INTERACTING"));
                    }
                    assert!(data["since"].is_string() && data["reason"].is_string());
                    states.insert(id, state);
                }
                "routing.queueStats" => {
                    let metrics = data["metrics"].as_object().unwrap();
                    assert!(metrics.values().all(serde_json::Value::is_number));
                }
                _ => {}
            }
        }
        assert!(talked > 50, "{talked}");
    }

    #[test]
    fn payloads_are_filled_up_to_the_byte() {
        let mut world = world(3, 600);
        for _ in 0..200 {
            assert_eq!(world.next("2026-01-01T00:00:00Z").unwrap().data.len(), 600);
        }
    }
}
