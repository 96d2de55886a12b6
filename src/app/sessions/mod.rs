//! Makes sessions from the configuration: client, token source, supervisor. Begins and ends single
//! ones while the others run.

mod clients;
mod desk;
mod made;

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use self::clients::Clients;
pub(super) use self::desk::Desk;
use self::made::Made;
#[cfg(test)]
use self::made::credential;
pub(super) use self::made::{Keeper, TokensMade, client, journal_of, reach, start_tokens};
use super::{Host, Tasks};
use crate::auth::{InvalidAuth, Sealer, SealingKeyError};
use crate::config::Config;
use crate::connectors::SettingsError;
use crate::domain::SessionName;
use crate::journal::FileJournal;
use crate::net::{Audited, Budgeted, ClientError, InvalidProxy, Refused, Traced};
use crate::runtime::{Clock, Drain, Rng, TaskKind};
use crate::session::{SessionBoard, SessionStats, StatsSnapshot, Supervisor, SupervisorParts};

/// What sessions are made with.
#[derive(Debug)]
pub(super) struct Ground<H> {
    pub(super) host: Arc<H>,
    pub(super) journals: Vec<FileJournal>,
    pub(super) board: SessionBoard,
    pub(super) sealer: Option<Arc<Sealer>>,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    /// They end with it.
    pub(super) drain: Drain,
}

impl<H> Clone for Ground<H> {
    fn clone(&self) -> Self {
        Self {
            host: Arc::clone(&self.host),
            journals: self.journals.clone(),
            board: self.board.clone(),
            sealer: self.sealer.clone(),
            clock: self.clock.clone(),
            rng: self.rng.clone(),
            drain: self.drain.clone(),
        }
    }
}

/// The way out of a session.
pub(super) type Way<H> = Budgeted<Observed<H>>;

/// The same before its requests are counted.
pub(super) type Observed<H> = Traced<Audited<<H as Host>::Http>>;

/// Why a session cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("session '{session}'")]
pub struct SessionError {
    session: SessionName,
    source: Problem,
}

impl SessionError {
    fn of(session: &SessionName, source: impl Into<Problem>) -> Self {
        Self {
            session: session.clone(),
            source: source.into(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Auth(#[from] InvalidAuth),
    #[error("address refused")]
    Address(#[from] Refused),
    #[error("connections")]
    Client(#[from] ClientError),
    #[error("proxy")]
    Proxy(#[from] InvalidProxy),
    #[error("there is no journal '{0}'")]
    Journal(String),
    #[error("a guest's session has this name")]
    NameTaken,
}

/// `state_key_file` holds no key.
#[derive(Debug, thiserror::Error)]
#[error("state_key_file {}", path.display())]
pub struct KeyError {
    path: PathBuf,
    source: SealingKeyError,
}

/// The counters of every session, in the order in which they began. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Stats(Arc<Mutex<Vec<Counted>>>);

type Counted = (SessionName, Arc<SessionStats>);

impl Stats {
    /// What each has counted so far.
    pub(super) fn snapshot(&self) -> Vec<(SessionName, StatsSnapshot)> {
        let stats = self.0.lock();
        let each = stats
            .iter()
            .map(|(name, stats)| (name.clone(), stats.snapshot()));
        each.collect()
    }

    /// A session counts anew.
    fn put(&self, name: &SessionName, counted: Arc<SessionStats>) {
        let mut stats = self.0.lock();
        match stats.iter_mut().find(|(known, _)| known == name) {
            Some((_, stats)) => *stats = counted,
            None => stats.push((name.clone(), counted)),
        }
    }

    fn remove(&self, name: &SessionName) {
        self.0.lock().retain(|(known, _)| known != name);
    }
}

/// Starts every session of the configuration.
pub(super) fn start<H: Host>(
    config: &Config,
    ground: &Ground<H>,
    tasks: &mut Tasks,
) -> Result<Desk<H>, super::StartError> {
    let made = config.sessions.iter().map(|session| {
        made::make(session, ground).map_err(|problem| SessionError::of(&session.name, problem))
    });
    let made = made.collect::<Result<Vec<_>, _>>()?;
    let mut clients = Clients::default();
    clients.renew(made.iter().map(Made::client), &ground.clock);
    let mut keepers = Vec::with_capacity(made.len());
    let mut sessions = Vec::with_capacity(made.len());
    for made in made {
        let name = made.name().clone();
        let Some(shared) = clients.of(made.client().0) else {
            continue;
        };
        let (parts, keeper) = made.launch(shared, 0, ground, &mut tasks.ingest);
        sessions.push(parts);
        keepers.push((name, keeper));
    }
    let supervisor = Supervisor::new(SupervisorParts {
        sessions,
        board: ground.board.clone(),
        clock: ground.clock.clone(),
        rng: ground.rng.fork("sessions"),
        tracer: ground.host.tracer(),
    })?;
    let desk = Desk::new(ground.clone(), clients, keepers, supervisor.handle());
    for (name, stats) in supervisor.stats() {
        desk.stats().put(&name, stats);
    }
    let drain = ground.drain.clone();
    tasks.ingest.spawn(TaskKind::Critical, "sessions", async {
        supervisor.run(drain).await;
        Ok(())
    });
    Ok(desk)
}

/// What seals credentials, where the configuration names a key.
pub(super) fn sealer(config: &Config) -> Result<Option<Arc<Sealer>>, KeyError> {
    let Some(path) = &config.state_key_file else {
        return Ok(None);
    };
    let sealer = Sealer::from_file(path).map_err(|source| KeyError {
        path: path.clone(),
        source,
    })?;
    Ok(Some(Arc::new(sealer)))
}
