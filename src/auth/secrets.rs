//! The secrets of one credential: where they stand, read at each attempt anew.

use xxhash_rust::xxh3::xxh3_64;

use crate::runtime::{Secret, SecretError, SecretSource};

/// Where the secrets of one credential stand.
#[derive(Debug, Clone)]
pub(super) struct SecretSources {
    pub(super) client_id: SecretSource,
    pub(super) client_secret: Option<SecretSource>,
    pub(super) refresh_token: Option<SecretSource>,
    pub(super) username: Option<SecretSource>,
    pub(super) password: Option<SecretSource>,
    /// No part of the credential: the request's way needs it.
    pub(super) on_the_way: Option<SecretSource>,
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
            self.on_the_way.as_ref(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_fingerprint_follows_every_file() {
        let directory = tempfile::tempdir().unwrap();
        let [id, secret, password, proxy] =
            ["id", "secret", "password", "proxy"].map(|name| directory.path().join(name));
        let sources = SecretSources {
            client_id: SecretSource::File(id.clone()),
            client_secret: Some(SecretSource::File(secret.clone())),
            refresh_token: None,
            username: None,
            password: Some(SecretSource::File(password.clone())),
            on_the_way: Some(SecretSource::File(proxy.clone())),
        };
        let mut seen = vec![sources.fingerprint()];
        for (path, content) in [
            (&id, "a"),
            (&secret, "a"),
            (&id, "b"),
            (&secret, "b"),
            (&password, "b"),
            (&proxy, "b"),
        ] {
            fs::write(path, content).unwrap();
            seen.push(sources.fingerprint());
        }
        fs::write(&id, "b\n").unwrap();
        assert_eq!(sources.fingerprint(), seen[6], "a line end changes nothing");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 7);
    }
}
