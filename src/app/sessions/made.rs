//! [`Made`]: a session whose settings are good, before anything of it runs.

use std::sync::Arc;

use tokio::sync::oneshot;
use url::Url;

use super::clients::Shared;
use super::{Ground, Observed, Problem, Way};
use crate::app::Host;
use crate::app::state_store::JournalState;
use crate::auth::{CredentialSettings, Refresher, StateVault, TokenSource, Tokens};
use crate::connectors::{self, Settings};
use crate::domain::SessionName;
use crate::journal::{FileJournal, Journal};
use crate::net::{Audited, Budgeted, ProxyConfig, ProxyRoutes, RateGate, Traced, UrlPolicy};
use crate::runtime::{DrainTrigger, TaskKind, TaskSet};
use crate::session::{SessionConfig, SessionParts};

/// A session whose settings are good.
#[derive(Debug)]
pub(super) struct Made<H: Host> {
    config: SessionConfig,
    journal: Arc<dyn Journal>,
    client: Observed<H>,
    tokens: TokensMade<H>,
}

/// What obtains its tokens, likewise.
#[derive(Debug)]
pub(in crate::app) struct TokensMade<H: Host> {
    settings: CredentialSettings,
    client: Observed<H>,
}

/// What keeps a session's tokens, as long as nobody ends it.
#[derive(Debug)]
pub(in crate::app) struct Keeper {
    pub(in crate::app) end: DrainTrigger,
    over: oneshot::Receiver<()>,
}

impl Keeper {
    /// Ends it, once what it was given is kept.
    pub(super) async fn end(self) {
        self.end.drain();
        // Whoever held the other side is gone.
        self.over.await.ok();
    }
}

/// Makes a session. Nothing of it runs.
pub(super) fn make<H: Host>(
    session: &SessionConfig,
    ground: &Ground<H>,
) -> Result<Made<H>, Problem> {
    for endpoint in session.endpoints() {
        connectors::build(&session.settings_at(endpoint))?;
    }
    let owner = session.name.as_str();
    Ok(Made {
        journal: journal_of(session, &ground.journals)?,
        client: client(session, reach(session)?, &*ground.host)?,
        tokens: TokensMade::new(session, owner, &*ground.host)?,
        config: session.clone(),
    })
}

impl<H: Host> Made<H> {
    pub(super) fn name(&self) -> &SessionName {
        &self.config.name
    }

    /// Whose session it is, and the rate that it names.
    pub(super) fn client(&self) -> (&CredentialSettings, u32) {
        (&self.tokens.settings, self.config.rate_limit.per_minute)
    }

    /// Starts to obtain its tokens. `round` tells this start from those before it.
    pub(super) fn launch(
        self,
        shared: Shared,
        round: u64,
        ground: &Ground<H>,
        tasks: &mut TaskSet,
    ) -> (SessionParts<Way<H>>, Keeper) {
        let Shared { gate, health } = shared;
        let owner = match round {
            0 => self.config.name.resource(),
            _ => format!("{} {round}", self.config.name.resource()),
        };
        let client = Budgeted::new(self.client, Arc::clone(&gate));
        let (tokens, keeper) =
            start_tokens(self.tokens, &owner, gate, &self.journal, ground, tasks);
        let parts = SessionParts {
            config: self.config,
            http: Arc::new(client),
            tokens: Arc::new(tokens) as Arc<dyn TokenSource>,
            journal: self.journal,
            health,
            sealer: ground.sealer.clone(),
            outbound: None,
        };
        (parts, keeper)
    }
}

impl<H: Host> TokensMade<H> {
    /// `owner` names them where they are kept.
    pub(in crate::app) fn new(
        session: &SessionConfig,
        owner: &str,
        host: &H,
    ) -> Result<Self, Problem> {
        let settings = credential(session, owner)?;
        let policy = UrlPolicy::new(
            settings.token_url(),
            &session.allowed_domains,
            session.allow_plaintext,
        )?;
        let client = client(session, policy, host)?;
        Ok(Self { settings, client })
    }
}

/// `owner` names it where tokens are kept.
pub(in crate::app) fn credential(
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

/// Where a session may connect to.
pub(in crate::app) fn reach(session: &SessionConfig) -> Result<UrlPolicy, Problem> {
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

/// An endpoint as an entry of allowed domains.
fn place_of(endpoint: &Url) -> Option<String> {
    let host = endpoint.host_str()?;
    Some(match endpoint.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// Every connection of a session is made alike, its tokens' included.
pub(in crate::app) fn client<H: Host>(
    session: &SessionConfig,
    policy: UrlPolicy,
    host: &H,
) -> Result<Observed<H>, Problem> {
    let routes = ProxyRoutes::of(session.proxy.as_ref())?;
    let client = host.client(policy, &session.tls, routes)?;
    let name = session.name.as_str();
    Ok(Traced::new(
        Audited::new(client, name),
        name,
        &host.tracer(),
    ))
}

/// Starts to obtain tokens, until everything ends or their keeper does.
pub(in crate::app) fn start_tokens<H: Host>(
    made: TokensMade<H>,
    owner: &str,
    gate: Arc<RateGate>,
    journal: &Arc<dyn Journal>,
    ground: &Ground<H>,
    tasks: &mut TaskSet,
) -> (Tokens, Keeper) {
    let client = Budgeted::new(made.client, gate);
    let vault = StateVault::new(JournalState(Arc::clone(journal)), ground.sealer.clone());
    let label = format!("tokens of {owner}");
    let rng = ground.rng.fork(&label);
    let clock = ground.clock.clone();
    let (tokens, refresher) = Refresher::new(made.settings, client, Arc::new(vault), clock, rng);
    let (end, drain) = ground.drain.child();
    let (running, over) = oneshot::channel::<()>();
    tasks.spawn(TaskKind::Critical, label, async {
        refresher.run(drain).await;
        drop(running);
        Ok(())
    });
    (tokens, Keeper { end, over })
}

pub(in crate::app) fn journal_of(
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
