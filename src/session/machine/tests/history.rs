//! What the history answers when it is neither yes nor no: it costs a question, or a gap, and never the
//! session that goes on beside it (U12, U13, U17, U19).

use super::order::renewed;
use super::rig::{EMPTY, Rig, Sent, batch, event};
use crate::auth::TokenProblem;
use crate::proto::v1::session_event::Kind;
use crate::session::machine::{Input, StateName};

fn questions(rig: &Rig) -> usize {
    let asked = rig.asked();
    asked.filter(|(t, _)| t.contains("/history")).count()
}

fn rejected(rig: &Rig) -> usize {
    let sent = rig.sent.iter();
    sent.filter(|s| matches!(s, Sent::Reject(_))).count()
}

/// With 2 and 3 missing, which the history was asked for.
fn with_a_hole() -> Rig {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[4]));
    assert_eq!(questions(&rig), 1);
    rig
}

fn has_live_4(mut rig: Rig, reason: &str) {
    assert_eq!(rig.last_fact(Kind::GapConfirmed).reason, reason);
    rig.frame(&batch(&[5]));
    assert_eq!(rig.numbers(), [1, 4, 5]);
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    assert!(!rig.kinds().contains(&"disconnected".to_owned()));
}

#[test]
fn u12_a_history_that_refuses_us_costs_the_gap_alone() {
    let mut rig = with_a_hole();
    rig.history(403, "");
    has_live_4(rig, "HISTORY_REFUSED");
}

#[test]
fn u12_a_history_that_takes_no_token_is_asked_with_another_and_then_no_more() {
    let mut rig = with_a_hole();
    rig.history(401, "");
    assert_eq!((questions(&rig), rejected(&rig)), (2, 1));
    rig.history(401, "");
    assert_eq!(questions(&rig), 2);
    has_live_4(rig, "HISTORY_REFUSED");
}

#[test]
fn u12_a_history_that_asks_for_time_is_given_it() {
    let mut rig = with_a_hole();
    let (call, ..) = rig.last_call("/history");
    rig.answer_to(call, 429, &[("retry-after", "2")], "");
    rig.millis(1_900);
    assert_eq!(questions(&rig), 1);
    rig.secs(2);
    assert_eq!(questions(&rig), 2);
    rig.history(200, &batch(&[2, 3]));
    assert_eq!(rig.numbers(), [1, 2, 3, 4]);
}

#[test]
fn u13_a_history_that_cannot_be_read_is_asked_again() {
    let mut rig = with_a_hole();
    rig.history(200, "<html>");
    assert_eq!(rig.stats.snapshot().unreadable, 1);
    rig.secs(2);
    assert_eq!(questions(&rig), 2);
    rig.history(200, &batch(&[2, 3]));
    assert_eq!(rig.numbers(), [1, 2, 3, 4]);
}

#[test]
fn u24_without_a_token_the_history_waits() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    let reason = "the token endpoint is down".to_owned();
    let unavailable = TokenProblem::Unavailable { reason };
    rig.tokens.push_back(Err(unavailable));
    rig.frame(&batch(&[4]));
    assert_eq!(questions(&rig), 0);
    rig.secs(2);
    rig.history(200, &batch(&[2, 3]));
    assert_eq!(rig.numbers(), [1, 2, 3, 4]);
    assert_eq!(rig.state(), StateName::LiveWebSocket);
}

/// After 1 to 50, two answers below them, the second of which asks for 50.
fn suspected() -> Rig {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&(1..=50).collect::<Vec<_>>()));
    suspect(&mut rig);
    rig
}

fn suspect(rig: &mut Rig) {
    rig.frame(&renewed(&[1]));
    let (generation, ..) = rig.last_dial();
    for _ in 0..11 {
        rig.secs(1);
        rig.pong_of(generation);
    }
    rig.frame(&renewed(&[2]));
}

#[test]
fn u19_a_history_that_says_neither_is_asked_again_but_not_for_ever() {
    let mut rig = suspected();
    for restarts in [0, 0, 1] {
        rig.history(503, "");
        assert_eq!(rig.stats.snapshot().restarts, restarts);
        if restarts == 0 {
            suspect(&mut rig);
        }
    }
    assert_eq!(questions(&rig), 3);
    assert_eq!(
        rig.last_fact(Kind::GapConfirmed).reason,
        "NUMBERING_RESTARTED"
    );
}

#[test]
fn u19_the_question_for_our_last_number_is_asked_with_another_token_once() {
    let mut rig = suspected();
    rig.history(401, "");
    assert_eq!((questions(&rig), rejected(&rig)), (2, 1));
    rig.history(401, "");
    assert_eq!(questions(&rig), 2);
    rig.frame(&batch(&[51]));
    assert_eq!(rig.numbers().last(), Some(&51), "nothing changes");
    assert_eq!(rig.stats.snapshot().restarts, 0);
}

#[test]
fn u19_a_question_that_the_connection_took_with_it_is_asked_anew_by_the_next_signs() {
    let mut rig = suspected();
    let (before, ..) = rig.last_call("/history");
    rig.reset();
    let cancelled = |s: &Sent| matches!(s, Sent::Cancel { call } if *call == before);
    assert!(rig.sent().iter().any(cancelled));
    rig.until_request(5);
    rig.dialled(Ok(()));
    suspect(&mut rig);
    assert_eq!(questions(&rig), 2);
    rig.history(200, EMPTY);
    assert_eq!(rig.stats.snapshot().restarts, 1);
}

/// Polls that can never be read, until single events are asked for.
fn sifting() -> Rig {
    let mut rig = Rig::polling_only();
    rig.input(Input::Start);
    while questions(&rig) == 0 {
        let before = rig.asked().count();
        rig.poll(200, "{");
        if rig.asked().count() == before {
            rig.until_request(120);
        }
    }
    rig
}

#[test]
fn u12_single_events_are_asked_for_with_another_token_once() {
    let mut rig = sifting();
    rig.history(401, "");
    assert_eq!((questions(&rig), rejected(&rig)), (2, 1));
    rig.history(401, "");
    assert_eq!(rig.state(), StateName::Suspended);
}

#[test]
fn u12_who_may_not_read_single_events_is_told() {
    let mut rig = sifting();
    rig.history(403, "");
    assert_eq!(rig.last_fact(Kind::Suspended).reason, "PERMISSION_DENIED");
}

#[test]
fn u13_single_events_that_come_no_more_end_the_search() {
    let mut rig = sifting();
    let body = format!(r#"{{"sequence":1,"events":[{}]}}"#, event(1));
    rig.history(200, &body);
    assert_eq!(rig.numbers(), [1]);
    assert_eq!(questions(&rig), 2);
    let (call, ..) = rig.last_call("/history");
    let failure = crate::net::HttpFailure::Reset("peer".to_owned());
    let result = Err(failure);
    rig.input(Input::Answer { call, result });
    assert_ne!(rig.state(), StateName::Suspended);
}
