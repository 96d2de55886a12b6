//! Answers about channels and their subscriptions.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;
use zeroize::Zeroizing;

use super::rest::json;
use crate::connectors::{Control, Unreadable};

/// No reason is longer.
const LONGEST_REASON: usize = 300;

/// A channel that was made.
#[derive(Debug)]
pub(super) struct Created {
    pub(super) id: String,
    pub(super) uri: Url,
}

/// Reads the answer to a creation. Whether the address may be used is for who opens it.
pub(super) fn created(body: &Bytes) -> Result<Created, Unreadable> {
    const WHAT: &str = "channel";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        id: String,
        connect_uri: String,
    }
    let wrong = |reason: &str| Unreadable {
        what: WHAT,
        reason: reason.to_owned(),
    };
    let body: Body = json(WHAT, body)?;
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if body.id.is_empty() || body.id.len() > 200 || !body.id.bytes().all(known) {
        return Err(wrong("its id is none"));
    }
    let uri = Zeroizing::new(body.connect_uri);
    let uri = Url::parse(&uri).map_err(|_| wrong("its connectUri is no address"))?;
    if !matches!(uri.scheme(), "ws" | "wss") {
        return Err(wrong("its connectUri is not for a WebSocket"));
    }
    Ok(Created { id: body.id, uri })
}

/// How many channels a listing holds.
pub(super) fn channels(body: &Bytes) -> Result<usize, Unreadable> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        entities: Vec<&'a RawValue>,
    }
    let body: Body<'_> = json("channel list", body)?;
    Ok(body.entities.len())
}

/// The refused topics of a subscription, with the reason (2.6).
pub(super) fn rejected(body: &Bytes) -> Result<Vec<(String, String)>, Unreadable> {
    #[derive(Deserialize)]
    struct Body {
        entities: Vec<Topic>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Topic {
        id: String,
        state: Option<String>,
        rejection_reason: Option<String>,
        missing_permissions: Option<Vec<String>>,
    }
    let body: Body = json("subscriptions", body)?;
    let refused = body.entities.into_iter().filter(|topic| {
        let state = topic.state.as_deref().unwrap_or_default();
        state.eq_ignore_ascii_case("rejected")
    });
    let told = refused.map(|topic| {
        let mut parts = Vec::new();
        if let Some(missing) = topic.missing_permissions.filter(|m| !m.is_empty()) {
            parts.push(format!("missing {}", missing.join(", ")));
        }
        parts.extend(topic.rejection_reason.filter(|r| !r.is_empty()));
        if parts.is_empty() {
            parts.push("REJECTED".to_owned());
        }
        (short(&topic.id), short(&parts.join(": ")))
    });
    Ok(told.collect())
}

pub(super) fn rejection((topic, reason): &(String, String)) -> Control {
    Control::TopicRejected {
        topic: topic.clone(),
        reason: reason.clone(),
    }
}

/// As much of a text of the platform as a state shows.
pub(super) fn short(text: &str) -> String {
    text.chars().take(LONGEST_REASON).collect()
}
