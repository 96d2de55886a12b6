//! What a code in a frame means (5.10). A table, no state.

use crate::connectors::SendOutcome;

/// What a code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// The session is over for good.
    SessionOver(&'static str),
    /// What was asked for was not done, and would not be another time.
    Refused {
        /// As in `ErrorInfo.reason`.
        reason: &'static str,
        /// The HTTP status that it is like.
        status: u16,
    },
    /// Too fast.
    Throttled,
    /// It may have been done.
    Unknown,
}

pub(super) const SESSION_OVER: &str = "GUEST_SESSION_EXPIRED";

impl Code {
    pub(super) fn of(code: u64) -> Self {
        let refused = |reason, status| Self::Refused { reason, status };
        match code {
            401 => refused("UPSTREAM_UNAUTHENTICATED", 401),
            403 | 4000 | 4017 => refused("UPSTREAM_PERMISSION_DENIED", 403),
            429 | 4029 => Self::Throttled,
            4001 => refused("ATTACHMENT_TYPE_REFUSED", 400),
            4002 => refused("ATTACHMENT_TOO_LARGE", 400),
            4003 => refused("ATTACHMENT_CONTENT_REFUSED", 400),
            4004 | 4005 => refused("ATTACHMENT_NAME_REFUSED", 400),
            4006 => Self::SessionOver("SESSION_EXPIRED"),
            4007 => Self::SessionOver("SESSION_NOT_FOUND"),
            4008..=4010 => refused("ATTACHMENT_UNKNOWN", 400),
            4011 => refused("MESSAGE_TOO_LONG", 400),
            4013 => refused("CUSTOM_ATTRIBUTES_TOO_LARGE", 400),
            // The rest of the client's faults: 4020 is a missing parameter.
            400..=499 | 4000..=4999 => refused("UPSTREAM_REFUSED", 400),
            _ => Self::Unknown,
        }
    }

    /// What it makes of a message.
    pub(super) fn outcome(self, retry_after: std::time::Duration) -> SendOutcome {
        match self {
            // Not taken, and with the session it ends.
            Self::SessionOver(_) => SendOutcome::NotTaken {
                reason: SESSION_OVER,
            },
            Self::Refused { reason, .. } => SendOutcome::Refused { reason },
            Self::Throttled => SendOutcome::Throttled { retry_after },
            Self::Unknown => SendOutcome::Unknown {
                reason: "UPSTREAM_ERROR",
            },
        }
    }

    /// The HTTP status that it is like, where it is an answer to `configureSession`.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::SessionOver(_) => 410,
            Self::Refused { status, .. } => status,
            Self::Throttled => 429,
            Self::Unknown => 503,
        }
    }
}
