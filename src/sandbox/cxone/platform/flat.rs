//! [`Flat`]: an event as the platform writes it: one flat object, `Type` first, every value a
//! string. Pure.

use std::fmt::Write as _;

use crate::domain::WallTime;
use crate::sandbox::platform::quoted;

/// An event that is being written.
#[derive(Debug, Clone)]
pub(super) struct Flat {
    kind: &'static str,
    fields: String,
}

impl Flat {
    pub(super) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            fields: String::new(),
        }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.put(name, &quoted(value));
        self
    }

    pub(super) fn number(self, name: &str, value: u64) -> Self {
        self.with(name, &value.to_string())
    }

    pub(super) fn flag(self, name: &str, value: bool) -> Self {
        self.with(name, if value { "True" } else { "False" })
    }

    /// A time and its twin in UTC; the tenant's own time is UTC, too.
    pub(super) fn times(self, name: &str, time: WallTime) -> Self {
        let text = milliseconds(time);
        self.with(name, &text).with(&format!("{name}UTC"), &text)
    }

    /// A value that is no string; the platform has few.
    pub(super) fn json(mut self, name: &str, value: &str) -> Self {
        self.put(name, value);
        self
    }

    fn put(&mut self, name: &str, json: &str) {
        let written = write!(self.fields, ",{}:{json}", quoted(name));
        debug_assert!(written.is_ok(), "a string takes everything");
    }

    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    /// The event's JSON.
    pub(super) fn body(&self, type_key: TypeKey) -> String {
        let key = match type_key {
            TypeKey::Usual => "Type",
            TypeKey::LowerCase => "type",
        };
        format!("{{\"{key}\":\"{}\"{}}}", self.kind, self.fields)
    }
}

/// How the key is written that names an event's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeKey {
    Usual,
    LowerCase,
}

/// A time as agent events have it: UTC, three digits, `Z`.
pub(super) fn milliseconds(time: WallTime) -> String {
    digits(WallTime::from_millis(time.as_millis()), 3)
}

/// A time as the real-time resources have it: UTC, seven digits, `Z`.
pub(super) fn ticks(time: WallTime) -> String {
    digits(WallTime::from_nanos(time.as_nanos() / 100 * 100), 7)
}

fn digits(time: WallTime, width: usize) -> String {
    let text = time.to_string();
    let text = text.trim_end_matches('Z');
    let (date, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{date}.{fraction:0<width$}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_flat_and_every_value_is_a_string() {
        let time = WallTime::parse_rfc3339("2026-03-10T09:41:07.5502139Z").unwrap();
        let event = Flat::new("AgentState")
            .with("CurrentState", "Un\"available")
            .flag("IsAcw", true)
            .number("AcwTimeout", 30)
            .times("StartTime", time);
        let body = event.body(TypeKey::Usual);
        assert_eq!(
            body,
            "{\"Type\":\"AgentState\",\"CurrentState\":\"Un\\\"available\",\"IsAcw\":\"True\",\
             \"AcwTimeout\":\"30\",\"StartTime\":\"2026-03-10T09:41:07.550Z\",\
             \"StartTimeUTC\":\"2026-03-10T09:41:07.550Z\"}"
        );
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        let object = value.as_object().unwrap();
        assert!(object.values().all(serde_json::Value::is_string));
        assert!(event.body(TypeKey::LowerCase).starts_with("{\"type\":"));
        assert_eq!(ticks(time), "2026-03-10T09:41:07.5502139Z");
        let whole = WallTime::parse_rfc3339("2026-03-10T09:41:07Z").unwrap();
        assert_eq!(milliseconds(whole), "2026-03-10T09:41:07.000Z");
    }
}
