//! Why a guest's session is not opened, or not closed.

use std::time::Duration;

/// Why a session is not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateProblem {
    /// The configuration has no such template.
    #[error("there is no such session template")]
    NoTemplate,
    /// The name is that of a session of the configuration, or of another template's.
    #[error("the name belongs to another session")]
    NameTaken,
    /// A session of this name is over. The name is free again a day later: what was meant for one
    /// conversation is not to reach another (U39).
    #[error("a session of this name is over; choose another name")]
    Over,
    /// As many stand as may.
    #[error("{limit} sessions stand, as many as max_dynamic_sessions allows")]
    Quota {
        /// `max_dynamic_sessions`.
        limit: u32,
        /// When to ask again.
        retry_after: Duration,
    },
    /// The platform does not know a guest by these attributes.
    #[error("guest_attributes {reason}")]
    Attributes {
        /// What is wrong with them.
        reason: String,
    },
    /// The platform cannot be given these settings.
    #[error("the template cannot be used: {reason}")]
    Settings {
        /// What is wrong with it.
        reason: String,
    },
    /// The journal takes nothing, so that the session would not be found again.
    #[error("the journal takes nothing at the moment")]
    ReadOnly {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The sidecar is about to end.
    #[error("the sidecar is about to end")]
    Draining {
        /// When to ask again.
        retry_after: Duration,
    },
}

/// Why a session is not closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseProblem {
    /// No such session was opened.
    #[error("no such session was opened")]
    NotFound,
    /// The journal takes nothing, or the sidecar is about to end.
    #[error("the session cannot be closed at the moment")]
    Unavailable {
        /// When to ask again.
        retry_after: Duration,
    },
}
