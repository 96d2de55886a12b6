//! [`StateVault`]: rotated refresh tokens in durable state, sealed where there is a key.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use zeroize::Zeroizing;

use super::contract::{StateStore, TokenVault, VaultError};
use super::metrics;
use super::sealing::Sealer;
use crate::runtime::Secret;

/// First byte of a value that is not sealed.
const PLAIN: u8 = 1;
/// First byte of a sealed value.
const SEALED: u8 = 2;

/// Keeps tokens under `credentials/<name>`. A value is a form byte and then, sealed or plain, the
/// hash of the token's ancestor (8 bytes, little endian) and the token.
#[derive(Debug)]
pub struct StateVault<S> {
    store: S,
    sealer: Option<Arc<Sealer>>,
}

impl<S: StateStore> StateVault<S> {
    /// Keeps tokens in `store`; plain where there is no sealer, so the store's files must be 0600.
    #[must_use]
    pub fn new(store: S, sealer: Option<Arc<Sealer>>) -> Self {
        Self { store, sealer }
    }

    fn open(&self, key: &str, value: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        match (value.split_first(), &self.sealer) {
            (Some((&PLAIN, body)), _) => Ok(Zeroizing::new(body.to_vec())),
            (Some((&SEALED, body)), Some(sealer)) => sealer
                .open(key, body)
                .map_err(|_| "it is sealed with another key, or altered"),
            (Some((&SEALED, _)), None) => Err("it is sealed and no state_key_file is configured"),
            _ => Err("it has an unknown form"),
        }
    }
}

#[async_trait]
impl<S: StateStore> TokenVault for StateVault<S> {
    fn load(&self, credential: &str) -> Option<(Secret<String>, u64)> {
        let key = key(credential);
        let value = self.store.load(&key)?;
        let decoded = self
            .open(&key, &value)
            .and_then(|body| decode(&body).ok_or("it is not a token"));
        decoded
            .inspect_err(|why| metrics::kept_token_unusable(credential, why))
            .ok()
    }

    async fn store(
        &self,
        credential: &str,
        token: &Secret<String>,
        ancestor: u64,
    ) -> Result<(), VaultError> {
        let key = key(credential);
        let body =
            Zeroizing::new([&ancestor.to_le_bytes()[..], token.expose().as_bytes()].concat());
        let value = match &self.sealer {
            None => [&[PLAIN][..], &body].concat(),
            Some(sealer) => {
                let sealed = sealer.seal(&key, &body).map_err(|error| VaultError {
                    reason: error.to_string(),
                })?;
                [&[SEALED][..], &sealed].concat()
            }
        };
        self.store.store(&key, Bytes::from(value)).await
    }
}

fn key(credential: &str) -> String {
    format!("credentials/{credential}")
}

fn decode(body: &[u8]) -> Option<(Secret<String>, u64)> {
    let (ancestor, token) = body.split_first_chunk::<8>()?;
    let token = std::str::from_utf8(token).ok()?;
    Some((Secret::new(token.to_owned()), u64::from_le_bytes(*ancestor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::collections::HashMap;

    #[derive(Debug, Default, Clone)]
    struct Memory(Arc<Mutex<HashMap<String, Bytes>>>);

    #[async_trait]
    impl StateStore for Memory {
        fn load(&self, key: &str) -> Option<Bytes> {
            self.0.lock().get(key).cloned()
        }

        async fn store(&self, key: &str, value: Bytes) -> Result<(), VaultError> {
            self.0.lock().insert(key.to_owned(), value);
            Ok(())
        }
    }

    fn sealer(byte: u8) -> Option<Arc<Sealer>> {
        Some(Arc::new(Sealer::new(&[byte; 32])))
    }

    fn loaded(vault: &StateVault<Memory>, name: &str) -> Option<(String, u64)> {
        let (token, ancestor) = vault.load(name)?;
        Some((token.expose().clone(), ancestor))
    }

    #[tokio::test]
    async fn a_token_is_kept_with_its_ancestor_sealed_where_there_is_a_key() {
        let token = Secret::new("rotated".to_owned());
        for (sealer, readable) in [(None, true), (sealer(1), false)] {
            let memory = Memory::default();
            let vault = StateVault::new(memory.clone(), sealer);
            assert_eq!(loaded(&vault, "main"), None);
            vault.store("main", &token, 7).await.unwrap();
            assert_eq!(loaded(&vault, "main"), Some(("rotated".to_owned(), 7)));
            let on_disk = memory.load("credentials/main").unwrap();
            let shown = on_disk.windows(7).any(|window| window == b"rotated");
            assert_eq!(shown, readable);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_as_if_it_were_not_there() {
        let token = Secret::new("rotated".to_owned());
        let memory = Memory::default();
        let vault = StateVault::new(memory.clone(), sealer(1));
        vault.store("main", &token, 7).await.unwrap();
        // Another key, no key, another credential's place.
        assert_eq!(
            loaded(&StateVault::new(memory.clone(), sealer(2)), "main"),
            None
        );
        assert_eq!(loaded(&StateVault::new(memory.clone(), None), "main"), None);
        let value = memory.load("credentials/main").unwrap();
        memory.store("credentials/other", value).await.unwrap();
        assert_eq!(loaded(&vault, "other"), None);
        for value in [
            &b""[..],
            &[PLAIN],
            &[PLAIN, 1, 2],
            &[SEALED],
            &[9, 9],
            &[PLAIN, 0, 0, 0, 0, 0, 0, 0, 0, 0xff],
        ] {
            memory
                .store("credentials/main", Bytes::copy_from_slice(value))
                .await
                .unwrap();
            assert_eq!(loaded(&vault, "main"), None, "{value:?}");
        }
    }

    #[tokio::test]
    async fn a_key_given_later_still_reads_what_was_kept_plain() {
        let memory = Memory::default();
        let token = Secret::new("rotated".to_owned());
        let plain = StateVault::new(memory.clone(), None);
        plain.store("main", &token, 7).await.unwrap();
        let sealed = StateVault::new(memory, sealer(1));
        assert_eq!(loaded(&sealed, "main"), Some(("rotated".to_owned(), 7)));
    }
}
