//! [`Sends`]: what one subscriber is sent while it is live, as spans that are joined to those of the
//! events. What is replayed has none, for it was created long before.

use crate::feed::{Delivery, Notice};
use crate::telemetry::traces::{Span, SpanKind, TraceContext, Tracer, names};

/// The spans of one stream, one after the other: none lasts as long as the stream does.
#[derive(Debug)]
pub(super) struct Sends {
    tracer: Tracer,
    journal: String,
    subscriber: u64,
    span: Option<Span>,
}

impl Sends {
    pub(super) fn new(tracer: &Tracer) -> Self {
        Self {
            tracer: tracer.clone(),
            journal: String::new(),
            subscriber: 0,
            span: None,
        }
    }

    /// A response is about to be sent; the span of that, where it is recorded.
    #[inline]
    pub(super) fn begin(&mut self, delivery: &Delivery) -> Option<TraceContext> {
        if self.tracer.is_on() {
            self.consider(delivery);
        }
        self.span.as_ref()?.context()
    }

    /// All of it was handed to the connection, which took it as flow control allowed.
    #[inline]
    pub(super) fn end(&mut self) {
        if let Some(span) = self.span.take() {
            span.end();
        }
    }

    fn consider(&mut self, delivery: &Delivery) {
        if let Some(Notice::Opened(opened)) = &delivery.notice {
            self.journal = opened.journal.resource();
            self.subscriber = opened.subscriber;
        }
        if !delivery.live || delivery.elements.is_empty() {
            return;
        }
        let mut contexts = Vec::new();
        delivery.trace_parents(|text| contexts.extend(TraceContext::parse(text)));
        let name = || format!("{} {}", names::SEND, self.journal);
        let joined = self
            .tracer
            .join(SpanKind::Client, contexts.into_iter(), name);
        self.span = joined.map(|mut span| {
            span.set(names::MESSAGING_SYSTEM, names::SYSTEM);
            span.set(names::OPERATION_NAME, names::SEND);
            span.set(names::OPERATION_TYPE, names::SEND);
            span.set(names::DESTINATION, self.journal.clone());
            let count = i64::try_from(delivery.elements.count()).unwrap_or(i64::MAX);
            span.set(names::BATCH_COUNT, count);
            let subscriber = self.subscriber;
            let subscriber = format!("{}/subscribers/{subscriber}", self.journal);
            span.set(names::SUBSCRIBER, subscriber);
            span
        });
    }
}
