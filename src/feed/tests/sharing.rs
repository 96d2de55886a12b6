//! What readers are sent in common is encoded once, and what is not is never confused with it.

use bytes::Bytes;

use super::*;
use crate::feed::Part;

/// A subscriber at the live edge.
async fn live(b: &Bench, plan: SubscribePlan) -> Subscriber {
    let mut subscriber = b.open(plan).await;
    while !matches!(next(&mut subscriber).await.news, Some(News::CaughtUp)) {}
    subscriber
}

async fn delivery(subscriber: &mut Subscriber) -> Delivery {
    subscriber.next().await.unwrap().unwrap()
}

/// What `encode` made for whoever came first; `None` where there is nothing to share.
fn encoded(delivery: &Delivery, name: &'static str) -> Option<Bytes> {
    delivery.encoded_once(|_| Bytes::from_static(name.as_bytes()))
}

#[tokio::test(start_paused = true)]
async fn one_reader_encodes_for_all_that_are_sent_the_same() {
    let b = bench();
    let latest = || plan(Start::Latest);
    let mut readers = [live(&b, latest()).await, live(&b, latest()).await];
    let view = View::Attributes;
    let mut viewing = live(&b, SubscribePlan { view, ..latest() }).await;
    let batching = Batching {
        max_events: 9,
        ..Batching::default()
    };
    let mut cut = live(
        &b,
        SubscribePlan {
            batching,
            ..latest()
        },
    )
    .await;
    b.fill(10).await;
    let [first, second] = &mut readers;
    let (first, second) = (delivery(first).await, delivery(second).await);
    assert_eq!(encoded(&first, "first").unwrap(), "first");
    assert_eq!(encoded(&second, "second").unwrap(), "first");
    let viewed = delivery(&mut viewing).await;
    assert_eq!(encoded(&viewed, "viewed").unwrap(), "viewed");
    assert_eq!(seen(viewed).events.len(), 10);
    let part = delivery(&mut cut).await;
    assert_eq!((part.elements.count(), encoded(&part, "cut")), (9, None));
    assert_eq!(seen(first).events.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_tells_another_end_is_another_response() {
    let b = bench();
    let few = Batching {
        max_events: 10,
        ..Batching::default()
    };
    let asked = || SubscribePlan {
        batching: few,
        ..plan(Start::Latest)
    };
    let (mut prompt, mut late) = (live(&b, asked()).await, live(&b, asked()).await);
    b.fill(10).await;
    let at_once = delivery(&mut prompt).await;
    b.fill(10).await;
    let later = delivery(&mut late).await;
    assert_eq!(at_once.through, later.through);
    assert_eq!((at_once.latest.get(), later.latest.get()), (10, 20));
    assert_eq!(encoded(&at_once, "at once").unwrap(), "at once");
    assert_eq!(encoded(&later, "later").unwrap(), "later");
}

#[tokio::test(start_paused = true)]
async fn a_filter_shares_nothing_it_leaves_out() {
    let b = bench();
    let spec = FilterSpec {
        excluded_types: vec![draft(3).r#type],
        ..FilterSpec::default()
    };
    let selection = Selection {
        filter: Filter::compile(&spec).unwrap(),
        shard: None,
    };
    let mut filtering = live(
        &b,
        SubscribePlan {
            selection,
            ..plan(Start::Latest)
        },
    )
    .await;
    b.fill(10).await;
    let some = delivery(&mut filtering).await;
    assert!(some.elements.count() < 10);
    assert_eq!(encoded(&some, "some"), None);
}

#[test]
fn elements_that_stand_together_are_one_part() {
    let at = WallTime::from_nanos(1);
    let events: Vec<Entry> = (1..=4).map(|n| entry(n, at, draft(n))).collect();
    let all: Vec<Bytes> = events.iter().map(|e| e.element.clone()).collect();
    let buffer = Bytes::from(all.concat());
    let mut ends = all.iter().scan(0, |end, element| {
        let start = *end;
        *end += element.len();
        Some(buffer.slice(start..*end))
    });
    let (first, second) = (ends.next().unwrap(), ends.next().unwrap());
    let fourth = ends.nth(1).unwrap();
    let mut elements = Elements::default();
    for element in [&first, &second, &fourth] {
        elements.push(element, Some(&buffer));
    }
    // One from elsewhere, and one that says so.
    elements.push(&all[0], Some(&buffer));
    elements.push(&first, None);
    let elements = elements.take();
    let lengths: Vec<usize> = elements.parts().iter().map(Part::len).collect();
    let together = first.len() + second.len();
    assert_eq!(lengths, [together, fourth.len(), first.len(), first.len()]);
    let mut written = Vec::new();
    elements.write(&mut written);
    assert_eq!(
        written,
        [first.clone(), second, fourth, first.clone(), first].concat()
    );
    assert_eq!((elements.count(), elements.len()), (5, written.len()));
}
