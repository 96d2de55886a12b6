//! [`Process`]: the sidecar as the commands see it.

use std::convert::Infallible;
use std::path::Path;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{App, Ended, StartError, Stop, reach};
use crate::cli::{Application, CommandError, JournalAction, JournalReport};
use crate::config::{Config, Sources};
use crate::journal::{OpenError, offline};
use crate::runtime::{Clock, EndSignals, Hangups, Rng, offload, raise_open_files};
use crate::telemetry::metrics::Export;
use crate::telemetry::traces::Tracer;

/// The one application of this binary.
#[derive(Debug)]
pub struct Process;

#[async_trait]
impl Application for Process {
    async fn run(&self, config: Config, sources: Sources) -> Result<(), CommandError> {
        provide_for(&config);
        let signals = EndSignals::listen().map_err(|error| CommandError::Bug(error.into()))?;
        let hangups = Hangups::listen().map_err(|error| CommandError::Bug(error.into()))?;
        let rng = Rng::from_entropy();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            seed = rng.seed(),
            "Starting"
        );
        let clock = Clock::system();
        let (tracer, flush) = Tracer::from_environment(&clock, &rng);
        let world = World { clock, rng, tracer };
        let mut export = None;
        let ended = serve(config, sources, world, (signals, hangups), &mut export).await;
        // Each waits, though not long: at the same time, and not on a thread that others need.
        let figures = offload(move || drop(export));
        let _ended_anyway = tokio::join!(figures, offload(move || drop(flush)));
        ended
    }

    fn journal(&self, action: JournalAction, dir: &Path) -> Result<JournalReport, CommandError> {
        match action {
            JournalAction::Inspect => {
                JournalReport::new(&offline::inspect(dir).map_err(damaged)?, true)
            }
            JournalAction::Verify => {
                let found = offline::verify(dir).map_err(damaged)?;
                JournalReport::new(&found, found.is_sound())
            }
            JournalAction::NewEpoch => {
                let epoch = offline::new_epoch(dir).map_err(damaged)?.to_string();
                Ok(JournalReport {
                    text: format!("{} is epoch {epoch} from now on", dir.display()),
                    json: serde_json::json!({ "epoch": epoch }),
                    sound: true,
                })
            }
        }
    }
}

/// What a sidecar is started with besides its configuration.
struct World {
    clock: Clock,
    rng: Rng,
    tracer: Tracer,
}

/// Serves until it is asked to end; what then still sends figures is left in `export`.
async fn serve(
    config: Config,
    sources: Sources,
    World { clock, rng, tracer }: World,
    (mut signals, hangups): (EndSignals, Hangups),
    export: &mut Option<Export>,
) -> Result<(), CommandError> {
    let starting = App::start_traced(config, clock.clone(), rng, tracer);
    let mut app = tokio::select! {
        biased;
        signal = signals.next() => {
            tracing::info!(signal, "Ended while starting");
            return Ok(());
        }
        started = starting => started.map_err(refused)?,
    };
    app.follow(sources, hangups);
    tracing::info!(
        grpc = ?app.addresses(),
        health = app.health_address().unwrap_or("off"),
        admin = ?app.admin_addresses(),
        "Serving"
    );
    *export = Some(Export::from_environment(app.figures(), clock));
    let (stops, told) = mpsc::channel(1);
    let ended = tokio::select! {
        ended = app.run_until(told) => ended,
        never = relay(signals, stops) => match never {},
    };
    match ended {
        Ended::Drained | Ended::Cut => Ok(()),
        Ended::Failed(failure) => Err(CommandError::Bug(failure.into())),
    }
}

/// Has as many files as the system allows, and says so where they cannot be enough: each guest's
/// session is a socket, and so is each caller.
fn provide_for(config: &Config) {
    let wanted = reach::sockets(config) + reach::OTHER_FILES;
    if let Some(limit) = raise_open_files()
        && limit < wanted
    {
        let hint = "raise the hard limit (ulimit -n, LimitNOFILE), or lower \
            listen.limits.connections or max_dynamic_sessions";
        tracing::warn!(limit, wanted, hint, "Too few open files are allowed");
    }
}

/// The first signal asks for an orderly end, every further one for an end at once.
async fn relay(mut signals: EndSignals, stops: mpsc::Sender<Stop>) -> Infallible {
    let mut stop = Stop::Drain;
    loop {
        let signal = signals.next().await;
        tracing::info!(signal, "Asked to end");
        // Full: it has been told already.
        let _full = stops.try_send(stop).is_err();
        stop = Stop::Now;
    }
}

fn damaged(error: OpenError) -> CommandError {
    CommandError::Journal(error.into())
}

/// Which exit code a refused start means: the journal's, or the configuration's.
fn refused(error: StartError) -> CommandError {
    match error {
        StartError::Journal { .. } => CommandError::Journal(error.into()),
        StartError::Grpc(_)
        | StartError::Doors(_)
        | StartError::Health(_)
        | StartError::Admin(_)
        | StartError::Session(_)
        | StartError::Template(_)
        | StartError::Key(_)
        | StartError::Dialect(_) => CommandError::Setting(error.into()),
        StartError::Server(_) | StartError::Panicked { .. } => CommandError::Bug(error.into()),
    }
}
