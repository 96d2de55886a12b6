//! [`Node`]: the configuration as it is written, each key and value with its place.

use super::findings::Place;
use super::key::{KeyPath, Step};

/// A value and where it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// What is written there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Scalar {
        text: String,
        style: Style,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something that was reported already; nothing more is to be said about it.
    Reported,
}

/// How a scalar was written: decides what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Bare in YAML: `12` is a number, `true` a boolean.
    Plain,
    /// Quoted in YAML: always text.
    Quoted,
    /// From the environment or a flag: whatever is wanted.
    Loose,
}

/// One key of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) value: Node,
}

/// What a scalar can be read as.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading {
    Text,
    Bool(bool),
    Integer(i128),
    Float,
}

impl Node {
    pub(super) fn new(value: Value, place: Place) -> Self {
        Self { value, place }
    }

    /// The node at a path.
    pub(super) fn find(&self, path: &KeyPath) -> Option<&Self> {
        path.steps()
            .iter()
            .try_fold(self, |node, step| node.child(step))
    }

    /// Where a path is written: its key if it has one, else the nearest that holds it.
    pub(super) fn place_of(&self, path: &KeyPath) -> Place {
        let mut node = self;
        let mut place = &self.place;
        for step in path.steps() {
            let Some(child) = node.child(step) else { break };
            place = match (&node.value, step) {
                (Value::Map(entries), Step::Key(name)) => entries
                    .iter()
                    .find(|entry| entry.key == *name)
                    .map_or(place, |entry| &entry.key_place),
                _ => &child.place,
            };
            node = child;
        }
        place.clone()
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.value, step) {
            (Value::Map(entries), Step::Key(name)) => entries
                .iter()
                .find(|entry| entry.key == *name)
                .map(|entry| &entry.value),
            (Value::List(items), Step::Index(index)) => items.get(*index),
            _ => None,
        }
    }

    /// What is written there in a word, for messages.
    pub(super) fn describe(&self) -> &'static str {
        match &self.value {
            Value::Null | Value::Reported => "nothing",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Scalar { text, style } => match read(text, *style) {
                Reading::Text => "text",
                Reading::Bool(_) => "a boolean",
                Reading::Integer(_) | Reading::Float => "a number",
            },
        }
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// Reads a scalar by the core schema of YAML 1.2. A [`Style::Loose`] one reads as what it looks
/// like; whoever wants text takes it as text all the same.
pub(super) fn read(text: &str, style: Style) -> Reading {
    if style == Style::Quoted {
        return Reading::Text;
    }
    match text {
        "true" | "True" | "TRUE" => return Reading::Bool(true),
        "false" | "False" | "FALSE" => return Reading::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Beyond 128 bits it is still a number, and out of every range there is.
        return Reading::Integer(text.parse().unwrap_or(i128::MAX));
    }
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if numeric && text.parse::<f64>().is_ok() {
        return Reading::Float;
    }
    Reading::Text
}
