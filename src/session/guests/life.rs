//! What happens to one guest's session: it is opened, started, closed, over, and forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::runner::{Answer, Guest, GuestsRunner, Stage, TemplateParts, What};
use super::stored::{self, Kept, Life};
use super::{CloseProblem, CreateProblem, Known};
use crate::connectors::{self, GUEST_ATTRIBUTES, GuestSettings, SettingsError};
use crate::domain::{SessionName, TemplateName, WallTime, uuid};
use crate::journal::{AppendError, Commit};
use crate::net::HttpClient;
use crate::proto::v1;
use crate::proto::v1::session::State;
use crate::runtime::{Drain, Secret};
use crate::session::outbound::{Letter, Mail, OutboundSettings};
use crate::session::supervisor::{Build, Session};
use crate::session::{BoardSlot, Owner, SessionConfig, SessionParts};

/// How long a session that is over is remembered, with its messages.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// Sessions that are over, of which the oldest are forgotten early.
const MOST_OVER: usize = 20_000;

impl<C: HttpClient + 'static> GuestsRunner<C> {
    /// The session that stands, or none where it is on its way.
    pub(super) fn create(
        &mut self,
        template: &TemplateName,
        name: &SessionName,
        attributes: BTreeMap<String, String>,
    ) -> Result<Option<v1::Session>, CreateProblem> {
        let parts = self
            .templates
            .get(template)
            .ok_or(CreateProblem::NoTemplate)?;
        if let Some(guest) = self.guests.get(name) {
            if guest.kept.template != *template {
                return Err(CreateProblem::NameTaken);
            }
            return match guest.stage {
                Stage::Opening(_) => Ok(None),
                // It says so before its task has ended.
                Stage::Open => match self.surroundings.board.state(name) {
                    Some(state) if state.state() == State::Closed => Err(CreateProblem::Over),
                    state => Ok(state),
                },
                Stage::Closing(_) | Stage::Over(_) => Err(CreateProblem::Over),
            };
        }
        if self.configured.contains(name) {
            return Err(CreateProblem::NameTaken);
        }
        let stand = self
            .guests
            .values()
            .filter(|g| !matches!(g.stage, Stage::Over(_)));
        if stand.count() >= self.limit as usize {
            return Err(CreateProblem::Quota {
                limit: self.limit,
                retry_after: self.shared.soon(),
            });
        }
        let read_only = || CreateProblem::ReadOnly {
            retry_after: self.shared.soon(),
        };
        let token = self.surroundings.rng.secret_bits().ok_or_else(read_only)?;
        let kept = Kept {
            template: template.clone(),
            attributes,
            life: Life::Open(Secret::new(uuid(token))),
        };
        if let Some(config) = session_config(parts, name, &kept) {
            connectors::build(&config.settings()).map_err(problem)?;
        }
        let commit = Commit {
            events: Vec::new(),
            state: vec![stored::keep(name, &kept, parts.sealer.as_deref())],
        };
        self.write(template, name, What::Opened, commit);
        let stage = Stage::Opening(Vec::new());
        self.guests.insert(name.clone(), Guest { kept, stage });
        Ok(None)
    }

    pub(super) fn opened(
        &mut self,
        name: &SessionName,
        result: Result<(), AppendError>,
        drain: &Drain,
    ) {
        let opened = match result {
            Ok(()) => self.start(name, drain),
            Err(_) => Err(CreateProblem::ReadOnly {
                retry_after: self.shared.soon(),
            }),
        };
        let Some(guest) = self.guests.get_mut(name) else {
            return;
        };
        let stage = std::mem::replace(&mut guest.stage, Stage::Open);
        let answer = opened.map(|()| self.surroundings.board.state(name).unwrap_or_default());
        if answer.is_err() {
            self.guests.remove(name);
        }
        if let Stage::Opening(waiting) = stage {
            for waiting in waiting {
                // Whoever asked may have left.
                drop(waiting.send(answer.clone()));
            }
        }
    }

    pub(super) fn start(&mut self, name: &SessionName, drain: &Drain) -> Result<(), CreateProblem> {
        let guest = self.guests.get(name);
        let parts = guest.and_then(|guest| {
            let template = self.templates.get(&guest.kept.template)?;
            Some((template, session_config(template, name, &guest.kept)?))
        });
        let Some((template, config)) = parts else {
            return Err(CreateProblem::NoTemplate);
        };
        let found = self.shared.known(name).and_then(|known| known.mail);
        let mail: Arc<Mail> = found.unwrap_or_default();
        let parts = SessionParts {
            http: Arc::clone(&template.http),
            tokens: Arc::clone(&template.tokens),
            journal: Arc::clone(&template.journal),
            health: template.health.clone(),
            sealer: template.sealer.clone(),
            outbound: Some(OutboundSettings {
                mail: Arc::clone(&mail),
                ttl: config.timing.outbound_ttl.0,
                attempts: template.config.outbound_attempts,
                unknown_outcome: template.config.unknown_outcome_policy,
            }),
            config,
        };
        let settings = parts.config.settings();
        let build: Build = Box::new(move |endpoint| match endpoint {
            0 => connectors::build(&settings).map(Some),
            _ => Ok(None),
        });
        let journal = Arc::clone(&parts.journal);
        let owner = Owner {
            stats: self.shared.stats_of(&template.config.name),
            template: Some(template.config.name.clone()),
        };
        let session = Session::new(parts, build, owner, &self.surroundings).map_err(|error| {
            CreateProblem::Settings {
                reason: error.to_string(),
            }
        })?;
        let known = Known {
            journal,
            mail: Some(mail),
        };
        self.shared.known.lock().insert(name.clone(), known);
        let (name, drain) = (name.clone(), drain.clone());
        let running = Box::new(session).run(drain);
        self.running.spawn(running.map(|slot| (name, slot)));
        Ok(())
    }

    pub(super) fn close(&mut self, name: &SessionName, answer: Answer<Result<(), CloseProblem>>) {
        let answered = match self.guests.get_mut(name).map(|guest| &mut guest.stage) {
            None => Err(CloseProblem::NotFound),
            Some(Stage::Opening(_)) => Err(CloseProblem::Unavailable {
                retry_after: self.shared.soon(),
            }),
            Some(Stage::Over(slot)) => {
                *slot = None;
                Ok(())
            }
            Some(Stage::Closing(waiting)) => return waiting.push(answer),
            Some(stage @ Stage::Open) => {
                let mail = self.shared.known(name).and_then(|known| known.mail);
                match mail.map(|mail| mail.post(Letter::Close)) {
                    Some(Ok(())) => return *stage = Stage::Closing(vec![answer]),
                    Some(Err(_)) | None => Err(CloseProblem::Unavailable {
                        retry_after: self.shared.soon(),
                    }),
                }
            }
        };
        drop(answer.send(answered));
    }

    /// A session's task is over: unless the process ends, the session is.
    pub(super) fn ended(&mut self, name: &SessionName, slot: Arc<BoardSlot>, draining: bool) {
        let Some(guest) = self.guests.get_mut(name).filter(|_| !draining) else {
            return;
        };
        if let Some(known) = self.shared.known.lock().get_mut(name) {
            known.mail = None;
        }
        guest.kept.life = Life::Over(self.surroundings.clock.wall());
        guest.kept.attributes.clear();
        let slot = matches!(guest.stage, Stage::Open).then_some(slot);
        let template = guest.kept.template.clone();
        let commit = Commit {
            events: Vec::new(),
            state: vec![stored::keep(name, &guest.kept, None)],
        };
        self.write(&template, name, What::Ended(slot), commit);
    }

    pub(super) fn over(
        &mut self,
        name: &SessionName,
        slot: Option<Arc<BoardSlot>>,
        result: Result<(), AppendError>,
    ) {
        let retry_after = self.shared.soon();
        let Some(guest) = self.guests.get_mut(name) else {
            return;
        };
        if let Stage::Closing(waiting) = std::mem::replace(&mut guest.stage, Stage::Over(slot)) {
            for waiting in waiting {
                let told = match &result {
                    Ok(()) => Ok(()),
                    Err(_) => Err(CloseProblem::Unavailable { retry_after }),
                };
                drop(waiting.send(told));
            }
        }
        if let Err(error) = result {
            tracing::error!(session = %name, %error, "The end of a guest's session could not be kept");
        }
    }

    /// Forgets what was over a day ago, and the oldest where there are too many.
    pub(super) fn forget_old(&mut self) {
        let now = self.surroundings.clock.wall();
        let mut over: Vec<_> = self.guests.iter().filter_map(over_since).collect();
        over.sort_unstable_by_key(|(at, _)| *at);
        let surplus = over.len().saturating_sub(MOST_OVER);
        for (index, (at, name)) in over.into_iter().enumerate() {
            if index >= surplus && now.since(at) < REMEMBERED {
                return;
            }
            let Some(guest) = self.guests.get(&name) else {
                continue;
            };
            let template = guest.kept.template.clone();
            let Some(parts) = self.templates.get(&template) else {
                continue;
            };
            let left = parts.journal.state(&format!("{}/", name.resource()));
            let commit = stored::forget(&name, left);
            self.write(&template, &name, What::Forgotten, commit);
        }
    }
}

fn problem(error: SettingsError) -> CreateProblem {
    match error {
        SettingsError::Setting { key, reason } if key == GUEST_ATTRIBUTES => {
            CreateProblem::Attributes { reason }
        }
        other => CreateProblem::Settings {
            reason: other.to_string(),
        },
    }
}

fn over_since((name, guest): (&SessionName, &Guest)) -> Option<(WallTime, SessionName)> {
    match (&guest.kept.life, &guest.stage) {
        (Life::Over(at), Stage::Over(_)) => Some((*at, name.clone())),
        _ => None,
    }
}

fn session_config<C>(
    template: &TemplateParts<C>,
    name: &SessionName,
    kept: &Kept,
) -> Option<SessionConfig> {
    let Life::Open(token) = &kept.life else {
        return None;
    };
    let guest = GuestSettings {
        token: token.clone(),
        attributes: kept.attributes.clone(),
        deployment_id: None,
        origin: None,
        rest_endpoint: None,
    };
    Some(template.config.session(name.clone(), guest))
}
