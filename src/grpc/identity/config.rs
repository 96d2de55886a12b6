//! The settings of `listen.tls`, `listen.auth` and `listen.insecure`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::runtime::HumanDuration;

/// TLS of every TCP address of `listen.grpc`, and of those of `listen.admin` beyond loopback. The files
/// are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenTlsConfig {
    /// The certificate and those between it and its authority, as PEM.
    pub cert_file: PathBuf,
    /// Its private key, as PEM; others may not read it.
    pub key_file: PathBuf,
    /// The authorities of callers' certificates, as PEM. Where it is given, nobody comes in without a
    /// certificate, which says who calls unless a token does: its first URI, else its first DNS name,
    /// else its subject's common name.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
}

/// Who may call. Where it is given, everybody is refused who has no permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenAuthConfig {
    /// Bearer tokens: a principal and its token on each line. Others may not read it; it is read again
    /// when it changes.
    #[serde(default)]
    pub tokens_file: Option<PathBuf>,
    /// The public keys (JSON Web Key Set) of whoever issues JSON Web Tokens; read again likewise. The
    /// principal is the token's `sub`.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// What `iss` of a JSON Web Token must be.
    #[serde(default)]
    pub issuer: Option<String>,
    /// What `aud` of a JSON Web Token must hold.
    #[serde(default)]
    pub audience: Option<String>,
    /// By how much the clock of the issuer may differ.
    #[serde(default = "default_leeway")]
    pub leeway: HumanDuration,
    /// What is allowed; everything else is not.
    #[serde(default)]
    pub permissions: Vec<PermissionConfig>,
}

/// What one principal may do with some journals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionConfig {
    /// Who: a name of `tokens_file`, the `sub` of a JSON Web Token, the name in a certificate, or, over
    /// a Unix socket, `uid:1000` or `gid:1000`.
    pub principal: String,
    /// Names of journals.
    pub journals: Vec<String>,
    /// What it may do with them.
    pub allow: Vec<Right>,
}

/// A kind of calls.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Get, List, Watch and Subscribe.
    Read,
    /// Create and commit managed cursors.
    Commit,
    /// Send messages, open and close guests' sessions.
    Send,
    /// Reconnect, Seek, Delete, Erase, Disconnect.
    Admin,
}

/// What an operator wants to be insecure beyond loopback; the words say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Insecure {
    /// Whoever is on the way reads everything, credentials too: for networks that encrypt by themselves.
    InsecurePlaintext,
    /// Whoever reaches the listener may do everything that it serves.
    InsecureAnyone,
    /// Both.
    InsecurePlaintextAndAnyone,
}

impl Right {
    /// Its word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Commit => "commit",
            Self::Send => "send",
            Self::Admin => "admin",
        }
    }
}

impl Insecure {
    /// Whether connections beyond loopback may be in plaintext.
    #[must_use]
    pub const fn plaintext(self) -> bool {
        matches!(
            self,
            Self::InsecurePlaintext | Self::InsecurePlaintextAndAnyone
        )
    }

    /// Whether callers beyond loopback may be anybody.
    #[must_use]
    pub const fn anyone(self) -> bool {
        matches!(
            self,
            Self::InsecureAnyone | Self::InsecurePlaintextAndAnyone
        )
    }

    /// What it means, for whoever looks at the status.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::InsecurePlaintext => {
                "listen.insecure: whoever is on the way can read everything, credentials too"
            }
            Self::InsecureAnyone => {
                "listen.insecure: whoever reaches the listener may do everything that it serves"
            }
            Self::InsecurePlaintextAndAnyone => {
                "listen.insecure: whoever reaches the listener may do everything that it serves, \
                 and whoever is on the way can read it"
            }
        }
    }
}

fn default_leeway() -> HumanDuration {
    HumanDuration::from_secs(10)
}
