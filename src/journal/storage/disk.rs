//! [`DiskStorage`]: a directory of the real disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::{Access, Identity, LOCK, Lock, LockOutcome, Storage, StorageFile};

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// A process id and a name fit; more is not read from a file that anybody may have written.
const HOLDER_LIMIT: u64 = 128;

/// Files in one directory.
#[derive(Debug)]
pub(crate) struct DiskStorage {
    path: PathBuf,
}

#[derive(Debug)]
struct DiskFile(File);

#[derive(Debug)]
struct DiskLock {
    _held: File,
}

impl Lock for DiskLock {}

impl DiskStorage {
    /// A directory that exists.
    pub(crate) fn existing(path: &Path) -> io::Result<Self> {
        if std::fs::metadata(path)?.is_dir() {
            Ok(Self {
                path: path.to_owned(),
            })
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    /// A directory that is created, durably, when it does not exist.
    pub(crate) fn create_if_missing(path: &Path) -> io::Result<Self> {
        match Self::existing(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        if let Some(parent) = parent {
            Self::create_if_missing(parent)?;
        }
        match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => created?,
        }
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Self::existing(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn read_holder(&self) -> String {
        let mut text = String::new();
        let read = File::open(self.at(LOCK))
            .and_then(|file| file.take(HOLDER_LIMIT).read_to_string(&mut text));
        match read {
            Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
            _ => "another process".to_owned(),
        }
    }
}

impl Storage for DiskStorage {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(self.at(name))?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(access == Access::Write)
            .open(self.at(name))?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.at(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        std::fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn free_space(&self) -> io::Result<u64> {
        let volume = rustix::fs::statvfs(&self.path)?;
        Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
    }

    fn identity(&self, name: Option<&str>) -> io::Result<Identity> {
        let metadata = std::fs::metadata(name.map_or_else(|| self.path.clone(), |n| self.at(n)))?;
        let born = metadata.created().ok().and_then(|time| {
            let since = time.duration_since(UNIX_EPOCH).ok()?;
            u64::try_from(since.as_nanos()).ok()
        });
        Ok(Identity {
            inode: metadata.ino(),
            born,
        })
    }

    fn lock(&self) -> io::Result<LockOutcome> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(self.at(LOCK))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Ok(LockOutcome::Held(self.read_holder()));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
        // Only for people; a full disk must not keep a journal from being opened.
        let holder = format!("process {}\n", std::process::id());
        if file.set_len(0).is_ok() {
            drop(file.write_all_at(holder.as_bytes(), 0));
        }
        Ok(LockOutcome::Taken(Box::new(DiskLock { _held: file })))
    }

    fn holder(&self) -> io::Result<Option<String>> {
        let file = match File::open(self.at(LOCK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(std::fs::TryLockError::WouldBlock) => Ok(Some(self.read_holder())),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

impl StorageFile for DiskFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Without zeroing the buffer first.
    fn append_at(&self, buffer: &mut Vec<u8>, len: usize, offset: u64) -> io::Result<()> {
        use rustix::io::{Errno, pread};
        let end = buffer.len() + len;
        let start = offset.wrapping_sub(buffer.len() as u64);
        // A vector may hold more than it was asked to; what is read is cut to size.
        buffer.reserve_exact(len);
        while buffer.len() < end {
            let at = start.wrapping_add(buffer.len() as u64);
            match pread(&self.0, rustix::buffer::spare_capacity(buffer), at) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        buffer.truncate(end);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    #[cfg(target_os = "linux")]
    fn allocate(&self, length: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(&self.0, FallocateFlags::empty(), 0, length) {
            // Not every file system can reserve; a sparse file is slower, and as safe.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => self.0.set_len(length),
            reserved => Ok(reserved?),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn directory_and_files_are_private() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/journal");
        let storage = DiskStorage::create_if_missing(&path).unwrap();
        storage.create("x").unwrap();
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("x")), 0o600);
    }

    #[test]
    fn the_second_locker_is_told_who_was_first() {
        let root = tempfile::tempdir().unwrap();
        let storage = DiskStorage::create_if_missing(root.path()).unwrap();
        assert_eq!(storage.holder().unwrap(), None);
        let LockOutcome::Taken(guard) = storage.lock().unwrap() else {
            panic!("free");
        };
        let me = format!("process {}", std::process::id());
        assert!(matches!(storage.lock().unwrap(), LockOutcome::Held(who) if who == me));
        assert_eq!(storage.holder().unwrap(), Some(me));
        drop(guard);
        assert!(matches!(storage.lock().unwrap(), LockOutcome::Taken(_)));
    }

    #[test]
    fn a_copied_file_has_another_identity() {
        let root = tempfile::tempdir().unwrap();
        let storage = DiskStorage::create_if_missing(root.path()).unwrap();
        storage.create("x").unwrap();
        std::fs::copy(root.path().join("x"), root.path().join("y")).unwrap();
        let of = |name| storage.identity(Some(name)).unwrap();
        assert_ne!(of("x"), of("y"));
        assert_eq!(of("x"), of("x"));
    }
}
