//! The life of a guest's session: opened, kept across restarts, ended by either side.

use tieline::proto::v1;
use tieline::sandbox::guests::{Deed, GuestDialect};
use tonic::Code;
use v1::event::{Data, Origin};
use v1::session::State;
use v1::session_event::Kind;

use super::stage::{Chat, GUEST, on_both, reason};
use crate::kit::Witness;

fn texts(witness: &Witness, direction: v1::Direction) -> Vec<(String, Origin)> {
    let said = witness.events.iter().filter_map(|event| match &event.data {
        Some(Data::MessageEvent(said)) if said.direction() == direction => {
            Some((said.text.clone(), event.origin()))
        }
        _ => None,
    });
    said.collect()
}

#[tokio::test]
async fn a_guest_is_heard_and_answered() {
    on_both(async |dialect| {
        let mut chat = Chat::with_guest(dialect).await;
        let sent = chat.say("Where is my parcel?").await;
        assert_eq!(sent.state(), v1::OutboundMessageState::Acknowledged);
        assert_eq!(chat.taken(), ["Where is my parcel?"]);
        chat.platform.say(&chat.token(), "On its way.").unwrap();
        let mut witness = Witness::new(&chat.sidecar);
        let answer = ("On its way.".to_owned(), Origin::Live);
        let heard = |w: &Witness| texts(w, v1::Direction::Outbound).contains(&answer);
        witness.until("the agent's answer came", heard).await;
        let states: Vec<_> = witness
            .events
            .iter()
            .filter_map(|event| match &event.data {
                Some(Data::OutboundMessageEvent(event)) => Some(event.state()),
                _ => None,
            })
            .collect();
        use v1::OutboundMessageState::{Accepted, Acknowledged, Sent};
        assert_eq!(states, [Accepted, Sent, Acknowledged]);
    })
    .await;
}

#[tokio::test]
async fn the_agent_is_told_who_the_guest_is() {
    let mut chat = Chat::with_guest(GuestDialect::WebMessaging).await;
    chat.say("Hello").await;
    let record = chat.platform.record().entries();
    assert_eq!(record[0].attributes["firstName"], "Ada");
}

#[tokio::test]
async fn the_same_id_twice_is_one_session_and_no_more_stand_than_may() {
    on_both(async |dialect| {
        let mut chat = Chat::with_guest(dialect).await;
        let again = chat.create(GUEST).await.unwrap();
        assert_eq!(again.state(), State::Active);
        let made_up = chat.create("").await.unwrap();
        assert_eq!(made_up.name.len(), "sessions/".len() + 36, "{made_up:?}");
        let full = chat.create("guest-3").await.unwrap_err();
        assert_eq!(reason(&full, Code::ResourceExhausted), "SESSION_QUOTA");
        let wrong = chat.create("Not A Name").await.unwrap_err();
        assert_eq!(reason(&wrong, Code::InvalidArgument), "REQUEST_INVALID");
        chat.close(GUEST).await.unwrap();
        chat.create("guest-3").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn u39_a_guest_goes_on_after_a_restart_and_hears_what_was_said_meanwhile() {
    let mut chat = Chat::with_guest(GuestDialect::WebMessaging).await;
    chat.say("Hello").await;
    let token = chat.token();
    let chat = chat
        .restart(|platform| platform.say(&token, "Are you there?").unwrap())
        .await;
    chat.active().await;
    assert_eq!(chat.token(), token, "one session, the same as before");
    assert_eq!(chat.platform.sessions().len(), 1);
    let mut witness = Witness::new(&chat.sidecar);
    let missed = ("Are you there?".to_owned(), Origin::Backfill);
    let heard = |w: &Witness| texts(w, v1::Direction::Outbound).contains(&missed);
    witness.until("what was missed came", heard).await;
    let closed = |w: &Witness| !w.told(Kind::GapClosed).is_empty();
    witness.until("nothing else was missed", closed).await;
    assert_eq!(
        texts(&witness, v1::Direction::Inbound).len(),
        1,
        "said once, heard once"
    );
}

#[tokio::test]
async fn u39_a_webchat_goes_on_after_a_restart() {
    let mut chat = Chat::with_guest(GuestDialect::Webchat).await;
    chat.say("Hello").await;
    let instance = chat.token();
    let mut chat = chat.restart(|_| ()).await;
    chat.active().await;
    chat.say("Still here").await;
    assert_eq!(chat.token(), instance);
    assert_eq!(chat.platform.sessions().len(), 1);
}

#[tokio::test]
async fn u39_what_waits_when_a_guest_expires_never_reaches_another_conversation() {
    on_both(async |dialect| {
        let mut chat = Chat::with_guest(dialect).await;
        chat.cut_off().await;
        let first = chat.text("one");
        let first = chat.send(first).await.unwrap().message.unwrap();
        let second = chat.text("two");
        let second = chat.send(second).await.unwrap().message.unwrap();
        chat.platform.act(&chat.token(), &Deed::Expire).unwrap();
        chat.platform.faults().clear_all();
        let over = chat.until("over", |s| s.state() == State::Closed).await;
        assert!(!over.reason.is_empty());
        let mut witness = Witness::new(&chat.sidecar);
        let expired = |w: &Witness| !w.told(Kind::Expired).is_empty();
        witness.until("the expiry was told", expired).await;
        for message in [first, second] {
            let message = chat.until_over(&message.name).await;
            // A chat's request may be refused, and given up, before the session is known to be over.
            let over = match message.state() {
                v1::OutboundMessageState::Expired => true,
                v1::OutboundMessageState::Failed => dialect == GuestDialect::Webchat,
                _ => false,
            };
            assert!(over, "{message:?}");
            assert_eq!(message.reason, "GUEST_SESSION_EXPIRED");
        }
        let third = chat.text("three");
        let late = chat.send(third).await.unwrap_err();
        assert_eq!(
            reason(&late, Code::FailedPrecondition),
            "GUEST_SESSION_EXPIRED"
        );
        let again = chat.create(GUEST).await.unwrap_err();
        assert_eq!(reason(&again, Code::AlreadyExists), "SESSION_OVER");
        let mut chat = chat.restart(|_| ()).await;
        let again = chat.create(GUEST).await.unwrap_err();
        assert_eq!(reason(&again, Code::AlreadyExists), "SESSION_OVER");
        assert_eq!(chat.taken(), [""; 0], "nothing was said to anybody");
        assert_eq!(chat.platform.sessions().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_closed_session_cancels_what_waits_and_is_gone() {
    on_both(async |dialect| {
        let mut chat = Chat::with_guest(dialect).await;
        chat.say("Hello").await;
        chat.cut_off().await;
        let waits = chat.text("wait");
        let waits = chat.send(waits).await.unwrap().message.unwrap();
        chat.close(GUEST).await.unwrap();
        let message = chat.get(&waits.name).await;
        assert_eq!(message.state(), v1::OutboundMessageState::Cancelled);
        let name = format!("sessions/{GUEST}");
        let request = v1::GetSessionRequest { name };
        let gone = chat.sessions.get_session(request).await.unwrap_err();
        assert_eq!(reason(&gone, Code::NotFound), "SESSION_NOT_FOUND");
        chat.close(GUEST).await.unwrap();
        chat.platform.faults().clear_all();
        let chat = chat.restart(|_| ()).await;
        assert!(chat.sidecar.board().posts().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_superseded_session_does_not_take_its_place_back_by_itself() {
    let mut chat = Chat::with_guest(GuestDialect::WebMessaging).await;
    chat.platform.act(&chat.token(), &Deed::Supersede).unwrap();
    let state = |s: &v1::Session| s.state() == State::Suspended;
    let suspended = chat.until("suspended", state).await;
    assert!(
        suspended.reason.starts_with("CONNECTION_SUPERSEDED"),
        "{}",
        suspended.reason
    );
    let name = format!("sessions/{GUEST}");
    let request = v1::ReconnectSessionRequest { name };
    chat.sessions.reconnect_session(request).await.unwrap();
    chat.active().await;
    chat.say("Here again").await;
}

#[tokio::test]
async fn sessions_of_the_configuration_and_unknown_ones_are_told_apart() {
    let mut chat = Chat::new(GuestDialect::WebMessaging).await;
    let none = chat.close("nobody").await.unwrap_err();
    assert_eq!(reason(&none, Code::NotFound), "SESSION_NOT_FOUND");
    let text = chat.text("x");
    let none = chat.send(text).await.unwrap_err();
    assert_eq!(reason(&none, Code::NotFound), "SESSION_NOT_FOUND");
}
