//! [`Recorder`]: keeps the spans of a tracer for a test to look at.

use std::collections::BTreeMap;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use parking_lot::Mutex;
use tokio::sync::mpsc::Receiver;

use super::queue::Queue;
use super::settings::Settings;
use super::{TraceContext, Tracer};
use crate::runtime::{Clock, Rng};

/// Where the spans of a tracer end up.
#[derive(Debug)]
pub struct Recorder(Mutex<Receiver<SpanData>>);

/// A span that has ended.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SpanKind,
    /// Which it is.
    pub context: TraceContext,
    /// `span` of its parent; zero where it has none.
    pub parent: u64,
    /// What it is joined to.
    pub links: Vec<TraceContext>,
    /// Links that were more than the limit.
    pub more_links: u32,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// Whether it failed.
    pub failed: bool,
    /// Nanoseconds from its beginning to its end.
    pub lasted: u128,
}

impl Tracer {
    /// A tracer whose spans are kept; the variables as in the environment.
    #[must_use]
    pub fn recording(clock: &Clock, variables: &[(&str, &str)]) -> (Self, Recorder) {
        let get = |key: &str| {
            let own = variables.iter().find(|(name, _)| *name == key);
            match (own, key) {
                (Some((_, value)), _) => Some((*value).to_owned()),
                (None, "OTEL_TRACES_EXPORTER") => Some("otlp".to_owned()),
                (None, _) => None,
            }
        };
        let (queue, spans) = Queue::new(4096);
        let tracer = match Settings::read(&get).0 {
            Some(settings) => Self::with(&settings, clock, &Rng::from_seed(7), queue),
            None => Self::off(),
        };
        (tracer, Recorder(Mutex::new(spans)))
    }
}

impl Recorder {
    /// The spans that have ended since this was last asked, in the order of their ends.
    pub fn take(&self) -> Vec<Recorded> {
        let mut spans = self.0.lock();
        std::iter::from_fn(|| spans.try_recv().ok())
            .map(recorded)
            .collect()
    }
}

fn recorded(data: SpanData) -> Recorded {
    let context = |of: &opentelemetry::trace::SpanContext| TraceContext {
        trace: u128::from_be_bytes(of.trace_id().to_bytes()),
        span: u64::from_be_bytes(of.span_id().to_bytes()),
        sampled: of.is_sampled(),
    };
    let lasted = data.end_time.duration_since(data.start_time);
    Recorded {
        name: data.name.into_owned(),
        kind: data.span_kind,
        context: context(&data.span_context),
        parent: u64::from_be_bytes(data.parent_span_id.to_bytes()),
        links: data
            .links
            .iter()
            .map(|l| context(&l.span_context))
            .collect(),
        more_links: data.links.dropped_count,
        attributes: data
            .attributes
            .iter()
            .map(|pair| (pair.key.to_string(), pair.value.to_string()))
            .collect(),
        failed: matches!(data.status, Status::Error { .. }),
        lasted: lasted.unwrap_or_default().as_nanos(),
    }
}
