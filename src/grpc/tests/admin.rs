//! `AdminService`: who reads, how far, and how one is ended whose peer takes nothing.

use super::*;
use crate::grpc::listener::Accepted;
use v1::admin_service_client::AdminServiceClient;
use v1::subscriber::State;

/// The admin services of a bench on a port of their own.
async fn admin(edge: &mut Edge, access: Access) -> AdminServiceClient<Channel> {
    let parts = AdminParts {
        feeds: vec![edge.bench.feed.clone()],
        health: Health::new(),
        clock: edge.bench.clock.clone(),
        callers: Callers::anyone(),
    };
    let routes = admin_routes(&parts, access).unwrap();
    let listener = Listener::bind("127.0.0.1:0", SocketMode::Owner);
    let listener = listener.await.unwrap();
    let address = format!("http://{}", listener.address());
    edge.tasks.spawn(async move {
        while let Ok(Accepted::Tcp(stream)) = listener.accept().await {
            let service = hyper_util::service::TowerToHyperService::new(routes.clone());
            let executor = hyper_util::rt::TokioExecutor::new();
            let server = hyper_util::server::conn::auto::Builder::new(executor).http2_only();
            let io = hyper_util::rt::TokioIo::new(stream);
            // The test ends with its client.
            drop(server.serve_connection(io, service).await);
        }
    });
    let endpoint = Endpoint::from_shared(address).unwrap();
    AdminServiceClient::new(endpoint.connect().await.unwrap())
}

fn all() -> v1::ListSubscribersRequest {
    v1::ListSubscribersRequest {
        parent: "journals/-".to_owned(),
        ..Default::default()
    }
}

/// Lists until something is true of the subscribers.
async fn until(
    admin: &mut AdminServiceClient<Channel>,
    test: impl Fn(&[v1::Subscriber]) -> bool,
) -> Vec<v1::Subscriber> {
    let looking = async {
        loop {
            let listed = admin.list_subscribers(all()).await.unwrap().into_inner();
            if test(&listed.subscribers) {
                return listed.subscribers;
            }
            tokio::task::yield_now().await;
        }
    };
    within(looking).await
}

#[tokio::test]
async fn subscribers_are_listed_in_pages_with_their_filter_and_lag() {
    let mut edge = edge().await;
    edge.bench.fill(10).await;
    let mut admin = admin(&mut edge, Access::Read).await;
    let mut events = edge.events().await;
    let mut streams = Vec::new();
    for n in 0..3 {
        let request = v1::SubscribeRequest {
            start: after(10),
            client_id: format!("client-{n}"),
            filter: Some(v1::EventFilter {
                types: vec!["ccaas.*".to_owned()],
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut stream = within(events.subscribe(request))
            .await
            .unwrap()
            .into_inner();
        message(&mut stream).await;
        message(&mut stream).await;
        streams.push(stream);
    }
    let first = v1::ListSubscribersRequest {
        page_size: 2,
        ..all()
    };
    let page = admin
        .list_subscribers(first.clone())
        .await
        .unwrap()
        .into_inner();
    let names = |page: &v1::ListSubscribersResponse| -> Vec<String> {
        let all = page.subscribers.iter();
        all.map(|s| s.client_id.clone()).collect()
    };
    assert_eq!(names(&page), ["client-0", "client-1"]);
    let live = &page.subscribers[0];
    assert_eq!(
        (live.state(), live.through_sequence, live.lag),
        (State::Live, 10, 0)
    );
    assert_eq!(live.filter.as_ref().unwrap().types, ["ccaas.*"]);
    let next = v1::ListSubscribersRequest {
        page_token: page.next_page_token.clone(),
        ..first
    };
    let page = admin.list_subscribers(next).await.unwrap().into_inner();
    assert_eq!(names(&page), ["client-2"]);
    let nowhere = v1::ListSubscribersRequest {
        parent: "journals/none".to_owned(),
        ..Default::default()
    };
    let status = admin.list_subscribers(nowhere).await.unwrap_err();
    details(&status, Code::NotFound, "JOURNAL_NOT_FOUND");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_shown_as_blocked_and_loses_its_connection() {
    let mut edge = edge().await;
    edge.bench.fill(40_000).await;
    let mut admin = admin(&mut edge, Access::Change).await;
    let mut events = edge.events().await;
    let request = v1::SubscribeRequest {
        start: after(0),
        ..Default::default()
    };
    // The stream is held and never read: its window fills, and nothing more is sent.
    let mut stream = within(events.subscribe(request))
        .await
        .unwrap()
        .into_inner();
    let blocked = |all: &[v1::Subscriber]| all.iter().any(|s| s.state() == State::Blocked);
    let seen = until(&mut admin, blocked).await;
    assert!(seen[0].lag > 0 && seen[0].sent_events > 0, "{seen:?}");
    let request = v1::DisconnectSubscriberRequest {
        name: seen[0].name.clone(),
    };
    within(admin.disconnect_subscriber(request)).await.unwrap();
    assert!(until(&mut admin, <[_]>::is_empty).await.is_empty());
    let ended = async { while let Ok(Some(_)) = stream.message().await {} };
    within(ended).await;
}

#[tokio::test]
async fn without_the_socket_nobody_is_disconnected() {
    let mut edge = edge().await;
    let mut admin = admin(&mut edge, Access::Read).await;
    let request = v1::DisconnectSubscriberRequest {
        name: "journals/default/subscribers/1".to_owned(),
    };
    let status = admin.disconnect_subscriber(request).await.unwrap_err();
    details(&status, Code::PermissionDenied, "SOCKET_REQUIRED");
}
