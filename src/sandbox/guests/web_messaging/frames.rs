//! Envelopes that the platform sends. Pure.

use std::time::Duration;

use serde_json::{Value, json};

use crate::runtime::MonoTime;
use crate::sandbox::guests::fault::{BrokenFrame, GuestFaultName as Name};
use crate::sandbox::guests::json::put;
use crate::sandbox::guests::outbox::{Meaning, Parcel};
use crate::sandbox::guests::state::State;
use crate::sandbox::platform::LOGIN_PAGE;

/// Whether an envelope answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Response,
    Message,
}

/// `{"type", "class", "code", "body", "tracingId"}`.
pub(super) fn envelope(
    kind: Kind,
    class: &str,
    code: u16,
    body: &Value,
    tracing_id: Option<&str>,
) -> String {
    let kind = match kind {
        Kind::Response => "response",
        Kind::Message => "message",
    };
    let mut frame = json!({ "type": kind, "class": class, "code": code, "body": body });
    if let Some(tracing_id) = tracing_id {
        put(&mut frame, "tracingId", tracing_id);
    }
    frame.to_string()
}

/// Something that the platform says of itself.
fn event(kind: Kind, class: &str) -> String {
    envelope(kind, class, 200, &json!({}), None)
}

pub(in crate::sandbox::guests) fn connection_closed() -> String {
    event(Kind::Message, "ConnectionClosedEvent")
}

pub(in crate::sandbox::guests) fn session_expired() -> String {
    event(Kind::Response, "SessionExpiredEvent")
}

pub(in crate::sandbox::guests) fn session_cleared() -> String {
    event(Kind::Message, "SessionClearedEvent")
}

/// A frame that nobody can read, whatever the dialect.
pub(in crate::sandbox::guests) fn broken(form: BrokenFrame) -> String {
    match form {
        BrokenFrame::NotJson => LOGIN_PAGE.to_owned(),
        BrokenFrame::Scalar => "\"lost on its way\"".to_owned(),
        BrokenFrame::WrongTypes => {
            json!({ "type": 7, "class": ["x"], "code": "y", "body": false, "messageId": {} })
                .to_string()
        }
        BrokenFrame::UnknownClass => json!({
            "type": "weather", "class": "WeatherEvent", "code": 200, "body": { "sky": "grey" },
        })
        .to_string(),
    }
}

impl State {
    /// Answers a request.
    pub(super) fn respond(
        &mut self,
        connection: u64,
        class: &str,
        body: &Value,
        tracing_id: Option<&str>,
        now: MonoTime,
    ) {
        let text = envelope(Kind::Response, class, 200, body, tracing_id);
        self.tell(connection, text, now);
    }

    /// The error frame: class `string`, and the code.
    pub(super) fn refuse(
        &mut self,
        connection: u64,
        (code, why): (u16, &str),
        tracing_id: Option<&str>,
        now: MonoTime,
    ) {
        let named = self.named(tracing_id);
        let text = envelope(Kind::Response, "string", code, &why.into(), named);
        self.post_error(connection, code, text, now);
    }

    /// A message is one too many: `retryAfter` in whole seconds.
    pub(super) fn throttled(
        &mut self,
        connection: u64,
        wait: Duration,
        tracing_id: Option<&str>,
        now: MonoTime,
    ) {
        let named = self.named(tracing_id);
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let body = json!({
            "retryAfter": seconds,
            "errorCode": 4029,
            "errorMessage": "Message rate too high for this session",
        });
        let class = "TooManyRequestsErrorMessage";
        let text = envelope(Kind::Response, class, 429, &body, named);
        self.post_error(connection, 4029, text, now);
    }

    fn named<'a>(&mut self, tracing_id: Option<&'a str>) -> Option<&'a str> {
        tracing_id.filter(|_| self.strike(Name::NamelessErrors).is_none())
    }

    fn post_error(&mut self, connection: u64, code: u16, text: String, due: MonoTime) {
        let meaning = Meaning::Error(code);
        let parcel = Parcel { due, text, meaning };
        self.post(connection, parcel);
    }
}
