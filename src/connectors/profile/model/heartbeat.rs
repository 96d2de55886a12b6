//! The heartbeat that a platform wants besides WebSocket pings.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Template;
use crate::connectors::{Condition, HeartbeatSettings};
use crate::runtime::{ByteSize, HumanDuration};

/// How much later than its successor a heartbeat may arrive, and the platform still finds them the
/// shortest interval apart.
const LATE: Duration = Duration::from_millis(500);

/// The heartbeat that a platform wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatShape {
    /// The frame; may hold `{connection}` (a UUID for each connection), `{now}` and `{next}`
    /// (milliseconds since 1970), `{interval}` (milliseconds), `{condition}` (STABLE, DEGRADED or
    /// RECONNECTING) and `{size}` (bytes of the frame itself).
    pub frame: Template,
    /// How often it is sent, by how the session fares.
    pub interval: Intervals,
    /// The shortest interval that the platform takes: it wins over shorter ones.
    #[serde(default)]
    pub minimum: Option<HumanDuration>,
    /// The longest interval after which the platform still holds the connection for alive: it wins
    /// over longer ones.
    #[serde(default)]
    pub maximum: Option<HumanDuration>,
    /// Size that a frame must not exceed; a longer one is never sent.
    #[serde(default)]
    pub max_size: Option<ByteSize>,
    /// What the platform wants to find in the frame, by JSON pointer; a frame without it is never
    /// sent.
    #[serde(default)]
    pub requires: BTreeMap<String, JsonType>,
    /// How long an acknowledgement may take before its heartbeat counts as lost; 10s where not
    /// given.
    #[serde(default = "patience")]
    pub answer_within: HumanDuration,
    /// How long the platform may send nothing at all before the connection is dead; for ever where
    /// not given, for pings find that too.
    #[serde(default)]
    pub silent_after: Option<HumanDuration>,
}

/// How often a heartbeat is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Intervals {
    /// While all is well.
    pub stable: HumanDuration,
    /// While round trips are slow or too many are lost; `stable` where not given.
    #[serde(default)]
    pub degraded: Option<HumanDuration>,
    /// After a connection broke, until one is confirmed; `stable` where not given.
    #[serde(default)]
    pub reconnecting: Option<HumanDuration>,
}

/// The type of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JsonType {
    /// A string that is not empty.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An object.
    Object,
    /// An array.
    Array,
}

impl HeartbeatShape {
    /// The intervals, with what the session sets of its own.
    #[must_use]
    pub fn with(mut self, own: &HeartbeatSettings) -> Self {
        let set = |own: Option<Duration>| own.map(HumanDuration);
        let Intervals {
            stable,
            degraded,
            reconnecting,
        } = &mut self.interval;
        *stable = set(own.stable).unwrap_or(*stable);
        *degraded = set(own.degraded).or(*degraded);
        *reconnecting = set(own.reconnecting).or(*reconnecting);
        self
    }

    /// What is asked for, before the platform's bounds.
    #[must_use]
    pub fn wanted(&self, condition: Condition) -> Duration {
        let Intervals {
            stable,
            degraded,
            reconnecting,
        } = self.interval;
        let own = match condition {
            Condition::Stable => None,
            Condition::Degraded => degraded,
            Condition::Reconnecting => reconnecting,
        };
        own.unwrap_or(stable).0
    }

    /// The interval that is kept.
    #[must_use]
    pub fn interval(&self, condition: Condition) -> Duration {
        let least = self.minimum.map_or(Duration::ZERO, |least| least.0);
        let most = self.maximum.map_or(Duration::MAX, |most| most.0);
        self.wanted(condition).min(most).max(least)
    }

    /// How long after one heartbeat the next is sent. The platform counts from when it got the former,
    /// which may have taken longer than the next will.
    #[must_use]
    pub fn spacing(&self, condition: Condition) -> Duration {
        let most = self.maximum.map_or(Duration::MAX, |most| most.0);
        let least = self.minimum.map(|least| (least.0 + LATE).min(most));
        self.interval(condition).max(least.unwrap_or_default())
    }
}

impl JsonType {
    /// Whether a value is of this type.
    #[must_use]
    pub fn fits(self, value: &serde_json::Value) -> bool {
        match self {
            Self::String => value.as_str().is_some_and(|text| !text.is_empty()),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
        }
    }
}

const fn patience() -> HumanDuration {
    HumanDuration::from_secs(10)
}
