//! Finds the attributes that filters look at inside an encoded event, without decoding it. Pure.

use super::fields::Fields;
use crate::journal::Entry;

/// Where the filterable attributes of one event stand in its element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Keys {
    spans: [Span; 5],
    /// Whether the event is a fact about an upstream session.
    pub(super) session_fact: bool,
}

/// An attribute that filters look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Type,
    Subject,
    Ordering,
    Session,
    ProviderType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    at: u32,
    len: u32,
}

/// The key of `Event.session_event` (field 32, length-delimited) as it stands on the wire.
const SESSION_EVENT_KEY: [u8; 2] = [0x82, 0x02];

impl Key {
    fn of_field(number: u64) -> Option<Self> {
        match number {
            4 => Some(Self::Type),
            5 => Some(Self::Subject),
            8 => Some(Self::Ordering),
            9 => Some(Self::Session),
            11 => Some(Self::ProviderType),
            _ => None,
        }
    }
}

impl Keys {
    /// Walks the fields before `data`; what cannot be read is taken as absent.
    pub(super) fn scan(entry: &Entry) -> Self {
        let element = entry.element.as_ref();
        let mut keys = Self {
            session_fact: element
                .get(entry.data_at as usize..)
                .is_some_and(|data| data.starts_with(&SESSION_EVENT_KEY)),
            ..Self::default()
        };
        for field in Fields::of_element(element, entry.data_at) {
            let span = Key::of_field(field.number).and_then(|key| keys.spans.get_mut(key as usize));
            if let Some(span) = span
                && let (Ok(at), Ok(len)) = (field.at.try_into(), field.content.len().try_into())
            {
                *span = Span { at, len };
            }
        }
        keys
    }

    /// The attribute's bytes; empty when the event has none.
    pub(super) fn get<'a>(&self, key: Key, entry: &'a Entry) -> &'a [u8] {
        let span = self.spans.get(key as usize).copied().unwrap_or_default();
        let at = span.at as usize;
        entry
            .element
            .get(at..at + span.len as usize)
            .unwrap_or_default()
    }
}
