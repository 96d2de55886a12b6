//! Frames of a chat, both ways. Pure.

use serde_json::{Value, json};

use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::guests::fault::GuestFaultName as Name;
use crate::sandbox::guests::guest::{Said, Utterance};
use crate::sandbox::guests::json::put;
use crate::sandbox::guests::outbox::{Meaning, Parcel};
use crate::sandbox::guests::record::Via;
use crate::sandbox::guests::state::State;
use crate::sandbox::guests::taking::{Taking, half};
use crate::sandbox::platform::Turn;

/// `messageReceived`: a guest's message was taken.
pub(in crate::sandbox::guests) fn receipt(said: &Utterance) -> String {
    let named = said.request_id.as_deref().unwrap_or(&said.id);
    json!({ "type": "messageReceived", "messageId": named }).to_string()
}

/// A message of the agent; choices are told in words, an end only by the close of the socket.
pub(in crate::sandbox::guests) fn outbound(said: &Utterance) -> Option<String> {
    let text = said.text.as_deref()?;
    let content = match said.choices.is_empty() {
        true => text.to_owned(),
        false => format!("{text} ({})", said.choices.join(" / ")),
    };
    let frame = json!({ "type": "message", "content": content, "messageId": said.id });
    Some(frame.to_string())
}

/// A frame came; `Some` is what becomes of its connection at once.
pub(in crate::sandbox::guests) fn hear(
    state: &mut State,
    connection: u64,
    text: &[u8],
    now: (MonoTime, WallTime),
) -> Option<Turn> {
    let frame: Value = serde_json::from_slice(text).unwrap_or_default();
    let field = |name: &str| frame.get(name).and_then(Value::as_str);
    match (field("type"), field("content"), field("messageId")) {
        (Some("message"), Some(content), Some(id)) => message(state, connection, content, id, now),
        (Some("messageReceived"), _, Some(id)) => {
            state.received(connection, id);
            None
        }
        _ => {
            state.counters.strange_texts += 1;
            None
        }
    }
}

fn message(
    state: &mut State,
    connection: u64,
    content: &str,
    id: &str,
    now: (MonoTime, WallTime),
) -> Option<Turn> {
    *state.counters.actions.entry("message").or_default() += 1;
    let outbox = state.outboxes.get(&connection);
    let session = outbox.and_then(|outbox| outbox.session.clone())?;
    let said = Said {
        session: session.clone(),
        request_id: Some(id.to_owned()),
        text: Some(content.to_owned()),
        content: Vec::new(),
        attributes: std::collections::BTreeMap::new(),
        via: Via::Websocket,
        connection,
    };
    let taking = state.take(said, now);
    let guest = state.guests.get(&session);
    let utterance = guest.and_then(|guest| guest.history.back());
    let text = utterance.map(receipt).unwrap_or_default();
    match taking {
        Taking::Taken(number, late) => {
            let meaning = Meaning::Echo(number);
            let due = now.0 + late;
            state.post(connection, Parcel { due, text, meaning });
            None
        }
        Taking::Silent => None,
        Taking::Reset => Some(Turn::Reset { half_of: None }),
        Taking::ResetInEcho(_) => {
            let half_of = Some(half(&text));
            Some(Turn::Reset { half_of })
        }
        // The source has no error frame: the status goes where those of HTTP are.
        Taking::Throttled(wait) => {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            state.problem(
                connection,
                429,
                "too many messages",
                id,
                Some(seconds),
                now.0,
            );
            None
        }
        Taking::Refused(code, why) => {
            let status = super::rest::status_of(code);
            state.problem(connection, status, why, id, None, now.0);
            None
        }
    }
}

impl State {
    /// `{"type": "error", "status", "message", "messageId", "retryAfter"}`.
    fn problem(
        &mut self,
        connection: u64,
        status: u16,
        why: &str,
        id: &str,
        retry_after: Option<u64>,
        now: MonoTime,
    ) {
        let mut frame = json!({ "type": "error", "status": status, "message": why });
        if self.strike(Name::NamelessErrors).is_none() {
            put(&mut frame, "messageId", id);
        }
        if let Some(seconds) = retry_after {
            put(&mut frame, "retryAfter", seconds);
        }
        let parcel = Parcel {
            due: now,
            text: frame.to_string(),
            meaning: Meaning::Error(status),
        };
        self.post(connection, parcel);
    }

    /// A client says that it has a message of the agent.
    fn received(&mut self, connection: u64, id: &str) {
        let session = self
            .outboxes
            .get(&connection)
            .and_then(|o| o.session.clone());
        let number = self
            .said
            .find_last(|said| said.provider_id == id && Some(&said.session) == session.as_ref());
        match number.and_then(|number| self.said.get_mut(number)) {
            Some(said) => said.received = true,
            None => self.counters.strange_texts += 1,
        }
    }
}
