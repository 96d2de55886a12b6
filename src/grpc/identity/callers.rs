//! [`Callers`]: who may call, from files and settings that may change while calls are under way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use tokio::sync::watch;

use super::audit::Denials;
use super::config::{ListenAuthConfig, PermissionConfig, Right};
use super::files::{FileError, Holds, read};
use super::jwt::{Keyring, Terms, Untrusted};
use super::permissions::Permissions;
use super::principal::{Identity, Proof, Shown};
use super::quota::{SendQuota, Spent};
use super::tokens::Tokens;
use crate::domain::{JournalName, WallTime};
use crate::runtime::{Clock, MonoTime};

const TOKENS: &str = "listen.auth.tokens_file";
const KEYS: &str = "listen.auth.jwks_file";
const BEARER: &str = "bearer ";

/// Who may call. Clones share it.
#[derive(Debug, Clone)]
pub struct Callers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// None where everybody may do everything.
    known: Option<watch::Sender<Arc<Known>>>,
    files: Files,
    journals: Vec<JournalName>,
    clock: Clock,
    denials: Denials,
    sends: SendQuota,
}

#[derive(Debug, Default)]
struct Files {
    tokens: Option<PathBuf>,
    keys: Option<(PathBuf, Terms)>,
}

/// What is known of callers at one time.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    tokens: Arc<Tokens>,
    keys: Option<Arc<Keyring>>,
    permissions: Arc<Permissions>,
}

/// Why it is not known who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::grpc) enum CredentialError {
    /// Nothing was shown.
    #[error("credentials are required: a bearer token, or a client certificate with a name")]
    Missing,
    /// Something else than a bearer token.
    #[error("the authorization is not a bearer token")]
    NotBearer,
    /// It is no token of the file: it never was one, or was taken out.
    #[error("the token is not, or no longer, one that is known")]
    Unknown,
    /// A signed token that cannot be believed.
    #[error("the token cannot be used: {0}")]
    Untrusted(Untrusted),
    /// It was good, and its time is over.
    #[error("the credentials have expired")]
    Expired,
    /// It was good, and whoever vouched for it is not trusted any more.
    #[error("the authority of the certificate is not trusted any more")]
    Disowned,
}

impl Callers {
    /// Everybody may do everything: nothing but this machine reaches the listeners, or somebody wants
    /// it so.
    #[must_use]
    pub fn anyone() -> Self {
        Self(Arc::new(Inner {
            known: None,
            files: Files::default(),
            journals: Vec::new(),
            clock: Clock::system(),
            denials: Denials::default(),
            sends: SendQuota::default(),
        }))
    }

    /// Whoever the files and settings name.
    ///
    /// # Errors
    /// [`FileError`], which names the file.
    pub fn load(
        config: &ListenAuthConfig,
        journals: Vec<JournalName>,
        clock: Clock,
    ) -> Result<Self, FileError> {
        let files = Files::of(config);
        let known = Known {
            tokens: Arc::new(files.tokens()?),
            keys: files.keys()?.map(Arc::new),
            permissions: Arc::new(Permissions::new(&config.permissions)),
        };
        Ok(Self(Arc::new(Inner {
            known: Some(watch::Sender::new(Arc::new(known))),
            files,
            journals,
            clock,
            denials: Denials::default(),
            sends: SendQuota::default(),
        })))
    }

    /// Whether callers are known at all.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.0.known.is_some()
    }

    /// The file of tokens.
    #[must_use]
    pub fn tokens_file(&self) -> Option<&Path> {
        self.0.files.tokens.as_deref()
    }

    /// The file of keys.
    #[must_use]
    pub fn keys_file(&self) -> Option<&Path> {
        let keys = self.0.files.keys.as_ref();
        keys.map(|(path, _)| path.as_path())
    }

    /// Reads the file of tokens again. Where it is of no use, what counted before still does.
    ///
    /// # Errors
    /// [`FileError`], which names the file.
    pub fn read_tokens_again(&self) -> Result<(), FileError> {
        let tokens = Arc::new(self.0.files.tokens()?);
        self.change(|known| known.tokens = tokens);
        Ok(())
    }

    /// Reads the file of keys again, likewise.
    ///
    /// # Errors
    /// [`FileError`], which names the file.
    pub fn read_keys_again(&self) -> Result<(), FileError> {
        let keys = self.0.files.keys()?.map(Arc::new);
        self.change(|known| known.keys = keys);
        Ok(())
    }

    /// From now on this is allowed; streams that are not any more end.
    pub fn permit(&self, permissions: &[PermissionConfig]) {
        let permissions = Arc::new(Permissions::new(permissions));
        self.change(|known| known.permissions = permissions);
    }

    /// From now on each principal may send so many messages in a minute.
    pub fn limit_sends(&self, per_minute: u32) {
        self.0.sends.set(per_minute);
    }

    /// Somebody sends a message; whoever is not known has no quota.
    pub(super) fn sends(&self, who: &Identity) -> Result<(), Spent> {
        match self.are_known() {
            true => self.0.sends.take(&who.name, MonoTime::now()),
            false => Ok(()),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        if let Some(known) = &self.0.known {
            known.send_modify(|known| {
                let mut next = known.as_ref().clone();
                change(&mut next);
                *known = Arc::new(next);
            });
        }
    }

    /// Who makes a call with these headers, over a connection that shows this.
    pub(super) fn identify(
        &self,
        headers: &HeaderMap,
        shown: &Shown,
    ) -> Result<Identity, CredentialError> {
        let Some(known) = self.known() else {
            return Ok(Identity::shown(shown).unwrap_or_else(Identity::nobody));
        };
        // Whoever could not connect any more has no call either, whatever it brings.
        if shown.is_disowned() {
            return Err(CredentialError::Disowned);
        }
        let now = self.0.clock.wall();
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let identity = match (authorizations.next(), authorizations.next()) {
            // A token says more than the connection that it came over.
            (Some(authorization), None) => known.bearer(authorization, now)?,
            (Some(_), Some(_)) => return Err(CredentialError::NotBearer),
            (None, _) => Identity::shown(shown).ok_or(CredentialError::Missing)?,
        };
        match identity.expires() {
            Some(end) if end <= now => Err(CredentialError::Expired),
            _ => Ok(identity),
        }
    }

    pub(super) fn known(&self) -> Option<Arc<Known>> {
        self.0.known.as_ref().map(|known| known.borrow().clone())
    }

    pub(super) fn watch(&self) -> Option<watch::Receiver<Arc<Known>>> {
        self.0.known.as_ref().map(watch::Sender::subscribe)
    }

    pub(super) fn journals(&self) -> &[JournalName] {
        &self.0.journals
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn denials(&self) -> &Denials {
        &self.0.denials
    }
}

impl Known {
    fn bearer(&self, given: &HeaderValue, now: WallTime) -> Result<Identity, CredentialError> {
        let text = given.to_str().map_err(|_| CredentialError::NotBearer)?;
        let scheme = text.get(..BEARER.len());
        if !scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(BEARER)) {
            return Err(CredentialError::NotBearer);
        }
        let token = text.get(BEARER.len()..).unwrap_or_default().trim();
        if let Some((hash, name)) = self.tokens.find(token) {
            return Ok(Identity {
                name,
                group: None,
                proof: Proof::Token(hash),
            });
        }
        let is_signed = token.bytes().filter(|byte| *byte == b'.').count() == 2;
        let Some(keys) = self.keys.as_ref().filter(|_| is_signed) else {
            return Err(CredentialError::Unknown);
        };
        let signed = keys.verify(token, now).map_err(CredentialError::of)?;
        Ok(Identity {
            name: signed.name,
            group: None,
            proof: Proof::Signed {
                key: signed.key,
                expires: signed.expires,
            },
        })
    }

    /// Whether a credential that was good still is.
    pub(super) fn stands_by(&self, who: &Identity) -> bool {
        match &who.proof {
            Proof::Token(hash) => self.tokens.holds(hash, &who.name),
            Proof::Signed { key, .. } => self.keys.as_ref().is_some_and(|keys| keys.holds(key)),
            // Whether it is still trusted is told apart from what the files of tokens and keys hold.
            Proof::Certificate { .. } | Proof::Process | Proof::Nothing => true,
        }
    }

    pub(super) fn allows(&self, who: &Identity, right: Right, journal: &str) -> bool {
        self.permissions.allow(who, right, journal)
    }

    /// Whether somebody is allowed anything at all.
    pub(super) fn knows(&self, who: &Identity) -> bool {
        self.permissions.know(who)
    }
}

impl CredentialError {
    fn of(why: Untrusted) -> Self {
        match why {
            Untrusted::Expired => Self::Expired,
            why => Self::Untrusted(why),
        }
    }

    /// A word for it.
    pub(in crate::grpc) const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotBearer => "not_bearer",
            Self::Unknown => "unknown",
            Self::Untrusted(_) => "untrusted",
            Self::Expired => "expired",
            Self::Disowned => "disowned",
        }
    }
}

impl Files {
    fn of(config: &ListenAuthConfig) -> Self {
        let terms = Terms {
            issuer: config.issuer.clone().unwrap_or_default(),
            audience: config.audience.clone().unwrap_or_default(),
            leeway: config.leeway.0,
        };
        Self {
            tokens: config.tokens_file.clone(),
            keys: config.jwks_file.clone().map(|path| (path, terms)),
        }
    }

    fn tokens(&self) -> Result<Tokens, FileError> {
        let Some(path) = &self.tokens else {
            return Ok(Tokens::default());
        };
        let bytes = read(TOKENS, path, Holds::Secrets)?;
        let text = std::str::from_utf8(&bytes);
        let text = text.map_err(|_| FileError::content(TOKENS, path, "is not UTF-8"))?;
        Tokens::parse(text).map_err(|wrong| FileError::content(TOKENS, path, wrong.to_string()))
    }

    fn keys(&self) -> Result<Option<Keyring>, FileError> {
        let Some((path, terms)) = &self.keys else {
            return Ok(None);
        };
        let bytes = read(KEYS, path, Holds::Public)?;
        let keys = Keyring::parse(&bytes, terms.clone());
        keys.map(Some)
            .map_err(|wrong| FileError::content(KEYS, path, wrong))
    }
}
