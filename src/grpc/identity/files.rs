//! Reads the files that say who may call, and refuses those that others could have changed or, of
//! secrets, read.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Thousands of tokens, or the bundles of all public authorities, are a fraction of it.
const LONGEST: u64 = 1 << 20;
/// Permission bits.
const WRITABLE_BY_OTHERS: u32 = 0o022;
const READABLE_BY_OTHERS: u32 = 0o004;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Nothing that others may not see.
    Public,
    /// Secrets.
    Secrets,
}

/// Why a file cannot be used. Names the key and the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("read {key} '{}'", path.display())]
    Read {
        /// Its key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could have changed it.
    #[error("{key} '{}' can be changed by others (mode {mode:04o}): chmod go-w", path.display())]
    Writable {
        /// Its key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others could have read the secrets in it.
    #[error("{key} '{}' can be read by others (mode {mode:04o}): chmod o-r", path.display())]
    Readable {
        /// Its key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What it holds is of no use.
    #[error("{key} '{}': {problem}", path.display())]
    Content {
        /// Its key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
}

impl FileError {
    pub(super) fn content(key: &'static str, path: &Path, problem: impl Into<String>) -> Self {
        Self::Content {
            key,
            path: path.to_owned(),
            problem: problem.into(),
        }
    }
}

/// Reads a file, of which the key in the configuration is `key`.
pub(super) fn read(
    key: &'static str,
    path: &Path,
    holds: Holds,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let failed = |source| FileError::Read {
        key,
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    // Of what was opened, not of what stands there by now.
    let facts = file.metadata().map_err(failed)?;
    let (mode, path) = (facts.permissions().mode() & 0o7777, path.to_owned());
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(FileError::Writable { key, path, mode });
    }
    if holds == Holds::Secrets && mode & READABLE_BY_OTHERS != 0 {
        return Err(FileError::Readable { key, path, mode });
    }
    let room = usize::try_from(facts.len().min(LONGEST)).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let length = file.take(LONGEST + 1).read_to_end(&mut bytes);
    match length.map(u64::try_from) {
        Ok(Ok(..=LONGEST)) => Ok(bytes),
        Ok(_) => Err(FileError::content(key, &path, "is larger than 1 MiB")),
        Err(source) => Err(FileError::Read { key, path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_others_may_change_or_secrets_that_they_may_read_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let with = |mode, holds| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            read("listen.tls.key_file", &path, holds)
        };
        for (mode, public, secret) in [
            (0o600, true, true),
            (0o440, true, true),
            (0o644, true, false),
            (0o660, false, false),
            (0o602, false, false),
        ] {
            assert_eq!(with(mode, Holds::Public).is_ok(), public, "{mode:o}");
            let refused = with(mode, Holds::Secrets);
            assert_eq!(refused.is_ok(), secret, "{mode:o}");
            if let Err(error) = refused {
                let text = error.to_string();
                assert!(
                    text.contains("listen.tls.key_file") && text.contains("chmod"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn what_is_too_long_or_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![b'x'; (1 << 20) + 1]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(
            read("a", &path, Holds::Public),
            Err(FileError::Content { .. })
        ));
        let missing = read("a", &folder.path().join("none"), Holds::Public);
        assert!(matches!(missing, Err(FileError::Read { .. })));
    }
}
