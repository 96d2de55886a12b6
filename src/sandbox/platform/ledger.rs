//! [`Ledger`]: what the platform issued, entry by entry: the oracle of every test. Pure, bounded.

use std::sync::Arc;

use serde::Serialize;

use super::log::Log;
use crate::domain::WallTime;

/// One event that was issued to a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// Counts entries from 1, across numberings; what `after` refers to.
    pub entry: u64,
    /// Counts restarts of the numbering from 1.
    pub numbering: u32,
    /// The number on the wire.
    pub number: u64,
    /// Its channel; also its `eventType` unless the event was malformed on purpose.
    pub event_type: Arc<str>,
    /// Bytes of its JSON.
    pub bytes: u32,
    /// SHA-256 of its JSON as it stands on the wire, in hexadecimal.
    pub sha256: Digest,
    /// When it was issued, RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub issued_at: WallTime,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of an issued event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Delivered in its place.
    Deliver,
    /// Delivered after so many later ones.
    Delay(u32),
    /// Never delivered; the history has it.
    History,
    /// Never delivered, and nowhere to be had.
    Lost,
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut own = [0; 32];
        for (to, from) in own.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(own)
    }

    /// Reads the hexadecimal form; `None` for anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut own = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (to, at) in own.iter_mut().zip((0..64).step_by(2)) {
            *to = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self(own))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn as_text<S: serde::Serializer>(time: &WallTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// A part of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LedgerPage {
    /// Entries in the order of issue.
    pub entries: Vec<LedgerEntry>,
    /// Entries issued so far.
    pub issued: u64,
    /// Entries that are no longer kept, the oldest.
    pub dropped: u64,
    /// Where the next page begins, if there is one.
    pub next_after: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Ledger(Log<LedgerEntry>);

impl Ledger {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Log::new(capacity))
    }

    /// Enters an event; its ordinal is given here.
    pub(crate) fn enter(&mut self, event: LedgerEntry) {
        self.0.enter(|entry| LedgerEntry { entry, ..event });
    }

    pub(crate) fn issued(&self) -> u64 {
        self.0.entered()
    }

    pub(crate) fn page(&self, after: u64, limit: usize) -> LedgerPage {
        let entries = self.0.after(after, limit);
        let last = entries.last().map_or(self.issued(), |entry| entry.entry);
        LedgerPage {
            entries,
            issued: self.issued(),
            dropped: self.0.dropped(),
            next_after: (last < self.issued()).then_some(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> LedgerEntry {
        LedgerEntry {
            entry: 0,
            numbering: 1,
            number,
            event_type: "a".into(),
            bytes: 1,
            sha256: Digest::of(b"abc"),
            issued_at: WallTime::from_millis(0),
            fate: Fate::Deliver,
        }
    }

    #[test]
    fn pages_cover_what_is_kept_and_say_what_is_not() {
        let mut ledger = Ledger::new(3);
        (1..=5).for_each(|number| ledger.enter(entry(number)));
        let page = ledger.page(0, 2);
        let numbers: Vec<_> = page.entries.iter().map(|entry| entry.number).collect();
        assert_eq!((numbers, page.dropped), (vec![3, 4], 2));
        assert_eq!(page.next_after, Some(4));
        let rest = ledger.page(4, 10);
        assert_eq!((rest.entries.len(), rest.next_after), (1, None));
        assert!(ledger.page(9, 10).entries.is_empty());
    }

    #[test]
    fn digests_are_sha256_in_hexadecimal() {
        assert_eq!(
            Digest::of(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
