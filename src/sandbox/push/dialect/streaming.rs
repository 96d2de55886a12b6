//! genesys-streaming: data and heartbeats as frames that have a `type`.

use serde_json::Value;

use super::{Heard, Speech};
use crate::domain::WallTime;
use crate::sandbox::platform::{Draft, code, quoted};

/// What the gateway takes.
const LARGEST: usize = 1024;
/// A client may have counted its frame before it wrote the count into it.
const DIGITS: u64 = 4;

#[derive(Debug)]
pub(super) struct Streaming;

impl Speech for Streaming {
    fn socket_path(&self) -> &'static str {
        "/api/v2/streaming/"
    }

    fn token_path(&self) -> &'static str {
        "/api/v2/oauth/token"
    }

    fn wants_heartbeats(&self) -> bool {
        true
    }

    fn hear(&self, text: &[u8]) -> Heard {
        match serde_json::from_slice::<Value>(text) {
            Ok(frame) if frame.get("type") == Some(&"KEEP_ALIVE".into()) => {
                Heard::Heartbeat(objection(&frame, text.len()))
            }
            _ => Heard::Strange,
        }
    }

    fn acknowledgement(&self, now: WallTime) -> Option<String> {
        let now = now.as_millis();
        Some(format!(
            "{{\"type\":\"KEEP_ALIVE_ACK\",\"timestamp\":{now}}}"
        ))
    }

    fn event(&self, _number: u64, draft: &Draft, now: WallTime) -> (String, String) {
        let (name, now, data) = (&draft.channel, now.as_millis(), &draft.data);
        let event = format!(
            "{{\"type\":\"STREAMING_DATA\",\"timestamp\":{now},\"eventType\":{},\"data\":{data}}}",
            quoted(name)
        );
        (name.to_string(), event)
    }

    fn refusal(&self, status: u16, message: &str) -> String {
        format!(
            "{{\"type\":\"ERROR\",\"status\":{status},\"code\":{},\"message\":{}}}",
            quoted(code(status)),
            quoted(message)
        )
    }
}

/// What the gateway holds against a heartbeat.
fn objection(frame: &Value, bytes: usize) -> Option<String> {
    if bytes > LARGEST {
        return Some(format!("payload of {bytes} bytes exceeds {LARGEST}"));
    }
    let number = |pointer: &str| frame.pointer(pointer).and_then(Value::as_u64);
    let text = |pointer: &str| frame.pointer(pointer).and_then(Value::as_str);
    if text("/connectionId").is_none_or(|id| id.len() != 36) {
        return Some("connectionId is no UUID".to_owned());
    }
    let state = text("/intervalMatrix/state");
    if !matches!(state, Some("STABLE" | "DEGRADED" | "RECONNECTING")) {
        return Some("intervalMatrix.state is unknown".to_owned());
    }
    let (Some(now), Some(interval), Some(next)) = (
        number("/timestamp"),
        number("/intervalMatrix/current"),
        number("/intervalMatrix/nextExpected"),
    ) else {
        return Some("timestamp or intervalMatrix is incomplete".to_owned());
    };
    if next != now + interval {
        return Some("nextExpected does not follow from the interval".to_owned());
    }
    let counted = number("/sizeDirective/bytes").is_some_and(|n| n.abs_diff(bytes as u64) < DIGITS);
    let most = number("/sizeDirective/maxAllowed") == Some(LARGEST as u64);
    let plain = frame.pointer("/sizeDirective/compression") == Some(&Value::Bool(false));
    (!(counted && most && plain)).then(|| "sizeDirective is wrong".to_owned())
}
