//! Streams that read by a cursor: where they begin, and what ends them.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::*;
use crate::feed::{Cause, Closing, Notice, Opened, Origin, StateName, SubscribePlan, Subscriber};

fn by(text: &str) -> SubscribePlan {
    SubscribePlan {
        start: Origin::Cursor(name(text)),
        ..crate::feed::tests::plan(Start::Latest)
    }
}

/// The first response, which says what the stream is.
async fn opened(stream: &mut Subscriber) -> Opened {
    let first = stream.next().await.unwrap().unwrap();
    match first.notice {
        Some(Notice::Opened(opened)) => *opened,
        other => panic!("{other:?}"),
    }
}

/// The rest of a stream: where its bookmark got, its last notice, and its error.
async fn ended(stream: &mut Subscriber) -> (u64, Option<Notice>, FeedError) {
    let (mut through, mut last) = (0, None);
    loop {
        match stream.next().await.expect("an error ends it") {
            Ok(delivery) => {
                through = delivery.through.get();
                last = delivery.notice;
            }
            Err(error) => return (through, last, error),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_begins_behind_the_commit_and_names_its_lease() {
    let kept = kept();
    kept.bench.fill(10).await;
    kept.create("c").await;
    let mut first = kept.bench.open(by("c")).await;
    let told = opened(&mut first).await;
    assert_eq!((told.start.get(), told.lease), (0, 1));
    kept.commit("c", 1, 6).await.unwrap();
    drop(first);
    let mut second = kept.bench.open(by("c")).await;
    let told = opened(&mut second).await;
    assert_eq!((told.start.get(), told.lease), (6, 2));
    let facts = kept.feed().registry().subscribers().pop().unwrap();
    assert_eq!((facts.subscription, facts.lease), (Some(name("c")), 2));
    assert_eq!(
        (facts.state, facts.through.get()),
        (StateName::Replaying, 6)
    );
    let mut plain = kept
        .bench
        .open(crate::feed::tests::plan(Start::Latest))
        .await;
    assert_eq!(opened(&mut plain).await.lease, 0);
}

#[tokio::test(start_paused = true)]
async fn a_newer_stream_ends_the_older_and_fences_its_commits() {
    let kept = kept();
    kept.bench.fill(10).await;
    kept.create("c").await;
    kept.create("other").await;
    let mut older = kept.bench.open(by("c")).await;
    let mut bystander = kept.bench.open(by("other")).await;
    opened(&mut older).await;
    let mut newer = kept.bench.open(by("c")).await;
    let (_, last, error) = ended(&mut older).await;
    assert_eq!(last, Some(Notice::Closing(Closing::TakenOver)));
    assert_eq!(error, CursorError::TakenOver { name: name("c") }.into());
    assert!(older.next().await.is_none());
    let fenced = CursorError::Fenced {
        name: name("c"),
        lease: 2,
    };
    assert_eq!(kept.commit("c", 1, 10).await, Err(fenced.into()));
    assert_eq!(opened(&mut newer).await.lease, 2);
    assert_eq!(kept.commit("c", 2, 10).await, Ok(10));
    assert_eq!(opened(&mut bystander).await.lease, 1);
    assert_eq!(kept.commit("other", 1, 10).await, Ok(10));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_catches_up_is_ended_in_the_middle_of_it() {
    let kept = kept();
    for _ in 0..50 {
        kept.bench.fill(100).await;
    }
    kept.create("c").await;
    let mut older = kept.bench.open(by("c")).await;
    opened(&mut older).await;
    let first = older.next().await.unwrap().unwrap();
    let _newer = kept.bench.open(by("c")).await;
    let (through, last, _) = ended(&mut older).await;
    assert_eq!(last, Some(Notice::Closing(Closing::TakenOver)));
    assert!(
        first.through.get() <= through && through < 5_000,
        "{through}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_seek_and_a_delete_end_the_stream_and_say_why() {
    let kept = kept();
    kept.bench.fill(10).await;
    kept.create("c").await;
    let mut moved = kept.bench.open(by("c")).await;
    let to = Start::After(at(EPOCH, 4));
    let sought = kept.feed().seek_cursor(name("c"), to).await.unwrap();
    assert_eq!((sought.lease, sought.committed), (2, position(EPOCH, 4)));
    let (_, last, error) = ended(&mut moved).await;
    assert!(!matches!(last, Some(Notice::Closing(_))), "{last:?}");
    assert_eq!(error, sought.fenced(&name("c")).into());
    assert!(kept.commit("c", 1, 9).await.is_err());

    let mut gone = kept.bench.open(by("c")).await;
    assert_eq!(opened(&mut gone).await.start.get(), 4);
    let etag = kept.feed().cursor(&name("c")).unwrap().etag();
    kept.commit("c", 3, 5).await.unwrap();
    let stale = kept
        .feed()
        .delete_cursor(name("c"), etag)
        .await
        .unwrap_err();
    let present = kept.feed().cursor(&name("c")).unwrap().etag();
    assert!(
        matches!(stale, FeedError::Cursor(CursorError::Changed { etag, .. }) if etag == present)
    );
    kept.feed().delete_cursor(name("c"), present).await.unwrap();
    let not_found: FeedError = CursorError::NotFound { name: name("c") }.into();
    assert_eq!(ended(&mut gone).await.2, not_found);
    assert_eq!(kept.commit("c", 3, 9).await, Err(not_found.clone()));
    let refused = kept.feed().subscribe(by("c")).await.unwrap_err();
    assert_eq!(refused, not_found);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_refused_takes_nothing_over() {
    let kept = kept_by(bench_with(FeedConfig::default(), 1));
    kept.bench.fill(30).await;
    kept.create("c").await;
    let mut only = kept.bench.open(by("c")).await;
    let refused = kept.feed().subscribe(by("c")).await.unwrap_err();
    assert!(matches!(refused, FeedError::SubscriberQuota { .. }));
    assert_eq!(opened(&mut only).await.lease, 1);
    assert_eq!(kept.commit("c", 1, 1).await, Ok(1));
    drop(only);

    kept.bench.journal.trim(Sequence::new(11));
    let refused = kept.feed().subscribe(by("c")).await.unwrap_err();
    assert!(matches!(refused, FeedError::PositionTrimmed(_)));
    assert_eq!(kept.commit("c", 1, 2).await, Ok(2), "the lease is the same");
    let resuming = SubscribePlan {
        policy: Policy::ResumeAtEarliest,
        ..by("c")
    };
    let mut resumed = kept.bench.open(resuming).await;
    let told = opened(&mut resumed).await;
    assert_eq!((told.start.get(), told.lease), (10, 2));
    let gap = resumed.next().await.unwrap().unwrap().notice;
    assert!(matches!(gap, Some(Notice::Gap(gap)) if gap.cause == Cause::Trimmed));
    assert_eq!(kept.commit("c", 2, 30).await, Ok(30));
}

#[tokio::test(start_paused = true)]
async fn after_a_drain_it_is_waited_for_commits_of_what_was_delivered() {
    let kept = kept();
    kept.bench.fill(10).await;
    kept.create("c").await;
    kept.create("idle").await;
    let mut stream = kept.bench.open(by("c")).await;
    drop(kept.bench.open(by("idle")).await);
    kept.bench.trigger.drain();
    let (through, last, error) = ended(&mut stream).await;
    assert_eq!(through, 10);
    assert!(matches!(last, Some(Notice::Closing(Closing::Draining(_)))));
    assert!(matches!(error, FeedError::Draining { .. }));
    let settled = kept.feed().cursors_settled();
    tokio::pin!(settled);
    kept.commit("c", 1, 9).await.unwrap();
    let early = tokio::time::timeout(Duration::from_secs(5), settled.as_mut()).await;
    assert!(early.is_err(), "one event is still to be committed");
    kept.commit("c", 1, 10).await.unwrap();
    settled.await;
}
