//! Checks a tree against the JSON Schema, collects every mistake, and gives the value that is left:
//! wherever something is wrong, a stand-in takes its place, so that all other checks can run too.

mod mistake;
mod shape;

use serde_json::{Map, Value as Json};

use super::findings::{Code, Finding, Place, Severity};
use super::key::KeyPath;
use super::redact;
use super::suggest::nearest;
use super::tree::{Node, Reading, Value, read};
use mistake::{Mistake, missing_key, scalar, wrong_count, wrong_form, wrong_type};
use shape::{branches, kind, resolve, sample};

/// What the check of a tree gives.
#[derive(Debug)]
pub(super) struct Checked {
    /// A value that the model accepts.
    pub(super) value: Json,
    /// Where stand-ins are, or something is known to be missing: nothing may be concluded there.
    pub(super) doubtful: Vec<KeyPath>,
}

/// Checks `root` against `schema`.
pub(super) fn check(root: &Node, schema: &Json, findings: &mut Vec<Finding>) -> Checked {
    let mut checker = Checker {
        schema,
        findings,
        doubtful: Vec::new(),
    };
    let value = checker.node(root, schema, &KeyPath::root());
    Checked {
        value,
        doubtful: checker.doubtful,
    }
}

/// What is written, as it reads.
fn anything(node: &Node) -> Json {
    match &node.value {
        Value::Null | Value::Reported => Json::Null,
        Value::Scalar { text, style } => match read(text, *style) {
            Reading::Bool(value) => value.into(),
            Reading::Integer(_) | Reading::Float => {
                serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
            }
            Reading::Text => text.as_str().into(),
        },
        Value::List(items) => items.iter().map(anything).collect(),
        Value::Map(entries) => {
            let pairs = entries.iter();
            let pairs = pairs.map(|entry| (entry.key.clone(), anything(&entry.value)));
            Json::Object(pairs.collect())
        }
    }
}

struct Checker<'a> {
    schema: &'a Json,
    findings: &'a mut Vec<Finding>,
    doubtful: Vec<KeyPath>,
}

impl<'a> Checker<'a> {
    fn node(&mut self, node: &Node, schema: &'a Json, path: &KeyPath) -> Json {
        let (schema, nullable) = self.resolve(schema);
        if matches!(node.value, Value::Null) && nullable {
            return Json::Null;
        }
        let schema = match self.choose(node, schema) {
            Ok(chosen) => chosen,
            Err(mistake) => return self.refuse(node, schema, path, mistake),
        };
        match (&node.value, kind(schema)) {
            (Value::Reported, _) => self.stand_in(schema, path),
            (Value::Map(_), "object") => self.mapping(node, schema, path),
            (Value::List(items), "array") => {
                if let Some(mistake) = wrong_count(items.len(), "Items", schema) {
                    return self.refuse(node, schema, path, mistake);
                }
                let of = schema.get("items").unwrap_or(&Json::Null);
                let each = items.iter().enumerate();
                Json::Array(
                    each.map(|(at, item)| self.node(item, of, &path.index(at)))
                        .collect(),
                )
            }
            (Value::Scalar { text, style }, "string" | "boolean" | "integer") => {
                match scalar(text, *style, schema) {
                    Ok(value) => value,
                    Err(mistake) => self.refuse(node, schema, path, mistake),
                }
            }
            // No type is asked for: whatever is written is taken.
            (_, "") => anything(node),
            (_, wanted) => {
                let mistake = wrong_type(node, wanted, schema);
                self.refuse(node, schema, path, mistake)
            }
        }
    }

    /// Of several forms the one that fits what is written.
    fn choose(&self, node: &Node, schema: &'a Json) -> Result<&'a Json, Mistake> {
        let all = branches(self.schema, schema);
        let Some(first) = all.first() else {
            return Ok(schema);
        };
        let fits = |branch: &&&Json| match (&node.value, kind(branch)) {
            (Value::Map(_), kind) => kind == "object",
            (Value::List(_), kind) => kind == "array",
            (Value::Scalar { .. }, kind) => !matches!(kind, "object" | "array"),
            (Value::Null | Value::Reported, _) => true,
        };
        match all.iter().find(fits) {
            Some(branch) => Ok(branch),
            None => Err(wrong_form(node, &all, schema)
                .unwrap_or_else(|| wrong_type(node, kind(first), first))),
        }
    }

    fn mapping(&mut self, node: &Node, schema: &'a Json, path: &KeyPath) -> Json {
        let Value::Map(entries) = &node.value else {
            return Json::Null;
        };
        let empty = Map::new();
        let known = schema
            .get("properties")
            .and_then(Json::as_object)
            .unwrap_or(&empty);
        if let Some(mistake) = wrong_count(entries.len(), "Properties", schema) {
            return self.refuse(node, schema, path, mistake);
        }
        let any = schema
            .get("additionalProperties")
            .filter(|any| any.is_object());
        let mut object = Map::new();
        for entry in entries {
            let at = path.key(&entry.key);
            let of = schema.get("properties").and_then(|all| all.get(&entry.key));
            if let Some(of) = of.or(any) {
                object.insert(entry.key.clone(), self.node(&entry.value, of, &at));
            } else {
                let meant = nearest(&entry.key, known.keys().map(String::as_str));
                let mistake = self.unknown_key(&entry.key, known, meant);
                self.report(&at, entry.key_place.clone(), None, mistake);
                self.doubtful.push(at);
                self.doubtful.extend(meant.map(|meant| path.key(meant)));
            }
        }
        let required = schema
            .get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        for name in required.filter_map(Json::as_str) {
            let Some(of) = known.get(name).filter(|_| !object.contains_key(name)) else {
                continue;
            };
            let at = path.key(name);
            if !self.doubtful.contains(&at) {
                let mistake = missing_key(name, of);
                self.report(&at, node.place.clone(), None, mistake);
                self.doubtful.push(at);
            }
            object.insert(name.to_owned(), sample(self.schema, of));
        }
        Json::Object(object)
    }

    fn unknown_key(&self, key: &str, known: &Map<String, Json>, meant: Option<&str>) -> Mistake {
        let naming: Vec<String> = ["file", "env"]
            .map(|form| format!("{key}_{form}"))
            .into_iter()
            .filter(|name| known.contains_key(name))
            .collect();
        if redact::is_secret_key(key) || !naming.is_empty() {
            let hint = if naming.is_empty() {
                "name a file or an environment variable that holds it, in a key that is known here"
                    .to_owned()
            } else {
                format!("give {} instead", naming.join(" or "))
            };
            return Mistake {
                code: Code::InlineSecret,
                message: "secrets are not written into the configuration".to_owned(),
                hint: Some(hint),
            };
        }
        let hint = match (meant, self.belongs_to(key)) {
            (Some(meant), _) => format!("did you mean '{meant}'?"),
            (None, Some(place)) => format!("'{key}' belongs to {place}"),
            (None, None) => {
                let names: Vec<_> = known.keys().map(String::as_str).collect();
                format!("known here: {}", names.join(", "))
            }
        };
        let message = "is not a known key".to_owned();
        Mistake {
            code: Code::UnknownKey,
            message,
            hint: Some(hint),
        }
    }

    /// Where else a key of that name is known.
    fn belongs_to(&self, key: &str) -> Option<String> {
        let mut open = vec![(self.schema, String::new())];
        while let Some((schema, place)) = open.pop() {
            let (schema, _) = self.resolve(schema);
            let properties = schema.get("properties").and_then(Json::as_object);
            for (name, of) in properties.into_iter().flatten() {
                if name == key {
                    let root = "the top level".to_owned();
                    return Some(if place.is_empty() {
                        root
                    } else {
                        format!("'{place}'")
                    });
                }
                let below = if place.is_empty() {
                    name.clone()
                } else {
                    format!("{place}.{name}")
                };
                open.push((of, below));
            }
            if let Some(items) = schema.get("items") {
                open.push((items, format!("{place}[]")));
            }
        }
        None
    }

    fn refuse(&mut self, node: &Node, schema: &Json, path: &KeyPath, mistake: Mistake) -> Json {
        let value = node.text().and_then(|text| redact::shown(path, text));
        self.report(path, node.place.clone(), value, mistake);
        self.stand_in(schema, path)
    }

    fn stand_in(&mut self, schema: &Json, path: &KeyPath) -> Json {
        self.doubtful.push(path.clone());
        sample(self.schema, schema)
    }

    fn report(&mut self, path: &KeyPath, place: Place, value: Option<String>, mistake: Mistake) {
        self.findings.push(Finding {
            severity: Severity::Error,
            code: mistake.code,
            key: path.to_string(),
            place,
            value,
            message: mistake.message,
            hint: mistake.hint,
        });
    }

    fn resolve(&self, schema: &'a Json) -> (&'a Json, bool) {
        resolve(self.schema, schema)
    }
}
