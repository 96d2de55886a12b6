//! Reads secrets from files and environment variables, at each attempt anew.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;
use zeroize::{Zeroize, Zeroizing};

use super::error::SecretError;
use crate::runtime::Secret;

/// No client secret or refresh token is longer.
const LIMIT: usize = 64 * 1024;

/// Where one secret stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// The whole content of a file, without the line end.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// Where the secrets of one credential stand.
#[derive(Debug, Clone)]
pub(super) struct SecretSources {
    pub(super) client_id: SecretSource,
    pub(super) client_secret: Option<SecretSource>,
    pub(super) refresh_token: Option<SecretSource>,
    pub(super) username: Option<SecretSource>,
    pub(super) password: Option<SecretSource>,
}

/// The secrets of one credential, for as long as an attempt needs them.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) client_id: Secret<String>,
    pub(super) client_secret: Option<Secret<String>>,
    pub(super) refresh_token: Option<Secret<String>>,
    pub(super) username: Option<Secret<String>>,
    pub(super) password: Option<Secret<String>>,
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

impl SecretSources {
    /// Reads all of them.
    pub(super) fn read(&self) -> Result<Credentials, SecretError> {
        let optional =
            |source: &Option<SecretSource>| source.as_ref().map(SecretSource::read).transpose();
        Ok(Credentials {
            client_id: self.client_id.read()?,
            client_secret: optional(&self.client_secret)?,
            refresh_token: optional(&self.refresh_token)?,
            username: optional(&self.username)?,
            password: optional(&self.password)?,
        })
    }

    /// A number that changes when one of the secrets does, or becomes readable.
    pub(super) fn fingerprint(&self) -> u64 {
        let sources = [
            Some(&self.client_id),
            self.client_secret.as_ref(),
            self.refresh_token.as_ref(),
            self.username.as_ref(),
            self.password.as_ref(),
        ];
        let hashes: Vec<u8> = sources
            .into_iter()
            .map(|source| source.and_then(|source| source.read().ok()))
            .flat_map(|secret| secret.map_or(0, |secret| hash(&secret)).to_le_bytes())
            .collect();
        xxh3_64(&hashes)
    }
}

/// Tells one secret from another; keeps nothing of a secret of reasonable length.
pub(super) fn hash(secret: &Secret<String>) -> u64 {
    xxh3_64(secret.expose().as_bytes())
}

fn read_file(path: &Path) -> Result<String, SecretError> {
    let failed = |source| SecretError::Read {
        path: path.to_owned(),
        source,
    };
    // Room for all at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT + 1));
    let limit = u64::try_from(LIMIT + 1).unwrap_or(u64::MAX);
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(failed)?;
    String::from_utf8(std::mem::take(&mut *bytes)).map_err(|error| {
        error.into_bytes().zeroize();
        unusable(&format_args!("secret file '{}'", path.display()))
    })
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
        let missing = source.read().unwrap_err().to_string();
        assert!(missing.contains(path.to_str().unwrap()), "{missing}");
        let unset = SecretSource::Env("TIELINE_NOT_SET_ANYWHERE".to_owned());
        let unset = unset.read().unwrap_err().to_string();
        assert!(unset.contains("TIELINE_NOT_SET_ANYWHERE"), "{unset}");
    }

    #[test]
    fn the_fingerprint_follows_every_file() {
        let directory = tempfile::tempdir().unwrap();
        let [id, secret, password] =
            ["id", "secret", "password"].map(|name| directory.path().join(name));
        let sources = SecretSources {
            client_id: SecretSource::File(id.clone()),
            client_secret: Some(SecretSource::File(secret.clone())),
            refresh_token: None,
            username: None,
            password: Some(SecretSource::File(password.clone())),
        };
        let mut seen = vec![sources.fingerprint()];
        for (path, content) in [
            (&id, "a"),
            (&secret, "a"),
            (&id, "b"),
            (&secret, "b"),
            (&password, "b"),
        ] {
            fs::write(path, content).unwrap();
            seen.push(sources.fingerprint());
        }
        fs::write(&id, "b\n").unwrap();
        assert_eq!(sources.fingerprint(), seen[5], "a line end changes nothing");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 6);
    }
}
