//! Traces: short spans joined by links, on their way to a collector where the standard `OTEL_*`
//! variables name one.
//!
//! A [`Tracer`] that is off costs one branch. One that is on decides about a span before anything is
//! made for it, takes its ids from the [`Rng`] and its times from the [`Clock`] that it was given, and
//! hands what has ended to a bounded queue, behind which a thread with a runtime of its own exports it:
//! no collector, however it behaves, is ever waited for by events.

pub mod names;
mod otlp;
mod queue;
#[cfg(any(test, feature = "testing"))]
mod recorder;
mod sampling;
mod settings;
mod span;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry::InstrumentationScope;
pub use opentelemetry::trace::SpanKind;
use opentelemetry::trace::TraceState;
use parking_lot::Mutex;

pub use self::queue::{TraceCounts, TraceFlush};
#[cfg(any(test, feature = "testing"))]
pub use self::recorder::{Recorded, Recorder};
pub use self::span::Span;

use self::queue::Queue;
use self::sampling::{Budget, Sampler};
use self::settings::Settings;
use self::span::Beginning;
pub use crate::domain::TraceContext;
use crate::domain::WallTime;
use crate::runtime::{Clock, Rng};
use crate::telemetry::collector::{BadValue, Problem};
use crate::telemetry::{Signal, stats};

/// Spans of events that are recorded in one second, and as many of everything else; whatever the
/// sampler says.
const MOST_PER_SECOND: u32 = 500;

/// Begins spans. Clones share everything; the default is off.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<Core>>);

#[derive(Debug)]
struct Core {
    clock: Clock,
    rng: Rng,
    sampler: Sampler,
    most_links: usize,
    takes_context: bool,
    creations: Mutex<Budget>,
    others: Mutex<Budget>,
    scope: InstrumentationScope,
    queue: Queue,
}

/// What a caller says of the span that called.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// `traceparent`.
    pub parent: &'a str,
    /// `tracestate`; empty where there is none.
    pub state: &'a str,
}

impl Tracer {
    /// Records nothing.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// As the environment says: off, unless it names a collector. What it says that cannot be used is
    /// logged. The [`TraceFlush`] is to be dropped last.
    #[must_use]
    pub fn from_environment(clock: &Clock, rng: &Rng) -> (Self, Option<TraceFlush>) {
        let (settings, bad) = Settings::read(&|key| std::env::var(key).ok());
        bad.iter().for_each(BadValue::log);
        let Some(settings) = settings else {
            return (Self::off(), None);
        };
        let outcomes = &stats().outcomes;
        match Self::exporting(&settings, clock, rng) {
            Ok((tracer, flush)) => {
                outcomes.goes_to(Signal::Traces, &settings.endpoint, settings.protocol);
                tracing::info!(protocol = ?settings.protocol, "Traces are exported");
                (tracer, Some(flush))
            }
            Err(error) => {
                let hint =
                    "mend the OTEL_EXPORTER_OTLP_ variable that it names; no traces until then";
                outcomes.is_off(Signal::Traces, &error.to_string(), clock.wall());
                tracing::warn!(%error, hint, "Traces cannot be exported");
                (Self::off(), None)
            }
        }
    }

    fn exporting(
        settings: &Settings,
        clock: &Clock,
        rng: &Rng,
    ) -> Result<(Self, TraceFlush), Problem> {
        let settings = &settings.clone().named_instance(uuid(rng));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let exporter = {
            let _within = runtime.enter();
            otlp::exporter(settings)
        };
        let exporter = match exporter {
            Ok(exporter) => exporter,
            Err(problem) => {
                // Dropped, it would wait, which nobody may who runs on another.
                runtime.shutdown_background();
                return Err(problem);
            }
        };
        let (queue, spans) = Queue::new(settings.pace.queue);
        let pace = (settings.pace, clock.clone());
        let flush = queue.export(spans, exporter, runtime, pace)?;
        Ok((Self::with(settings, clock, rng, queue), flush))
    }

    fn with(settings: &Settings, clock: &Clock, rng: &Rng, queue: Queue) -> Self {
        let scope = InstrumentationScope::builder("tieline")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Self(Some(Arc::new(Core {
            clock: clock.clone(),
            rng: rng.fork("traces"),
            sampler: settings.sampler,
            most_links: settings.most_links,
            takes_context: settings.takes_context,
            creations: Mutex::new(Budget::new(MOST_PER_SECOND)),
            others: Mutex::new(Budget::new(MOST_PER_SECOND)),
            scope,
            queue,
        })))
    }

    /// Whether anything can be recorded.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What became of the spans so far; `None` where traces are off.
    #[must_use]
    pub fn counts(&self) -> Option<TraceCounts> {
        self.0.as_ref().map(|core| core.queue.counts())
    }

    /// Begins the trace of an event, whose context the event carries from then on.
    #[inline]
    #[must_use]
    pub fn create(&self, at: WallTime, name: impl FnOnce() -> String) -> Option<Span> {
        let core = self.0.as_ref()?;
        let beginning = core.root(&core.creations, at)?;
        Some(core.begin(SpanKind::Producer, name().into(), at, beginning))
    }

    /// Begins a trace.
    #[inline]
    #[must_use]
    pub fn start<N: Into<Cow<'static, str>>>(
        &self,
        kind: SpanKind,
        name: impl FnOnce() -> N,
    ) -> Option<Span> {
        let core = self.0.as_ref()?;
        let at = core.clock.wall();
        let beginning = core.root(&core.others, at)?;
        Some(core.begin(kind, name().into(), at, beginning))
    }

    /// Begins a trace that is joined to others: it is recorded where one of them is.
    #[must_use]
    pub fn join<N: Into<Cow<'static, str>>>(
        &self,
        kind: SpanKind,
        links: impl Iterator<Item = TraceContext>,
        name: impl FnOnce() -> N,
    ) -> Option<Span> {
        let core = self.0.as_ref()?;
        let mut recorded = links.filter(TraceContext::is_sampled).peekable();
        recorded.peek()?;
        let at = core.clock.wall();
        let beginning = core.within(&core.others, at, core.trace_id(), None)?;
        let mut span = core.begin(kind, name().into(), at, beginning);
        recorded.for_each(|context| span.link(context));
        Some(span)
    }

    /// Begins the span of a call, below the caller's where that says which it is.
    #[must_use]
    pub fn serve<N: Into<Cow<'static, str>>>(
        &self,
        caller: Option<Caller<'_>>,
        name: impl FnOnce() -> N,
    ) -> Option<Span> {
        let core = self.0.as_ref()?;
        let caller = caller.filter(|_| core.takes_context);
        let parent = caller.and_then(|caller| TraceContext::parse(caller.parent));
        let trace = parent.map_or_else(|| core.trace_id(), |parent| parent.trace);
        if !core.sampler.takes(trace, parent) {
            return None;
        }
        let at = core.clock.wall();
        let mut beginning = core.within(&core.others, at, trace, parent)?;
        if let (Some(caller), Some(_)) = (caller, parent) {
            beginning.state = caller.state.parse().unwrap_or_default();
        }
        Some(core.begin(SpanKind::Server, name().into(), at, beginning))
    }
}

/// A random name, as RFC 9562 writes it (version 4).
fn uuid(rng: &Rng) -> String {
    let bits = u128::from(rng.bits()) << 64 | u128::from(rng.bits());
    let bits = bits & !(0xf << 76) & !(3 << 62) | 4 << 76 | 2 << 62;
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    let parts = parts.map(|part| hex.get(part).unwrap_or_default());
    parts.join("-")
}

/// Where a span stands.
#[derive(Debug)]
struct Place {
    context: TraceContext,
    parent: Option<TraceContext>,
    state: TraceState,
}

impl Core {
    fn trace_id(&self) -> u128 {
        loop {
            let id = u128::from(self.rng.bits()) << 64 | u128::from(self.rng.bits());
            if id != 0 {
                return id;
            }
        }
    }

    fn span_id(&self) -> u64 {
        loop {
            let id = self.rng.bits();
            if id != 0 {
                return id;
            }
        }
    }

    fn root(&self, budget: &Mutex<Budget>, at: WallTime) -> Option<Place> {
        let trace = self.trace_id();
        if !self.sampler.takes(trace, None) {
            return None;
        }
        self.within(budget, at, trace, None)
    }

    fn within(
        &self,
        budget: &Mutex<Budget>,
        at: WallTime,
        trace: u128,
        parent: Option<TraceContext>,
    ) -> Option<Place> {
        if !budget.lock().take(at) {
            self.queue.withheld();
            return None;
        }
        let context = TraceContext {
            trace,
            span: self.span_id(),
            sampled: true,
        };
        Some(Place {
            context,
            parent,
            state: TraceState::NONE,
        })
    }

    fn begin(
        self: &Arc<Self>,
        kind: SpanKind,
        name: Cow<'static, str>,
        at: WallTime,
        place: Place,
    ) -> Span {
        let beginning = Beginning {
            context: place.context,
            parent: place.parent,
            state: place.state,
            kind,
            name,
            at,
        };
        Span::begin(Arc::clone(self), beginning)
    }
}
