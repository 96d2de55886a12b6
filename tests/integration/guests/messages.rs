//! What is answered to those who send: how far a message got, and why not further.

use std::time::Duration;

use tieline::proto::v1;
use tieline::sandbox::fault::FaultRule;
use tieline::sandbox::guests::GuestDialect;
use tieline::sandbox::guests::fault::GuestFault;
use tonic::Code;
use tonic_types::StatusExt;
use v1::OutboundMessageState as Reached;
use v1::outbound_message::Content;

use super::stage::{Chat, GUEST, on_both, reason};

fn waiting_for(stage: v1::SendStage, request: v1::SendMessageRequest) -> v1::SendMessageRequest {
    v1::SendMessageRequest {
        wait_for: stage.into(),
        ..request
    }
}

#[tokio::test]
async fn u36_a_request_that_comes_twice_sends_once() {
    on_both(async |dialect| {
        let mut chat = Chat::with_guest(dialect).await;
        let request = waiting_for(v1::SendStage::Acknowledged, chat.text("once"));
        let first = chat.send(request.clone()).await.unwrap();
        let again = chat.send(request.clone()).await.unwrap();
        assert_eq!(first, again);
        let mut other = request.clone();
        let text = "something else".to_owned();
        other.message.as_mut().unwrap().content = Some(Content::Text(v1::TextContent { text }));
        let refused = chat.send(other).await.unwrap_err();
        assert_eq!(reason(&refused, Code::AlreadyExists), "REQUEST_ID_REUSED");
        let mut chat = chat.restart(|_| ()).await;
        let kept = chat.send(request).await.unwrap();
        assert_eq!(kept, first, "it is remembered across restarts");
        assert_eq!(chat.taken(), ["once"]);
    })
    .await;
}

#[tokio::test]
async fn u37_what_cannot_be_sent_now_stays_accepted_and_says_when_to_ask_again() {
    on_both(async |dialect| {
        let mut chat = Chat::with_guest(dialect).await;
        chat.cut_off().await;
        let request = waiting_for(v1::SendStage::Sent, chat.text("later"));
        let status = chat.send(request.clone()).await.unwrap_err();
        assert_eq!(reason(&status, Code::Unavailable), "UPSTREAM_DISCONNECTED");
        let details = status.get_error_details();
        let delay = details.retry_info().unwrap().retry_delay.unwrap();
        assert!(delay > Duration::ZERO);
        let name = format!("sessions/{GUEST}/outboundMessages/{}", request.request_id);
        assert_eq!(chat.get(&name).await.state(), Reached::Accepted);
        chat.platform.faults().clear_all();
        let again = waiting_for(v1::SendStage::Acknowledged, request);
        chat.active().await;
        let sent = chat.until_taken(again).await;
        assert_eq!(sent.state(), Reached::Acknowledged);
        assert_eq!(chat.taken(), ["later"]);
    })
    .await;
}

#[tokio::test]
async fn u37_a_throttled_message_waits_as_long_as_it_is_told_and_goes_once() {
    let mut chat = Chat::with_guest(GuestDialect::WebMessaging).await;
    let rule = FaultRule::from(GuestFault::Throttle { retry_after: 1 }).times(1);
    chat.platform.faults().set(rule).unwrap();
    let began = tokio::time::Instant::now();
    let request = waiting_for(v1::SendStage::Acknowledged, chat.text("patience"));
    let status = chat.send(request.clone()).await.unwrap_err();
    assert_eq!(
        reason(&status, Code::ResourceExhausted),
        "UPSTREAM_RATE_LIMITED"
    );
    let details = status.get_error_details();
    let delay = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(delay <= Duration::from_secs(2), "{delay:?}");
    let sent = chat.until_taken(request).await;
    assert_eq!(sent.state(), Reached::Acknowledged);
    assert!(
        began.elapsed() >= Duration::from_millis(990),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(chat.taken(), ["patience"]);
}

#[tokio::test]
async fn only_what_is_still_accepted_can_be_cancelled() {
    // A chat's message may be on its way as a request while no socket stands.
    let mut chat = Chat::with_guest(GuestDialect::WebMessaging).await;
    let sent = chat.say("gone").await;
    let late = chat.cancel(&sent.name).await.unwrap_err();
    assert_eq!(
        reason(&late, Code::FailedPrecondition),
        "MESSAGE_NOT_CANCELLABLE"
    );
    chat.cut_off().await;
    let request = chat.text("on second thoughts");
    let waits = chat.send(request).await.unwrap().message.unwrap();
    let cancelled = chat.cancel(&waits.name).await.unwrap();
    assert_eq!(cancelled.state(), Reached::Cancelled);
    chat.platform.faults().clear_all();
    chat.active().await;
    chat.say("this instead").await;
    assert_eq!(chat.taken(), ["gone", "this instead"]);
}

#[tokio::test]
async fn what_no_platform_would_take_is_refused_before_it_is_accepted() {
    on_both(async |dialect| {
        let mut chat = Chat::with_guest(dialect).await;
        let request = chat.text(&"long ".repeat(4_000));
        let status = chat.send(request).await.unwrap_err();
        assert_eq!(reason(&status, Code::InvalidArgument), "MESSAGE_TOO_LONG");
        let details = status.get_error_details();
        let field = &details.bad_request().unwrap().field_violations[0].field;
        assert_eq!(field, "message.text.text");
    })
    .await;
}

#[tokio::test]
async fn u36_an_echo_that_never_came_is_found_in_the_history() {
    let mut chat = Chat::with_guest(GuestDialect::WebMessaging).await;
    let rule = FaultRule::from(GuestFault::CutAfterTaking {}).times(1);
    chat.platform.faults().set(rule).unwrap();
    let sent = chat.say("did it arrive?").await;
    assert_eq!(sent.state(), Reached::Acknowledged, "{sent:?}");
    let record = chat.platform.record().entries();
    assert_eq!(record.len(), 1);
    assert_eq!(sent.provider_message_id, record[0].provider_id);
}

#[tokio::test]
async fn u36_what_may_have_arrived_is_reported_or_sent_again_as_asked() {
    let mut chat = Chat::with_guest(GuestDialect::Webchat).await;
    for (policy, state, times) in [
        (v1::UnknownOutcomePolicy::Report, Reached::OutcomeUnknown, 1),
        (v1::UnknownOutcomePolicy::Resend, Reached::Acknowledged, 2),
    ] {
        let rule = FaultRule::from(GuestFault::CutAfterTaking {}).times(1);
        chat.platform.faults().set(rule).unwrap();
        let text = format!("{policy:?}");
        let request = v1::SendMessageRequest {
            unknown_outcome_policy: policy.into(),
            ..waiting_for(v1::SendStage::Acknowledged, chat.text(&text))
        };
        let sent = chat.until_taken(request).await;
        assert_eq!(sent.state(), state, "{sent:?}");
        let taken = chat.taken().into_iter().filter(|t| *t == text).count();
        assert_eq!(taken, times, "{text}");
    }
}

#[tokio::test]
async fn messages_are_listed_page_by_page() {
    let mut chat = Chat::with_guest(GuestDialect::WebMessaging).await;
    for n in 0..5 {
        let request = chat.text(&n.to_string());
        chat.send(request).await.unwrap();
    }
    let mut request = v1::ListOutboundMessagesRequest {
        parent: format!("sessions/{GUEST}"),
        page_size: 2,
        page_token: String::new(),
    };
    let mut found = 0;
    loop {
        let page = chat.messaging.list_outbound_messages(request.clone()).await;
        let page = page.unwrap().into_inner();
        found += page.messages.len();
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, 5);
}
