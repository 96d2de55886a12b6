//! What the bytes behind the last commit of a segment mean. Pure.
//!
//! A write that a crash cut short leaves, of each block of 512 bytes, what was there before (zeros,
//! for a segment is zero-filled ahead) or what was being written. If the bytes look so, the commit was
//! never visible and is cut. If they do not, somebody changed bytes that may have been visible.

use super::chain::Chain;
use super::format::{Parsed, Seed, parse};
use crate::domain::Sequence;

/// The smallest unit that a disk writes as a whole.
pub(crate) const BLOCK: u64 = 512;

/// What follows the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing: zeros.
    Clean,
    /// The remains of a write that was not completed.
    Torn,
    /// Neither of both: damage to what may have been visible.
    Unexplained,
    /// A footer: the segment was sealed.
    Sealed,
}

/// Judges the bytes from the last commit's end, at `offset`, to the end of the last block with
/// anything in it; `next` is the event that would come there.
pub(crate) fn judge(seed: Seed, next: Sequence, offset: u64, bytes: &[u8]) -> Tail {
    if bytes.iter().all(|byte| *byte == 0) {
        return Tail::Clean;
    }
    if has_empty_block(offset, bytes) {
        return Tail::Torn;
    }
    let mut chain = Chain::new(seed, next);
    let mut at = 0;
    loop {
        let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else {
            return Tail::Torn;
        };
        match parse(seed, rest) {
            Parsed::Short(_) => return Tail::Torn,
            Parsed::Frame {
                header, crc, len, ..
            } if chain.follow(&header, crc) => at += len,
            Parsed::Frame { .. } | Parsed::Bad => return Tail::Unexplained,
        }
    }
}

fn has_empty_block(offset: u64, bytes: &[u8]) -> bool {
    let first = usize::try_from(offset.next_multiple_of(BLOCK) - offset).unwrap_or(usize::MAX);
    let (head, rest) = bytes.split_at_checked(first).unwrap_or((bytes, &[]));
    let empty = |block: &[u8]| !block.is_empty() && block.iter().all(|byte| *byte == 0);
    let size = usize::try_from(BLOCK).unwrap_or(usize::MAX);
    empty(head) || rest.chunks(size).any(empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Epoch, WallTime};
    use crate::journal::format::{FrameHeader, Kind, finish_frame, open_frame};

    fn seed() -> Seed {
        Seed::new(1, Epoch::new(2), 3)
    }

    /// Three events and their commit.
    fn commit() -> Vec<u8> {
        let mut out = Vec::new();
        let mut chain = Chain::new(seed(), Sequence::new(7));
        for sequence in 7..10 {
            let at = open_frame(&mut out);
            out.extend_from_slice(&[0xEE; 700]);
            let header = header(Kind::Event, sequence, 0, 0);
            chain.event(finish_frame(seed(), &header, at, &mut out));
        }
        let at = open_frame(&mut out);
        let header = header(Kind::Commit, 9, chain.count(), chain.checksum());
        finish_frame(seed(), &header, at, &mut out);
        out
    }

    fn header(kind: Kind, sequence: u64, a: u32, b: u32) -> FrameHeader {
        FrameHeader {
            kind,
            flags: 0,
            sequence: Sequence::new(sequence),
            time: WallTime::from_nanos(5),
            hash: 0,
            a,
            b,
        }
    }

    fn padded(mut bytes: Vec<u8>, offset: u64) -> Vec<u8> {
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        let end = (offset + used as u64).next_multiple_of(BLOCK) - offset;
        bytes.resize(usize::try_from(end).unwrap(), 0);
        bytes
    }

    #[test]
    fn every_loss_of_whole_blocks_is_torn() {
        let whole = commit();
        for offset in [0_u64, 4, 96, 508] {
            let block_of = |at: usize| (offset + at as u64) / BLOCK;
            let blocks = block_of(whole.len() - 1) + 1;
            for lost in 1..1_u64 << blocks {
                let mut bytes = whole.clone();
                for (at, byte) in bytes.iter_mut().enumerate() {
                    if lost >> block_of(at) & 1 == 1 {
                        *byte = 0;
                    }
                }
                let verdict = judge(
                    seed(),
                    Sequence::new(7),
                    offset,
                    &padded(bytes.clone(), offset),
                );
                let clean = bytes.iter().all(|byte| *byte == 0);
                let expected = if clean { Tail::Clean } else { Tail::Torn };
                assert_eq!(verdict, expected, "{offset} {lost:b}");
            }
        }
    }

    #[test]
    fn no_flipped_bit_of_a_whole_commit_is_torn() {
        let whole = commit();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let verdict = judge(seed(), Sequence::new(7), 96, &padded(bytes, 96));
            assert_eq!(verdict, Tail::Unexplained, "bit {bit}");
        }
    }
}
