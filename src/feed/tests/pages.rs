//! Readers of history who are near each other read it once.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use super::slow_journal::SlowJournal;
use super::*;

struct Shelves {
    b: Bench,
    slow: Arc<SlowJournal>,
    feed: Feed,
}

impl Shelves {
    /// Before a journal with fifty events.
    async fn new() -> Self {
        let b = bench();
        b.fill(50).await;
        let slow = Arc::new(SlowJournal::before(b.journal.clone()));
        let surroundings = b.feed.0.surroundings.clone();
        let feed = Feed::attach(Arc::clone(&slow) as _, surroundings, FeedConfig::default());
        Self { b, slow, feed }
    }

    /// A reader up to the end, so many events at once; it has been told that it is open.
    async fn open(&self, start: Start, max_events: u32) -> Subscriber {
        let plan = SubscribePlan {
            end: Some(End::CaughtUp),
            batching: Batching {
                max_events,
                ..Batching::default()
            },
            ..plan(start)
        };
        let mut subscriber = self.feed.subscribe(plan).await.unwrap();
        next(&mut subscriber).await;
        subscriber
    }

    fn reads(&self) -> u64 {
        self.slow.reads.load(Ordering::Relaxed)
    }
}

async fn numbers_of_rest(subscriber: &mut Subscriber) -> Vec<u64> {
    let (seen, error) = rest(subscriber).await;
    assert_eq!(error, None);
    numbers(&seen)
}

#[tokio::test(start_paused = true)]
async fn readers_at_the_same_place_read_it_once() {
    let shelves = Shelves::new().await;
    let all: Vec<u64> = (1..=50).collect();
    let mut alone = shelves.open(Start::Earliest, 0).await;
    assert_eq!(numbers_of_rest(&mut alone).await, all);
    let of_one = shelves.reads();
    assert!(of_one > 5, "a page is a small part: {of_one}");
    let mut readers = join_all((0..20).map(|_| shelves.open(Start::Earliest, 0))).await;
    for seen in join_all(readers.iter_mut().map(numbers_of_rest)).await {
        assert_eq!(seen, all);
    }
    assert_eq!(shelves.reads(), 2 * of_one);
}

#[tokio::test(start_paused = true)]
async fn a_reader_is_given_the_rest_of_a_page_that_another_holds() {
    let shelves = Shelves::new().await;
    let mut ahead = shelves.open(Start::Earliest, 1).await;
    assert_eq!(numbers(&[next(&mut ahead).await]), [1]);
    let mut behind = shelves.open(after(1), 1).await;
    assert_eq!(numbers(&[next(&mut behind).await]), [2]);
    // And the one behind it, which is read while the first is sent.
    assert_eq!(shelves.reads(), 2, "the pages of the other");
    drop(ahead);
    let after_two: Vec<u64> = (3..=50).collect();
    assert_eq!(numbers_of_rest(&mut behind).await, after_two);
}

#[tokio::test(start_paused = true)]
async fn what_was_trimmed_is_not_handed_on_by_who_still_holds_it() {
    let shelves = Shelves::new().await;
    let mut holding = shelves.open(Start::Earliest, 1).await;
    assert_eq!(numbers(&[next(&mut holding).await]), [1]);
    let mut late = shelves.open(Start::Earliest, 1).await;
    shelves.b.journal.trim(Sequence::new(30));
    let (seen, error) = rest(&mut late).await;
    assert!(numbers(&seen).is_empty(), "{seen:?}");
    let is_refused = matches!(error, Some(FeedError::PositionTrimmed(_)));
    assert!(is_refused, "{error:?}");
    assert_eq!(numbers(&[next(&mut holding).await]), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_leaves_does_not_end_the_read_of_others() {
    let shelves = Shelves::new().await;
    let mut first = shelves.open(Start::Earliest, 0).await;
    let mut second = shelves.open(Start::Earliest, 0).await;
    tokio::select! {
        biased;
        _ = first.next() => panic!("a read takes longer"),
        _ = second.next() => panic!("a read takes longer"),
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
    drop(first);
    let all: Vec<u64> = (1..=50).collect();
    assert_eq!(numbers_of_rest(&mut second).await, all);
}
