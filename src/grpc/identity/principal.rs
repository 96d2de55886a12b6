//! [`Identity`]: who calls, and by what that is known. Pure.

use std::sync::Arc;

use super::tokens::TokenHash;
use super::trust::Trusted;
use crate::domain::WallTime;

/// Names of the operating system's accounts, which no token and no certificate can have.
const RESERVED: [&str; 2] = ["uid:", "gid:"];
const LONGEST: usize = 256;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The principal; empty where nobody asked.
    pub(super) name: Arc<str>,
    /// Another name that permissions may use: its group, over a Unix socket.
    pub(super) group: Option<Arc<str>>,
    pub(super) proof: Proof,
}

/// By what it is known who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing.
    Nothing,
    /// A token of the file.
    Token(TokenHash),
    /// A JSON Web Token that this key has signed.
    Signed { key: TokenHash, expires: WallTime },
    /// A certificate.
    Certificate { expires: WallTime },
    /// What the operating system says of the process.
    Process,
}

/// What the other end of a connection has shown of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Shown {
    /// Nothing.
    #[default]
    Nothing,
    /// A certificate that an authority of `listen.tls.client_ca_file` vouches for.
    Certificate {
        /// The name in it; none where there is none of use.
        name: Option<Arc<str>>,
        /// When it runs out.
        expires: WallTime,
        /// Whether its authority still is one.
        trusted: Trusted,
    },
    /// The account that its process runs under.
    Process {
        /// The user.
        user: u32,
        /// The user's group.
        group: u32,
    },
}

impl Identity {
    /// Nobody in particular.
    pub(super) fn nobody() -> Self {
        Self {
            name: Arc::from(""),
            group: None,
            proof: Proof::Nothing,
        }
    }

    /// Whom a connection shows; `None` where it shows nobody.
    pub(super) fn shown(shown: &Shown) -> Option<Self> {
        match shown {
            Shown::Nothing | Shown::Certificate { name: None, .. } => None,
            Shown::Certificate {
                name: Some(name),
                expires,
                ..
            } => Some(Self {
                name: Arc::clone(name),
                group: None,
                proof: Proof::Certificate { expires: *expires },
            }),
            Shown::Process { user, group } => Some(Self {
                name: format!("uid:{user}").into(),
                group: Some(format!("gid:{group}").into()),
                proof: Proof::Process,
            }),
        }
    }

    /// Every name that permissions may use.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.name).chain(self.group.as_deref())
    }

    /// When its credential runs out.
    pub(super) fn expires(&self) -> Option<WallTime> {
        match self.proof {
            Proof::Signed { expires, .. } | Proof::Certificate { expires } => Some(expires),
            Proof::Nothing | Proof::Token(_) | Proof::Process => None,
        }
    }
}

impl Shown {
    /// Whether the authority of its certificate is not trusted any more.
    pub(super) fn is_disowned(&self) -> bool {
        self.trusted().is_some_and(Trusted::is_over)
    }

    /// Completes when the authority of its certificate is not trusted any more.
    pub async fn disowned(&self) {
        match self.trusted() {
            Some(trusted) => trusted.over().await,
            None => std::future::pending().await,
        }
    }

    fn trusted(&self) -> Option<&Trusted> {
        match self {
            Self::Certificate { trusted, .. } => Some(trusted),
            Self::Nothing | Self::Process { .. } => None,
        }
    }
}

/// A principal of this name; `None` for what cannot be one.
pub(super) fn principal(name: &str) -> Option<Arc<str>> {
    let usable = (1..=LONGEST).contains(&name.len())
        && !name.contains(|c: char| c.is_control() || c.is_whitespace())
        && !RESERVED.iter().any(|reserved| name.starts_with(reserved));
    usable.then(|| Arc::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_the_name_of_an_account() {
        for name in ["uid:0", "gid:1000", "", "a b", "a\n", &"x".repeat(257)] {
            assert_eq!(principal(name), None, "{name}");
        }
        for name in ["a", "spiffe://x/y", "system:serviceaccount:a:b", "UID:0"] {
            assert_eq!(principal(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_process_is_known_by_its_user_and_its_group() {
        let shown = Shown::Process { user: 7, group: 8 };
        let identity = Identity::shown(&shown).unwrap();
        assert_eq!(identity.names().collect::<Vec<_>>(), ["uid:7", "gid:8"]);
        assert_eq!(identity.expires(), None);
        assert_eq!(Identity::shown(&Shown::Nothing), None);
    }
}
