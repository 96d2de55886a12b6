//! The traits [`TokenSource`] and [`TokenVault`].

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::domain::WallTime;
use crate::runtime::{MonoTime, Secret};

/// A token that was valid when it was handed out.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The bearer token.
    pub value: Secret<String>,
    /// Rises with every token obtained; names this one to [`TokenSource::reject`].
    pub generation: u64,
    /// When it expires, by the lifetime the endpoint gave.
    pub expires_at: MonoTime,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// Needs a person: `invalid_client`, `invalid_grant`, a secret file that cannot be read. Tried
    /// again slowly all the same (U24).
    #[error("credentials refused: {reason}")]
    Refused {
        /// What the endpoint said, without any secret.
        reason: String,
    },
    /// The proxy before the endpoint does not take our credentials; tried again with back-off.
    #[error("{reason}")]
    ProxyRefused {
        /// What to mend.
        reason: String,
    },
    /// The endpoint is down, slow or throttling; tried again with back-off (U23).
    #[error("token endpoint unavailable: {reason}")]
    Unavailable {
        /// What happened, without any secret.
        reason: String,
    },
}

/// The present state of a credential, for status and for those who wait for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenStatus {
    /// Generation of the newest token; zero before the first.
    pub generation: u64,
    /// When the newest token expires.
    pub expires_at: Option<WallTime>,
    /// Why the latest attempt failed, if it did.
    pub problem: Option<TokenProblem>,
    /// Tokens obtained since the start.
    pub refreshes: u64,
    /// How often its secrets, or the proxy's password, were seen to change.
    pub changes: u64,
    /// When the newest token was obtained.
    pub obtained_at: Option<WallTime>,
    /// Attempts that the endpoint refused.
    pub refused: u64,
    /// Attempts that had no answer, or that the endpoint could not serve.
    pub unavailable: u64,
}

/// Hands out tokens of one credential. One refresh at a time, however many ask (U21).
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// A token that is valid and not due for refresh; waits for a refresh under way. Cancel-safe.
    ///
    /// # Errors
    /// [`TokenProblem`], once an attempt has failed and no valid token is left.
    async fn token(&self) -> Result<AccessToken, TokenProblem>;

    /// A server answered 401 to the token of `generation`: obtain another, unless that has been
    /// done already.
    fn reject(&self, generation: u64);

    /// Watches the credential.
    fn status(&self) -> watch::Receiver<TokenStatus>;
}

/// Keeps rotated refresh tokens across restarts. Implemented on the journal's state.
#[async_trait]
pub trait TokenVault: Send + Sync + fmt::Debug {
    /// The newest rotated token of a credential and the hash of the configured token it descends
    /// from; `None` when none was kept.
    fn load(&self, credential: &str) -> Option<(Secret<String>, u64)>;

    /// Keeps a rotated token durably before it is used.
    ///
    /// # Errors
    /// [`VaultError`]; then the token must not be lost by being used.
    async fn store(
        &self,
        credential: &str,
        token: &Secret<String>,
        ancestor: u64,
    ) -> Result<(), VaultError>;
}

/// A rotated token could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("keep rotated refresh token: {reason}")]
pub struct VaultError {
    /// Why.
    pub reason: String,
}

/// Durable state by key, as a vault needs it. The application implements it on a journal, which
/// this module must not know.
#[async_trait]
pub trait StateStore: Send + Sync + fmt::Debug {
    /// The value last stored under a key.
    fn load(&self, key: &str) -> Option<Bytes>;

    /// Stores a value; returns once it is durable.
    ///
    /// # Errors
    /// [`VaultError`]; then nothing was stored.
    async fn store(&self, key: &str, value: Bytes) -> Result<(), VaultError>;
}
