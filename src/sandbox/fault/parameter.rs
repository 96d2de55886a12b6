//! The choices that faults leave: which transport, how much, in what form.

use serde::{Deserialize, Serialize};

/// Which transport a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Either.
    #[default]
    Any,
    /// WebSocket.
    Websocket,
    /// Long poll.
    Poll,
}

impl On {
    /// Whether a fault with this choice strikes `transport`.
    #[must_use]
    pub fn covers(self, transport: Self) -> bool {
        self == Self::Any || self == transport
    }
}

/// How much is sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Portion {
    /// One event of the batch.
    #[default]
    Event,
    /// The batch.
    Batch,
}

/// What is wrong with a malformed event. All are valid JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malformation {
    /// `eventType` is missing.
    #[default]
    NoType,
    /// `eventType` is a number, `timestamp` a boolean, `data` a string.
    WrongTypes,
    /// A string stands where an object should; it has no number of its own.
    Scalar,
}

/// How the token endpoint refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRefusal {
    /// 401 `invalid_client`.
    #[default]
    InvalidClient,
    /// 400 `invalid_grant`.
    InvalidGrant,
    /// 429 with `Retry-After`.
    RateLimit,
    /// 400 whose description says `rate limit exceeded`.
    RateLimit400,
}
