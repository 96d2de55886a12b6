//! Bounded reads and reads of one event.

use super::*;
use crate::runtime::MonoTime;

fn read_plan(start: Start) -> ReadPlan {
    ReadPlan {
        start,
        policy: Policy::Fail,
        selection: Selection::default(),
        view: View::Full,
        batching: Batching::default(),
        wait: Duration::ZERO,
    }
}

fn found(reading: &Reading) -> Vec<u64> {
    let mut bytes = Vec::new();
    reading.elements.write(&mut bytes);
    let events = v1::ReadEventsResponse::decode(bytes.as_slice()).unwrap();
    events.events.iter().map(|e| e.sequence).collect()
}

#[tokio::test(start_paused = true)]
async fn pages_of_any_size_join_to_the_whole() {
    let b = bench();
    b.fill(997).await;
    for max_events in [1, 7, 400, 0] {
        let mut all = Vec::new();
        let mut place = 0;
        while place < 997 {
            let plan = ReadPlan {
                batching: Batching {
                    max_events,
                    ..Batching::default()
                },
                ..read_plan(after(place))
            };
            let reading = b.feed.read(&plan).await.unwrap();
            let page = found(&reading);
            assert!(max_events == 0 || page.len() <= max_events as usize);
            assert_eq!(reading.through.get(), *page.last().unwrap());
            assert_eq!((reading.earliest.get(), reading.latest.get()), (1, 997));
            place = reading.through.get();
            all.extend(page);
        }
        assert_eq!(all, (1..=997).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_passes_nothing_still_makes_progress() {
    let b = bench();
    b.fill(100).await;
    let spec = FilterSpec {
        types: vec!["none".to_owned()],
        ..FilterSpec::default()
    };
    let selection = Selection {
        filter: Filter::compile(&spec).unwrap(),
        shard: None,
    };
    let plan = ReadPlan {
        selection,
        ..read_plan(Start::Earliest)
    };
    let reading = b.feed.read(&plan).await.unwrap();
    assert_eq!((found(&reading), reading.through.get()), (vec![], 100));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_first_event_with_its_time_or_with_the_drain() {
    let b = bench();
    b.fill(3).await;
    let waiting = ReadPlan {
        wait: Duration::from_secs(3_600),
        ..read_plan(Start::Latest)
    };
    let begun = MonoTime::now();
    let write = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        b.fill(1).await;
    };
    let (reading, ()) = tokio::join!(b.feed.read(&waiting), write);
    assert_eq!(found(&reading.unwrap()), [4]);
    assert_eq!(begun.elapsed(), Duration::from_secs(5));

    let begun = MonoTime::now();
    let reading = b.feed.read(&waiting).await.unwrap();
    assert_eq!((found(&reading), reading.through.get()), (vec![], 4));
    assert_eq!(
        begun.elapsed(),
        Duration::from_secs(60),
        "a wait is bounded"
    );

    let drained = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        b.trigger.drain();
    };
    let begun = MonoTime::now();
    let (reading, ()) = tokio::join!(b.feed.read(&waiting), drained);
    assert_eq!(
        (found(&reading.unwrap()), begun.elapsed().as_secs()),
        (vec![], 2)
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_an_error_or_a_gap_and_never_hides_what_comes_before() {
    let b = bench();
    b.fill(20).await;
    b.journal.trim(Sequence::new(6));
    b.journal.damage(Sequence::new(10), Sequence::new(12));
    let refused = b.feed.read(&read_plan(after(2))).await.unwrap_err();
    assert!(matches!(refused, FeedError::PositionTrimmed(_)));
    let reading = b.feed.read(&read_plan(after(5))).await.unwrap();
    assert_eq!(
        (found(&reading), reading.through.get()),
        (vec![6, 7, 8, 9], 9)
    );
    let refused = b.feed.read(&read_plan(after(9))).await.unwrap_err();
    let (first, last) = (Sequence::new(10), Sequence::new(12));
    assert_eq!(refused, FeedError::Corrupted { first, last });
    let plan = ReadPlan {
        policy: Policy::ResumeAtEarliest,
        ..read_plan(after(2))
    };
    let reading = b.feed.read(&plan).await.unwrap();
    let gaps: Vec<_> = reading
        .gaps
        .iter()
        .map(|g| (g.cause, g.range.unwrap()))
        .collect();
    let at = |f, l| (Sequence::new(f), Sequence::new(l));
    assert_eq!(
        gaps,
        [(Cause::Trimmed, at(3, 5)), (Cause::Corrupted, at(10, 12))]
    );
    assert_eq!(found(&reading), (6..=9).chain(13..=20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn one_event_is_found_or_it_is_said_why_not() {
    let b = bench();
    b.fill(20).await;
    b.journal.trim(Sequence::new(6));
    b.journal.damage(Sequence::new(10), Sequence::new(12));
    let get = async |n| b.feed.event(Sequence::new(n)).await;
    for number in [6, 9, 13, 20] {
        assert_eq!(get(number).await.unwrap().sequence.get(), number);
    }
    for number in [0, 21, u64::MAX] {
        assert!(matches!(
            get(number).await,
            Err(FeedError::EventNotFound { .. })
        ));
    }
    for number in [1, 5] {
        assert!(matches!(
            get(number).await,
            Err(FeedError::PositionTrimmed(_))
        ));
    }
    for number in [10, 11, 12] {
        assert!(matches!(
            get(number).await,
            Err(FeedError::Corrupted { .. })
        ));
    }
}
