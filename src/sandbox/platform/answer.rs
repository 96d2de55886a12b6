//! What goes back to a client: answers, whole or broken. Pure.

use std::time::Duration;

use super::batch::error;

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
    pub(crate) retry_after: Option<String>,
    pub(crate) body: String,
    pub(crate) cut: Cut,
}

/// Where a body ends before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Whole,
    /// Half of it, and its length says so.
    Text,
    /// Half of it, and then the connection ends.
    Connection,
}

/// A reply, and how long it takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delayed {
    pub(crate) reply: Reply,
    pub(crate) delay: Duration,
}

/// What a handshake is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UpgradeAnswer {
    /// 101.
    Switch,
    /// Something else.
    Plain(Reply),
    /// Nothing, ever.
    Swallow,
}

/// Who asks: the token of the request, if it had one.
pub(crate) type Bearer = Option<String>;

impl Answer {
    pub(crate) fn json(status: u16, body: String) -> Self {
        Self {
            status,
            content_type: "application/json",
            retry_after: None,
            body,
            cut: Cut::Whole,
        }
    }

    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self {
            content_type: "text/html; charset=utf-8",
            ..Self::json(status, body.to_owned())
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::json(status, String::new())
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, error(status, code, message))
    }

    pub(super) fn throttled(wait: Duration) -> Self {
        Self {
            retry_after: Some(whole_seconds(wait)),
            ..Self::error(429, "too.many.requests", "rate limit exceeded")
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl From<Answer> for Delayed {
    fn from(answer: Answer) -> Self {
        Self {
            reply: answer.into(),
            delay: Duration::ZERO,
        }
    }
}

/// The name of a status, in the platform's words.
pub(crate) fn code(status: u16) -> &'static str {
    match status {
        400 => "bad.request",
        401 => "authentication.required",
        403 => "missing.any.permissions",
        404 => "not.found",
        408 => "request.timeout",
        410 => "gone",
        426 => "upgrade.required",
        429 => "too.many.requests",
        502 => "bad.gateway",
        503 => "service.unavailable",
        504 => "gateway.timeout",
        _ => "internal.server.error",
    }
}

pub(super) fn whole_seconds(wait: Duration) -> String {
    whole(wait).max(1).to_string()
}

/// Whole seconds, rounded up.
pub(crate) fn whole(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
