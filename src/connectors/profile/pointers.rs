//! [`Pointers`]: takes several JSON pointers out of a text in one pass, without copying.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

/// Compiled pointers. The n-th pointer fills the n-th slot of [`Found`].
#[derive(Debug, Clone, Default)]
pub(super) struct Pointers {
    root: Node,
    /// For each pointer its slot; equal pointers share one.
    slots: Vec<usize>,
}

/// What stood at each pointer; the last of repeated keys counts.
pub(super) type Found<'j> = SmallVec<[Slot<'j>; 6]>;

/// What stood at one pointer.
#[derive(Debug, Clone, Default)]
pub(super) enum Slot<'j> {
    /// Nothing, or null.
    #[default]
    Absent,
    /// A value.
    Value(&'j RawValue),
    /// The elements of an array, for a pointer that asked for them.
    List(Vec<&'j RawValue>),
    /// Something else than the array that was asked for.
    Other,
}

#[derive(Debug, Clone, Default)]
struct Node {
    leaf: Option<Leaf>,
    children: Vec<(String, Node)>,
}

#[derive(Debug, Clone, Copy)]
struct Leaf {
    slot: usize,
    list: bool,
}

impl Pointers {
    /// Compiles pointers such as `/data/agentId`; those marked `true` ask for an array's elements.
    pub(super) fn compile(pointers: &[(&str, bool)]) -> Self {
        let mut root = Node::default();
        let mut slots = Vec::with_capacity(pointers.len());
        for (own, (pointer, list)) in pointers.iter().enumerate() {
            let mut node = &mut root;
            for key in pointer.split('/').skip(1) {
                node = node.child(&key.replace("~1", "/").replace("~0", "~"));
            }
            let leaf = node.leaf.get_or_insert(Leaf {
                slot: own,
                list: *list,
            });
            slots.push(leaf.slot);
        }
        Self { root, slots }
    }

    /// Fills the slots from `json`, which must be one whole JSON value.
    pub(super) fn find<'j>(&self, json: &'j str) -> Result<Found<'j>, serde_json::Error> {
        let mut found = Found::new();
        found.resize_with(self.slots.len(), Slot::default);
        let mut parser = serde_json::Deserializer::from_str(json);
        Seed {
            node: &self.root,
            found: &mut found,
        }
        .deserialize(&mut parser)?;
        parser.end()?;
        for (own, slot) in self
            .slots
            .iter()
            .enumerate()
            .filter(|(own, slot)| own != *slot)
        {
            let shared = found.get(*slot).cloned().unwrap_or_default();
            if let Some(own) = found.get_mut(own) {
                *own = shared;
            }
        }
        Ok(found)
    }
}

impl Node {
    fn child(&mut self, key: &str) -> &mut Self {
        let at = self.children.iter().position(|(k, _)| k == key);
        let at = at.unwrap_or_else(|| {
            self.children.push((key.to_owned(), Self::default()));
            self.children.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.children[at].1
    }
}

struct Seed<'n, 'f, 'j> {
    node: &'n Node,
    found: &'f mut Found<'j>,
}

impl<'j> Seed<'_, '_, 'j> {
    fn fill(self, value: Slot<'j>) {
        if let Some(leaf) = self.node.leaf
            && let Some(slot) = self.found.get_mut(leaf.slot)
        {
            *slot = value;
        }
    }
}

impl<'j> DeserializeSeed<'j> for Seed<'_, '_, 'j> {
    type Value = ();

    fn deserialize<D: Deserializer<'j>>(self, parser: D) -> Result<(), D::Error> {
        match self.node.leaf {
            Some(leaf) if !leaf.list => {
                let raw = <&RawValue>::deserialize(parser)?;
                if raw.get() == "null" {
                    self.fill(Slot::Absent);
                    return Ok(());
                }
                if !self.node.children.is_empty() {
                    // Both the value and parts of it are asked for: a second pass over it alone.
                    let node = Node {
                        leaf: None,
                        children: self.node.children.clone(),
                    };
                    let found = &mut *self.found;
                    let mut inner = serde_json::Deserializer::from_str(raw.get());
                    let seed = Seed { node: &node, found };
                    seed.deserialize(&mut inner)
                        .map_err(serde::de::Error::custom)?;
                }
                self.fill(Slot::Value(raw));
                Ok(())
            }
            _ => parser.deserialize_any(self),
        }
    }
}

impl<'j> Visitor<'j> for Seed<'_, '_, 'j> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(child) = map.next_key_seed(Key(self.node))? {
            match child {
                Some(node) => {
                    let found = &mut *self.found;
                    map.next_value_seed(Seed { node, found })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.fill(Slot::Other);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<&'j RawValue>()? {
            items.push(item);
        }
        self.fill(Slot::List(items));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.fill(Slot::Absent);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.fill(Slot::Other);
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.fill(Slot::Other);
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.fill(Slot::Other);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.fill(Slot::Other);
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.fill(Slot::Other);
        Ok(())
    }
}

/// Finds the child that a key names.
struct Key<'n>(&'n Node);

impl<'d, 'n> DeserializeSeed<'d> for Key<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'d>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Key<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let mut children = self.0.children.iter();
        Ok(children.find(|(k, _)| k == key).map(|(_, node)| node))
    }
}

impl<'j> Slot<'j> {
    /// The value's text, where it is a JSON string.
    pub(super) fn text(&self) -> Option<std::borrow::Cow<'j, str>> {
        match self {
            Self::Value(raw) => Text::deserialize_raw(raw),
            _ => None,
        }
    }

    /// The value, where it is an unsigned number.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Value(raw) => raw.get().parse().ok(),
            _ => None,
        }
    }

    /// Whether something stood there.
    pub(super) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// A string that borrows where it holds no escapes.
struct Text;

impl Text {
    fn deserialize_raw(raw: &RawValue) -> Option<std::borrow::Cow<'_, str>> {
        #[derive(Deserialize)]
        struct Borrowed<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);
        let text: Borrowed<'_> = serde_json::from_str(raw.get()).ok()?;
        Some(text.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_pointers_find_the_same() {
        let pointers = Pointers::compile(&[("/a", false), ("/b", false), ("/a", false)]);
        let found = pointers.find(r#"{"a":7,"b":8}"#).unwrap();
        let numbers: Vec<_> = found.iter().map(Slot::number).collect();
        assert_eq!(numbers, [Some(7), Some(8), Some(7)]);
    }

    #[test]
    fn pointers_reach_into_nested_values_in_one_pass() {
        let pointers = Pointers::compile(&[
            ("/a", false),
            ("/d/x", false),
            ("/d", false),
            ("/l", true),
            ("/n", false),
        ]);
        let json = r#" {"z":[{"a":1}],"a":7,"d":{"x":"q\n","y":0},"l":[1,{"a":2}],"n":null} "#;
        let found = pointers.find(json).unwrap();
        assert_eq!(found[0].number(), Some(7));
        assert_eq!(found[1].text().as_deref(), Some("q\n"));
        assert!(matches!(found[2], Slot::Value(raw) if raw.get() == r#"{"x":"q\n","y":0}"#));
        assert!(matches!(&found[3], Slot::List(items) if items[1].get() == r#"{"a":2}"#));
        assert!(!found[4].is_present());
        assert!(pointers.find("{} x").is_err());
        assert!(pointers.find(r#"{"a":"#).is_err());
        assert!(
            pointers
                .find("3")
                .unwrap()
                .iter()
                .all(|slot| !slot.is_present())
        );
    }

    proptest! {
        #[test]
        fn finds_what_serde_json_finds(a: u64, x in ".{0,12}", key in "[a-z~/]{1,6}") {
            let json = serde_json::json!({ "d": { key.as_str(): x.as_str() }, "a": a }).to_string();
            let pointer = format!("/d/{}", key.replace('~', "~0").replace('/', "~1"));
            let pointers = Pointers::compile(&[("/a", false), (&pointer, false)]);
            let found = pointers.find(&json).unwrap();
            prop_assert_eq!(found[0].number(), Some(a));
            let text = found[1].text().unwrap();
            prop_assert_eq!(text.as_ref(), x.as_str());
        }
    }
}
