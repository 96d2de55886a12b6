//! genesys-adherence: the token in the address, a subscription as first frame, two envelopes.

use serde_json::{Value, json};

use super::{Credential, Heard, Speech};
use crate::domain::WallTime;
use crate::sandbox::platform::{Draft, decimals, quoted};

#[derive(Debug)]
pub(super) struct Adherence;

impl Speech for Adherence {
    fn socket_path(&self) -> &'static str {
        "/api/v2/notifications"
    }

    fn token_path(&self) -> &'static str {
        "/oauth/token"
    }

    fn credential(&self) -> Credential {
        Credential::Query {
            name: "access_token".to_owned(),
        }
    }

    fn wants_subscription(&self) -> bool {
        true
    }

    fn channels(&self) -> &'static [&'static str] {
        &["routing.agentEvent"]
    }

    fn hear(&self, text: &[u8]) -> Heard {
        let Ok(frame) = serde_json::from_slice::<Value>(text) else {
            return Heard::Strange;
        };
        if frame.get("type") != Some(&"subscribe".into()) {
            return Heard::Strange;
        }
        match frame.pointer("/data/resource").and_then(Value::as_str) {
            Some("wfm/adherence") => Heard::Subscription,
            _ => Heard::Refused(400, "no such resource".to_owned()),
        }
    }

    fn event(&self, number: u64, draft: &Draft, now: WallTime) -> (String, String) {
        let data: Value = serde_json::from_str(&draft.data).unwrap_or_default();
        let agent = data
            .get("agentId")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (state, scheduled, actual) = match data.get("state").and_then(Value::as_str) {
            Some("BREAK") => ("OutOfAdherence", "OnQueueWork", "Break"),
            Some("OFFLINE") => ("Unscheduled", "Unavailable", "Unavailable"),
            _ => ("InAdherence", "OnQueueWork", "OnQueueWork"),
        };
        let mut body = json!({
            "user": { "id": agent },
            "managementUnitId": "b2a4e6f8-1c3d-4e5f-8a9b-0c1d2e3f4a5b",
            "team": { "id": "5a6b7c8d-9e0f-4a1b-8c2d-3e4f5a6b7c8d" },
            "scheduledActivityCategory": scheduled,
            "actualActivityCategory": actual,
            "adherenceState": state,
            "impact": if state == "OutOfAdherence" { "Negative" } else { "Neutral" },
            "adherenceChangeTime": decimals(now),
        });
        if let (Some(note), Some(body)) = (data.get("note"), body.as_object_mut()) {
            body.insert("note".to_owned(), note.clone());
        }
        if number.is_multiple_of(2) {
            let topic = format!("v2.users.{agent}.workforcemanagement.adherence");
            let event = format!(
                "{{\"topicName\":{},\"version\":\"2\",\"eventBody\":{body}}}",
                quoted(&topic)
            );
            return (topic, event);
        }
        let name = "wfm.adherence.changed";
        (
            name.to_owned(),
            format!("{{\"type\":\"{name}\",\"data\":{body}}}"),
        )
    }

    fn refusal(&self, status: u16, message: &str) -> String {
        let message = quoted(message);
        format!("{{\"type\":\"error\",\"status\":{status},\"message\":{message}}}")
    }
}
