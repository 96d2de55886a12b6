//! Platforms and proxies that misbehave for good: each ends as designed, within seconds, without a
//! hot loop and without a stuck reader.

use tieline::proto::v1;
use tieline::runtime::ByteSize;
use tieline::sandbox::RequestKind;
use tieline::sandbox::fault::{Fault, FaultName, On};
use tieline::session::TransportChoice::{self, LongPoll, Websocket};
use v1::session::State;
use v1::session_event::Kind;

use crate::kit::{Stage, millis};

/// Both transports at once, each with a stage of its own.
async fn over_both(test: impl AsyncFn(TransportChoice)) {
    tokio::join!(Box::pin(test(Websocket)), Box::pin(test(LongPoll)));
}

fn on(transport: TransportChoice) -> On {
    if transport == LongPoll {
        On::Poll
    } else {
        On::Websocket
    }
}

#[tokio::test]
async fn what_the_platform_issues_arrives_over_either_transport() {
    over_both(async |transport| {
        let stage = Stage::over(transport).await;
        let mut reader = stage.reader();
        stage.emit(300);
        let verdict = stage.settle(&mut reader).await;
        assert_eq!((verdict.issued, verdict.delivered), (305, 305));
        assert!(reader.remarkable.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_event_of_5_mib_is_told_by_its_digest_and_a_gap_and_later_ones_arrive() {
    over_both(async |transport| {
        let stage = Stage::over(transport).await;
        let mut reader = stage.reader();
        let number = stage.emit(3) + 1;
        let size = ByteSize::from_mib(5);
        stage.set(Fault::OversizeEvent { size }.times(1));
        stage.emit(4);
        reader.hears(Kind::GapConfirmed, 1).await;
        let verdict = stage.settle(&mut reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));

        let event = &reader.remarkable[0];
        assert_eq!(
            (event.r#type.as_str(), event.provider_sequence),
            ("ccaas.unmapped.v1", number)
        );
        assert!(event.raw_data.is_empty());
        assert_eq!(event.attributes["oversize"], "true");
        let issued = &stage.sandbox.ledger().entries()[usize::try_from(number).unwrap() - 1];
        assert_eq!(event.attributes["size"], issued.bytes.to_string());
        let gap = reader.told(Kind::GapConfirmed)[0];
        assert_eq!(gap.reason, "OVERSIZE");
        assert_eq!(
            (
                gap.first_missing_provider_sequence,
                gap.last_missing_provider_sequence
            ),
            (number, number)
        );
        assert_eq!(stage.sidecar.stats().oversize, 1);
    })
    .await;
}

#[tokio::test]
async fn u13_an_event_beyond_the_size_of_any_body_is_passed_with_a_gap() {
    over_both(async |transport| {
        let stage = Stage::over(transport).await;
        let mut reader = stage.reader();
        stage.emit(3);
        reader.catch_up(&stage.sandbox).await;
        let pace = stage.pace();
        let size = ByteSize::from_mib(9);
        stage.set(Fault::OversizeEvent { size }.times(1));
        let number = stage.emit(1);
        stage.emit(2);
        reader.hears(Kind::GapConfirmed, 1).await;
        pace.is_calm(&stage.sandbox, 10.0);
        let verdict = stage.settle(&mut reader).await;
        assert_eq!(verdict.on_record, 1);
        let gap = reader.told(Kind::GapConfirmed)[0];
        assert_eq!(gap.reason, "POISON_BATCH");
        assert_eq!(
            (
                gap.first_missing_provider_sequence,
                gap.last_missing_provider_sequence
            ),
            (number, number)
        );
    })
    .await;
}

#[tokio::test]
async fn u13_a_body_that_is_never_json_is_sifted_past_and_then_needs_a_person() {
    over_both(async |transport| {
        let stage = Stage::over(transport).await;
        let mut reader = stage.reader();
        stage.emit(3);
        reader.catch_up(&stage.sandbox).await;
        stage.sidecar.active().await;
        let pace = stage.pace();
        let transport = on(transport);
        stage.set(Fault::NotJson { transport });
        stage.emit(4);
        // Nothing but the history says anything that can be read, and it is enough.
        reader.catch_up(&stage.sandbox).await;
        let session = stage.sidecar.suspended().await;
        assert_eq!(session.reason, "POISON_BATCH");
        pace.is_calm(&stage.sandbox, 10.0);
        reader.hears(Kind::Suspended, 1).await;

        stage.sandbox.faults().clear_all();
        stage.sidecar.reconnect();
        let verdict = stage.settle(&mut reader).await;
        assert_eq!((verdict.on_record, verdict.backfilled), (0, 4));
    })
    .await;
}

#[tokio::test]
async fn u10_a_proxy_that_answers_an_empty_200_at_once_is_backed_off() {
    let one = async |batch| {
        let stage = Stage::over(LongPoll).await;
        let mut reader = stage.reader();
        stage.emit(3);
        reader.catch_up(&stage.sandbox).await;
        let pace = stage.pace();
        stage.set(Fault::Empty200AtOnce { batch });
        let session = stage.sidecar.until("said", |s| !s.reason.is_empty()).await;
        assert_eq!(
            (session.state(), session.reason.as_str()),
            (State::Degraded, "POLL_ANSWERS_AT_ONCE")
        );
        stage.emit(3);
        stage.struck(FaultName::Empty200AtOnce, 12).await;
        assert!(pace.elapsed() > millis(800), "{:?}", pace.elapsed());
        pace.is_calm(&stage.sandbox, 8.0);
        let verdict = stage.settle(&mut reader).await;
        assert_eq!(verdict.on_record, 0);
        assert!(reader.told(Kind::Suspended).is_empty());
    };
    tokio::join!(one(true), one(false));
}

#[tokio::test]
async fn u10_an_empty_200_at_once_from_the_start_is_backed_off_too() {
    let rule = Fault::Empty200AtOnce { batch: false }.into();
    let stage = Stage::troubled(crate::kit::quick(), [rule], |config| {
        config.sessions[0].transport = LongPoll;
    })
    .await;
    let pace = stage.pace();
    stage.emit(3);
    stage.struck(FaultName::Empty200AtOnce, 12).await;
    assert_ne!(stage.sidecar.session().state(), State::Active);
    pace.is_calm(&stage.sandbox, 8.0);
    stage.settle(&mut stage.reader()).await;
}

#[tokio::test]
async fn u19_a_platform_whose_numbers_start_again_gets_a_new_numbering_and_a_gap_record() {
    over_both(async |transport| {
        let stage = Stage::over(transport).await;
        let mut reader = stage.reader();
        stage.emit(400);
        reader.catch_up(&stage.sandbox).await;
        let pace = stage.pace();
        stage.set(Fault::RestartNumbering {});
        stage.sandbox.set_rate(10.0);
        reader.hears(Kind::GapConfirmed, 1).await;
        let elapsed = pace.elapsed();
        assert!(elapsed >= millis(9_900), "silent for {elapsed:?} only");
        stage.sandbox.set_rate(0.0);
        pace.is_calm(&stage.sandbox, 12.0);
        let verdict = stage.settle(&mut reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
        let gaps = reader.told(Kind::GapConfirmed);
        assert_eq!(
            (gaps.len(), gaps[0].reason.as_str()),
            (1, "NUMBERING_RESTARTED")
        );
        assert_eq!(stage.sidecar.stats().restarts, 1);
        assert!(pace.asked(&stage.sandbox, RequestKind::History) <= 2);
    })
    .await;
}
