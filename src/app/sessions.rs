//! Makes sessions from the configuration: client, token source, supervisor.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::state_store::JournalState;
use super::{Host, Tasks};
use crate::auth::{
    CredentialSettings, InvalidAuth, Refresher, Sealer, SealingKeyError, StateVault,
};
use crate::auth::{TokenSource, Tokens};
use crate::config::Config;
use crate::connectors::{self, Settings, SettingsError};
use crate::domain::SessionName;
use crate::journal::{FileJournal, Journal};
use crate::net::{
    Audited, Budgeted, ClientError, InvalidProxy, ProxyConfig, ProxyRoutes, RateGate, Refused,
    Traced, UrlPolicy,
};
use crate::runtime::{Clock, Drain, Rng, TaskKind};
use crate::session::{
    HealthDesk, SessionBoard, SessionConfig, SessionParts, SessionStats, Supervisor,
    SupervisorParts,
};
use crate::telemetry::traces::Tracer;

/// What sessions are made with.
pub(super) struct Parts<'a, H> {
    pub(super) host: &'a H,
    pub(super) journals: &'a [FileJournal],
    pub(super) board: &'a SessionBoard,
    pub(super) clock: &'a Clock,
    pub(super) rng: &'a Rng,
    pub(super) tracer: Tracer,
}

/// Why a session cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("session '{session}'")]
pub struct SessionError {
    session: SessionName,
    source: Problem,
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
pub(super) fn start<H: Host>(
    config: &Config,
    parts: &Parts<'_, H>,
    drain: &Drain,
    tasks: &mut Tasks,
) -> Result<Stats, super::StartError> {
    let mut sessions = Vec::with_capacity(config.sessions.len());
    for (session, credential) in config
        .sessions
        .iter()
        .zip(credentials(config, parts.clock)?)
    {
        let made = session_parts(session, credential, parts, drain, tasks);
        sessions.push(made.map_err(|source| failed(session, source))?);
    }
    let supervisor = Supervisor::new(SupervisorParts {
        sessions,
        board: parts.board.clone(),
        clock: parts.clock.clone(),
        rng: parts.rng.fork("sessions"),
        tracer: parts.tracer.clone(),
    })?;
    let stats = supervisor.stats();
    let drain = drain.clone();
    tasks.ingest.spawn(TaskKind::Critical, "sessions", async {
        supervisor.run(drain).await;
        Ok(())
    });
    Ok(stats)
}

fn failed(session: &SessionConfig, source: Problem) -> SessionError {
    SessionError {
        session: session.name.clone(),
        source,
    }
}

/// A session's credential, with what it shares.
pub(super) struct Credential {
    pub(super) settings: CredentialSettings,
    /// Shared by all sessions of one client, for platforms count by client (U40).
    pub(super) gate: Arc<RateGate>,
    /// Likewise (U27).
    pub(super) health: HealthDesk,
    pub(super) sealer: Option<Arc<Sealer>>,
}

/// The credential of each session, in their order.
fn credentials(config: &Config, clock: &Clock) -> Result<Vec<Credential>, SessionError> {
    let Some(first) = config.sessions.first() else {
        return Ok(Vec::new());
    };
    let sealer = sealer(config).map_err(|source| failed(first, source))?;
    let each = config.sessions.iter().map(|session| {
        let settings =
            credential(session, session.name.as_str()).map_err(|source| failed(session, source))?;
        Ok((session.rate_limit.per_minute, settings))
    });
    let all = each.collect::<Result<Vec<_>, SessionError>>()?;
    // Of the rates that sessions of one client name, the lowest counts.
    let mut rates = HashMap::new();
    for (per_minute, settings) in &all {
        let rate = rates.entry(settings.client()).or_insert(*per_minute);
        *rate = (*rate).min(*per_minute);
    }
    let share = |(client, per_minute)| {
        let gate = RateGate::new(per_minute, clock.clone());
        (client, (Arc::new(gate), HealthDesk::default()))
    };
    let shared: HashMap<_, _> = rates.into_iter().map(share).collect();
    let each = all.iter().filter_map(|(_, settings)| {
        let (gate, health) = shared.get(&settings.client())?.clone();
        Some(Credential {
            gate,
            health,
            settings: settings.clone(),
            sealer: sealer.clone(),
        })
    });
    Ok(each.collect())
}

pub(super) fn sealer(config: &Config) -> Result<Option<Arc<Sealer>>, Problem> {
    let Some(path) = &config.state_key_file else {
        return Ok(None);
    };
    let sealer = Sealer::from_file(path).map_err(|source| Problem::Key {
        path: path.clone(),
        source,
    })?;
    Ok(Some(Arc::new(sealer)))
}

/// `owner` names it where tokens are kept.
pub(super) fn credential(
    session: &SessionConfig,
    owner: &str,
) -> Result<CredentialSettings, Problem> {
    let defaults = connectors::token_defaults(&session.settings())?;
    let refresh_before = defaults.refresh_before;
    Ok(CredentialSettings::new(
        owner,
        &session.auth,
        &defaults.url,
        defaults.placement,
        refresh_before.unwrap_or(session.timing.token_refresh_before.0),
    )?
    .watching(session.proxy.as_ref().and_then(ProxyConfig::password)))
}

fn session_parts<H: Host>(
    session: &SessionConfig,
    credential: Credential,
    parts: &Parts<'_, H>,
    drain: &Drain,
    tasks: &mut Tasks,
) -> Result<SessionParts<Way<H>>, Problem> {
    let journal = journal_of(session, parts.journals)?;
    let client = client(session, reach(session)?, parts)?;
    let client = Budgeted::new(client, Arc::clone(&credential.gate));
    let sealer = credential.sealer.clone();
    let health = credential.health.clone();
    let owner = session.name.resource();
    let tokens = start_tokens(session, &owner, credential, &journal, parts, drain, tasks)?;
    Ok(SessionParts {
        config: session.clone(),
        http: Arc::new(client),
        tokens: Arc::new(tokens) as Arc<dyn TokenSource>,
        journal,
        health,
        sealer,
        outbound: None,
    })
}

/// Where a session may connect to.
pub(super) fn reach(session: &SessionConfig) -> Result<UrlPolicy, Problem> {
    let mut allowed = connectors::platform_domains(&session.settings())?;
    allowed.extend(session.allowed_domains.iter().cloned());
    for endpoint in &session.alternative_endpoints {
        let there = Settings {
            endpoint: endpoint.clone(),
            ..session.settings()
        };
        allowed.extend(connectors::platform_domains(&there)?);
        allowed.extend(place_of(endpoint));
    }
    Ok(UrlPolicy::new(
        &session.endpoint,
        &allowed,
        session.allow_plaintext,
    )?)
}

/// The way out of a session.
pub(super) type Way<H> = Budgeted<Observed<H>>;

/// The same before its requests are counted.
type Observed<H> = Traced<Audited<<H as Host>::Http>>;

/// An endpoint as an entry of allowed domains.
fn place_of(endpoint: &Url) -> Option<String> {
    let host = endpoint.host_str()?;
    Some(match endpoint.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// Every connection of a session is made alike, its tokens' included.
pub(super) fn client<H: Host>(
    session: &SessionConfig,
    policy: UrlPolicy,
    parts: &Parts<'_, H>,
) -> Result<Observed<H>, Problem> {
    let routes = ProxyRoutes::of(session.proxy.as_ref())?;
    let client = parts.host.client(policy, &session.tls, routes)?;
    let name = session.name.as_str();
    Ok(Traced::new(Audited::new(client, name), name, &parts.tracer))
}

pub(super) fn start_tokens<H: Host>(
    session: &SessionConfig,
    owner: &str,
    credential: Credential,
    journal: &Arc<dyn Journal>,
    parts: &Parts<'_, H>,
    drain: &Drain,
    tasks: &mut Tasks,
) -> Result<Tokens, Problem> {
    let Credential {
        settings,
        gate,
        sealer,
        ..
    } = credential;
    let policy = UrlPolicy::new(
        settings.token_url(),
        &session.allowed_domains,
        session.allow_plaintext,
    )?;
    let client = Budgeted::new(client(session, policy, parts)?, gate);
    let vault = StateVault::new(JournalState(Arc::clone(journal)), sealer);
    let label = format!("tokens of {owner}");
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

pub(super) fn journal_of(
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn session(name: &str, id: &str, token_url: Option<&str>) -> serde_json::Value {
        json!({
            "name": name, "platform": "genesys-events", "endpoint": "https://api.example.test",
            "channels": ["x"],
            "auth": {
                "grant": "client_credentials", "token_url": token_url,
                "client_id_file": id, "client_secret_file": "/secret",
            },
        })
    }

    #[test]
    fn u40_sessions_of_one_client_share_a_gate() {
        let own = "https://api.example.test/oauth/token";
        let config = json!({ "sessions": [
            session("a", "/id", None),
            session("b", "/id", Some(own)),
            session("c", "/other", None),
            session("d", "/id", Some("https://login.example.test/oauth/token")),
        ]});
        let config = serde_json::from_value(config).unwrap();
        let all = credentials(&config, &Clock::system()).unwrap();
        let shares = |one: usize, other: usize| Arc::ptr_eq(&all[one].gate, &all[other].gate);
        assert!(shares(0, 1), "the platform's own endpoint, named or not");
        assert!(!shares(0, 2) && !shares(0, 3) && !shares(2, 3));
    }
}
