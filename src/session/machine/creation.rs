//! The trace of an event: from when its turn has come until it is durable. Its context goes with the
//! event, to be joined by whoever gets it.

use super::io::At;
use crate::domain::{Sequence, WallTime};
use crate::proto::v1;
use crate::proto::v1::event::Origin;
use crate::telemetry::traces::{Span, TraceContext, Tracer, names};

/// Begins the traces of a session's events.
#[derive(Debug)]
pub(super) struct Creations {
    pub(super) tracer: Tracer,
    journal: String,
    /// The moment of the present input.
    now: WallTime,
}

impl Creations {
    pub(super) fn new(tracer: Tracer, journal: String, at: At) -> Self {
        Self {
            tracer,
            journal,
            now: at.wall,
        }
    }

    pub(super) fn turn(&mut self, at: At) {
        self.now = at.wall;
    }

    /// Begins the trace of an event, where it is to be recorded, and writes its context into the event.
    /// A context that the platform sent stays as it is, and is joined.
    #[inline]
    pub(super) fn begin(&self, draft: &mut v1::Event) -> Option<Span> {
        let name = || format!("{} {}", names::CREATE, self.journal);
        let span = self.tracer.create(self.now, name)?;
        Some(self.describe(span, draft))
    }

    fn describe(&self, mut span: Span, draft: &mut v1::Event) -> Span {
        if draft.trace_parent.is_empty() {
            draft.trace_parent = span.context().map(|c| c.to_string()).unwrap_or_default();
        } else if let Some(theirs) = TraceContext::parse(&draft.trace_parent) {
            span.link(theirs);
        }
        span.set(names::MESSAGING_SYSTEM, names::SYSTEM);
        span.set(names::OPERATION_NAME, names::CREATE);
        span.set(names::OPERATION_TYPE, names::CREATE);
        span.set(names::DESTINATION, self.journal.clone());
        span.set(names::MESSAGE_ID, draft.id.clone());
        span.set(names::EVENT_TYPE, draft.r#type.clone());
        span.set(names::EVENT_SOURCE, draft.source.clone());
        span.set(names::SESSION, draft.session.clone());
        span.set(names::BACKFILLED, draft.origin() == Origin::Backfill);
        let size = i64::try_from(draft.raw_data.len()).unwrap_or(i64::MAX);
        span.set(names::BODY_SIZE, size);
        span
    }
}

/// What was begun is durable.
pub(super) fn durable(at: At, mut span: Span, sequence: Sequence) {
    let sequence = i64::try_from(sequence.get()).unwrap_or(i64::MAX);
    span.set(names::SEQUENCE, sequence);
    span.end_at(at.wall);
}
