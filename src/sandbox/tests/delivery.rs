//! Faults of events: what is sent twice, late, out of order, never, or as something else.

use super::*;
use crate::runtime::ByteSize;
use crate::sandbox::fault::{Fault, FaultName, Malformation, Portion};

async fn whole_log(visit: &Visit) -> Batch {
    Batch::parse(&visit.poll(0).await.unwrap().body)
}

#[tokio::test]
async fn an_event_comes_twice_in_its_batch() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    visit.set(
        Fault::Duplicate {
            what: Portion::Event,
        }
        .times(2),
    );
    visit.emit(3);
    let polled = whole_log(&visit).await;
    for mut numbers in [polled.numbers(), batch(&mut socket).await.numbers()] {
        assert_eq!(numbers.len(), 4);
        numbers.dedup();
        assert_eq!(numbers, [1, 2, 3]);
    }
    assert_eq!(visit.sandbox.faults().struck(FaultName::Duplicate), 2);
}

#[tokio::test]
async fn a_batch_comes_twice() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    visit.set(
        Fault::Duplicate {
            what: Portion::Batch,
        }
        .times(1),
    );
    visit.emit(2);
    assert_eq!(batch(&mut socket).await.numbers(), [1, 2]);
    assert_eq!(batch(&mut socket).await.numbers(), [1, 2]);
    drop(socket);
    visit
        .until(|sandbox| {
            sandbox
                .connections()
                .iter()
                .all(|c| c.transport != Transport::Websocket)
        })
        .await;
    visit.set(
        Fault::Duplicate {
            what: Portion::Batch,
        }
        .times(1),
    );
    visit.emit(1);
    let polled = visit.poll(2).await.unwrap();
    assert_eq!(Batch::parse(&polled.body).numbers(), [1, 2, 3]);
}

#[tokio::test]
async fn events_overtake_each_other_and_none_is_lost() {
    let visit = Visit::new(quick()).await;
    visit.set(Fault::Reorder { depth: 3 });
    visit.emit(100);
    visit.sandbox.faults().clear_all();
    let mut numbers = whole_log(&visit).await.numbers();
    assert!(!numbers.is_sorted());
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_late_event_comes_after_the_others_over_either_transport() {
    let visit = Visit::new(patient()).await;
    let mut socket = visit.live().await;
    visit.set(Fault::Late { after: 2 }.times(1));
    visit.emit(2);
    assert_eq!(batch(&mut socket).await.numbers(), [2]);
    assert_eq!(Batch::parse(&visit.history(0, 1).await.body).numbers(), [1]);
    let emit = async {
        visit
            .until(|sandbox| sandbox.counters().arrived(RequestKind::Poll) == 1)
            .await;
        visit.emit(1);
    };
    let (polled, ()) = tokio::join!(visit.poll(2), emit);
    assert_eq!(Batch::parse(&polled.unwrap().body).numbers(), [3, 1]);
    assert_eq!(batch(&mut socket).await.numbers(), [3, 1]);
}

#[tokio::test]
async fn what_is_late_comes_when_the_fault_is_cleared() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    visit.set(Fault::Late { after: 1000 });
    visit.emit(1);
    assert_eq!(whole_log(&visit).await.numbers(), [] as [u64; 0]);
    visit.sandbox.faults().clear(FaultName::Late);
    assert_eq!(batch(&mut socket).await.numbers(), [1]);
}

#[tokio::test]
async fn skipped_numbers_are_in_the_history_or_nowhere() {
    let visit = Visit::new(quick()).await;
    visit.set(Fault::Skip { history: true }.times(1));
    visit.emit(1);
    visit.set(Fault::Skip { history: false }.times(1));
    visit.emit(2);
    assert_eq!(whole_log(&visit).await.numbers(), [3]);
    assert_eq!(
        Batch::parse(&visit.history(0, 2).await.body).events,
        visit.issued()[..1]
    );
    assert_eq!(visit.history(1, 2).await.status, 404);
    let fates: Vec<_> = visit
        .sandbox
        .ledger()
        .entries()
        .iter()
        .map(|e| e.fate)
        .collect();
    assert_eq!(fates, [Fate::History, Fate::Lost, Fate::Deliver]);
}

#[tokio::test]
async fn the_numbering_starts_again_at_one() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    visit.emit(9);
    while batch(&mut socket).await.sequence < 9 {}
    visit.set(Fault::RestartNumbering {});
    // A position that the platform does not know is answered with where it stands.
    assert_eq!(
        visit.poll(9).await.unwrap().body,
        r#"{"sequence":0,"events":[]}"#
    );
    visit.emit(2);
    assert_eq!(batch(&mut socket).await.numbers(), [1, 2]);
    assert_eq!(whole_log(&visit).await.numbers(), [1, 2]);
    let mut elsewhere = visit.subscribe(9).await;
    let confirmation = batch(&mut elsewhere).await;
    assert_eq!((confirmation.sequence, confirmation.events.len()), (2, 0));
    let entries = visit.sandbox.ledger().entries();
    assert_eq!((entries[8].numbering, entries[8].number), (1, 9));
    assert_eq!((entries[9].numbering, entries[9].number), (2, 1));
}

#[tokio::test]
async fn a_malformed_event_stands_between_good_ones_for_every_reader() {
    let visit = Visit::new(quick()).await;
    for form in [Malformation::NoType, Malformation::WrongTypes] {
        visit.emit(1);
        visit.set(Fault::MalformedEvent { form }.times(1));
        visit.emit(2);
    }
    let polled = visit.poll(0).await.unwrap();
    let value = polled.json();
    let good: Vec<_> = value["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["eventType"].is_string())
        .collect();
    assert_eq!(good, [true, false, true, true, false, true]);
    assert_eq!(Batch::parse(&polled.body).events, visit.issued());

    visit.set(
        Fault::MalformedEvent {
            form: Malformation::Scalar,
        }
        .times(1),
    );
    visit.emit(1);
    let scalar = visit.poll(6).await.unwrap();
    assert!(scalar.json()["events"][0].is_string());
    assert_eq!(Batch::parse(&scalar.body).events, visit.issued()[6..]);
}

#[tokio::test]
async fn an_oversize_event_comes_whole() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    let size = ByteSize::from_mib(9);
    visit.set(Fault::OversizeEvent { size }.times(1));
    visit.emit(2);
    let polled = visit.poll(0).await.unwrap();
    assert!(polled.body.len() as u64 > size.0);
    let issued = visit.issued();
    assert_eq!(Batch::parse(&polled.body).events, issued[..1]);
    assert_eq!(batch(&mut socket).await.events, issued[..1]);
    assert_eq!(batch(&mut socket).await.events, issued[1..]);
}

#[tokio::test]
async fn chance_is_seeded() {
    let story = async |seed| {
        let visit = Visit::seeded(quick(), seed).await;
        visit.set(Fault::Skip { history: false }.with_probability(0.3));
        visit.emit(200);
        whole_log(&visit).await.numbers()
    };
    let first = story(5).await;
    assert_eq!(first, story(5).await);
    assert_ne!(first, story(6).await);
    assert!((100..180).contains(&first.len()), "{}", first.len());
}
