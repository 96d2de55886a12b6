//! [`Export`]: sends every figure to a collector now and then, as the standard `OTEL_*` variables say.
//!
//! It has a thread with a runtime of its own, so that a collector that is slow or gone costs the data
//! path nothing; and its end waits for a last request, though not long.

mod message;
mod send;
mod settings;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use self::message::Span;
use self::send::Way;
use self::settings::Settings;
use super::Source;
use crate::domain::WallTime;
use crate::runtime::{Clock, MonoTime};
use crate::telemetry::collector::BadValue;
use crate::telemetry::{Signal, stats};

/// How long the end of the process waits for the last figures: it is over three seconds after the drain.
const LAST_WORDS: Duration = Duration::from_millis(2_500);
/// How long that request may take: its failure is still counted and said.
const LAST_REQUEST: Duration = Duration::from_secs(2);

/// Sends figures until it is dropped, which waits for the last ones, though not for long: not on a
/// thread that others need.
#[derive(Debug)]
#[must_use = "nothing is sent once this is dropped"]
pub struct Export(Option<Running>);

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    ended: mpsc::Receiver<()>,
}

impl Export {
    /// Begins as the environment says; does nothing where it asks for nothing.
    pub fn from_environment(source: Arc<dyn Source>, clock: Clock) -> Self {
        let (settings, bad) = Settings::read(&|key| std::env::var(key).ok());
        bad.iter().for_each(BadValue::log);
        settings.map_or(Self(None), |settings| Self::start(settings, source, clock))
    }

    fn start(settings: Settings, source: Arc<dyn Source>, clock: Clock) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (ends, ended) = mpsc::channel();
        let work = move || {
            match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime.block_on(run(settings, source, clock, stopped)),
                Err(error) => tracing::error!(%error, "Figures are not sent"),
            }
            // Nobody waits any more once the time is up.
            ends.send(()).ok();
        };
        let thread = std::thread::Builder::new().name("metrics".to_owned());
        match thread.spawn(work) {
            Ok(_detached) => Self(Some(Running { stop, ended })),
            Err(error) => {
                tracing::error!(%error, "Figures are not sent");
                Self(None)
            }
        }
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.stop.send(()).ok();
            if running.ended.recv_timeout(LAST_WORDS).is_err() {
                tracing::warn!("The last figures were not sent");
            }
        }
    }
}

async fn run(
    settings: Settings,
    source: Arc<dyn Source>,
    clock: Clock,
    mut stopped: oneshot::Receiver<()>,
) {
    let since = clock.wall().as_nanos();
    let outcomes = &stats().outcomes;
    let way = match Way::new(&settings) {
        Ok(way) => way,
        Err(error) => {
            outcomes.is_off(Signal::Metrics, &error.to_string(), clock.wall());
            return tracing::error!(%error, "Figures are not sent");
        }
    };
    outcomes.goes_to(Signal::Metrics, &settings.endpoint, settings.protocol);
    let mut exports = Exports {
        way,
        resource: settings.resource,
        failing: false,
    };
    let mut ticks = interval_at(MonoTime::now() + settings.every, settings.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let span = |clock: &Clock| Span {
        since,
        at: clock.wall().as_nanos(),
    };
    loop {
        // Whoever lets go of the other end wants this one as well.
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            _ = ticks.tick() => {}
        }
        let export = exports.export(source.as_ref(), span(&clock), settings.timeout);
        tokio::select! {
            biased;
            () = export => {}
            // What is under way is given up for what is newer.
            _ = &mut stopped => break,
        }
    }
    let most = settings.timeout.min(LAST_REQUEST);
    exports.export(source.as_ref(), span(&clock), most).await;
}

struct Exports {
    way: Way,
    resource: Vec<(String, String)>,
    failing: bool,
}

impl Exports {
    /// Sends all figures once. That it fails is said once, until it succeeds again.
    async fn export(&mut self, source: &dyn Source, span: Span, most: Duration) {
        let request = message::request(&source.gather(), &self.resource, span);
        let sent = timeout(most, self.way.send(request)).await;
        let failure = match sent {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {most:?}")),
        };
        match &failure {
            None => stats().taken(Signal::Metrics),
            Some(error) => {
                let at = WallTime::from_nanos(span.at);
                let error = stats().refused(Signal::Metrics, error, at);
                if !self.failing {
                    tracing::warn!(error, "Figures not sent");
                }
            }
        }
        self.failing = failure.is_some();
    }
}

#[cfg(test)]
mod tests;
