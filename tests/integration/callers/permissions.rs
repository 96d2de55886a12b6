//! What callers may do: nothing that is not allowed, and what is forbidden looks like what is not there.

use serde_json::json;
use tieline::client::Calls;
use tieline::proto::v1;
use tokio::time::Instant;
use tonic::{Code, Status};
use v1::event_service_client::EventServiceClient;
use v1::messaging_service_client::MessagingServiceClient;
use v1::session_service_client::SessionServiceClient;
use v1::subscription_service_client::SubscriptionServiceClient;

use super::house::{ADMIN, House, READER, WRITER, end, goes_on, is, soon};
use crate::kit::SESSION;

const FORBIDDEN: &str = "JOURNAL_FORBIDDEN";

/// Names of something that a call is about.
#[derive(Clone)]
struct Names {
    journal: String,
    session: String,
    subscription: String,
    template: String,
}

impl Names {
    fn new(journal: &str, session: &str, subscription: &str) -> Self {
        Self {
            journal: format!("journals/{journal}"),
            session: format!("sessions/{session}"),
            subscription: format!("subscriptions/{subscription}"),
            template: format!("sessionTemplates/{session}"),
        }
    }
}

/// How every call about these names ends, in an order that stays.
async fn every(calls: &Calls, names: &Names) -> Vec<(&'static str, Result<(), Status>)> {
    let mut events = EventServiceClient::new(calls.clone());
    let mut subscriptions = SubscriptionServiceClient::new(calls.clone());
    let mut sessions = SessionServiceClient::new(calls.clone());
    let mut messages = MessagingServiceClient::new(calls.clone());
    let Names {
        journal,
        session,
        subscription,
        template,
    } = names.clone();
    let message = format!("{session}/outboundMessages/6f1c8f0e-8a8e-4a5c-9d4e-1f2a3b4c5d6e");
    let earliest = v1::StartPreset::Earliest.into();
    let subscribe = |start| v1::SubscribeRequest {
        journal: journal.clone(),
        start: Some(start),
        end: Some(v1::subscribe_request::End::UntilCaughtUp(true)),
        ..Default::default()
    };
    use v1::subscribe_request::Start;
    let by_preset = subscribe(Start::Preset(earliest));
    let by_cursor = v1::SubscribeRequest {
        journal: String::new(),
        ..subscribe(Start::Subscription(subscription.clone()))
    };
    let mut all = Vec::new();
    macro_rules! call {
        ($name:literal, $client:ident.$method:ident($request:expr)) => {
            all.push(($name, $client.$method($request).await.map(drop)));
        };
    }
    call!("Subscribe", events.subscribe(by_preset));
    call!("Subscribe by cursor", events.subscribe(by_cursor));
    call!(
        "ReadEvents",
        events.read_events(v1::ReadEventsRequest {
            journal: journal.clone(),
            start: Some(v1::read_events_request::Start::Preset(earliest)),
            ..Default::default()
        })
    );
    call!(
        "GetEvent",
        events.get_event(v1::GetEventRequest {
            name: format!("{journal}/events/1"),
            ..Default::default()
        })
    );
    call!(
        "GetJournal",
        events.get_journal(v1::GetJournalRequest {
            name: journal.clone()
        })
    );
    call!(
        "GetSubscription",
        subscriptions.get_subscription(v1::GetSubscriptionRequest {
            name: subscription.clone(),
        })
    );
    call!(
        "CommitSubscription",
        subscriptions.commit_subscription(v1::CommitSubscriptionRequest {
            name: subscription.clone(),
            ..Default::default()
        })
    );
    call!(
        "SeekSubscription",
        subscriptions.seek_subscription(v1::SeekSubscriptionRequest {
            name: subscription.clone(),
            ..Default::default()
        })
    );
    call!(
        "DeleteSubscription",
        subscriptions.delete_subscription(v1::DeleteSubscriptionRequest {
            name: subscription.clone(),
            etag: "wrong".to_owned(),
        })
    );
    call!(
        "CreateSubscription",
        subscriptions.create_subscription(v1::CreateSubscriptionRequest {
            subscription_id: "made".to_owned(),
            subscription: Some(v1::Subscription {
                journal: journal.clone(),
                ..Default::default()
            }),
            ..Default::default()
        })
    );
    call!(
        "GetSession",
        sessions.get_session(v1::GetSessionRequest {
            name: session.clone()
        })
    );
    call!(
        "CloseSession",
        sessions.close_session(v1::CloseSessionRequest {
            name: session.clone()
        })
    );
    call!(
        "ReconnectSession",
        sessions.reconnect_session(v1::ReconnectSessionRequest {
            name: session.clone(),
        })
    );
    call!(
        "CreateSession",
        sessions.create_session(v1::CreateSessionRequest {
            template,
            ..Default::default()
        })
    );
    call!(
        "SendMessage",
        messages.send_message(v1::SendMessageRequest {
            parent: session.clone(),
            ..Default::default()
        })
    );
    call!(
        "GetOutboundMessage",
        messages.get_outbound_message(v1::GetOutboundMessageRequest {
            name: message.clone(),
        })
    );
    call!(
        "ListOutboundMessages",
        messages.list_outbound_messages(v1::ListOutboundMessagesRequest {
            parent: session.clone(),
            ..Default::default()
        })
    );
    call!(
        "CancelOutboundMessage",
        messages.cancel_outbound_message(v1::CancelOutboundMessageRequest {
            name: message.clone()
        })
    );
    all
}

/// A status without the names that were asked for.
fn told(status: &Status, names: &Names) -> String {
    let text = format!("{:?} {}", status.code(), status.message());
    let text = text
        .replace(&names.journal, "J")
        .replace(&names.session, "S");
    text.replace(&names.subscription, "C")
        .replace(&names.template, "T")
}

/// Makes a cursor in a journal.
async fn cursor(house: &House, name: &str, journal: &str) {
    let mut client = SubscriptionServiceClient::new(house.calls(house.token(ADMIN)));
    let made = client.create_subscription(v1::CreateSubscriptionRequest {
        subscription_id: name.to_owned(),
        start: v1::StartPreset::Earliest.into(),
        subscription: Some(v1::Subscription {
            journal: format!("journals/{journal}"),
            ..Default::default()
        }),
    });
    made.await.unwrap();
}

#[tokio::test]
async fn what_is_forbidden_cannot_be_told_from_what_is_not_there() {
    // The reader may read `other`, where nothing is; the session writes to `default`.
    let house = House::with(|config, _, _| {
        let permissions = &mut config.listen.auth.as_mut().unwrap().permissions;
        permissions[0].journals = vec!["other".to_owned()];
    })
    .await;
    cursor(&house, "of-default", "default").await;
    let calls = house.calls(house.token(READER));
    let there = Names::new("default", SESSION, "of-default");
    let not_there = Names::new("nowhere", "nobody", "none");
    let found = every(&calls, &there).await;
    let missing = every(&calls, &not_there).await;
    assert_eq!(found.len(), 18);
    for ((call, found), (_, missing)) in found.into_iter().zip(missing) {
        let (found, missing) = (found.expect_err(call), missing.expect_err(call));
        is(&found, Code::PermissionDenied, FORBIDDEN);
        assert_eq!(told(&found, &there), told(&missing, &not_there), "{call}");
    }
    // Lists hold what may be read.
    let mut events = EventServiceClient::new(calls.clone());
    let journals = events
        .list_journals(v1::ListJournalsRequest::default())
        .await
        .unwrap();
    let journals = journals.into_inner().journals;
    let names: Vec<_> = journals
        .iter()
        .map(|journal| journal.name.as_str())
        .collect();
    assert_eq!(names, ["journals/other"]);
    let mut sessions = SessionServiceClient::new(calls.clone());
    let listed = sessions
        .list_sessions(v1::ListSessionsRequest::default())
        .await
        .unwrap();
    assert!(listed.into_inner().sessions.is_empty());
    let watch = sessions.watch_sessions(v1::WatchSessionsRequest::default());
    let first = watch
        .await
        .unwrap()
        .into_inner()
        .message()
        .await
        .unwrap()
        .unwrap();
    assert!(first.sessions.is_empty() && first.initial_complete);
    let mut subscriptions = SubscriptionServiceClient::new(calls);
    let listed = subscriptions.list_subscriptions(v1::ListSubscriptionsRequest::default());
    assert!(listed.await.unwrap().into_inner().subscriptions.is_empty());
    // Who may read one journal alone need not name it.
    house.stream(house.token(READER), "").await.unwrap();
}

#[tokio::test]
async fn each_call_needs_the_right_that_its_row_names() {
    let house = House::with_tokens().await;
    cursor(&house, "of-default", "default").await;
    let names = Names::new("default", SESSION, "of-default");
    let refused = async |token: &str| -> Vec<&'static str> {
        let all = every(&house.calls(house.token(token)), &names).await;
        let all = all.into_iter().filter(|(_, ended)| {
            let code = ended.as_ref().err().map(Status::code);
            code == Some(Code::PermissionDenied)
        });
        all.map(|(call, _)| call).collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(refused(ADMIN).await, none);
    let admin = ["SeekSubscription", "DeleteSubscription", "ReconnectSession"];
    assert_eq!(refused(WRITER).await, admin);
    assert_eq!(
        refused(READER).await,
        [
            "Subscribe by cursor",
            "CommitSubscription",
            "SeekSubscription",
            "DeleteSubscription",
            "CreateSubscription",
            "CloseSession",
            "ReconnectSession",
            "CreateSession",
            "SendMessage",
            "CancelOutboundMessage",
        ]
    );
}

#[tokio::test]
async fn a_permission_that_is_taken_away_ends_its_streams_at_once() {
    let house = House::with_tokens().await;
    let reader = house
        .stream(house.token(READER), "journals/default")
        .await
        .unwrap();
    let mut writer = house
        .stream(house.token(WRITER), "journals/default")
        .await
        .unwrap();
    let (mut config, _) = house.stage.sidecar.again();
    let began = Instant::now();
    config.listen.auth.as_mut().unwrap().permissions = serde_json::from_value(json!([
        { "principal": "reader", "journals": ["other"], "allow": ["read"] },
        { "principal": "writer", "journals": ["default"], "allow": ["read"] },
    ]))
    .unwrap();
    let applied = house.stage.sidecar.reload(config).await.unwrap();
    assert_eq!(applied.limits, ["listen.auth.permissions"]);
    assert!(applied.restart.is_empty(), "{:?}", applied.restart);
    let (status, ended) = end(reader).await;
    is(&status, Code::PermissionDenied, FORBIDDEN);
    soon(began, ended);
    goes_on(&mut writer).await;
    let refused = house.stream(house.token(ADMIN), "journals/default").await;
    is(&refused.unwrap_err(), Code::PermissionDenied, FORBIDDEN);
}
