//! Makes sessions from the configuration: client, token source, supervisor.

use std::path::PathBuf;
use std::sync::Arc;

use super::Tasks;
use super::state_store::JournalState;
use crate::auth::{
    CredentialSettings, InvalidAuth, Refresher, Sealer, SealingKeyError, StateVault,
};
use crate::auth::{TokenSource, Tokens};
use crate::config::Config;
use crate::connectors::{self, SettingsError};
use crate::domain::SessionName;
use crate::journal::{FileJournal, Journal};
use crate::net::{Client, Refused, TlsConfigError, UrlPolicy};
use crate::runtime::{Clock, Drain, Rng, TaskKind};
use crate::session::{
    SessionBoard, SessionConfig, SessionParts, SessionStats, Supervisor, SupervisorParts,
};

/// What sessions are made with.
pub(super) struct Parts<'a> {
    pub(super) journals: &'a [FileJournal],
    pub(super) board: &'a SessionBoard,
    pub(super) clock: &'a Clock,
    pub(super) rng: &'a Rng,
}

/// Why a session cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("session '{session}'")]
pub struct SessionError {
    session: SessionName,
    source: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Auth(#[from] InvalidAuth),
    #[error("address refused")]
    Address(#[from] Refused),
    #[error("tls")]
    Tls(#[from] TlsConfigError),
    #[error("state_key_file {}", path.display())]
    Key {
        path: PathBuf,
        source: SealingKeyError,
    },
    #[error("there is no journal '{0}'")]
    Journal(String),
}

/// The counters of every session, by name.
pub(super) type Stats = Vec<(SessionName, Arc<SessionStats>)>;

/// Starts every session of the configuration.
pub(super) fn start(
    config: &Config,
    parts: &Parts<'_>,
    drain: &Drain,
    tasks: &mut Tasks,
) -> Result<Stats, super::StartError> {
    let mut sessions = Vec::with_capacity(config.sessions.len());
    for session in &config.sessions {
        let made = session_parts(config, session, parts, drain, tasks);
        sessions.push(made.map_err(|source| SessionError {
            session: session.name.clone(),
            source,
        })?);
    }
    let supervisor = Supervisor::new(SupervisorParts {
        sessions,
        board: parts.board.clone(),
        clock: parts.clock.clone(),
        rng: parts.rng.fork("sessions"),
    })?;
    let stats = supervisor.stats();
    let drain = drain.clone();
    tasks.ingest.spawn(TaskKind::Critical, "sessions", async {
        supervisor.run(drain).await;
        Ok(())
    });
    Ok(stats)
}

fn session_parts(
    config: &Config,
    session: &SessionConfig,
    parts: &Parts<'_>,
    drain: &Drain,
    tasks: &mut Tasks,
) -> Result<SessionParts<Client>, Problem> {
    let journal = journal_of(session, parts.journals)?;
    let tokens = start_tokens(config, session, &journal, parts, drain, tasks)?;
    let mut allowed = connectors::platform_domains(&session.platform)?;
    allowed.extend(session.allowed_domains.iter().cloned());
    let policy = UrlPolicy::new(&session.endpoint, &allowed, session.allow_plaintext)?;
    Ok(SessionParts {
        config: session.clone(),
        http: Arc::new(Client::new(policy, &session.tls)?),
        tokens: Arc::new(tokens) as Arc<dyn TokenSource>,
        journal,
    })
}

fn start_tokens(
    config: &Config,
    session: &SessionConfig,
    journal: &Arc<dyn Journal>,
    parts: &Parts<'_>,
    drain: &Drain,
    tasks: &mut Tasks,
) -> Result<Tokens, Problem> {
    let defaults = connectors::token_defaults(&session.platform, &session.endpoint)?;
    let settings = CredentialSettings::new(
        session.name.as_str(),
        &session.auth,
        &defaults.url,
        defaults.placement,
        defaults
            .refresh_before
            .unwrap_or(session.timing.token_refresh_before.0),
    )?;
    let policy = UrlPolicy::new(
        settings.token_url(),
        &session.allowed_domains,
        session.allow_plaintext,
    )?;
    let client = Client::new(policy, &session.tls)?;
    let sealer = match &config.state_key_file {
        None => None,
        Some(path) => Some(Sealer::from_file(path).map_err(|source| Problem::Key {
            path: path.clone(),
            source,
        })?),
    };
    let vault = StateVault::new(JournalState(Arc::clone(journal)), sealer);
    let label = format!("tokens of {}", session.name.resource());
    let rng = parts.rng.fork(&label);
    let (tokens, refresher) =
        Refresher::new(settings, client, Arc::new(vault), parts.clock.clone(), rng);
    let drain = drain.clone();
    tasks.ingest.spawn(TaskKind::Critical, label, async {
        refresher.run(drain).await;
        Ok(())
    });
    Ok(tokens)
}

fn journal_of(
    session: &SessionConfig,
    journals: &[FileJournal],
) -> Result<Arc<dyn Journal>, Problem> {
    let named = |journal: &&FileJournal| match &session.journal {
        Some(name) => journal.info().name == *name,
        None => journals.len() == 1,
    };
    let missing = || {
        let name = session.journal.as_ref().map(ToString::to_string);
        Problem::Journal(name.unwrap_or_default())
    };
    let found = journals.iter().find(named).cloned();
    found
        .map(|journal| Arc::new(journal) as Arc<dyn Journal>)
        .ok_or_else(missing)
}
