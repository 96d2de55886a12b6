//! `SessionService` over the board.

use super::*;
use crate::domain::SessionName;
use v1::session::State;

fn session(name: &str, state: State) -> (SessionName, v1::Session) {
    let name = SessionName::new(name).unwrap();
    let session = v1::Session {
        name: name.resource(),
        journal: "journals/default".to_owned(),
        state: state.into(),
        ..Default::default()
    };
    (name, session)
}

#[tokio::test]
async fn sessions_are_found_listed_and_woken() {
    let edge = edge().await;
    let slots: Vec<_> = (0..5)
        .map(|n| session(&format!("s{n}"), State::Active))
        .map(|(name, state)| edge.board.open(name, state))
        .collect();
    let mut client = edge.sessions().await;
    let name = "sessions/s3".to_owned();
    let got = client
        .get_session(v1::GetSessionRequest { name: name.clone() })
        .await
        .unwrap();
    assert_eq!(got.into_inner().session.unwrap().name, name);

    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListSessionsRequest {
            page_size: 2,
            page_token,
        };
        let page = client.list_sessions(request).await.unwrap().into_inner();
        names.extend(page.sessions.into_iter().map(|s| s.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        names,
        ["s0", "s1", "s2", "s3", "s4"].map(|n| format!("sessions/{n}"))
    );

    let request = v1::ReconnectSessionRequest { name };
    client.reconnect_session(request).await.unwrap();
    within(slots[3].reconnect_asked()).await;
}

#[tokio::test]
async fn what_cannot_be_done_with_sessions_is_said_plainly() {
    let edge = edge().await;
    let (name, state) = session("s0", State::Active);
    let _slot = edge.board.open(name, state);
    let mut client = edge.sessions().await;
    for name in ["sessions/none", "s0", ""] {
        let name = name.to_owned();
        let statuses = [
            client
                .get_session(v1::GetSessionRequest { name: name.clone() })
                .await
                .err(),
            client
                .reconnect_session(v1::ReconnectSessionRequest { name: name.clone() })
                .await
                .err(),
            client
                .close_session(v1::CloseSessionRequest { name: name.clone() })
                .await
                .err(),
        ];
        for status in statuses {
            let found = details(&status.unwrap(), Code::NotFound, "SESSION_NOT_FOUND");
            assert_eq!(found.resource_info().unwrap().resource_name, name);
        }
    }
    let request = v1::CloseSessionRequest {
        name: "sessions/s0".to_owned(),
    };
    let status = client.close_session(request).await.unwrap_err();
    details(&status, Code::FailedPrecondition, "SESSION_CONFIGURED");
    let request = v1::CreateSessionRequest {
        template: "sessionTemplates/webchat".to_owned(),
        ..Default::default()
    };
    let status = client.create_session(request).await.unwrap_err();
    details(&status, Code::NotFound, "TEMPLATE_NOT_FOUND");
    let request = v1::ListSessionsRequest {
        page_size: 0,
        page_token: "s0".to_owned(),
    };
    let status = client.list_sessions(request).await.unwrap_err();
    details(&status, Code::InvalidArgument, "REQUEST_INVALID");
}

#[tokio::test]
async fn a_watch_tells_everything_first_then_changes_removals_and_heartbeats() {
    let edge = edge().await;
    let (name, state) = session("s0", State::Connecting);
    let slot = edge.board.open(name, state);
    let mut client = edge.sessions().await;
    let request = v1::WatchSessionsRequest {
        heartbeat_interval: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
    };
    let mut watch = client.watch_sessions(request).await.unwrap().into_inner();
    let first = within(watch.message()).await.unwrap().unwrap();
    assert!(first.initial_complete);
    assert_eq!(first.sessions, [session("s0", State::Connecting).1]);

    slot.post(
        session("s0", State::Active).1,
        crate::session::Vitals::default(),
    );
    let change = within(watch.message()).await.unwrap().unwrap();
    assert_eq!(change.sessions, [session("s0", State::Active).1]);
    assert!(!change.initial_complete);

    drop(slot);
    let removal = within(watch.message()).await.unwrap().unwrap();
    assert_eq!(removal.removed_sessions, ["sessions/s0"]);

    let beat = within(watch.message()).await.unwrap().unwrap();
    assert_eq!(beat, v1::WatchSessionsResponse::default());

    edge.bench.trigger.drain();
    let status = within(watch.message()).await.unwrap_err();
    details(&status, Code::Unavailable, "SERVER_DRAINING");
}

#[tokio::test]
async fn a_watch_of_no_sessions_is_complete_at_once_and_one_of_many_comes_in_parts() {
    let edge = edge().await;
    let mut client = edge.sessions().await;
    let mut watch = client
        .watch_sessions(v1::WatchSessionsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let first = within(watch.message()).await.unwrap().unwrap();
    assert!(first.initial_complete && first.sessions.is_empty());

    let _slots: Vec<_> = (0..1_200)
        .map(|n| session(&format!("s{n:04}"), State::Active))
        .map(|(name, state)| edge.board.open(name, state))
        .collect();
    let mut watch = client
        .watch_sessions(v1::WatchSessionsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let mut names = Vec::new();
    loop {
        let part = within(watch.message()).await.unwrap().unwrap();
        names.extend(part.sessions.into_iter().map(|s| s.name));
        if part.initial_complete {
            break;
        }
    }
    let expected: Vec<_> = (0..1_200).map(|n| format!("sessions/s{n:04}")).collect();
    assert_eq!(names, expected);
}
