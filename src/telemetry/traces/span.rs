//! [`Span`]: what is recorded of something that happens.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::{Core, TraceContext, names};
use crate::domain::WallTime;

/// Something that happens and is recorded. Ends when it is told to; where it is dropped before that, it
/// ends as cancelled.
#[derive(Debug)]
pub struct Span(Option<Box<Recording>>);

#[derive(Debug)]
struct Recording {
    core: Arc<Core>,
    context: TraceContext,
    began: WallTime,
    data: SpanData,
}

/// What a span begins with.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) context: TraceContext,
    pub(super) parent: Option<TraceContext>,
    pub(super) state: TraceState,
    pub(super) kind: SpanKind,
    pub(super) name: Cow<'static, str>,
    pub(super) at: WallTime,
}

impl Span {
    pub(super) fn begin(core: Arc<Core>, beginning: Beginning) -> Self {
        let parent = beginning.parent;
        let data = SpanData {
            span_context: otel(beginning.context, false, beginning.state),
            parent_span_id: parent.map_or(SpanId::INVALID, |p| SpanId::from(p.span)),
            parent_span_is_remote: parent.is_some(),
            span_kind: beginning.kind,
            name: beginning.name,
            start_time: system(beginning.at),
            end_time: system(beginning.at),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: core.scope.clone(),
        };
        Self(Some(Box::new(Recording {
            core,
            context: beginning.context,
            began: beginning.at,
            data,
        })))
    }

    /// Its name for others.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        self.0.as_ref().map(|recording| recording.context)
    }

    /// When it began.
    #[must_use]
    pub fn began(&self) -> Option<WallTime> {
        self.0.as_ref().map(|recording| recording.began)
    }

    /// What is logged within it says which trace that belongs to.
    #[must_use]
    pub fn in_log(&self) -> tracing::Span {
        let Some(context) = self.context() else {
            return tracing::Span::none();
        };
        let trace_id = format_args!("{:032x}", context.trace);
        let span_id = format_args!("{:016x}", context.span);
        tracing::info_span!("trace", %trace_id, %span_id)
    }

    /// Sets an attribute, whose key is one of [`names`].
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(recording) = &mut self.0 {
            recording.data.attributes.push(KeyValue::new(key, value));
        }
    }

    /// Joins it to another span. Beyond the limit it is counted alone.
    pub fn link(&mut self, to: TraceContext) {
        let Some(recording) = &mut self.0 else {
            return;
        };
        let links = &mut recording.data.links;
        if links.links.len() < recording.core.most_links {
            let to = otel(to, true, TraceState::NONE);
            links.links.push(Link::with_context(to));
        } else {
            links.dropped_count = links.dropped_count.saturating_add(1);
        }
    }

    /// It failed, for a reason in a word.
    pub fn fail(&mut self, reason: impl Into<Cow<'static, str>>) {
        let reason = reason.into();
        if let Some(recording) = &mut self.0 {
            recording.data.status = Status::error(reason.clone());
        }
        match reason {
            Cow::Borrowed(reason) => self.set(names::ERROR_TYPE, reason),
            Cow::Owned(reason) => self.set(names::ERROR_TYPE, reason),
        }
    }

    /// Ends it now.
    pub fn end(self) {
        if let Some(recording) = &self.0 {
            let now = recording.core.clock.wall();
            self.end_at(now);
        }
    }

    /// Ends it at this moment.
    pub fn end_at(mut self, at: WallTime) {
        self.finish(at);
    }

    fn finish(&mut self, at: WallTime) {
        if let Some(recording) = self.0.take() {
            let Recording { core, mut data, .. } = *recording;
            data.end_time = system(at).max(data.start_time);
            core.queue.take(data);
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(recording) = &self.0 {
            let now = recording.core.clock.wall();
            self.fail("cancelled");
            self.finish(now);
        }
    }
}

fn otel(context: TraceContext, remote: bool, state: TraceState) -> SpanContext {
    let flags = match context.sampled {
        true => TraceFlags::SAMPLED,
        false => TraceFlags::default(),
    };
    SpanContext::new(
        TraceId::from(context.trace),
        SpanId::from(context.span),
        flags,
        remote,
        state,
    )
}

fn system(at: WallTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(at.as_nanos())
}
