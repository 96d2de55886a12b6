//! [`Payload`]: what a commit frame carries: changes of state, and id hashes that a trim would lose.

use bytes::Bytes;

use super::Fields;
use crate::domain::{Sequence, WallTime};

/// One change of state, with the sequence that its event got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delta {
    pub(crate) key: String,
    /// `None` deletes the key.
    pub(crate) value: Option<Bytes>,
    pub(crate) sequence: Sequence,
}

/// Id hashes of events that were written within a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdRun {
    /// When the last of them was written.
    pub(crate) time: WallTime,
    /// In order of their sequences.
    pub(crate) hashes: Vec<u64>,
}

/// What a commit frame carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) deltas: Vec<Delta>,
    /// Hashes of events whose segments are gone or about to go.
    pub(crate) carried: Vec<IdRun>,
}

/// Deletes keys in an encoded payload: zeros stand where their values stood, and its length stays.
/// Whether any of them was set.
pub(crate) fn scrub(payload: &mut [u8], keys: &[String]) -> bool {
    let mut found = Vec::new();
    let len = payload.len();
    let mut fields = Fields(payload);
    for _ in 0..fields.count(MIN_DELTA).unwrap_or(0) {
        let at = len - fields.0.len();
        let mut delta = || {
            let set = fields.u8()? == 1;
            fields.u64()?;
            let count = fields.count(1)?;
            let is_one = keys
                .iter()
                .any(|key| fields.0.starts_with(key.as_bytes()) && key.len() == count);
            fields.take(count)?;
            let count = fields.count(1)?;
            let value = len - fields.0.len()..len - fields.0.len() + count;
            fields.take(count)?;
            Some((set && is_one).then_some((at, value)))
        };
        match delta() {
            Some(Some(one)) => found.push(one),
            Some(None) => {}
            None => break,
        }
    }
    for (at, value) in &found {
        if let Some(set) = payload.get_mut(*at) {
            *set = 0;
        }
        if let Some(value) = payload.get_mut(value.clone()) {
            value.fill(0);
        }
    }
    !found.is_empty()
}

const MIN_DELTA: usize = 17;
const MIN_RUN: usize = 12;

fn length(of: usize) -> [u8; 4] {
    u32::try_from(of).unwrap_or(u32::MAX).to_le_bytes()
}

impl Payload {
    /// Appends the encoding; nothing at all when there is nothing to say.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        if self.deltas.is_empty() && self.carried.is_empty() {
            return;
        }
        out.extend_from_slice(&length(self.deltas.len()));
        for delta in &self.deltas {
            delta.encode(out);
        }
        IdRun::encode_all(&self.carried, out);
    }

    /// `None` when the bytes are none; a checksum makes that a bug.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let mut fields = Fields(bytes);
        let count = fields.count(MIN_DELTA)?;
        let deltas = (0..count)
            .map(|_| Delta::decode(&mut fields))
            .collect::<Option<_>>()?;
        let carried = IdRun::decode_all(&mut fields)?;
        fields.0.is_empty().then_some(Self { deltas, carried })
    }
}

impl Delta {
    /// Bytes that it takes, or a little more.
    pub(crate) fn len_bound(key: &str, value: Option<&Bytes>) -> usize {
        MIN_DELTA + key.len() + value.map_or(0, Bytes::len)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.value.is_some()));
        out.extend_from_slice(&self.sequence.get().to_le_bytes());
        out.extend_from_slice(&length(self.key.len()));
        out.extend_from_slice(self.key.as_bytes());
        let value = self.value.as_deref().unwrap_or_default();
        out.extend_from_slice(&length(value.len()));
        out.extend_from_slice(value);
    }

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let set = fields.u8()? == 1;
        let sequence = Sequence::new(fields.u64()?);
        let count = fields.count(1)?;
        let key = std::str::from_utf8(fields.take(count)?).ok()?.to_owned();
        let count = fields.count(1)?;
        let value = Bytes::copy_from_slice(fields.take(count)?);
        Some(Self {
            key,
            value: set.then_some(value),
            sequence,
        })
    }
}

impl IdRun {
    pub(super) fn encode_all(runs: &[Self], out: &mut Vec<u8>) {
        out.extend_from_slice(&length(runs.len()));
        for run in runs {
            out.extend_from_slice(&run.time.as_nanos().to_le_bytes());
            out.extend_from_slice(&length(run.hashes.len()));
            for hash in &run.hashes {
                out.extend_from_slice(&hash.to_le_bytes());
            }
        }
    }

    pub(super) fn decode_all(fields: &mut Fields<'_>) -> Option<Vec<Self>> {
        let count = fields.count(MIN_RUN)?;
        let run = |fields: &mut Fields<'_>| {
            let time = WallTime::from_nanos(fields.u64()?);
            let count = fields.count(8)?;
            let hashes = (0..count).map(|_| fields.u64()).collect::<Option<_>>()?;
            Some(Self { time, hashes })
        };
        (0..count).map(|_| run(fields)).collect()
    }

    /// Bytes that all of them take.
    pub(crate) fn len_all(runs: &[Self]) -> usize {
        4 + runs
            .iter()
            .map(|run| MIN_RUN + 8 * run.hashes.len())
            .sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection;
    use proptest::prelude::*;

    fn arbitrary() -> impl Strategy<Value = Payload> {
        let delta = (".{0,12}", proptest::option::of(".{0,12}"), any::<u64>()).prop_map(
            |(key, value, sequence)| Delta {
                key,
                value: value.map(Bytes::from),
                sequence: Sequence::new(sequence),
            },
        );
        let run =
            (any::<u64>(), collection::vec(any::<u64>(), 0..5)).prop_map(|(time, hashes)| IdRun {
                time: WallTime::from_nanos(time),
                hashes,
            });
        (collection::vec(delta, 0..4), collection::vec(run, 0..4))
            .prop_map(|(deltas, carried)| Payload { deltas, carried })
    }

    proptest! {
        #[test]
        fn a_payload_survives(payload in arbitrary()) {
            let mut bytes = Vec::new();
            payload.encode(&mut bytes);
            let bound = payload.deltas.iter().map(|d| Delta::len_bound(&d.key, d.value.as_ref()));
            let bound = 4 + bound.sum::<usize>() + IdRun::len_all(&payload.carried);
            prop_assert!(bytes.len() <= bound);
            prop_assert_eq!(Payload::decode(&bytes), Some(payload));
        }

        #[test]
        fn a_scrubbed_payload_deletes_its_keys_and_nothing_else(payload in arbitrary()) {
            let mut bytes = Vec::new();
            payload.encode(&mut bytes);
            let len = bytes.len();
            let keys: Vec<_> = payload.deltas.iter().step_by(2).map(|d| d.key.clone()).collect();
            let mut expected = payload.clone();
            for delta in &mut expected.deltas {
                if keys.contains(&delta.key) {
                    delta.value = None;
                }
            }
            prop_assert_eq!(scrub(&mut bytes, &keys), expected != payload);
            prop_assert_eq!(bytes.len(), len);
            prop_assert_eq!(Payload::decode(&bytes), Some(expected));
        }

        #[test]
        fn any_bytes_are_a_payload_or_none(bytes in collection::vec(any::<u8>(), 0..64)) {
            if let Some(payload) = Payload::decode(&bytes) {
                prop_assert!(payload.deltas.len() <= 4);
            }
        }
    }
}
