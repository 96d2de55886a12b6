//! [`Survey`]: what a directory holds, found without changing anything.

use std::io;
use std::path::Path;

use super::OpenError;
use super::files::{SPARE, UNNAMED, UNREADY_REWRITE, UNREADY_SPARE};
use super::fold::Fold;
use super::format::{
    BadHeader, ERASING_VERSION, FRAME_HEADER_LEN, META_LEN, Meta, SEGMENT_HEADER_LEN, Seed,
    SegmentHeader, VERSION, announced_len, segment_of_name,
};
use super::found::{Contents, Found, read_up_to};
use super::scan::Scan;
use super::storage::{Access, LOCK, Storage};
use crate::domain::Epoch;

/// The file that says which journal this is.
pub(crate) const META: &str = "meta";
/// That file while it is written.
pub(crate) const UNREADY_META: &str = "meta.tmp";
/// What a file system puts into the root of a new volume.
const FILE_SYSTEM_OWN: &str = "lost+found";

/// What a directory holds.
#[derive(Debug)]
pub(crate) struct Survey {
    /// `None` when it is missing or damaged.
    pub(crate) meta: Option<Meta>,
    /// The directory or the file `meta` is not the one that was written.
    pub(crate) is_copy: bool,
    /// Oldest first; the last one was being written.
    pub(crate) segments: Vec<Found>,
    /// State as of the last commit.
    pub(crate) fold: Fold,
    /// No complete snapshot could be read before the changes that are in `fold`.
    pub(crate) state_is_partial: bool,
}

/// What can be told without reading events.
#[derive(Debug)]
struct Glance {
    meta: Option<Meta>,
    /// `None` when there is no journal yet.
    journal: Option<u128>,
    found: Vec<Found>,
}

/// Whether there is a journal that this program reads, or may be one: if not, says why.
pub(crate) fn check(storage: &dyn Storage, path: &Path) -> Result<(), OpenError> {
    glance(storage, path).map(drop)
}

fn glance(storage: &dyn Storage, path: &Path) -> Result<Glance, OpenError> {
    let names = storage.list();
    let names = names.map_err(|error| OpenError::io(path, "list the journal's files", error))?;
    let meta = read_meta(storage, path, &names)?;
    let mut found = Vec::new();
    for name in names.iter().filter(|name| segment_of_name(name).is_some()) {
        found.extend(identify(storage, path, name)?);
    }
    found.sort_by_key(|segment| segment.generation);
    let known = || found.iter().find_map(|segment| segment.header);
    let journal = meta
        .map(|meta| meta.journal)
        .or_else(|| known().map(|header| header.journal));
    match journal {
        Some(journal) => check_order(path, journal, &found)?,
        None => check_empty(path, &names)?,
    }
    Ok(Glance {
        meta,
        journal,
        found,
    })
}

/// Looks into a directory.
pub(crate) fn survey(storage: &dyn Storage, path: &Path) -> Result<Survey, OpenError> {
    let io = |action| move |error| OpenError::io(path, action, error);
    let Glance {
        meta,
        journal,
        mut found,
    } = glance(storage, path)?;
    let is_copy = match meta {
        None => !found.is_empty(),
        Some(meta) => {
            let directory = storage
                .identity(None)
                .map_err(io("identify the directory"))?;
            let file = storage
                .identity(Some(META))
                .map_err(io("identify the file meta"))?;
            !meta.is_original(directory, file)
        }
    };
    complete(journal, meta, &mut found).map_err(io("read a segment's header"))?;
    let (fold, state_is_partial) = read_segments(&mut found).map_err(io("read a segment"))?;
    Ok(Survey {
        meta,
        is_copy,
        segments: found,
        fold,
        state_is_partial,
    })
}

/// A directory without a journal: it is new, or it is somebody else's.
fn check_empty(path: &Path, names: &[String]) -> Result<(), OpenError> {
    let ours = [LOCK, UNREADY_META, FILE_SYSTEM_OWN];
    match names
        .iter()
        .filter(|name| !ours.contains(&name.as_str()))
        .min()
    {
        None => Ok(()),
        Some(foreign) => Err(OpenError::NotAJournal {
            path: path.to_owned(),
            found: foreign.clone(),
        }),
    }
}

/// Whether a file is left from work that was not finished.
pub(crate) fn is_unfinished(name: &str) -> bool {
    [UNREADY_META, UNNAMED, SPARE, UNREADY_SPARE, UNREADY_REWRITE].contains(&name)
}

fn version(path: &Path, file: &str, found: u32, supported: u32) -> OpenError {
    OpenError::Version {
        path: path.to_owned(),
        file: file.to_owned(),
        found,
        supported,
    }
}

fn read_meta(
    storage: &dyn Storage,
    path: &Path,
    names: &[String],
) -> Result<Option<Meta>, OpenError> {
    if !names.iter().any(|name| name == META) {
        return Ok(None);
    }
    let read = || {
        let file = storage.open(META, Access::Read)?;
        read_up_to(&*file, 0, 2 * META_LEN)
    };
    let bytes = read().map_err(|error| OpenError::io(path, "read the file meta", error))?;
    match Meta::decode(&bytes) {
        Ok(meta) => Ok(Some(meta)),
        Err(BadHeader::Damaged) => Ok(None),
        Err(BadHeader::Version(found)) => Err(version(path, META, found, ERASING_VERSION)),
    }
}

/// Reads a segment's header. `None` when the file has been trimmed meanwhile, which only happens to
/// those who look on while another process has the journal open.
fn identify(storage: &dyn Storage, path: &Path, name: &str) -> Result<Option<Found>, OpenError> {
    let io = |error| OpenError::io(path, "read a segment's header", error);
    let file = match storage.open(name, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io)?,
    };
    let bytes = read_up_to(&*file, 0, 2 * SEGMENT_HEADER_LEN).map_err(io)?;
    let header = match SegmentHeader::decode(&bytes) {
        Ok(header) => Some(header),
        Err(BadHeader::Damaged) => None,
        Err(BadHeader::Version(found)) => return Err(version(path, name, found, VERSION)),
    };
    let Some((first, generation)) = segment_of_name(name) else {
        return Ok(None);
    };
    let epoch = header.map_or(Epoch::new(0), |header| header.epoch);
    Ok(Some(Found {
        name: name.to_owned(),
        generation,
        first,
        header,
        epoch,
        seed: Seed::new(0, epoch, generation),
        len: file.len().map_err(io)?,
        file,
        contents: Contents::Scanned(Scan::nothing(first)),
    }))
}

/// Refuses what no journal leaves behind: guessing would renumber events.
fn check_order(path: &Path, journal: u128, found: &[Found]) -> Result<(), OpenError> {
    let mixed = |segment: &Found, reason| OpenError::Mixed {
        path: path.to_owned(),
        file: segment.name.clone(),
        reason,
    };
    for segment in found {
        match segment.header {
            Some(header) if header.journal != journal => {
                return Err(mixed(segment, "it is of another journal"));
            }
            Some(header) if header.name() != segment.name => {
                return Err(mixed(segment, "it was renamed"));
            }
            Some(_) | None => {}
        }
    }
    for (older, newer) in found.iter().zip(found.iter().skip(1)) {
        if newer.first < older.first || newer.generation == older.generation {
            return Err(mixed(newer, "it begins before an older segment"));
        }
    }
    Ok(())
}

/// Finds the seeds of the checksums. A segment whose header is damaged is of the incarnation of one
/// of its neighbours, or of the present one.
fn complete(journal: Option<u128>, meta: Option<Meta>, found: &mut [Found]) -> io::Result<()> {
    let journal = journal.unwrap_or_default();
    let mut epochs: Vec<_> = found.iter().filter_map(|s| Some(s.header?.epoch)).collect();
    epochs.extend(meta.map(|meta| meta.epoch));
    epochs.dedup();
    for segment in found {
        segment.seed = Seed::new(journal, segment.epoch, segment.generation);
        if segment.header.is_some() {
            continue;
        }
        let start = SEGMENT_HEADER_LEN as u64;
        let head = read_up_to(&*segment.file, start, FRAME_HEADER_LEN)?;
        for epoch in epochs.iter().rev() {
            let seed = Seed::new(journal, *epoch, segment.generation);
            (segment.epoch, segment.seed) = (*epoch, seed);
            if announced_len(seed, &head).is_some() {
                break;
            }
        }
    }
    Ok(())
}

/// Reads footers; whole segments only where there is none, and the last one.
fn read_segments(found: &mut [Found]) -> io::Result<(Fold, bool)> {
    let lasts: Vec<_> = found
        .iter()
        .skip(1)
        .map(|next| Some(next.first.previous()))
        .collect();
    let mut fold = Fold::default();
    for (segment, last) in found.iter_mut().zip(lasts.into_iter().chain([None])) {
        let footer = segment.read_footer()?;
        segment.contents = match (footer, last) {
            (Some((footer, at)), Some(last)) if footer.last <= last => Contents::Sealed(footer, at),
            (footer, last) => {
                let proof = segment.proof(footer.as_ref(), last);
                fold = Fold::default();
                Contents::Scanned(segment.scan(proof, &mut fold)?)
            }
        };
    }
    let has_snapshot = |found: &Found| match &found.contents {
        Contents::Scanned(scan) => scan.has_snapshot,
        Contents::Sealed(..) => false,
    };
    if found.last().is_none_or(has_snapshot) {
        return Ok((fold, false));
    }
    fold_from_earlier(found)
}

/// The last segment's snapshot is damaged: its state follows from an earlier one's.
fn fold_from_earlier(found: &[Found]) -> io::Result<(Fold, bool)> {
    let mut fold = Fold::default();
    for from in (0..found.len()).rev() {
        fold = Fold::default();
        let mut complete = false;
        for (at, segment) in found.iter().enumerate().skip(from) {
            let read = segment.scan(segment.own_proof(found.get(at + 1)), &mut fold)?;
            complete |= at == from && read.has_snapshot;
        }
        if complete {
            return Ok((fold, false));
        }
    }
    Ok((fold, true))
}
