//! Opening a directory: from what a [`Survey`] found to a [`Writer`] and what it has published.
//!
//! Every step may be cut short by a crash and is then done again by the next start: the file `meta` is
//! replaced as a whole, a segment gets its name when it is complete, and the last write of the last
//! segment is repeated with the very bytes that are there.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::files::remove_if_there;
use super::format::{ERASING_VERSION, Meta, VERSION};
use super::found::{Contents, Found};
use super::options::Options;
use super::resume::resume;
use super::scan::{Damage, Scan};
use super::storage::{Identity, Lock, LockOutcome, Storage};
use super::survey::{META, Survey, UNREADY_META, check, survey};
use super::tail::Tail;
use super::writer::Writer;
use super::{OpenError, metrics};
use crate::domain::{Epoch, WallTime};
use crate::runtime::Rng;

/// What recovery found and did, for the log.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) segments: usize,
    /// Bytes of writes that were never completed.
    pub(crate) cut_bytes: u64,
    pub(crate) new_epoch: Option<NewEpoch>,
    pub(crate) damage: Vec<Located>,
    pub(crate) state_is_partial: bool,
}

/// Damage and the segment that has it.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) segment: String,
    pub(crate) place: Damage,
}

/// Why an incarnation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewEpoch {
    Created,
    Copied,
    LostItsEnd,
}

impl fmt::Display for NewEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "the journal is new",
            Self::Copied => "the directory is not the one that was written",
            Self::LostItsEnd => "events that may have been visible are gone from its end",
        })
    }
}

/// Takes the lock, or tells who has it.
pub(crate) fn lock(storage: &dyn Storage, path: &Path) -> Result<Box<dyn Lock>, OpenError> {
    match storage.lock() {
        Ok(LockOutcome::Taken(lock)) => Ok(lock),
        Ok(LockOutcome::Held(holder)) => Err(OpenError::InUse {
            path: path.to_owned(),
            holder,
        }),
        Err(error) => Err(OpenError::io(path, "take the lock", error)),
    }
}

/// Opens a journal, or makes one.
pub(crate) fn open(
    storage: Arc<dyn Storage>,
    options: &Options,
) -> Result<(Writer, Recovered), OpenError> {
    let path = &options.path;
    // Looked at before the lock file is made, so that nobody else's directory is touched.
    check(&*storage, path)?;
    let lock = lock(&*storage, path)?;
    let found = survey(&*storage, path)?;
    let cause = found.new_epoch();
    let meta = match (found.meta, cause) {
        (Some(meta), None) => meta,
        (_, _) => replace_meta(
            &*storage,
            (found.journal(), found.version()),
            options.clock.wall(),
            &options.rng,
        )
        .map_err(|error| OpenError::io(path, "write the file meta", error))?,
    };
    let recovered = Recovered {
        segments: found.segments.len(),
        cut_bytes: found.cut_bytes(),
        new_epoch: cause,
        damage: found.damage(),
        state_is_partial: found.state_is_partial,
    };
    let writer = resume(storage, options, found, &meta, lock)
        .map_err(|(action, error)| OpenError::io(path, action, error))?;
    metrics::opened(&writer.shared, &recovered);
    Ok((writer, recovered))
}

/// Writes the file `meta` anew: another epoch, in this directory.
pub(crate) fn replace_meta(
    storage: &dyn Storage,
    (journal, version): (Option<u128>, u32),
    now: WallTime,
    rng: &Rng,
) -> io::Result<Meta> {
    let meta = Meta {
        version,
        journal: journal.unwrap_or_else(|| u128::from(rng.bits()) << 64 | u128::from(rng.bits())),
        epoch: Epoch::new(rng.bits()),
        created: now,
        directory_inode: 0,
        file: Identity::default(),
    };
    write_meta(storage, meta)
}

/// Replaces the file `meta` as a whole, by one of this directory.
pub(crate) fn write_meta(storage: &dyn Storage, meta: Meta) -> io::Result<Meta> {
    remove_if_there(storage, UNREADY_META)?;
    let file = storage.create(UNREADY_META)?;
    let meta = Meta {
        directory_inode: storage.identity(None)?.inode,
        file: storage.identity(Some(UNREADY_META))?,
        ..meta
    };
    file.write_at(&meta.encode(), 0)?;
    file.sync_data()?;
    storage.rename(UNREADY_META, META)?;
    storage.sync_dir()?;
    Ok(meta)
}

impl Survey {
    /// Which journal this is.
    pub(crate) fn journal(&self) -> Option<u128> {
        let of_segment = || self.segments.iter().find_map(|segment| segment.header);
        let of_meta = self.meta.map(|meta| meta.journal);
        of_meta.or_else(|| of_segment().map(|header| header.journal))
    }

    /// Of its format. Where that is not known, something may have been erased.
    pub(crate) fn version(&self) -> u32 {
        match self.meta {
            Some(meta) => meta.version,
            None if self.segments.is_empty() => VERSION,
            None => ERASING_VERSION,
        }
    }

    /// Why an incarnation begins, if one must.
    pub(crate) fn new_epoch(&self) -> Option<NewEpoch> {
        match self.segments.last() {
            None if self.meta.is_none() => Some(NewEpoch::Created),
            _ if self.is_copy => Some(NewEpoch::Copied),
            // Between the first two writes of a new journal, or all of it is gone: nobody can tell.
            None => Some(NewEpoch::LostItsEnd),
            Some(last) => last.has_lost_its_end().then_some(NewEpoch::LostItsEnd),
        }
    }

    pub(crate) fn last_scan(&self) -> Option<&Scan> {
        match &self.segments.last()?.contents {
            Contents::Scanned(scan) => Some(scan),
            Contents::Sealed(..) => None,
        }
    }

    /// Bytes of a write that was not completed.
    fn cut_bytes(&self) -> u64 {
        let torn = self.last_scan().filter(|scan| scan.tail == Tail::Torn);
        torn.map_or(0, |scan| scan.tail_end - scan.data_end)
    }

    pub(crate) fn damage(&self) -> Vec<Located> {
        let of = |segment: &Found| {
            let name = segment.name.clone();
            let located = move |place: &Damage| Located {
                segment: name.clone(),
                place: *place,
            };
            segment.damage().iter().map(located).collect::<Vec<_>>()
        };
        self.segments.iter().flat_map(of).collect()
    }

    /// Whether the last segment is whole and of this incarnation.
    pub(crate) fn is_whole(&self, epoch: Epoch) -> bool {
        self.segments.last().is_some_and(|last| {
            last.header.is_some_and(|header| header.epoch == epoch)
                && !last.has_lost_its_end()
                && last.damage().is_empty()
        })
    }
}
