//! Finds the attributes that filters look at inside an encoded event, without decoding it. Pure.

use prost::encoding::decode_varint;

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
        let attributes = element.get(..entry.data_at as usize).unwrap_or(element);
        let mut keys = Self {
            session_fact: element
                .get(attributes.len()..)
                .is_some_and(|data| data.starts_with(&SESSION_EVENT_KEY)),
            ..Self::default()
        };
        let mut rest = attributes.get(1..).unwrap_or_default();
        if decode_varint(&mut rest).is_ok() {
            while keys.scan_field(attributes.len(), &mut rest).is_some() {}
        }
        keys
    }

    fn scan_field(&mut self, total: usize, rest: &mut &[u8]) -> Option<()> {
        if rest.is_empty() {
            return None;
        }
        let key = decode_varint(rest).ok()?;
        let skipped = match key & 7 {
            0 => {
                decode_varint(rest).ok()?;
                0
            }
            1 => 8,
            2 => usize::try_from(decode_varint(rest).ok()?).ok()?,
            5 => 4,
            _ => return None,
        };
        let at = total - rest.len();
        let (value, tail) = rest.split_at_checked(skipped)?;
        if let Some(found) = Key::of_field(key >> 3)
            && let Some(span) = self.spans.get_mut(found as usize)
        {
            *span = Span {
                at: u32::try_from(at).ok()?,
                len: u32::try_from(value.len()).ok()?,
            };
        }
        *rest = tail;
        Some(())
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
