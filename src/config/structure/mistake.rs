//! What can be wrong with one value, in words.

use serde_json::{Map, Value as Json, json};

use super::shape::{choices, kind};
use crate::config::findings::Code;
use crate::config::forms;
use crate::config::suggest::nearest;
use crate::config::tree::{Node, Reading, Style, read};

/// A mistake, before its place is known.
pub(super) struct Mistake {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Reads a scalar as the schema wants it.
pub(super) fn scalar(text: &str, style: Style, schema: &Json) -> Result<Json, Mistake> {
    let wrong = |wanted: &str, hint: String| Mistake {
        code: Code::WrongType,
        message: format!("must be {wanted}"),
        hint: Some(hint),
    };
    match (kind(schema), read(text, style)) {
        ("string", reading) => {
            let bare = style == Style::Plain && reading != Reading::Text;
            let pattern = schema.get("pattern").and_then(Json::as_str);
            if bare && let Some(form) = pattern.and_then(forms::of_pattern) {
                return Err(Mistake::from(form));
            }
            let choices = choices(schema);
            if bare && choices.is_empty() {
                return Err(wrong("text", format!("quote it: \"{text}\"")));
            }
            if !choices.is_empty() && !choices.contains(&text) {
                return Err(not_allowed(text, &choices));
            }
            let form = pattern.and_then(forms::of_pattern);
            let format = schema
                .get("format")
                .and_then(Json::as_str)
                .and_then(forms::of_format);
            match form.or(format).filter(|form| !(form.holds)(text)) {
                Some(form) => Err(Mistake::from(form)),
                None => Ok(json!(text)),
            }
        }
        ("boolean", Reading::Bool(value)) => Ok(json!(value)),
        ("boolean", _) => Err(wrong(
            "true or false",
            "write true or false, unquoted".to_owned(),
        )),
        ("integer", Reading::Integer(number)) => {
            let bound = |name: &str| schema.get(name).and_then(Json::as_i64).map(i128::from);
            let least = bound("minimum").unwrap_or(0);
            let most = bound("maximum").unwrap_or(i128::from(u32::MAX));
            match u32::try_from(number) {
                Ok(number) if (least..=most).contains(&i128::from(number)) => Ok(json!(number)),
                _ => Err(Mistake {
                    code: Code::OutOfRange,
                    message: format!("must be a whole number from {least} to {most}"),
                    hint: None,
                }),
            }
        }
        _ => Err(wrong(
            "a whole number",
            "write it in digits, unquoted".to_owned(),
        )),
    }
}

fn not_allowed(text: &str, choices: &[&str]) -> Mistake {
    let all = choices.join(", ");
    let hint = match nearest(text, choices.iter().copied()) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => format!("write one of {all}"),
    };
    Mistake {
        code: Code::NotAllowed,
        message: format!("must be one of {all}"),
        hint: Some(hint),
    }
}

/// How people call a type.
fn words(kind: &str) -> &'static str {
    match kind {
        "object" => "a mapping",
        "array" => "a list",
        "integer" => "a whole number",
        "boolean" => "true or false",
        _ => "text",
    }
}

/// What is written has none of the forms there are.
pub(super) fn wrong_form(node: &Node, forms: &[&Json], schema: &Json) -> Option<Mistake> {
    let about = schema.get("description").and_then(Json::as_str)?;
    let wanted: Vec<_> = forms.iter().map(|form| words(kind(form))).collect();
    Some(Mistake {
        code: Code::WrongType,
        message: format!(
            "must be {}, and is {}",
            wanted.join(" or "),
            node.describe()
        ),
        hint: Some(about.to_owned()),
    })
}

/// Too few or too many items or keys.
pub(super) fn wrong_count(count: usize, of: &str, schema: &Json) -> Option<Mistake> {
    let bound = |name: &str| schema.get(format!("{name}{of}")).and_then(Json::as_u64);
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let thing = if of == "Items" { "an item" } else { "a key" };
    let (message, hint) = if bound("min").is_some_and(|least| count < least) {
        (format!("must hold {thing}"), "give it one, or remove it")
    } else if bound("max").is_some_and(|most| count > most) {
        (
            format!("must hold one key, and holds {count}"),
            "write each in a line of its own, after '- '; what belongs below a key is indented",
        )
    } else {
        return None;
    };
    Some(Mistake {
        code: Code::OutOfRange,
        message,
        hint: Some(hint.to_owned()),
    })
}

pub(super) fn wrong_type(node: &Node, wanted: &str, schema: &Json) -> Mistake {
    let wanted = words(wanted);
    let given = node.describe();
    let hint = match (wanted, node.text()) {
        _ if given == "nothing" => "give it a value, or remove the key".to_owned(),
        ("a list", Some(text)) if !text.contains(['@', '?']) => format!("write it as [{text}]"),
        ("a list", _) => "write each item in a line of its own, after '- '".to_owned(),
        ("a mapping", _) => {
            let names = schema.get("properties").and_then(Json::as_object);
            let names: Vec<_> = names
                .into_iter()
                .flat_map(Map::keys)
                .map(String::as_str)
                .collect();
            format!("it holds {}", names.join(", "))
        }
        _ => "write a single value".to_owned(),
    };
    Mistake {
        code: Code::WrongType,
        message: format!("must be {wanted}, and is {given}"),
        hint: Some(hint),
    }
}

pub(super) fn missing_key(name: &str, schema: &Json) -> Mistake {
    let about = schema
        .get("description")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let about = about
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .replace('\n', " ");
    Mistake {
        code: Code::MissingKey,
        message: "is missing".to_owned(),
        hint: Some(format!("add '{name}': {about}")),
    }
}

impl From<&forms::Form> for Mistake {
    fn from(form: &forms::Form) -> Self {
        Self {
            code: Code::WrongForm,
            message: format!("must be {}", form.what),
            hint: Some(form.hint.to_owned()),
        }
    }
}
