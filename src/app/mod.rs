//! The composition root: the only module that knows every other. Starts them in order, ends them in
//! order.
//!
//! Start: journals recovered → listeners bound → sessions → serving. Nothing of it waits for a
//! platform. The end is written in `ending`.

mod console;
mod doors;
mod ending;
mod guests;
mod host;
mod metrics;
mod process;
mod reach;
mod reload;
mod sessions;
mod state_store;

use std::sync::Arc;

use crate::admin::{self, HealthServer, ServeError};
use crate::config::{Config, Sources};
use crate::domain::{JournalName, SessionName};
use crate::feed::{CursorNames, Feed, FeedConfig, Registry, Surroundings};
use crate::grpc::{self, BindError, Listener, Server, ServerError, ServerParts};
use crate::journal::{FileJournal, Journal, OpenError, Options};
pub use crate::runtime::ReloadStatus;
use crate::runtime::{
    Clock, Drain, DrainTrigger, Hangups, Latch, Readiness, Rng, TaskKind, TaskSet, drain,
};
use crate::session::{SessionBoard, StatsSnapshot};
use crate::telemetry::metrics::Source;
use crate::telemetry::traces::Tracer;

use self::doors::Doors;
pub use self::ending::{Ended, Stop};
pub use self::guests::TemplateError;
pub use self::host::Host;
use self::host::Machine;
use self::metrics::Figures;
pub use self::metrics::{Life, families};
pub use self::process::Process;
pub use self::reload::{ReloadError, Reloads};
use self::reload::{Reloader, Watch};
use self::sessions::Ground;
pub use self::sessions::{KeyError, SessionError};

/// A sidecar that serves.
#[derive(Debug)]
pub struct App {
    addresses: Vec<String>,
    health_address: Option<String>,
    admin_addresses: Vec<String>,
    board: SessionBoard,
    stats: sessions::Stats,
    journals: Vec<FileJournal>,
    readiness: Readiness,
    reloads: Reloads,
    reload_status: ReloadStatus,
    clock: Clock,
    ingest_drain: Drain,
    figures: Arc<dyn Source>,
    life: Arc<Life>,
    drains: Drains,
    tasks: Tasks,
    drain_timeout: std::time::Duration,
}

/// One stage of the end each; see `ending`.
#[derive(Debug)]
struct Drains {
    announce: DrainTrigger,
    ingest: DrainTrigger,
    readers: DrainTrigger,
    rest: DrainTrigger,
}

/// One set for each stage.
#[derive(Debug, Default)]
struct Tasks {
    ingest: TaskSet,
    readers: TaskSet,
    rest: TaskSet,
}

/// Why a sidecar did not start. Nothing of it is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A journal cannot be opened.
    #[error("open journals/{name}")]
    Journal {
        /// Which.
        name: JournalName,
        /// Why.
        source: OpenError,
    },
    /// What says who may call cannot be used.
    #[error("listen: who may call")]
    Doors(#[from] grpc::FileError),
    /// An address of the gRPC listener cannot be had.
    #[error("listen.grpc")]
    Grpc(#[from] BindError),
    /// An address of the admin listener cannot be had.
    #[error("listen.admin")]
    Admin(#[source] BindError),
    /// The address of the health listener cannot be had.
    #[error("listen.health")]
    Health(#[from] ServeError),
    /// A session cannot be made from its settings.
    #[error("sessions")]
    Session(#[from] SessionError),
    /// Guests' sessions cannot be made of a template.
    #[error("session_templates")]
    Template(#[from] TemplateError),
    /// The key that seals credentials cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A session's dialect refuses its settings.
    #[error(transparent)]
    Dialect(#[from] crate::session::StartError),
    /// The compiled-in descriptor set is damaged.
    #[error("make the gRPC server")]
    Server(#[from] ServerError),
    /// A blocking task was lost.
    #[error("open journals/{name}: the opening panicked")]
    Panicked {
        /// Which.
        name: JournalName,
    },
}

impl App {
    /// Opens the journals, binds every listener, then begins to serve and to connect.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config, clock: Clock, rng: Rng) -> Result<Self, StartError> {
        Self::start_traced(config, clock, rng, Tracer::off()).await
    }

    /// The same with traces.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_traced(
        config: Config,
        clock: Clock,
        rng: Rng,
        tracer: Tracer,
    ) -> Result<Self, StartError> {
        Self::start_on(Arc::new(Machine::new(tracer)), config, clock, rng).await
    }

    /// The same on another host than this machine.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_on<H: Host>(
        host: Arc<H>,
        config: Config,
        clock: Clock,
        rng: Rng,
    ) -> Result<Self, StartError> {
        let (startup, readiness) = (Readiness::new(), Readiness::new());
        let recovered = [startup.latch("journals"), readiness.latch("journals")];
        let bound = [startup.latch("listeners"), readiness.latch("listeners")];
        let mut tasks = Tasks::default();
        let (rest, rest_drain) = drain();
        if let Some(insecure) = config.listen.insecure {
            readiness.remark(insecure.meaning());
        }
        let health_address = match config.listen.health.as_str() {
            "" => None,
            address => {
                let routes = admin::router(startup.clone(), readiness.clone());
                Some((
                    HealthServer::bind(address, routes).await?,
                    address.to_owned(),
                ))
            }
        };
        let doors = Doors::open(&config, &clock)?;
        let journals = open_journals(&*host, &config, &clock, &rng).await?;
        recovered.into_iter().for_each(Latch::open);

        let (announce, announced) = drain();
        let (readers, readers_drain) = drain();
        let registry = Registry::new(config.listen.limits.subscribers);
        registry.set_limit_of_each(config.listen.limits.per_principal);
        let cursor_names = CursorNames::default();
        let feeds = journals.iter().map(|journal| {
            let surroundings = Surroundings {
                registry: registry.clone(),
                cursor_names: cursor_names.clone(),
                clock: clock.clone(),
                rng: rng.fork("feed"),
                drain: readers_drain.clone(),
            };
            let message_bytes = usize::try_from(config.listen.limits.message.0);
            let message_bytes = message_bytes.unwrap_or(crate::feed::MOST_MESSAGE_BYTES);
            let feed_config = FeedConfig {
                message_bytes,
                max_age: reach::max_stream_age(&config),
                ..FeedConfig::default()
            };
            Feed::attach(Arc::new(journal.clone()), surroundings, feed_config)
        });
        let feeds: Vec<Feed> = feeds.collect();
        let board = SessionBoard::new();
        let health = grpc::Health::new();
        let listeners = bind(&*host, &config.listen.grpc).await?;
        let listeners: Vec<_> = listeners.into_iter().map(|l| doors.of_grpc(l)).collect();
        let addresses = listeners.iter().map(Listener::address).collect();
        let reload_status = ReloadStatus::default();
        reload_status.counts(&config.hash());
        let shown = console::Parts {
            journals: &journals,
            feeds: &feeds,
            board: &board,
            readiness: &readiness,
            announce: &announced,
            health: &health,
            clock: &clock,
            reload: &reload_status,
            doors: &doors,
        };
        let (admin, admin_addresses) = console::open(&*host, &config, &shown).await?;

        let (ingest, ingest_drain) = drain();
        let tracer = host.tracer();
        let ground = Ground {
            host,
            journals: journals.clone(),
            board: board.clone(),
            sealer: sessions::sealer(&config)?,
            clock: clock.clone(),
            rng: rng.clone(),
            drain: ingest_drain.clone(),
        };
        let desk = sessions::start(&config, &ground, &mut tasks)?;
        let stats = desk.stats().clone();
        let (guests, guest_desk) = guests::start(&config, &ground, announced.clone(), &mut tasks)?;
        let drain_timeout = config.drain_timeout.0;
        let (reloads, reloader) = Reloader::new(
            config.clone(),
            desk,
            guest_desk,
            (registry, doors.callers().clone()),
        );
        let reloading = reloader.run(ingest_drain.clone());
        tasks.ingest.spawn(TaskKind::Critical, "reload", reloading);
        let telling = guests.clone();
        let server = Server::new(ServerParts {
            feeds: feeds.clone(),
            sessions: board.clone(),
            guests,
            health: health.clone(),
            clock: clock.clone(),
            rng: rng.fork("grpc"),
            announce: announced,
            drain: readers_drain,
            limits: reach::limits(&config),
            reach: reach::reach(&config),
            tracer,
            callers: doors.callers().clone(),
        })?;
        let life = Life::begins(&clock);
        let figures: Arc<dyn Source> = Arc::new(Figures {
            board: board.clone(),
            guests: telling,
            journals: journals.clone(),
            feeds: feeds.clone(),
            calls: server.calls(),
            connections: server.connections(),
            readiness: readiness.clone(),
            life: Arc::clone(&life),
            doors: doors.clone(),
        });
        let following = doors.follow(rest_drain.clone());
        tasks
            .rest
            .spawn(TaskKind::Critical, "follow who may call", async {
                following.await;
                Ok(())
            });
        for journal in &journals {
            let maintenance = journal.clone().maintain(rest_drain.clone());
            let name = format!("maintain {}", journal.info().name.resource());
            tasks.rest.spawn(TaskKind::Maintenance, name, async {
                maintenance.await;
                Ok(())
            });
        }
        // Commits are taken as long as gRPC is served, which ends before the rest.
        for feed in feeds {
            let name = format!("cursors of {}", feed.name().resource());
            let keeping = feed.keep_cursors(rest_drain.clone());
            tasks.rest.spawn(TaskKind::Critical, name, async {
                keeping.await;
                Ok(())
            });
        }
        tasks.readers.spawn(TaskKind::Critical, "grpc", async {
            server.serve(listeners).await;
            Ok(())
        });
        let health_address = health_address.map(|(server, address)| {
            let bound = server
                .local_addr()
                .map_or(address, |bound| bound.to_string());
            let drain = rest_drain.clone();
            let server = server.with(admin::metrics(Arc::clone(&figures)));
            tasks.rest.spawn(TaskKind::Critical, "health", async {
                server.serve(drain).await;
                Ok(())
            });
            bound
        });
        let drain = rest_drain.clone();
        tasks.rest.spawn(TaskKind::Critical, "admin", async {
            admin.serve(drain).await;
            Ok(())
        });
        bound.into_iter().for_each(Latch::open);
        let drains = Drains {
            announce,
            ingest,
            readers,
            rest,
        };
        Ok(Self {
            addresses,
            health_address,
            admin_addresses,
            board,
            stats,
            journals,
            readiness,
            reloads,
            reload_status,
            clock,
            ingest_drain,
            figures,
            life,
            drains,
            tasks,
            drain_timeout,
        })
    }

    /// Where gRPC is served, in the order of the configuration, with the ports that were given.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Where health is served.
    #[must_use]
    pub fn health_address(&self) -> Option<&str> {
        self.health_address.as_deref()
    }

    /// Where the console is served, likewise.
    #[must_use]
    pub fn admin_addresses(&self) -> &[String] {
        &self.admin_addresses
    }

    /// Every figure there is.
    #[must_use]
    pub fn figures(&self) -> Arc<dyn Source> {
        Arc::clone(&self.figures)
    }

    /// What happens to it as a whole, to be told and counted.
    #[must_use]
    pub fn life(&self) -> Arc<Life> {
        Arc::clone(&self.life)
    }

    /// The sessions' present state.
    #[must_use]
    pub fn board(&self) -> &SessionBoard {
        &self.board
    }

    /// What each session has counted so far.
    #[must_use]
    pub fn stats(&self) -> Vec<(SessionName, StatsSnapshot)> {
        self.stats.snapshot()
    }

    /// Applies other configurations while it serves.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.reloads.clone()
    }

    /// How its configuration was last read again.
    #[must_use]
    pub fn reload_status(&self) -> ReloadStatus {
        self.reload_status.clone()
    }

    /// Reads its configuration again whenever the file changes, and at each hangup.
    pub fn follow(&mut self, sources: Sources, hangups: Hangups) {
        let watch = Watch {
            sources,
            reloads: self.reloads.clone(),
            status: self.reload_status.clone(),
            life: Arc::clone(&self.life),
            clock: self.clock.clone(),
        };
        let drain = self.ingest_drain.clone();
        let name = "follow the configuration";
        self.tasks.ingest.spawn(TaskKind::Maintenance, name, async {
            watch.run(hangups, drain).await;
            Ok(())
        });
    }

    /// The journals.
    #[must_use]
    pub fn journals(&self) -> Vec<Arc<dyn Journal>> {
        self.journals
            .iter()
            .map(|journal| Arc::new(journal.clone()) as Arc<_>)
            .collect()
    }
}

async fn bind<H: Host>(host: &H, addresses: &[String]) -> Result<Vec<Listener>, BindError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        listeners.push(host.listen(address).await?);
    }
    Ok(listeners)
}

async fn open_journals<H: Host>(
    host: &H,
    config: &Config,
    clock: &Clock,
    rng: &Rng,
) -> Result<Vec<FileJournal>, StartError> {
    let mut journals = Vec::with_capacity(config.journals.len());
    for settings in &config.journals {
        let rng = rng.fork(&settings.name.resource());
        let options = Options::new(settings, clock.clone(), rng);
        journals.push(host.open_journal(options).await?);
    }
    Ok(journals)
}
