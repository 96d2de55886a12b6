//! [`GuestsRunner`]: opens, runs and closes guests' sessions, and keeps account of them in the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::stored::{self, Kept, Life};
use super::{
    Ask, CloseProblem, CreateProblem, Guests, Known, MOST_ASKED, Renewal, Renewals, Shared,
};
use crate::auth::{Sealer, TokenSource};
use crate::domain::{SessionName, TemplateName};
use crate::journal::{AppendError, Commit, Journal};
use crate::net::HttpClient;
use crate::proto::v1;
use crate::runtime::{Clock, Drain, Rng};
use crate::session::supervisor::Surroundings;
use crate::session::{BoardSlot, HealthDesk, SessionBoard, SessionTemplateConfig};
use crate::telemetry::traces::Tracer;

/// How often those that are over are looked through.
const LOOKED_THROUGH: Duration = Duration::from_secs(600);

/// What the sessions of one template share.
#[derive(Debug)]
pub struct TemplateParts<C> {
    /// Its settings.
    pub config: SessionTemplateConfig,
    /// Its way out.
    pub http: Arc<C>,
    /// Its credential.
    pub tokens: Arc<dyn TokenSource>,
    /// Where its sessions write.
    pub journal: Arc<dyn Journal>,
    /// The health of its endpoint.
    pub health: HealthDesk,
    /// Seals guests' tokens; where there is none, they are kept plain.
    pub sealer: Option<Arc<Sealer>>,
}

/// What a runner needs of the world.
#[derive(Debug)]
pub struct GuestsParts<C> {
    /// What sessions are made of.
    pub templates: Vec<TemplateParts<C>>,
    /// Names that belong to the configuration.
    pub configured: BTreeSet<SessionName>,
    /// Sessions that may stand at once.
    pub limit: u32,
    /// Where they post their state.
    pub board: SessionBoard,
    /// The source of time.
    pub clock: Clock,
    /// The source of chance.
    pub rng: Rng,
    /// Nothing new is taken once this has begun.
    pub announce: Drain,
    /// What records the traces of events.
    pub tracer: Tracer,
}

pub(super) type Answer<T> = oneshot::Sender<T>;

/// Runs guests' sessions.
pub struct GuestsRunner<C> {
    pub(super) templates: BTreeMap<TemplateName, TemplateParts<C>>,
    pub(super) configured: BTreeSet<SessionName>,
    pub(super) limit: u32,
    pub(super) surroundings: Surroundings,
    pub(super) shared: Arc<Shared>,
    asks: mpsc::Receiver<Ask>,
    renewals: mpsc::Receiver<Renewal<C>>,
    renew: Renewals<C>,
    pub(super) guests: BTreeMap<SessionName, Guest>,
    pub(super) running: JoinSet<(SessionName, Arc<BoardSlot>)>,
    writing: FuturesUnordered<BoxFuture<'static, Written>>,
}

/// One session.
pub(super) struct Guest {
    pub(super) kept: Kept,
    pub(super) stage: Stage,
}

pub(super) enum Stage {
    /// It is being written down; these wait for it.
    Opening(Vec<Answer<Result<v1::Session, CreateProblem>>>),
    Open,
    /// It was told to end; these wait for that.
    Closing(Vec<Answer<Result<(), CloseProblem>>>),
    /// It has expired, which its post says until somebody closes it, or was closed.
    Over(Option<Arc<BoardSlot>>),
}

/// What was written down.
struct Written {
    name: SessionName,
    what: What,
    result: Result<(), AppendError>,
}

pub(super) enum What {
    Opened,
    /// With its last post, where it ended by itself.
    Ended(Option<Arc<BoardSlot>>),
    Forgotten,
}

impl<C: HttpClient + 'static> GuestsRunner<C> {
    /// Finds the sessions that stood before; nothing runs yet.
    #[must_use]
    pub fn new(parts: GuestsParts<C>) -> (Guests, Self) {
        let (asks, asked) = mpsc::channel(MOST_ASKED);
        let (renew, renewals) = mpsc::channel(1);
        let each = parts.templates.iter();
        let names = each.map(|t| (t.config.name.clone(), t.journal.info().name));
        let shared = Arc::new(Shared {
            templates: parking_lot::Mutex::new(names.collect()),
            known: parking_lot::Mutex::default(),
            stats: parking_lot::Mutex::default(),
            rng: parts.rng.clone(),
            announce: parts.announce,
        });
        let templates = parts.templates.into_iter();
        let mut runner = Self {
            templates: templates.map(|t| (t.config.name.clone(), t)).collect(),
            configured: parts.configured,
            limit: parts.limit,
            surroundings: Surroundings {
                board: parts.board,
                clock: parts.clock,
                rng: parts.rng,
                recent_ids: Arc::default(),
                tracer: parts.tracer,
            },
            shared: Arc::clone(&shared),
            asks: asked,
            renewals,
            renew: Renewals(renew),
            guests: BTreeMap::new(),
            running: JoinSet::new(),
            writing: FuturesUnordered::new(),
        };
        runner.find();
        (Guests { shared, asks }, runner)
    }

    /// Gives new guests other templates while it runs.
    #[must_use]
    pub fn renewals(&self) -> Renewals<C> {
        self.renew.clone()
    }

    /// What the journals kept.
    fn find(&mut self) {
        let mut found = BTreeMap::new();
        for template in self.templates.values() {
            for entry in template.journal.state(stored::PREFIX) {
                match stored::read(&entry, template.sealer.as_deref()) {
                    // Of several templates that share a journal, the session's own counts.
                    Some((name, kept)) if kept.template == template.config.name => {
                        let journal = Arc::clone(&template.journal);
                        found.insert(name, (kept, journal));
                    }
                    Some((name, kept)) if !self.templates.contains_key(&kept.template) => {
                        let template = kept.template;
                        tracing::warn!(session = %name, %template, "A guest's session cannot go on: there is no such template any more");
                    }
                    Some(_) => {}
                    None => {
                        tracing::error!(key = entry.key, "A guest's session cannot be read");
                    }
                }
            }
        }
        for (name, (kept, journal)) in found {
            if matches!(kept.life, Life::Unreadable) {
                tracing::error!(session = %name, "A guest's session cannot go on: its token was sealed with another key");
            }
            let stage = match kept.life {
                Life::Open(_) => Stage::Open,
                Life::Over(_) | Life::Unreadable => Stage::Over(None),
            };
            // What is asked of it before it runs waits for it.
            let mail = matches!(stage, Stage::Open).then(Arc::default);
            let known = Known { journal, mail };
            self.shared.known.lock().insert(name.clone(), known);
            self.guests.insert(name, Guest { kept, stage });
        }
    }

    /// Runs every session until drained. Those that stand then go on with the next process.
    pub async fn run(mut self, drain: Drain) {
        let open = self
            .guests
            .iter()
            .filter(|(_, guest)| matches!(guest.stage, Stage::Open))
            .map(|(name, _)| name.clone());
        for name in open.collect::<Vec<_>>() {
            if let Err(problem) = self.start(&name, &drain) {
                tracing::error!(session = %name, %problem, "A guest's session cannot go on");
                if let Some(known) = self.shared.known.lock().get_mut(&name) {
                    known.mail = None;
                }
            }
        }
        let mut draining = false;
        let mut look = self.surroundings.clock.now() + LOOKED_THROUGH;
        while !(draining && self.running.is_empty() && self.writing.is_empty()) {
            tokio::select! {
                biased;
                () = drain.forced() => return self.running.shutdown().await,
                () = drain.draining(), if !draining => {
                    draining = true;
                    // Whoever still waits for an answer learns that there is none.
                    self.asks.close();
                    while self.asks.try_recv().is_ok() {}
                }
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => {
                    match ended {
                        Ok((name, slot)) => self.ended(&name, slot, draining),
                        // What runs a session has no business failing: whoever runs us decides.
                        Err(error) if error.is_panic() => {
                            std::panic::resume_unwind(error.into_panic());
                        }
                        Err(_) => {}
                    }
                }
                Some(written) = self.writing.next(), if !self.writing.is_empty() => {
                    self.written(written, &drain);
                }
                Some(renewal) = self.renewals.recv(), if !draining => self.renewed(renewal),
                Some(ask) = self.asks.recv(), if !draining => self.asked(ask),
                () = tokio::time::sleep_until(look), if !draining => {
                    self.forget_old();
                    look = self.surroundings.clock.now() + LOOKED_THROUGH;
                }
            }
        }
    }

    fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Create {
                template,
                name,
                attributes,
                answer,
            } => match self.create(&template, &name, attributes) {
                Ok(None) => {
                    if let Some(Guest {
                        stage: Stage::Opening(waiting),
                        ..
                    }) = self.guests.get_mut(&name)
                    {
                        waiting.push(answer);
                    }
                }
                Ok(Some(session)) => drop(answer.send(Ok(session))),
                Err(problem) => drop(answer.send(Err(problem))),
            },
            Ask::Close { name, answer } => self.close(&name, answer),
        }
    }

    pub(super) fn write(
        &self,
        template: &TemplateName,
        name: &SessionName,
        what: What,
        commit: Commit,
    ) {
        let Some(template) = self.templates.get(template) else {
            return;
        };
        let (name, journal) = (name.clone(), Arc::clone(&template.journal));
        self.writing.push(Box::pin(async move {
            let result = journal.append(commit).await.map(drop);
            Written { name, what, result }
        }));
    }

    fn written(&mut self, written: Written, drain: &Drain) {
        let Written { name, what, result } = written;
        match what {
            What::Opened => self.opened(&name, result, drain),
            What::Ended(slot) => self.over(&name, slot, result),
            What::Forgotten if result.is_ok() => {
                self.guests.remove(&name);
                self.shared.known.lock().remove(&name);
            }
            What::Forgotten => {}
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for GuestsRunner<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestsRunner")
            .field("templates", &self.templates)
            .field("guests", &self.guests.len())
            .finish_non_exhaustive()
    }
}
