//! [`Body`]: a message or event of the conversation, as frames and history have it (5.4).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::connectors::Content;
use crate::domain::WallTime;

/// What is read of it; what is not named here stays in the bytes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Body {
    pub(super) id: Option<String>,
    pub(super) r#type: Option<String>,
    pub(super) text: Option<String>,
    pub(super) direction: Option<String>,
    pub(super) channel: Option<Channel>,
    pub(super) content: Option<Vec<Piece>>,
    events: Option<Vec<Happening>>,
    metadata: Option<HashMap<String, Value>>,
    pub(super) originating_entity: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Channel {
    time: Option<String>,
}

/// A piece of content, of any kind.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Piece {
    content_type: Option<String>,
    pub(super) attachment: Option<Attachment>,
    button_response: Option<ButtonResponse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Attachment {
    pub(super) id: Option<String>,
    pub(super) filename: Option<String>,
    pub(super) file_name: Option<String>,
    pub(super) file_size: Option<u64>,
    pub(super) mime: Option<String>,
    pub(super) url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ButtonResponse {
    text: Option<String>,
    payload: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Happening {
    event_type: Option<String>,
    presence: Option<Presence>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Presence {
    r#type: Option<String>,
}

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The guest's.
    Inbound,
    /// The contact centre's.
    Outbound,
}

impl Body {
    pub(super) fn side(&self) -> Option<Side> {
        match self.direction.as_deref()? {
            word if word.eq_ignore_ascii_case("inbound") => Some(Side::Inbound),
            word if word.eq_ignore_ascii_case("outbound") => Some(Side::Outbound),
            _ => None,
        }
    }

    /// Whether it says something, as opposed to typing and presence.
    pub(super) fn is_message(&self) -> bool {
        match self.r#type.as_deref() {
            Some(word) => {
                word.eq_ignore_ascii_case("text") || word.eq_ignore_ascii_case("structured")
            }
            None => self.text.is_some(),
        }
    }

    pub(super) fn time(&self) -> Option<WallTime> {
        WallTime::parse_rfc3339(self.channel.as_ref()?.time.as_deref()?)
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }

    /// The id that its sender gave it, by which the mobile client knows its own.
    pub(super) fn own_id(&self) -> Option<&str> {
        let id = self.metadata.as_ref()?.get("customMessageId")?.as_str()?;
        (!id.is_empty()).then_some(id)
    }

    /// A value of the metadata, where numbers and truth values are texts (5.6).
    pub(super) fn metadata(&self, key: &str) -> Option<String> {
        match self.metadata.as_ref()?.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Whether the agent left for good: nothing can be said any more.
    pub(super) fn ends_session(&self) -> bool {
        let left = self.events.iter().flatten().any(|event| {
            let kind = event.presence.as_ref().and_then(|p| p.r#type.as_deref());
            event.event_type.as_deref() == Some("Presence") && kind == Some("Disconnect")
        });
        left && self.metadata("readOnly").as_deref() == Some("true")
    }

    /// What it says, as a guest would say it; `None` where that cannot be told.
    pub(super) fn content(&self) -> Option<Content> {
        let text = self.text.clone().filter(|text| !text.is_empty());
        match (self.content.as_deref().unwrap_or_default(), text) {
            ([], text) => text.map(|text| Content::Text { text }),
            ([piece], text) => match (piece.content_type.as_deref()?, text) {
                ("Attachment", None) => {
                    let id = piece.attachment.as_ref()?.id.clone()?;
                    Some(Content::Attachment { id })
                }
                ("ButtonResponse", text) => {
                    let chosen = piece.button_response.as_ref()?;
                    let text = chosen.text.clone().or(text)?;
                    let payload = chosen.payload.clone()?;
                    Some(Content::QuickReply { text, payload })
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// What a person reads of it.
    pub(super) fn shown(&self) -> String {
        let text = self.text.clone().filter(|text| !text.is_empty());
        let chosen = self.content.iter().flatten();
        let mut chosen = chosen.filter_map(|piece| piece.button_response.as_ref()?.text.clone());
        text.or_else(|| chosen.next()).unwrap_or_default()
    }
}
