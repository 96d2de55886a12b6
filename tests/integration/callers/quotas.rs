//! How much a principal may send in a minute.

use tieline::client::Calls;
use tieline::proto::v1;
use tieline::testing::Log;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use v1::messaging_service_client::MessagingServiceClient;
use v1::session_service_client::SessionServiceClient;

use super::house::{ADMIN, House, WRITER, is};
use crate::kit::SESSION;

const QUOTA: &str = "SEND_QUOTA";
const REQUEST: &str = "6f1c8f0e-8a8e-4a5c-9d4e-1f2a3b4c5d6e";

/// Sends a message to a session that takes none: what is refused for that has been counted.
async fn send(calls: &Calls) -> Status {
    let content = v1::outbound_message::Content::Text(v1::TextContent {
        text: "hello".to_owned(),
    });
    let request = v1::SendMessageRequest {
        parent: format!("sessions/{SESSION}"),
        request_id: REQUEST.to_owned(),
        message: Some(v1::OutboundMessage {
            content: Some(content),
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut messages = MessagingServiceClient::new(calls.clone());
    messages.send_message(request).await.unwrap_err()
}

/// Opens a guest's session by a template that there is not.
async fn open(calls: &Calls) -> Status {
    let request = v1::CreateSessionRequest {
        template: "sessionTemplates/none".to_owned(),
        ..Default::default()
    };
    let mut sessions = SessionServiceClient::new(calls.clone());
    sessions.create_session(request).await.unwrap_err()
}

#[tokio::test]
async fn a_principal_sends_so_much_in_a_minute_and_others_have_theirs() {
    let (log, guard) = Log::capture("tieline::audit=debug");
    let house = House::with(|config, _, _| config.listen.limits.sends_per_minute = 2).await;
    let writer = house.calls(house.token(WRITER));
    let first = send(&writer).await;
    is(&first, Code::FailedPrecondition, "SESSION_RECEIVES_ONLY");
    is(&open(&writer).await, Code::NotFound, "TEMPLATE_NOT_FOUND");
    for status in [send(&writer).await, open(&writer).await] {
        is(&status, Code::ResourceExhausted, QUOTA);
        let details = status.get_error_details();
        let violations = &details.quota_failure().unwrap().violations;
        assert_eq!(violations[0].subject, "principals/writer");
        let metadata = &details.error_info().unwrap().metadata;
        assert_eq!(
            (&*metadata["limit"], &*metadata["principal"]),
            ("2", "writer")
        );
        let delay = details.retry_info().unwrap().retry_delay.unwrap();
        assert!(!delay.is_zero() && delay.as_secs() <= 30, "{delay:?}");
    }
    // What sends nothing costs nothing, and everybody has a quota of their own.
    let mut messages = MessagingServiceClient::new(writer);
    let cancelled = messages.cancel_outbound_message(v1::CancelOutboundMessageRequest {
        name: format!("sessions/{SESSION}/outboundMessages/{REQUEST}"),
    });
    let cancelled = cancelled.await.unwrap_err();
    is(
        &cancelled,
        Code::FailedPrecondition,
        "SESSION_RECEIVES_ONLY",
    );
    let of_admin = send(&house.calls(house.token(ADMIN))).await;
    is(&of_admin, Code::FailedPrecondition, "SESSION_RECEIVES_ONLY");

    house
        .figure(r#"tieline_grpc_calls_refused_total{reason="principal_sends"} 2"#)
        .await;
    drop(guard);
    let lines = log.lines().into_iter();
    let refused = lines.filter(|line| line["fields"]["reason"] == QUOTA);
    let refused: Vec<_> = refused
        .map(|line| {
            let fields = &line["fields"];
            assert_eq!(fields["message"], "Refused");
            assert_eq!(fields["principal"], "writer");
            fields["method"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        refused,
        [
            "/tieline.v1.MessagingService/SendMessage",
            "/tieline.v1.SessionService/CreateSession"
        ]
    );
}
