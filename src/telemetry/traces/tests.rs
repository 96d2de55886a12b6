//! Behaviours of traces, with spans kept in memory and with exporters that misbehave.

use std::future::pending;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::queue::Queue;
use super::settings::Settings;
use super::*;

fn clock() -> Clock {
    Clock::system()
}

fn created(tracer: &Tracer) -> Option<Span> {
    tracer.create(clock().wall(), || "create journals/default".to_owned())
}

#[test]
fn a_tracer_that_is_off_begins_nothing() {
    let (tracer, spans) = Tracer::recording(&clock(), &[("OTEL_SDK_DISABLED", "true")]);
    assert!(!tracer.is_on());
    assert!(created(&tracer).is_none());
    assert!(tracer.start(SpanKind::Client, || "connect a").is_none());
    assert!(spans.take().is_empty());
}

#[test]
fn a_joined_span_is_a_trace_of_its_own_that_is_recorded_where_one_it_joins_is() {
    let (tracer, spans) = Tracer::recording(&clock(), &[("OTEL_SPAN_LINK_COUNT_LIMIT", "2")]);
    let contexts: Vec<TraceContext> = (0..3).filter_map(|_| created(&tracer)?.context()).collect();
    let unrecorded = TraceContext {
        sampled: false,
        ..contexts[0]
    };
    let none = [unrecorded].into_iter();
    assert!(tracer.join(SpanKind::Client, none, || "send a").is_none());
    let all = contexts.iter().copied();
    let joined = tracer.join(SpanKind::Client, all, || "send a").unwrap();
    joined.end();
    let send = spans.take().pop().unwrap();
    assert_eq!(send.links, contexts[..2]);
    assert_eq!(send.more_links, 1);
    assert_eq!(send.parent, 0);
    assert!(contexts.iter().all(|c| c.trace != send.context.trace));
}

#[test]
fn a_call_goes_on_with_the_trace_of_its_caller() {
    let (tracer, spans) = Tracer::recording(&clock(), &[]);
    let caller = |parent| {
        Some(Caller {
            parent,
            state: "v=1",
        })
    };
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    tracer.serve(caller(parent), || "a/B").unwrap().end();
    let span = spans.take().pop().unwrap();
    assert_eq!(
        span.context.trace,
        0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c
    );
    assert_eq!(span.parent, 0xb7ad_6b71_6920_3331);
    assert_eq!(span.kind, SpanKind::Server);
    let unsampled = parent.replace("-01", "-00");
    assert!(tracer.serve(caller(&unsampled), || "a/B").is_none());
    tracer.serve(caller("nonsense"), || "a/B").unwrap().end();
    assert_eq!(spans.take().pop().unwrap().parent, 0);
}

#[test]
fn a_span_that_is_dropped_ends_as_cancelled() {
    let (tracer, spans) = Tracer::recording(&clock(), &[]);
    drop(tracer.start(SpanKind::Client, || "connect a"));
    let span = spans.take().pop().unwrap();
    assert!(span.failed);
    assert_eq!(span.attributes[names::ERROR_TYPE], "cancelled");
}

#[test]
fn a_second_has_its_share_of_spans_and_what_is_more_is_counted() {
    let (tracer, _spans) = Tracer::recording(&clock(), &[]);
    let at = WallTime::from_millis(1_000);
    let recorded = (0..600).filter(|_| tracer.create(at, String::new).is_some());
    assert_eq!(recorded.count(), 500);
    assert_eq!(tracer.counts().unwrap().withheld, 100);
}

#[test]
fn a_process_has_a_name_of_its_own_unless_it_is_given_one() {
    let name = uuid(&Rng::from_seed(7));
    let lengths: Vec<usize> = name.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert_eq!(name.as_bytes()[14], b'4');
    assert!(b"89ab".contains(&name.as_bytes()[19]));
    let named = |attributes: &'static str| {
        let get = |key: &str| match key {
            "OTEL_TRACES_EXPORTER" => Some("otlp".to_owned()),
            "OTEL_RESOURCE_ATTRIBUTES" => Some(attributes.to_owned()),
            _ => None,
        };
        let settings = Settings::read(&get).0.unwrap();
        settings.named_instance("ours".to_owned()).resource.pop()
    };
    let of = |name: &str| Some(("service.instance.id".to_owned(), name.to_owned()));
    assert_eq!(named(""), of("ours"));
    assert_eq!(named("service.instance.id=theirs"), of("theirs"));
}

#[test]
fn the_same_seed_gives_the_same_ids() {
    let ids = || {
        let (tracer, _spans) = Tracer::recording(&clock(), &[]);
        created(&tracer).unwrap().context()
    };
    assert_eq!(ids(), ids());
}

/// Does with a batch what the test wants.
#[derive(Debug)]
enum Collector {
    Silent,
    Keeps(std::sync::mpsc::Sender<usize>),
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        match self {
            Self::Silent => pending().await,
            Self::Keeps(kept) => kept.send(batch.len()).unwrap(),
        }
        Ok(())
    }
}

fn exporting(collector: Collector, variables: &[(&str, &str)]) -> (Tracer, TraceFlush) {
    let get = |key: &str| {
        let own = variables.iter().find(|(name, _)| *name == key);
        own.map(|(_, value)| (*value).to_owned())
            .or_else(|| (key == "OTEL_TRACES_EXPORTER").then(|| "otlp".to_owned()))
    };
    let settings = Settings::read(&get).0.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (queue, spans) = Queue::new(settings.pace.queue);
    let pace = (settings.pace, clock());
    let flush = queue.export(spans, collector, runtime, pace).unwrap();
    let tracer = Tracer::with(&settings, &clock(), &Rng::from_seed(7), queue);
    (tracer, flush)
}

#[test]
fn what_has_ended_is_exported_before_the_process_ends() {
    let (kept, told) = std::sync::mpsc::channel();
    // Neither the delay nor a full batch would have them leave in the time of a test.
    let slow = [("OTEL_BSP_SCHEDULE_DELAY", "3600000")];
    let (tracer, flush) = exporting(Collector::Keeps(kept), &slow);
    for _ in 0..400 {
        let span = tracer.join(SpanKind::Client, sampled(), || "send a");
        span.unwrap().end();
    }
    drop(flush);
    assert_eq!(told.try_iter().sum::<usize>(), 400);
    assert_eq!(tracer.counts().unwrap().exported, 400);
}

fn sampled() -> std::iter::Once<TraceContext> {
    std::iter::once(TraceContext {
        trace: 1,
        span: 1,
        sampled: true,
    })
}

#[test]
fn a_collector_that_never_answers_costs_spans_that_are_counted_and_no_end() {
    let small = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
    ];
    let (tracer, flush) = exporting(Collector::Silent, &small);
    for _ in 0..100 {
        created(&tracer).unwrap().end();
    }
    let counts = tracer.counts().unwrap();
    assert!(counts.dropped >= 80, "{counts:?}");
    assert_eq!(counts.exported, 0);
    // The runner ends a test that hangs: this returns although the collector does not.
    drop(flush);
}

#[test]
fn a_collector_without_an_answer_is_given_up_after_its_timeout() {
    let short = [
        ("OTEL_BSP_EXPORT_TIMEOUT", "1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
    ];
    let (tracer, flush) = exporting(Collector::Silent, &short);
    created(&tracer).unwrap().end();
    drop(flush);
    assert_eq!(tracer.counts().unwrap().failed, 1);
}
