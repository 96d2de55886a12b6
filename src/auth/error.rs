//! What can be wrong with a credential's settings, its secrets and the key that seals them.

use std::path::PathBuf;

/// A mistake in an `auth` section; names the key to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAuth {
    /// Neither file nor variable is given.
    #[error("give {key}_file or {key}_env: grant {grant} needs it")]
    Missing {
        /// The key without its ending: `client_id`.
        key: &'static str,
        /// The grant.
        grant: &'static str,
    },
    /// Both file and variable are given.
    #[error("give either {key}_file or {key}_env, not both")]
    Twice {
        /// The key without its ending.
        key: &'static str,
    },
    /// Given, but the grant has no use for it.
    #[error("remove {key}_file and {key}_env: grant {grant} does not use them")]
    Unused {
        /// The key without its ending.
        key: &'static str,
        /// The grant.
        grant: &'static str,
    },
}

impl InvalidAuth {
    /// The key without its `_file` or `_env`.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Missing { key, .. } | Self::Twice { key } | Self::Unused { key, .. } => key,
        }
    }
}

/// `state_key_file` holds no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealingKeyError {
    /// The file cannot be read.
    #[error("read state_key_file '{}'", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not 32 bytes in any of the three forms.
    #[error("state_key_file '{}' is not 32 bytes, raw, in hex or in base64", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// Something could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The system gives no random numbers.
    #[error("seal: the system gives no random numbers")]
    NoEntropy,
    /// Another key, another name, or altered bytes.
    #[error("open: sealed with another key or for another name, or altered")]
    NotOurs,
}
