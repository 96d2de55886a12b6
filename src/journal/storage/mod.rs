//! [`Storage`]: what the journal asks of a disk, so that a simulated one can stand in.

mod disk;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod simulated;

use std::fmt;
use std::io;
use std::sync::Arc;

pub(crate) use disk::DiskStorage;

/// One flat directory of files.
///
/// Nothing survives a crash but what was synced: the bytes of a file by [`StorageFile::sync_data`],
/// its name by [`Storage::sync_dir`].
pub(crate) trait Storage: Send + Sync + fmt::Debug {
    /// Creates an empty file; fails when the name is taken.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;
    /// Opens a file.
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StorageFile>>;
    /// Renames a file, replacing any file of the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file. Open handles keep reading it.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names in the directory, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes the names durable.
    fn sync_dir(&self) -> io::Result<()>;
    /// Bytes that may still be written to the volume.
    fn free_space(&self) -> io::Result<u64>;
    /// What tells a file, or with `None` the directory, from a copy of it.
    fn identity(&self, name: Option<&str>) -> io::Result<Identity>;
    /// Takes the lock of the directory for this process, or tells who has it.
    fn lock(&self) -> io::Result<LockOutcome>;
    /// Who holds the lock, if anybody does. Changes nothing.
    fn holder(&self) -> io::Result<Option<String>>;
}

/// One open file. Offsets are absolute; there is no cursor.
pub(crate) trait StorageFile: Send + Sync + fmt::Debug {
    /// Writes all of `bytes`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills `buffer` as far as the file reaches and returns how far that was.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Appends to `buffer` what stands there, `len` bytes or as far as the file reaches.
    fn append_at(&self, buffer: &mut Vec<u8>, len: usize, offset: u64) -> io::Result<()> {
        let before = buffer.len();
        buffer.resize(before + len, 0);
        let room = buffer.get_mut(before..).unwrap_or_default();
        let filled = self.read_at(room, offset)?;
        buffer.truncate(before + filled);
        Ok(())
    }
    /// Makes the bytes and the length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Reserves room and makes the file this long; new bytes read as zero.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Cuts the file.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// The file's length.
    fn len(&self) -> io::Result<u64>;
}

/// What an opened file may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading alone.
    Read,
    /// Reading and writing.
    Write,
}

/// What tells a file from a copy of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Inode number.
    pub(crate) inode: u64,
    /// When it was created, in nanoseconds since 1970; `None` where the file system does not say.
    pub(crate) born: Option<u64>,
}

/// Whether the lock was taken.
#[derive(Debug)]
pub(crate) enum LockOutcome {
    /// It was; dropping the guard releases it.
    Taken(Box<dyn Lock>),
    /// Somebody has it; who, as they wrote it.
    Held(String),
}

/// Holds the lock of a directory until it is dropped.
pub(crate) trait Lock: Send + Sync + fmt::Debug {}

/// Name of the lock file.
pub(crate) const LOCK: &str = "lock";

/// Whether an error says that there is no room, or no descriptor, now.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let kind = error.kind();
    let scarce = [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error()));
    matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    ) || scarce.contains(&error.raw_os_error())
}
