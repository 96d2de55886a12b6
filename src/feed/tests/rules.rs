//! The rules of `Subscribe` that are easy to miss, each with a test.

use super::slow_journal::SlowJournal;
use super::validate::{Written, validate};
use super::*;
use crate::runtime::MonoTime;

fn asked(sequence: u64) -> AskedPosition {
    AskedPosition {
        epoch: Epoch::new(EPOCH).to_string(),
        sequence: Sequence::new(sequence),
    }
}

fn ending(start: Start, end: End) -> SubscribePlan {
    SubscribePlan {
        end: Some(end),
        ..plan(start)
    }
}

fn types(values: &[&str]) -> Selection {
    let spec = FilterSpec {
        types: values.iter().map(|v| (*v).to_owned()).collect(),
        ..FilterSpec::default()
    };
    Selection {
        filter: Filter::compile(&spec).unwrap(),
        shard: None,
    }
}

fn news(seen: &[Seen]) -> Vec<News> {
    seen.iter().filter_map(|s| s.news.clone()).collect()
}

fn gap(cause: Cause, first: u64, last: u64) -> News {
    let range = Some((first, last));
    News::Gap { cause, range }
}

fn opened(start: u64) -> News {
    let epoch = Epoch::new(EPOCH).to_string();
    News::Opened { epoch, start }
}

fn written(bench: &Bench) -> Written {
    let events = bench.journal.events();
    events.into_iter().map(|e| (e.sequence, e)).collect()
}

#[tokio::test(start_paused = true)]
async fn history_then_caught_up_with_its_events_then_live() {
    let b = bench();
    b.fill(5).await;
    let mut s = b.open(plan(Start::Earliest)).await;
    let first = next(&mut s).await;
    assert_eq!(
        (first.news, first.through, first.latest),
        (Some(opened(0)), 0, 5)
    );
    let history = next(&mut s).await;
    assert_eq!(numbers(std::slice::from_ref(&history)), [1, 2, 3, 4, 5]);
    assert_eq!(history.news, Some(News::CaughtUp));
    b.fill(2).await;
    let live = next(&mut s).await;
    assert_eq!(
        (numbers(std::slice::from_ref(&live)), live.through),
        (vec![6, 7], 7)
    );
    assert_eq!(b.feed.registry().subscribers()[0].state, StateName::Live);
}

#[tokio::test(start_paused = true)]
async fn a_response_holds_as_many_ready_events_as_fit() {
    let b = bench();
    b.fill(2_500).await;
    let mut s = b.open(ending(Start::Earliest, End::CaughtUp)).await;
    let (all, error) = rest(&mut s).await;
    assert_eq!(error, None);
    assert_eq!(numbers(&all), (1..=2_500).collect::<Vec<_>>());
    let bytes: usize = b.journal.events().iter().map(Message::encoded_len).sum();
    assert!(
        all.len() <= bytes / (48 << 10) + 6,
        "{} responses",
        all.len()
    );
}

#[tokio::test(start_paused = true)]
async fn batching_bounds_every_response_but_a_single_larger_event_is_sent_alone() {
    let b = bench();
    b.fill(10).await;
    let large = v1::Event {
        raw_data: vec![b'x'; 300_000].into(),
        ..draft(11)
    };
    b.append(vec![large]).await;
    b.fill(9).await;
    let bounds = |max_events, max_bytes| SubscribePlan {
        batching: Batching {
            max_events,
            max_bytes,
            linger: Duration::ZERO,
        },
        ..ending(Start::Earliest, End::CaughtUp)
    };
    let (all, _) = rest(&mut b.open(bounds(3, 0)).await).await;
    assert_eq!(numbers(&all), (1..=20).collect::<Vec<_>>());
    assert!(all.iter().all(|s| s.events.len() <= 3));
    let (all, _) = rest(&mut b.open(bounds(0, 600)).await).await;
    assert_eq!(numbers(&all), (1..=20).collect::<Vec<_>>());
    for response in &all {
        let bytes: usize = response.events.iter().map(|e| e.encoded_len() + 3).sum();
        assert!(bytes <= 600 || response.events.len() == 1, "{bytes}");
    }
}

#[tokio::test(start_paused = true)]
async fn linger_waits_for_a_fuller_response_but_not_longer() {
    let b = bench();
    let mut s = b
        .open(SubscribePlan {
            batching: Batching {
                linger: Duration::from_millis(200),
                ..Batching::default()
            },
            ..plan(Start::Latest)
        })
        .await;
    next(&mut s).await;
    assert_eq!(next(&mut s).await.news, Some(News::CaughtUp));
    b.fill(1).await;
    let begun = MonoTime::now();
    let late = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        b.fill(1).await;
    };
    let (response, ()) = tokio::join!(next(&mut s), late);
    assert_eq!(numbers(&[response]), [1, 2]);
    assert_eq!(begun.elapsed().as_millis() / 10, 20);
}

#[tokio::test(start_paused = true)]
async fn no_silence_is_longer_than_the_heartbeat_and_it_carries_the_progress() {
    let b = bench();
    for (asked, bound) in [
        (None, 10_000),
        (Some(0), 1_000),
        (Some(2_500), 2_500),
        (Some(900_000), 60_000),
    ] {
        let mut s = b
            .open(SubscribePlan {
                heartbeat: asked.map(Duration::from_millis),
                selection: types(&["nothing"]),
                ..plan(Start::Latest)
            })
            .await;
        next(&mut s).await;
        next(&mut s).await;
        for _ in 0..5 {
            let begun = MonoTime::now();
            b.fill(3).await;
            let beat = next(&mut s).await;
            assert!(begun.elapsed() <= Duration::from_millis(bound));
            assert!(begun.elapsed() >= Duration::from_millis(bound * 8 / 10));
            assert_eq!((beat.events.len(), beat.news), (0, None));
            assert_eq!(
                (beat.through, beat.latest),
                (b.feed.info().latest.get(), beat.through)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_replay_of_filtered_history_still_beats() {
    let b = bench();
    b.fill(300).await;
    let slow = Arc::new(SlowJournal::before(b.journal.clone()));
    let feed = Feed::attach(slow, b.feed.0.surroundings.clone(), FeedConfig::default());
    let asked = SubscribePlan {
        heartbeat: Some(Duration::from_secs(1)),
        selection: types(&["nothing"]),
        ..ending(Start::Earliest, End::At(asked(30)))
    };
    let mut s = feed.subscribe(asked).await.unwrap();
    let (begun, mut last) = (MonoTime::now(), MonoTime::now());
    let mut marks = Vec::new();
    while let Some(next) = s.next().await {
        assert!(last.elapsed() <= Duration::from_secs(1));
        last = MonoTime::now();
        let response = seen(next.unwrap());
        assert!(response.events.is_empty());
        marks.push(response.through);
    }
    assert!(begun.elapsed() > Duration::from_secs(20), "reads were slow");
    assert!(marks.is_sorted() && marks.last() == Some(&30), "{marks:?}");
    marks.dedup();
    assert!(
        marks.len() > 5,
        "the bookmark moves with the replay: {marks:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_pace_slows_catching_up_and_nothing_live() {
    let b = bench();
    b.fill(100).await;
    let mut s = b
        .open(SubscribePlan {
            replay_rate: 50,
            ..plan(Start::Earliest)
        })
        .await;
    let begun = MonoTime::now();
    let mut all = Vec::new();
    loop {
        all.push(next(&mut s).await);
        let at = begun.elapsed().as_secs_f64();
        let sent = numbers(&all).len() as f64;
        assert!(sent <= 50.0 * at + 3.0, "{sent} events after {at} s");
        if all.last().unwrap().news == Some(News::CaughtUp) {
            break;
        }
    }
    assert!(begun.elapsed() >= Duration::from_millis(1_900));
    assert!(begun.elapsed() <= Duration::from_millis(2_200));
    b.fill(1_000).await;
    let at_once = MonoTime::now();
    while numbers(&all).len() < 1_100 {
        all.push(next(&mut s).await);
    }
    assert_eq!(at_once.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn until_delivers_that_event_and_ends_well_even_if_it_is_yet_to_come() {
    let b = bench();
    b.fill(5).await;
    let (all, error) = rest(&mut b.open(ending(Start::Earliest, End::At(asked(3)))).await).await;
    assert_eq!((numbers(&all), error), (vec![1, 2, 3], None));
    assert_eq!(all.last().unwrap().through, 3);
    assert_eq!(news(&all).last(), Some(&News::Closing));
    let (all, error) = rest(&mut b.open(ending(after(5), End::At(asked(2)))).await).await;
    assert_eq!((news(&all), error), (vec![opened(5), News::Closing], None));
    let mut s = b.open(ending(after(5), End::At(asked(7)))).await;
    let ((all, error), ()) = tokio::join!(rest(&mut s), b.fill(5));
    assert_eq!((numbers(&all), error), (vec![6, 7], None));
    let foreign = End::At(AskedPosition {
        epoch: "other".to_owned(),
        ..asked(7)
    });
    let refused = b.feed.subscribe(ending(after(5), foreign)).await;
    assert!(matches!(refused, Err(FeedError::EpochChanged { .. })));
}

#[tokio::test(start_paused = true)]
async fn until_time_ends_with_the_last_event_of_that_time_or_when_the_clock_passes_it() {
    let b = bench();
    b.fill(2).await;
    let middle = b.clock.wall();
    tokio::time::advance(Duration::from_secs(1)).await;
    b.fill(2).await;
    let (all, error) = rest(&mut b.open(ending(Start::Earliest, End::Time(middle))).await).await;
    assert_eq!((numbers(&all), error), (vec![1, 2], None));
    assert_eq!(all.last().unwrap().through, 2);
    let begun = MonoTime::now();
    let in_5 = b.clock.wall().plus(Duration::from_secs(5));
    let (all, error) = rest(&mut b.open(ending(Start::Earliest, End::Time(in_5))).await).await;
    assert_eq!((numbers(&all), error), (vec![1, 2, 3, 4], None));
    assert_eq!(news(&all).last(), Some(&News::Closing));
    assert!((5_000..5_500).contains(&begun.elapsed().as_millis()));
}

#[tokio::test(start_paused = true)]
async fn until_caught_up_says_so_and_ends_well() {
    let b = bench();
    for count in [0, 7] {
        b.fill(count).await;
        let (all, error) = rest(&mut b.open(ending(Start::Earliest, End::CaughtUp)).await).await;
        assert_eq!(error, None);
        assert_eq!(news(&all), [opened(0), News::CaughtUp, News::Closing]);
        assert_eq!(all.last().unwrap().through, count);
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_stream_is_closed_with_a_delay_and_then_an_error() {
    let b = bench_with(
        FeedConfig {
            max_age: Some(Duration::from_secs(100)),
            ..FeedConfig::default()
        },
        100,
    );
    let mut ages = Vec::new();
    for _ in 0..20 {
        let begun = MonoTime::now();
        let (all, error) = rest(&mut b.open(plan(Start::Latest)).await).await;
        assert_eq!(all.last().unwrap().news, Some(News::Closing));
        assert!(matches!(error, Some(FeedError::MaxAge { .. })));
        ages.push(begun.elapsed().as_millis());
    }
    assert!(
        ages.iter().all(|age| (90_000..=110_001).contains(age)),
        "{ages:?}"
    );
    let spread = ages.iter().max().unwrap() - ages.iter().min().unwrap();
    assert!(spread > 5_000, "jitter: {ages:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_delivers_up_to_the_end_and_says_when_to_come_back() {
    let b = bench();
    b.fill(2_000).await;
    let mut far = b.open(plan(Start::Earliest)).await;
    let mut live = b.open(plan(Start::Latest)).await;
    next(&mut live).await;
    next(&mut live).await;
    b.fill(1).await;
    b.trigger.drain();
    for (reader, count) in [(&mut far, 2_001), (&mut live, 1)] {
        let (all, error) = rest(reader).await;
        assert_eq!(numbers(&all).len(), count);
        assert_eq!(all.last().unwrap().through, 2_001);
        assert_eq!(all.last().unwrap().news, Some(News::Closing));
        let Some(FeedError::Draining { retry_delay }) = error else {
            panic!("{error:?}")
        };
        assert!(retry_delay >= Duration::from_secs(1) && retry_delay <= Duration::from_secs(5));
    }
    let refused = b.feed.subscribe(plan(Start::Latest)).await;
    assert!(matches!(refused, Err(FeedError::Draining { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_forced_end_does_not_wait_for_a_paced_reader() {
    let b = bench();
    b.fill(500).await;
    let mut s = b
        .open(SubscribePlan {
            replay_rate: 1,
            ..plan(Start::Earliest)
        })
        .await;
    next(&mut s).await;
    b.trigger.drain();
    let begun = MonoTime::now();
    let force = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        b.trigger.force();
    };
    let ((all, error), ()) = tokio::join!(rest(&mut s), force);
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert_eq!(all.last().unwrap().news, Some(News::Closing));
    assert!(matches!(error, Some(FeedError::Draining { .. })));
    assert!(all.last().unwrap().through < 10);
}

#[tokio::test(start_paused = true)]
async fn retention_that_overtakes_a_stream_is_treated_as_at_its_start() {
    for (policy, resumes_at) in [
        (Policy::Fail, None),
        (Policy::ResumeAtEarliest, Some(80)),
        (Policy::ResumeAtLatest, Some(100)),
    ] {
        let b = bench();
        b.fill(100).await;
        let mut s = b
            .open(SubscribePlan {
                policy,
                ..plan(after(10))
            })
            .await;
        next(&mut s).await;
        b.journal.trim(Sequence::new(81));
        match resumes_at {
            None => {
                let (all, error) = rest(&mut s).await;
                assert!(all.is_empty());
                let Some(FeedError::PositionTrimmed(at)) = error else {
                    panic!("{error:?}")
                };
                let bounds = (at.requested.get(), at.earliest.get(), at.latest.get());
                assert_eq!(bounds, (10, 81, 100));
            }
            Some(last) => {
                let told = next(&mut s).await;
                assert_eq!(
                    (told.news, told.through),
                    (Some(gap(Cause::Trimmed, 11, last)), last)
                );
                b.fill(1).await;
                let mut all = vec![next(&mut s).await];
                while all.last().unwrap().through < 101 {
                    all.push(next(&mut s).await);
                }
                assert_eq!(numbers(&all), (last + 1..=101).collect::<Vec<_>>());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn damage_ends_a_stream_or_is_a_gap_between_the_events_around_it() {
    for policy in [
        Policy::Fail,
        Policy::ResumeAtEarliest,
        Policy::ResumeAtLatest,
    ] {
        let b = bench();
        b.fill(10).await;
        b.journal.damage(Sequence::new(4), Sequence::new(6));
        let to_10 = SubscribePlan {
            policy,
            ..ending(Start::Earliest, End::At(asked(10)))
        };
        let (all, error) = rest(&mut b.open(to_10).await).await;
        let told: Vec<_> = all
            .iter()
            .filter(|s| matches!(s.news, Some(News::Gap { .. })))
            .filter_map(|s| s.news.clone())
            .collect();
        match policy {
            Policy::Fail => {
                let (first, last) = (Sequence::new(4), Sequence::new(6));
                assert_eq!(error, Some(FeedError::Corrupted { first, last }));
                assert_eq!((numbers(&all), told), (vec![1, 2, 3], vec![]));
                assert_eq!(all.last().unwrap().through, 3);
            }
            Policy::ResumeAtEarliest => {
                assert_eq!((numbers(&all), error), (vec![1, 2, 3, 7, 8, 9, 10], None));
                assert_eq!(told, [gap(Cause::Corrupted, 4, 6)]);
            }
            Policy::ResumeAtLatest => {
                assert_eq!((numbers(&all), error), (vec![1, 2, 3], None));
                assert_eq!(told, [gap(Cause::Corrupted, 4, 10)]);
            }
        }
        validate(&all, &written(&b), &|_| true);
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_at_the_start_is_told_before_anything_and_its_bookmark_resumes() {
    let b = bench();
    b.fill(30).await;
    b.journal.trim(Sequence::new(21));
    let resume = |from| SubscribePlan {
        policy: Policy::ResumeAtEarliest,
        ..ending(from, End::CaughtUp)
    };
    let (all, error) = rest(&mut b.open(resume(after(5))).await).await;
    assert_eq!(error, None);
    assert_eq!(news(&all)[..2], [opened(20), gap(Cause::Trimmed, 6, 20)]);
    assert_eq!((all[0].through, all[1].through), (5, 20));
    assert_eq!(numbers(&all), (21..=30).collect::<Vec<_>>());
    for response in &all {
        let (again, error) = rest(&mut b.open(resume(after(response.through))).await).await;
        assert_eq!(error, None);
        let expected: Vec<u64> = (response.through.max(20) + 1..=30).collect();
        assert_eq!(numbers(&again), expected);
    }
    let foreign = Start::After(AskedPosition {
        epoch: "gone".to_owned(),
        ..asked(7)
    });
    let (all, _) = rest(&mut b.open(resume(foreign)).await).await;
    let changed = News::Gap {
        cause: Cause::EpochChanged,
        range: None,
    };
    assert_eq!(news(&all)[..2], [opened(20), changed]);
    assert_eq!((all[0].through, all[1].through), (20, 20));
    assert_eq!(numbers(&all), (21..=30).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn session_facts_reach_every_reader_unless_it_says_otherwise() {
    let b = bench();
    b.append(vec![draft(1), session_fact(2), draft(3)]).await;
    let spec = |sessions: &[&str], filter_sidecar_events| FilterSpec {
        types: vec!["ccaas.conversation.created.v1".to_owned()],
        excluded_types: vec!["ccaas.session.*".to_owned()],
        sessions: sessions.iter().map(|s| (*s).to_owned()).collect(),
        filter_sidecar_events,
        ..FilterSpec::default()
    };
    for (spec, expected) in [
        (spec(&[], false), vec![2, 3]),
        (spec(&[], true), vec![3]),
        (spec(&["sessions/s0"], false), vec![2]),
        (spec(&["sessions/s1"], false), vec![3]),
        (spec(&["sessions/other"], false), vec![]),
    ] {
        let filter = Filter::compile(&spec).unwrap();
        let selection = Selection {
            filter,
            shard: None,
        };
        let asked = SubscribePlan {
            selection,
            ..ending(Start::Earliest, End::CaughtUp)
        };
        let (all, _) = rest(&mut b.open(asked).await).await;
        assert_eq!(numbers(&all), expected, "{spec:?}");
        assert_eq!(all.last().unwrap().through, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn the_quota_refuses_one_more_and_takes_one_when_another_has_left() {
    let b = bench_with(FeedConfig::default(), 2);
    let one = b.open(plan(Start::Latest)).await;
    let two = b.open(plan(Start::Latest)).await;
    let refused = b.feed.subscribe(plan(Start::Latest)).await.unwrap_err();
    assert!(matches!(
        refused,
        FeedError::SubscriberQuota { limit: 2, .. }
    ));
    assert_eq!(*b.feed.registry().open_streams().borrow(), 2);
    drop(one);
    let three = b.open(plan(Start::Latest)).await;
    let ids: Vec<_> = b
        .feed
        .registry()
        .subscribers()
        .iter()
        .map(|s| s.id)
        .collect();
    assert_eq!(ids, [2, 3]);
    drop((two, three));
    assert!(b.feed.registry().subscribers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_never_reads_costs_nothing_and_gets_the_exact_suffix_later() {
    let ring = RingBounds {
        bytes: 64 << 10,
        events: 500,
    };
    let b = bench_with(
        FeedConfig {
            ring,
            ..FeedConfig::default()
        },
        100,
    );
    let mut parked = b.open(plan(Start::Latest)).await;
    let mut eager = b.open(plan(Start::Latest)).await;
    for s in [&mut parked, &mut eager] {
        next(s).await;
        next(s).await;
    }
    let mut all = Vec::new();
    for _ in 0..50 {
        b.fill(100).await;
        while numbers(&all).last().copied().unwrap_or(0) < b.feed.info().latest.get() {
            all.push(next(&mut eager).await);
        }
        assert!(b.feed.0.ring.held_bytes() <= 64 << 10);
    }
    assert!(
        all.iter().all(|s| s.news.is_none()),
        "the eager one never fell behind"
    );
    let mut late = Vec::new();
    while numbers(&late).len() < 5_000 {
        late.push(next(&mut parked).await);
    }
    assert_eq!(late[0].news, Some(News::FellBehind));
    assert_eq!(numbers(&late), (1..=5_000).collect::<Vec<_>>());
    assert_eq!(news(&late), [News::FellBehind, News::CaughtUp]);
}
