//! Makes what guests' sessions are made of: for each template its client, credential and journal.

use std::sync::Arc;

use super::sessions::{self, Credential, Parts, Problem, Way};
use super::{Host, Tasks};
use crate::auth::{Grant, Nobody, Sealer, TokenSource};
use crate::config::Config;
use crate::connectors::GuestSettings;
use crate::domain::TemplateName;
use crate::net::{Budgeted, RateGate};
use crate::runtime::{Drain, TaskKind};
use crate::session::{
    Guests, GuestsParts, GuestsRunner, HealthDesk, SessionConfig, SessionTemplateConfig,
    TemplateParts,
};

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("session template '{template}'")]
pub struct TemplateError {
    template: TemplateName,
    source: Problem,
}

/// Starts the runner of guests' sessions; those that stood before go on.
pub(super) fn start<H: Host>(
    config: &Config,
    parts: &Parts<'_, H>,
    announce: Drain,
    drain: &Drain,
    tasks: &mut Tasks,
) -> Result<Guests, TemplateError> {
    let mut templates = Vec::with_capacity(config.session_templates.len());
    for template in &config.session_templates {
        let made = sessions::sealer(config)
            .and_then(|sealer| template_parts(template, sealer, parts, drain, tasks));
        templates.push(made.map_err(|source| TemplateError {
            template: template.name.clone(),
            source,
        })?);
    }
    let (guests, runner) = GuestsRunner::new(GuestsParts {
        templates,
        configured: config.sessions.iter().map(|s| s.name.clone()).collect(),
        limit: config.max_dynamic_sessions,
        board: parts.board.clone(),
        clock: parts.clock.clone(),
        rng: parts.rng.fork("guests"),
        tracer: parts.tracer.clone(),
        announce,
    });
    let drain = drain.clone();
    tasks.ingest.spawn(TaskKind::Critical, "guests", async {
        runner.run(drain).await;
        Ok(())
    });
    Ok(guests)
}

fn template_parts<H: Host>(
    template: &SessionTemplateConfig,
    sealer: Option<Arc<Sealer>>,
    parts: &Parts<'_, H>,
    drain: &Drain,
    tasks: &mut Tasks,
) -> Result<TemplateParts<Way<H>>, Problem> {
    let session = nobodys(template);
    let journal = sessions::journal_of(&session, parts.journals)?;
    let gate = RateGate::new(template.rate_limit.per_minute, parts.clock.clone())
        .with_handshakes(template.connections_per_second);
    let gate = Arc::new(gate);
    let health = HealthDesk::default();
    let client = sessions::client(&session, sessions::reach(&session)?, parts)?;
    let http = Arc::new(Budgeted::new(client, Arc::clone(&gate)));
    let tokens: Arc<dyn TokenSource> = match template.auth.grant {
        Grant::GuestSession => Arc::new(Nobody::new(parts.clock.clone())),
        _ => {
            let owner = template.name.resource();
            let credential = Credential {
                settings: sessions::credential(&session, &owner)?,
                gate,
                health: health.clone(),
                sealer: sealer.clone(),
            };
            let journal = &journal;
            Arc::new(sessions::start_tokens(
                &session, &owner, credential, journal, parts, drain, tasks,
            )?)
        }
    };
    Ok(TemplateParts {
        config: template.clone(),
        http,
        tokens,
        journal,
        health,
        sealer,
    })
}

/// The session of a guest that nobody is: what all sessions of the template have in common.
fn nobodys(template: &SessionTemplateConfig) -> SessionConfig {
    template.session(template.name.as_session(), GuestSettings::nobody())
}
