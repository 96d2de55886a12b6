//! What a session subscribes to, as it is written in the configuration.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::connectors::{AgentSettings, Selector, Station, TopicSetting};

/// A topic, or a family of topics with what `{id}` stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TopicConfig {
    /// A topic whose name is complete.
    Topic(String),
    /// A family, by its template; there is one in each item of the list.
    Family(BTreeMap<String, SelectorConfig>),
}

/// What `{id}` stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SelectorConfig {
    /// `all`, or one name or id.
    One(String),
    /// Names or ids.
    Several(Vec<String>),
    /// Users, by what they belong to.
    Users {
        /// Every member of these queues.
        all_users_of_queue: OneOrMany,
    },
}

/// A name, or a list of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// Which agent's session to read; one of the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Joins the session that the agent with this id has open.
    #[serde(default)]
    pub id: Option<String>,
    /// Starts a session of the credential's own user, at this station.
    #[serde(default)]
    pub station_id: Option<String>,
    /// Starts a session of the credential's own user, with this phone number.
    #[serde(default)]
    pub phone: Option<String>,
}

impl TopicConfig {
    /// The topics that it names: one, in a checked configuration.
    #[must_use]
    pub fn settings(&self) -> Vec<TopicSetting> {
        match self {
            Self::Topic(topic) => vec![TopicSetting {
                template: topic.clone(),
                ids: None,
            }],
            Self::Family(families) => {
                let each = families.iter();
                each.map(|(template, selector)| TopicSetting {
                    template: template.clone(),
                    ids: Some(selector.selector()),
                })
                .collect()
            }
        }
    }
}

impl SelectorConfig {
    fn selector(&self) -> Selector {
        match self {
            Self::One(word) if word == "all" => Selector::All,
            Self::One(name) => Selector::Named(vec![name.clone()]),
            Self::Several(names) => Selector::Named(names.clone()),
            Self::Users { all_users_of_queue } => {
                Selector::UsersOfQueues(all_users_of_queue.names())
            }
        }
    }
}

impl OneOrMany {
    fn names(&self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.clone()],
            Self::Many(names) => names.clone(),
        }
    }
}

impl AgentConfig {
    /// What it asks for; `None` where it names nothing, or more than one thing.
    #[must_use]
    pub fn settings(&self) -> Option<AgentSettings> {
        let start = |station| AgentSettings::Start { station };
        match (&self.id, &self.station_id, &self.phone) {
            (Some(id), None, None) => Some(AgentSettings::Join {
                agent_id: id.clone(),
            }),
            (None, Some(id), None) => Some(start(Station::Id(id.clone()))),
            (None, None, Some(phone)) => Some(start(Station::Phone(phone.clone()))),
            _ => None,
        }
    }
}

// By hand: the checks choose between branches by what stands there, so each has one type, and what
// is derived for untagged enumerations says less than people need.
impl JsonSchema for TopicConfig {
    fn schema_name() -> Cow<'static, str> {
        "TopicConfig".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one_or_many = json_schema!({
            "description": "One name or id, or a list of them.",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ],
        });
        json_schema!({
            "description": "A topic in the platform's words, or a family of topics with what `{id}` \
                            stands for: `v2.routing.queues.{id}.users: all`, `…: [queue-1, queue-2]` \
                            or `…: { all_users_of_queue: queue-1 }`.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": {
                        "description": "What `{id}` stands for: all, a name or id, a list of them, \
                                        or { all_users_of_queue: … }.",
                        "anyOf": [
                            { "type": "string" },
                            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                            {
                                "type": "object",
                                "properties": { "all_users_of_queue": one_or_many },
                                "required": ["all_users_of_queue"],
                                "additionalProperties": false,
                            },
                        ],
                    },
                },
            ],
        })
    }
}
