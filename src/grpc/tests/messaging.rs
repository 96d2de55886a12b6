//! `MessagingService` where there is no guest to speak to, and requests that cannot be meant.

use super::*;
use v1::messaging_service_client::MessagingServiceClient;

const ID: &str = "0b7c3a52-0d3e-4f0f-8f6e-3f1f5d8f2a11";

fn request() -> v1::SendMessageRequest {
    let text = "Where is my parcel?".to_owned();
    v1::SendMessageRequest {
        parent: "sessions/s0".to_owned(),
        message: Some(v1::OutboundMessage {
            content: Some(v1::outbound_message::Content::Text(v1::TextContent {
                text,
            })),
            ..Default::default()
        }),
        request_id: ID.to_owned(),
        ..Default::default()
    }
}

async fn client(edge: &Edge) -> MessagingServiceClient<Channel> {
    MessagingServiceClient::new(edge.channel().await)
}

#[tokio::test]
async fn only_sessions_of_guests_take_messages() {
    let edge = edge().await;
    let mut client = client(&edge).await;
    let status = client.send_message(request()).await.unwrap_err();
    details(&status, Code::NotFound, "SESSION_NOT_FOUND");
    let state = v1::Session {
        name: "sessions/s0".to_owned(),
        ..Default::default()
    };
    let name = crate::domain::SessionName::new("s0").unwrap();
    let _slot = edge.board.open(name, state);
    let status = client.send_message(request()).await.unwrap_err();
    details(&status, Code::FailedPrecondition, "SESSION_RECEIVES_ONLY");
    let list = v1::ListOutboundMessagesRequest {
        parent: "sessions/s0".to_owned(),
        ..Default::default()
    };
    let status = client.list_outbound_messages(list).await.unwrap_err();
    details(&status, Code::FailedPrecondition, "SESSION_RECEIVES_ONLY");
}

#[tokio::test]
async fn a_message_that_cannot_be_meant_is_refused_with_its_field() {
    type Spoil = fn(&mut v1::SendMessageRequest);
    let spoils: [(&str, Spoil); 9] = [
        ("request_id", |r| r.request_id.clear()),
        ("request_id", |r| r.request_id = "4711".to_owned()),
        ("message", |r| r.message = None),
        ("message.content", |r| {
            r.message = Some(v1::OutboundMessage::default());
        }),
        ("message.text.text", |r| text(r, String::new())),
        ("message.text.text", |r| text(r, "x".repeat(65 << 10))),
        ("message.expire_time", |r| {
            let time = prost_types::Timestamp {
                seconds: 1,
                nanos: 0,
            };
            r.message.as_mut().unwrap().expire_time = Some(time);
        }),
        ("message.custom_attributes", |r| {
            let attributes = (0..65).map(|n| (n.to_string(), String::new()));
            r.message.as_mut().unwrap().custom_attributes = attributes.collect();
        }),
        ("wait_for", |r| r.wait_for = 99),
    ];
    let edge = edge().await;
    let mut client = client(&edge).await;
    for (field, spoil) in spoils {
        let mut request = request();
        spoil(&mut request);
        let status = client.send_message(request).await.unwrap_err();
        let found = details(&status, Code::InvalidArgument, "REQUEST_INVALID");
        let named = &found.bad_request().unwrap().field_violations[0].field;
        assert_eq!(named, field);
    }
}

fn text(request: &mut v1::SendMessageRequest, text: String) {
    let content = v1::outbound_message::Content::Text(v1::TextContent { text });
    request.message.as_mut().unwrap().content = Some(content);
}

#[tokio::test]
async fn names_of_messages_that_are_none_are_not_found() {
    let edge = edge().await;
    let mut client = client(&edge).await;
    for name in [
        String::new(),
        "sessions/s0".to_owned(),
        "sessions/s0/outboundMessages/x".to_owned(),
        format!("sessions/s0/outboundMessages/{ID}"),
    ] {
        let get = v1::GetOutboundMessageRequest { name: name.clone() };
        let status = client.get_outbound_message(get).await.unwrap_err();
        details(&status, Code::NotFound, "OUTBOUND_MESSAGE_NOT_FOUND");
    }
    let cancel = v1::CancelOutboundMessageRequest {
        name: format!("sessions/s0/outboundMessages/{ID}"),
    };
    let status = client.cancel_outbound_message(cancel).await.unwrap_err();
    details(&status, Code::NotFound, "SESSION_NOT_FOUND");
}
