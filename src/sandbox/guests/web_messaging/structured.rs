//! `StructuredMessage`: what was said, as it is pushed and as the history shows it. Pure.

use serde_json::{Value, json};

use super::frames::{Kind, envelope};
use crate::sandbox::guests::guest::Utterance;
use crate::sandbox::guests::json::put;
use crate::sandbox::platform::decimals;

/// The body of a `StructuredMessage`. It has no field for what the client called the message.
pub(super) fn body(said: &Utterance) -> Value {
    let direction = match said.inbound {
        true => "Inbound",
        false => "Outbound",
    };
    let time = decimals(said.at);
    let mut channel = json!({ "time": time, "messageId": said.id, "type": "Private" });
    if !said.inbound {
        put(&mut channel, "from", json!({ "nickname": "Agent" }));
    }
    let mut body = json!({
        "id": said.id,
        "type": "Text",
        "direction": direction,
        "channel": channel,
        "metadata": {},
    });
    if let Some(text) = &said.text {
        put(&mut body, "text", text.as_str());
    }
    if !said.content.is_empty() {
        put(&mut body, "content", said.content.clone());
    }
    if !said.inbound {
        put(&mut body, "originatingEntity", "Human");
    }
    if !said.choices.is_empty() {
        let choice = |text: &String| {
            json!({
                "contentType": "QuickReply",
                "quickReply": { "text": text, "payload": text, "action": "Message" },
            })
        };
        put(&mut body, "type", "Structured");
        let choices: Vec<_> = said.choices.iter().map(choice).collect();
        put(&mut body, "content", choices);
    }
    if said.ends {
        put(&mut body, "type", "Event");
        let presence = json!({ "eventType": "Presence", "presence": { "type": "Disconnect" } });
        put(&mut body, "events", vec![presence]);
    }
    body
}

/// A guest's own message comes back: that is its acknowledgement.
pub(in crate::sandbox::guests) fn echo(said: &Utterance) -> String {
    let class = "StructuredMessage";
    let named = said.request_id.as_deref();
    envelope(Kind::Message, class, 200, &body(said), named)
}

/// A message of the agent.
pub(in crate::sandbox::guests) fn outbound(said: &Utterance) -> String {
    envelope(Kind::Message, "StructuredMessage", 200, &body(said), None)
}
