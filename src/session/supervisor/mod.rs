//! [`Supervisor`]: runs every session of a configuration, each as a task of its own.

mod lane;
mod posts;
mod session;

use std::sync::Arc;

use tokio::task::JoinSet;

pub(super) use self::session::{Build, Session, Surroundings};
use super::outbound::OutboundSettings;
use super::{HealthDesk, SessionBoard, SessionConfig, SessionStats, StartError};
use crate::auth::{Sealer, TokenSource};
use crate::connectors;
use crate::domain::SessionName;
use crate::journal::Journal;
use crate::net::HttpClient;
use crate::runtime::{Clock, Drain, Rng};
use crate::telemetry::traces::Tracer;

/// What one session needs of the world.
#[derive(Debug)]
pub struct SessionParts<C> {
    /// Its configuration.
    pub config: SessionConfig,
    /// Its way out, with the proxy, TLS and hosts of its configuration.
    pub http: Arc<C>,
    /// Its credential.
    pub tokens: Arc<dyn TokenSource>,
    /// Where it writes.
    pub journal: Arc<dyn Journal>,
    /// The health of its endpoints, shared by all sessions of one credential.
    pub health: HealthDesk,
    /// Seals what of its state acts as a credential; where there is none, it is kept plain.
    pub sealer: Option<Arc<Sealer>>,
    /// How it sends, where it does.
    pub outbound: Option<OutboundSettings>,
}

/// What a supervisor needs.
#[derive(Debug)]
pub struct SupervisorParts<C> {
    /// The sessions.
    pub sessions: Vec<SessionParts<C>>,
    /// Where they post their state.
    pub board: SessionBoard,
    /// The source of time.
    pub clock: Clock,
    /// The source of chance.
    pub rng: Rng,
    /// What records the traces of events.
    pub tracer: Tracer,
}

/// Runs sessions.
#[derive(Debug)]
pub struct Supervisor<C> {
    sessions: Vec<Session<C>>,
}

impl<C: HttpClient + 'static> Supervisor<C> {
    /// Opens each session's place on the board; nothing runs yet.
    ///
    /// # Errors
    /// [`StartError`] names the session whose settings are wrong.
    pub fn new(parts: SupervisorParts<C>) -> Result<Self, StartError> {
        Self::building(parts, |config| {
            let endpoints = config.endpoints();
            let settings: Vec<_> = endpoints.map(|e| config.settings_at(e)).collect();
            Box::new(move |endpoint| match settings.get(endpoint) {
                Some(settings) => connectors::build(settings).map(Some),
                None => Ok(None),
            })
        })
    }

    /// As [`Supervisor::new`], with what makes the connectors of each session.
    pub(super) fn building(
        parts: SupervisorParts<C>,
        build: impl Fn(&SessionConfig) -> Build,
    ) -> Result<Self, StartError> {
        let surroundings = Surroundings {
            board: parts.board,
            clock: parts.clock,
            rng: parts.rng,
            recent_ids: Arc::default(),
            tracer: parts.tracer,
        };
        let sessions = parts.sessions.into_iter().map(|session| {
            let name = session.config.name.to_string();
            let build = build(&session.config);
            Session::new(session, build, &surroundings).map_err(|source| StartError::Settings {
                session: name,
                source,
            })
        });
        Ok(Self {
            sessions: sessions.collect::<Result<_, _>>()?,
        })
    }

    /// The counters of every session; they outlive the supervisor.
    #[must_use]
    pub fn stats(&self) -> Vec<(SessionName, Arc<SessionStats>)> {
        self.sessions.iter().map(Session::stats).collect()
    }

    /// Runs every session until drained.
    pub async fn run(self, drain: Drain) {
        let mut running = JoinSet::new();
        for session in self.sessions {
            running.spawn(Box::new(session).run(drain.clone()));
        }
        // What ended for good stays on the board, to say so.
        let mut over = Vec::new();
        while let Some(ended) = running.join_next().await {
            match ended {
                Ok(slot) => over.push(slot),
                // What runs a session has no business failing: whoever runs us decides.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        drain.draining().await;
    }
}
