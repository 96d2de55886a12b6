//! Makes what guests' sessions are made of: for each template its client, credential and journal.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::sessions::{self, Ground, Keeper, Observed, Problem, TokensMade, Way};
use super::{Host, Tasks};
use crate::auth::{AccessToken, Grant, Nobody, TokenProblem, TokenSource, TokenStatus, Tokens};
use crate::config::{Config, Difference};
use crate::connectors::GuestSettings;
use crate::domain::{SessionName, TemplateName};
use crate::journal::Journal;
use crate::net::{Budgeted, RateGate};
use crate::runtime::{Drain, TaskFailure, TaskKind, TaskSet};
use crate::session::{
    Guests, GuestsParts, GuestsRunner, HealthDesk, Renewal, Renewals, SessionConfig,
    SessionTemplateConfig, TemplateParts,
};

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("session template '{template}'")]
pub struct TemplateError {
    template: TemplateName,
    source: Problem,
}

/// A template whose settings are good, before anything of it runs.
#[derive(Debug)]
pub(super) struct TemplateMade<H: Host> {
    config: SessionTemplateConfig,
    journal: Arc<dyn Journal>,
    client: Observed<H>,
    /// `None` where guests need none.
    tokens: Option<TokensMade<H>>,
}

/// The token source of a template: it ends with the last session that uses it.
#[derive(Debug)]
struct Held {
    tokens: Tokens,
    keeper: Keeper,
}

/// Gives new guests other templates while those that stand go on.
#[derive(Debug)]
pub(super) struct GuestDesk<H: Host> {
    ground: Ground<H>,
    renewals: Renewals<Way<H>>,
    /// Of what began since the start.
    tasks: TaskSet,
    round: u64,
}

/// Starts the runner of guests' sessions; those that stood before go on.
pub(super) fn start<H: Host>(
    config: &Config,
    ground: &Ground<H>,
    announce: Drain,
    tasks: &mut Tasks,
) -> Result<(Guests, GuestDesk<H>), TemplateError> {
    let made = config.session_templates.iter().map(|t| make(t, ground));
    let made = made.collect::<Result<Vec<_>, _>>()?;
    let launch = |made: TemplateMade<H>| made.launch(0, ground, &mut tasks.ingest);
    let (guests, runner) = GuestsRunner::new(GuestsParts {
        templates: made.into_iter().map(launch).collect(),
        configured: configured(config),
        limit: config.max_dynamic_sessions,
        board: ground.board.clone(),
        clock: ground.clock.clone(),
        rng: ground.rng.fork("guests"),
        tracer: ground.host.tracer(),
        announce,
    });
    let desk = GuestDesk {
        ground: ground.clone(),
        renewals: runner.renewals(),
        tasks: TaskSet::new(),
        round: 0,
    };
    let drain = ground.drain.clone();
    tasks.ingest.spawn(TaskKind::Critical, "guests", async {
        runner.run(drain).await;
        Ok(())
    });
    Ok((guests, desk))
}

fn configured(config: &Config) -> BTreeSet<SessionName> {
    config.sessions.iter().map(|s| s.name.clone()).collect()
}

fn make<H: Host>(
    template: &SessionTemplateConfig,
    ground: &Ground<H>,
) -> Result<TemplateMade<H>, TemplateError> {
    let made = || {
        let session = nobodys(template);
        let journal = sessions::journal_of(&session, &ground.journals)?;
        let client = sessions::client(&session, sessions::reach(&session)?, &*ground.host)?;
        let owner = template.name.resource();
        let tokens = match template.auth.grant {
            Grant::GuestSession => None,
            _ => Some(TokensMade::new(&session, &owner, &*ground.host)?),
        };
        Ok(TemplateMade {
            config: template.clone(),
            journal,
            client,
            tokens,
        })
    };
    made().map_err(|source| TemplateError {
        template: template.name.clone(),
        source,
    })
}

impl<H: Host> TemplateMade<H> {
    /// `round` tells this start from those before it.
    fn launch(self, round: u64, ground: &Ground<H>, tasks: &mut TaskSet) -> TemplateParts<Way<H>> {
        let Self {
            config,
            journal,
            client,
            tokens,
        } = self;
        let gate = RateGate::new(config.rate_limit.per_minute, ground.clock.clone())
            .with_handshakes(config.connections_per_second);
        let gate = Arc::new(gate);
        let http = Arc::new(Budgeted::new(client, Arc::clone(&gate)));
        let tokens: Arc<dyn TokenSource> = match tokens {
            None => Arc::new(Nobody::new(ground.clock.clone())),
            Some(made) => {
                let owner = match round {
                    0 => config.name.resource(),
                    _ => format!("{} {round}", config.name.resource()),
                };
                let (tokens, keeper) =
                    sessions::start_tokens(made, &owner, gate, &journal, ground, tasks);
                Arc::new(Held { tokens, keeper })
            }
        };
        TemplateParts {
            config,
            http,
            tokens,
            journal,
            health: HealthDesk::default(),
            sealer: ground.sealer.clone(),
        }
    }
}

impl<H: Host> GuestDesk<H> {
    /// The next failure of what began since the start; `None` where nothing of it runs. Cancel-safe.
    pub(super) async fn next_failure(&mut self) -> Option<TaskFailure> {
        self.tasks.next_failure().await
    }

    /// Makes what a difference changes, so that it is applied as a whole or not at all.
    pub(super) fn make(
        &self,
        difference: &Difference,
    ) -> Result<Vec<TemplateMade<H>>, TemplateError> {
        let templates = difference.next.session_templates.iter();
        let changed = templates.filter(|t| difference.templates.contains(&t.name));
        changed
            .map(|template| make(template, &self.ground))
            .collect()
    }

    /// New guests find what is new; those that stand keep what they began with.
    pub(super) async fn apply(&mut self, difference: &Difference, made: Vec<TemplateMade<H>>) {
        self.round += 1;
        let mut launch =
            |made: TemplateMade<H>| made.launch(self.round, &self.ground, &mut self.tasks);
        let templates = made.into_iter().map(&mut launch).collect();
        let offered = difference.next.session_templates.iter();
        self.renewals
            .renew(Renewal {
                templates,
                offered: offered.map(|template| template.name.clone()).collect(),
                configured: configured(&difference.next),
                limit: difference.next.max_dynamic_sessions,
            })
            .await;
    }
}

#[async_trait]
impl TokenSource for Held {
    async fn token(&self) -> Result<AccessToken, TokenProblem> {
        self.tokens.token().await
    }

    fn reject(&self, generation: u64) {
        self.tokens.reject(generation);
    }

    fn status(&self) -> watch::Receiver<TokenStatus> {
        self.tokens.status()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keeper.end.drain();
    }
}

/// The session of a guest that nobody is: what all sessions of the template have in common.
fn nobodys(template: &SessionTemplateConfig) -> SessionConfig {
    template.session(template.name.as_session(), GuestSettings::nobody())
}
