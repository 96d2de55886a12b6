//! [`SegmentHeader`] and the names of segment files.

use super::{BadHeader, Fields, Seed, VERSION};
use crate::domain::{Epoch, Sequence, WallTime};

/// Bytes before the first frame.
pub(crate) const SEGMENT_HEADER_LEN: usize = 96;
const CRC_AT: usize = SEGMENT_HEADER_LEN - 4;
const MAGIC: [u8; 8] = *b"TIELSEG\0";
const SUFFIX: &str = ".seg";

/// What stands at the front of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The journal it belongs to; random, never told to clients.
    pub(crate) journal: u128,
    /// The incarnation that wrote it.
    pub(crate) epoch: Epoch,
    /// Which segment of the journal; rises by one or more from each to the next.
    pub(crate) generation: u64,
    /// Sequence of the first event written to it, if any is.
    pub(crate) first: Sequence,
    /// Length of the file when it was made; only sealing makes it shorter.
    pub(crate) allocated: u64,
    /// When it was made.
    pub(crate) created: WallTime,
}

impl SegmentHeader {
    pub(crate) fn seed(&self) -> Seed {
        Seed::new(self.journal, self.epoch, self.generation)
    }

    pub(crate) fn name(&self) -> String {
        segment_name(self.first, self.generation)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_LEN);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&96_u32.to_le_bytes());
        out.extend_from_slice(&self.journal.to_le_bytes());
        out.extend_from_slice(&self.epoch.get().to_le_bytes());
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.first.get().to_le_bytes());
        out.extend_from_slice(&self.allocated.to_le_bytes());
        out.extend_from_slice(&self.created.as_nanos().to_le_bytes());
        out.resize(CRC_AT, 0);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        super::meta::check(bytes, MAGIC, SEGMENT_HEADER_LEN, super::VERSION)?;
        Self::fields(bytes).ok_or(BadHeader::Damaged)
    }

    fn fields(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.take(16)?;
        Some(Self {
            journal: fields.u128()?,
            epoch: Epoch::new(fields.u64()?),
            generation: fields.u64()?,
            first: Sequence::new(fields.u64()?),
            allocated: fields.u64()?,
            created: WallTime::from_nanos(fields.u64()?),
        })
    }
}

/// The name of a segment file.
pub(crate) fn segment_name(first: Sequence, generation: u64) -> String {
    format!("{:020}-{generation:016x}{SUFFIX}", first.get())
}

/// First sequence and generation, when the name is a segment's.
pub(crate) fn segment_of_name(name: &str) -> Option<(Sequence, u64)> {
    let (first, generation) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let first = Sequence::new(first.parse().ok()?);
    let generation = u64::from_str_radix(generation, 16).ok()?;
    (segment_name(first, generation) == name).then_some((first, generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_and_no_flipped_bit_does() {
        let header = SegmentHeader {
            journal: 1 << 100,
            epoch: Epoch::new(2),
            generation: 3,
            first: Sequence::new(4),
            allocated: 5,
            created: WallTime::from_nanos(6),
        };
        let bytes = header.encode();
        assert_eq!(bytes.len(), SEGMENT_HEADER_LEN);
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                SegmentHeader::decode(&flipped),
                Err(BadHeader::Damaged),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn names_are_canonical() {
        let name = segment_name(Sequence::new(4711), 0x2A);
        assert_eq!(name, "00000000000000004711-000000000000002a.seg");
        assert_eq!(segment_of_name(&name), Some((Sequence::new(4711), 42)));
        for other in [
            "4711-2a.seg",
            "x.seg",
            "meta",
            "00000000000000004711-000000000000002A.seg",
        ] {
            assert_eq!(segment_of_name(other), None, "{other}");
        }
    }
}
