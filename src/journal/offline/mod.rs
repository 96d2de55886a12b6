//! Looking into a journal's directory without opening the journal: [`inspect`], [`verify`],
//! [`new_epoch`].
//!
//! The first two only read, and work while a process has the journal open: then what is being written at
//! that moment is left out.

mod print;
mod report;
mod verify;

use std::path::Path;
use std::sync::Arc;

pub use report::{Finding, GapReport, Report, SegmentReport, StateReport, Verification};

use super::format::ERASING_VERSION;
use super::storage::{DiskStorage, Storage};
use super::survey::{Survey, survey};
use super::{OpenError, recovery};
use crate::domain::Epoch;
use crate::runtime::{Clock, Rng};

/// What a directory holds, by headers and footers; only the last segment is read, until anything was
/// erased.
///
/// # Errors
/// [`OpenError`]: there is no journal, or it cannot be read.
pub fn inspect(dir: &Path) -> Result<Report, OpenError> {
    inspect_on(&*storage(dir)?, dir)
}

/// Checks every checksum and that no number is missing.
///
/// # Errors
/// [`OpenError`]: there is no journal, or it cannot be read. Damage is no error but a [`Finding`].
pub fn verify(dir: &Path) -> Result<Verification, OpenError> {
    verify_on(&*storage(dir)?, dir)
}

/// Declares that positions of clients no longer apply: for after a restore. The events stay, under the
/// same numbers.
///
/// # Errors
/// [`OpenError`]: there is no journal, another process has it open, or it cannot be written.
pub fn new_epoch(dir: &Path) -> Result<Epoch, OpenError> {
    let clock = Clock::system();
    new_epoch_on(&*storage(dir)?, dir, &clock, &Rng::from_entropy())
}

fn storage(dir: &Path) -> Result<Arc<dyn Storage>, OpenError> {
    match DiskStorage::existing(dir) {
        Ok(storage) => Ok(Arc::new(storage)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing(dir)),
        Err(error) => Err(OpenError::io(dir, "open the directory", error)),
    }
}

fn missing(dir: &Path) -> OpenError {
    OpenError::Missing {
        path: dir.to_owned(),
    }
}

fn found(storage: &dyn Storage, dir: &Path) -> Result<Survey, OpenError> {
    let found = survey(storage, dir)?;
    if found.meta.is_none() && found.segments.is_empty() {
        return Err(missing(dir));
    }
    Ok(found)
}

pub(crate) fn inspect_on(storage: &dyn Storage, dir: &Path) -> Result<Report, OpenError> {
    // Asked first: a writer that ends meanwhile leaves nothing half done.
    let holder = holder(storage, dir)?;
    let found = found(storage, dir)?;
    let erased = match found.version() {
        ERASING_VERSION.. => verify::findings(&found, holder.is_some()),
        _ => Ok(Default::default()),
    };
    let (_, erased) = erased.map_err(|error| OpenError::io(dir, "read a segment", error))?;
    Ok(report::report(dir, holder, &found, &erased))
}

pub(crate) fn verify_on(storage: &dyn Storage, dir: &Path) -> Result<Verification, OpenError> {
    let holder = holder(storage, dir)?;
    let found = found(storage, dir)?;
    let (findings, erased) = verify::findings(&found, holder.is_some())
        .map_err(|error| OpenError::io(dir, "read a segment", error))?;
    let report = report::report(dir, holder, &found, &erased);
    Ok(Verification { report, findings })
}

pub(crate) fn new_epoch_on(
    storage: &dyn Storage,
    dir: &Path,
    clock: &Clock,
    rng: &Rng,
) -> Result<Epoch, OpenError> {
    found(storage, dir)?;
    let _lock = recovery::lock(storage, dir)?;
    let found = found(storage, dir)?;
    let of = (found.journal(), found.version());
    let meta = recovery::replace_meta(storage, of, clock.wall(), rng)
        .map_err(|error| OpenError::io(dir, "write the file meta", error))?;
    Ok(meta.epoch)
}

fn holder(storage: &dyn Storage, dir: &Path) -> Result<Option<String>, OpenError> {
    storage
        .holder()
        .map_err(|error| OpenError::io(dir, "look at the lock", error))
}
