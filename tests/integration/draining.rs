//! The orderly end: readers get everything up to it, and the next process goes on behind it.

use std::time::Duration;

use tieline::app::{Ended, Stop};
use tieline::client::{Failure, Interruption};
use tieline::proto::v1;
use tieline::runtime::HumanDuration;
use tieline::sandbox::{Emission, RequestKind};
use tieline::session::TransportChoice::{self, LongPoll, Websocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use v1::event_service_client::EventServiceClient;
use v1::subscribe_request::Start;
use v1::subscribe_response::Notice;

use crate::kit::{PATIENCE, Reader, Sidecar, Stage, get, millis, quick};

/// A stream that is opened and never read.
async fn never_read(sidecar: &Sidecar) -> tonic::Streaming<v1::SubscribeResponse> {
    let request = v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        ..v1::SubscribeRequest::default()
    };
    let mut client = EventServiceClient::new(sidecar.address().channel().unwrap());
    client.subscribe(request).await.unwrap().into_inner()
}

async fn drained(transport: TransportChoice) {
    let stage = Stage::with(quick(), |config| {
        config.sessions[0].transport = transport;
        config.drain_timeout = HumanDuration::from_secs(5);
    })
    .await;
    stage.sandbox.set_rate(500.0);
    let mut tail = stage.reader();
    stage.sidecar.active().await;
    tail.until("live", |r| r.oracle.last_sequence() > 100).await;

    let health_url = stage.sidecar.health_url("/readyz");
    let channel = stage.sidecar.address().channel().unwrap();
    let (stop, told) = mpsc::channel(1);
    let Stage { sandbox, sidecar } = stage;
    let (config, files) = sidecar.again();
    let mut health = HealthClient::new(channel);
    let request = HealthCheckRequest::default();
    let mut watch = health.watch(request).await.unwrap().into_inner();
    let serving = watch.message().await.unwrap().unwrap().status();
    assert_eq!(serving, ServingStatus::Serving);
    assert_eq!(get(&health_url).await.0, 200);

    let asked = Instant::now();
    stop.send(Stop::Drain).await.unwrap();
    let watching = async {
        let status = watch.message().await.unwrap().unwrap().status();
        assert_eq!(status, ServingStatus::NotServing);
        assert!(asked.elapsed() < millis(500), "{:?}", asked.elapsed());
        let (status, body) = get(&health_url).await;
        assert_eq!(status, 503);
        assert!(body.contains("draining"), "{body}");
    };
    let reading = async {
        tail.until("the end", |r| !r.interruptions.is_empty()).await;
    };
    let (ended, (), ()) = tokio::join!(sidecar.run_until(told), watching, reading);
    assert!(matches!(ended, Ended::Drained), "{ended:?}");
    assert!(asked.elapsed() < Duration::from_secs(5));

    let Some(Notice::Closing(closing)) = tail.notices.last() else {
        panic!("{:?}", tail.notices.last());
    };
    assert_eq!(closing.reason(), v1::closing::Reason::Draining);
    assert!(closing.retry_delay.is_some());
    let Interruption { cause, .. } = &tail.interruptions[0];
    let Failure::Refused(refusal) = cause else {
        panic!("{cause:?}");
    };
    assert_eq!(refusal.code, tonic::Code::Unavailable);
    assert_eq!(refusal.reason.as_deref(), Some("SERVER_DRAINING"));
    assert!(refusal.retry_after.is_some());
    if transport == Websocket {
        assert_eq!(
            sandbox.counters().closes_received.get(&1000).copied(),
            Some(1)
        );
    }

    let position = tail.position();
    let sidecar = Sidecar::open(config, files).await;
    let journal = &sidecar.journal();
    assert_eq!(journal.epoch.to_string(), position.epoch);
    assert!(journal.latest.get() >= position.sequence);
    tail.move_to(&sidecar);
    let stage = Stage { sandbox, sidecar };
    stage.sandbox.set_rate(0.0);
    stage.settle(&mut tail).await;
    // One that begins at the beginning sees both lives as one.
    stage.settle(&mut stage.reader()).await;
}

#[tokio::test]
async fn u35_a_drain_takes_readers_to_the_end_and_the_next_start_goes_on_behind_it() {
    tokio::join!(drained(Websocket), drained(LongPoll));
}

#[tokio::test]
async fn a_reader_that_never_reads_holds_a_drain_no_longer_than_its_time() {
    let stage = Stage::with(quick(), |config| {
        config.drain_timeout = HumanDuration::from_secs(2);
    })
    .await;
    let mut tail = stage.reader();
    stage.emit(20_000);
    let stuck = never_read(&stage.sidecar).await;
    tail.catch_up(&stage.sandbox).await;
    let (stop, told) = mpsc::channel(1);
    stop.send(Stop::Drain).await.unwrap();
    let asked = Instant::now();
    let Stage { sandbox, sidecar } = stage;
    let (config, files) = sidecar.again();
    let reading = async {
        tail.until("the end", |r| !r.interruptions.is_empty()).await;
        // The other one is not waited for.
        assert!(asked.elapsed() < millis(1_500), "{:?}", asked.elapsed());
    };
    let (ended, ()) = tokio::join!(timeout(PATIENCE, sidecar.run_until(told)), reading);
    let took = asked.elapsed();
    assert!(took >= millis(2_000), "{took:?} {ended:?}");
    assert!(took <= millis(2_300), "{took:?} {ended:?}");
    assert!(matches!(ended.unwrap(), Ended::Cut));
    drop(stuck);
    let sidecar = Sidecar::open(config, files).await;
    tail.move_to(&sidecar);
    let stage = Stage { sandbox, sidecar };
    let before = stage.sandbox.counters().events_over_websocket;
    stage.settle(&mut tail).await;
    let again = stage.sandbox.counters().events_over_websocket - before;
    assert!(
        again <= 5,
        "{again} events were asked for again: the position was not kept"
    );
}

#[tokio::test]
async fn a_drain_with_a_hole_open_goes_on_waiting_after_the_restart() {
    use tieline::sandbox::fault::Fault;
    let stage = Stage::over(Websocket).await;
    let mut reader = stage.reader();
    stage.emit(10);
    reader.catch_up(&stage.sandbox).await;
    stage.set(Fault::HistoryDown { status: 503 });
    stage.set(Fault::Skip { history: true }.times(1));
    stage.sandbox.emit(&Emission::story(5)).unwrap();
    reader.hears(v1::session_event::Kind::GapSuspected, 1).await;
    let Stage { sandbox, sidecar } = stage;
    sandbox.faults().clear_all();
    let sidecar = sidecar.restart(|_| {}).await;
    reader.move_to(&sidecar);
    let stage = Stage { sandbox, sidecar };
    let verdict = stage.settle(&mut reader).await;
    assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
    assert_eq!(reader.told(v1::session_event::Kind::GapSuspected).len(), 1);
    assert!(stage.sandbox.counters().arrived(RequestKind::History) > 0);
}

#[tokio::test]
async fn being_told_to_end_at_once_ends_at_once() {
    let stage = Stage::over(Websocket).await;
    stage.sandbox.set_rate(500.0);
    let mut reader: Reader = stage.reader();
    reader
        .until("live", |r| r.oracle.last_sequence() > 100)
        .await;
    let Stage { sandbox, sidecar } = stage;
    let (config, files) = sidecar.again();
    let (stop, told) = mpsc::channel(1);
    stop.send(Stop::Now).await.unwrap();
    let asked = Instant::now();
    let ended = sidecar.run_until(told).await;
    assert!(matches!(ended, Ended::Cut), "{ended:?}");
    assert!(asked.elapsed() < millis(1_500), "{:?}", asked.elapsed());
    let sidecar = Sidecar::open(config, files).await;
    reader.move_to(&sidecar);
    sandbox.set_rate(0.0);
    let stage = Stage { sandbox, sidecar };
    stage.settle(&mut reader).await;
}
