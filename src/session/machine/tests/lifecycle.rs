//! What a link is told and asked over its life: what it keeps, other ways, errands, endings; and what
//! becomes of topics.

use std::sync::Arc;
use std::time::Duration;

use super::fake::Fake;
use super::rig::{Rig, Sent};
use super::unnumbered::raw;
use crate::auth::Sealer;
use crate::connectors::Identity;
use crate::net::HttpFailure;
use crate::proto::v1::session::State;
use crate::proto::v1::session_event::Kind;
use crate::session::TransportChoice;
use crate::session::machine::{Input, StateName};

fn keeping() -> Fake {
    let mut fake = Fake::new(Identity::Neither);
    fake.setup = true;
    fake.keeps = true;
    fake
}

fn started(fake: Fake) -> Rig {
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig
}

/// Answers the requests that make a channel.
fn channel(rig: &mut Rig, name: &str) {
    let (call, target, _) = rig.last_call("/channels");
    assert_eq!(target, "/channels");
    rig.answer_to(call, 200, &[], &format!("wss://fake.test/{name}"));
    let (call, ..) = rig.last_call("/subscriptions");
    rig.answer_to(call, 200, &[], "");
    rig.dialled(Ok(()));
}

/// Lets time pass on a connection that lives.
fn alive(rig: &mut Rig, seconds: u64) {
    for _ in 0..seconds / 5 {
        rig.secs(5);
        rig.frame("beat");
    }
}

fn position(rig: &Rig) -> String {
    String::from_utf8(rig.journal.state["sessions/cc/position"].value.to_vec()).unwrap()
}

fn made(rig: &Rig) -> usize {
    rig.asked()
        .filter(|(target, _)| target == "/channels")
        .count()
}

#[test]
fn u31_a_planned_close_ends_a_session_whose_profile_says_so_until_somebody_asks_for_it() {
    let mut fake = Fake::new(Identity::Neither);
    fake.capabilities.stop_on_clean_close = true;
    let mut rig = started(fake);
    rig.dialled(Ok(()));
    rig.frame("ok");
    rig.close(1000);
    assert_eq!(rig.machine.status().state(), State::Closed);
    let asked = rig.asked().count();
    rig.secs(3_600);
    assert_eq!(rig.asked().count(), asked);
    rig.input(Input::ReconnectAsked);
    rig.secs(1);
    rig.dialled(Ok(()));
    rig.frame("ok");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
}

#[test]
fn a_channel_is_kept_and_opened_again_after_a_break_and_after_a_crash() {
    let mut rig = started(keeping());
    channel(&mut rig, "one");
    rig.frame("ok");
    assert!(position(&rig).contains("wss://fake.test/one"));
    rig.secs(11);
    rig.reset();
    rig.until_request(2);
    assert_eq!(rig.last_dial().1, "wss://fake.test/one");
    rig.dialled(Ok(()));
    rig.frame("ok");
    rig.crash();
    assert_eq!(rig.last_dial().1, "wss://fake.test/one");
    assert_eq!(made(&rig), 1);
}

#[test]
fn a_channel_that_is_gone_is_made_anew_at_once_and_then_with_a_back_off() {
    let mut rig = started(keeping());
    channel(&mut rig, "one");
    rig.frame("ok");
    rig.secs(11);
    rig.reset();
    rig.until_request(2);
    rig.refused_dial(404);
    assert!(!position(&rig).contains("wss://"), "forgotten");
    rig.sent();
    rig.until_request(2);
    assert_eq!(made(&rig), 2);
    // A platform that forgets every channel is not hammered.
    rig.sent();
    for _ in 0..1_200 {
        match rig.state() {
            StateName::SettingUp => channel(&mut rig, "new"),
            StateName::Subscribing => rig.frame("ok"),
            StateName::Handshaking | StateName::LiveWebSocket => rig.refused_dial(404),
            _ => {}
        }
        if rig.state() == StateName::Subscribing {
            let (generation, ..) = rig.last_dial();
            rig.close_of(generation, 1006);
        }
        rig.millis(500);
    }
    assert!(made(&rig) < 100, "{} channels in ten minutes", made(&rig));
}

#[test]
fn a_refused_request_has_another_way_but_not_for_ever() {
    let mut fake = keeping();
    fake.another_way = true;
    let mut rig = started(fake);
    let (call, ..) = rig.last_call("/channels");
    rig.answer_to(call, 400, &[], "");
    assert_eq!(rig.state(), StateName::SettingUp);
    channel(&mut rig, "one");
    rig.frame("ok");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
}

#[test]
fn a_link_that_yields_suspends_the_session_and_is_asked_again_slowly() {
    let mut fake = keeping();
    fake.yields = true;
    let mut rig = started(fake);
    assert_eq!(rig.state(), StateName::Suspended);
    assert_eq!(rig.machine.status().reason, "NO_CHANNEL_LEFT");
    let asks = rig.token_asks;
    rig.secs(299);
    assert_eq!(rig.token_asks, asks);
    rig.secs(40);
    assert_eq!(rig.token_asks, asks + 1);
    let told = rig.kinds().into_iter().filter(|k| k == "suspended").count();
    assert_eq!(told, 1);
}

#[test]
fn u24_what_is_kept_is_sealed_where_there_is_a_key() {
    let mut rig = Rig::with(keeping().shared(), TransportChoice::Auto);
    rig.sealer = Some(Arc::new(Sealer::new(&[7; 32])));
    rig.retime(|_| {});
    rig.input(Input::Start);
    channel(&mut rig, "one");
    rig.frame("ok");
    assert!(!position(&rig).contains("fake.test"), "{}", position(&rig));
    rig.crash();
    assert_eq!(rig.last_dial().1, "wss://fake.test/one");
    // With another key it is lost, and nothing else.
    rig.sealer = Some(Arc::new(Sealer::new(&[8; 32])));
    rig.crash();
    assert_eq!((rig.state(), made(&rig)), (StateName::SettingUp, 2));
    rig.sealer = None;
    rig.crash();
    assert_eq!(made(&rig), 3);
    channel(&mut rig, "plain");
    rig.frame("ok");
    rig.sealer = Some(Arc::new(Sealer::new(&[7; 32])));
    rig.crash();
    assert_eq!(
        rig.last_dial().1,
        "wss://fake.test/plain",
        "written without a key"
    );
}

#[test]
fn errands_run_beside_a_live_connection() {
    let mut fake = Fake::new(Identity::Neither);
    fake.errand = Some(Duration::from_secs(60));
    let mut rig = started(fake);
    rig.dialled(Ok(()));
    rig.frame("ok");
    rig.sent();
    alive(&mut rig, 60);
    let (call, ..) = rig.last_call("/errand");
    rig.answer_to(call, 200, &[], "ev:a:renewed");
    assert_eq!(raw(&rig), ["renewed"]);
    alive(&mut rig, 60);
    let (call, ..) = rig.last_call("/errand");
    let failed = Err(HttpFailure::Reset("peer".to_owned()));
    rig.input(Input::Answer {
        call,
        result: failed,
    });
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    alive(&mut rig, 60);
    let (call, ..) = rig.last_call("/errand");
    rig.answer_to(call, 200, &[], "lost");
    assert_eq!(rig.state(), StateName::Waiting, "its controls count");
    assert_eq!(rig.asked().filter(|(t, _)| t == "/errand").count(), 3);
}

#[test]
fn what_was_subscribed_to_ends_and_is_tried_again_slowly() {
    let mut fake = Fake::new(Identity::Neither);
    fake.capabilities.long_poll = true;
    fake.capabilities.websocket = false;
    let mut rig = started(fake);
    let (call, ..) = rig.last_call("/next");
    rig.answer_to(call, 200, &[], "cursor:s1;ev:a:bye;ended");
    assert_eq!(raw(&rig), ["bye"]);
    assert_eq!(rig.last_fact(Kind::Expired).reason, "SIGNED_OUT");
    assert_eq!(rig.machine.status().state(), State::Suspended);
    rig.sent();
    rig.secs(299);
    assert_eq!(rig.requests(), 0);
    rig.until_request(60);
    let (call, ..) = rig.last_call("/next");
    rig.answer_to(call, 409, &[], "");
    assert_eq!(rig.state(), StateName::Suspended);
    assert!(!rig.kinds().contains(&"suspended".to_owned()));
}

#[test]
fn an_end_that_a_frame_tells_comes_after_its_events() {
    let mut rig = started(Fake::new(Identity::Neither));
    rig.dialled(Ok(()));
    rig.frame("ok");
    rig.frame("ev:a:bye;ended");
    assert_eq!(
        (raw(&rig), rig.state()),
        (vec!["bye".to_owned()], StateName::Suspended)
    );
    assert_eq!(rig.last_fact(Kind::Expired).reason, "SIGNED_OUT");
}

#[test]
fn rejected_topics_are_counted_and_told_once() {
    let mut fake = Fake::new(Identity::Neither);
    fake.topics = (0..50).map(|n| format!("t{n}")).collect();
    let rejected: String = (0..40).map(|n| format!("no:t{n};")).collect();
    let mut rig = started(fake);
    for _ in 0..3 {
        rig.dialled(Ok(()));
        rig.frame(&format!("{rejected};ok"));
        let status = rig.machine.status();
        assert_eq!(status.state(), State::Degraded);
        assert!(
            status
                .reason
                .starts_with("TOPIC_REJECTED (40): t0: forbidden"),
            "{}",
            status.reason
        );
        assert!(status.reason.len() <= 500);
        rig.secs(11);
        rig.reset();
        rig.until_request(31);
    }
    let told = rig
        .kinds()
        .into_iter()
        .filter(|k| k == "subscriptions_changed");
    assert_eq!(told.count(), 40);
}

#[test]
fn u5_a_new_plan_moves_over_to_a_successor() {
    let mut rig = started(Fake::new(Identity::Neither));
    rig.dialled(Ok(()));
    rig.frame("ok;ev:a:1");
    let (old, ..) = rig.last_dial();
    let mut fake = Fake::new(Identity::Neither);
    fake.topics = vec!["b".to_owned(), "c".to_owned()];
    rig.replace(fake);
    let (new, ..) = rig.last_dial();
    assert!(new > old);
    rig.dialled(Ok(()));
    rig.frame_of(old, "ev:a:2");
    rig.frame_of(new, "ok:b;ok:c;ev:c:3");
    for asked in [old, new, old] {
        rig.pong_of(asked);
    }
    let closed = |s: &Sent| matches!(s, Sent::Close { generation, .. } if *generation == old);
    assert!(rig.sent().iter().any(closed));
    assert_eq!(raw(&rig), ["1", "2", "3"]);
    let changes: Vec<_> = rig
        .facts()
        .into_iter()
        .filter(|f| f.kind() == Kind::SubscriptionsChanged)
        .map(|f| (f.reason, f.topics))
        .collect();
    let owned = |topic: &str| vec![topic.to_owned()];
    assert_eq!(
        changes,
        [
            ("ADDED".to_owned(), owned("c")),
            ("REMOVED".to_owned(), owned("a"))
        ]
    );
    assert!(!rig.kinds().contains(&"gap_suspected".to_owned()));
    assert_eq!(rig.machine.status().topic_count, 2);
}

#[test]
fn a_new_plan_wakes_a_session_that_waits_for_a_person() {
    let mut fake = keeping();
    fake.yields = true;
    let mut rig = started(fake);
    rig.replace(keeping());
    channel(&mut rig, "one");
    rig.frame("ok");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    assert!(!rig.kinds().contains(&"subscriptions_changed".to_owned()));
}

#[test]
fn u21_a_connection_that_is_bound_to_its_token_gets_a_successor_in_time() {
    let mut fake = Fake::new(Identity::Neither);
    fake.capabilities.bound_to_token = true;
    let mut rig = started(fake);
    rig.dialled(Ok(()));
    rig.frame("ok");
    let (old, ..) = rig.last_dial();
    rig.token = 2;
    rig.input(Input::TokenRenewed { generation: 2 });
    let (new, ..) = rig.last_dial();
    assert!(new > old);
    // It cannot be had: the old goes on.
    rig.refused_dial(503);
    rig.frame_of(old, "ev:a:1");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    rig.until_request(2);
    rig.dialled(Ok(()));
    rig.frame("ok");
    rig.pong_of(old);
    rig.sent();
    rig.input(Input::TokenRenewed { generation: 2 });
    assert_eq!(rig.requests(), 0, "it has that token already");
    assert_eq!(rig.kinds(), ["connected"]);
}
