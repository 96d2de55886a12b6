//! [`Speech`]: the words of a platform that pushes: where it is found, what it wants to hear first,
//! how it words an event, a heartbeat's answer and a refusal. Pure.

mod adherence;
mod analytics;
mod described;
mod streaming;

use std::fmt;

use super::config::PushDialect;
use crate::domain::WallTime;
use crate::sandbox::platform::{Draft, code, error_body};

/// The words of one platform.
pub(super) trait Speech: fmt::Debug + Send {
    /// Path of the WebSocket.
    fn socket_path(&self) -> &str;

    /// Path of the token endpoint.
    fn token_path(&self) -> &str;

    /// Path of the health request, if there is one.
    fn health_path(&self) -> Option<&str> {
        None
    }

    /// Where the token stands.
    fn credential(&self) -> Credential {
        Credential::bearer()
    }

    /// Whether a socket must say something first.
    fn wants_subscription(&self) -> bool {
        false
    }

    /// Whether a socket must send heartbeats.
    fn wants_heartbeats(&self) -> bool {
        false
    }

    /// The channels of the story that it tells.
    fn channels(&self) -> &'static [&'static str] {
        &[
            "routing.queueStats",
            "routing.agentEvent",
            "routing.conversationEvent",
        ]
    }

    /// Whether a socket is sent a first batch.
    fn has_first_batch(&self) -> bool {
        false
    }

    /// What a text means.
    fn hear(&self, text: &[u8]) -> Heard;

    /// What confirms a subscription, if anything does.
    fn confirmation(&self) -> Option<String> {
        None
    }

    /// What answers a heartbeat.
    fn acknowledgement(&self, _now: WallTime) -> Option<String> {
        None
    }

    /// An event's name and JSON.
    fn event(&self, number: u64, draft: &Draft, now: WallTime) -> (String, String);

    /// The frames of some events.
    fn frames(&self, events: Vec<String>) -> Vec<String> {
        events
    }

    /// A refusal.
    fn refusal(&self, status: u16, message: &str) -> String {
        error_body(status, code(status), message)
    }
}

/// Where the token stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// In this header, behind this.
    Header { name: String, prefix: String },
    /// In this parameter of the query.
    Query { name: String },
}

impl Credential {
    pub(super) fn bearer() -> Self {
        Self::Header {
            name: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
        }
    }
}

/// What a text means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Subscription,
    /// A heartbeat, and what is wrong with it.
    Heartbeat(Option<String>),
    /// A subscription that is refused with this status.
    Refused(u16, String),
    Strange,
}

/// The words of a dialect.
pub(super) fn speech(dialect: &PushDialect) -> Box<dyn Speech> {
    match dialect {
        PushDialect::Streaming => Box::new(streaming::Streaming),
        PushDialect::Adherence => Box::new(adherence::Adherence),
        PushDialect::Analytics => Box::new(analytics::Analytics),
        PushDialect::Described(profile) => Box::new(described::Described::new(profile)),
    }
}
