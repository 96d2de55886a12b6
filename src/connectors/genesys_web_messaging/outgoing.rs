//! What a guest says: whether the platform would take it, and its frames (5.3).

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use crate::connectors::{Content, Outgoing, Unsendable};
use crate::net::Frame;

/// A bound of our own: the platform has one (4011) and publishes none.
pub(super) const LONGEST_TEXT: usize = 4_096;
/// Custom attributes of one message, as JSON (4013).
pub(super) const MOST_ATTRIBUTES: usize = 2_048;
/// No id of an attachment is longer.
const LONGEST_ATTACHMENT_ID: usize = 200;

/// Whether the platform would take it, with the guest's own attributes beside it.
pub(super) fn check(
    guest: &BTreeMap<String, String>,
    message: &Outgoing<'_>,
) -> Result<(), Unsendable> {
    match message.content {
        Content::Text { text } => fits("message.text.text", text)?,
        Content::QuickReply { text, payload } => {
            fits("message.quick_reply.text", text)?;
            fits("message.quick_reply.payload", payload)?;
        }
        Content::Attachment { id } => {
            if id.is_empty() || id.len() > LONGEST_ATTACHMENT_ID {
                return Err(Unsendable {
                    reason: "ATTACHMENT_UNKNOWN",
                    field: "message.attachment.attachment_id",
                    problem: format!("must have 1 to {LONGEST_ATTACHMENT_ID} bytes"),
                });
            }
        }
    }
    let all = together(guest, message.attributes);
    match attributes_problem(&all) {
        Some(problem) => Err(Unsendable {
            reason: "CUSTOM_ATTRIBUTES_TOO_LARGE",
            field: "message.custom_attributes",
            problem,
        }),
        None => Ok(()),
    }
}

/// What is wrong with attributes, and their limit.
pub(super) fn attributes_problem(attributes: &BTreeMap<String, String>) -> Option<String> {
    let size = serde_json::to_vec(attributes).map_or(0, |json| json.len());
    (!attributes.is_empty() && size > MOST_ATTRIBUTES).then(|| {
        format!("have {size} bytes as JSON, the guest's own included; at most {MOST_ATTRIBUTES}")
    })
}

fn fits(field: &'static str, text: &str) -> Result<(), Unsendable> {
    let length = text.chars().count();
    if text.is_empty() {
        return Err(Unsendable {
            reason: "MESSAGE_EMPTY",
            field,
            problem: "must not be empty".to_owned(),
        });
    }
    if length > LONGEST_TEXT {
        return Err(Unsendable {
            reason: "MESSAGE_TOO_LONG",
            field,
            problem: format!("has {length} characters; at most {LONGEST_TEXT}"),
        });
    }
    Ok(())
}

/// The guest's attributes and the message's own, which count more.
fn together(
    guest: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut all = guest.clone();
    all.extend(own.iter().map(|(key, value)| (key.clone(), value.clone())));
    all
}

/// A frame of the client.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Action<'a> {
    action: &'static str,
    token: &'a str,
    tracing_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_new: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_all_connections: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    r#type: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    content: Vec<Piece<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<Channel>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "contentType")]
enum Piece<'a> {
    Attachment {
        attachment: Attachment<'a>,
    },
    ButtonResponse {
        #[serde(rename = "buttonResponse")]
        button_response: ButtonResponse<'a>,
    },
}

#[derive(Debug, Serialize)]
struct Attachment<'a> {
    id: &'a str,
}

#[derive(Debug, Serialize)]
struct ButtonResponse<'a> {
    text: &'a str,
    payload: &'a str,
    r#type: &'static str,
}

#[derive(Debug, Serialize)]
struct Channel {
    metadata: Metadata,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    custom_attributes: BTreeMap<String, String>,
}

impl<'a> Action<'a> {
    fn new(action: &'static str, token: &'a str, tracing_id: &'a str) -> Self {
        Self {
            action,
            token,
            tracing_id,
            deployment_id: None,
            start_new: None,
            close_all_connections: None,
            message: None,
        }
    }

    /// Never `startNew`: that would leave a conversation that goes on (5.7).
    pub(super) fn configure(token: &'a str, tracing: &'a str, deployment: &'a str) -> Self {
        Self {
            deployment_id: Some(deployment),
            start_new: Some(false),
            ..Self::new("configureSession", token, tracing)
        }
    }

    pub(super) fn jwt(token: &'a str, tracing: &'a str) -> Self {
        Self::new("getJwt", token, tracing)
    }

    pub(super) fn echo(token: &'a str, tracing: &'a str) -> Self {
        Self {
            message: Some(Message {
                r#type: "Text",
                text: "ping",
                content: Vec::new(),
                channel: None,
            }),
            ..Self::new("echo", token, tracing)
        }
    }

    pub(super) fn close(token: &'a str, tracing: &'a str) -> Self {
        Self {
            close_all_connections: Some(true),
            ..Self::new("closeSession", token, tracing)
        }
    }

    /// `guest` are attributes that go along.
    pub(super) fn say(
        token: &'a str,
        message: &'a Outgoing<'_>,
        guest: Option<&BTreeMap<String, String>>,
    ) -> Self {
        let custom_attributes = match guest {
            Some(guest) => together(guest, message.attributes),
            None => message.attributes.clone(),
        };
        let (text, content) = match message.content {
            Content::Text { text } => (text.as_str(), Vec::new()),
            // The mobile client leaves the text to the choice.
            Content::QuickReply { text, payload } => {
                let button_response = ButtonResponse {
                    text,
                    payload,
                    r#type: "QuickReply",
                };
                ("", vec![Piece::ButtonResponse { button_response }])
            }
            Content::Attachment { id } => {
                let attachment = Attachment { id };
                ("", vec![Piece::Attachment { attachment }])
            }
        };
        Self {
            message: Some(Message {
                r#type: "Text",
                text,
                content,
                channel: (!custom_attributes.is_empty()).then_some(Channel {
                    metadata: Metadata { custom_attributes },
                }),
            }),
            ..Self::new("onMessage", token, message.id)
        }
    }

    pub(super) fn frame(&self) -> Frame {
        // Writing texts to memory cannot fail.
        let json = serde_json::to_vec(self).unwrap_or_default();
        Frame::Text(Bytes::from(json))
    }
}
