//! Spans of calls and of deliveries, over real sockets.

use super::*;
use crate::feed::tests::{bench, draft};
use crate::telemetry::traces::{Recorded, Recorder, SpanKind, names};

const ONE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
const UNRECORDED: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b8-00";

async fn traced() -> (Edge, Recorder) {
    let bench = bench();
    let (tracer, spans) = Tracer::recording(&bench.clock, &[]);
    let feeds = vec![bench.feed.clone()];
    let listener = Listener::bind("127.0.0.1:0", SocketMode::Owner).await;
    let edge = serve_traced(bench, feeds, vec![listener.unwrap()], tracer);
    (edge, spans)
}

fn created(number: u64, context: &str) -> v1::Event {
    v1::Event {
        trace_parent: context.to_owned(),
        ..draft(number)
    }
}

/// Waits for the next span.
async fn next(spans: &Recorder) -> Recorded {
    within(async {
        loop {
            if let Some(span) = spans.take().pop() {
                return span;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn what_a_live_reader_is_sent_is_joined_to_what_was_created_and_a_replay_is_not() {
    let (edge, spans) = traced().await;
    edge.bench.append(vec![created(1, ONE)]).await;
    let mut client = edge.events().await;
    let request = v1::SubscribeRequest {
        start: earliest(),
        ..Default::default()
    };
    let mut stream = within(client.subscribe(request))
        .await
        .unwrap()
        .into_inner();
    while !matches!(message(&mut stream).await.notice, Some(Notice::CaughtUp(_))) {}
    assert!(spans.take().is_empty(), "a replay");
    let plain = draft(2);
    let events = vec![plain, created(3, OTHER), created(4, UNRECORDED)];
    edge.bench.append(events).await;
    while numbers(&[message(&mut stream).await]).is_empty() {}
    let span = next(&spans).await;
    assert_eq!(span.name, "send journals/default");
    assert_eq!(span.kind, SpanKind::Client);
    let links: Vec<String> = span.links.iter().map(ToString::to_string).collect();
    assert_eq!(links, [OTHER]);
    assert_eq!(span.attributes[names::BATCH_COUNT], "3");
    assert!(!span.failed);
    let delay = edge.bench.feed.stats().counted.delay;
    let shown: Vec<_> = (0..delay.counts().len())
        .filter_map(|class| Some((delay.counts()[class], delay.exemplar(class)?.0.span)))
        .collect();
    let [(count, shown)] = shown[..] else {
        panic!("{shown:?}");
    };
    assert!(count >= 3 && shown == span.context, "it shows its delay");
}

#[tokio::test]
async fn a_call_is_a_span_below_that_of_its_caller() {
    let (edge, spans) = traced().await;
    let mut client = edge.events().await;
    let mut request = tonic::Request::new(v1::GetJournalRequest {
        name: "journals/default".to_owned(),
    });
    let parent = ONE.parse().unwrap();
    request.metadata_mut().insert("traceparent", parent);
    within(client.get_journal(request)).await.unwrap();
    let span = next(&spans).await;
    assert_eq!(span.name, "tieline.v1.EventService/GetJournal");
    assert_eq!(span.kind, SpanKind::Server);
    assert_eq!(span.parent, 0xb7ad_6b71_6920_3331);
    assert_eq!(span.attributes[names::RPC_STATUS], "OK");
    let unknown = v1::GetJournalRequest {
        name: "journals/none".to_owned(),
    };
    within(client.get_journal(unknown)).await.unwrap_err();
    let span = next(&spans).await;
    assert_eq!(span.parent, 0);
    assert_eq!(span.attributes[names::RPC_STATUS], "NOT_FOUND");
    assert!(!span.failed, "the caller's mistake");
}
