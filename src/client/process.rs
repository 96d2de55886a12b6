//! The span of what a subscriber handles: `process journals/…`, joined to the events by links.

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue, global};

use super::Batch;

/// Of more, collectors keep no more.
const MOST_LINKS: usize = 128;

/// Begins the span of a batch; `None` where it has no event. It ends when nobody holds it.
pub(super) fn begin(journal: &str, batch: &Batch) -> Option<Context> {
    if batch.events.is_empty() {
        return None;
    }
    let created = batch.events.iter();
    let links = created
        .filter_map(|event| context(&event.trace_parent, &event.trace_state))
        .take(MOST_LINKS)
        .map(Link::with_context)
        .collect();
    let tracer = global::tracer("tieline");
    let span = tracer
        .span_builder(format!("process {journal}"))
        .with_kind(SpanKind::Consumer)
        .with_links(links)
        .with_attributes([
            KeyValue::new("messaging.system", "tieline"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.destination.name", journal.to_owned()),
            KeyValue::new(
                "messaging.batch.message_count",
                i64::try_from(batch.events.len()).unwrap_or(i64::MAX),
            ),
        ])
        .start(&tracer);
    Some(Context::current_with_span(span))
}

/// Notes that the handler failed; why is for its own log.
pub(super) fn failed(context: &Context) {
    context
        .span()
        .set_status(Status::error("the handler failed"));
}

/// The span that `traceparent` names, if it names one.
fn context(parent: &str, state: &str) -> Option<SpanContext> {
    let mut parts = parent.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let whole = [version, trace, span, flags].map(str::len) == [2, 32, 16, 2];
    if !whole || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED,
        true,
        state.parse::<TraceState>().unwrap_or_default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_names_a_span_or_nothing() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let named = context(&format!("00-{trace}-b7ad6b7169203331-01"), "a=1").unwrap();
        assert_eq!(named.trace_id().to_string(), trace);
        assert_eq!(named.span_id().to_string(), "b7ad6b7169203331");
        assert!(named.is_sampled() && named.is_remote());
        assert_eq!(named.trace_state().header(), "a=1");
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{trace}-b7ad6b7169203331"),
            format!("00-{trace}-b7ad6b7169203331-01-x"),
            format!("ff-{trace}-b7ad6b7169203331-01"),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{trace}-b7ad6b716920333x-01"),
        ] {
            assert_eq!(context(&text, ""), None, "{text}");
        }
    }
}
