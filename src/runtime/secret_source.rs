//! Reads secrets from files and environment variables, at each attempt anew.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, Zeroizing};

use super::secret::Secret;

/// No client secret, password or refresh token is longer.
const LIMIT: usize = 64 * 1024;

/// Where one secret stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// The whole content of a file, without the line end.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// A secret could not be read. Names where it should have been, never what was there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read.
    #[error("read secret file '{}': {}", path.display(), source.kind())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The environment variable is not set.
    #[error("environment variable {name} is not set, or is not UTF-8")]
    NotSet {
        /// The variable.
        name: String,
    },
    /// Nothing but white space at the end.
    #[error("{place} holds no secret")]
    Empty {
        /// The file or variable.
        place: String,
    },
    /// Too long, or not UTF-8.
    #[error("{place} holds no secret: it is binary or over {limit} bytes")]
    Unusable {
        /// The file or variable.
        place: String,
        /// The limit.
        limit: usize,
    },
}

impl SecretSource {
    /// Reads the secret.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn read(&self) -> Result<Secret<String>, SecretError> {
        let (text, place) = match self {
            Self::File(path) => (
                read_file(path)?,
                format!("secret file '{}'", path.display()),
            ),
            Self::Env(name) => (
                std::env::var(name).map_err(|_| SecretError::NotSet { name: name.clone() })?,
                format!("environment variable {name}"),
            ),
        };
        trimmed(text, &place)
    }
}

fn read_file(path: &Path) -> Result<String, SecretError> {
    let failed = |source| SecretError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = read_at_once(path).map_err(failed)?;
    String::from_utf8(std::mem::take(&mut *bytes)).map_err(|error| {
        error.into_bytes().zeroize();
        unusable(&format_args!("secret file '{}'", path.display()))
    })
}

/// Reads at most one byte more than is allowed, into room for all of it: a vector that grows leaves
/// copies behind.
fn read_at_once(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let facts = file.metadata()?;
    let told = usize::try_from(facts.len()).unwrap_or(LIMIT).min(LIMIT);
    // A pipe does not tell how much it holds, and what the kernel makes up says 0.
    let is_known = facts.is_file() && told > 0;
    let bytes = read_up_to(&file, if is_known { told + 1 } else { LIMIT + 1 })?;
    if is_known && bytes.len() > told && told < LIMIT {
        // It has grown meanwhile.
        return read_up_to(&File::open(path)?, LIMIT + 1);
    }
    Ok(bytes)
}

fn read_up_to(file: &File, room: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(u64::try_from(room).unwrap_or(u64::MAX))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn trimmed(mut text: String, place: &str) -> Result<Secret<String>, SecretError> {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    let secret = Secret::new(text);
    match secret.expose().len() {
        0 => Err(SecretError::Empty {
            place: place.to_owned(),
        }),
        1..=LIMIT => Ok(secret),
        _ => Err(unusable(&place)),
    }
}

fn unusable(place: &dyn Display) -> SecretError {
    SecretError::Unusable {
        place: place.to_string(),
        limit: LIMIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn line_ends_are_no_part_of_a_secret_and_errors_name_the_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let source = SecretSource::File(path.clone());
        for (content, expected) in [
            (&b"hunter2"[..], Ok("hunter2")),
            (b"hunter2\n", Ok("hunter2")),
            (b" hunter 2 \r\n", Ok(" hunter 2 ")),
            (b"", Err("holds no secret")),
            (b"\n\n", Err("holds no secret")),
            (b"\xff\xfe", Err("it is binary or over 65536 bytes")),
            (&[b'x'; LIMIT + 1], Err("it is binary or over 65536 bytes")),
        ] {
            fs::write(&path, content).unwrap();
            match (source.read(), expected) {
                (Ok(secret), Ok(expected)) => assert_eq!(secret.expose(), expected),
                (Err(error), Err(expected)) => {
                    let text = error.to_string();
                    assert!(text.contains(expected), "{text}");
                    assert!(text.contains(path.to_str().unwrap()), "{text}");
                }
                (read, _) => panic!("{content:?}: {read:?}"),
            }
        }
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
        let given = std::thread::spawn({
            let path = path.clone();
            move || fs::write(path, "hunter2\n")
        });
        assert_eq!(source.read().unwrap().expose(), "hunter2", "of a pipe");
        given.join().unwrap().unwrap();
        fs::remove_file(&path).unwrap();
        let missing = source.read().unwrap_err().to_string();
        assert!(missing.contains(path.to_str().unwrap()), "{missing}");
        let unset = SecretSource::Env("TIELINE_NOT_SET_ANYWHERE".to_owned());
        let unset = unset.read().unwrap_err().to_string();
        assert!(unset.contains("TIELINE_NOT_SET_ANYWHERE"), "{unset}");
    }
}
