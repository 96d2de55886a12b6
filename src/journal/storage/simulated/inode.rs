//! One simulated file: its bytes as processes see them, and as a power cut may leave them.

use crate::runtime::Rng;

const BLOCK: usize = 512;

/// A change to a file.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write(u64, Vec<u8>),
    Grow(u64),
    Cut(u64),
}

impl Change {
    pub(super) fn end(&self) -> u64 {
        match self {
            Self::Write(offset, bytes) => offset + bytes.len() as u64,
            Self::Grow(length) | Self::Cut(length) => *length,
        }
    }

    /// What a failing call may have done of it: of a write, a first part that ends with a block.
    pub(super) fn some_part(&self, rng: &Rng) -> Option<Self> {
        let Self::Write(offset, bytes) = self else {
            return None;
        };
        let end = offset + rng.below(bytes.len() as u64 + 1);
        let end = end - end % BLOCK as u64;
        let count = usize::try_from(end.checked_sub(*offset)?).ok()?;
        Some(Self::Write(*offset, bytes[..count].to_vec()))
    }

    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let from = usize::try_from(*offset).unwrap();
                if to.len() < from + bytes.len() {
                    to.resize(from + bytes.len(), 0);
                }
                to[from..from + bytes.len()].copy_from_slice(bytes);
            }
            Self::Grow(length) => {
                let length = usize::try_from(*length).unwrap();
                to.resize(length.max(to.len()), 0);
            }
            Self::Cut(length) => to.truncate(usize::try_from(*length).unwrap()),
        }
    }

    /// The parts of this that `newer` does not overwrite.
    fn outside(self, newer: &Self) -> Vec<Self> {
        let (Self::Write(offset, bytes), Self::Write(from, with)) = (&self, newer) else {
            return vec![self];
        };
        let end = *offset + bytes.len() as u64;
        let until = *from + with.len() as u64;
        let part = |a: u64, b: u64| {
            let (a, b) = (a.max(*offset), b.min(end));
            (a < b).then(|| {
                let at = usize::try_from(a - offset).unwrap();
                let count = usize::try_from(b - a).unwrap();
                Self::Write(a, bytes[at..at + count].to_vec())
            })
        };
        [part(*offset, *from), part(until, end)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The parts that reach the disk each by itself.
    fn blocks(self) -> Vec<Self> {
        let Self::Write(offset, bytes) = self else {
            return vec![self];
        };
        let mut parts = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let from = offset + at as u64;
            let room = BLOCK - usize::try_from(from).unwrap() % BLOCK;
            let count = room.min(bytes.len() - at);
            parts.push(Self::Write(from, bytes[at..at + count].to_vec()));
            at += count;
        }
        parts
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    current: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// Changes whose sync failed: still seen by processes, and no longer known as dirty.
    lost: Vec<Change>,
}

impl Inode {
    pub(super) fn with(bytes: Vec<u8>) -> Self {
        Self {
            durable: bytes.clone(),
            current: bytes,
            ..Self::default()
        }
    }

    pub(super) fn current(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
            // What is written again and synced does not become old again.
            let lost = std::mem::take(&mut self.lost);
            self.lost = lost
                .into_iter()
                .flat_map(|old| old.outside(&change))
                .collect();
        }
    }

    /// What the system does after a failed write-back: it forgets that the pages were dirty.
    pub(super) fn fail_sync(&mut self) {
        self.lost.append(&mut self.pending);
    }

    pub(super) fn lose_power(&mut self, rng: &Rng) {
        let mut bytes = std::mem::take(&mut self.durable);
        // A power cut that keeps all, none, most or any of the blocks: each finds other mistakes.
        let odds = [0, 100, 50, 90, 10][usize::try_from(rng.below(5)).unwrap()];
        let unsynced = self.lost.drain(..).chain(self.pending.drain(..));
        for part in unsynced.flat_map(Change::blocks) {
            if rng.below(100) < odds {
                part.apply(&mut bytes);
            }
        }
        self.current.clone_from(&bytes);
        self.durable = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_is_not_made_good_by_the_next() {
        let mut inode = Inode::with(vec![0; 4]);
        inode.change(Change::Write(0, vec![1]));
        inode.fail_sync();
        inode.change(Change::Write(1, vec![2]));
        inode.sync();
        assert_eq!(inode.current(), [1, 2, 0, 0]);
        assert_eq!(inode.durable, [0, 2, 0, 0]);
    }

    #[test]
    fn bytes_that_were_written_again_and_synced_stay() {
        for seed in 0..50 {
            let mut inode = Inode::with(vec![0; 6]);
            inode.change(Change::Write(1, vec![1, 1, 1, 1]));
            inode.fail_sync();
            inode.change(Change::Write(2, vec![2, 2]));
            inode.sync();
            inode.lose_power(&Rng::from_seed(seed));
            assert_eq!(inode.current[2..4], [2, 2]);
            assert!(inode.current[1] <= 1 && inode.current[4] <= 1);
        }
    }

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_tears_the_rest() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut inode = Inode::with(Vec::new());
            inode.change(Change::Write(0, vec![1; 512]));
            inode.sync();
            inode.change(Change::Write(512, vec![2; 1024]));
            inode.lose_power(&Rng::from_seed(seed));
            assert_eq!(inode.current[..512], [1; 512]);
            kinds.insert(inode.current[512..].to_vec());
        }
        assert_eq!(kinds.len(), 4, "none, either alone (or last), both");
    }
}
