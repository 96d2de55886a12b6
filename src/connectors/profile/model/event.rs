//! Where things stand in what a platform sends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where in a batch its parts stand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchShape {
    /// JSON pointer to the batch's own number.
    #[serde(default)]
    pub number: Option<String>,
    /// JSON pointer to the list of events.
    #[serde(default)]
    pub events: Option<String>,
}

/// Where in an event its parts stand. An event without a type is kept as `ccaas.unmapped.v1`; the
/// other parts may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventShape {
    /// JSON pointer to the platform's name of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// JSON pointer to its number.
    #[serde(default)]
    pub number: Option<String>,
    /// JSON pointer to the time at which it happened: RFC 3339, or a number (see `numbered_time`).
    #[serde(default)]
    pub time: Option<String>,
    /// What a time that is a number counts, since 1970; `milliseconds` where not given.
    #[serde(default)]
    pub numbered_time: NumberedTime,
    /// JSON pointer to an id that the platform gives each event once. Without `numbering`, repeated
    /// events are recognised by it.
    #[serde(default)]
    pub id: Option<String>,
}

/// What a time that is a number counts, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumberedTime {
    /// Milliseconds.
    #[default]
    Milliseconds,
    /// Seconds.
    Seconds,
}

/// Where in an error its parts stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorShape {
    /// JSON pointer to a number between 400 and 599, which is treated as the status of an answer
    /// would be.
    pub status: String,
    /// JSON pointer to a message for people.
    #[serde(default)]
    pub message: Option<String>,
}

/// What a frame means that has this value at this place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrameRule {
    /// JSON pointer into the frame.
    pub at: String,
    /// The text that stands there; anything at all where not given.
    #[serde(default)]
    pub is: Option<String>,
    /// What such a frame means.
    pub means: FrameMeaning,
}

/// What a frame means that is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrameMeaning {
    /// It answers the oldest heartbeat that is not answered yet.
    Acknowledgement,
    /// It confirms the subscription.
    Confirmation,
    /// The platform will soon close the connection.
    Closing,
    /// It refuses: its status stands where `errors` says, else it is a 400.
    Refusal,
    /// Nothing, except that the connection lives.
    Nothing,
}
