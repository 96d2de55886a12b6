//! Duplicates, disorder, holes and malformed events (U15 to U17, U20), over both transports.

use tieline::proto::v1;
use tieline::runtime::HumanDuration;
use tieline::sandbox::fault::{Fault, FaultName, Malformation, Portion};
use tieline::session::TransportChoice::{self, LongPoll, Websocket};
use v1::event::Origin;
use v1::session_event::Kind;

use crate::kit::{Reader, Stage, quick};

/// Stages over either transport, live, each with a reader that has what was issued.
async fn over_both(test: impl AsyncFn(&Stage, &mut Reader)) {
    let one = async |transport: TransportChoice| {
        let stage = Stage::with(quick(), |config| {
            let session = &mut config.sessions[0];
            session.transport = transport;
            session.timing.reorder_window = HumanDuration::from_millis(1_500);
        })
        .await;
        stage.emit(3);
        let mut reader = stage.reader();
        reader.catch_up(&stage.sandbox).await;
        test(&stage, &mut reader).await;
    };
    tokio::join!(Box::pin(one(Websocket)), Box::pin(one(LongPoll)));
}

/// The missing numbers that facts of a kind name.
fn numbers(reader: &Reader, kind: Kind) -> Vec<(u64, u64)> {
    let range = |fact: &v1::SessionEvent| {
        (
            fact.first_missing_provider_sequence,
            fact.last_missing_provider_sequence,
        )
    };
    reader.told(kind).into_iter().map(range).collect()
}

#[tokio::test]
async fn u16_repeated_events_and_batches_are_dropped() {
    over_both(async |stage, reader| {
        for what in [Portion::Event, Portion::Batch] {
            let before = stage.sandbox.faults().struck(FaultName::Duplicate);
            stage.set(Fault::Duplicate { what }.times(3));
            for _ in 0..3 {
                stage.emit(4);
                reader.catch_up(&stage.sandbox).await;
            }
            assert_eq!(
                stage.sandbox.faults().struck(FaultName::Duplicate),
                before + 3
            );
        }
        let verdict = stage.settle(reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
        assert!(stage.sidecar.stats().duplicates >= 6);
        assert!(reader.told(Kind::GapSuspected).is_empty());
    })
    .await;
}

#[tokio::test]
async fn u17_events_that_overtake_each_other_are_put_in_order() {
    over_both(async |stage, reader| {
        stage.set(Fault::Reorder { depth: 4 });
        stage.sandbox.set_rate(300.0);
        stage.struck(FaultName::Reorder, 40).await;
        stage.sandbox.set_rate(0.0);
        let verdict = stage.settle(reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
        assert!(reader.told(Kind::GapConfirmed).is_empty());
    })
    .await;
}

#[tokio::test]
async fn u17_a_hole_that_the_history_has_is_backfilled_in_its_place() {
    over_both(async |stage, reader| {
        stage.set(Fault::Skip { history: true }.times(3));
        let first = stage.emit(10) - 9;
        reader.hears(Kind::GapClosed, 1).await;
        let verdict = stage.settle(reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
        assert_eq!(verdict.backfilled, 3);
        assert_eq!(numbers(reader, Kind::GapSuspected), [(first, first + 2)]);
        assert_eq!(numbers(reader, Kind::GapClosed), [(first, first + 2)]);
        assert!(reader.told(Kind::GapConfirmed).is_empty());
    })
    .await;
}

#[tokio::test]
async fn u17_a_hole_that_nobody_has_is_confirmed_with_its_exact_numbers() {
    over_both(async |stage, reader| {
        stage.set(Fault::Skip { history: false }.times(3));
        let first = stage.emit(10) - 9;
        reader.hears(Kind::GapConfirmed, 1).await;
        let verdict = stage.settle(reader).await;
        assert_eq!((verdict.on_record, verdict.backfilled), (3, 0));
        assert_eq!(numbers(reader, Kind::GapConfirmed), [(first, first + 2)]);
        assert_eq!(stage.sidecar.session().open_gap_sequence, 0);
    })
    .await;
}

#[tokio::test]
async fn u17_a_history_that_is_gone_ends_the_wait_at_once_and_one_that_is_down_by_the_deadline() {
    for fault in [
        Fault::HistoryGone { status: 404 },
        Fault::HistoryGone { status: 410 },
        Fault::HistoryDown { status: 503 },
    ] {
        over_both(async |stage, reader| {
            let reason = match fault {
                Fault::HistoryDown { .. } => "NOT_FILLED",
                _ => "HISTORY_GONE",
            };
            stage.set(fault.clone());
            stage.set(Fault::Skip { history: true }.times(1));
            let first = stage.emit(4) - 3;
            let pace = stage.pace();
            reader.hears(Kind::GapConfirmed, 1).await;
            pace.is_calm(&stage.sandbox, 3.0);
            assert_eq!(reader.told(Kind::GapConfirmed)[0].reason, reason);
            assert_eq!(numbers(reader, Kind::GapConfirmed), [(first, first)]);
            let verdict = stage.settle(reader).await;
            assert_eq!(verdict.on_record, 1);
        })
        .await;
    }
}

#[tokio::test]
async fn u17_an_event_that_comes_after_its_gap_was_confirmed_is_delivered_all_the_same() {
    over_both(async |stage, reader| {
        stage.set(Fault::HistoryGone { status: 410 });
        stage.set(Fault::Late { after: 1_000 }.times(1));
        let late = stage.emit(4) - 3;
        reader.hears(Kind::GapConfirmed, 1).await;
        assert_eq!(numbers(reader, Kind::GapConfirmed), [(late, late)]);
        let suspicion = reader.told(Kind::GapConfirmed)[0].gap_sequence;
        // Taken out of force, the fault lets go of what it held back.
        let verdict = stage.settle(reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
        let event = &reader.remarkable[0];
        assert_eq!(
            (event.provider_sequence, event.origin()),
            (late, Origin::Backfill)
        );
        assert_eq!(event.attributes["gapsequence"], suspicion.to_string());
    })
    .await;
}

#[tokio::test]
async fn u20_malformed_events_are_kept_raw_with_their_error() {
    over_both(async |stage, reader| {
        let forms = [
            Malformation::NoType,
            Malformation::WrongTypes,
            Malformation::Scalar,
        ];
        for form in forms {
            stage.set(Fault::MalformedEvent { form }.times(2));
            stage.emit(5);
        }
        let verdict = stage.settle(reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
        assert_eq!(reader.remarkable.len(), 6, "{:?}", reader.remarkable);
        for event in &reader.remarkable {
            assert_eq!(event.r#type, "ccaas.unmapped.v1");
            assert!(!event.attributes["parseerror"].is_empty());
            assert!(!event.raw_data.is_empty());
        }
        assert_eq!(stage.sidecar.stats().malformed, 6);
        assert!(reader.told(Kind::GapSuspected).is_empty());
    })
    .await;
}
