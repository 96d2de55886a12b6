//! [`Attributes`]: an event's attributes as the variables of an expression, found in the encoded event
//! when they are asked for.

use std::collections::HashMap;

use cel::common::types::{CelMap, CelMapKey, CelString, CelUInt};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use crate::feed::fields::Fields;
use crate::journal::Entry;
use crate::proto::v1::event::Origin;

/// All that an expression may name: the fields of `Event` that are neither times nor payload.
pub(super) const NAMES: [&str; 14] = [
    "sequence",
    "id",
    "source",
    "type",
    "subject",
    "ordering_key",
    "session",
    "origin",
    "provider_type",
    "trace_parent",
    "data_content_type",
    "data_schema",
    "attributes",
    "provider_sequence",
];

/// The attributes of one event; of none, everything is empty.
#[derive(Debug, Default)]
pub(super) struct Attributes<'a> {
    element: &'a [u8],
    data_at: u32,
    sequence: u64,
}

pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

impl<'a> Attributes<'a> {
    pub(super) fn of(entry: &'a Entry) -> Self {
        Self {
            element: &entry.element,
            data_at: entry.data_at,
            sequence: entry.sequence.get(),
        }
    }

    fn fields(&self) -> Fields<'a> {
        Fields::of_element(self.element, self.data_at)
    }

    fn text<'b>(&self, number: u64) -> CowVal<'b, 'b>
    where
        'a: 'b,
    {
        let found = self.fields().find(|field| field.number == number);
        CowVal::owned(CelString::from(
            found.map_or("", |field| utf8(field.content)),
        ))
    }

    fn number(&self, number: u64) -> u64 {
        let found = self.fields().find(|field| field.number == number);
        found.map_or(0, |field| field.varint)
    }

    /// The extension attributes; each is a message of a key and a value.
    fn extensions<'b>(&self) -> CowVal<'b, 'b>
    where
        'a: 'b,
    {
        let mut map: HashMap<CelMapKey<'b>, Box<dyn Val + 'b>> = HashMap::new();
        for extension in self.fields().filter(|field| field.number == 17) {
            let (mut key, mut value) = ("", "");
            for part in Fields::new(extension.content) {
                match part.number {
                    1 => key = utf8(part.content),
                    2 => value = utf8(part.content),
                    _ => {}
                }
            }
            map.insert(key.into(), Box::new(CelString::from(value)));
        }
        CowVal::owned(CelMap::from(map))
    }

    /// The name of the enum's value, without what all of them begin with.
    fn origin<'b>(&self) -> CowVal<'b, 'b> {
        let origin = i32::try_from(self.number(10)).unwrap_or_default();
        let name = Origin::try_from(origin).unwrap_or_default().as_str_name();
        CowVal::owned(CelString::from(
            name.strip_prefix("ORIGIN_").unwrap_or(name),
        ))
    }
}

impl VariableResolver for Attributes<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        Some(match variable {
            "sequence" => CowVal::owned(CelUInt::from(self.sequence)),
            "id" => self.text(2),
            "source" => self.text(3),
            "type" => self.text(4),
            "subject" => self.text(5),
            "ordering_key" => self.text(8),
            "session" => self.text(9),
            "origin" => self.origin(),
            "provider_type" => self.text(11),
            "trace_parent" => self.text(12),
            "data_content_type" => self.text(14),
            "data_schema" => self.text(15),
            "attributes" => self.extensions(),
            "provider_sequence" => CowVal::owned(CelUInt::from(self.number(18))),
            _ => return None,
        })
    }
}

/// What is no UTF-8 is no attribute that we wrote.
fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
