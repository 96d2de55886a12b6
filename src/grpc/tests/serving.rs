//! Health, reflection, both kinds of socket, and the end.

use super::*;
use crate::domain::SessionName;
use crate::journal::AppendError;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use v1::session::State;

fn name(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

async fn until(watch: &mut Streaming<HealthCheckResponse>, status: ServingStatus) {
    while within(watch.message()).await.unwrap().unwrap().status() != status {}
}

/// Waits until the name is known and then serves or does not.
async fn watch(
    client: &mut HealthClient<Channel>,
    service: &str,
) -> Streaming<HealthCheckResponse> {
    within(async {
        loop {
            match client.watch(name(service)).await {
                Ok(response) => return response.into_inner(),
                Err(status) => assert_eq!(status.code(), Code::NotFound),
            }
        }
    })
    .await
}

#[tokio::test]
async fn health_follows_sessions_journals_and_the_drain() {
    let mut edge = edge().await;
    let session = |state: State| v1::Session {
        name: "sessions/s0".to_owned(),
        state: state.into(),
        ..Default::default()
    };
    let slot = edge
        .board
        .open(SessionName::new("s0").unwrap(), session(State::Connecting));
    let mut client = HealthClient::new(edge.channel().await);
    let (yes, no) = (ServingStatus::Serving, ServingStatus::NotServing);
    let mut whole = watch(&mut client, "").await;
    let mut service = watch(&mut client, "tieline.v1.EventService").await;
    let mut journal = watch(&mut client, "journals/default").await;
    let mut upstream = watch(&mut client, "sessions/s0").await;
    for serving in [&mut whole, &mut service, &mut journal] {
        until(serving, yes).await;
    }
    until(&mut upstream, no).await;
    for (state, status) in [
        (State::Active, yes),
        (State::Suspended, no),
        (State::Degraded, yes),
        (State::Reconnecting, no),
    ] {
        slot.post(session(state), crate::session::Vitals::default());
        until(&mut upstream, status).await;
    }
    let refusal = AppendError::ReadOnly {
        reason: "test".to_owned(),
    };
    edge.bench.journal.refuse(Some(refusal));
    until(&mut journal, no).await;
    edge.bench.journal.refuse(None);
    until(&mut journal, yes).await;
    let unknown = client.check(name("sessions/none")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    drop(slot);
    within(async { while client.check(name("sessions/s0")).await.is_ok() {} }).await;

    edge.bench.trigger.drain();
    for ending in [&mut whole, &mut service, &mut journal] {
        until(ending, no).await;
    }
    edge.ended().await;
}

#[tokio::test]
async fn reflection_of_both_versions_lists_what_is_served_and_no_more() {
    use tonic_reflection::pb::{v1 as new, v1alpha as old};
    let edge = edge().await;
    let ask = new::ServerReflectionRequest {
        message_request: Some(
            new::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
        ..Default::default()
    };
    let mut client =
        new::server_reflection_client::ServerReflectionClient::new(edge.channel().await);
    let answer = client
        .server_reflection_info(tokio_stream::iter([ask]))
        .await
        .unwrap();
    let answer = within(answer.into_inner().message())
        .await
        .unwrap()
        .unwrap();
    let Some(new::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        answer.message_response
    else {
        panic!("no list")
    };
    let mut names: Vec<_> = list.service.into_iter().map(|s| s.name).collect();
    names.sort();
    let served = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "tieline.v1.EventService",
        "tieline.v1.MessagingService",
        "tieline.v1.SessionService",
        "tieline.v1.SubscriptionService",
    ];
    assert_eq!(names, served);
    let ask = old::ServerReflectionRequest {
        message_request: Some(
            old::server_reflection_request::MessageRequest::FileContainingSymbol(
                "tieline.v1.EventService".to_owned(),
            ),
        ),
        ..Default::default()
    };
    let mut client =
        old::server_reflection_client::ServerReflectionClient::new(edge.channel().await);
    let answer = client
        .server_reflection_info(tokio_stream::iter([ask]))
        .await
        .unwrap();
    let answer = within(answer.into_inner().message())
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(
        answer.message_response,
        Some(old::server_reflection_response::MessageResponse::FileDescriptorResponse(_))
    ));
}

#[tokio::test]
async fn services_that_are_not_built_are_unimplemented() {
    let edge = edge().await;
    let mut client = v1::admin_service_client::AdminServiceClient::new(edge.channel().await);
    let status = client
        .list_subscribers(v1::ListSubscribersRequest::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn tcp_and_unix_sockets_serve_the_same_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tieline.sock");
    let unix = format!("unix:{}", path.display());
    let listeners = vec![
        Listener::bind("127.0.0.1:0", SocketMode::Owner)
            .await
            .unwrap(),
        Listener::bind(&unix, SocketMode::Group).await.unwrap(),
    ];
    let bench = bench_with(FeedConfig::default(), 10);
    bench.fill(3).await;
    let feeds = vec![bench.feed.clone()];
    let mut edge = serve(bench, feeds, listeners);
    let channel = Endpoint::from_shared(format!("unix://{}", path.display())).unwrap();
    let mut over_unix = EventServiceClient::new(channel.connect().await.unwrap());
    let mut over_tcp = edge.events().await;
    for client in [&mut over_unix, &mut over_tcp] {
        let (all, status) = collect(client, to_the_end(earliest())).await;
        assert_eq!((numbers(&all), status.is_none()), (vec![1, 2, 3], true));
    }
    edge.bench.trigger.drain();
    edge.ended().await;
    assert!(!path.exists(), "the socket is gone with the server");
}

#[tokio::test]
async fn a_drain_ends_although_a_client_holds_on() {
    let mut edge = edge().await;
    let mut health = HealthClient::new(edge.channel().await);
    let _held = watch(&mut health, "").await;
    edge.bench.trigger.drain();
    edge.ended().await;
}

#[tokio::test]
async fn a_forced_end_does_not_wait_for_a_reader_that_never_reads() {
    let mut edge = edge().await;
    let large = v1::Event {
        raw_data: vec![b'x'; 1 << 20].into(),
        ..Default::default()
    };
    edge.bench.append(vec![large; 16]).await;
    let small = edge
        .endpoint()
        .initial_stream_window_size(65_535)
        .connect()
        .await
        .unwrap();
    let mut client = EventServiceClient::new(small);
    let request = v1::SubscribeRequest {
        start: earliest(),
        ..Default::default()
    };
    let _parked = client.subscribe(request).await.unwrap();
    edge.bench.trigger.drain();
    let mut ended = Box::pin(edge.tasks.join_next());
    let early = tokio::time::timeout(Duration::from_millis(300), ended.as_mut()).await;
    assert!(early.is_err(), "a drain gives the reader time");
    edge.bench.trigger.force();
    within(ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_pings_every_moment_and_one_that_says_nothing_harm_nobody() {
    let edge = edge().await;
    let address: std::net::SocketAddr = edge.address.parse().unwrap();
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut garbage = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut garbage, b"GET / HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let channel = edge
        .endpoint()
        .http2_keep_alive_interval(Duration::from_millis(20))
        .keep_alive_while_idle(true)
        .connect()
        .await
        .unwrap();
    let mut client = EventServiceClient::new(channel);
    let request = v1::SubscribeRequest {
        heartbeat_interval: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
        start: earliest(),
        ..Default::default()
    };
    let mut stream = client.subscribe(request).await.unwrap().into_inner();
    for _ in 0..3 {
        message(&mut stream).await;
    }
}

#[tokio::test]
async fn subscribe_and_cancel_many_times_leaves_nothing_behind() {
    let edge = edge_with(FeedConfig::default(), 10_000).await;
    edge.bench.fill(10).await;
    let client = edge.events().await;
    let mut open = edge.bench.feed.registry().open_streams();
    for _ in 0..10 {
        let mut streams = Vec::new();
        for _ in 0..100 {
            let mut client = client.clone();
            let request = v1::SubscribeRequest {
                start: earliest(),
                ..Default::default()
            };
            streams.push(within(client.subscribe(request)).await.unwrap());
        }
        assert_eq!(*open.borrow(), 100);
        drop(streams);
        within(open.wait_for(|count| *count == 0)).await.unwrap();
    }
}
