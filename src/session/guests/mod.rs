//! [`Guests`]: sessions that are opened while the sidecar runs, each for one guest, and what is asked
//! of them. They are kept in the journal of their template and go on after a restart.

mod life;
mod problem;
mod renewal;
mod runner;
mod stored;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

pub use self::problem::{CloseProblem, CreateProblem};
pub use self::renewal::{Renewal, Renewals};
pub use self::runner::{GuestsParts, GuestsRunner, TemplateParts};
pub use self::stored::is_record_of;
use super::outbound::{
    self, Accepted, CancelLetter, CancelProblem, Letter, Mail, NewMessage, SendLetter, SendProblem,
    Stage,
};
use crate::domain::{JournalName, SessionName, TemplateName};
use crate::journal::Journal;
use crate::proto::v1;
use crate::runtime::{Drain, Rng};
use crate::session::{SessionStats, StateError};

/// The shortest delay after which something is asked for again.
const SOON: Duration = Duration::from_secs(1);
/// Guests that may be asked for at once, before the first of them is answered.
const MOST_ASKED: usize = 1_024;

/// The guests' sessions. Clones share them.
#[derive(Debug, Clone)]
pub struct Guests {
    shared: Arc<Shared>,
    asks: mpsc::Sender<Ask>,
}

/// What the handle and the runner share.
struct Shared {
    /// Those that new sessions may be made of, and where these write to.
    templates: Mutex<BTreeMap<TemplateName, JournalName>>,
    known: Mutex<BTreeMap<SessionName, Known>>,
    /// Where all sessions of a template count.
    stats: Mutex<BTreeMap<TemplateName, Arc<SessionStats>>>,
    rng: Rng,
    /// Nothing new is taken once this has begun.
    announce: Drain,
}

/// A session that `CreateSession` opened.
#[derive(Debug, Clone)]
struct Known {
    journal: Arc<dyn Journal>,
    /// `None` once it is over.
    mail: Option<Arc<Mail>>,
}

/// What the runner is asked.
#[derive(Debug)]
enum Ask {
    Create {
        template: TemplateName,
        name: SessionName,
        attributes: BTreeMap<String, String>,
        answer: oneshot::Sender<Result<v1::Session, CreateProblem>>,
    },
    Close {
        name: SessionName,
        answer: oneshot::Sender<Result<(), CloseProblem>>,
    },
}

impl Guests {
    /// Of a configuration without templates.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        let (_, announce) = crate::runtime::drain();
        let shared = Shared {
            templates: Mutex::default(),
            known: Mutex::default(),
            stats: Mutex::default(),
            rng: Rng::from_seed(1),
            announce,
        };
        Self {
            shared: Arc::new(shared),
            asks: mpsc::channel(1).0,
        }
    }

    /// What the sessions of each template have counted since the first of them.
    #[must_use]
    pub fn stats(&self) -> Vec<(TemplateName, Arc<SessionStats>)> {
        let stats = self.shared.stats.lock();
        let each = stats.iter();
        each.map(|(name, stats)| (name.clone(), Arc::clone(stats)))
            .collect()
    }

    /// The journal that sessions of a template write to; `None` where there is no such template.
    #[must_use]
    pub fn journal_of_template(&self, template: &TemplateName) -> Option<JournalName> {
        self.shared.templates.lock().get(template).cloned()
    }

    /// The journal of a session that was opened, also once it is over.
    #[must_use]
    pub fn journal_of(&self, session: &SessionName) -> Option<JournalName> {
        let known = self.shared.known(session)?;
        Some(known.journal.info().name)
    }

    /// Opens a session; one that stands already under this name is returned as it is.
    ///
    /// # Errors
    /// [`CreateProblem`].
    pub async fn create(
        &self,
        template: TemplateName,
        name: SessionName,
        attributes: BTreeMap<String, String>,
    ) -> Result<v1::Session, CreateProblem> {
        let draining = || CreateProblem::Draining {
            retry_after: self.shared.soon(),
        };
        if !self.shared.templates.lock().contains_key(&template) {
            return Err(CreateProblem::NoTemplate);
        }
        if self.shared.announce.is_draining() {
            return Err(draining());
        }
        let (answer, answered) = oneshot::channel();
        let ask = Ask::Create {
            template,
            name,
            attributes,
            answer,
        };
        self.asks.send(ask).await.map_err(|_| draining())?;
        answered.await.unwrap_or_else(|_| Err(draining()))
    }

    /// Closes a session for good; completes when it has ended.
    ///
    /// # Errors
    /// [`CloseProblem`].
    pub async fn close(&self, name: SessionName) -> Result<(), CloseProblem> {
        let draining = || CloseProblem::Unavailable {
            retry_after: self.shared.soon(),
        };
        if self.shared.known(&name).is_none() {
            return Err(CloseProblem::NotFound);
        }
        let (answer, answered) = oneshot::channel();
        let ask = Ask::Close { name, answer };
        self.asks.send(ask).await.map_err(|_| draining())?;
        answered.await.unwrap_or_else(|_| Err(draining()))
    }

    /// Has a message sent; answers at the stage that is asked for. `None` where no such session
    /// was opened.
    ///
    /// # Errors
    /// [`SendProblem`].
    pub async fn send(
        &self,
        session: &SessionName,
        message: NewMessage,
        wait_for: Stage,
    ) -> Option<Result<Accepted, SendProblem>> {
        let known = self.shared.known(session)?;
        let Some(mail) = known.mail else {
            // What was taken while it stood is still known.
            return Some(
                match outbound::read(&*known.journal, session, &message.id) {
                    Ok(Some(before)) if outbound::is_same(&before, &message) => Ok(before),
                    Ok(Some(_)) => Err(SendProblem::ExistsOtherwise),
                    Ok(None) | Err(_) => Err(SendProblem::SessionExpired),
                },
            );
        };
        let draining = || SendProblem::Draining {
            retry_after: self.shared.soon(),
        };
        if self.shared.announce.is_draining() {
            return Some(Err(draining()));
        }
        let (answer, answered) = oneshot::channel();
        let letter = SendLetter {
            message,
            wait_for,
            answer,
        };
        if mail.post(Letter::Send(letter)).is_err() {
            let waiting = mail.waiting();
            return Some(Err(SendProblem::TooMany { waiting }));
        }
        Some(answered.await.unwrap_or_else(|_| Err(draining())))
    }

    /// Cancels a message that is still ACCEPTED. `None` where no such session was opened.
    ///
    /// # Errors
    /// [`CancelProblem`].
    pub async fn cancel(
        &self,
        session: &SessionName,
        id: &str,
    ) -> Option<Result<v1::OutboundMessage, CancelProblem>> {
        let known = self.shared.known(session)?;
        let unavailable = || CancelProblem::Unavailable {
            retry_after: self.shared.soon(),
        };
        let Some(mail) = known.mail else {
            return Some(Err(match outbound::read(&*known.journal, session, id) {
                Ok(Some(stored)) => CancelProblem::TooLate(Box::new(stored.message)),
                Ok(None) | Err(_) => CancelProblem::NotFound,
            }));
        };
        let (answer, answered) = oneshot::channel();
        let id = id.to_owned();
        if mail
            .post(Letter::Cancel(CancelLetter { id, answer }))
            .is_err()
        {
            return Some(Err(unavailable()));
        }
        Some(answered.await.unwrap_or_else(|_| Err(unavailable())))
    }

    /// A message as it stands in the journal. `None` where there is no such message.
    ///
    /// # Errors
    /// [`StateError`] where it cannot be read.
    pub fn message(&self, session: &SessionName, id: &str) -> Option<Result<Accepted, StateError>> {
        let known = self.shared.known(session)?;
        outbound::read(&*known.journal, session, id).transpose()
    }

    /// Every message of a session that is still known, in the order in which they were accepted. `None` where no such session was
    /// opened.
    ///
    /// # Errors
    /// [`StateError`] where one cannot be read.
    pub fn messages(&self, session: &SessionName) -> Option<Result<Vec<Accepted>, StateError>> {
        let known = self.shared.known(session)?;
        Some(outbound::list(&*known.journal, session))
    }
}

impl Shared {
    fn stats_of(&self, template: &TemplateName) -> Arc<SessionStats> {
        let mut stats = self.stats.lock();
        Arc::clone(stats.entry(template.clone()).or_default())
    }

    fn known(&self, session: &SessionName) -> Option<Known> {
        self.known.lock().get(session).cloned()
    }

    /// A delay with jitter, for those who are to come again.
    fn soon(&self) -> Duration {
        SOON.mul_f64(1.0 + 2.0 * self.rng.unit())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("known", &self.known.lock().len())
            .finish_non_exhaustive()
    }
}
