//! [`Chain`]: the rule by which one frame may follow another. Pure.

use super::format::{FrameHeader, Kind, Seed};
use crate::domain::Sequence;

/// Where a run of frames stands: which event comes next, and what its commit must say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    seed: Seed,
    next: Sequence,
    count: u32,
    checksum: u32,
    /// Frames of this commit were lost: its count and checksum cannot be checked any more.
    broken: bool,
}

impl Chain {
    /// Before the event `next`, and between two commits.
    pub(crate) fn new(seed: Seed, next: Sequence) -> Self {
        Self {
            seed,
            next,
            count: 0,
            checksum: 0,
            broken: false,
        }
    }

    pub(crate) fn seed(&self) -> Seed {
        self.seed
    }

    /// Sequence of the next event.
    pub(crate) fn next(&self) -> Sequence {
        self.next
    }

    /// Number of events since the last commit.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Checksum over the events since the last commit.
    pub(crate) fn checksum(&self) -> u32 {
        self.checksum
    }

    /// Whether this frame, whose own checksum is right, comes next; if so it is behind us.
    pub(crate) fn follow(&mut self, header: &FrameHeader, crc: u32) -> bool {
        match header.kind {
            Kind::Event => header.sequence == self.next && self.event(crc),
            Kind::Commit => {
                let sound = self.broken || (header.a == self.count && header.b == self.checksum);
                let follows = sound && header.sequence.next() == self.next;
                if follows {
                    *self = Self::new(self.seed, self.next);
                }
                follows
            }
            Kind::Footer => false,
        }
    }

    /// One more event.
    pub(crate) fn event(&mut self, crc: u32) -> bool {
        self.next = self.next.next();
        self.count = self.count.saturating_add(1);
        self.checksum = self.seed.fold(self.checksum, crc);
        true
    }

    /// Frames before `next` were lost.
    pub(crate) fn skip_to(&mut self, next: Sequence) {
        self.next = next;
        self.broken = true;
    }
}
