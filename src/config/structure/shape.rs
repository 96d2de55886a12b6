//! Reads what a part of the JSON Schema asks for.

use serde_json::{Value as Json, json};

use crate::config::forms;

/// Follows references and takes `X or null` apart. A choice of several is left as it is: see
/// [`branches`].
pub(super) fn resolve<'a>(root: &'a Json, schema: &'a Json) -> (&'a Json, bool) {
    let mut schema = schema;
    let mut nullable = false;
    // A bound instead of trust: the schema is ours, and a loop would hang.
    for _ in 0..8 {
        if let Some(to) = schema.get("$ref").and_then(Json::as_str) {
            schema = root
                .pointer(to.trim_start_matches('#'))
                .unwrap_or(&Json::Null);
        } else if let Some(branches) = schema.get("anyOf").and_then(Json::as_array) {
            nullable |= branches.iter().any(|branch| kind(branch) == "null");
            let mut others = branches.iter().filter(|branch| kind(branch) != "null");
            match (others.next(), others.next()) {
                (_, Some(_)) => break,
                (one, None) => schema = one.unwrap_or(&Json::Null),
            }
        } else {
            break;
        }
    }
    let types = schema.get("type").and_then(Json::as_array);
    (
        schema,
        nullable || types.is_some_and(|types| types.contains(&json!("null"))),
    )
}

/// The forms that a resolved schema lets a value choose from, each of another type; none where it
/// has one form.
pub(super) fn branches<'a>(root: &'a Json, schema: &'a Json) -> Vec<&'a Json> {
    let all = schema.get("anyOf").and_then(Json::as_array);
    let all = all.into_iter().flatten();
    all.map(|branch| resolve(root, branch).0)
        .filter(|branch| kind(branch) != "null")
        .collect()
}

/// The type that a resolved schema wants.
pub(super) fn kind(schema: &Json) -> &str {
    match schema.get("type") {
        Some(Json::String(one)) => one,
        Some(Json::Array(several)) => several
            .iter()
            .filter_map(Json::as_str)
            .find(|one| *one != "null")
            .unwrap_or("null"),
        // A choice of constants.
        _ if schema.get("oneOf").is_some() => "string",
        _ => "",
    }
}

/// The constants to choose from; empty where anything goes.
pub(super) fn choices(schema: &Json) -> Vec<&str> {
    let listed = schema
        .get("enum")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let branches = schema
        .get("oneOf")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let constants = branches.flat_map(|branch| {
        let listed = branch
            .get("enum")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        branch.get("const").into_iter().chain(listed)
    });
    listed.chain(constants).filter_map(Json::as_str).collect()
}

/// The smallest value that the schema accepts.
pub(super) fn sample(root: &Json, schema: &Json) -> Json {
    let (schema, nullable) = resolve(root, schema);
    if let Some(first) = branches(root, schema).first().filter(|_| !nullable) {
        return sample(root, first);
    }
    match kind(schema) {
        _ if nullable => Json::Null,
        "object" => {
            let required = schema
                .get("required")
                .and_then(Json::as_array)
                .into_iter()
                .flatten();
            let property = |name: &str| schema.get("properties")?.get(name);
            let filled = required
                .filter_map(Json::as_str)
                .filter_map(|name| Some((name.to_owned(), sample(root, property(name)?))));
            Json::Object(filled.collect())
        }
        "array" => json!([]),
        "boolean" => json!(false),
        "integer" => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        _ => {
            let keyword = |name: &str| schema.get(name).and_then(Json::as_str);
            let pattern = keyword("pattern").and_then(forms::of_pattern);
            let form = pattern.or_else(|| keyword("format").and_then(forms::of_format));
            let sample = choices(schema)
                .first()
                .copied()
                .or_else(|| form.map(|form| form.sample));
            json!(sample.unwrap_or("x"))
        }
    }
}
