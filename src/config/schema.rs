//! The JSON Schema of the configuration: generated from the model, and what the checks run on.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::Config;

/// Names of journals and sessions.
pub(super) const NAME_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// What the model's types know and their generated schema does not say: definition, property, and
/// the keyword with its value.
const REFINEMENTS: [(&str, &str, &str, &str); 10] = [
    ("JournalConfig", "name", "pattern", NAME_PATTERN),
    ("SessionConfig", "name", "pattern", NAME_PATTERN),
    ("SessionConfig", "journal", "pattern", NAME_PATTERN),
    ("SessionConfig", "endpoint", "format", "uri"),
    ("SessionTemplateConfig", "name", "pattern", NAME_PATTERN),
    ("SessionTemplateConfig", "journal", "pattern", NAME_PATTERN),
    ("SessionTemplateConfig", "endpoint", "format", "uri"),
    ("SessionTemplateConfig", "rest_endpoint", "format", "uri"),
    ("AuthConfig", "token_url", "format", "uri"),
    ("ProxyConfig", "url", "format", "uri"),
];

/// The JSON Schema (draft 2020-12) of the configuration.
#[must_use]
pub fn schema() -> Value {
    let generated = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Config>();
    let mut schema = generated.to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), json!("Configuration of Tieline"));
    }
    for (definition, property, keyword, value) in REFINEMENTS {
        let at = format!("/$defs/{definition}/properties/{property}");
        if let Some(target) = schema.pointer_mut(&at).and_then(Value::as_object_mut) {
            target.insert(keyword.to_owned(), json!(value));
        }
    }
    schema
}

/// The schema as text, as `tieline schema` prints it: keywords in the order people expect.
#[must_use]
pub fn schema_text() -> String {
    let schema = schema();
    let ordered = schemars::Schema::try_from(schema.clone())
        .and_then(|schema| serde_json::to_string_pretty(&schema));
    let mut text = ordered.unwrap_or_else(|_| format!("{schema:#}"));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refinement_finds_its_place() {
        let schema = schema();
        for (definition, property, keyword, value) in REFINEMENTS {
            let at = format!("/$defs/{definition}/properties/{property}/{keyword}");
            assert_eq!(schema.pointer(&at), Some(&json!(value)), "{at}");
        }
    }

    #[test]
    fn the_golden_schema_is_up_to_date() {
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/config.schema.json");
        let kept = std::fs::read_to_string(&golden).unwrap_or_default();
        assert!(
            kept == schema_text(),
            "the model changed: run `cargo run -- schema > tests/fixtures/config.schema.json`"
        );
    }
}
