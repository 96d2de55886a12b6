//! [`Settling`]: when a file that changes is worth reading. Pure.

/// A file that is still being written is read after so many looks all the same.
const MOST_LOOKS: u32 = 5;

/// What tells one state of a file from another without reading it. A symbolic link is followed, so
/// the swap of a directory above it is another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Stamp {
    /// There is none, or it cannot be looked at.
    Missing,
    /// Device, inode, size, and the times of its last change, in nanoseconds.
    File {
        device: u64,
        inode: u64,
        size: u64,
        modified: i128,
        changed: i128,
    },
}

/// What was seen of a file, or of several that count together.
#[derive(Debug)]
pub(in crate::app) struct Settling<S = Stamp> {
    read: Option<S>,
    seen: Option<S>,
    looks: u32,
}

impl<S> Default for Settling<S> {
    fn default() -> Self {
        Self {
            read: None,
            seen: None,
            looks: 0,
        }
    }
}

impl<S: Clone + PartialEq> Settling<S> {
    /// It looks like this now; whether it is to be read: it differs from what was read, and has been
    /// the same for two looks.
    pub(in crate::app) fn look(&mut self, now: S) -> bool {
        if self.read.as_ref() == Some(&now) {
            self.seen = None;
            self.looks = 0;
            return false;
        }
        self.looks += 1;
        let same = self.seen.as_ref() == Some(&now);
        let settled = same || self.looks >= MOST_LOOKS;
        self.seen = Some(now.clone());
        if settled {
            self.is_read(now);
        }
        settled
    }

    /// It was read when it looked like this.
    pub(in crate::app) fn is_read(&mut self, now: S) {
        *self = Self {
            read: Some(now),
            seen: None,
            looks: 0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(inode: u64, size: u64) -> Stamp {
        Stamp::File {
            device: 1,
            inode,
            size,
            modified: 7,
            changed: 7,
        }
    }

    fn looks(settling: &mut Settling, stamps: &[Stamp]) -> Vec<bool> {
        stamps.iter().map(|stamp| settling.look(*stamp)).collect()
    }

    #[test]
    fn a_file_is_read_once_it_has_been_the_same_for_two_looks() {
        let mut settling = Settling::default();
        let (a, b, c) = (file(1, 10), file(1, 20), file(2, 20));
        assert_eq!(
            looks(&mut settling, &[a, a, a, a]),
            [false, true, false, false]
        );
        assert_eq!(
            looks(&mut settling, &[b, c, c, c]),
            [false, false, true, false]
        );
        // It went and came back within a look: nothing was missed.
        assert_eq!(looks(&mut settling, &[Stamp::Missing, c]), [false, false]);
        let missing = [Stamp::Missing, Stamp::Missing, Stamp::Missing];
        assert_eq!(looks(&mut settling, &missing), [false, true, false]);
    }

    #[test]
    fn a_file_that_never_rests_is_read_all_the_same() {
        let mut settling = Settling::default();
        let stamps: Vec<_> = (0..10).map(|size| file(1, size)).collect();
        let read = looks(&mut settling, &stamps);
        assert_eq!(read.iter().filter(|read| **read).count(), 2);
        assert!(read[4] && read[9]);
    }
}
