//! [`Body`]: the JSON of one event, read as one type or another. Where its members were seen while the
//! frame around it was read, a type goes straight to those that it names.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess,
    SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::connectors::{ProviderEvent, Span};

/// Names and values of an object, each `"name": value`, as places in a frame.
pub(super) type Members = SmallVec<[Span; 4]>;

/// The JSON of one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body<'a> {
    text: &'a [u8],
    frame: &'a [u8],
    /// None where they were not seen.
    members: &'a [Span],
}

impl<'a> Body<'a> {
    /// One of which only the text is known.
    pub(super) const fn whole(text: &'a [u8]) -> Self {
        Self {
            text,
            frame: text,
            members: &[],
        }
    }

    /// That of an event whose members stand at these places of its bytes.
    pub(super) fn of(event: &'a ProviderEvent, members: &'a [Span]) -> Self {
        Self {
            text: event.identity.as_ref().unwrap_or(&event.raw),
            frame: &event.raw,
            members,
        }
    }

    /// Reads it as a `T`, which is a struct.
    pub(super) fn read<T: Deserialize<'a>>(self) -> serde_json::Result<T> {
        if !self.members.is_empty() {
            let members = self.members.iter();
            let members = members.filter_map(|place| member(self.frame, *place));
            if let Ok(read) = T::deserialize(MapDeserializer::new(members)) {
                return Ok(read);
            }
        }
        // Also where that failed: only the whole text tells where.
        serde_json::from_slice(self.text)
    }
}

fn member(frame: &[u8], place: Span) -> Option<(&str, Value<'_>)> {
    let (at, len) = (place.at as usize, place.len as usize);
    let quoted = frame.get(at..at + len)?.strip_prefix(b"\"")?;
    let end = quoted.iter().position(|byte| *byte == b'"')?;
    let (name, rest) = quoted.split_at_checked(end)?;
    let value = rest.strip_prefix(b"\"")?.trim_ascii_start();
    let value = value.strip_prefix(b":")?.trim_ascii_start();
    Some((std::str::from_utf8(name).ok()?, Value(value)))
}

/// A value that is being looked through: names and values, if it is an object whose names are written
/// plainly.
#[derive(Debug)]
pub(super) struct Seen<'a>(Option<SmallVec<[(&'a str, &'a str); 16]>>);

impl<'a> Seen<'a> {
    /// The text of the object and the places of its members in the frame; `None` where it has none.
    pub(super) fn places(&self, frame: &'a [u8]) -> Option<(&'a str, Members)> {
        let members = self.0.as_ref()?;
        let place = |(name, value): &(&str, &str)| {
            let (name, value) = (Span::of(name, frame), Span::of(value, frame));
            let at = name.at.checked_sub(1)?;
            let len = (value.at + value.len).checked_sub(at)?;
            Some(Span { at, len })
        };
        let places: Option<Members> = members.iter().map(place).collect();
        let places = places?;
        let (first, last) = (places.first()?, places.last()?);
        let before = frame.get(..first.at as usize)?.trim_ascii_end();
        let start = before.strip_suffix(b"{")?.len();
        let end = (last.at + last.len) as usize;
        let rest = frame.get(end..)?.trim_ascii_start().strip_prefix(b"}")?;
        let text = frame.get(start..frame.len() - rest.len())?;
        Some((std::str::from_utf8(text).ok()?, places))
    }
}

impl<'de> Deserialize<'de> for Seen<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Looking)
    }
}

struct Looking;

impl<'de> Visitor<'de> for Looking {
    type Value = Seen<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut members, mut plain) = (SmallVec::new(), true);
        while let Some(name) = map.next_key_seed(Name)? {
            let value = map.next_value::<&RawValue>()?.get();
            match name {
                Some(name) => members.push((name, value)),
                None => plain = false,
            }
        }
        Ok(Seen(plain.then_some(members)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Seen(None))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Seen(None))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Seen(None))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Seen(None))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Seen(None))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Seen(None))
    }
}

/// A member's name, where it is written without escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'de str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Some(name))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// One value as it stands, which is known to be whole JSON. Whoever ignores it does not read it.
#[derive(Clone, Copy)]
struct Value<'a>(&'a [u8]);

impl<'de> IntoDeserializer<'de, serde_json::Error> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Every kind of value is read by the JSON parser.
macro_rules! parsed {
    ($($method:ident($($argument:ident: $of:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $of,)*
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            serde_json::Deserializer::from_slice(self.0).$method($($argument,)* visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = serde_json::Error;

    parsed! {
        deserialize_any() deserialize_bool()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64()
        deserialize_f32() deserialize_f64() deserialize_char()
        deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    struct Wanted<'a> {
        id: Option<String>,
        count: Option<u64>,
        #[serde(borrow)]
        part: Option<&'a str>,
        list: Option<Vec<u8>>,
    }

    /// As it is read from its members, if they are seen, and as it is read whole.
    fn both(json: &str) -> (Option<String>, String) {
        let frame = json.as_bytes();
        let shown = |read: serde_json::Result<Wanted<'_>>| match read {
            Ok(read) => format!("{read:?}"),
            Err(error) => error.to_string(),
        };
        let whole = shown(Body::whole(frame).read());
        let seen: Option<Seen<'_>> = serde_json::from_str(json).ok();
        let places = seen.and_then(|seen| seen.places(frame));
        let read = places.map(|(text, members)| {
            assert_eq!(text, json.trim());
            let (text, members) = (frame, &*members);
            let body = Body {
                text,
                frame,
                members,
            };
            shown(body.read())
        });
        (read, whole)
    }

    #[test]
    fn what_a_type_names_is_read_and_the_rest_is_passed_over() {
        for (body, expected) in [
            (
                r#" { "id" : "a\n", "x":{"id":1}, "count":7,"part":"p" ,"list":[1,2],"z":null } "#,
                r#"Wanted { id: Some("a\n"), count: Some(7), part: Some("p"), list: Some([1, 2]) }"#,
            ),
            (
                r#"{"id":null,"x":0}"#,
                "Wanted { id: None, count: None, part: None, list: None }",
            ),
        ] {
            let (read, whole) = both(body);
            assert_eq!(
                (read.as_deref(), whole.as_str()),
                (Some(expected), expected)
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_the_same_words() {
        for body in [r#"{"a":1,"id":7}"#, r#"{"id":"a","id":"b"}"#] {
            let (read, whole) = both(body);
            assert!(whole.contains("line 1"), "{whole}");
            assert_eq!(read, Some(whole));
        }
    }

    #[test]
    fn what_has_no_plain_members_is_left_to_the_parser() {
        for body in ["{}", "[1]", "null", "7", "\"x\"", r#"{"\u0069d":"a"}"#] {
            assert!(both(body).0.is_none(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn members_are_what_the_parser_finds(id in ".{0,9}", count: u64, list: Vec<u8>) {
            let body = serde_json::json!({"list": list, "id": id, "more": {"id": [id]}, "count": count});
            let body = serde_json::to_string_pretty(&body).unwrap();
            let (read, whole) = both(&body);
            prop_assert_eq!(read, Some(whole));
        }
    }
}
