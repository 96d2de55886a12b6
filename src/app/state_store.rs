//! [`JournalState`]: durable state of other modules, kept in a journal's commits.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::auth::{StateStore, VaultError};
use crate::journal::{Commit, Journal, StateDelta};

/// Keeps values as state of a journal. Commits that carry state alone burn no sequence.
#[derive(Debug, Clone)]
pub(super) struct JournalState(pub(super) Arc<dyn Journal>);

#[async_trait]
impl StateStore for JournalState {
    fn load(&self, key: &str) -> Option<Bytes> {
        self.0
            .state(key)
            .into_iter()
            .find(|entry| entry.key == key)
            .map(|entry| entry.value)
    }

    async fn store(&self, key: &str, value: Bytes) -> Result<(), VaultError> {
        let delta = StateDelta {
            key: key.to_owned(),
            value: Some(value),
            event: None,
        };
        let commit = Commit {
            events: Vec::new(),
            state: vec![delta],
        };
        let outcome = self.0.append(commit).await;
        outcome.map(drop).map_err(|error| VaultError {
            reason: error.to_string(),
        })
    }
}
