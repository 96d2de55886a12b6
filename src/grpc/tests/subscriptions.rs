//! `SubscriptionService` and `Subscribe` by a subscription, as a client has them.

use std::sync::Arc;

use super::*;
use crate::domain::Sequence;
use crate::feed::{CursorNames, MOST_CURSORS, Surroundings};
use crate::journal::AppendError;
use crate::testing::MemoryJournal;
use v1::seek_subscription_request::Target;
use v1::subscription_service_client::SubscriptionServiceClient;

const CRM: &str = "subscriptions/crm";

type Client = SubscriptionServiceClient<Channel>;

async fn client(edge: &Edge) -> Client {
    SubscriptionServiceClient::new(edge.channel().await)
}

fn creation(id: &str) -> v1::CreateSubscriptionRequest {
    v1::CreateSubscriptionRequest {
        subscription_id: id.to_owned(),
        start: v1::StartPreset::Earliest.into(),
        ..Default::default()
    }
}

async fn create(
    client: &mut Client,
    request: v1::CreateSubscriptionRequest,
) -> Result<v1::Subscription, Status> {
    let answer = within(client.create_subscription(request)).await?;
    Ok(answer.into_inner().subscription.unwrap())
}

async fn get(client: &mut Client, name: &str) -> Result<v1::Subscription, Status> {
    let name = name.to_owned();
    let request = v1::GetSubscriptionRequest { name };
    let answer = within(client.get_subscription(request)).await?;
    Ok(answer.into_inner().subscription.unwrap())
}

async fn commit(client: &mut Client, lease: u64, to: v1::Position) -> Result<u64, Status> {
    let request = v1::CommitSubscriptionRequest {
        name: CRM.to_owned(),
        position: Some(to),
        lease,
    };
    let answer = within(client.commit_subscription(request)).await?;
    Ok(answer.into_inner().committed.unwrap().sequence)
}

async fn seek(client: &mut Client, target: Option<Target>) -> Result<v1::Subscription, Status> {
    let name = CRM.to_owned();
    let request = v1::SeekSubscriptionRequest { name, target };
    let answer = within(client.seek_subscription(request)).await?;
    Ok(answer.into_inner().subscription.unwrap())
}

async fn delete(client: &mut Client, etag: &str) -> Result<(), Status> {
    let (name, etag) = (CRM.to_owned(), etag.to_owned());
    let request = v1::DeleteSubscriptionRequest { name, etag };
    within(client.delete_subscription(request)).await.map(drop)
}

fn by_cursor() -> v1::SubscribeRequest {
    v1::SubscribeRequest {
        start: Some(Start::Subscription(CRM.to_owned())),
        ..Default::default()
    }
}

/// A stream by the subscription, and what it said of itself.
async fn open(edge: &Edge) -> (Streaming<v1::SubscribeResponse>, v1::Opened) {
    let mut events = edge.events().await;
    let stream = within(events.subscribe(by_cursor())).await.unwrap();
    let mut stream = stream.into_inner();
    let Some(Notice::Opened(opened)) = message(&mut stream).await.notice else {
        panic!("not opened");
    };
    (stream, opened)
}

async fn rest(
    stream: &mut Streaming<v1::SubscribeResponse>,
) -> (Vec<v1::SubscribeResponse>, Status) {
    let mut all = Vec::new();
    loop {
        match within(stream.message()).await {
            Ok(response) => all.push(response.expect("never OK")),
            Err(status) => return (all, status),
        }
    }
}

#[tokio::test]
async fn a_subscription_is_created_read_by_committed_moved_and_deleted() {
    let edge = edge().await;
    edge.bench.fill(10).await;
    let mut client = client(&edge).await;
    let created = create(&mut client, creation("crm")).await.unwrap();
    assert_eq!((created.name.as_str(), created.lease), (CRM, 0));
    assert_eq!(created.journal, "journals/default");
    assert_eq!(created.committed, Some(position(0)));
    assert_eq!((created.commit_time, created.lag), (None, 10));
    assert_eq!(get(&mut client, CRM).await.unwrap(), created);

    let (mut stream, opened) = open(&edge).await;
    assert_eq!((opened.lease, opened.start), (1, Some(position(0))));
    let events = message(&mut stream).await;
    assert_eq!(numbers(&[events]), (1..=10).collect::<Vec<_>>());
    assert_eq!(commit(&mut client, 1, position(7)).await.unwrap(), 7);
    assert_eq!(commit(&mut client, 1, position(7)).await.unwrap(), 7);
    assert_eq!(commit(&mut client, 1, position(3)).await.unwrap(), 7);
    let now = get(&mut client, CRM).await.unwrap();
    assert_eq!(
        (now.committed, now.lag, now.lease),
        (Some(position(7)), 3, 1)
    );
    assert!(now.commit_time.is_some() && now.etag != created.etag);
    drop(stream);

    let (_stream, opened) = open(&edge).await;
    assert_eq!((opened.lease, opened.start), (2, Some(position(7))));
    let back = Some(Target::Position(position(2)));
    let moved = seek(&mut client, back).await.unwrap();
    assert_eq!(
        (moved.committed.clone(), moved.lag, moved.lease),
        (Some(position(2)), 8, 3)
    );
    assert_eq!(get(&mut client, CRM).await.unwrap(), moved);
    let (_stream, opened) = open(&edge).await;
    assert_eq!((opened.lease, opened.start), (4, Some(position(2))));

    delete(&mut client, "").await.unwrap();
    let status = get(&mut client, CRM).await.unwrap_err();
    let found = details(&status, Code::NotFound, "SUBSCRIPTION_NOT_FOUND");
    assert_eq!(found.resource_info().unwrap().resource_name, CRM);
}

#[tokio::test]
async fn it_begins_where_it_was_told_when_it_was_created() {
    let edge = edge().await;
    edge.bench.fill(4).await;
    let mut client = client(&edge).await;
    let latest = v1::CreateSubscriptionRequest {
        start: v1::StartPreset::Latest.into(),
        ..creation("crm")
    };
    let created = create(&mut client, latest).await.unwrap();
    assert_eq!(created.committed, Some(position(4)));
    edge.bench.fill(3).await;
    let (mut stream, opened) = open(&edge).await;
    assert_eq!(opened.start, Some(position(4)), "nothing since is skipped");
    assert_eq!(numbers(&[message(&mut stream).await]), [5, 6, 7]);
    let brought = |id, committed, start: i32| v1::CreateSubscriptionRequest {
        subscription: Some(v1::Subscription {
            committed,
            max_retained_bytes: 4_711,
            ..Default::default()
        }),
        start,
        ..creation(id)
    };
    let created = create(&mut client, brought("brought", Some(position(2)), 0)).await;
    let created = created.unwrap();
    assert_eq!(created.committed, Some(position(2)));
    assert_eq!(created.max_retained_bytes, 4_711);
    let holds = edge.bench.journal.holds();
    assert_eq!(
        (holds.len(), holds[0].passed.get(), holds[0].bytes),
        (1, 2, 4_711)
    );

    for (committed, start, code, reason) in [
        (None, 0, Code::InvalidArgument, "START_REQUIRED"),
        (
            Some(position(2)),
            1,
            Code::InvalidArgument,
            "REQUEST_INVALID",
        ),
        (None, 9, Code::InvalidArgument, "REQUEST_INVALID"),
        (
            Some(position(8)),
            0,
            Code::OutOfRange,
            "POSITION_NOT_WRITTEN",
        ),
        (
            Some(v1::Position::default()),
            0,
            Code::FailedPrecondition,
            "EPOCH_CHANGED",
        ),
    ] {
        let status = create(&mut client, brought("wrong", committed, start))
            .await
            .unwrap_err();
        details(&status, code, reason);
    }
}

#[tokio::test]
async fn names_are_checked_taken_once_and_bounded_in_number() {
    let edge = edge().await;
    let mut client = client(&edge).await;
    for id in ["", "CRM", "a/b", "-a", CRM, &"x".repeat(64)] {
        let status = create(&mut client, creation(id)).await.unwrap_err();
        let found = details(&status, Code::InvalidArgument, "REQUEST_INVALID");
        assert_eq!(metadata(&found, "field"), "subscription_id", "{id}");
    }
    create(&mut client, creation("crm")).await.unwrap();
    let status = create(&mut client, creation("crm")).await.unwrap_err();
    let found = details(&status, Code::AlreadyExists, "SUBSCRIPTION_EXISTS");
    assert_eq!(found.resource_info().unwrap().resource_name, CRM);
    for n in 1..MOST_CURSORS {
        create(&mut client, creation(&format!("c{n}")))
            .await
            .unwrap();
    }
    let status = create(&mut client, creation("more")).await.unwrap_err();
    let found = details(&status, Code::ResourceExhausted, "SUBSCRIPTION_QUOTA");
    assert_eq!(metadata(&found, "limit"), MOST_CURSORS.to_string());
    let elsewhere = v1::CreateSubscriptionRequest {
        subscription: Some(v1::Subscription {
            journal: "journals/none".to_owned(),
            ..Default::default()
        }),
        ..creation("elsewhere")
    };
    let status = create(&mut client, elsewhere).await.unwrap_err();
    details(&status, Code::NotFound, "JOURNAL_NOT_FOUND");
    for name in [
        "crm",
        "subscriptions/",
        "subscriptions/CRM",
        "journals/crm",
        "",
    ] {
        let status = get(&mut client, name).await.unwrap_err();
        let found = details(&status, Code::NotFound, "SUBSCRIPTION_NOT_FOUND");
        assert_eq!(found.resource_info().unwrap().resource_name, name);
    }
}

#[tokio::test]
async fn commits_that_cannot_be_taken_say_why() {
    let edge = edge().await;
    edge.bench.fill(10).await;
    let mut client = client(&edge).await;
    let status = commit(&mut client, 0, position(1)).await.unwrap_err();
    details(&status, Code::NotFound, "SUBSCRIPTION_NOT_FOUND");
    create(&mut client, creation("crm")).await.unwrap();
    let (_stream, opened) = open(&edge).await;

    let status = commit(&mut client, 0, position(5)).await.unwrap_err();
    let found = details(&status, Code::Aborted, "LEASE_FENCED");
    assert_eq!(metadata(&found, "lease"), "1");
    assert_eq!(metadata(&found, "name"), CRM);
    let status = commit(&mut client, opened.lease, position(11))
        .await
        .unwrap_err();
    let found = details(&status, Code::OutOfRange, "POSITION_NOT_WRITTEN");
    assert_eq!(metadata(&found, "requested_sequence"), "11");
    assert_eq!(metadata(&found, "latest_sequence"), "10");
    let former = v1::Position {
        epoch: "0123456789abcdef".to_owned(),
        sequence: 1,
    };
    let status = commit(&mut client, opened.lease, former).await.unwrap_err();
    let found = details(&status, Code::FailedPrecondition, "EPOCH_CHANGED");
    assert_eq!(metadata(&found, "requested_epoch"), "0123456789abcdef");
    assert_eq!(metadata(&found, "epoch"), Epoch::new(EPOCH).to_string());
    let request = v1::CommitSubscriptionRequest {
        name: CRM.to_owned(),
        position: None,
        lease: 1,
    };
    let status = client.commit_subscription(request).await.unwrap_err();
    let found = details(&status, Code::InvalidArgument, "REQUEST_INVALID");
    assert_eq!(metadata(&found, "field"), "position");
    edge.bench.journal.refuse(Some(AppendError::NoSpace {
        retry_after: Duration::from_secs(5),
    }));
    let status = commit(&mut client, opened.lease, position(9))
        .await
        .unwrap_err();
    let found = details(&status, Code::Unavailable, "JOURNAL_READ_ONLY");
    let delay = found.retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(Duration::from_secs(5)));
    assert_eq!(
        get(&mut client, CRM).await.unwrap().committed,
        Some(position(0))
    );
}

#[tokio::test]
async fn places_to_seek_are_resolved_as_starts_are() {
    let edge = edge().await;
    edge.bench.fill(30).await;
    edge.bench.journal.trim(Sequence::new(11));
    let mut client = client(&edge).await;
    create(&mut client, creation("crm")).await.unwrap();
    let presets = [
        (v1::StartPreset::Earliest, 10),
        (v1::StartPreset::Latest, 30),
    ];
    for (preset, expected) in presets {
        let moved = seek(&mut client, Some(Target::Preset(preset.into()))).await;
        assert_eq!(moved.unwrap().committed, Some(position(expected)));
    }
    let long_ago = prost_types::Timestamp::default();
    let to_come = prost_types::Timestamp {
        seconds: 4_000_000_000,
        nanos: 0,
    };
    let moved = seek(&mut client, Some(Target::FromTime(to_come))).await;
    assert_eq!(moved.unwrap().committed, Some(position(30)));
    for (target, code, reason) in [
        (None, Code::InvalidArgument, "REQUEST_INVALID"),
        (
            Some(Target::Preset(0)),
            Code::InvalidArgument,
            "REQUEST_INVALID",
        ),
        (
            Some(Target::Preset(7)),
            Code::InvalidArgument,
            "REQUEST_INVALID",
        ),
        (
            Some(Target::Position(position(9))),
            Code::OutOfRange,
            "POSITION_TRIMMED",
        ),
        (
            Some(Target::FromTime(long_ago)),
            Code::OutOfRange,
            "POSITION_TRIMMED",
        ),
        (
            Some(Target::Position(position(31))),
            Code::OutOfRange,
            "POSITION_NOT_WRITTEN",
        ),
        (
            Some(Target::Position(v1::Position::default())),
            Code::FailedPrecondition,
            "EPOCH_CHANGED",
        ),
    ] {
        let status = seek(&mut client, target).await.unwrap_err();
        details(&status, code, reason);
    }
    assert_eq!(get(&mut client, CRM).await.unwrap().lease, 3, "those count");
}

#[tokio::test]
async fn whoever_is_replaced_is_told_in_words_and_in_its_status() {
    let edge = edge().await;
    edge.bench.fill(3).await;
    let mut client = client(&edge).await;
    create(&mut client, creation("crm")).await.unwrap();
    let (mut older, _) = open(&edge).await;
    let (mut newer, opened) = open(&edge).await;
    assert_eq!(opened.lease, 2);
    let (all, status) = rest(&mut older).await;
    let Some(Notice::Closing(closing)) = all.last().unwrap().notice else {
        panic!("{all:?}");
    };
    assert_eq!(closing.reason(), v1::closing::Reason::TakenOver);
    let found = details(&status, Code::Aborted, "SUBSCRIPTION_TAKEN_OVER");
    assert_eq!(metadata(&found, "name"), CRM);
    let status = commit(&mut client, 1, position(3)).await.unwrap_err();
    details(&status, Code::Aborted, "LEASE_FENCED");

    let target = Some(Target::Preset(v1::StartPreset::Latest.into()));
    seek(&mut client, target).await.unwrap();
    let (_, status) = rest(&mut newer).await;
    let found = details(&status, Code::Aborted, "LEASE_FENCED");
    assert_eq!(metadata(&found, "lease"), "3");
    let (mut last, _) = open(&edge).await;
    delete(&mut client, "").await.unwrap();
    let (_, status) = rest(&mut last).await;
    details(&status, Code::NotFound, "SUBSCRIPTION_NOT_FOUND");
}

#[tokio::test]
async fn a_delete_with_an_etag_deletes_what_the_caller_saw() {
    let edge = edge().await;
    edge.bench.fill(3).await;
    let mut client = client(&edge).await;
    let seen = create(&mut client, creation("crm")).await.unwrap().etag;
    commit(&mut client, 0, position(1)).await.unwrap();
    let status = delete(&mut client, &seen).await.unwrap_err();
    let found = details(&status, Code::Aborted, "ETAG_MISMATCH");
    let present = metadata(&found, "etag");
    assert_eq!(get(&mut client, CRM).await.unwrap().etag, present);
    delete(&mut client, present).await.unwrap();
    let status = delete(&mut client, present).await.unwrap_err();
    details(&status, Code::NotFound, "SUBSCRIPTION_NOT_FOUND");
}

#[tokio::test]
async fn subscriptions_of_all_journals_are_listed_in_pages_and_belong_to_one() {
    let bench = bench_with(FeedConfig::default(), 10);
    bench.fill(2).await;
    let journal = MemoryJournal::new("another", 7, bench.clock.clone());
    let surroundings = Surroundings {
        registry: bench.feed.registry().clone(),
        cursor_names: CursorNames::default(),
        clock: bench.clock.clone(),
        rng: Rng::from_seed(3),
        drain: bench.drain.clone(),
    };
    let another = Feed::attach(Arc::new(journal), surroundings, FeedConfig::default());
    let listener = Listener::bind("127.0.0.1:0", SocketMode::Owner).await;
    let feeds = vec![another, bench.feed.clone()];
    let edge = serve(bench, feeds, vec![listener.unwrap()]);
    let mut client = client(&edge).await;
    let status = create(&mut client, creation("crm")).await.unwrap_err();
    details(&status, Code::InvalidArgument, "JOURNAL_REQUIRED");
    let of = |journal: &str| v1::Subscription {
        journal: journal.to_owned(),
        ..Default::default()
    };
    for (id, journal) in [("d", "default"), ("a", "another"), ("crm", "default")] {
        let request = v1::CreateSubscriptionRequest {
            subscription: Some(of(&format!("journals/{journal}"))),
            ..creation(id)
        };
        create(&mut client, request).await.unwrap();
    }
    for page_size in [1, 2, 0] {
        let (mut names, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = v1::ListSubscriptionsRequest {
                page_size,
                page_token,
            };
            let page = client.list_subscriptions(request).await.unwrap();
            let page = page.into_inner();
            names.extend(page.subscriptions.into_iter().map(|s| (s.name, s.journal)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let expected = [("a", "another"), ("crm", "default"), ("d", "default")]
            .map(|(id, of)| (format!("subscriptions/{id}"), format!("journals/{of}")));
        assert_eq!(names, expected);
    }
    let (_stream, opened) = open(&edge).await;
    assert_eq!(opened.journal, "journals/default", "it need not be named");
    let mut events = edge.events().await;
    for (journal, code, reason) in [
        ("journals/another", Code::InvalidArgument, "REQUEST_INVALID"),
        ("journals/none", Code::NotFound, "JOURNAL_NOT_FOUND"),
    ] {
        let request = v1::SubscribeRequest {
            journal: journal.to_owned(),
            ..by_cursor()
        };
        let status = events.subscribe(request).await.unwrap_err();
        details(&status, code, reason);
    }
    let request = v1::SubscribeRequest {
        journal: "journals/default".to_owned(),
        ..by_cursor()
    };
    events.subscribe(request).await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_a_subscribe_takes_nothing_over() {
    let edge = edge().await;
    edge.bench.fill(3).await;
    let mut client = client(&edge).await;
    create(&mut client, creation("crm")).await.unwrap();
    let (_stream, _) = open(&edge).await;
    let mut events = edge.events().await;
    let wrong = [
        v1::SubscribeRequest {
            view: 99,
            ..by_cursor()
        },
        v1::SubscribeRequest {
            shard: Some(v1::Shard { index: 4, count: 4 }),
            ..by_cursor()
        },
        v1::SubscribeRequest {
            end: Some(End::Until(v1::Position::default())),
            ..by_cursor()
        },
    ];
    for request in wrong {
        events.subscribe(request).await.unwrap_err();
    }
    assert_eq!(commit(&mut client, 1, position(2)).await.unwrap(), 2);
}

#[tokio::test]
async fn commits_are_taken_until_readers_have_ended() {
    let mut edge = edge().await;
    edge.bench.fill(5).await;
    let mut client = client(&edge).await;
    create(&mut client, creation("crm")).await.unwrap();
    let (mut stream, opened) = open(&edge).await;
    edge.bench.trigger.drain();
    let (all, status) = rest(&mut stream).await;
    details(&status, Code::Unavailable, "SERVER_DRAINING");
    let through = all.last().unwrap().through_sequence;
    assert_eq!(through, 5);
    let committed = commit(&mut client, opened.lease, position(through)).await;
    assert_eq!(committed.unwrap(), 5, "also behind the end of its stream");
    edge.ended().await;
}
