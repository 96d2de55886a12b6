//! [`Window`]: a file read in large pieces, seen as slices at any place.

use std::io;

use super::storage::StorageFile;

const PIECE: usize = 256 << 10;

/// The bytes of a file up to `end`.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    file: &'a dyn StorageFile,
    end: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl<'a> Window<'a> {
    /// Sees the file up to `end`, or to its own end if that comes first.
    pub(crate) fn new(file: &'a dyn StorageFile, end: u64) -> Self {
        Self {
            file,
            end,
            start: 0,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// What is there from `offset` on: at least `want` bytes unless the end comes first.
    pub(crate) fn at(&mut self, offset: u64, want: usize) -> io::Result<&[u8]> {
        let held = self.start + self.buffer.len() as u64;
        let until = offset.saturating_add(want as u64).min(self.end);
        if offset < self.start || until > held {
            let room = self.end.saturating_sub(offset);
            let len = room.min(want.max(PIECE) as u64);
            self.buffer
                .resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
            let filled = self.file.read_at(&mut self.buffer, offset)?;
            if filled < self.buffer.len() {
                self.end = offset + filled as u64;
            }
            self.buffer.truncate(filled);
            self.start = offset;
        }
        let from = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok(self.buffer.get(from..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::storage::Access;
    use crate::journal::storage::simulated::SimulatedDisk;

    #[test]
    fn every_place_is_seen_as_it_is() {
        let disk = SimulatedDisk::new(1);
        let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
        disk.put("x", bytes.clone());
        let process = disk.process();
        let file = process.open("x", Access::Read).unwrap();
        let mut window = Window::new(&*file, 1 << 40);
        for offset in [0_usize, 5, 300_000, 262_143, 699_999, 100, 700_000, 800_000] {
            for want in [1, 44, 300_000] {
                let there = bytes.get(offset..).unwrap_or_default();
                let seen = window.at(offset as u64, want).unwrap();
                assert!(there.starts_with(seen));
                assert!(seen.len() >= want.min(there.len()), "{offset} {want}");
            }
        }
    }
}
