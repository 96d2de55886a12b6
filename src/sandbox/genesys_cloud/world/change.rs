//! [`Change`]: one thing that happens in the contact centre, as it is ordered from outside.

use serde::{Deserialize, Serialize};

use super::words::{Activity, AdherenceState, Media, RoutingState, Stage, SystemPresence};

/// One thing that happens. In JSON its name stands in the key `change`, the rest beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// An agent's presence is set; going on or off queue takes the routing status with it.
    Presence {
        /// Id of the user.
        user: String,
        /// What it becomes.
        presence: SystemPresence,
    },
    /// An agent's routing status changes.
    RoutingStatus {
        /// Id of the user.
        user: String,
        /// What it becomes.
        status: RoutingState,
    },
    /// An agent joins a queue, or as a member stops taking its conversations.
    Membership {
        /// Id of the queue.
        queue: String,
        /// Id of the user.
        user: String,
        /// Whether they take conversations of it.
        joined: bool,
    },
    /// An agent is no longer a member of a queue.
    RemoveMember {
        /// Id of the queue.
        queue: String,
        /// Id of the user.
        user: String,
    },
    /// An agent's schedule or adherence changes.
    Adherence {
        /// Id of the user.
        user: String,
        /// What they should do from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scheduled: Option<Activity>,
        /// The state; what schedule and presence make of it where it is not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<AdherenceState>,
    },
    /// A customer enters a queue.
    StartConversation {
        /// Id of the queue.
        queue: String,
        /// How it is held.
        #[serde(default)]
        media: Media,
    },
    /// A conversation takes its next step, or the one that is named.
    AdvanceConversation {
        /// Its id.
        conversation: String,
        /// The stage it comes to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Stage>,
        /// Id of the agent it rings at; any idle member of its queue where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// A conversation ends, wherever it is.
    EndConversation {
        /// Its id.
        conversation: String,
    },
    /// Somebody says something in a conversation.
    Utterance {
        /// Its id.
        conversation: String,
        /// What.
        text: String,
    },
    /// Any event: nothing in the contact centre changes.
    Raw {
        /// Its topic, an individual one.
        topic: String,
        /// Its `eventBody`.
        body: serde_json::Value,
    },
}

/// What came of a [`Change`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Numbers of the facts in the ledger.
    pub facts: Vec<u64>,
    /// The conversation that was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
}

/// A change that cannot happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChange {
    /// There is nobody and nothing of that id.
    #[error("change {what} '{id}': there is none of that id")]
    Unknown {
        /// What it should be.
        what: &'static str,
        /// The id.
        id: String,
    },
    /// The conversation cannot take that step.
    #[error("move conversation '{id}' from {from:?} to {to:?}: that is no step of a conversation")]
    NoStep {
        /// The conversation.
        id: String,
        /// Where it is.
        from: Stage,
        /// Where it should be.
        to: Stage,
    },
    /// Nobody is idle in the conversation's queue.
    #[error("alert an agent for conversation '{id}': nobody in its queue is idle")]
    NobodyIdle {
        /// The conversation.
        id: String,
    },
    /// Too long a body, or no individual topic.
    #[error("issue an event on topic '{topic}': {problem}")]
    BadEvent {
        /// The topic.
        topic: String,
        /// What is wrong.
        problem: &'static str,
    },
}
