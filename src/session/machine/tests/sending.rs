//! Messages of the application: written when durable, settled when a connection breaks, over REST where
//! none stands, and what the end of a session means for them (U35 to U39).

use std::collections::BTreeMap;
use std::time::Duration;

use super::fake::{Fake, Rest};
use super::rig::{Rig, Sent};
use super::unnumbered::{back, on};
use crate::connectors::{Content, Identity};
use crate::net::{Frame, HttpFailure};
use crate::proto::v1::OutboundMessageState as Shown;
use crate::proto::v1::event::Data;
use crate::proto::v1::session_event::Kind;
use crate::session::machine::{Input, StateName};
use crate::session::outbound::{Answer, CancelProblem, NewMessage, SendProblem, Stage};

fn guest() -> Fake {
    let history = Rest::History { calls: 1 };
    Fake::new(Identity::Ids)
        .knowing(history)
        .taking(false, true)
}

/// One that is connected, and whose first pace has passed.
fn connected(fake: Fake) -> Rig {
    let mut rig = on(fake);
    rig.secs(1);
    rig.sent();
    rig
}

fn send_for(rig: &mut Rig, id: &str, text: &str, wait_for: Stage) -> u64 {
    let ticket = rig.answers.len() as u64 + 1_000 + u64::from(wait_for == Stage::Acknowledged);
    let message = Box::new(NewMessage {
        id: id.to_owned(),
        content: Content::Text {
            text: text.to_owned(),
        },
        attributes: BTreeMap::new(),
        expire_time: None,
        unknown_outcome: None,
    });
    rig.input(Input::Send {
        ticket,
        message,
        wait_for,
    });
    ticket
}

fn send(rig: &mut Rig, id: &str, text: &str) {
    send_for(rig, id, text, Stage::Accepted);
}

/// Messages that were written, of those not looked at before.
fn written(rig: &mut Rig) -> Vec<String> {
    let texts = rig.sent().into_iter().filter_map(|sent| match sent {
        Sent::Frame {
            frame: Frame::Text(text),
            ..
        } => Some(String::from_utf8(text.to_vec()).unwrap()),
        _ => None,
    });
    texts
        .filter_map(|text| text.strip_prefix("message ").map(str::to_owned))
        .collect()
}

fn states(rig: &Rig, id: &str) -> Vec<(Shown, String)> {
    let name = format!("sessions/cc/outboundMessages/{id}");
    let events = rig.journal.events.iter().filter_map(|e| match &e.data {
        Some(Data::OutboundMessageEvent(own)) if own.outbound_message == name => {
            assert_eq!(e.subject, "sessions/cc");
            let word = own.state().as_str_name();
            let word = word.trim_start_matches("OUTBOUND_MESSAGE_STATE_");
            let expected = format!("tieline.outbound_message.{}.v1", word.to_lowercase());
            assert_eq!(e.r#type, expected);
            Some((own.state(), own.reason.clone()))
        }
        _ => None,
    });
    events.collect()
}

fn last(rig: &Rig, id: &str) -> Shown {
    states(rig, id).last().expect("a state").0
}

#[test]
fn u36_a_message_leaves_when_its_attempt_is_durable_and_never_beside_another() {
    let mut rig = connected(guest());
    rig.auto_append = false;
    send(&mut rig, "a", "hello");
    send(&mut rig, "b", "again");
    assert_eq!(written(&mut rig), [""; 0]);
    rig.commit_one();
    assert_eq!(written(&mut rig), [""; 0], "that it begins is not durable");
    while !rig.appends.is_empty() {
        rig.commit_one();
    }
    assert_eq!(written(&mut rig), ["a:hello"]);
    rig.auto_append = true;
    rig.secs(1);
    assert_eq!(written(&mut rig), [""; 0], "one in flight");
    let commits = rig.journal.commits;
    rig.frame("id:1:a:event;ack:a:p1");
    assert_eq!(
        rig.journal.commits,
        commits + 2,
        "event, receipt and the next beginning are one commit; that it is written another"
    );
    assert_eq!(written(&mut rig), ["b:again"]);
    let expected = [Shown::Accepted, Shown::Sent, Shown::Acknowledged];
    let shown: Vec<Shown> = states(&rig, "a").into_iter().map(|s| s.0).collect();
    assert_eq!(shown, expected);
}

#[test]
fn u36_what_may_have_arrived_is_settled_from_a_history_that_reaches_back_to_its_writing() {
    for (body, shown, reason) in [
        ("seen:p1:hello", Shown::Acknowledged, ""),
        ("", Shown::OutcomeUnknown, "NOT_IN_HISTORY"),
    ] {
        let fake = guest();
        let asked = fake.asked.clone();
        let mut rig = connected(fake);
        send(&mut rig, "a", "hello");
        let began = rig.wall;
        for _ in 0..20 {
            rig.secs(1);
            rig.frame("ok");
        }
        rig.reset();
        assert_eq!(
            states(&rig, "a").last(),
            Some(&(Shown::OutcomeUnknown, "CONNECTION_LOST".to_owned()))
        );
        send(&mut rig, "b", "next");
        back(&mut rig);
        assert!(asked.lock().last().unwrap().start <= began);
        assert_eq!(written(&mut rig), ["a:hello", "b:next"]);
        let (call, ..) = rig.last_call("/recovery");
        rig.answer_to(call, 200, &[], body);
        rig.secs(1);
        assert_eq!(states(&rig, "a").last(), Some(&(shown, reason.to_owned())));
    }
}

#[test]
fn u36_where_history_fails_the_policy_decides_and_the_queue_goes_on() {
    let mut rig = connected(guest());
    send(&mut rig, "a", "hello");
    rig.reset();
    send(&mut rig, "b", "next");
    back(&mut rig);
    let (call, ..) = rig.last_call("/recovery");
    rig.answer_to(call, 403, &[], "");
    rig.secs(1);
    assert_eq!(last(&rig, "a"), Shown::OutcomeUnknown);
    assert_eq!(written(&mut rig), ["a:hello", "b:next"]);
    // No history at all.
    let mut rig = connected(Fake::new(Identity::Ids).taking(false, false));
    send(&mut rig, "a", "hello");
    rig.reset();
    send(&mut rig, "b", "next");
    back(&mut rig);
    rig.secs(1);
    assert_eq!(states(&rig, "a").len(), 3);
    assert_eq!(written(&mut rig), ["a:hello", "b:next"]);
}

#[test]
fn u36_a_kill_leaves_what_was_accepted_and_settles_what_was_written() {
    let mut rig = connected(guest());
    send(&mut rig, "a", "hello");
    send(&mut rig, "b", "next");
    assert_eq!(written(&mut rig), ["a:hello"]);
    rig.crash();
    assert_eq!(last(&rig, "a"), Shown::OutcomeUnknown);
    rig.dialled(Ok(()));
    rig.frame("ok");
    let (call, ..) = rig.last_call("/recovery");
    rig.answer_to(call, 200, &[], "seen:p1:hello");
    rig.secs(1);
    assert_eq!(last(&rig, "a"), Shown::Acknowledged);
    assert_eq!(written(&mut rig), ["b:next"]);
}

#[test]
fn u36_what_the_socket_never_began_is_taken_back_and_goes_again() {
    let mut rig = connected(guest());
    rig.writes = false;
    send(&mut rig, "a", "hello");
    let (_, _, handover) = rig.handed.pop().expect("handed over");
    rig.reset();
    assert!(!handover.begin(), "it must not be written any more");
    assert_eq!(last(&rig, "a"), Shown::Accepted);
    rig.writes = true;
    back(&mut rig);
    rig.secs(1);
    assert_eq!(written(&mut rig), ["a:hello"]);
    rig.frame("ack");
    assert_eq!(last(&rig, "a"), Shown::Acknowledged);
}

#[test]
fn u36_what_the_socket_began_and_did_not_finish_may_have_arrived() {
    let mut rig = connected(guest());
    rig.writes = false;
    send(&mut rig, "a", "hello");
    let (_, _, handover) = rig.handed.pop().expect("handed over");
    assert!(handover.begin());
    rig.reset();
    assert_eq!(last(&rig, "a"), Shown::OutcomeUnknown);
}

#[test]
fn u36_over_rest_goes_what_was_never_written_while_no_connection_stands() {
    let history = Rest::History { calls: 1 };
    let fake = Fake::new(Identity::Ids).knowing(history).taking(true, true);
    let mut rig = connected(fake);
    rig.writes = false;
    send(&mut rig, "a", "one");
    rig.reset();
    send(&mut rig, "b", "two");
    rig.millis(200);
    let (call, _, body) = rig.last_call("/messages");
    assert_eq!(body, "a:one");
    rig.answer_to(call, 200, &[], "p1");
    assert_eq!(last(&rig, "a"), Shown::Acknowledged);
    rig.millis(200);
    // Nobody answers the phone: nothing was said.
    let (call, _, body) = rig.last_call("/messages");
    assert_eq!(body, "b:two");
    let result = Err(HttpFailure::Connect("refused".to_owned()));
    rig.input(Input::Answer { call, result });
    assert_eq!(last(&rig, "b"), Shown::Accepted);
    rig.secs(2);
    let (again, ..) = rig.last_call("/messages");
    assert_ne!(again, call, "tried again, and not at once");
    let result = Err(HttpFailure::Reset("peer".to_owned()));
    rig.input(Input::Answer {
        call: again,
        result,
    });
    assert_eq!(
        states(&rig, "b").last(),
        Some(&(Shown::OutcomeUnknown, "RESET".to_owned()))
    );
}

#[test]
fn u36_a_request_outlives_the_connection_that_it_was_made_beside() {
    let mut fake = guest();
    fake.calls = true;
    let mut rig = connected(fake);
    send(&mut rig, "a", "one");
    let (call, ..) = rig.last_call("/messages");
    rig.reset();
    assert_eq!(states(&rig, "a").len(), 1, "its answer may come yet");
    rig.answer_to(call, 200, &[], "p1");
    assert_eq!(last(&rig, "a"), Shown::Acknowledged);
}

#[test]
fn u36_an_outcome_that_is_not_known_asks_history_after_a_reconnect() {
    let mut rig = connected(guest());
    send(&mut rig, "a", "hello");
    rig.frame("unknown");
    let lost = rig.last_fact(Kind::Disconnected);
    assert_eq!(lost.reason, "MESSAGE_UNCERTAIN");
    back(&mut rig);
    let (call, ..) = rig.last_call("/recovery");
    rig.answer_to(call, 200, &[], "seen:p1:hello");
    assert_eq!(last(&rig, "a"), Shown::Acknowledged);
}

#[test]
fn u36_who_asks_is_told_what_is_wrong() {
    let mut rig = connected(guest());
    let long = send_for(&mut rig, "a", &"x".repeat(100), Stage::Accepted);
    let told = rig.answers.iter().find(|(own, _)| *own == long);
    assert!(matches!(
        told,
        Some((_, Answer::NotSent(SendProblem::Unsendable(problem)))) if problem.reason == "MESSAGE_TOO_LONG"
    ));
    rig.reset();
    let down = send_for(&mut rig, "b", "hello", Stage::Acknowledged);
    let told = rig.answers.iter().find(|(own, _)| *own == down);
    assert!(matches!(
        told,
        Some((_, Answer::NotSent(SendProblem::Disconnected { .. })))
    ));
    let mut none = connected(Fake::new(Identity::Ids));
    send(&mut none, "a", "hello");
    assert!(matches!(
        none.answers.last(),
        Some((_, Answer::NotSent(SendProblem::Unsendable(_))))
    ));
}

#[test]
fn u37_throttled_messages_go_again_after_what_was_told() {
    let mut rig = connected(guest());
    send(&mut rig, "a", "hello");
    rig.frame("throttled:3000");
    rig.sent();
    rig.millis(2_999);
    assert_eq!(written(&mut rig), [""; 0]);
    rig.millis(301);
    assert_eq!(written(&mut rig), ["a:hello"]);
    assert_eq!(rig.stats.snapshot().outbound_waiting, 0);
}

#[test]
fn u38_no_acknowledgement_in_time_is_an_unhealthy_connection_and_quiet_is_none() {
    let mut rig = connected(guest());
    for _ in 0..120 {
        rig.secs(1);
        rig.frame("ok");
    }
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    send(&mut rig, "a", "hello");
    for _ in 0..29 {
        rig.secs(1);
        rig.frame("ok");
    }
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    rig.secs(1);
    let lost = rig.last_fact(Kind::Disconnected);
    assert_eq!(lost.reason, "NOT_ACKNOWLEDGED");
    assert_eq!(last(&rig, "a"), Shown::OutcomeUnknown);
}

#[test]
fn u39_an_expired_session_ends_for_good_and_sends_nothing_to_a_new_agent() {
    let mut rig = connected(guest());
    send(&mut rig, "a", "hello");
    send(&mut rig, "b", "old");
    rig.frame("expired");
    assert_eq!(rig.state(), StateName::Ended);
    let reason = || "GUEST_SESSION_EXPIRED".to_owned();
    assert_eq!(
        states(&rig, "a").last(),
        Some(&(Shown::OutcomeUnknown, reason()))
    );
    assert_eq!(states(&rig, "b").last(), Some(&(Shown::Expired, reason())));
    assert_eq!(rig.last_fact(Kind::Expired).reason, "SESSION_EXPIRED");
    let status = rig.machine.status();
    assert_eq!(status.state(), crate::proto::v1::session::State::Closed);
    let dials = rig.asked().count();
    rig.crash();
    assert_eq!(rig.state(), StateName::Ended);
    assert_eq!(
        rig.asked().count(),
        dials,
        "a later process does not connect"
    );
}

#[test]
fn u39_what_left_as_a_request_before_the_session_expired_is_answered_all_the_same() {
    for (status, shown, reason) in [
        (200, Shown::Acknowledged, ""),
        (400, Shown::Failed, "REFUSED"),
        (503, Shown::Expired, "GUEST_SESSION_EXPIRED"),
    ] {
        let mut fake = guest();
        fake.calls = true;
        let mut rig = connected(fake);
        send(&mut rig, "a", "hello");
        rig.frame("expired");
        assert_eq!(rig.state(), StateName::Draining);
        let (call, ..) = rig.last_call("/messages");
        rig.answer_to(call, status, &[], "p1");
        assert_eq!(rig.state(), StateName::Ended);
        let expected = (shown, reason.to_owned());
        assert_eq!(states(&rig, "a").last(), Some(&expected));
    }
}

#[test]
fn u39_an_answer_that_does_not_come_after_the_session_expired_is_not_waited_for_long() {
    let mut fake = guest();
    fake.calls = true;
    let mut rig = connected(fake);
    send(&mut rig, "a", "hello");
    rig.frame("expired");
    rig.millis(1_999);
    assert_eq!(rig.state(), StateName::Draining);
    rig.millis(1);
    assert_eq!(rig.state(), StateName::Ended);
    let expected = (Shown::OutcomeUnknown, "GUEST_SESSION_EXPIRED".to_owned());
    assert_eq!(states(&rig, "a").last(), Some(&expected));
}

#[test]
fn u39_expiry_is_seen_on_a_connection_that_is_not_confirmed_yet() {
    let mut rig = connected(guest());
    send(&mut rig, "a", "hello");
    rig.frame("ack");
    rig.reset();
    send(&mut rig, "b", "old");
    rig.until_request(31);
    rig.dialled(Ok(()));
    rig.frame("expired");
    assert_eq!(rig.state(), StateName::Ended);
    assert_eq!(last(&rig, "b"), Shown::Expired);
}

#[test]
fn u39_a_connection_that_another_took_over_waits_to_be_asked_for() {
    let mut rig = connected(guest());
    rig.frame("superseded");
    assert_eq!(rig.state(), StateName::Suspended);
    assert_eq!(
        rig.last_fact(Kind::Suspended).reason,
        "CONNECTION_SUPERSEDED"
    );
    let dials = rig.asked().count();
    rig.secs(3_600);
    assert_eq!(rig.asked().count(), dials);
    rig.input(Input::ReconnectAsked);
    rig.secs(1);
    rig.dialled(Ok(()));
    rig.frame("ok");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
}

#[test]
fn u35_a_message_in_flight_gets_its_receipt_while_draining() {
    let mut rig = connected(guest());
    send(&mut rig, "a", "hello");
    send(&mut rig, "b", "later");
    let (generation, ..) = rig.last_dial();
    rig.input(Input::Drain);
    rig.secs(1);
    assert_eq!(rig.state(), StateName::Draining);
    rig.frame("ack:a:p1");
    assert_eq!(last(&rig, "a"), Shown::Acknowledged);
    let closes = |sent: &Sent| matches!(sent, Sent::Close { code: 1000, .. });
    assert!(rig.sent().iter().any(closes));
    rig.close_of(generation, 1000);
    assert_eq!(rig.state(), StateName::Ended);
    assert_eq!(last(&rig, "b"), Shown::Accepted, "for the next process");
}

#[test]
fn u35_a_receipt_that_does_not_come_is_not_waited_for_longer_than_the_grace() {
    let mut rig = connected(guest());
    send(&mut rig, "a", "hello");
    rig.input(Input::Drain);
    rig.millis(1_999);
    assert_eq!(rig.state(), StateName::Draining);
    rig.millis(1);
    assert_eq!(rig.state(), StateName::Ended);
    assert_eq!(last(&rig, "a"), Shown::OutcomeUnknown);
    rig.crash();
    rig.dialled(Ok(()));
    rig.frame("ok");
    let (call, ..) = rig.last_call("/recovery");
    rig.answer_to(call, 200, &[], "seen:p1:hello");
    assert_eq!(last(&rig, "a"), Shown::Acknowledged);
}

#[test]
fn u39_closing_cancels_what_waits_and_says_goodbye() {
    let mut rig = connected(guest());
    send(&mut rig, "a", "hello");
    send(&mut rig, "b", "later");
    let (generation, ..) = rig.last_dial();
    rig.sent();
    rig.input(Input::CloseAsked);
    assert_eq!(
        states(&rig, "b").last(),
        Some(&(Shown::Cancelled, "SESSION_CLOSED".to_owned()))
    );
    rig.advance(Duration::from_secs(1));
    rig.frame("id:7:a:event;ack:a");
    assert_eq!(last(&rig, "a"), Shown::Acknowledged);
    let sent = rig.sent();
    let goodbye = sent.iter().position(|sent| {
        matches!(sent, Sent::Frame { frame: Frame::Text(text), .. } if text.as_ref() == b"goodbye")
    });
    let close = sent
        .iter()
        .position(|sent| matches!(sent, Sent::Close { code: 1000, .. }));
    assert!(goodbye.is_some() && goodbye < close, "{sent:?}");
    rig.close_of(generation, 1000);
    assert_eq!(rig.state(), StateName::Ended);
    assert_eq!(super::unnumbered::raw(&rig), ["event"]);
    let dials = rig.asked().count();
    rig.crash();
    assert_eq!(
        (rig.state(), rig.asked().count()),
        (StateName::Ended, dials)
    );
}

/// What somebody who asked was told.
fn told(rig: &Rig, ticket: u64) -> &Answer {
    let mut answers = rig.answers.iter().rev();
    &answers
        .find(|(own, _)| *own == ticket)
        .expect("an answer")
        .1
}

#[test]
fn u37_a_platform_that_takes_no_messages_says_so_and_has_none_to_cancel() {
    let mut rig = connected(Fake::new(Identity::Ids));
    let ticket = send_for(&mut rig, "a", "hello", Stage::Accepted);
    let Answer::NotSent(SendProblem::Unsendable(problem)) = told(&rig, ticket) else {
        panic!("{:?}", told(&rig, ticket));
    };
    assert_eq!(
        (problem.reason, problem.field),
        ("CONTENT_UNSUPPORTED", "parent")
    );
    let id = "a".to_owned();
    rig.input(Input::CancelMessage { ticket: 7, id });
    let cancelled = told(&rig, 7);
    assert!(matches!(
        cancelled,
        Answer::NotCancelled(CancelProblem::NotFound)
    ));
}

#[test]
fn u37_a_message_is_measured_with_its_attributes() {
    let mut rig = connected(guest());
    let message = Box::new(NewMessage {
        id: "a".to_owned(),
        content: Content::Text {
            text: "hello".to_owned(),
        },
        attributes: BTreeMap::from([("page".to_owned(), "x".repeat(1 << 20))]),
        expire_time: None,
        unknown_outcome: None,
    });
    rig.input(Input::Send {
        ticket: 7,
        message,
        wait_for: Stage::Accepted,
    });
    let Answer::NotSent(SendProblem::Unsendable(problem)) = told(&rig, 7) else {
        panic!("{:?}", told(&rig, 7));
    };
    assert_eq!(
        (problem.reason, problem.field),
        ("MESSAGE_TOO_LONG", "message")
    );
}

#[test]
fn u35_whoever_asks_while_it_drains_is_told_to_come_again() {
    let mut rig = connected(guest());
    send(&mut rig, "a", "hello");
    rig.input(Input::Drain);
    let ticket = send_for(&mut rig, "b", "late", Stage::Accepted);
    assert!(matches!(
        told(&rig, ticket),
        Answer::NotSent(SendProblem::Draining { .. })
    ));
    let id = "a".to_owned();
    rig.input(Input::CancelMessage { ticket: 7, id });
    assert!(matches!(told(&rig, 7), Answer::NotCancelled(_)));
    rig.input(Input::Left(7));
    rig.frame("ack:a:p1");
    assert_eq!(last(&rig, "a"), Shown::Acknowledged);
}

#[test]
fn u35_a_journal_that_has_no_space_while_it_drains_is_not_waited_for() {
    let mut rig = connected(guest());
    rig.auto_append = false;
    send(&mut rig, "a", "hello");
    rig.input(Input::Drain);
    while !rig.appends.is_empty() {
        let retry_after = Duration::from_secs(5);
        let full = crate::journal::AppendError::NoSpace { retry_after };
        rig.journal.refusals.push_back(full);
        rig.commit_one();
    }
    rig.secs(3);
    assert_eq!(rig.state(), StateName::Ended);
    assert_eq!(states(&rig, "a"), [], "it was never accepted");
    let answered = rig.answers.iter().any(|(_, answer)| {
        matches!(
            answer,
            Answer::NotSent(SendProblem::ReadOnly { .. } | SendProblem::Draining { .. })
        )
    });
    assert!(answered, "{:?}", rig.answers);
}

#[test]
fn u39_closing_without_a_connection_ends_at_once() {
    let mut rig = connected(guest());
    rig.reset();
    send(&mut rig, "a", "hello");
    rig.input(Input::CloseAsked);
    assert_eq!(rig.state(), StateName::Ended);
    assert_eq!(last(&rig, "a"), Shown::Cancelled);
}

#[test]
fn u18_idle_sessions_mark_their_coverage_as_seldom_as_the_platform_says() {
    let mut fake = guest();
    fake.capabilities.coverage_mark = Duration::from_secs(300);
    let mut rig = connected(fake);
    let commits = rig.journal.commits;
    let (generation, ..) = rig.last_dial();
    for _ in 0..290 {
        rig.secs(1);
        rig.pong_of(generation);
    }
    assert_eq!(rig.journal.commits, commits);
    for _ in 0..20 {
        rig.secs(1);
        rig.pong_of(generation);
    }
    assert_eq!(rig.journal.commits, commits + 1);
}
