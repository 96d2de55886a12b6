//! `EventService` beyond its errors.

use std::collections::HashMap;

use super::*;
use crate::feed::Surroundings;
use crate::feed::tests::{draft, scale, session_fact};
use crate::testing::MemoryJournal;
use std::sync::Arc;

#[tokio::test]
async fn opened_tells_what_the_stream_is() {
    let edge = edge().await;
    edge.bench.fill(5).await;
    let mut client = edge.events().await;
    let request = v1::SubscribeRequest {
        heartbeat_interval: Some(prost_types::Duration {
            seconds: 3,
            nanos: 0,
        }),
        start: after(2),
        ..Default::default()
    };
    let mut stream = client.subscribe(request).await.unwrap().into_inner();
    let first = message(&mut stream).await;
    assert_eq!(
        (
            first.events.len(),
            first.through_sequence,
            first.latest_sequence
        ),
        (0, 2, 5)
    );
    let Some(Notice::Opened(opened)) = first.notice else {
        panic!("{first:?}")
    };
    assert_eq!(opened.journal, "journals/default");
    assert_eq!(opened.subscriber, "journals/default/subscribers/1");
    assert_eq!(opened.start, Some(position(2)));
    assert_eq!(opened.epoch, Epoch::new(EPOCH).to_string());
    assert_eq!((opened.earliest_sequence, opened.latest_sequence), (1, 5));
    assert_eq!(opened.heartbeat_interval.unwrap().seconds, 3);
    assert_eq!(opened.max_age, None, "streams do not end by age");
}

#[tokio::test]
async fn every_view_leaves_out_what_it_says_in_every_call() {
    let edge = edge().await;
    edge.bench.append(vec![draft(1), session_fact(2)]).await;
    let full = edge.bench.journal.events();
    let mut client = edge.events().await;
    for (view, data, raw) in [
        (v1::EventView::Unspecified, true, true),
        (v1::EventView::Full, true, true),
        (v1::EventView::Normalized, true, false),
        (v1::EventView::Raw, false, true),
        (v1::EventView::Attributes, false, false),
    ] {
        let expected: Vec<v1::Event> = full
            .iter()
            .map(|event| v1::Event {
                data: event.data.clone().filter(|_| data),
                raw_data: if raw {
                    event.raw_data.clone()
                } else {
                    Default::default()
                },
                ..event.clone()
            })
            .collect();
        let request = v1::SubscribeRequest {
            view: view.into(),
            ..to_the_end(earliest())
        };
        let (all, status) = collect(&mut client, request).await;
        assert!(status.is_none());
        let got: Vec<_> = all.into_iter().flat_map(|r| r.events).collect();
        assert_eq!(got, expected, "{view:?}");
        let request = v1::ReadEventsRequest {
            start: Some(v1::read_events_request::Start::LastEvents(2)),
            view: view.into(),
            ..Default::default()
        };
        let read = client.read_events(request).await.unwrap().into_inner();
        assert_eq!(read.events, expected, "{view:?}");
        assert_eq!((read.through, read.latest_sequence), (Some(position(2)), 2));
        for event in &expected {
            let name = format!("journals/default/events/{}", event.sequence);
            let request = v1::GetEventRequest {
                name,
                view: view.into(),
            };
            let got = client.get_event(request).await.unwrap().into_inner();
            assert_eq!(got.event.as_ref(), Some(event), "{view:?}");
        }
    }
}

#[tokio::test]
async fn a_sample_of_resume_points_delivers_the_whole_suffix_byte_for_byte() {
    let edge = edge().await;
    for _ in 0..10 {
        edge.bench.fill(1_000).await;
    }
    let written = edge.bench.journal.events();
    let mut client = edge.events().await;
    let step = (1_000 / scale() as usize).max(1);
    for place in (0..=10_000).step_by(step).chain([1, 9_998, 9_999]) {
        for start in [
            after(place as u64),
            Some(Start::LastEvents(10_000 - place as u64)),
        ] {
            let (all, status) = collect(&mut client, to_the_end(start)).await;
            assert!(status.is_none());
            let got: Vec<_> = all.into_iter().flat_map(|r| r.events).collect();
            assert_eq!(got, written[place..], "after {place}");
        }
    }
}

#[tokio::test]
async fn read_events_polls_for_what_is_to_come() {
    let edge = edge().await;
    edge.bench.fill(2).await;
    let mut client = edge.events().await;
    let request = v1::ReadEventsRequest {
        start: Some(v1::read_events_request::Start::After(position(2))),
        wait: Some(prost_types::Duration {
            seconds: 10,
            nanos: 0,
        }),
        ..Default::default()
    };
    let write = async {
        tokio::task::yield_now().await;
        edge.bench.fill(1).await;
    };
    let (read, ()) = within(async { tokio::join!(client.read_events(request), write) }).await;
    let read = read.unwrap().into_inner();
    assert_eq!((read.events.len(), read.through), (1, Some(position(3))));
}

#[tokio::test]
async fn journals_are_described_and_listed_in_pages() {
    let bench = bench_with(FeedConfig::default(), 10);
    bench.fill(4).await;
    let more = ["b-one", "c-two", "e-three"].map(|name| {
        let journal = MemoryJournal::new(name, 7, bench.clock.clone());
        let surroundings = Surroundings {
            registry: bench.feed.registry().clone(),
            cursor_names: crate::feed::CursorNames::default(),
            clock: bench.clock.clone(),
            rng: Rng::from_seed(3),
            drain: bench.drain.clone(),
        };
        Feed::attach(Arc::new(journal), surroundings, FeedConfig::default())
    });
    let listener = Listener::bind("127.0.0.1:0", SocketMode::Owner)
        .await
        .unwrap();
    let feeds = more.into_iter().chain([bench.feed.clone()]).collect();
    let edge = serve(bench, feeds, vec![listener]);
    let mut client = edge.events().await;

    let mut by_page: HashMap<i32, Vec<String>> = HashMap::new();
    for page_size in [1, 3, 0] {
        let mut page_token = String::new();
        loop {
            let request = v1::ListJournalsRequest {
                page_size,
                page_token,
            };
            let page = client.list_journals(request).await.unwrap().into_inner();
            let names = page.journals.into_iter().map(|j| j.name);
            by_page.entry(page_size).or_default().extend(names);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    let all = ["b-one", "c-two", "default", "e-three"].map(|n| format!("journals/{n}"));
    assert!(by_page.values().all(|names| *names == all), "{by_page:?}");

    let request = v1::GetJournalRequest {
        name: "journals/default".to_owned(),
    };
    let journal = client
        .get_journal(request)
        .await
        .unwrap()
        .into_inner()
        .journal
        .unwrap();
    assert_eq!((journal.earliest_sequence, journal.latest_sequence), (1, 4));
    assert_eq!(journal.epoch, Epoch::new(EPOCH).to_string());
    assert!(journal.latest_time.is_some() && journal.create_time.is_some());

    let (_, status) = collect(&mut client, to_the_end(earliest())).await;
    details(&status.unwrap(), Code::InvalidArgument, "JOURNAL_REQUIRED");
    let request = v1::ListJournalsRequest {
        page_size: -1,
        page_token: String::new(),
    };
    let status = client.list_journals(request).await.unwrap_err();
    details(&status, Code::InvalidArgument, "REQUEST_INVALID");
}

#[tokio::test]
async fn a_reader_that_never_reads_is_bounded_delays_nobody_and_misses_nothing() {
    let edge = edge().await;
    let live = v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Latest.into())),
        ..Default::default()
    };
    let small = edge
        .endpoint()
        .initial_stream_window_size(65_535)
        .connect()
        .await
        .unwrap();
    let mut parked_client = EventServiceClient::new(small);
    let mut parked = parked_client
        .subscribe(live.clone())
        .await
        .unwrap()
        .into_inner();
    let mut client = edge.events().await;
    let mut eager = client.subscribe(live).await.unwrap().into_inner();
    message(&mut eager).await;

    let mut eager_saw = Vec::new();
    let mut wrote = 0;
    while wrote < 1_000 {
        let events = (wrote + 1..=wrote + 20).map(|n| v1::Event {
            raw_data: vec![b'x'; 20_000].into(),
            ..draft(n)
        });
        edge.bench.append(events.collect()).await;
        wrote += 20;
        while eager_saw.last().copied().unwrap_or(0) < wrote {
            eager_saw.extend(numbers(&[message(&mut eager).await]));
        }
    }
    assert_eq!(eager_saw, (1..=1_000).collect::<Vec<_>>());
    let facts = edge.bench.feed.registry().subscribers();
    assert_eq!(facts[1].sent_events, 1_000);
    assert!(
        facts[0].sent_bytes < 512 << 10,
        "{} bytes of 20 MB wait",
        facts[0].sent_bytes
    );

    let mut parked_saw = Vec::new();
    let mut fell_behind = false;
    while parked_saw.len() < 1_000 {
        let response = message(&mut parked).await;
        fell_behind |= matches!(response.notice, Some(Notice::FellBehind(_)));
        parked_saw.extend(numbers(&[response]));
    }
    assert_eq!(parked_saw, eager_saw);
    assert!(fell_behind);
}
