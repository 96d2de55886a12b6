//! Every resume point of a long journal, in each way to start there, the whole suffix compared
//! with what is stored.

use bytes::Bytes;

use super::*;
use crate::feed::Part;
use crate::journal::Item;

const EVENTS: u64 = 10_000;
/// Events of one instant, so that times and sequences are not the same thing.
const TOGETHER: u64 = 4;

/// The stored elements, in order.
async fn stored(journal: &MemoryJournal) -> Vec<Bytes> {
    let mut elements = Vec::new();
    while elements.len() < EVENTS as usize {
        let after = Sequence::new(elements.len() as u64);
        let page = journal.read(after, 1 << 20).await.unwrap();
        elements.extend(page.items.into_iter().map(|item| match item {
            Item::Event(entry) => entry.element,
            Item::Gap { .. } => panic!("a gap in a whole journal"),
        }));
    }
    elements
}

/// Reads from `start`, which stands for the place after `place`, to the end, and compares.
async fn check(feed: &Feed, start: Start, place: u64, expected: &[Bytes]) {
    let end = End::At(AskedPosition {
        epoch: Epoch::new(EPOCH).to_string(),
        sequence: Sequence::new(EVENTS),
    });
    let asked = SubscribePlan {
        end: Some(end),
        ..plan(start)
    };
    let mut subscriber = feed.subscribe(asked).await.unwrap();
    let mut rest = expected.get(place as usize..).unwrap();
    let mut opened = false;
    while let Some(delivery) = subscriber.next().await {
        let delivery = delivery.unwrap();
        if let Some(Notice::Opened(news)) = &delivery.notice {
            assert_eq!(news.start.get(), place);
            opened = true;
        }
        let (now, later) = rest.split_at(delivery.elements.count());
        let sent = delivery.elements.parts().iter().map(|part| match part {
            Part::Stored(bytes) => bytes,
            other => panic!("{other:?} from disk"),
        });
        assert!(sent.eq(now), "other bytes after {place}");
        assert_eq!(delivery.through.get(), EVENTS - later.len() as u64);
        rest = later;
    }
    assert!(opened && rest.is_empty(), "after {place}");
}

#[tokio::test(start_paused = true)]
async fn every_resume_point_continues_exactly_there() {
    let b = bench();
    let mut times = Vec::new();
    for group in 0..EVENTS / TOGETHER {
        tokio::time::advance(Duration::from_millis(1)).await;
        let first = group * TOGETHER + 1;
        b.append((first..first + TOGETHER).map(draft).collect())
            .await;
        times.push(b.clock.wall());
    }
    let expected = stored(&b.journal).await;
    for place in 0..=EVENTS {
        check(&b.feed, after(place), place, &expected).await;
        let last = Start::Last(EVENTS - place);
        check(&b.feed, last, place, &expected).await;
        if place.is_multiple_of(TOGETHER) && place < EVENTS {
            let time = times[(place / TOGETHER) as usize];
            check(&b.feed, Start::FromTime(time), place, &expected).await;
        }
    }
}
