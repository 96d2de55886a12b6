//! The words of the platform: presences, routing statuses, media, stages. Pure.

use serde::{Deserialize, Serialize};

/// What an agent says of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the platform's words are all there is to say")]
pub enum SystemPresence {
    Available,
    Away,
    Break,
    Busy,
    Idle,
    Meal,
    Meeting,
    Offline,
    OnQueue,
    Training,
}

/// What an agent does for queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the platform's words are all there is to say")]
pub enum RoutingState {
    OffQueue,
    Idle,
    Interacting,
    NotResponding,
    Communicating,
}

/// What an agent is scheduled to do, or does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the platform's words are all there is to say")]
pub enum Activity {
    OnQueueWork,
    Break,
    Meal,
    Meeting,
    OffQueueWork,
    TimeOff,
    Training,
    Unavailable,
    Unscheduled,
}

/// How what an agent does fits what they should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the platform's words are all there is to say")]
pub enum AdherenceState {
    InAdherence,
    OutOfAdherence,
    Unscheduled,
    Unknown,
    Ignored,
    Explained,
}

/// How a conversation is held.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the platform's words are all there is to say")]
pub enum Media {
    #[default]
    Voice,
    Callback,
    Chat,
    Email,
    Message,
}

/// How far a conversation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Waits in its queue.
    Queued,
    /// Rings at an agent.
    Alerting,
    /// Agent and customer are in contact.
    Connected,
    /// The customer is gone, the agent writes notes.
    WrapUp,
    /// Over.
    Ended,
}

impl SystemPresence {
    /// Every presence.
    pub const ALL: [Self; 10] = [
        Self::Available,
        Self::Away,
        Self::Break,
        Self::Busy,
        Self::Idle,
        Self::Meal,
        Self::Meeting,
        Self::Offline,
        Self::OnQueue,
        Self::Training,
    ];

    /// As the presence API and the events write it: `ON_QUEUE`.
    pub(crate) const fn upper(self) -> &'static str {
        match self {
            Self::Available => "AVAILABLE",
            Self::Away => "AWAY",
            Self::Break => "BREAK",
            Self::Busy => "BUSY",
            Self::Idle => "IDLE",
            Self::Meal => "MEAL",
            Self::Meeting => "MEETING",
            Self::Offline => "OFFLINE",
            Self::OnQueue => "ON_QUEUE",
            Self::Training => "TRAINING",
        }
    }

    /// As workforce management writes it: `OnQueue`.
    pub(crate) const fn camel(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Away => "Away",
            Self::Break => "Break",
            Self::Busy => "Busy",
            Self::Idle => "Idle",
            Self::Meal => "Meal",
            Self::Meeting => "Meeting",
            Self::Offline => "Offline",
            Self::OnQueue => "OnQueue",
            Self::Training => "Training",
        }
    }

    /// What workforce management takes it for.
    pub(crate) const fn activity(self) -> Activity {
        match self {
            Self::OnQueue => Activity::OnQueueWork,
            Self::Break => Activity::Break,
            Self::Meal => Activity::Meal,
            Self::Meeting => Activity::Meeting,
            Self::Training => Activity::Training,
            Self::Available | Self::Busy => Activity::OffQueueWork,
            Self::Away | Self::Idle | Self::Offline => Activity::Unavailable,
        }
    }
}

impl RoutingState {
    pub(crate) const fn upper(self) -> &'static str {
        match self {
            Self::OffQueue => "OFF_QUEUE",
            Self::Idle => "IDLE",
            Self::Interacting => "INTERACTING",
            Self::NotResponding => "NOT_RESPONDING",
            Self::Communicating => "COMMUNICATING",
        }
    }
}

impl Media {
    /// Every medium.
    pub const ALL: [Self; 5] = [
        Self::Voice,
        Self::Callback,
        Self::Chat,
        Self::Email,
        Self::Message,
    ];

    /// As analytics writes it: `voice`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Callback => "callback",
            Self::Chat => "chat",
            Self::Email => "email",
            Self::Message => "message",
        }
    }

    /// Where a participant has it, and the leaf of its topics: `calls`.
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Voice => "calls",
            Self::Callback => "callbacks",
            Self::Chat => "chats",
            Self::Email => "emails",
            Self::Message => "messages",
        }
    }
}
