//! The bytes on disk, as values. Pure. The layout stands in the doc of [`crate::journal`].

mod fields;
mod footer;
mod frame;
mod header;
mod meta;
mod payload;

pub(crate) use fields::Fields;
pub(crate) use footer::{Footer, IndexEntry, TRAILER_LEN, Trailer};
pub(crate) use frame::{
    CLOSING, ERASED, FRAME_ALIGN, FRAME_HEADER_LEN, FrameHeader, Kind, Parsed, SNAPSHOT,
    announced_len, finish_frame, open_frame, parse,
};
pub(crate) use header::{SEGMENT_HEADER_LEN, SegmentHeader, segment_name, segment_of_name};
pub(crate) use meta::{META_LEN, Meta};
pub(crate) use payload::{Delta, IdRun, Payload, scrub};

use crate::domain::Epoch;

/// The format that this code writes, and the oldest that it reads.
pub(crate) const VERSION: u32 = 1;
/// What `meta` says once anything was erased: who knows only the version before would serve it.
pub(crate) const ERASING_VERSION: u32 = 2;

/// A header that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// Its checksum or its length is wrong.
    Damaged,
    /// It is of another format.
    Version(u32),
}

/// What every checksum of a segment starts from, so that no frame of another segment, incarnation or
/// journal passes. The identity is never told to clients: nobody can craft an event that holds a
/// frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn new(journal: u128, epoch: Epoch, generation: u64) -> Self {
        let crc = crc32c::crc32c(&journal.to_le_bytes());
        let crc = crc32c::crc32c_append(crc, &epoch.get().to_le_bytes());
        Self(crc32c::crc32c_append(crc, &generation.to_le_bytes()))
    }

    pub(crate) fn checksum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }

    /// Adds the checksum of one more event frame to that of its commit; the first is added to zero.
    pub(crate) fn fold(self, commit: u32, frame: u32) -> u32 {
        crc32c::crc32c_append(commit ^ self.0, &frame.to_le_bytes())
    }
}
