//! `SessionService` over the wire.

use std::time::Duration;

use tieline::proto::v1;
use tieline::sandbox::fault::Fault;
use tieline::session::TransportChoice::Websocket;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Streaming};
use tonic_types::StatusExt as _;
use v1::Transport;
use v1::session::State;
use v1::session_service_client::SessionServiceClient;

use crate::kit::{PATIENCE, SESSION, Stage, quick};

fn client(stage: &Stage) -> SessionServiceClient<Channel> {
    SessionServiceClient::new(stage.sidecar.address().channel().unwrap())
}

fn name() -> String {
    format!("sessions/{SESSION}")
}

/// Reads a watch until it tells of a session like this.
async fn told(
    watch: &mut Streaming<v1::WatchSessionsResponse>,
    test: impl Fn(&v1::Session) -> bool,
) -> v1::Session {
    let reading = async {
        loop {
            let response = watch.message().await.unwrap().unwrap();
            assert!(!response.initial_complete, "only once");
            if let Some(session) = response.sessions.into_iter().find(|s| test(s)) {
                return session;
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("it is told")
}

#[tokio::test]
async fn sessions_are_got_listed_watched_and_reconnected_over_the_wire() {
    let stage = Stage::with(quick(), |config| {
        config.sessions[0].transport = Websocket;
        let mut other = config.sessions[0].clone();
        other.name = tieline::domain::SessionName::new("another").unwrap();
        config.sessions.push(other);
    })
    .await;
    let other = tieline::domain::SessionName::new("another").unwrap();
    stage.sidecar.active_on(Transport::Websocket).await;
    let mut posts = stage.sidecar.board().watch();
    let both = posts.wait_for(|p| p[&other].state.state() == State::Active);
    timeout(PATIENCE, both).await.unwrap().unwrap();
    let mut client = client(&stage);

    let listed = client
        .list_sessions(v1::ListSessionsRequest::default())
        .await
        .unwrap();
    let names: Vec<_> = listed
        .into_inner()
        .sessions
        .into_iter()
        .map(|s| s.name)
        .collect();
    assert_eq!(names, ["sessions/another".to_owned(), name()]);

    let request = v1::GetSessionRequest { name: name() };
    let got = client
        .get_session(request)
        .await
        .unwrap()
        .into_inner()
        .session
        .unwrap();
    assert_eq!(
        (got.state(), got.transport()),
        (State::Active, Transport::Websocket)
    );
    assert_eq!(
        (got.journal.as_str(), got.topic_count),
        ("journals/default", 3)
    );
    assert!(got.connect_time.is_some() && got.last_receive_time.is_some());
    assert_eq!((got.reconnect_count, got.reason.as_str()), (0, ""));

    let unknown = v1::GetSessionRequest {
        name: "sessions/none".to_owned(),
    };
    let status = client.get_session(unknown).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "SESSION_NOT_FOUND");
    assert_eq!(
        details.resource_info().unwrap().resource_name,
        "sessions/none"
    );

    let watch = client
        .watch_sessions(v1::WatchSessionsRequest::default())
        .await
        .unwrap();
    let mut watch = watch.into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!((first.sessions.len(), first.initial_complete), (2, true));

    let request = v1::ReconnectSessionRequest { name: name() };
    client.reconnect_session(request).await.unwrap();
    let again = told(&mut watch, |s| {
        s.name == name() && s.reconnect_count == 1 && s.state() == State::Active
    })
    .await;
    assert!(again.generation > got.generation);
    let unknown = v1::ReconnectSessionRequest {
        name: "sessions/none".to_owned(),
    };
    let status = client.reconnect_session(unknown).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);

    stage.set(Fault::PlatformDown {}.during(Duration::from_millis(300)));
    let down = told(&mut watch, |s| {
        s.name == name() && s.state() == State::Reconnecting
    })
    .await;
    assert!(!down.reason.is_empty());
    told(&mut watch, |s| {
        s.name == name() && s.state() == State::Active
    })
    .await;

    let status = client
        .create_session(v1::CreateSessionRequest::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
