//! Normal forms as pointers into an event, and tables from the platform's words to ours.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which events take which normal form: one of the forms stands beside `event`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormRule {
    /// The platform's name of the event; `*` stands for any text in it. Of several rules that fit,
    /// the one without `*` counts, else the first.
    pub event: String,
    /// `ccaas.agent.state_changed.v1`.
    #[serde(default)]
    pub agent_state: Option<AgentStateForm>,
    /// `ccaas.queue.statistics.v1`.
    #[serde(default)]
    pub queue_statistics: Option<QueueStatisticsForm>,
    /// `ccaas.adherence.changed.v1`.
    #[serde(default)]
    pub adherence: Option<AdherenceForm>,
    /// `ccaas.conversation.updated.v1`.
    #[serde(default)]
    pub conversation: Option<ConversationForm>,
}

/// `ccaas.agent.state_changed.v1`. The platform's words are compared in lower case with words joined
/// by `_`: `AfterCallWork` is `after_call_work`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentStateForm {
    /// JSON pointer to the agent's id; an event without it is unmapped.
    pub agent_id: String,
    /// JSON pointer to the state; an event without it is unmapped.
    pub state: String,
    /// JSON pointer to the reason of the state.
    #[serde(default)]
    pub reason: Option<String>,
    /// JSON pointer to when the state began; the event's time where it is missing.
    #[serde(default)]
    pub since: Option<String>,
    /// What the platform's states mean.
    pub availability: BTreeMap<String, Availability>,
}

/// `ccaas.queue.statistics.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueStatisticsForm {
    /// JSON pointer to the queue's id; an event without it is unmapped.
    pub queue_id: String,
    /// JSON pointer to the kind of work.
    #[serde(default)]
    pub media: Option<String>,
    /// JSON pointer to an object of name to number.
    pub metrics: String,
    /// What the platform's kinds of work mean.
    #[serde(default)]
    pub media_names: BTreeMap<String, Media>,
}

/// `ccaas.adherence.changed.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdherenceForm {
    /// JSON pointer to the agent's id; an event without it is unmapped.
    pub agent_id: String,
    /// JSON pointer to the state of adherence; an event without it is unmapped.
    pub state: String,
    /// JSON pointer to what the agent is scheduled for.
    #[serde(default)]
    pub scheduled_activity: Option<String>,
    /// JSON pointer to what the agent does.
    #[serde(default)]
    pub actual_activity: Option<String>,
    /// JSON pointer to what it means for the schedule.
    #[serde(default)]
    pub impact: Option<String>,
    /// JSON pointer to the management unit's id.
    #[serde(default)]
    pub management_unit_id: Option<String>,
    /// JSON pointer to the team's id.
    #[serde(default)]
    pub team_id: Option<String>,
    /// JSON pointer to when the state began; the event's time where it is missing.
    #[serde(default)]
    pub since: Option<String>,
    /// What the platform's states mean.
    pub states: BTreeMap<String, AdherenceState>,
}

/// `ccaas.conversation.updated.v1`: one change to a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationForm {
    /// JSON pointer to the conversation's id; an event without it is unmapped.
    pub conversation_id: String,
    /// JSON pointer to where the conversation stands.
    pub phase: String,
    /// JSON pointer to the kind of work.
    #[serde(default)]
    pub media: Option<String>,
    /// JSON pointer to its direction.
    #[serde(default)]
    pub direction: Option<String>,
    /// JSON pointer to the queue's id.
    #[serde(default)]
    pub queue_id: Option<String>,
    /// JSON pointer to when the conversation began.
    #[serde(default)]
    pub since: Option<String>,
    /// What the platform's phases mean.
    pub phases: BTreeMap<String, Phase>,
    /// What the platform's kinds of work mean.
    #[serde(default)]
    pub media_names: BTreeMap<String, Media>,
    /// What the platform's directions mean.
    #[serde(default)]
    pub directions: BTreeMap<String, Direction>,
}

/// What an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Signed out.
    Offline,
    /// Signed in, not taking work.
    Away,
    /// Waiting for work.
    Available,
    /// Handling at least one interaction.
    Busy,
    /// Finishing what an interaction left to do.
    AfterContactWork,
    /// Did not answer an offered interaction.
    NotResponding,
}

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// A call.
    Voice,
    /// A call back.
    Callback,
    /// A chat.
    Chat,
    /// An email.
    Email,
    /// A message, as by SMS or an app.
    Message,
    /// A post in a social network.
    Social,
    /// A call with pictures.
    Video,
    /// Anything else that is worked off.
    WorkItem,
}

/// How an agent keeps to the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdherenceState {
    /// As scheduled.
    InAdherence,
    /// Not as scheduled.
    OutOfAdherence,
    /// Nothing is scheduled.
    Unscheduled,
    /// It cannot be told.
    Unknown,
    /// It is not counted.
    Ignored,
    /// Not as scheduled, and somebody said why.
    Explained,
}

/// Where a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// In an automated flow.
    SelfService,
    /// Waiting in a queue.
    Queued,
    /// Offered to somebody.
    Alerting,
    /// Somebody handles it.
    Connected,
    /// On hold.
    Held,
    /// Over, and somebody finishes what it left to do.
    WrapUp,
    /// Over.
    Ended,
}

/// Who began a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The customer.
    Inbound,
    /// The contact centre.
    Outbound,
}
