//! Rewrites a segment without what was erased: every frame keeps its place and its length.

use std::io;

use super::erasure::Erasure;
use super::format::{
    ERASED, FRAME_ALIGN, FrameHeader, Kind, SEGMENT_HEADER_LEN, Seed, finish_frame, open_frame,
    scrub,
};
use super::frames::{find_frame, frame_at};
use super::storage::StorageFile;
use super::window::Window;
use crate::domain::Sequence;

/// What is written at once.
const PIECE: usize = 1 << 20;

/// A segment that is rewritten.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a dyn StorageFile,
    pub(crate) seed: Seed,
    pub(crate) first: Sequence,
    /// Where its last frame ends; a footer may follow.
    pub(crate) data_end: u64,
}

struct Rewriter<'a> {
    window: Window<'a>,
    seed: Seed,
    erasure: &'a Erasure,
    /// The next event.
    next: Sequence,
    /// Over the events since the last commit, as they are written.
    checksum: u32,
    /// Frames of this commit are missing: its checksum counts for nothing.
    broken: bool,
    out: Vec<u8>,
    written: u64,
}

/// Writes to `to` what stands in `source`, and zeros where erased events and state stood.
pub(crate) fn rewrite(
    source: Source<'_>,
    erasure: &Erasure,
    to: &dyn StorageFile,
) -> io::Result<()> {
    let len = source.file.len()?;
    let mut rewriter = Rewriter {
        window: Window::new(source.file, len),
        seed: source.seed,
        erasure,
        next: source.first,
        checksum: 0,
        broken: false,
        out: Vec::with_capacity(2 * PIECE),
        written: 0,
    };
    rewriter.copy(0, SEGMENT_HEADER_LEN as u64, to)?;
    let mut at = SEGMENT_HEADER_LEN as u64;
    while at < source.data_end {
        at = rewriter.frame(at, source.data_end, to)?;
    }
    rewriter.copy(at, len, to)?;
    rewriter.flush(to)
}

impl Rewriter<'_> {
    /// Writes the frame at a place; where the next one is.
    fn frame(&mut self, at: u64, end: u64, to: &dyn StorageFile) -> io::Result<u64> {
        let Some((header, payload, crc, len)) = frame_at(&mut self.window, self.seed, at)? else {
            return self.damage(at, end, to);
        };
        match header.kind {
            Kind::Event => {
                self.next = header.sequence.next();
                if self.erasure.events.contains(header.sequence) {
                    let header = FrameHeader {
                        flags: ERASED,
                        a: 0,
                        b: 0,
                        ..header
                    };
                    let zeros = vec![0; payload.len()];
                    let crc = self.put(&header, &zeros);
                    self.checksum = self.seed.fold(self.checksum, crc);
                } else {
                    self.checksum = self.seed.fold(self.checksum, crc);
                    self.copy(at, at + len, to)?;
                }
            }
            Kind::Commit => {
                let mut payload = payload.to_vec();
                let b = if self.broken { header.b } else { self.checksum };
                if scrub(&mut payload, &self.erasure.state) || b != header.b {
                    self.put(&FrameHeader { b, ..header }, &payload);
                } else {
                    self.copy(at, at + len, to)?;
                }
                (self.checksum, self.broken) = (0, false);
            }
            Kind::Footer => self.copy(at, at + len, to)?,
        }
        if self.out.len() >= PIECE {
            self.flush(to)?;
        }
        Ok(at + len)
    }

    /// Passes what is no frame. Where an erased event stood in it, nobody knows where: all of it goes.
    fn damage(&mut self, at: u64, end: u64, to: &dyn StorageFile) -> io::Result<u64> {
        let mut next = self.next;
        let found = find_frame(
            &mut self.window,
            self.seed,
            at + FRAME_ALIGN as u64,
            |header, _| {
                next = match header.kind {
                    Kind::Event => header.sequence,
                    Kind::Commit | Kind::Footer => header.sequence.next(),
                };
                true
            },
        )?;
        let until = found.unwrap_or(end).min(end);
        let lost = match found {
            Some(_) => self.next..=next.previous(),
            None => self.next..=Sequence::new(u64::MAX),
        };
        if self.erasure.events.meets(lost) {
            let mut left = until.saturating_sub(at);
            while left > 0 {
                let piece = left.min(PIECE as u64);
                let len = self.out.len() + usize::try_from(piece).unwrap_or(PIECE);
                self.out.resize(len, 0);
                self.flush(to)?;
                left -= piece;
            }
        } else {
            self.copy(at, until, to)?;
        }
        (self.next, self.broken) = (next.max(self.next), true);
        Ok(until)
    }

    fn put(&mut self, header: &FrameHeader, payload: &[u8]) -> u32 {
        let at = open_frame(&mut self.out);
        self.out.extend_from_slice(payload);
        finish_frame(self.seed, header, at, &mut self.out)
    }

    fn copy(&mut self, mut at: u64, until: u64, to: &dyn StorageFile) -> io::Result<()> {
        while at < until {
            let want = usize::try_from(until - at).unwrap_or(PIECE).min(PIECE);
            let bytes = self.window.at(at, want)?;
            let bytes = bytes.get(..want).unwrap_or(bytes);
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at += bytes.len() as u64;
            self.out.extend_from_slice(bytes);
            if self.out.len() >= PIECE {
                self.flush(to)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, to: &dyn StorageFile) -> io::Result<()> {
        to.write_at(&self.out, self.written)?;
        self.written += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }
}
