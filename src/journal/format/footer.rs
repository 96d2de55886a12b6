//! [`Footer`]: what a sealed segment says about itself, so that opening it need not read it.

use super::{Fields, FrameHeader, IdRun, Kind, Parsed, Seed, finish_frame, open_frame, parse};
use crate::domain::{Sequence, WallTime};

/// Length of what ends a sealed file.
pub(crate) const TRAILER_LEN: usize = 16;
const TRAILER_MAGIC: u32 = u32::from_le_bytes(*b"SEAL");

/// Where an event frame stands; sparse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) sequence: Sequence,
    pub(crate) time: WallTime,
    pub(crate) offset: u64,
}

/// The last frame of a sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footer {
    /// Last sequence; one less than the first where it has no events.
    pub(crate) last: Sequence,
    /// Times of its first and last event; zero where it has none.
    pub(crate) first_time: WallTime,
    pub(crate) last_time: WallTime,
    /// Its first event, and one about every 64 KiB after it.
    pub(crate) index: Vec<IndexEntry>,
    /// Hashes of its events that were recent when it was sealed.
    pub(crate) ids: Vec<IdRun>,
}

/// The last bytes of a sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailer {
    /// Where the footer begins, which is where the data ends.
    pub(crate) footer_at: u64,
}

impl Footer {
    /// The footer frame and the trailer.
    pub(crate) fn encode(&self, seed: Seed, at: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let frame = open_frame(&mut out);
        out.extend_from_slice(&self.first_time.as_nanos().to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.index.len()).unwrap_or(0).to_le_bytes());
        for entry in &self.index {
            out.extend_from_slice(&entry.sequence.get().to_le_bytes());
            out.extend_from_slice(&entry.time.as_nanos().to_le_bytes());
            out.extend_from_slice(&entry.offset.to_le_bytes());
        }
        IdRun::encode_all(&self.ids, &mut out);
        let header = FrameHeader {
            kind: Kind::Footer,
            flags: 0,
            sequence: self.last,
            time: self.last_time,
            hash: 0,
            a: 0,
            b: 0,
        };
        finish_frame(seed, &header, frame, &mut out);
        let mut trailer = [at.to_le_bytes().as_slice(), &TRAILER_MAGIC.to_le_bytes()].concat();
        let crc = crc32c::crc32c(&trailer);
        trailer.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&trailer);
        out
    }

    /// Reads a footer frame; `None` when it is damaged or of another segment.
    pub(crate) fn decode(seed: Seed, bytes: &[u8]) -> Option<Self> {
        let Parsed::Frame {
            header, payload, ..
        } = parse(seed, bytes)
        else {
            return None;
        };
        let mut fields = Fields(payload);
        let first_time = WallTime::from_nanos(fields.u64()?);
        let entry = |fields: &mut Fields<'_>| {
            Some(IndexEntry {
                sequence: Sequence::new(fields.u64()?),
                time: WallTime::from_nanos(fields.u64()?),
                offset: fields.u64()?,
            })
        };
        let count = fields.count(24)?;
        let index = (0..count)
            .map(|_| entry(&mut fields))
            .collect::<Option<_>>()?;
        let ids = IdRun::decode_all(&mut fields)?;
        (header.kind == Kind::Footer).then_some(Self {
            last: header.sequence,
            first_time,
            last_time: header.time,
            index,
            ids,
        })
    }
}

impl Trailer {
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        let mut fields = Fields(body);
        let (footer_at, magic) = (fields.u64()?, fields.u32()?);
        let sound = magic == TRAILER_MAGIC && crc32c::crc32c(body) == u32::from_le_bytes(*crc);
        sound.then_some(Self { footer_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Epoch;

    #[test]
    fn a_footer_survives_with_its_trailer() {
        let seed = Seed::new(1, Epoch::new(2), 3);
        let footer = Footer {
            last: Sequence::new(9),
            first_time: WallTime::from_nanos(1),
            last_time: WallTime::from_nanos(8),
            index: vec![IndexEntry {
                sequence: Sequence::new(3),
                time: WallTime::from_nanos(1),
                offset: 140,
            }],
            ids: vec![IdRun {
                time: WallTime::from_nanos(8),
                hashes: vec![5, 6],
            }],
        };
        let bytes = footer.encode(seed, 4096);
        let (frame, trailer) = bytes.split_at(bytes.len() - TRAILER_LEN);
        assert_eq!(Footer::decode(seed, frame), Some(footer));
        assert_eq!(Trailer::decode(trailer), Some(Trailer { footer_at: 4096 }));
        for bit in 0..TRAILER_LEN * 8 {
            let mut flipped = trailer.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Trailer::decode(&flipped), None, "bit {bit}");
        }
    }
}
