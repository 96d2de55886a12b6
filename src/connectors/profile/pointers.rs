//! [`Pointers`]: takes several JSON pointers out of a text in one pass, without copying.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

/// Compiled pointers.
#[derive(Debug, Clone, Default)]
pub(super) struct Pointers {
    root: Node,
    count: usize,
}

/// A pointer's place among what is found; equal pointers share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(Option<usize>);

/// What stood at each pointer; the last of repeated keys counts.
#[derive(Debug, Default)]
pub(super) struct Found<'j>(SmallVec<[Slot<'j>; 16]>);

/// What stood at one pointer.
#[derive(Debug, Clone, Default)]
pub(super) enum Slot<'j> {
    /// Nothing, or null.
    #[default]
    Absent,
    /// A value, as it stands there.
    Value(&'j str),
    /// The elements of an array, for a pointer that asked for them.
    List(Vec<&'j str>),
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

impl Place {
    /// Of nothing that is ever found.
    pub(super) const NOWHERE: Self = Self(None);
}

impl Pointers {
    /// Asks for a value, by a pointer such as `/data/agentId`.
    pub(super) fn value(&mut self, pointer: &str) -> Place {
        self.add(pointer, false)
    }

    /// Asks for the elements of an array.
    pub(super) fn list(&mut self, pointer: &str) -> Place {
        self.add(pointer, true)
    }

    fn add(&mut self, pointer: &str, list: bool) -> Place {
        let mut node = &mut self.root;
        for key in pointer.split('/').skip(1) {
            node = node.child(&key.replace("~1", "/").replace("~0", "~"));
        }
        let next = self.count;
        let leaf = node.leaf.get_or_insert(Leaf { slot: next, list });
        self.count = self.count.max(leaf.slot + 1);
        Place(Some(leaf.slot))
    }

    /// Looks for everything in `json`, which must be one whole JSON value.
    pub(super) fn find<'j>(&self, json: &'j str) -> Result<Found<'j>, serde_json::Error> {
        let mut found = Found::default();
        found.0.resize_with(self.count, Slot::default);
        let mut parser = serde_json::Deserializer::from_str(json);
        Seed {
            node: &self.root,
            found: &mut found.0,
        }
        .deserialize(&mut parser)?;
        parser.end()?;
        Ok(found)
    }
}

impl<'j> Found<'j> {
    /// What stood there.
    pub(super) fn at(&self, place: Place) -> &Slot<'j> {
        const ABSENT: &Slot<'static> = &Slot::Absent;
        place.0.and_then(|slot| self.0.get(slot)).unwrap_or(ABSENT)
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
    found: &'f mut [Slot<'j>],
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
                let raw = <&RawValue>::deserialize(parser)?.get();
                if raw == "null" {
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
                    let mut inner = serde_json::Deserializer::from_str(raw);
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
            items.push(item.get());
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
            Self::Value(raw) => unquoted(raw),
            _ => None,
        }
    }

    /// The value, as it stands there.
    pub(super) fn raw(&self) -> Option<&'j str> {
        match self {
            Self::Value(raw) => Some(raw),
            Self::Absent | Self::List(_) | Self::Other => None,
        }
    }

    /// The value, where it is an unsigned number.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Value(raw) => raw.parse().ok(),
            _ => None,
        }
    }

    /// Whether something stood there.
    pub(super) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// The text of a JSON string; borrowed where it holds no escapes.
fn unquoted(raw: &str) -> Option<std::borrow::Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(inner.into());
    }
    let text: Text<'_> = serde_json::from_str(raw).ok()?;
    Some(text.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_pointers_find_the_same() {
        let mut pointers = Pointers::default();
        let places = ["/a", "/b", "/a"].map(|pointer| pointers.value(pointer));
        let found = pointers.find(r#"{"a":7,"b":8}"#).unwrap();
        assert_eq!(
            places.map(|at| found.at(at).number()),
            [Some(7), Some(8), Some(7)]
        );
        assert!(!found.at(Place::NOWHERE).is_present());
    }

    #[test]
    fn pointers_reach_into_nested_values_in_one_pass() {
        let mut pointers = Pointers::default();
        let [a, x, d, n] = ["/a", "/d/x", "/d", "/n"].map(|pointer| pointers.value(pointer));
        let l = pointers.list("/l");
        let json = r#" {"z":[{"a":1}],"a":7,"d":{"x":"q\n","y":0},"l":[1,{"a":2}],"n":null} "#;
        let found = pointers.find(json).unwrap();
        assert_eq!(found.at(a).number(), Some(7));
        assert_eq!(found.at(x).text().as_deref(), Some("q\n"));
        assert!(matches!(found.at(d), Slot::Value(raw) if *raw == r#"{"x":"q\n","y":0}"#));
        assert!(matches!(found.at(l), Slot::List(items) if items[1] == r#"{"a":2}"#));
        assert!(!found.at(n).is_present());
        assert!(pointers.find("{} x").is_err());
        assert!(pointers.find(r#"{"a":"#).is_err());
        let none = pointers.find("3").unwrap();
        assert!([a, x, d, n, l].iter().all(|at| !none.at(*at).is_present()));
    }

    proptest! {
        #[test]
        fn finds_what_serde_json_finds(a: u64, x in ".{0,12}", key in "[a-z~/]{1,6}") {
            let json = serde_json::json!({ "d": { key.as_str(): x.as_str() }, "a": a }).to_string();
            let pointer = format!("/d/{}", key.replace('~', "~0").replace('/', "~1"));
            let mut pointers = Pointers::default();
            let (number, string) = (pointers.value("/a"), pointers.value(&pointer));
            let found = pointers.find(&json).unwrap();
            prop_assert_eq!(found.at(number).number(), Some(a));
            let text = found.at(string).text().unwrap();
            prop_assert_eq!(text.as_ref(), x.as_str());
        }
    }
}
