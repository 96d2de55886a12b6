//! Settings of a credential.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::InvalidAuth;
use crate::runtime::SecretSource;

/// How access tokens are obtained. Secrets are named by file or by environment variable, never
/// given as values; files are read again at each attempt, so a rotated secret needs no restart.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// The OAuth grant.
    pub grant: Grant,
    /// The token endpoint; the platform's own where it is not given.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub token_url: Option<Url>,
    /// Where client id and secret stand in the token request; the platform's way where not given.
    #[serde(default)]
    pub credential_placement: Option<CredentialPlacement>,
    /// File that holds the client id.
    #[serde(default)]
    pub client_id_file: Option<PathBuf>,
    /// Environment variable that holds the client id.
    #[serde(default)]
    pub client_id_env: Option<String>,
    /// File that holds the client secret.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// Environment variable that holds the client secret.
    #[serde(default)]
    pub client_secret_env: Option<String>,
    /// File that holds the refresh token (grant `refresh_token`).
    #[serde(default)]
    pub refresh_token_file: Option<PathBuf>,
    /// Environment variable that holds the refresh token.
    #[serde(default)]
    pub refresh_token_env: Option<String>,
    /// File that holds the user's name (grant `password`); for CXone the access key's id.
    #[serde(default)]
    pub username_file: Option<PathBuf>,
    /// Environment variable that holds the user's name.
    #[serde(default)]
    pub username_env: Option<String>,
    /// File that holds the password (grant `password`); for CXone the access key's secret.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<String>,
}

/// The OAuth grants that are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// RFC 6749 section 4.4.
    ClientCredentials,
    /// RFC 6749 section 6; a rotated refresh token is stored before it is used.
    RefreshToken,
    /// RFC 6749 section 4.3, with an access key. A refresh token that comes with the answer is used
    /// until it is refused or two hours old.
    Password,
    /// None at all: the platform knows a guest by the UUID that the guest's side made up (U22).
    GuestSession,
}

/// Where client id and secret stand in a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialPlacement {
    /// `Authorization: Basic`.
    Basic,
    /// `client_id` and `client_secret` in the form.
    Form,
}

impl AuthConfig {
    /// The section of a platform that needs none.
    #[must_use]
    pub fn guest_session() -> Self {
        Self {
            grant: Grant::GuestSession,
            token_url: None,
            credential_placement: None,
            client_id_file: None,
            client_id_env: None,
            client_secret_file: None,
            client_secret_env: None,
            refresh_token_file: None,
            refresh_token_env: None,
            username_file: None,
            username_env: None,
            password_file: None,
            password_env: None,
        }
    }

    /// Every mistake in this section.
    #[must_use]
    pub fn problems(&self) -> Vec<InvalidAuth> {
        let refresh = self.grant == Grant::RefreshToken;
        let password = self.grant == Grant::Password;
        let guest = self.grant == Grant::GuestSession;
        [
            self.check("client_id", self.client_id(), Some(!guest)),
            self.check(
                "client_secret",
                self.client_secret(),
                (!refresh).then_some(!guest),
            ),
            self.check("refresh_token", self.refresh_token(), Some(refresh)),
            self.check("username", self.username(), Some(password)),
            self.check("password", self.password(), Some(password)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    // Where each secret stands.

    pub(super) fn client_id(&self) -> Vec<SecretSource> {
        sources(self.client_id_file.as_ref(), self.client_id_env.as_ref())
    }

    pub(super) fn client_secret(&self) -> Vec<SecretSource> {
        sources(
            self.client_secret_file.as_ref(),
            self.client_secret_env.as_ref(),
        )
    }

    pub(super) fn refresh_token(&self) -> Vec<SecretSource> {
        sources(
            self.refresh_token_file.as_ref(),
            self.refresh_token_env.as_ref(),
        )
    }

    pub(super) fn username(&self) -> Vec<SecretSource> {
        sources(self.username_file.as_ref(), self.username_env.as_ref())
    }

    pub(super) fn password(&self) -> Vec<SecretSource> {
        sources(self.password_file.as_ref(), self.password_env.as_ref())
    }

    /// `needed`: `Some(true)` must be given, `Some(false)` must not, `None` may be.
    fn check(
        &self,
        key: &'static str,
        given: Vec<SecretSource>,
        needed: Option<bool>,
    ) -> Option<InvalidAuth> {
        let grant = self.grant.name();
        match (given.len(), needed) {
            (0, Some(true)) => Some(InvalidAuth::Missing { key, grant }),
            (1.., Some(false)) => Some(InvalidAuth::Unused { key, grant }),
            (2.., _) => Some(InvalidAuth::Twice { key }),
            _ => None,
        }
    }
}

impl Grant {
    /// Its name in the configuration and in a token request.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::Password => "password",
            Self::GuestSession => "guest_session",
        }
    }
}

fn sources(file: Option<&PathBuf>, env: Option<&String>) -> Vec<SecretSource> {
    let file = file.cloned().map(SecretSource::File);
    let env = env.cloned().map(SecretSource::Env);
    file.into_iter().chain(env).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: serde_json::Value) -> AuthConfig {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn every_mistake_is_named() {
        let config = config(serde_json::json!({
            "grant": "client_credentials",
            "client_id_file": "/id", "client_id_env": "ID",
            "refresh_token_env": "TOKEN",
        }));
        let grant = "client_credentials";
        let expected = [
            InvalidAuth::Twice { key: "client_id" },
            InvalidAuth::Missing {
                key: "client_secret",
                grant,
            },
            InvalidAuth::Unused {
                key: "refresh_token",
                grant,
            },
        ];
        assert_eq!(config.problems(), expected);
    }

    #[test]
    fn a_password_needs_a_user_and_a_client() {
        let config = config(serde_json::json!({
            "grant": "password", "client_id_env": "ID", "username_file": "/user",
            "refresh_token_env": "TOKEN",
        }));
        let grant = "password";
        let expected = [
            InvalidAuth::Missing {
                key: "client_secret",
                grant,
            },
            InvalidAuth::Unused {
                key: "refresh_token",
                grant,
            },
            InvalidAuth::Missing {
                key: "password",
                grant,
            },
        ];
        assert_eq!(config.problems(), expected);
    }

    #[test]
    fn u22_a_guest_needs_no_credential_and_takes_none() {
        assert_eq!(AuthConfig::guest_session().problems(), []);
        let config = config(serde_json::json!({
            "grant": "guest_session", "client_id_env": "ID",
        }));
        let grant = "guest_session";
        let unused = |key| InvalidAuth::Unused { key, grant };
        assert_eq!(config.problems(), [unused("client_id")]);
    }

    #[test]
    fn a_public_client_refreshes_without_a_secret() {
        let config = config(serde_json::json!({
            "grant": "refresh_token", "client_id_env": "ID", "refresh_token_file": "/token",
        }));
        assert_eq!(config.problems(), []);
    }
}
