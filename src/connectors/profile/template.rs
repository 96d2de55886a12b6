//! Fills the placeholders of a profile: `{channels}`, `{sequence}`, `{now}` and the like.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use crate::connectors::Condition;

/// What the placeholders stand for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Values<'a> {
    pub(super) channels: &'a [String],
    pub(super) sequence: u64,
    pub(super) after: u64,
    pub(super) through: u64,
    /// A UUID for each connection.
    pub(super) connection: &'a str,
    /// Milliseconds since 1970.
    pub(super) now: u64,
    /// Milliseconds until the next heartbeat.
    pub(super) interval: u64,
    pub(super) condition: Condition,
    /// Bytes of the frame itself.
    pub(super) size: usize,
}

/// Placeholders of subscriptions: frames and bodies.
pub(super) const SUBSCRIBING: &[&str] = &["{channels}", "{sequence}", "{connection}", "{now}"];
/// Placeholders of a poll, and of the query of either transport.
pub(super) const POLLING: &[&str] = &["{channels}", "{sequence}"];
/// Placeholders of the query of a handshake.
pub(super) const OPENING: &[&str] = &["{channels}", "{sequence}", "{connection}"];
/// Placeholders of a request for missing numbers.
pub(super) const CATCHING_UP: &[&str] = &["{after}", "{through}", "{channels}"];
/// Placeholders of a heartbeat.
pub(super) const BEATING: &[&str] = &[
    "{connection}",
    "{now}",
    "{next}",
    "{interval}",
    "{condition}",
    "{size}",
];

/// A frame names its own size in a few digits at most.
const SIZE_ATTEMPTS: usize = 4;

impl Values<'_> {
    fn value(&self, placeholder: &str) -> Option<Value> {
        Some(match placeholder {
            "{channels}" => Value::from(self.channels),
            "{sequence}" => Value::from(self.sequence),
            "{after}" => Value::from(self.after),
            "{through}" => Value::from(self.through),
            "{connection}" => Value::from(self.connection),
            "{now}" => Value::from(self.now),
            "{next}" => Value::from(self.now.saturating_add(self.interval)),
            "{interval}" => Value::from(self.interval),
            "{condition}" => Value::from(word(self.condition)),
            "{size}" => Value::from(self.size),
            _ => return None,
        })
    }

    /// The template as text: JSON in which a string that is a placeholder becomes its value, or a
    /// text as it is.
    pub(super) fn fill(&self, template: &Value) -> Vec<u8> {
        match self.filled(template) {
            Value::String(text) => text.into_bytes(),
            // Serializing a `Value` to memory cannot fail: its keys are strings.
            filled => serde_json::to_vec(&filled).unwrap_or_default(),
        }
    }

    /// As [`Values::fill`], of a frame that names its own size.
    pub(super) fn fill_sized(mut self, template: &Value) -> Vec<u8> {
        let mut frame = self.fill(template);
        for _ in 0..SIZE_ATTEMPTS {
            if frame.len() == self.size {
                break;
            }
            self.size = frame.len();
            frame = self.fill(template);
        }
        frame
    }

    fn filled(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => self.value(text).unwrap_or_else(|| template.clone()),
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(map) => {
                let pairs = map.iter().map(|(k, v)| (k.clone(), self.filled(v)));
                Value::Object(pairs.collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
        }
    }

    /// Appends a query; lists are written with commas.
    pub(super) fn query(&self, url: &mut Url, query: &BTreeMap<String, String>) {
        if query.is_empty() {
            return;
        }
        let mut pairs = url.query_pairs_mut();
        for (name, template) in query {
            let text = match self.value(template) {
                Some(Value::Array(_)) => self.channels.join(","),
                Some(Value::String(text)) => text,
                Some(value) => value.to_string(),
                None => template.clone(),
            };
            pairs.append_pair(name, &text);
        }
    }
}

/// Placeholders of a template that are none of those known there, with where they stand.
pub(super) fn strange(template: &Value, known: &[&str]) -> Vec<(Vec<String>, String)> {
    let below = |key: String, inner: &Value| {
        let found = strange(inner, known).into_iter();
        found.map(move |(mut path, name)| {
            path.insert(0, key.clone());
            (path, name)
        })
    };
    match template {
        Value::String(text) if is_placeholder(text) && !known.contains(&text.as_str()) => {
            vec![(Vec::new(), text.clone())]
        }
        Value::Object(map) => {
            let each = map.iter();
            each.flat_map(|(key, inner)| below(key.clone(), inner))
                .collect()
        }
        Value::Array(items) => {
            let each = items.iter().enumerate();
            each.flat_map(|(at, inner)| below(format!("[{at}]"), inner))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn is_placeholder(text: &str) -> bool {
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    inner.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

/// How a session fares, in the words of heartbeats.
const fn word(condition: Condition) -> &'static str {
    match condition {
        Condition::Stable => "STABLE",
        Condition::Degraded => "DEGRADED",
        Condition::Reconnecting => "RECONNECTING",
    }
}

/// `path` below `base`, whose own path is kept.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// The same address for a WebSocket.
pub(super) fn websocket(mut url: Url) -> Url {
    let scheme = if url.scheme() == "http" { "ws" } else { "wss" };
    // Both pairs are special schemes, between which `set_scheme` always works.
    let changed = url.set_scheme(scheme);
    debug_assert!(changed.is_ok(), "http and ws are special schemes");
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders_become_typed_values() {
        let channels = ["a".to_owned(), "b c".to_owned()];
        let values = Values {
            channels: &channels,
            sequence: 7,
            after: 5,
            through: 9,
            ..Values::default()
        };
        let template = json!({"c": "{channels}", "n": "{sequence}", "p": true});
        let text = String::from_utf8(values.fill(&template)).unwrap();
        assert_eq!(text, r#"{"c":["a","b c"],"n":7,"p":true}"#);
        assert_eq!(values.fill(&json!("hello")), b"hello");
        let mut url = below(&"https://h/base/".parse().unwrap(), "/x");
        let query = [("after", "{after}"), ("channels", "{channels}")];
        let query = query.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        values.query(&mut url, &query);
        assert_eq!(url.as_str(), "https://h/base/x?after=5&channels=a%2Cb+c");
        assert_eq!(websocket(url).scheme(), "wss");
    }

    #[test]
    fn a_frame_names_its_own_size() {
        for padding in 0..200 {
            let template = json!({"p": "x".repeat(padding), "n": "{size}"});
            let frame = Values::default().fill_sized(&template);
            let value: Value = serde_json::from_slice(&frame).unwrap();
            assert_eq!(value["n"], frame.len());
        }
    }

    #[test]
    fn unknown_placeholders_are_found_where_they_stand() {
        let template =
            json!({"a": ["{now}", "{nwo}"], "b": {"c": "{sequence}"}, "d": "{a b}", "e": "{}"});
        let found = strange(&template, &["{now}"]);
        let expected = [(vec!["a", "[1]"], "{nwo}"), (vec!["b", "c"], "{sequence}")];
        let expected = expected.map(|(path, name)| {
            let path: Vec<_> = path.into_iter().map(str::to_owned).collect();
            (path, name.to_owned())
        });
        assert_eq!(found, expected);
    }
}
