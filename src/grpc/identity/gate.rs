//! [`Gate`]: what a call may do. Whoever serves it asks here before it looks for anything, so that what
//! is forbidden cannot be told from what is not there.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Extensions;
use tokio::time::sleep;

use super::audit::{self, Opened};
use super::callers::{Callers, CredentialError, Known};
use super::config::Right;
use super::principal::{Identity, Shown};
use super::table::{Method, Need};
use crate::domain::JournalName;
use crate::grpc::status::{CallError, RequestError};

/// A clock that was set is noticed after this.
const LOOK: Duration = Duration::from_secs(10);

/// What one call may do: an extension of its request. Clones share it.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    callers: Callers,
    who: Identity,
    origin: Origin,
    /// What the method that was matched takes.
    right: Right,
    /// What the audit log is told of it: the journal, and where in it.
    journal: OnceLock<JournalName>,
    detail: OnceLock<String>,
    /// Likewise: its stream was opened, and has ended.
    is_open: AtomicBool,
    has_ended: AtomicBool,
}

/// Whence a call comes.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    /// What its connection has shown.
    pub(super) shown: Shown,
    /// The peer, or whom a trusted proxy speaks for.
    pub(super) peer: Arc<str>,
    /// The method, as the audit log writes it.
    pub(super) method: &'static str,
}

/// Completes when a call that is under way has to end, and says why.
pub(in crate::grpc) type Lease = Pin<Box<dyn Future<Output = CallError> + Send>>;

impl Gate {
    /// For a call of this method by somebody.
    pub(super) fn new(
        callers: &Callers,
        who: Identity,
        method: Option<&Method>,
        origin: Origin,
    ) -> Self {
        let right = match method.map(|method| method.need) {
            Some(Need::Right(right)) => right,
            // What no right is needed for asks for none; if it did, it would be for the largest.
            Some(Need::Nothing | Need::Credential) | None => Right::Admin,
        };
        Self::for_right(callers, who, right, origin)
    }

    /// For something that somebody needs this right for.
    pub(super) fn for_right(
        callers: &Callers,
        who: Identity,
        right: Right,
        origin: Origin,
    ) -> Self {
        Self(Arc::new(Inner {
            callers: callers.clone(),
            who,
            origin,
            right,
            journal: OnceLock::new(),
            detail: OnceLock::new(),
            is_open: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        }))
    }

    /// One that lets everything through.
    #[cfg(any(test, feature = "testing"))]
    pub(in crate::grpc) fn open() -> Self {
        let origin = Origin::default();
        Self::new(&Callers::anyone(), Identity::nobody(), None, origin)
    }

    /// That of a call.
    pub(in crate::grpc) fn of(extensions: &Extensions) -> Result<Self, CallError> {
        let gate = extensions.get::<Self>().cloned();
        gate.ok_or(CallError::Internal("it is not known who calls"))
    }

    /// Who calls; empty where that is not known.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.0.who.name
    }

    /// Whether its principal is one that the configuration names, and has a quota.
    pub(in crate::grpc) fn is_known(&self) -> bool {
        self.0.callers.are_known()
    }

    /// Whether the call may be about this journal.
    #[must_use]
    pub fn lets(&self, journal: &str) -> bool {
        self.has(self.0.right, journal)
    }

    fn has(&self, right: Right, journal: &str) -> bool {
        let known = self.0.callers.known();
        known.is_none_or(|known| known.allows(&self.0.who, right, journal))
    }

    /// Whether the call may be about every journal: then it may learn that something is not there.
    #[must_use]
    pub fn lets_all(&self) -> bool {
        let mut all = self.0.callers.journals().iter();
        all.all(|journal| self.lets(journal.as_str()))
    }

    /// Lets a call through that is about this journal, by its name in the API.
    pub(in crate::grpc) fn pass(&self, resource: &str) -> Result<(), RequestError> {
        self.pass_with(self.0.right, resource)
    }

    /// Likewise, where the call needs one more right than its method says.
    pub(in crate::grpc) fn pass_with(
        &self,
        right: Right,
        resource: &str,
    ) -> Result<(), RequestError> {
        if !self.is_known() {
            return Ok(());
        }
        let journal = JournalName::from_resource(resource);
        let allowed = journal.as_ref();
        if !allowed.is_some_and(|journal| self.has(right, journal.as_str())) {
            return Err(self.refusal(right, resource));
        }
        if let Some(journal) = journal {
            self.is_about(&journal);
        }
        Ok(())
    }

    /// Lets a call through to something that was found in this journal, or not found. A caller that may
    /// not see everything learns nothing from the difference.
    pub(in crate::grpc) fn pass_to(
        &self,
        found_in: Option<&JournalName>,
        resource: &str,
    ) -> Result<(), RequestError> {
        let passes = match found_in {
            Some(journal) => self.lets(journal.as_str()),
            None => self.lets_all(),
        };
        if !passes {
            return Err(self.refusal(self.0.right, resource));
        }
        if let Some(journal) = found_in {
            self.is_about(journal);
        }
        Ok(())
    }

    fn refusal(&self, right: Right, resource: &str) -> RequestError {
        RequestError::Forbidden {
            principal: self.principal().to_owned(),
            right: right.word(),
            resource: resource.to_owned(),
        }
    }

    /// What the audit log is told.
    pub(in crate::grpc) fn is_about(&self, journal: &JournalName) {
        self.0.journal.get_or_init(|| journal.clone());
    }

    /// Likewise: where in it, or which part of it.
    pub(in crate::grpc) fn has_detail(&self, detail: impl FnOnce() -> String) {
        self.0.detail.get_or_init(detail);
    }

    pub(super) fn told(&self) -> (Option<&JournalName>, &str) {
        let detail = self.0.detail.get().map_or("", String::as_str);
        (self.0.journal.get(), detail)
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// The stream of the call is open. The audit log is told so now, and how it ended when what this
    /// gives is dropped.
    pub(in crate::grpc) fn open_stream(&self) -> Opened {
        self.0.is_open.store(true, Ordering::Relaxed);
        Opened::new(self.clone())
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.is_open.load(Ordering::Relaxed)
    }

    /// Whether the end of its stream is still to be told, which it then is.
    pub(super) fn tells_end(&self) -> bool {
        !self.0.has_ended.swap(true, Ordering::Relaxed)
    }

    /// Takes one message of what its principal may send in a minute.
    pub(in crate::grpc) fn sends(&self) -> Result<(), RequestError> {
        let spent = self.0.callers.sends(&self.0.who);
        spent.map_err(|spent| RequestError::SendQuota {
            principal: self.principal().to_owned(),
            limit: spent.per_minute,
            retry_delay: spent.retry_delay,
        })
    }

    /// Ends with the credential of a stream, and with its permission. `None` where neither can end.
    pub(in crate::grpc) fn lease(&self) -> Option<Lease> {
        let mut known = self.0.callers.watch()?;
        let gate = self.clone();
        Some(Box::pin(async move {
            loop {
                let now = known.borrow_and_update().clone();
                if let Some(end) = gate.end(&now) {
                    audit::ended(&gate, end.reason());
                    return end;
                }
                tokio::select! {
                    changed = known.changed() => if changed.is_err() {
                        std::future::pending::<()>().await;
                    },
                    () = gate.0.origin.shown.disowned() => {}
                    () = sleep(gate.look()) => {}
                }
            }
        }))
    }

    /// What is opened here is about this journal, and ends with the permission to read it.
    pub fn opens(&self, journal: &JournalName) {
        self.is_about(journal);
    }

    /// Completes when what was opened here has to end.
    pub async fn ended(&self) {
        match self.lease() {
            Some(lease) => drop(lease.await),
            None => std::future::pending().await,
        }
    }

    /// How long nothing ends by itself.
    fn look(&self) -> Duration {
        let left = self.0.who.expires();
        left.map_or(LOOK, |end| {
            end.since(self.0.callers.clock().wall()).min(LOOK)
        })
    }

    /// Why a stream may not go on.
    fn end(&self, known: &Known) -> Option<CallError> {
        let who = &self.0.who;
        if self.0.origin.shown.is_disowned() {
            return Some(CredentialError::Disowned.into());
        }
        let over = who
            .expires()
            .is_some_and(|end| end <= self.0.callers.clock().wall());
        if over {
            return Some(CredentialError::Expired.into());
        }
        if !known.stands_by(who) {
            return Some(CredentialError::Unknown.into());
        }
        let right = self.0.right;
        match self.0.journal.get() {
            Some(journal) if known.allows(who, right, journal.as_str()) => None,
            Some(journal) => Some(self.refusal(right, &journal.resource()).into()),
            None if known.knows(who) => None,
            None => Some(self.refusal(right, "").into()),
        }
    }
}
