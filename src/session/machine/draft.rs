//! From a provider event to the draft that is journaled: id, origin, size (`journal.md`, "Size").

use prost::Message;
use xxhash_rust::xxh3::Xxh3;

use super::Machine;
use super::io::At;
use super::state::limits;
use crate::connectors::{NumberRange, ProviderEvent};
use crate::domain::Sequence;
use crate::proto::v1;
use crate::proto::v1::event::Origin;

/// What an event is called and where it belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    /// Numbering, number and place among the events of that number.
    pub(super) number: Option<(u64, u64, usize)>,
    pub(super) backfill: bool,
    pub(super) gap: Option<Sequence>,
    pub(super) possible_duplicate: bool,
}

impl Machine {
    /// A frame that is no batch, on a platform that cannot be asked again: kept as it is (U20).
    pub(super) fn keep_unreadable(&mut self, at: At, reason: &str, raw: bytes::Bytes) {
        let event = ProviderEvent {
            raw,
            malformed: Some(reason.to_owned()),
            ..ProviderEvent::default()
        };
        let stamp = Stamp {
            number: None,
            backfill: false,
            gap: None,
            possible_duplicate: false,
        };
        self.emit(at, &event, stamp);
    }

    /// Journals an item of a present state, or of a time that was missed (U18).
    pub(super) fn backfill(&mut self, at: At, event: &ProviderEvent, gap: Option<Sequence>) {
        let stamp = Stamp {
            number: None,
            backfill: true,
            gap,
            possible_duplicate: false,
        };
        let (draft, oversize) = self.fitting(event, stamp);
        self.journal(draft, event.tracked.as_ref().map(|t| (t, hash(event))));
        if oversize {
            self.told_oversize(at, 0, event.raw.len());
        }
    }

    pub(super) fn emit(&mut self, at: At, event: &ProviderEvent, stamp: Stamp) {
        let (draft, oversize) = self.fitting(event, stamp);
        self.deliver(at, draft, event);
        if oversize {
            let number = stamp.number.map_or(0, |(_, number, _)| number);
            self.told_oversize(at, number, event.raw.len());
        }
    }

    /// The draft, and whether it had to be made smaller.
    fn fitting(&mut self, event: &ProviderEvent, stamp: Stamp) -> (v1::Event, bool) {
        let mut draft = self.draft(event, stamp);
        // Measuring costs a pass over the event; only large ones can be too large.
        let large = event.raw.len() > limits::EVENT / 4 && draft.encoded_len() > limits::EVENT;
        let oversize = large && shrink(&mut draft);
        (draft, oversize)
    }

    pub(super) fn told_oversize(&mut self, at: At, number: u64, size: usize) {
        self.stats.oversize(self.session.as_str(), size);
        let run = NumberRange {
            first: number,
            last: number,
        };
        let runs = if number == 0 { Vec::new() } else { vec![run] };
        self.tell_gap(at, runs, "OVERSIZE", at.wall);
    }

    pub(super) fn draft(&mut self, event: &ProviderEvent, stamp: Stamp) -> v1::Event {
        let mut draft = self.connector.normalize(event);
        self.facts.session().clone_into(&mut draft.session);
        let origin = if stamp.backfill {
            Origin::Backfill
        } else {
            Origin::Live
        };
        draft.origin = origin.into();
        if let Some((numbering, number, index)) = stamp.number {
            draft.provider_sequence = number;
            if draft.id.is_empty() {
                draft.id = format!("{numbering}:{number}:{index}");
            }
        }
        if draft.id.is_empty() {
            draft.id = format!("{:016x}-{}", hash(event), self.facts.unique());
        }
        if let Some(gap) = stamp.gap {
            draft
                .attributes
                .insert("gapsequence".to_owned(), gap.to_string());
        }
        if stamp.possible_duplicate {
            draft
                .attributes
                .insert("possibleduplicate".to_owned(), "true".to_owned());
        }
        self.stats
            .event(stamp.backfill, draft.attributes.contains_key("parseerror"));
        draft
    }
}

/// Leaves out what makes an event too large; false when there is nothing to leave out.
pub(super) fn shrink(event: &mut v1::Event) -> bool {
    const LONGEST: usize = 1024;
    if event.raw_data.is_empty() {
        return false;
    }
    let raw = std::mem::take(&mut event.raw_data);
    let digest = ring::digest::digest(&ring::digest::SHA256, &raw);
    let hex = digest
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    event.data = None;
    "ccaas.unmapped.v1".clone_into(&mut event.r#type);
    for text in [&mut event.provider_type, &mut event.id] {
        text.truncate(text.floor_char_boundary(LONGEST));
    }
    event.subject.clone_from(&event.provider_type);
    event.ordering_key.clone_from(&event.provider_type);
    let attributes = [
        ("oversize", "true".to_owned()),
        ("size", raw.len().to_string()),
        ("sha256", hex),
    ];
    event.attributes.retain(|_, value| value.len() <= LONGEST);
    event
        .attributes
        .extend(attributes.map(|(key, value)| (key.to_owned(), value)));
    true
}

pub(super) fn hash(event: &ProviderEvent) -> u64 {
    hash_of(&event.topic, &event.raw)
}

/// What is compared between connections (U16).
pub(super) fn identity(event: &ProviderEvent) -> u64 {
    hash_of(&event.topic, event.identity.as_ref().unwrap_or(&event.raw))
}

fn hash_of(topic: &str, bytes: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(topic.as_bytes());
    hasher.update(&[0]);
    hasher.update(bytes);
    hasher.digest()
}
