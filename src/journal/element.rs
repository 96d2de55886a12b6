//! One event as bytes: an element of `SubscribeResponse.events`, encoded once. Pure.
//!
//! `0x0A` | length | sequence, record time, attributes | `data` | `raw_data`. Parsers accept fields
//! in any order; this order makes every view of an event one or two slices of the stored bytes.

use bytes::{BufMut, Bytes};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use xxhash_rust::xxh3::Xxh3;

use super::Entry;
use crate::domain::{Sequence, WallTime};
use crate::proto::v1;

const EVENTS_TAG: u32 = 1;
const SEQUENCE_TAG: u32 = 1;
const RECORD_TIME_TAG: u32 = 7;
const RAW_DATA_TAG: u32 = 16;
/// What attributes and `data` of an event take, about.
const HEAD_GUESS: usize = 384;

/// What a journal keeps of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Store {
    /// `data` and `raw_data`.
    #[default]
    Full,
    /// No `raw_data`, except of events without a normal form.
    Normalized,
    /// No `data`, except of the sidecar's own events.
    Raw,
}

/// What a reader wants of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum View {
    /// The bytes as they are stored.
    #[default]
    Full,
    /// Without `raw_data`.
    Normalized,
    /// Without `data`.
    Raw,
    /// Without both.
    Attributes,
}

/// A draft, encoded but for its sequence and record time.
#[derive(Debug, Clone)]
pub struct EncodedDraft {
    /// Attributes, then `data`; of drafts that were encoded together, slices of one buffer.
    head: Bytes,
    /// Where in it `data` begins.
    data_at: usize,
    raw: Bytes,
    id_hash: u64,
}

/// The hash that stands for (`source`, `id`) where events are deduplicated.
#[must_use]
pub fn id_hash(source: &str, id: &str) -> u64 {
    // Nearly all are short: put together they are hashed at once.
    let mut joined = [0; 128];
    let len = source.len() + 1 + id.len();
    if let Some(room) = joined.get_mut(..len) {
        let (before, behind) = room.split_at_mut(source.len());
        before.copy_from_slice(source.as_bytes());
        if let Some(behind) = behind.get_mut(1..) {
            behind.copy_from_slice(id.as_bytes());
        }
        return xxhash_rust::xxh3::xxh3_64(room);
    }
    let mut hasher = Xxh3::new();
    hasher.update(source.as_bytes());
    hasher.update(&[0]);
    hasher.update(id.as_bytes());
    hasher.digest()
}

impl EncodedDraft {
    /// Encodes a draft; its `sequence` and `record_time` are ignored.
    #[must_use]
    pub fn encode(draft: &v1::Event, store: Store) -> Self {
        let mut head = Vec::with_capacity(HEAD_GUESS);
        let (data_at, raw) = encode_head(draft, store, &mut head);
        Self {
            head: head.into(),
            data_at,
            raw,
            id_hash: id_hash(&draft.source, &draft.id),
        }
    }

    /// Encodes drafts that are handed in together, into one buffer.
    #[must_use]
    pub fn encode_all(drafts: &[v1::Event], store: Store) -> Vec<Self> {
        if let [only] = drafts {
            return vec![Self::encode(only, store)];
        }
        let mut heads = Vec::with_capacity(drafts.len() * HEAD_GUESS);
        let place = |draft: &v1::Event| {
            let start = heads.len();
            let (data_at, raw) = encode_head(draft, store, &mut heads);
            (start..heads.len(), data_at, raw)
        };
        let places: Vec<_> = drafts.iter().map(place).collect();
        let heads = Bytes::from(heads);
        let encoded = drafts.iter().zip(places);
        let encoded = encoded.map(|(draft, (head, data_at, raw))| Self {
            head: heads.slice(head),
            data_at,
            raw,
            id_hash: id_hash(&draft.source, &draft.id),
        });
        encoded.collect()
    }

    /// The hash of source and id.
    #[must_use]
    pub fn id_hash(&self) -> u64 {
        self.id_hash
    }

    /// An upper bound of what [`EncodedDraft::write`] will write.
    #[must_use]
    pub fn len_bound(&self) -> usize {
        const NUMBERING: usize = 64;
        self.head.len() + self.raw.len() + NUMBERING
    }

    /// Appends the element and returns where in it `data` and `raw_data` begin.
    pub fn write(&self, sequence: Sequence, at: WallTime, out: &mut impl BufMut) -> (u32, u32) {
        let time = at.to_proto();
        let numbering = prost::encoding::uint64::encoded_len(SEQUENCE_TAG, &sequence.get())
            + prost::encoding::message::encoded_len(RECORD_TIME_TAG, &time);
        let raw_field = if self.raw.is_empty() {
            0
        } else {
            key_len(RAW_DATA_TAG) + encoded_len_varint(self.raw.len() as u64) + self.raw.len()
        };
        let body = numbering + self.head.len() + raw_field;
        encode_key(EVENTS_TAG, WireType::LengthDelimited, out);
        encode_varint(body as u64, out);
        prost::encoding::uint64::encode(SEQUENCE_TAG, &sequence.get(), out);
        prost::encoding::message::encode(RECORD_TIME_TAG, &time, out);
        out.put_slice(&self.head);
        if raw_field > 0 {
            encode_key(RAW_DATA_TAG, WireType::LengthDelimited, out);
            encode_varint(self.raw.len() as u64, out);
            out.put_slice(&self.raw);
        }
        let before = key_len(EVENTS_TAG) + encoded_len_varint(body as u64) + numbering;
        (
            offset(before + self.data_at),
            offset(before + self.head.len()),
        )
    }
}

/// Appends attributes and `data`. Returns where `data` begins and what is kept of `raw_data`.
fn encode_head(draft: &v1::Event, store: Store, out: &mut Vec<u8>) -> (usize, Bytes) {
    use prost::encoding::{hash_map, int32, message, string, uint64};
    // Named one by one, so that no field that is added is forgotten here.
    let v1::Event {
        sequence: _,
        id,
        source,
        r#type,
        subject,
        time,
        record_time: _,
        ordering_key,
        session,
        origin,
        provider_type,
        trace_parent,
        trace_state,
        data_content_type,
        data_schema,
        raw_data,
        attributes,
        provider_sequence,
        data,
    } = draft;
    let start = out.len();
    let text = |tag: u32, text: &String, out: &mut Vec<u8>| {
        if !text.is_empty() {
            string::encode(tag, text, out);
        }
    };
    text(2, id, out);
    text(3, source, out);
    text(4, r#type, out);
    text(5, subject, out);
    if let Some(time) = time {
        message::encode(6, time, out);
    }
    text(8, ordering_key, out);
    text(9, session, out);
    if *origin != 0 {
        int32::encode(10, origin, out);
    }
    text(11, provider_type, out);
    text(12, trace_parent, out);
    text(13, trace_state, out);
    text(14, data_content_type, out);
    text(15, data_schema, out);
    let (key_len, value_len) = (string::encoded_len, string::encoded_len);
    hash_map::encode(
        string::encode,
        key_len,
        string::encode,
        value_len,
        17,
        attributes,
        out,
    );
    if *provider_sequence != 0 {
        uint64::encode(18, provider_sequence, out);
    }
    let data_at = out.len() - start;
    let has_raw = !raw_data.is_empty();
    if let Some(data) = data.as_ref().filter(|_| store != Store::Raw || !has_raw) {
        data.encode(out);
    }
    let keeps_raw = store != Store::Normalized || data.is_none();
    let raw = if keeps_raw {
        raw_data.clone()
    } else {
        Bytes::new()
    };
    (data_at, raw)
}

/// Elements are bounded far below 4 GiB, see [`super::AppendError::TooLarge`].
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A view of one element: a head, and one or two slices of the stored bytes.
#[derive(Debug, Clone)]
pub struct ViewedElement {
    head: smallvec::SmallVec<[u8; 8]>,
    first: Bytes,
    second: Bytes,
}

impl ViewedElement {
    /// Bytes that [`ViewedElement::write`] will write.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.first.len() + self.second.len()
    }

    /// Whether there is nothing to write; never true of a stored event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the element.
    pub fn write(&self, out: &mut impl BufMut) {
        out.put_slice(&self.head);
        out.put_slice(&self.first);
        out.put_slice(&self.second);
    }
}

impl Entry {
    /// The element as `view` shows it; shares the stored bytes.
    #[must_use]
    pub fn view(&self, view: View) -> ViewedElement {
        let whole = || ViewedElement {
            head: smallvec::SmallVec::new(),
            first: self.element.clone(),
            second: Bytes::new(),
        };
        let end = self.element.len();
        let data_at = (self.data_at as usize).min(end);
        let raw_at = (self.raw_at as usize).clamp(data_at, end);
        let body_at = self.body_at();
        let (first, second) = match view {
            View::Full => return whole(),
            View::Normalized if raw_at == end => return whole(),
            View::Raw if data_at == raw_at => return whole(),
            View::Attributes if data_at == end => return whole(),
            View::Normalized => (body_at..raw_at, end..end),
            View::Raw => (body_at..data_at, raw_at..end),
            View::Attributes => (body_at..data_at, end..end),
        };
        let mut head = smallvec::SmallVec::<[u8; 8]>::new();
        let mut varint = Vec::with_capacity(8);
        encode_key(EVENTS_TAG, WireType::LengthDelimited, &mut varint);
        encode_varint((first.len() + second.len()) as u64, &mut varint);
        head.extend_from_slice(&varint);
        ViewedElement {
            head,
            first: self.element.slice(first),
            second: self.element.slice(second),
        }
    }

    /// The encoded `Event` without the head of the element.
    #[must_use]
    pub fn event_bytes(&self) -> Bytes {
        self.element.slice(self.body_at()..)
    }

    /// Decodes the whole event.
    ///
    /// # Errors
    /// When the stored bytes are not an `Event`; their checksum makes that a bug.
    pub fn decode(&self) -> Result<v1::Event, prost::DecodeError> {
        v1::Event::decode(self.event_bytes())
    }

    fn body_at(&self) -> usize {
        let mut rest = self.element.get(1..).unwrap_or_default();
        let before = rest.len();
        match prost::encoding::decode_varint(&mut rest) {
            Ok(_) => 1 + (before - rest.len()),
            Err(_) => self.element.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arbitrary_event() -> impl Strategy<Value = v1::Event> {
        (
            ".{0,20}",
            ".{0,20}",
            proptest::collection::hash_map("[a-z]{1,8}", ".{0,20}", 0..4),
            proptest::option::of(".{0,30}"),
            proptest::collection::vec(any::<u8>(), 0..300),
            any::<u64>(),
            proptest::collection::vec(".{0,9}", 9),
            proptest::option::of(any::<u64>()),
        )
            .prop_map(|drawn| {
                let (id, source, attributes, agent, raw, provider_sequence, texts, time) = drawn;
                let text = |index: usize| texts[index].clone();
                v1::Event {
                    id,
                    source,
                    attributes,
                    provider_sequence,
                    r#type: text(0),
                    subject: text(1),
                    time: time.map(|nanos| WallTime::from_nanos(nanos).to_proto()),
                    ordering_key: text(2),
                    session: text(3),
                    origin: texts.iter().map(String::len).sum::<usize>() as i32 % 4,
                    provider_type: text(4),
                    trace_parent: text(5),
                    trace_state: text(6),
                    data_content_type: text(7),
                    data_schema: text(8),
                    raw_data: raw.into(),
                    data: agent.map(|agent_id| {
                        v1::event::Data::AgentStateEvent(v1::AgentStateEvent {
                            agent_id,
                            ..Default::default()
                        })
                    }),
                    ..Default::default()
                }
            })
    }

    fn entry(draft: &v1::Event, sequence: u64, at: WallTime) -> Entry {
        let encoded = EncodedDraft::encode(draft, Store::Full);
        let mut element = Vec::new();
        let (data_at, raw_at) = encoded.write(Sequence::new(sequence), at, &mut element);
        assert!(element.len() <= encoded.len_bound());
        Entry {
            sequence: Sequence::new(sequence),
            record_time: at,
            id_hash: encoded.id_hash(),
            element: element.into(),
            data_at,
            raw_at,
        }
    }

    fn decode_response(parts: &[ViewedElement]) -> v1::SubscribeResponse {
        let mut bytes = Vec::new();
        parts.iter().for_each(|p| p.write(&mut bytes));
        assert_eq!(
            bytes.len(),
            parts.iter().map(ViewedElement::len).sum::<usize>()
        );
        v1::SubscribeResponse::decode(bytes.as_slice()).unwrap()
    }

    proptest! {
        #[test]
        fn every_view_decodes_to_the_event_less_what_it_leaves_out(
            draft in arbitrary_event(), sequence in 1_u64.., nanos: u64,
        ) {
            let at = WallTime::from_nanos(nanos);
            let entry = entry(&draft, sequence, at);
            let full = v1::Event { sequence, record_time: Some(at.to_proto()), ..draft };
            let normalized = v1::Event { raw_data: Bytes::new(), ..full.clone() };
            let raw = v1::Event { data: None, ..full.clone() };
            let attributes = v1::Event { data: None, ..normalized.clone() };
            let views = [View::Full, View::Normalized, View::Raw, View::Attributes];
            let decoded = decode_response(&views.map(|v| entry.view(v)));
            prop_assert_eq!(decoded.events, vec![full.clone(), normalized, raw, attributes]);
            prop_assert_eq!(entry.decode().unwrap(), full);
        }
    }

    #[test]
    fn ids_of_every_length_have_the_hash_of_their_parts() {
        for len in [0, 1, 60, 120, 125, 126, 127, 128, 129, 300] {
            let id = "x".repeat(len);
            let whole = format!("s\0{id}");
            let expected = xxhash_rust::xxh3::xxh3_64(whole.as_bytes());
            assert_eq!(id_hash("s", &id), expected, "{len}");
        }
    }

    #[test]
    fn storing_less_never_empties_an_event() {
        let session = v1::Event {
            data: Some(v1::event::Data::SessionEvent(v1::SessionEvent::default())),
            ..Default::default()
        };
        let unmapped = v1::Event {
            raw_data: Bytes::from_static(b"{}"),
            ..Default::default()
        };
        let both = v1::Event {
            raw_data: Bytes::from_static(b"{}"),
            ..session.clone()
        };
        let kept = |event: &v1::Event, store| {
            let encoded = EncodedDraft::encode(event, store);
            (
                encoded.data_at < encoded.head.len(),
                !encoded.raw.is_empty(),
            )
        };
        assert_eq!(kept(&session, Store::Raw), (true, false));
        assert_eq!(kept(&unmapped, Store::Normalized), (false, true));
        assert_eq!(kept(&both, Store::Normalized), (true, false));
        assert_eq!(kept(&both, Store::Raw), (false, true));
    }
}
