//! What is said without words: typing, presence, and whether the connection is good. Pure.

use serde_json::Value;

use super::frames::{Kind, envelope};
use super::hear::Request;
use crate::sandbox::guests::fault::GuestFaultName as Name;
use crate::sandbox::guests::json::put;
use crate::sandbox::guests::state::State;

/// Typing and presence.
pub(super) fn events(state: &mut State, request: Request<'_>, message: &Value) {
    let Request {
        connection,
        tracing_id,
        token,
        now,
        ..
    } = request;
    let events = message.get("events").and_then(Value::as_array);
    for event in events.into_iter().flatten() {
        let field = |path: &str| event.pointer(path).and_then(Value::as_str);
        match (field("/eventType"), field("/presence/type")) {
            (Some("Typing"), _) => state.counters.typing_events += 1,
            (Some("Presence"), Some("Join")) => state.welcome(token, now.0),
            (Some("Presence"), Some("Clear")) => {
                state.clear(token, now);
            }
            (Some("Presence"), Some("Disconnect")) => {
                if let Some(guest) = state.guests.get_mut(token) {
                    guest.read_only = true;
                }
            }
            _ => {
                let problem = (400, "Request failed.");
                return state.refuse(connection, problem, tracing_id, now.0);
            }
        }
    }
    let mut body = message.clone();
    put(&mut body, "direction", "Inbound");
    put(&mut body, "id", state.uuid());
    let text = envelope(Kind::Message, "StructuredMessage", 200, &body, tracing_id);
    state.tell(connection, text, now.0);
}

/// `echo`: whether the connection is good for anything. It prolongs nothing.
pub(super) fn health(state: &mut State, request: Request<'_>) {
    let Request {
        connection,
        tracing_id,
        token,
        now,
        ..
    } = request;
    state.counters.health_echoes += 1;
    if state.strike(Name::DropHealth).is_some() {
        return;
    }
    let Some(guest) = state.guests.get(token) else {
        return;
    };
    let until = guest.until.1.as_millis() / 1000;
    let said = request.frame.pointer("/message/text").cloned();
    let body = serde_json::json!({
        "id": state.uuid(),
        "type": "Text",
        "text": said.unwrap_or_default(),
        "direction": "Inbound",
        "metadata": {
            "durationSeconds": state.config.session_duration.as_secs().to_string(),
            "expirationDate": until.to_string(),
        },
    });
    state.respond(connection, "StructuredMessage", &body, tracing_id, now.0);
}
