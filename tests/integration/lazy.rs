//! A reader that never reads costs nobody anything, and resumes with exactly what it has not had.

use tieline::proto::v1;
use tokio::time::{Instant, timeout};
use v1::event_service_client::EventServiceClient;
use v1::subscribe_request::{End, Start};
use v1::subscribe_response::Notice;

use crate::kit::{PATIENCE, Stage, quick};

const EVENTS: u64 = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_never_reads_delays_nobody_and_gets_the_exact_suffix_later() {
    let stage = Stage::with(quick(), |_| {}).await;
    stage.sidecar.active().await;
    let mut busy = stage.reader();
    let request = |start| v1::SubscribeRequest {
        start: Some(start),
        ..v1::SubscribeRequest::default()
    };
    let channel = stage.sidecar.address().channel().unwrap();
    let mut client = EventServiceClient::new(channel);
    let earliest = Start::Preset(v1::StartPreset::Earliest.into());
    let opened = client.subscribe(request(earliest)).await.unwrap();
    let mut lazy = opened.into_inner();
    let first = lazy.message().await.unwrap().unwrap();
    let Some(Notice::Opened(opened)) = first.notice else {
        panic!("{first:?}");
    };

    let began = Instant::now();
    for _ in 0..EVENTS / 500 {
        stage.emit(500);
        busy.catch_up(&stage.sandbox).await;
    }
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());

    // It wakes up: what it has not read comes now, from disk as far as need be.
    let mut through = first.through_sequence;
    while through < EVENTS / 2 {
        take(&mut through, next(&mut lazy).await.unwrap());
    }
    // It goes away, and comes back with the position it has.
    drop(lazy);
    let durable = stage.sidecar.journal().latest.get();
    let position = v1::Position {
        epoch: opened.epoch,
        sequence: through,
    };
    let mut request = request(Start::After(position));
    request.end = Some(End::UntilCaughtUp(true));
    let mut resumed = client.subscribe(request).await.unwrap().into_inner();
    while let Some(response) = next(&mut resumed).await {
        take(&mut through, response);
    }
    assert_eq!(through, durable);
    let verdict = stage.settle(&mut busy).await;
    assert_eq!(verdict.delivered, EVENTS + 5);
}

async fn next(
    stream: &mut tonic::Streaming<v1::SubscribeResponse>,
) -> Option<v1::SubscribeResponse> {
    let message = timeout(PATIENCE, stream.message()).await;
    message.expect("a response in time").unwrap()
}

/// What a response brings goes on exactly where the reader stands.
fn take(through: &mut u64, response: v1::SubscribeResponse) {
    assert!(!matches!(response.notice, Some(Notice::Gap(_))));
    for event in response.events {
        *through += 1;
        assert_eq!(event.sequence, *through);
    }
    assert_eq!(response.through_sequence, *through);
}
