//! Frames of a guest, and what comes of them. Pure.

use serde_json::Value;

use super::signals::{events, health};
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::guests::guest::Said;
use crate::sandbox::guests::outbox::{Meaning, Parcel};
use crate::sandbox::guests::record::Via;
use crate::sandbox::guests::state::State;
use crate::sandbox::guests::taking::{Taking, half};
use crate::sandbox::platform::Turn;

/// Characters of a message at most.
const LONGEST_TEXT: usize = 4096;
/// Bytes of custom attributes at most.
pub(super) const LARGEST_ATTRIBUTES: usize = 2048;

/// A frame, with what most of them have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) connection: u64,
    pub(super) frame: &'a Value,
    pub(super) tracing_id: Option<&'a str>,
    pub(super) token: &'a str,
    /// Where this platform is reached, for addresses that it hands out.
    pub(super) base: &'a str,
    pub(super) now: (MonoTime, WallTime),
}

impl<'a> Request<'a> {
    /// A field that is text.
    pub(super) fn text(&self, field: &str) -> Option<&'a str> {
        self.frame.get(field)?.as_str()
    }

    pub(super) fn flag(&self, field: &str) -> bool {
        self.frame
            .get(field)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }
}

/// A frame came; `Some` is what becomes of its connection at once.
pub(in crate::sandbox::guests) fn hear(
    state: &mut State,
    (connection, base): (u64, &str),
    text: &[u8],
    now: (MonoTime, WallTime),
) -> Option<Turn> {
    let frame: Value = serde_json::from_slice(text).unwrap_or_default();
    let field = |name: &str| frame.get(name).and_then(Value::as_str);
    let tracing_id = field("tracingId");
    let Some(action) = field("action").filter(|_| frame.is_object()) else {
        state.counters.strange_texts += 1;
        state.refuse(connection, (400, "Request failed."), tracing_id, now.0);
        return None;
    };
    let Some(token) = field("token").filter(|token| !token.is_empty()) else {
        let problem = (4020, "missing parameter: token");
        state.refuse(connection, problem, tracing_id, now.0);
        return None;
    };
    let request = Request {
        connection,
        frame: &frame,
        tracing_id,
        token,
        base,
        now,
    };
    dispatch(state, request, action)
}

fn dispatch(state: &mut State, request: Request<'_>, action: &str) -> Option<Turn> {
    let known = ACTIONS.iter().find(|known| **known == action);
    if let Some(known) = known {
        *state.counters.actions.entry(known).or_default() += 1;
    }
    match action {
        "configureSession" => state.configure(request),
        "configureAuthenticatedSession" => {
            state.refuse_request(request, 401, "User is unauthorized")
        }
        "getConfiguration" => state.refuse_request(request, 4000, "feature unavailable"),
        _ if known.is_none() => {
            state.counters.strange_texts += 1;
            state.refuse_request(request, 400, "Request failed.");
        }
        _ if !state.may_ask(request) => {}
        "onMessage" => return on_message(state, request),
        "echo" => health(state, request),
        "getJwt" => {
            let Request {
                connection,
                token,
                tracing_id,
                now,
                ..
            } = request;
            state.get_jwt(connection, token, tracing_id, now);
        }
        "closeSession" => state.close_session(request),
        "onAttachment" => state.on_attachment(request),
        "getAttachment" => state.get_attachment(request),
        "deleteAttachment" => state.delete_attachment(request),
        _ => {}
    }
    None
}

const ACTIONS: [&str; 10] = [
    "configureSession",
    "configureAuthenticatedSession",
    "getConfiguration",
    "onMessage",
    "echo",
    "getJwt",
    "closeSession",
    "onAttachment",
    "getAttachment",
    "deleteAttachment",
];

impl State {
    pub(super) fn refuse_request(&mut self, request: Request<'_>, code: u16, why: &str) {
        let Request {
            connection,
            tracing_id,
            now,
            ..
        } = request;
        self.refuse(connection, (code, why), tracing_id, now.0);
    }

    /// Whether a connection has configured the session that it asks about.
    fn may_ask(&mut self, request: Request<'_>) -> bool {
        let outbox = self.outboxes.get(&request.connection);
        let own = outbox.and_then(|outbox| outbox.session.as_deref()) == Some(request.token);
        let problem = match self.guests.get(request.token).filter(|_| own) {
            None => (4007, "session not found"),
            Some(guest) if guest.expired => (4006, "session expired"),
            Some(_) => return true,
        };
        self.refuse_request(request, problem.0, problem.1);
        false
    }
}

/// `onMessage`: a text, a structured message, or events.
fn on_message(state: &mut State, request: Request<'_>) -> Option<Turn> {
    let Some(message) = request.frame.get("message").filter(|m| m.is_object()) else {
        state.refuse_request(request, 4020, "missing parameter: message");
        return None;
    };
    let Request {
        connection,
        tracing_id,
        now,
        ..
    } = request;
    let content = match message.get("content") {
        Some(Value::Array(content)) => content.clone(),
        _ => Vec::new(),
    };
    let text = message.get("text").and_then(Value::as_str);
    let problem = match message.get("type").and_then(Value::as_str) {
        Some("Event") => {
            events(state, request, message);
            return None;
        }
        Some("Text" | "Structured") if text.is_none() && content.is_empty() => {
            Some((4020, "missing parameter: text"))
        }
        Some("Text" | "Structured") if text.is_some_and(|t| t.chars().count() > LONGEST_TEXT) => {
            Some((4011, "message too long"))
        }
        Some("Text" | "Structured") => None,
        _ => Some((400, "Request failed.")),
    };
    // Two clients of the vendor put it at two places.
    let channel = message
        .get("channel")
        .or_else(|| request.frame.get("channel"));
    let attributes = channel.and_then(|channel| channel.pointer("/metadata/customAttributes"));
    let size = attributes.map_or(0, |attributes| attributes.to_string().len());
    let problem = problem
        .or_else(|| {
            let why = "Custom Attributes in channel metadata is larger than 2048 bytes";
            (size > LARGEST_ATTRIBUTES).then_some((4013, why))
        })
        .or_else(|| state.attachment_problem(request.token, &content));
    if let Some((code, why)) = problem {
        state.counters.messages_refused += 1;
        state.refuse_request(request, code, why);
        return None;
    }
    let attributes = attributes.and_then(Value::as_object).into_iter().flatten();
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let said = Said {
        session: request.token.to_owned(),
        request_id: tracing_id.map(str::to_owned),
        text: text.map(str::to_owned),
        content,
        attributes: attributes
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect(),
        via: Via::Websocket,
        connection,
    };
    let taking = state.take(said, now);
    answer(state, request, taking)
}

fn answer(state: &mut State, request: Request<'_>, taking: Taking) -> Option<Turn> {
    let Request {
        connection,
        tracing_id,
        token,
        now: (now, _),
        ..
    } = request;
    let said = state
        .guests
        .get(token)
        .and_then(|guest| guest.history.back());
    let echo = said.map(super::echo).unwrap_or_default();
    match taking {
        Taking::Reset => return Some(Turn::Reset { half_of: None }),
        Taking::ResetInEcho(_) => {
            let half_of = Some(half(&echo));
            return Some(Turn::Reset { half_of });
        }
        Taking::Silent => {}
        Taking::Throttled(wait) => state.throttled(connection, wait, tracing_id, now),
        Taking::Refused(code, why) => state.refuse_request(request, code, why),
        Taking::Taken(number, late) => {
            let meaning = Meaning::Echo(number);
            let due = now + late;
            let text = echo.clone();
            state.post(connection, Parcel { due, text, meaning });
            for other in state.sockets_of(token) {
                if other != connection {
                    state.tell(other, echo.clone(), now);
                }
            }
        }
    }
    None
}
