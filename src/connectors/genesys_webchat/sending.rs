//! What a guest says: whether the platform would take it, how it is written, and what an answer to it
//! means.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::connectors::{Content, Outgoing, SendOutcome, Unsendable};
use crate::domain::WallTime;
use crate::net::{HttpResponse, retry_after};

/// In characters.
pub(super) const LONGEST_TEXT: usize = 4_000;
/// Where the platform gives no `Retry-After`, and what is obeyed of it (U12).
const RETRY_AFTER: Duration = Duration::from_secs(5);
const SHORTEST_RETRY_AFTER: Duration = Duration::from_secs(1);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Whether the platform would take it.
pub(super) fn check(message: &Outgoing<'_>) -> Result<(), Unsendable> {
    let refused = |reason, field, problem: &str| {
        let problem = problem.to_owned();
        Err(Unsendable {
            reason,
            field,
            problem,
        })
    };
    const UNSUPPORTED: &str = "CONTENT_UNSUPPORTED";
    if !message.attributes.is_empty() {
        let problem = "platform genesys-webchat takes none";
        return refused(UNSUPPORTED, "message.custom_attributes", problem);
    }
    let text = match message.content {
        Content::Text { text } => text,
        Content::QuickReply { .. } => {
            let problem = "platform genesys-webchat takes text alone";
            return refused(UNSUPPORTED, "message.quick_reply", problem);
        }
        Content::Attachment { .. } => {
            let problem = "platform genesys-webchat takes text alone";
            return refused(UNSUPPORTED, "message.attachment", problem);
        }
    };
    let length = text.chars().count();
    match length {
        0 => refused("MESSAGE_EMPTY", "message.text.text", "must not be empty"),
        1..=LONGEST_TEXT => Ok(()),
        _ => {
            let problem = format!("has {length} characters; at most {LONGEST_TEXT}");
            refused("MESSAGE_TOO_LONG", "message.text.text", &problem)
        }
    }
}

/// The message as both a frame and a request have it; `None` for what is not text.
pub(super) fn body(message: &Outgoing<'_>) -> Option<Bytes> {
    let Content::Text { text } = message.content else {
        return None;
    };
    let body = json!({ "type": "message", "content": text, "messageId": message.id });
    Some(body.to_string().into())
}

/// What an answer over REST means. 401, 404 and 410 are of the guest's token: the session is over, which the
/// next handshake is told as well.
pub(super) fn outcome(wall: WallTime, answer: &HttpResponse) -> SendOutcome {
    match answer.status.as_u16() {
        200..=299 => SendOutcome::Acknowledged { provider_id: None },
        401 | 404 | 410 => SendOutcome::NotTaken {
            reason: "GUEST_SESSION_EXPIRED",
        },
        403 => SendOutcome::Refused {
            reason: "UPSTREAM_PERMISSION_DENIED",
        },
        413 => SendOutcome::Refused {
            reason: "MESSAGE_TOO_LONG",
        },
        429 => {
            let asked = retry_after(&answer.headers, wall).unwrap_or(RETRY_AFTER);
            SendOutcome::Throttled {
                retry_after: asked.clamp(SHORTEST_RETRY_AFTER, LONGEST_RETRY_AFTER),
            }
        }
        // Something between us gave up (U11); what was behind it may have gone on.
        408 => SendOutcome::Unknown {
            reason: "UPSTREAM_TIMEOUT",
        },
        400..=499 => SendOutcome::Refused {
            reason: "UPSTREAM_REFUSED",
        },
        _ => SendOutcome::Unknown {
            reason: "UPSTREAM_ERROR",
        },
    }
}
