//! [`Template`]: a frame or body with placeholders.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON value in which a string that is a placeholder, such as `"{channels}"`, becomes its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub Value);

// By hand: anything may stand in a frame, and the checks want to know what kind of anything.
impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A frame or body: an object of any content, or a text. A string in it \
                            that is a placeholder, such as \"{channels}\", becomes its value.",
            "anyOf": [
                { "type": "object", "additionalProperties": {} },
                { "type": "string" },
            ],
        })
    }
}
