//! [`Answer`] and [`Refusal`]: what goes back to a client of the API. Pure.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::genesys_cloud::fields::set;
use crate::sandbox::genesys_cloud::tokens::Unauthorized;

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: String,
}

/// An answer, and how long it takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delayed {
    pub(crate) answer: Answer,
    pub(crate) delay: Duration,
}

/// What a handshake is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UpgradeAnswer {
    /// 101.
    Switch,
    /// Something else.
    Plain(Answer),
    /// Nothing, ever.
    Swallow,
}

/// Why a request is not done, in the platform's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    throttled: Option<Throttled>,
    /// Those that are missing, in one text.
    permissions: Option<String>,
}

/// How long to wait, and what the limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Throttled {
    seconds: u32,
    per_minute: Option<u32>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            retry_after: None,
            body: body.to_string(),
        }
    }

    pub(crate) fn ok(body: &Value) -> Self {
        Self::json(200, body)
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            body: String::new(),
        }
    }
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            throttled: None,
            permissions: None,
        }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "bad.request", message)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            404,
            "not.found",
            format!("The requested {what} was not found."),
        )
    }

    /// One of these would have been enough.
    pub(crate) fn missing(permissions: &[&str]) -> Self {
        let list = permissions.join(", ");
        let (code, message) = match permissions.len() {
            1 => (
                "missing.permissions",
                format!(
                    "Unable to perform the requested action. You are missing the following permission(s): {list}"
                ),
            ),
            _ => (
                "missing.any.permissions",
                format!(
                    "Unable to perform the requested action. You must have at least one of the following permissions assigned: [{list}]"
                ),
            ),
        };
        Self {
            permissions: Some(list),
            ..Self::new(403, code, message)
        }
    }

    /// Too many requests: uniform over all of the API.
    pub(crate) fn throttled(wait: Duration, per_minute: Option<u32>) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let seconds = u32::try_from(seconds.max(1)).unwrap_or(u32::MAX);
        Self {
            throttled: Some(Throttled {
                seconds,
                per_minute,
            }),
            ..Self::new(
                429,
                "too.many.requests.retry.after",
                format!(
                    "Rate limit exceeded the maximum. Retry the request in [{seconds}] seconds"
                ),
            )
        }
    }

    /// What a fault answers.
    pub(crate) fn injected(status: u16) -> Self {
        if status == 429 {
            return Self::throttled(Duration::from_secs(5), None);
        }
        Self::new(status, code(status), "The request could not be completed.")
    }

    pub(crate) fn unauthorized(why: Unauthorized, per_minute: Option<u32>) -> Self {
        match why {
            Unauthorized::Missing => Self::new(
                401,
                "authentication.required",
                "No authentication bearer token specified in authorization header.",
            ),
            Unauthorized::Unknown => {
                Self::new(401, "bad.credentials", "Invalid login credentials.")
            }
            Unauthorized::Expired => Self::new(
                401,
                "credentials.expired",
                "The supplied credentials have expired.",
            ),
            Unauthorized::Throttled(wait) => Self::throttled(wait, per_minute),
        }
    }

    /// The body that every failure of the API has.
    pub(crate) fn into_answer(self, correlation: &str) -> Answer {
        let params = match self.permissions {
            Some(list) => json!({ "permissions": list }),
            None => json!({}),
        };
        let mut body = json!({
            "message": self.message, "code": self.code, "status": self.status,
            "messageParams": params, "contextId": correlation,
            "details": [], "errors": [],
        });
        let limit = self.throttled.map(|throttled| {
            json!({
                "key": "client.credentials.token.rate.per.minute",
                "namespace": "platform.api",
                "value": throttled.per_minute,
            })
        });
        set(&mut body, [("limit", limit)]);
        Answer {
            retry_after: self
                .throttled
                .map(|throttled| throttled.seconds.to_string()),
            ..Answer::json(self.status, &body)
        }
    }
}

/// The name of a status, in the platform's words.
pub(crate) const fn code(status: u16) -> &'static str {
    match status {
        400 => "bad.request",
        401 => "bad.credentials",
        403 => "not.authorized",
        404 => "not.found",
        408 => "request.timeout",
        409 => "conflict",
        413 => "request.entity.too.large",
        415 => "unsupported.media.type",
        426 => "upgrade.required",
        502 => "bad.gateway",
        503 => "service.unavailable",
        504 => "gateway.timeout",
        _ => "internal.server.error",
    }
}
