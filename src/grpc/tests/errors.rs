//! Every error as a client gets it: code, reason, details.

use super::*;
use crate::domain::Sequence;
use crate::feed::tests::draft;

type Request = v1::SubscribeRequest;

async fn refused(client: &mut EventServiceClient<Channel>, request: Request) -> Status {
    let (all, status) = collect(client, request).await;
    assert!(all.is_empty(), "nothing is delivered: {all:?}");
    status.expect("an error")
}

fn filter(filter: v1::EventFilter) -> Request {
    Request {
        start: earliest(),
        filter: Some(filter),
        ..Default::default()
    }
}

#[tokio::test]
async fn wrong_requests_are_refused_with_the_field_that_is_wrong() {
    let edge = edge().await;
    let mut client = edge.events().await;
    let one = |value: &str| vec![value.to_owned()];
    let from = |seconds, nanos| Request {
        start: Some(Start::FromTime(prost_types::Timestamp { seconds, nanos })),
        ..Default::default()
    };
    let shard = |index, count| Request {
        shard: Some(v1::Shard { index, count }),
        start: earliest(),
        ..Default::default()
    };
    let none = Request::default;
    let preset = |preset| Request {
        start: Some(Start::Preset(preset)),
        ..none()
    };
    let table = [
        (none(), "START_REQUIRED", "start"),
        (preset(0), "START_REQUIRED", "start"),
        (preset(9), "REQUEST_INVALID", "preset"),
        (from(0, -1), "REQUEST_INVALID", "from_time"),
        (from(0, 1_000_000_000), "REQUEST_INVALID", "from_time"),
        (
            Request {
                view: 77,
                start: earliest(),
                ..none()
            },
            "REQUEST_INVALID",
            "view",
        ),
        (
            Request {
                unavailable_policy: 5,
                start: earliest(),
                ..none()
            },
            "REQUEST_INVALID",
            "unavailable_policy",
        ),
        (shard(0, 0), "SHARD_INVALID", "shard"),
        (shard(4, 4), "SHARD_INVALID", "shard"),
        (
            filter(v1::EventFilter {
                expression: "type == 'a' &&".to_owned(),
                ..Default::default()
            }),
            "FILTER_INVALID",
            "filter.expression",
        ),
        (
            filter(v1::EventFilter {
                types: one(""),
                ..Default::default()
            }),
            "FILTER_INVALID",
            "filter.types",
        ),
        (
            filter(v1::EventFilter {
                sessions: one("a*b*"),
                ..Default::default()
            }),
            "FILTER_INVALID",
            "filter.sessions",
        ),
        (
            filter(v1::EventFilter {
                provider_types: (0..10_000)
                    .map(|n| format!("v2.users.{n}.presence"))
                    .collect(),
                ..Default::default()
            }),
            "FILTER_INVALID",
            "filter.types",
        ),
    ];
    for (request, reason, field) in table {
        let status = refused(&mut client, request).await;
        let details = details(&status, Code::InvalidArgument, reason);
        assert_eq!(
            details.bad_request().unwrap().field_violations[0].field,
            field
        );
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_under_its_own_reason() {
    let edge = edge().await;
    edge.bench.fill(3).await;
    let mut client = edge.events().await;
    let journal = |name: &str| Request {
        journal: name.to_owned(),
        ..to_the_end(earliest())
    };
    for name in [
        "journals/other",
        "default",
        "journals/",
        "sessions/default",
        "journals/-",
    ] {
        let status = refused(&mut client, journal(name)).await;
        let details = details(&status, Code::NotFound, "JOURNAL_NOT_FOUND");
        assert_eq!(details.resource_info().unwrap().resource_name, name);
    }
    let start = Some(Start::Subscription("subscriptions/crm".to_owned()));
    let status = refused(
        &mut client,
        Request {
            start,
            ..Default::default()
        },
    )
    .await;
    let found = details(&status, Code::NotFound, "SUBSCRIPTION_NOT_FOUND");
    assert_eq!(
        found.resource_info().unwrap().resource_name,
        "subscriptions/crm"
    );
    for name in ["4", "0", "x", "", "01", "-1", "+1", "18446744073709551616"] {
        let name = format!("journals/default/events/{name}");
        let request = v1::GetEventRequest {
            name: name.clone(),
            view: 0,
        };
        let status = client.get_event(request).await.unwrap_err();
        let details = details(&status, Code::NotFound, "EVENT_NOT_FOUND");
        assert_eq!(details.resource_info().unwrap().resource_name, name);
    }
    let request = v1::GetJournalRequest {
        name: "journals/none".to_owned(),
    };
    let status = client.get_journal(request).await.unwrap_err();
    details(&status, Code::NotFound, "JOURNAL_NOT_FOUND");
}

#[tokio::test]
async fn positions_that_cannot_be_served_say_what_can() {
    let edge = edge().await;
    edge.bench.fill(30).await;
    edge.bench.journal.trim(Sequence::new(11));
    let mut client = edge.events().await;
    for place in [0, 9] {
        let status = refused(&mut client, to_the_end(after(place))).await;
        let found = details(&status, Code::OutOfRange, "POSITION_TRIMMED");
        assert_eq!(metadata(&found, "epoch"), Epoch::new(EPOCH).to_string());
        assert_eq!(metadata(&found, "requested_sequence"), place.to_string());
        assert_eq!(metadata(&found, "earliest_sequence"), "11");
        assert_eq!(metadata(&found, "latest_sequence"), "30");
        assert!(metadata(&found, "earliest_time").ends_with('Z'));
        let read = v1::ReadEventsRequest {
            start: Some(v1::read_events_request::Start::After(position(place))),
            ..Default::default()
        };
        let status = client.read_events(read).await.unwrap_err();
        details(&status, Code::OutOfRange, "POSITION_TRIMMED");
    }
    let name = "journals/default/events/3".to_owned();
    let status = client
        .get_event(v1::GetEventRequest { name, view: 0 })
        .await
        .unwrap_err();
    details(&status, Code::OutOfRange, "POSITION_TRIMMED");
    for place in [31, 1 << 63, u64::MAX] {
        let status = refused(&mut client, to_the_end(after(place))).await;
        let found = details(&status, Code::OutOfRange, "POSITION_NOT_WRITTEN");
        assert_eq!(metadata(&found, "requested_sequence"), place.to_string());
        assert_eq!(metadata(&found, "latest_sequence"), "30");
    }
    for epoch in ["", "nonsense", "0000000000000001", "000000000000FEED"] {
        let start = Some(Start::After(v1::Position {
            epoch: epoch.to_owned(),
            sequence: 15,
        }));
        let status = refused(&mut client, to_the_end(start)).await;
        let found = details(&status, Code::FailedPrecondition, "EPOCH_CHANGED");
        assert_eq!(metadata(&found, "requested_epoch"), epoch);
        assert_eq!(metadata(&found, "epoch"), Epoch::new(EPOCH).to_string());
        let violation = &found.precondition_failure().unwrap().violations[0];
        assert_eq!(violation.r#type, "EPOCH_CHANGED");
    }
}

#[tokio::test]
async fn damage_is_data_loss_with_its_bounds() {
    let edge = edge().await;
    edge.bench.fill(9).await;
    edge.bench
        .journal
        .damage(Sequence::new(4), Sequence::new(6));
    let mut client = edge.events().await;
    let (all, status) = collect(&mut client, to_the_end(earliest())).await;
    assert_eq!(numbers(&all), [1, 2, 3]);
    let found = details(&status.unwrap(), Code::DataLoss, "JOURNAL_CORRUPTED");
    assert_eq!(metadata(&found, "first_sequence"), "4");
    assert_eq!(metadata(&found, "last_sequence"), "6");
    let (all, status) = collect(&mut client, to_the_end(after(6))).await;
    assert_eq!((numbers(&all), status.is_none()), (vec![7, 8, 9], true));
}

#[tokio::test]
async fn quotas_age_and_drain_say_when_to_come_back() {
    let config = FeedConfig {
        max_age: Some(Duration::from_millis(300)),
        ..FeedConfig::default()
    };
    let mut edge = edge_with(config, 1).await;
    edge.bench.append(vec![draft(1)]).await;
    let mut client = edge.events().await;
    let live = Request {
        start: earliest(),
        ..Default::default()
    };
    let held = client.subscribe(live.clone()).await.unwrap();
    let status = refused(&mut client, live.clone()).await;
    let found = details(&status, Code::ResourceExhausted, "SUBSCRIBER_QUOTA");
    assert_eq!(
        found.quota_failure().unwrap().violations[0].subject,
        "subscribers"
    );
    assert!(found.retry_info().unwrap().retry_delay.unwrap() >= Duration::from_secs(1));
    drop(held);
    let mut open = edge.bench.feed.registry().open_streams();
    within(open.wait_for(|count| *count == 0)).await.unwrap();

    let (all, status) = collect(&mut client, live.clone()).await;
    let found = details(&status.unwrap(), Code::Unavailable, "STREAM_MAX_AGE");
    let Some(Notice::Closing(closing)) = &all.last().unwrap().notice else {
        panic!("{all:?}")
    };
    assert_eq!(closing.reason(), v1::closing::Reason::MaxAge);
    let delay = Duration::try_from(closing.retry_delay.unwrap()).unwrap();
    assert_eq!(found.retry_info().unwrap().retry_delay, Some(delay));

    let mut stream = client.subscribe(live.clone()).await.unwrap().into_inner();
    message(&mut stream).await;
    edge.bench.trigger.drain();
    let mut last = message(&mut stream).await;
    let status = loop {
        match within(stream.message()).await {
            Ok(next) => last = next.expect("never OK"),
            Err(status) => break status,
        }
    };
    let Some(Notice::Closing(closing)) = last.notice else {
        panic!("{last:?}")
    };
    assert_eq!(
        (closing.reason(), last.through_sequence),
        (v1::closing::Reason::Draining, 1)
    );
    let found = details(&status, Code::Unavailable, "SERVER_DRAINING");
    assert!(found.retry_info().unwrap().retry_delay.unwrap() >= Duration::from_secs(1));
    edge.ended().await;
}

#[tokio::test]
async fn bytes_that_are_no_request_are_an_invalid_argument() {
    let edge = edge().await;
    let mut grpc = tonic::client::Grpc::new(edge.channel().await);
    grpc.ready().await.unwrap();
    // The codec with its parts swapped: any bytes out, the usual responses in.
    let request = tonic::Request::new(v1::GetEventRequest {
        name: "\u{7f}".repeat(9),
        view: -1,
    });
    let path = http::uri::PathAndQuery::from_static("/tieline.v1.EventService/Subscribe");
    let codec: tonic_prost::ProstCodec<v1::GetEventRequest, v1::SubscribeResponse> =
        tonic_prost::ProstCodec::default();
    let status = grpc
        .server_streaming(request, path, codec)
        .await
        .unwrap_err();
    // Field 1 of it is a journal name, field 2 has the wrong wire type.
    details(&status, Code::InvalidArgument, "REQUEST_INVALID");
}

#[tokio::test]
async fn a_compressed_request_is_refused() {
    let edge = edge().await;
    let mut request = tonic::Request::new(to_the_end(earliest()));
    let gzip = "gzip".parse().unwrap();
    request.metadata_mut().insert("grpc-encoding", gzip);
    let mut client = edge.events().await;
    let status = within(client.subscribe(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
