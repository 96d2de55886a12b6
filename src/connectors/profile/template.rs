//! Fills the placeholders of a profile: `{channels}`, `{sequence}`, `{after}`, `{through}`.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

/// What the placeholders stand for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Values<'a> {
    pub(super) channels: &'a [String],
    pub(super) sequence: u64,
    pub(super) after: u64,
    pub(super) through: u64,
}

impl Values<'_> {
    fn value(&self, placeholder: &str) -> Option<Value> {
        Some(match placeholder {
            "{channels}" => Value::from(self.channels),
            "{sequence}" => Value::from(self.sequence),
            "{after}" => Value::from(self.after),
            "{through}" => Value::from(self.through),
            _ => return None,
        })
    }

    /// The template as JSON text: a string that is a placeholder becomes its value.
    pub(super) fn fill(&self, template: &Value) -> Vec<u8> {
        let filled = self.filled(template);
        // Serializing a `Value` to memory cannot fail: its keys are strings.
        serde_json::to_vec(&filled).unwrap_or_default()
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
                Some(value) => value.to_string(),
                None => template.clone(),
            };
            pairs.append_pair(name, &text);
        }
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

    #[test]
    fn placeholders_become_typed_values() {
        let channels = ["a".to_owned(), "b c".to_owned()];
        let values = Values {
            channels: &channels,
            sequence: 7,
            after: 5,
            through: 9,
        };
        let template = serde_json::json!({"c": "{channels}", "n": "{sequence}", "p": true});
        let text = String::from_utf8(values.fill(&template)).unwrap();
        assert_eq!(text, r#"{"c":["a","b c"],"n":7,"p":true}"#);
        let mut url = below(&"https://h/base/".parse().unwrap(), "/x");
        let query = [("after", "{after}"), ("channels", "{channels}")];
        let query = query.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        values.query(&mut url, &query);
        assert_eq!(url.as_str(), "https://h/base/x?after=5&channels=a%2Cb+c");
        assert_eq!(websocket(url).scheme(), "wss");
    }
}
