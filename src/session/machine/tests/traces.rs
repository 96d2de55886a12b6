//! Traces of events: one each, begun with its turn and ended when it is durable.

use super::rig::{Rig, batch};
use crate::journal::AppendError;
use crate::proto::v1;
use crate::runtime::Clock;
use crate::telemetry::traces::{Recorder, SpanKind, TraceContext, Tracer, names};

fn traced(variables: &[(&str, &str)]) -> (Rig, Recorder) {
    let mut rig = Rig::on_websocket();
    let (tracer, spans) = Tracer::recording(&Clock::system(), variables);
    rig.machine.creations.tracer = tracer;
    (rig, spans)
}

fn context(event: &v1::Event) -> TraceContext {
    TraceContext::parse(&event.trace_parent).unwrap()
}

#[test]
fn each_event_carries_the_context_of_a_span_that_ends_when_it_is_durable() {
    let (mut rig, spans) = traced(&[]);
    rig.auto_append = false;
    rig.frame(&batch(&[1]));
    rig.secs(2);
    rig.frame(&batch(&[2, 3]));
    assert!(spans.take().is_empty(), "nothing is durable yet");
    rig.commit_one();
    let first = spans.take();
    rig.commit_one();
    let rest = spans.take();
    assert_eq!((first.len(), rest.len()), (1, 2));
    for (span, event) in first.iter().chain(&rest).zip(rig.platform_events()) {
        assert_eq!(span.name, "create journals/default");
        assert_eq!(span.kind, SpanKind::Producer);
        assert_eq!((span.context, span.parent), (context(event), 0));
        assert_eq!(span.attributes[names::MESSAGE_ID], event.id);
        assert_eq!(span.attributes[names::SEQUENCE], event.sequence.to_string());
        assert_eq!(span.attributes[names::SESSION], "sessions/cc");
        assert!(!span.failed);
    }
    assert_eq!(first[0].lasted, 2_000_000_000);
}

#[test]
fn what_is_not_recorded_leaves_no_mark_in_the_event() {
    for variables in [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
    ] {
        let (mut rig, spans) = traced(&[variables]);
        rig.frame(&batch(&[1]));
        assert_eq!(rig.numbers(), [1]);
        assert!(rig.platform_events().all(|e| e.trace_parent.is_empty()));
        assert!(spans.take().is_empty());
    }
}

#[test]
fn a_context_that_the_platform_sent_stays_and_is_joined() {
    const THEIRS: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (rig, spans) = traced(&[]);
    let mut event = v1::Event {
        trace_parent: THEIRS.to_owned(),
        ..v1::Event::default()
    };
    rig.machine.creations.begin(&mut event).unwrap().end();
    assert_eq!(event.trace_parent, THEIRS);
    let span = spans.take().pop().unwrap();
    assert_eq!(span.links, [TraceContext::parse(THEIRS).unwrap()]);
    assert_ne!(span.context, span.links[0]);
}

#[test]
fn an_event_that_the_journal_refuses_for_good_ends_its_trace_as_a_failure() {
    let (mut rig, spans) = traced(&[]);
    let read_only = AppendError::ReadOnly {
        reason: "test".to_owned(),
    };
    rig.journal.refusals.extend([read_only]);
    rig.frame(&batch(&[1]));
    drop(rig);
    let ended = spans.take();
    assert_eq!(ended.len(), 1);
    assert!(ended[0].failed);
}
