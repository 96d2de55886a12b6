//! Values as the platform writes them in one place or another.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::WallTime;

/// A moment: RFC 3339, or milliseconds since 1970. Anything else is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Moment(pub(in super::super) Option<WallTime>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MomentVisitor)
    }
}

struct MomentVisitor;

impl<'de> Visitor<'de> for MomentVisitor {
    type Value = Moment;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a moment")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
        Ok(Moment(WallTime::parse_rfc3339(text)))
    }

    fn visit_u64<E: Error>(self, millis: u64) -> Result<Moment, E> {
        let nanos = millis.checked_mul(1_000_000);
        Ok(Moment(nanos.map(WallTime::from_nanos)))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Moment, E> {
        Ok(Moment(None))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Moment, E> {
        Ok(Moment(None))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Moment, E> {
        Ok(Moment(None))
    }

    fn visit_unit<E: Error>(self) -> Result<Moment, E> {
        Ok(Moment(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Moment, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Moment(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Moment, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Moment(None))
    }
}

/// What names another object: `{"id": …}`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(in super::super) struct Reference {
    pub(in super::super) id: Option<String>,
}

/// The id of a reference, where there is one.
pub(in super::super) fn id_of(reference: Option<Reference>) -> Option<String> {
    reference.and_then(|r| r.id)
}

/// The platform's word as its tables spell it: `OnQueue` and `on queue` are `ON_QUEUE`.
pub(in super::super) fn word(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 2);
    let mut after_lower = false;
    for c in text.chars() {
        if c.is_uppercase() && after_lower {
            word.push('_');
        }
        after_lower = c.is_lowercase();
        match c {
            ' ' | '-' => word.push('_'),
            _ => word.extend(c.to_uppercase()),
        }
    }
    word
}
