//! The subscriber of an application over real sockets: its position, its handler, its end, its spans.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use parking_lot::Mutex;
use tieline::client::{
    Batch, FileStore, GapChoice, ResumeError, Start, Store as _, Subscriber, SubscriberError,
};
use tieline::proto::v1;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::Code;
use v1::subscribe_response::Notice;

use crate::fake::{Act, EPOCH, Fake, end_reached, error, events, notice, opened};
use crate::process::BOUND;

fn reading(fake: &Fake, start: Start) -> Subscriber {
    Subscriber::new(fake.address().parse().unwrap(), start, |_| GapChoice::Stop)
}

fn at(sequence: u64) -> v1::Position {
    v1::Position {
        epoch: EPOCH.to_owned(),
        sequence,
    }
}

fn sequences(batches: &[Batch]) -> Vec<u64> {
    let events = batches.iter().flat_map(|batch| &batch.events);
    events.map(|event| event.sequence).collect()
}

fn starts(fake: &Fake) -> Vec<v1::subscribe_request::Start> {
    let requests = fake.requests();
    requests.into_iter().filter_map(|r| r.start).collect()
}

#[tokio::test]
async fn a_position_is_stored_behind_its_batch_and_is_where_the_next_one_begins() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("position"));
    let fake = Fake::start(vec![
        vec![opened(0), events(1..=3), events(4..=5), end_reached(5)],
        vec![opened(5), events(6..=6), end_reached(6)],
    ]);
    for expected in [vec![1, 2, 3, 4, 5], vec![6]] {
        let mut got = Vec::new();
        let mut stored = store.clone();
        let reader = reading(&fake, Start::Earliest).store(store.clone());
        let run = reader.run(async |batch| {
            // Nothing of this batch is stored while it is handled.
            let behind = stored.load().await?.map_or(0, |position| position.sequence);
            assert!(batch.events.iter().all(|event| event.sequence > behind));
            got.push(batch);
            Ok::<_, io::Error>(())
        });
        timeout(BOUND, run).await.unwrap().unwrap();
        assert_eq!(sequences(&got), expected);
    }
    assert_eq!(store.clone().load().await.unwrap(), Some(at(6)));
    let earliest = v1::subscribe_request::Start::Preset(v1::StartPreset::Earliest.into());
    let after = v1::subscribe_request::Start::After(at(5));
    assert_eq!(starts(&fake), [earliest, after]);
}

#[tokio::test]
async fn what_a_handler_failed_at_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("position"));
    let fake = Fake::start(vec![
        vec![opened(0), events(1..=2), events(3..=4), end_reached(4)],
        vec![opened(2), events(3..=4), end_reached(4)],
    ]);
    let reader = reading(&fake, Start::Earliest).store(store.clone());
    let failing = reader.run(async |batch| match sequences(&[batch]).first() {
        Some(3) => Err("the database is away"),
        _ => Ok(()),
    });
    let ended = timeout(BOUND, failing).await.unwrap();
    assert!(matches!(
        ended,
        Err(SubscriberError::Handler("the database is away"))
    ));
    let mut got = Vec::new();
    let reader = reading(&fake, Start::Earliest).store(store);
    let run = reader.run(async |batch| {
        got.push(batch);
        Ok::<_, io::Error>(())
    });
    timeout(BOUND, run).await.unwrap().unwrap();
    assert_eq!(sequences(&got), [3, 4]);
}

#[tokio::test]
async fn what_is_handled_when_it_is_told_to_stop_is_completed_and_stored() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("position"));
    let fake = Fake::start(vec![vec![opened(0), events(1..=2), Act::Silence]]);
    let (stop_it, stopped) = oneshot::channel::<()>();
    let (handling, handled) = oneshot::channel();
    let (go_on, told) = oneshot::channel::<()>();
    let reader = reading(&fake, Start::Earliest).store(store.clone());
    let mut hooks = Some((handling, told));
    let stop = async {
        drop(stopped.await);
    };
    let run = reader.run_until(stop, async |batch: Batch| {
        if let Some((handling, told)) = hooks.take_if(|_| !batch.events.is_empty()) {
            handling.send(()).unwrap();
            told.await.unwrap();
        }
        Ok::<_, io::Error>(())
    });
    let telling = async {
        handled.await.unwrap();
        stop_it.send(()).unwrap();
        go_on.send(()).unwrap();
    };
    let both = async { tokio::join!(run, telling) };
    timeout(BOUND, both).await.unwrap().0.unwrap();
    assert_eq!(store.clone().load().await.unwrap(), Some(at(2)));
}

#[tokio::test]
async fn gaps_are_handed_on_and_a_position_that_moves_alone_is_too() {
    let gap = v1::Gap {
        first_sequence: 1,
        last_sequence: 7,
        ..Default::default()
    };
    let beat = |through_sequence| {
        Act::Send(v1::SubscribeResponse {
            through_sequence,
            latest_sequence: 12,
            ..Default::default()
        })
    };
    let fake = Fake::start(vec![vec![
        opened(0),
        notice(7, Notice::Gap(gap.clone())),
        events(8..=8),
        beat(8),
        beat(12),
        end_reached(12),
    ]]);
    let mut got = Vec::new();
    let reader = reading(&fake, Start::After(at(0))).filter(v1::EventFilter::default());
    let run = reader.run(async |batch| {
        got.push(batch);
        Ok::<_, io::Error>(())
    });
    timeout(BOUND, run).await.unwrap().unwrap();
    let positions: Vec<u64> = got.iter().map(|batch| batch.position.sequence).collect();
    assert_eq!(positions, [0, 7, 8, 12]);
    assert_eq!(got[1].gap, Some(gap));
    assert_eq!(sequences(&got), [8]);
}

#[tokio::test]
async fn an_end_that_asking_again_does_not_mend_is_surfaced() {
    let gone = error(Code::FailedPrecondition, "EPOCH_CHANGED", None);
    let fake = Fake::start(vec![vec![Act::End(gone)]]);
    let mut interruptions = Vec::new();
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let reader = reading(&fake, Start::After(at(4)));
    let reader = reader.on_interruption(move |why| {
        told.send(why.failures).ok();
    });
    let ended = timeout(BOUND, reader.run(async |_| Ok::<_, io::Error>(()))).await;
    while let Ok(failures) = hears.try_recv() {
        interruptions.push(failures);
    }
    let ended = ended.unwrap();
    assert!(
        matches!(&ended, Err(SubscriberError::Resume(ResumeError::Gap(gap))) if gap.reason == "EPOCH_CHANGED"),
        "{ended:?}"
    );
    assert!(interruptions.is_empty());
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_no_empty_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("position");
    std::fs::write(&path, "not a position").unwrap();
    let fake = Fake::start(vec![]);
    let reader = reading(&fake, Start::Earliest).store(FileStore::new(path));
    let run = reader.run(async |_| Ok::<_, io::Error>(()));
    let ended = timeout(BOUND, run).await.unwrap();
    assert!(matches!(ended, Err(SubscriberError::Store(_))), "{ended:?}");
    assert!(fake.requests().is_empty());
}

/// Keeps spans instead of sending them.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().extend(batch);
        Ok(())
    }
}

#[tokio::test]
async fn a_batch_is_handled_within_a_span_that_is_joined_to_its_events() {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(kept.clone())
        .build();
    opentelemetry::global::set_tracer_provider(provider);
    let event = |sequence, trace_parent: &str| v1::Event {
        sequence,
        trace_parent: trace_parent.to_owned(),
        ..Default::default()
    };
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let response = v1::SubscribeResponse {
        events: vec![event(1, parent), event(2, "")],
        through_sequence: 2,
        ..Default::default()
    };
    let fake = Fake::start(vec![vec![opened(0), Act::Send(response), end_reached(2)]]);
    let reader = reading(&fake, Start::Earliest).journal("journals/traced");
    let run = reader.run(async |batch| {
        // What the handler does is below the span.
        let inside = opentelemetry::trace::get_active_span(|span| span.span_context().is_valid());
        assert_eq!(inside, !batch.events.is_empty());
        tokio::time::timeout(Duration::ZERO, std::future::pending::<()>())
            .await
            .ok();
        Ok::<_, io::Error>(())
    });
    timeout(BOUND, run).await.unwrap().unwrap();
    let spans = kept.0.lock();
    // Other tests of this program may have read meanwhile.
    let ours: Vec<_> = spans
        .iter()
        .filter(|span| span.name == "process journals/traced")
        .collect();
    assert_eq!(
        ours.len(),
        1,
        "one for the batch, none where only the position moved"
    );
    assert_eq!(ours[0].span_kind, SpanKind::Consumer);
    let links: Vec<_> = ours[0]
        .links
        .iter()
        .map(|link| link.span_context.clone())
        .collect();
    assert_eq!(links.len(), 1);
    assert_eq!(
        links[0].trace_id().to_string(),
        "0af7651916cd43dd8448eb211c80319c"
    );
    assert_eq!(links[0].span_id().to_string(), "b7ad6b7169203331");
}
