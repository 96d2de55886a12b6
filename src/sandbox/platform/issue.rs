//! How events come into the platform, and what becomes of each. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::Issued;
use super::ledger::Fate;
use super::state::State;
use super::subscription::Subscription;
use crate::domain::WallTime;
use crate::sandbox::fault::{Fault, FaultName};

/// The largest event that may be handed in.
const LARGEST_DATA: usize = 1 << 20;

/// What is to be issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Emission {
    /// An event of one's own: `{"channel": …, "data": …}`.
    Event(OwnEvent),
    /// The next events of the story: `{"count": 10}`.
    Story(StoryEvents),
}

/// An event of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnEvent {
    /// One of the platform's channels.
    pub channel: String,
    /// The event's `data`.
    pub data: serde_json::Value,
}

/// The next events of the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoryEvents {
    /// How many.
    pub count: u64,
}

impl Emission {
    /// The next `count` events of the story.
    #[must_use]
    pub const fn story(count: u64) -> Self {
        Self::Story(StoryEvents { count })
    }

    /// An event of one's own.
    #[must_use]
    pub fn event(channel: impl Into<String>, data: serde_json::Value) -> Self {
        Self::Event(OwnEvent {
            channel: channel.into(),
            data,
        })
    }
}

/// An event that the platform cannot issue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// There is no such channel.
    #[error("issue an event on channel '{0}': the platform has no such channel")]
    UnknownChannel(String),
    /// There is too much of it.
    #[error("issue an event of {0} bytes: at most {LARGEST_DATA} are taken")]
    TooLarge(usize),
}

impl State {
    /// Issues events.
    pub(crate) fn emit(&mut self, emission: &Emission, now: WallTime) -> Result<(), InvalidEvent> {
        match emission {
            Emission::Story(StoryEvents { count }) => {
                for _ in 0..*count {
                    if let Some(draft) = self.world.next(&now.to_string()) {
                        self.issue(&draft.channel, &draft.data, now);
                    }
                }
                Ok(())
            }
            Emission::Event(event) => {
                let data = event.data.to_string();
                if data.len() > LARGEST_DATA {
                    return Err(InvalidEvent::TooLarge(data.len()));
                }
                if !self.config.channels.contains(&event.channel) {
                    return Err(InvalidEvent::UnknownChannel(event.channel.clone()));
                }
                self.issue(&event.channel.as_str().into(), &data, now);
                Ok(())
            }
        }
    }

    fn issue(&mut self, channel: &Arc<str>, data: &str, now: WallTime) {
        let words = self.config.dialect.words();
        let event = if let Some(Fault::MalformedEvent { form }) =
            self.strike(FaultName::MalformedEvent)
        {
            Issued::malformed(words, channel, form, data, now)
        } else if let Some(Fault::OversizeEvent { size }) = self.strike(FaultName::OversizeEvent) {
            Issued::new(words, channel, &oversize(size.0), now)
        } else {
            Issued::new(words, channel, data, now)
        };
        let event = Arc::new(event);
        let fate = self.fate();
        for (key, subscription) in &mut self.subscriptions {
            if key.channels.contains(channel) {
                subscription.push(&event, fate);
            }
        }
        self.issued_bytes += event.size();
        self.issued.push_back(event);
        while self.issued.len() > self.config.retention
            || (self.issued_bytes > self.config.retention_bytes && self.issued.len() > 1)
        {
            let oldest = self.issued.pop_front();
            self.issued_bytes -= oldest.map_or(0, |event| event.size());
        }
    }

    /// What becomes of the next event.
    fn fate(&mut self) -> Fate {
        if let Some(Fault::Skip { history }) = self.strike(FaultName::Skip) {
            return if history { Fate::History } else { Fate::Lost };
        }
        if let Some(Fault::Late { after }) = self.strike(FaultName::Late) {
            return Fate::Delay(after);
        }
        // While one waits, the others overtake it: were all held back alike, the order would stay.
        self.overtaking = self.overtaking.saturating_sub(1);
        if self.overtaking == 0
            && let Some(Fault::Reorder { depth }) = self.strike(FaultName::Reorder)
        {
            let others = 1 + u32::try_from(self.rng.below(u64::from(depth))).unwrap_or_default();
            self.overtaking = others + 1;
            return Fate::Delay(others);
        }
        Fate::Deliver
    }

    /// Delivers everything that was held back.
    pub(crate) fn release_late(&mut self) {
        self.overtaking = 0;
        self.subscriptions
            .values_mut()
            .for_each(Subscription::release_late);
    }

    /// Starts every numbering again, and forgets what was kept.
    pub(crate) fn restart_numbering(&mut self) {
        self.issued.clear();
        self.issued_bytes = 0;
        self.overtaking = 0;
        self.subscriptions
            .values_mut()
            .for_each(Subscription::restart);
    }
}

fn oversize(size: u64) -> String {
    let size = usize::try_from(size).unwrap_or_default();
    let filler = size.saturating_sub("{\"note\":\"\"}".len());
    format!("{{\"note\":\"{}\"}}", "x".repeat(filler))
}
