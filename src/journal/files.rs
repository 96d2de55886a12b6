//! Making, sealing and preparing segment files.

use std::io;
use std::sync::Arc;

use super::chain::Chain;
use super::encode::write_commit;
use super::failure::Failure;
use super::format::{Footer, IdRun, Payload, SNAPSHOT, SegmentHeader};
use super::segment::{Extent, Segment};
use super::storage::{Storage, StorageFile};
use crate::domain::WallTime;
use crate::runtime::Mistake;

/// A segment file before it has its name.
pub(crate) const UNNAMED: &str = "segment.tmp";
/// A file of zeros, synced, that becomes the next segment.
pub(crate) const SPARE: &str = "spare";
/// That file while zeros are written.
pub(crate) const UNREADY_SPARE: &str = "spare.tmp";

/// A segment that is being rewritten.
pub(crate) const UNREADY_REWRITE: &str = "rewrite.tmp";

const ZEROS: usize = 1 << 20;
/// Zeros are synced in pieces: one large sync would stall those of the writer.
const SYNC_EVERY: u64 = 8 << 20;

/// Where the bytes of a new segment come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The file of zeros.
    Spare,
    /// A new file, which costs the syncs of its first writes more.
    Fresh,
}

/// Makes a segment that begins with a snapshot. It gets its name when its contents are synced, and
/// when this returns, its name is, too.
pub(crate) fn create_segment(
    storage: &dyn Storage,
    mut header: SegmentHeader,
    snapshot: &Payload,
    latest_time: WallTime,
    origin: Origin,
) -> Result<(Segment, Arc<dyn StorageFile>), Failure> {
    let mut frame = Vec::new();
    let mut chain = Chain::new(header.seed(), header.first);
    write_commit(&mut chain, 0, SNAPSHOT, latest_time, snapshot, &mut frame);
    let file = open_unnamed(storage, origin)?;
    let data_end = header.encode().len() as u64 + frame.len() as u64;
    // A segment has room for as much as its snapshot, or each would be rolled at once.
    header.allocated = header.allocated.max(2 * data_end);
    let named = || {
        file.allocate(header.allocated)
            .map_err(Failure::of("reserve room for a segment"))?;
        let bytes = [header.encode(), frame].concat();
        file.write_at(&bytes, 0)
            .map_err(Failure::of("write a snapshot"))?;
        file.sync_data()
            .map_err(Failure::fatal("sync a snapshot"))?;
        let name = header.name();
        storage
            .rename(UNNAMED, &name)
            .map_err(Failure::of("name a segment"))
    };
    named().inspect_err(|_| drop(storage.remove(UNNAMED)))?;
    if !Mistake::NameNotSynced.is_made() {
        let synced = storage.sync_dir();
        synced.map_err(Failure::fatal("sync the name of a segment"))?;
    }
    let extent = Extent::empty(header.first, data_end, header.allocated);
    let of = (header.generation, header.seed());
    Ok((
        Segment::new(of, header.first, extent, Some(file.clone())),
        file,
    ))
}

fn open_unnamed(storage: &dyn Storage, origin: Origin) -> Result<Arc<dyn StorageFile>, Failure> {
    if origin == Origin::Spare {
        let renamed = storage.rename(SPARE, UNNAMED);
        let opened = renamed.and_then(|()| storage.open(UNNAMED, super::storage::Access::Write));
        return opened.map_err(Failure::of("take the prepared segment"));
    }
    remove_if_there(storage, UNNAMED).map_err(Failure::of("remove an unfinished segment"))?;
    storage
        .create(UNNAMED)
        .map_err(Failure::of("create a segment"))
}

/// Ends a segment that another follows. Not synced: a footer that a crash takes away is written again at
/// the next start, from a segment that is whole without it.
pub(crate) fn seal(
    segment: &Segment,
    file: &dyn StorageFile,
    ids: Vec<IdRun>,
) -> Result<(), Failure> {
    let (footer, at) = segment.with_extent(|extent| {
        let footer = Footer {
            last: extent.last,
            first_time: extent.first_time,
            last_time: extent.last_time,
            index: extent.index.clone(),
            ids,
        };
        (footer, extent.data_end)
    });
    let bytes = footer.encode(segment.seed, at);
    let length = at + bytes.len() as u64;
    file.write_at(&bytes, at)
        .map_err(Failure::of("write a footer"))?;
    file.truncate(length)
        .map_err(Failure::of("cut a sealed segment"))?;
    segment.update_extent(|extent| extent.bytes = length);
    Ok(())
}

/// Writes the file of zeros. Takes long; concerns nobody until the writer takes the file.
pub(crate) fn prepare_spare(storage: &dyn Storage, bytes: u64) -> io::Result<()> {
    let written = write_zeros(storage, bytes).and_then(|()| storage.rename(UNREADY_SPARE, SPARE));
    written.inspect_err(|_| drop(storage.remove(UNREADY_SPARE)))
}

fn write_zeros(storage: &dyn Storage, bytes: u64) -> io::Result<()> {
    remove_if_there(storage, UNREADY_SPARE)?;
    let file = storage.create(UNREADY_SPARE)?;
    let zeros = vec![0; ZEROS];
    let (mut at, mut synced) = (0, 0);
    while at < bytes {
        let count = (bytes - at).min(ZEROS as u64);
        let piece = usize::try_from(count)
            .ok()
            .and_then(|count| zeros.get(..count));
        file.write_at(piece.unwrap_or(&zeros), at)?;
        at += count;
        if at - synced >= SYNC_EVERY {
            file.sync_data()?;
            synced = at;
        }
    }
    file.sync_data()
}

/// Removes a file, if it is there.
pub(crate) fn remove_if_there(storage: &dyn Storage, name: &str) -> io::Result<()> {
    match storage.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
