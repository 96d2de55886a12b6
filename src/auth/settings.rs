//! [`CredentialSettings`]: an `auth` section once its defaults are known and its mistakes are not.

use std::time::Duration;

use url::Url;

use super::config::{AuthConfig, CredentialPlacement, Grant};
use super::error::InvalidAuth;
use super::secrets::SecretSources;
use crate::runtime::SecretSource;

/// Everything that a refresher needs to know of one credential. Holds no secret, only where they
/// stand.
#[derive(Debug, Clone)]
pub struct CredentialSettings {
    pub(super) name: String,
    pub(super) token_url: Url,
    pub(super) grant: Grant,
    pub(super) placement: CredentialPlacement,
    pub(super) sources: SecretSources,
    pub(super) refresh_before: Duration,
}

impl CredentialSettings {
    /// Completes a configuration by the platform's ways. `name` tells credentials apart in logs
    /// and in the vault, so it must stay the same across restarts.
    ///
    /// # Errors
    /// The first of [`AuthConfig::problems`].
    pub fn new(
        name: impl Into<String>,
        config: &AuthConfig,
        default_token_url: &Url,
        default_placement: CredentialPlacement,
        refresh_before: Duration,
    ) -> Result<Self, InvalidAuth> {
        if let Some(problem) = config.problems().into_iter().next() {
            return Err(problem);
        }
        let missing = InvalidAuth::Missing {
            key: "client_id",
            grant: config.grant.name(),
        };
        let mut first = config.client_id().into_iter();
        Ok(Self {
            name: name.into(),
            token_url: config
                .token_url
                .clone()
                .unwrap_or_else(|| default_token_url.clone()),
            grant: config.grant,
            placement: config.credential_placement.unwrap_or(default_placement),
            sources: SecretSources {
                client_id: first.next().ok_or(missing)?,
                client_secret: config.client_secret().into_iter().next(),
                refresh_token: config.refresh_token().into_iter().next(),
                username: config.username().into_iter().next(),
                password: config.password().into_iter().next(),
                on_the_way: None,
            },
            refresh_before,
        })
    }

    /// Watches another secret beside its own, without which the endpoint cannot be reached: the
    /// password of a proxy.
    #[must_use]
    pub fn watching(mut self, secret: Option<SecretSource>) -> Self {
        self.sources.on_the_way = secret;
        self
    }

    /// Whose credential it is: the token endpoint, and where the client's id stands. What platforms
    /// limit by client is shared by all who agree in both.
    #[must_use]
    pub fn client(&self) -> (&Url, &SecretSource) {
        (&self.token_url, &self.sources.client_id)
    }

    /// The token endpoint, for the client that connects to it.
    #[must_use]
    pub fn token_url(&self) -> &Url {
        &self.token_url
    }
}
