//! Checks of `auth`: each secret from exactly one place, and those that the grant needs.

use std::path::PathBuf;

use super::Checks;
use crate::auth::Grant;
use crate::config::findings::Code;
use crate::config::key::KeyPath;
use crate::config::redact;
use crate::session::SessionConfig;

/// Whether a grant makes use of a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
    Unused,
}

impl Checks<'_> {
    pub(super) fn auth(&mut self, at: &KeyPath, session: &SessionConfig) {
        let auth = &session.auth;
        if !self.is_sound(at) {
            return;
        }
        if let Some(url) = &auth.token_url {
            self.url(&at.key("token_url"), url, session.allow_plaintext);
        }
        let needs = needs(auth.grant);
        let given = [
            (&auth.client_id_file, &auth.client_id_env),
            (&auth.client_secret_file, &auth.client_secret_env),
            (&auth.refresh_token_file, &auth.refresh_token_env),
            (&auth.username_file, &auth.username_env),
            (&auth.password_file, &auth.password_env),
        ];
        for ((name, need), (file, variable)) in needs.into_iter().zip(given) {
            self.secret(at, name, need, file, variable);
        }
        let key = KeyPath::root().key("state_key_file");
        if auth.grant == Grant::RefreshToken
            && self.config.state_key_file.is_none()
            && self.is_sound(&key)
        {
            let hint = "give state_key_file, a file with 32 random bytes in base64 or hex, so that \
                        rotated tokens are sealed on disk";
            let message = "rotates its token, and nothing seals it: state_key_file is not given";
            self.warning(Code::Insecure, &at.key("grant"), message, hint);
        }
    }

    fn secret(
        &mut self,
        at: &KeyPath,
        name: &str,
        need: Need,
        file: &Option<PathBuf>,
        variable: &Option<String>,
    ) {
        let file_key = at.key(&format!("{name}_file"));
        let variable_key = at.key(&format!("{name}_env"));
        // A secret written as a value was reported: what is missing is then known.
        let certain = [&file_key, &variable_key, &at.key(name), &at.key("grant")]
            .into_iter()
            .all(|key| self.is_sound(key));
        match (file, variable) {
            (Some(_), Some(_)) => {
                let message = format!("must not be given beside {name}_file");
                self.error(
                    Code::Conflict,
                    &variable_key,
                    message,
                    "keep one of the two",
                );
            }
            (None, None) if need == Need::Required && certain => {
                let hint = format!("give {name}_file or {name}_env");
                let message = format!("is missing: this grant needs the {}", words(name));
                self.error(Code::MissingKey, &file_key, message, hint);
            }
            (Some(_), None) | (None, Some(_)) if need == Need::Unused && certain => {
                let key = if file.is_some() {
                    &file_key
                } else {
                    &variable_key
                };
                let hint = "remove it, or choose the grant that uses it";
                self.error(Code::Conflict, key, "is not used by this grant", hint);
                return;
            }
            _ => {}
        }
        if let Some(file) = file {
            self.expect_file(&file_key, file);
        }
        if let Some(variable) = variable {
            self.variable(&variable_key, variable);
        }
    }

    pub(super) fn variable(&mut self, at: &KeyPath, name: &str) {
        if !redact::is_variable_name(name) {
            let hint =
                "write the variable's name, such as GENESYS_CLIENT_SECRET, and not its value";
            self.error(
                Code::WrongForm,
                at,
                "must be the name of an environment variable",
                hint,
            );
        } else if self
            .sources
            .variables
            .get(name)
            .is_none_or(String::is_empty)
        {
            let hint = "set it where the sidecar runs, or correct the name";
            self.warning(
                Code::NotFound,
                at,
                "names a variable that is not set here",
                hint,
            );
        }
    }
}

/// What a grant does with each secret.
fn needs(grant: Grant) -> [(&'static str, Need); 5] {
    let (secret, refresh, user) = match grant {
        Grant::ClientCredentials => (Need::Required, Need::Unused, Need::Unused),
        // Public clients refresh without a secret (RFC 6749 section 6).
        Grant::RefreshToken => (Need::Optional, Need::Required, Need::Unused),
        Grant::Password => (Need::Required, Need::Unused, Need::Required),
        Grant::GuestSession => (Need::Unused, Need::Unused, Need::Unused),
    };
    let id = match grant {
        Grant::GuestSession => Need::Unused,
        Grant::ClientCredentials | Grant::RefreshToken | Grant::Password => Need::Required,
    };
    [
        ("client_id", id),
        ("client_secret", secret),
        ("refresh_token", refresh),
        ("username", user),
        ("password", user),
    ]
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}
