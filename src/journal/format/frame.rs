//! Frames: what a segment consists of after its header.

use super::{Fields, Seed};
use crate::domain::{Sequence, WallTime};

/// Bytes before the payload.
pub(crate) const FRAME_HEADER_LEN: usize = 44;
/// Frames begin at multiples of this.
pub(crate) const FRAME_ALIGN: usize = 4;
/// Flag of a commit that replaces all state: the first of each segment.
pub(crate) const SNAPSHOT: u8 = 1;
/// Flag of the commit that a journal writes when it is closed in order.
pub(crate) const CLOSING: u8 = 2;
/// Flag of an event that was erased: zeros stand where its payload stood.
pub(crate) const ERASED: u8 = 1;
/// The checksum covers everything behind itself.
const CRC_LEN: usize = 4;
/// Where the header's own checksum stands, so that a length is trusted before the payload is there.
const CHECK_AT: usize = FRAME_HEADER_LEN - 2;
/// No frame is longer; what claims to be is damage. A state of this size is a bug.
const MAX_PAYLOAD: u32 = 1 << 29;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An element of `SubscribeResponse.events`.
    Event,
    /// The end of a commit, with its state.
    Commit,
    /// The end of a sealed segment.
    Footer,
}

/// What stands before a payload. The fields `hash`, `a` and `b` mean something else for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// Event: its own. Commit and footer: the last before it.
    pub(crate) sequence: Sequence,
    /// When it was written.
    pub(crate) time: WallTime,
    /// Event: hash of source and id. Commit: where in the file its write began. Footer: zero.
    pub(crate) hash: u64,
    /// Event: where `data` begins. Commit: its count of events. Footer: zero.
    pub(crate) a: u32,
    /// Event: where `raw_data` begins. Commit: checksum over those of its events. Footer: zero.
    pub(crate) b: u32,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// A frame whose checksum is right.
    Frame {
        header: FrameHeader,
        payload: &'a [u8],
        crc: u32,
        /// Bytes to the next frame.
        len: usize,
    },
    /// Perhaps a frame, of which more bytes than these are needed.
    Short(usize),
    /// No frame.
    Bad,
}

/// Bytes that a frame with this payload takes.
pub(crate) fn frame_len(payload: usize) -> usize {
    (FRAME_HEADER_LEN + payload).next_multiple_of(FRAME_ALIGN)
}

/// Leaves room for a header at the end of `out`, and returns where.
pub(crate) fn open_frame(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_LEN]);
    at
}

/// Pads the frame that was opened at `at` and whose payload ends where `out` does, fills in its
/// header and returns its checksum.
pub(crate) fn finish_frame(seed: Seed, header: &FrameHeader, at: usize, out: &mut Vec<u8>) -> u32 {
    let payload = out.len().saturating_sub(at + FRAME_HEADER_LEN);
    out.resize(at + frame_len(payload), 0);
    let Some(frame) = out.get_mut(at..) else {
        return 0;
    };
    if let Some(room) = frame.first_chunk_mut() {
        *room = header.encode(seed, u32::try_from(payload).unwrap_or(u32::MAX));
    }
    let crc = seed.checksum(frame.get(CRC_LEN..).unwrap_or_default());
    if let Some(room) = frame.first_chunk_mut() {
        *room = crc.to_le_bytes();
    }
    crc
}

/// Bytes to the next frame, by the header at the front of `bytes` alone; `None` when it is none.
pub(crate) fn announced_len(seed: Seed, bytes: &[u8]) -> Option<usize> {
    let (_, payload, _) = FrameHeader::decode(seed, bytes.get(..FRAME_HEADER_LEN)?)?;
    Some(frame_len(payload))
}

/// Reads the frame at the front of `bytes`. Says [`Parsed::Short`] only of what might become a frame
/// with more bytes.
pub(crate) fn parse(seed: Seed, bytes: &[u8]) -> Parsed<'_> {
    let Some(head) = bytes.get(..FRAME_HEADER_LEN) else {
        return Parsed::Short(FRAME_HEADER_LEN);
    };
    let Some((crc, payload, header)) = FrameHeader::decode(seed, head) else {
        return Parsed::Bad;
    };
    let len = frame_len(payload);
    let Some(frame) = bytes.get(..len) else {
        return Parsed::Short(len);
    };
    let covered = frame.get(CRC_LEN..).unwrap_or_default();
    match frame.get(FRAME_HEADER_LEN..FRAME_HEADER_LEN + payload) {
        Some(payload) if seed.checksum(covered) == crc => Parsed::Frame {
            header,
            payload,
            crc,
            len,
        },
        _ => Parsed::Bad,
    }
}

impl FrameHeader {
    /// Whether this commit replaces all state.
    pub(crate) fn is_snapshot(&self) -> bool {
        self.kind == Kind::Commit && self.flags & SNAPSHOT != 0
    }

    /// Whether this event was erased.
    pub(crate) fn is_erased(&self) -> bool {
        self.kind == Kind::Event && self.flags & ERASED != 0
    }

    /// Whether this commit says that the journal was closed in order.
    pub(crate) fn is_closing(&self) -> bool {
        self.kind == Kind::Commit && self.flags & CLOSING != 0
    }

    fn encode(&self, seed: Seed, payload: u32) -> [u8; FRAME_HEADER_LEN] {
        let kind = match self.kind {
            Kind::Event => 1_u8,
            Kind::Commit => 2,
            Kind::Footer => 3,
        };
        let mut bytes = [0; FRAME_HEADER_LEN];
        let mut put = |at: usize, field: &[u8]| {
            if let Some(room) = bytes.get_mut(at..at + field.len()) {
                room.copy_from_slice(field);
            }
        };
        put(4, &payload.to_le_bytes());
        put(8, &self.sequence.get().to_le_bytes());
        put(16, &self.time.as_nanos().to_le_bytes());
        put(24, &self.hash.to_le_bytes());
        put(32, &self.a.to_le_bytes());
        put(36, &self.b.to_le_bytes());
        put(40, &[kind, self.flags]);
        let check = header_check(seed, &bytes);
        if let Some(room) = bytes.last_chunk_mut() {
            *room = check.to_le_bytes();
        }
        bytes
    }

    /// Checksum, length of the payload and header; `None` when no frame can begin so.
    fn decode(seed: Seed, bytes: &[u8]) -> Option<(u32, usize, Self)> {
        let mut fields = Fields(bytes);
        let crc = fields.u32()?;
        let payload = fields.u32()?;
        let sequence = Sequence::new(fields.u64()?);
        let time = WallTime::from_nanos(fields.u64()?);
        let (hash, a, b) = (fields.u64()?, fields.u32()?, fields.u32()?);
        let (kind, flags, check) = (fields.u8()?, fields.u8()?, fields.u16()?);
        let kind = match kind {
            1 if flags & !ERASED == 0 && a <= b && b <= payload => Kind::Event,
            2 if flags & !(SNAPSHOT | CLOSING) == 0 => Kind::Commit,
            3 if flags == 0 => Kind::Footer,
            _ => return None,
        };
        if payload > MAX_PAYLOAD || check != header_check(seed, bytes) {
            return None;
        }
        let header = Self {
            kind,
            flags,
            sequence,
            time,
            hash,
            a,
            b,
        };
        Some((crc, usize::try_from(payload).ok()?, header))
    }
}

/// Sixteen bits over the header; that no flipped bit goes unseen was tried for each.
fn header_check(seed: Seed, header: &[u8]) -> u16 {
    let crc = seed.checksum(header.get(CRC_LEN..CHECK_AT).unwrap_or_default());
    let [a, b, c, d] = crc.to_le_bytes();
    u16::from_le_bytes([a ^ c, b ^ d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Epoch;
    use proptest::prelude::*;

    const SEED: u128 = 7;

    fn seed(generation: u64) -> Seed {
        Seed::new(SEED, Epoch::new(9), generation)
    }

    fn frame(payload: &[u8], header: &FrameHeader) -> Vec<u8> {
        let mut out = vec![0xAA; 8];
        let at = open_frame(&mut out);
        out.extend_from_slice(payload);
        finish_frame(seed(1), header, at, &mut out);
        out.split_off(8)
    }

    fn event(sequence: u64, hash: u64, payload: u32) -> FrameHeader {
        FrameHeader {
            kind: Kind::Event,
            flags: 0,
            sequence: Sequence::new(sequence),
            time: WallTime::from_nanos(hash ^ sequence),
            hash,
            a: payload / 2,
            b: payload,
        }
    }

    proptest! {
        #[test]
        fn a_frame_is_read_as_it_was_written(
            payload in proptest::collection::vec(any::<u8>(), 0..200), sequence: u64, hash: u64,
        ) {
            let header = event(sequence, hash, u32::try_from(payload.len()).unwrap());
            let bytes = frame(&payload, &header);
            prop_assert_eq!(bytes.len(), frame_len(payload.len()));
            let Parsed::Frame { header: read, payload: kept, len, .. } = parse(seed(1), &bytes) else {
                return Err(TestCaseError::fail("no frame"));
            };
            prop_assert_eq!((read, kept, len), (header, payload.as_slice(), bytes.len()));
            prop_assert_eq!(parse(seed(2), &bytes), Parsed::Bad);
        }
    }

    #[test]
    fn no_flipped_bit_passes() {
        let bytes = frame(b"one event and its padding", &event(5, 6, 25));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                !matches!(parse(seed(1), &flipped), Parsed::Frame { .. }),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn a_flipped_bit_of_a_header_is_seen_without_the_payload() {
        let bytes = frame(b"payload", &event(5, 6, 7));
        assert_eq!(announced_len(seed(1), &bytes), Some(bytes.len()));
        for bit in CRC_LEN * 8..FRAME_HEADER_LEN * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(announced_len(seed(1), &flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn a_part_of_a_frame_is_short_and_zeros_are_none() {
        let bytes = frame(b"payload", &event(5, 6, 7));
        for cut in 0..bytes.len() {
            assert!(
                matches!(parse(seed(1), &bytes[..cut]), Parsed::Short(_)),
                "{cut}"
            );
        }
        assert_eq!(parse(seed(1), &[0; 100]), Parsed::Bad);
    }
}
