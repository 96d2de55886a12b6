//! What goes back to a client: answers with the platform's headers, whole or broken. Pure.

use std::time::Duration;

use crate::sandbox::platform::Cut;

/// What the server's answer to a poll is about, as `icbranchvalue` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    NewEvents = 1,
    NoEvents = 2,
    EventMissed = 3,
    SessionEnded = 4,
    InvalidSession = 5,
    InvalidTimeout = 7,
}

/// What goes back to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Answer(Answer),
    /// The connection is reset.
    Reset,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    /// Beside those that every answer has.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) cut: Cut,
    /// How long it takes.
    pub(crate) delay: Duration,
}

impl Answer {
    pub(super) fn json(status: u16, body: impl ToString) -> Self {
        Self {
            status,
            content_type: "application/json; charset=utf-8",
            headers: Vec::new(),
            body: body.to_string(),
            cut: Cut::Whole,
            delay: Duration::ZERO,
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self::json(status, "")
    }

    pub(super) fn html(status: u16, body: &str) -> Self {
        Self {
            content_type: "text/html; charset=utf-8",
            ..Self::json(status, body)
        }
    }

    /// An error; what is wrong stands in the header and in the body.
    pub(crate) fn error(status: u16, code: &str, description: &str) -> Self {
        let body = serde_json::json!({ "error": code, "error_description": description });
        Self::json(status, body).described(description)
    }

    /// An error of the Agent API.
    pub(crate) fn refused(status: u16, description: &str) -> Self {
        Self::error(status, word(status), description)
    }

    pub(super) fn described(self, description: &str) -> Self {
        self.with("icStatusDescription", description.to_owned())
    }

    pub(super) fn branch(self, branch: Branch) -> Self {
        self.with("icbranchvalue", (branch as u8).to_string())
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// What a status is called.
fn word(status: u16) -> &'static str {
    match status {
        400 => "invalid_request",
        401 => "invalid_token",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "request_timeout",
        409 => "conflict",
        413 => "too_large",
        429 => "too_many_requests",
        502 => "bad_gateway",
        503 => "service_unavailable",
        504 => "gateway_timeout",
        _ => "error",
    }
}
