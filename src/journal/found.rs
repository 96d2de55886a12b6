//! [`Found`]: one segment file as it was found, and what that says of its end.

use std::io;
use std::sync::Arc;

use super::fold::Fold;
use super::format::{Footer, Seed, SegmentHeader, TRAILER_LEN, Trailer};
use super::scan::{Damage, Proof, Scan, scan};
use super::segment::Extent;
use super::storage::StorageFile;
use super::tail::Tail;
use crate::domain::{Epoch, Sequence, WallTime};

/// One segment file.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) generation: u64,
    pub(crate) first: Sequence,
    /// `None` when it is damaged.
    pub(crate) header: Option<SegmentHeader>,
    pub(crate) epoch: Epoch,
    pub(crate) seed: Seed,
    pub(crate) file: Arc<dyn StorageFile>,
    pub(crate) len: u64,
    pub(crate) contents: Contents,
}

/// How the contents of a segment are known.
#[derive(Debug)]
pub(crate) enum Contents {
    /// By its footer, which begins at this place.
    Sealed(Footer, u64),
    /// It was read.
    Scanned(Scan),
}

impl Found {
    /// A footer that is where the end of the file says, and where it begins.
    pub(crate) fn read_footer(&self) -> io::Result<Option<(Footer, u64)>> {
        let Some(trailer_at) = self.len.checked_sub(TRAILER_LEN as u64) else {
            return Ok(None);
        };
        let bytes = read_up_to(&*self.file, trailer_at, TRAILER_LEN)?;
        let Some(Trailer { footer_at }) = Trailer::decode(&bytes) else {
            return Ok(None);
        };
        let Some(len) = trailer_at.checked_sub(footer_at) else {
            return Ok(None);
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let bytes = read_up_to(&*self.file, footer_at, len)?;
        Ok(Footer::decode(self.seed, &bytes).map(|footer| (footer, footer_at)))
    }

    pub(crate) fn proof(
        &self,
        footer: Option<&(Footer, u64)>,
        followed: Option<Sequence>,
    ) -> Proof {
        match (footer, followed) {
            (Some((footer, end)), None) => Proof::Sealed {
                last: footer.last,
                end: *end,
            },
            (_, Some(last)) => Proof::Followed { last },
            (None, None) => Proof::Open,
        }
    }

    /// What is known of its end, given the segment that follows it.
    pub(crate) fn own_proof(&self, next: Option<&Self>) -> Proof {
        match &self.contents {
            Contents::Sealed(footer, end) => Proof::Sealed {
                last: footer.last,
                end: *end,
            },
            Contents::Scanned(_) => self.proof(None, next.map(|next| next.first.previous())),
        }
    }

    pub(crate) fn scan(&self, proof: Proof, fold: &mut Fold) -> io::Result<Scan> {
        scan(&*self.file, self.seed, self.first, proof, fold)
    }

    /// Its last sequence.
    pub(crate) fn last(&self) -> Sequence {
        match &self.contents {
            Contents::Sealed(footer, _) => footer.last,
            Contents::Scanned(scan) => scan.last,
        }
    }

    /// Time of its last event; before the first event, what its snapshot says.
    pub(crate) fn last_time(&self) -> WallTime {
        match &self.contents {
            Contents::Sealed(footer, _) => footer.last_time,
            Contents::Scanned(scan) => scan.last_time,
        }
    }

    pub(crate) fn damage(&self) -> &[Damage] {
        match &self.contents {
            Contents::Sealed(..) => &[],
            Contents::Scanned(scan) => &scan.damage,
        }
    }

    pub(crate) fn extent(&self) -> Extent {
        match &self.contents {
            Contents::Sealed(footer, at) => Extent {
                last: footer.last,
                first_time: footer.first_time,
                last_time: footer.last_time,
                data_end: *at,
                bytes: self.len,
                index: footer.index.clone(),
            },
            Contents::Scanned(scan) => Extent {
                last: scan.last,
                first_time: scan.first_time.unwrap_or(scan.last_time),
                last_time: scan.last_time,
                data_end: scan.data_end,
                bytes: self.len,
                index: scan.index.clone(),
            },
        }
    }

    /// Whether it was cut when it got a footer, which may be damaged since.
    pub(crate) fn looks_sealed(&self) -> bool {
        self.header.is_none_or(|header| self.len < header.allocated)
    }

    /// Whether its end shows that events are gone which may have been visible, so that their numbers
    /// would be given twice. Only asked of the last segment.
    pub(crate) fn has_lost_its_end(&self) -> bool {
        let is_closed = matches!(&self.contents, Contents::Scanned(scan) if scan.is_closed);
        // Without its header nobody knows how long the file was.
        let is_short = match self.header {
            Some(header) => self.len < header.allocated,
            None => !is_closed,
        };
        let tail = match &self.contents {
            // A segment is sealed only when another follows it.
            Contents::Sealed(..) => Tail::Sealed,
            Contents::Scanned(scan) => scan.tail,
        };
        is_short || matches!(tail, Tail::Sealed | Tail::Unexplained)
    }
}

/// What a file holds from `offset` on, `len` bytes at most.
pub(crate) fn read_up_to(file: &dyn StorageFile, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let filled = file.read_at(&mut bytes, offset)?;
    bytes.truncate(filled);
    Ok(bytes)
}
