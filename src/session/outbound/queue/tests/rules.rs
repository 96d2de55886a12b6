//! Each rule of U36, U37 and U39 by itself.

use std::time::Duration;

use super::kit::{Kit, PACE, PATIENCE, acknowledged, message, rules, text};
use crate::connectors::{Seen, SendOutcome};
use crate::domain::WallTime;
use crate::proto::v1::OutboundMessageState as Shown;
use crate::session::outbound::queue::settle::SKEW;
use crate::session::outbound::queue::{Answer, Asked, Asks, Over, Path, Queue};
use crate::session::outbound::{CancelProblem, SendProblem, Stage, UnknownOutcome};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn state_of(answer: Option<&Answer>) -> Shown {
    match answer {
        Some(Answer::Stands(message, _)) => message.state(),
        other => panic!("told {other:?}"),
    }
}

fn problem(answer: Option<&Answer>) -> SendProblem {
    match answer {
        Some(Answer::NotSent(problem)) => problem.clone(),
        other => panic!("told {other:?}"),
    }
}

fn copy(provider_id: &str, words: &str, time: WallTime) -> Seen {
    Seen {
        provider_id: provider_id.to_owned(),
        id: None,
        content: Some(text(words)),
        time: Some(time),
    }
}

/// History is asked, and these are all that it has.
fn history(kit: &mut Kit, seen: Vec<Seen>, everything: bool) {
    let asked = Asked {
        start: kit.queue.oldest_unsettled().unwrap_or(kit.at.wall),
        decided: kit.at.now,
    };
    kit.queue.seen(seen);
    kit.act(|queue, at, fx| queue.recovered(at, asked, everything, fx));
}

#[test]
fn u36_a_message_is_written_only_once_its_attempt_is_durable() {
    let mut kit = Kit::connected(rules());
    kit.prompt = false;
    let ticket = kit.send(message("a", "hello"), Stage::Accepted);
    assert_eq!(kit.begin(), None, "its acceptance is not durable");
    assert_eq!(kit.answer(ticket), None);
    kit.commit();
    assert_eq!(state_of(kit.answer(ticket)), Shown::Accepted);
    assert_eq!(kit.begin(), None, "its attempt is not durable");
    kit.commit();
    assert_eq!(kit.begin().as_deref(), Some("a"));
}

#[test]
fn u36_the_same_id_is_the_same_message_after_a_restart_and_after_its_end() {
    let mut kit = Kit::connected(rules());
    kit.send(message("x", "before"), Stage::Accepted);
    let first = kit.send(message("a", "hello"), Stage::Accepted);
    let told = kit.answer(first).cloned();
    kit.crash();
    kit.open();
    kit.wait(PACE);
    let again = kit.send(message("a", "hello"), Stage::Accepted);
    assert_eq!(kit.answer(again).cloned(), told);
    for id in ["x", "a"] {
        assert_eq!(kit.write().as_deref(), Some(id));
        kit.receive(Some(id), acknowledged(&format!("p-{id}")));
        kit.wait(PACE);
    }
    kit.crash();
    kit.wait(DAY - PACE * 4);
    let ended = kit.send(message("a", "hello"), Stage::Accepted);
    let (Some(Answer::Stands(old, one)), Some(Answer::Stands(new, two))) =
        (&told, kit.answer(ended))
    else {
        panic!("both stand");
    };
    assert_eq!((one, old.create_time), (two, new.create_time));
    assert_eq!(new.state(), Shown::Acknowledged);
    assert_eq!(new.provider_message_id, "p-a");
    let other = kit.send(message("a", "other"), Stage::Accepted);
    assert_eq!(problem(kit.answer(other)), SendProblem::ExistsOtherwise);
}

#[test]
fn u36_a_message_is_forgotten_a_day_after_its_end_running_or_not() {
    let mut kit = Kit::connected(rules());
    for id in ["a", "b"] {
        kit.send(message(id, "hello"), Stage::Accepted);
        kit.write();
        kit.receive(None, acknowledged(id));
        kit.wait(PACE);
    }
    kit.wait(DAY - PACE - Duration::from_millis(1));
    assert_eq!(kit.journal.state.len(), 1, "the older one is gone");
    kit.crash();
    kit.wait(PACE * 2);
    assert!(kit.journal.state.is_empty() && !kit.queue.knows("b"));
}

#[test]
fn u36_one_is_in_flight_and_order_is_kept_whatever_happens_to_the_first() {
    let mut kit = Kit::connected(rules());
    for id in ["a", "b", "c"] {
        kit.send(message(id, id), Stage::Accepted);
    }
    assert_eq!(kit.write().as_deref(), Some("a"));
    kit.wait(PACE);
    assert_eq!(kit.write(), None, "one at a time");
    kit.receive(None, SendOutcome::NotTaken { reason: "DOWN" });
    kit.wait(PACE * 6);
    assert_eq!(
        kit.write().as_deref(),
        Some("a"),
        "the first is still first"
    );
    kit.receive(None, acknowledged("1"));
    assert_eq!(kit.write(), None, "the pace is kept");
    kit.wait(PACE);
    assert_eq!(kit.write().as_deref(), Some("b"));
    assert_eq!(
        kit.states("a"),
        [
            Shown::Accepted,
            Shown::Sent,
            Shown::Accepted,
            Shown::Sent,
            Shown::Acknowledged
        ]
    );
}

#[test]
fn u36_what_was_certainly_never_written_goes_again_without_counting() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "hello"), Stage::Accepted);
    for _ in 0..10 {
        assert_eq!(kit.begin().as_deref(), Some("a"));
        kit.queue.handed(kit.at);
        kit.cut(true);
        kit.wait(PACE);
        kit.open();
    }
    assert_eq!(kit.write().as_deref(), Some("a"));
    let ticket = kit.send(message("a", "hello"), Stage::Sent);
    let Some(Answer::Stands(message, _)) = kit.answer(ticket) else {
        panic!("it stands");
    };
    assert_eq!(message.attempt_count, 1);
    assert_eq!(kit.states("a"), [Shown::Accepted, Shown::Sent]);
}

#[test]
fn u36_a_kill_shows_as_may_have_arrived_exactly_if_the_attempt_was_durable() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "hello"), Stage::Accepted);
    kit.prompt = false;
    kit.begin();
    kit.prompt = true;
    kit.crash();
    assert_eq!(kit.shown("a"), Some(Shown::Accepted));
    kit.open();
    kit.wait(PACE);
    kit.begin();
    kit.crash();
    assert_eq!(kit.shown("a"), Some(Shown::OutcomeUnknown));
    kit.crash();
    assert_eq!(
        kit.states("a"),
        [Shown::Accepted, Shown::OutcomeUnknown],
        "told once"
    );
}

#[test]
fn u36_history_that_shows_a_message_settles_it_and_its_absence_does_under_report() {
    for present in [true, false] {
        let mut kit = Kit::connected(rules());
        let ticket = kit.send(message("a", "hello"), Stage::Acknowledged);
        kit.send(message("b", "next"), Stage::Accepted);
        kit.write();
        kit.cut(false);
        assert_eq!(kit.shown("a"), Some(Shown::OutcomeUnknown));
        assert_eq!(kit.answer(ticket), None, "it may still be found out");
        kit.open();
        kit.wait(PACE);
        assert_eq!(kit.write().as_deref(), Some("b"), "it holds nothing back");
        let copies = [copy("p", "hello", kit.at.wall)];
        history(&mut kit, copies[..usize::from(present)].to_vec(), true);
        let expected = match present {
            true => (Shown::Acknowledged, String::new()),
            false => (Shown::OutcomeUnknown, "NOT_IN_HISTORY".to_owned()),
        };
        assert_eq!(kit.history("a").last(), Some(&expected));
        assert_eq!(state_of(kit.answer(ticket)), expected.0);
        kit.receive(Some("a"), acknowledged("p"));
        assert_eq!(kit.shown("a"), Some(Shown::Acknowledged), "a late receipt");
    }
}

#[test]
fn u36_only_a_history_that_is_whole_and_reaches_back_shows_absence() {
    let mut report = rules();
    report.defaults.unknown_outcome = UnknownOutcome::Resend;
    let mut kit = Kit::connected(report);
    kit.send(message("a", "hello"), Stage::Accepted);
    kit.write();
    let written = kit.at.wall;
    kit.wait(Duration::from_secs(1));
    kit.cut(false);
    kit.open();
    let late = Asked {
        start: written.plus(Duration::from_millis(1)),
        decided: kit.at.now,
    };
    kit.act(|queue, at, fx| queue.recovered(at, late, true, fx));
    assert!(kit.queue.is_unsettled(), "it was not asked about");
    assert!(kit.queue.oldest_unsettled().unwrap() <= written.minus(SKEW));
    history(&mut kit, Vec::new(), true);
    assert!(!kit.queue.is_unsettled());
    kit.wait(Duration::from_secs(2));
    assert_eq!(
        kit.write().as_deref(),
        Some("a"),
        "sent again, as was asked"
    );
}

#[test]
fn u36_what_is_to_be_sent_again_waits_for_history_and_a_minute_at_most() {
    let mut resend = rules();
    resend.defaults.unknown_outcome = UnknownOutcome::Resend;
    let mut kit = Kit::connected(resend);
    kit.send(message("a", "hello"), Stage::Accepted);
    kit.send(message("b", "next"), Stage::Accepted);
    kit.write();
    kit.cut(false);
    kit.open();
    kit.wait(Duration::from_secs(59));
    assert_eq!(kit.begin(), None);
    kit.wait(Duration::from_secs(1));
    kit.wait(Duration::from_secs(2));
    assert_eq!(kit.write().as_deref(), Some("a"));
}

#[test]
fn u36_what_is_reported_holds_nothing_back() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "hello"), Stage::Accepted);
    kit.send(message("b", "next"), Stage::Accepted);
    kit.write();
    kit.cut(false);
    kit.open();
    kit.wait(PACE);
    assert_eq!(kit.begin().as_deref(), Some("b"));
    assert_eq!(kit.states("a").last(), Some(&Shown::OutcomeUnknown));
}

#[test]
fn u36_without_history_the_policy_decides_at_once() {
    let mut without = rules();
    without.history = false;
    let mut kit = Kit::connected(without);
    kit.send(message("a", "one"), Stage::Accepted);
    let mut again = message("b", "two");
    again.unknown_outcome = Some(UnknownOutcome::Resend);
    kit.send(again, Stage::Accepted);
    kit.write();
    kit.cut(false);
    kit.open();
    kit.wait(PACE);
    assert_eq!(
        kit.states("a"),
        [Shown::Accepted, Shown::Sent, Shown::OutcomeUnknown]
    );
    for _ in 0..3 {
        assert_eq!(kit.write().as_deref(), Some("b"));
        kit.cut(false);
        kit.open();
        kit.wait(Duration::from_secs(31));
    }
    assert_eq!(kit.write(), None, "attempts are used up");
    assert_eq!(kit.states("b").last(), Some(&Shown::OutcomeUnknown));
}

#[test]
fn u36_equal_texts_are_claimed_only_where_every_one_of_them_arrived() {
    for copies in 0..4_usize {
        let mut kit = Kit::connected(rules());
        for id in ["a", "b"] {
            kit.send(message(id, "yes"), Stage::Accepted);
            kit.write();
            kit.cut(false);
            kit.open();
            history(&mut kit, Vec::new(), true);
            kit.wait(PACE);
        }
        kit.send(message("c", "yes"), Stage::Accepted);
        kit.write();
        kit.cut(false);
        kit.open();
        let found = (0..copies).map(|n| copy(&format!("p{n}"), "yes", kit.at.wall));
        let found = found.collect();
        history(&mut kit, found, true);
        let expected = match copies {
            3.. => Shown::Acknowledged,
            _ => Shown::OutcomeUnknown,
        };
        for id in ["a", "b", "c"] {
            assert_eq!(kit.shown(id), Some(expected), "{id} of {copies} copies");
        }
    }
}

#[test]
fn u36_a_copy_that_is_another_messages_or_too_old_claims_nothing() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "yes"), Stage::Accepted);
    kit.write();
    kit.receive(None, acknowledged("p-a"));
    let before = kit.at.wall;
    kit.wait(SKEW * 3);
    kit.send(message("b", "yes"), Stage::Accepted);
    kit.write();
    kit.cut(false);
    kit.open();
    let own = copy("p-a", "yes", kit.at.wall);
    let old = copy("p-old", "yes", before);
    history(&mut kit, vec![own, old], true);
    assert_eq!(kit.shown("b"), Some(Shown::OutcomeUnknown));
    kit.wait(SKEW * 3);
    kit.send(message("c", "yes"), Stage::Accepted);
    kit.write();
    kit.cut(false);
    kit.open();
    let named = Seen {
        id: Some("c".to_owned()),
        content: None,
        ..copy("p-c", "yes", kit.at.wall)
    };
    history(&mut kit, vec![named], true);
    assert_eq!(kit.shown("c"), Some(Shown::Acknowledged), "by its id");
    assert_eq!(kit.shown("b"), Some(Shown::OutcomeUnknown));
}

#[test]
fn u36_a_second_copy_of_a_message_sent_again_is_not_taken_for_another() {
    let mut kit = Kit::connected(rules());
    let mut first = message("a", "yes");
    first.unknown_outcome = Some(UnknownOutcome::Resend);
    kit.send(first, Stage::Accepted);
    kit.write();
    kit.cut(false);
    kit.open();
    // It arrived too late for the history.
    history(&mut kit, Vec::new(), true);
    kit.wait(Duration::from_secs(2));
    assert_eq!(kit.write().as_deref(), Some("a"));
    kit.receive(None, acknowledged("second"));
    kit.wait(PACE);
    kit.send(message("b", "yes"), Stage::Accepted);
    kit.write();
    kit.cut(false);
    kit.open();
    let copies = ["first", "second"].map(|id| copy(id, "yes", kit.at.wall));
    history(&mut kit, copies.to_vec(), true);
    assert_eq!(kit.shown("b"), Some(Shown::OutcomeUnknown));
}

#[test]
fn u36_a_copy_that_the_network_kept_for_long_is_not_taken_for_another() {
    let mut kit = Kit::connected(rules());
    let mut first = message("a", "yes");
    first.unknown_outcome = Some(UnknownOutcome::Resend);
    kit.send(first, Stage::Accepted);
    kit.write();
    kit.cut(false);
    kit.open();
    history(&mut kit, Vec::new(), true);
    kit.wait(Duration::from_secs(2));
    kit.write();
    kit.receive(None, SendOutcome::Acknowledged { provider_id: None });
    kit.wait(SKEW * 5);
    kit.send(message("b", "yes"), Stage::Accepted);
    kit.write();
    kit.cut(false);
    kit.open();
    let stray = copy("stray", "yes", kit.at.wall);
    history(&mut kit, vec![stray], true);
    assert_eq!(kit.shown("b"), Some(Shown::OutcomeUnknown));
}

#[test]
fn u36_history_leaves_the_message_in_flight_to_its_receipt() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "one"), Stage::Accepted);
    kit.send(message("b", "two"), Stage::Accepted);
    kit.write();
    let named = Seen {
        id: Some("a".to_owned()),
        ..copy("p", "one", kit.at.wall)
    };
    history(&mut kit, vec![named], true);
    kit.wait(PACE);
    assert_eq!(
        kit.begin(),
        None,
        "its receipt would be taken for the next one's"
    );
    kit.receive(None, acknowledged("p"));
    assert_eq!(kit.begin().as_deref(), Some("b"));
    assert_eq!(kit.shown("b"), Some(Shown::Accepted));
}

#[test]
fn u36_callers_are_answered_at_the_stage_they_asked_for() {
    let mut kit = Kit::connected(rules());
    let accepted = kit.send(message("a", "hello"), Stage::Accepted);
    let sent = kit.send(message("a", "hello"), Stage::Sent);
    let done = kit.send(message("a", "hello"), Stage::Acknowledged);
    assert_eq!(state_of(kit.answer(accepted)), Shown::Accepted);
    assert_eq!(kit.answer(sent), None);
    kit.prompt = false;
    kit.begin();
    kit.commit();
    kit.write();
    assert_eq!(kit.answer(sent), None, "SENT is not durable");
    kit.commit();
    assert_eq!(state_of(kit.answer(sent)), Shown::Sent);
    assert_eq!(kit.answer(done), None);
    kit.receive(None, acknowledged("p"));
    kit.commit();
    assert_eq!(state_of(kit.answer(done)), Shown::Acknowledged);
}

#[test]
fn u36_who_wants_more_than_acceptance_is_told_that_nothing_can_leave() {
    let mut kit = Kit::new(rules(), 7);
    let early = kit.send(message("a", "hello"), Stage::Sent);
    assert_eq!(kit.answer(early), None, "on its way to a connection");
    kit.down(20);
    let later = kit.send(message("a", "hello"), Stage::Acknowledged);
    for ticket in [early, later] {
        let SendProblem::Disconnected { retry_after } = problem(kit.answer(ticket)) else {
            panic!("disconnected");
        };
        assert_eq!(retry_after, Duration::from_secs(20));
    }
    let accepted = kit.send(message("b", "hello"), Stage::Accepted);
    assert_eq!(state_of(kit.answer(accepted)), Shown::Accepted);
    kit.open();
    kit.wait(PACE);
    assert_eq!(kit.write().as_deref(), Some("a"));
}

#[test]
fn u37_what_the_platform_said_to_a_message_outlives_it_and_the_process() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "hello"), Stage::Accepted);
    assert_eq!(kit.write().as_deref(), Some("a"));
    let retry_after = Duration::from_secs(30);
    kit.receive(Some("a"), SendOutcome::Throttled { retry_after });
    kit.cancel("a");
    kit.send(message("b", "hello again"), Stage::Accepted);
    kit.crash();
    kit.open();
    assert_eq!(kit.shown("a"), Some(Shown::Cancelled));
    kit.wait(Duration::from_secs(29));
    assert_eq!(kit.begin(), None, "not in less than told");
    kit.wait(Duration::from_secs(4));
    assert_eq!(kit.begin().as_deref(), Some("b"));
}

#[test]
fn u37_throttled_messages_wait_as_long_as_told_and_it_does_not_count() {
    let mut kit = Kit::connected(rules());
    let waiting = kit.send(message("a", "hello"), Stage::Acknowledged);
    let retry_after = Duration::from_secs(3);
    for _ in 0..8 {
        assert_eq!(kit.write().as_deref(), Some("a"));
        kit.receive(Some("a"), SendOutcome::Throttled { retry_after });
        kit.wait(retry_after - Duration::from_millis(1));
        assert_eq!(kit.begin(), None, "not in less than told");
        kit.wait(Duration::from_millis(301));
    }
    assert!(matches!(
        problem(kit.answer(waiting)),
        SendProblem::Throttled { retry_after: told } if told >= retry_after
    ));
    assert_eq!(
        kit.history("a").last(),
        Some(&(Shown::Accepted, "UPSTREAM_RATE_LIMITED".to_owned()))
    );
    kit.write();
    kit.receive(None, acknowledged("p"));
    let ticket = kit.send(message("a", "hello"), Stage::Accepted);
    let Some(Answer::Stands(message, _)) = kit.answer(ticket) else {
        panic!("it stands");
    };
    assert_eq!((message.attempt_count, message.retry_delay), (1, None));
}

#[test]
fn u37_what_is_not_taken_is_tried_three_times_and_what_is_refused_once() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "hello"), Stage::Accepted);
    kit.send(message("b", "bad"), Stage::Accepted);
    for _ in 0..3 {
        assert_eq!(kit.write().as_deref(), Some("a"));
        kit.receive(None, SendOutcome::NotTaken { reason: "DOWN" });
        kit.wait(Duration::from_secs(31));
    }
    assert_eq!(
        kit.history("a").last(),
        Some(&(Shown::Failed, "DOWN".to_owned()))
    );
    assert_eq!(kit.write().as_deref(), Some("b"));
    let reason = "MESSAGE_TOO_LONG";
    kit.receive(None, SendOutcome::Refused { reason });
    assert_eq!(
        kit.history("b").last(),
        Some(&(Shown::Failed, reason.to_owned()))
    );
}

#[test]
fn u37_a_message_expires_while_it_waits_and_not_in_flight() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "hello"), Stage::Accepted);
    kit.send(message("b", "next"), Stage::Accepted);
    kit.write();
    kit.wait(Duration::from_secs(300));
    assert_eq!(kit.shown("a"), Some(Shown::Sent));
    assert_eq!(
        kit.history("b").last(),
        Some(&(Shown::Expired, "EXPIRE_TIME_PASSED".to_owned()))
    );
    kit.receive(None, acknowledged("p"));
    assert_eq!(kit.shown("a"), Some(Shown::Acknowledged));
    let mut far = message("c", "far");
    far.expire_time = Some(kit.at.wall.plus(DAY * 3));
    kit.send(far, Stage::Accepted);
    kit.down(600);
    for _ in 0..5 {
        kit.wait(DAY / 2);
    }
    assert_eq!(kit.shown("c"), Some(Shown::Accepted));
    kit.wait(DAY / 2);
    assert_eq!(kit.shown("c"), Some(Shown::Expired));
}

#[test]
fn u37_only_what_is_not_on_its_way_is_cancelled() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "one"), Stage::Accepted);
    kit.send(message("b", "two"), Stage::Accepted);
    kit.write();
    let late = kit.cancel("a");
    let early = kit.cancel("b");
    let none = kit.cancel("c");
    assert!(matches!(
        kit.answer(late),
        Some(Answer::NotCancelled(CancelProblem::TooLate(_)))
    ));
    assert!(matches!(kit.answer(early), Some(Answer::Cancelled(_))));
    assert_eq!(
        kit.answer(none),
        Some(&Answer::NotCancelled(CancelProblem::NotFound))
    );
    kit.receive(None, acknowledged("p"));
    kit.wait(PACE);
    assert_eq!(kit.write(), None);
}

#[test]
fn u37_a_cancellation_waits_for_the_acceptance_to_be_durable() {
    let mut kit = Kit::connected(rules());
    kit.prompt = false;
    let sent = kit.send(message("a", "one"), Stage::Accepted);
    let cancelled = kit.cancel("a");
    kit.commit();
    assert!(matches!(kit.answer(cancelled), Some(Answer::Cancelled(_))));
    let Some(Answer::Stands(_, sequence)) = kit.answer(sent) else {
        panic!("it stands");
    };
    assert_eq!(sequence.get(), 1);
    assert_eq!(kit.states("a"), [Shown::Accepted, Shown::Cancelled]);
}

#[test]
fn u37_no_more_wait_than_the_bound() {
    let mut kit = Kit::new(rules(), 7);
    for n in 0..1_000 {
        kit.send(message(&n.to_string(), "hello"), Stage::Accepted);
    }
    let ticket = kit.send(message("more", "hello"), Stage::Accepted);
    assert_eq!(
        problem(kit.answer(ticket)),
        SendProblem::TooMany { waiting: 1_000 }
    );
    assert_eq!(kit.queue.waiting(), 1_000);
}

#[test]
fn u37_a_full_journal_is_told_to_those_who_wait_for_it() {
    let mut kit = Kit::new(rules(), 7);
    kit.prompt = false;
    let ticket = kit.send(message("a", "hello"), Stage::Accepted);
    kit.act(|queue, _, fx| queue.stuck(Duration::from_secs(5), fx));
    assert!(matches!(
        problem(kit.answer(ticket)),
        SendProblem::ReadOnly { .. }
    ));
    kit.commit();
    let again = kit.send(message("a", "hello"), Stage::Accepted);
    assert_eq!(state_of(kit.answer(again)), Shown::Accepted);
}

#[test]
fn u37_a_full_journal_is_told_to_whoever_cancels_and_not_to_who_waits_for_the_platform() {
    let mut kit = Kit::new(rules(), 7);
    kit.send(message("a", "hello"), Stage::Accepted);
    let waits = kit.send(message("b", "hello"), Stage::Acknowledged);
    kit.prompt = false;
    let cancelled = kit.cancel("a");
    kit.act(|queue, _, fx| queue.stuck(Duration::from_secs(5), fx));
    assert!(matches!(
        kit.answer(cancelled),
        Some(Answer::NotCancelled(CancelProblem::Unavailable { .. }))
    ));
    assert!(kit.answer(waits).is_none(), "it is accepted already");
}

#[test]
fn u38_what_is_not_acknowledged_in_time_is_overdue_unless_nothing_was_read() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "hello"), Stage::Accepted);
    kit.wait(PATIENCE * 2);
    assert!(!kit.queue.is_overdue(kit.at.now), "nothing is due");
    kit.write();
    kit.wait(PATIENCE - Duration::from_millis(1));
    assert!(!kit.queue.is_overdue(kit.at.now));
    kit.wait(Duration::from_millis(1));
    assert!(kit.queue.is_overdue(kit.at.now));
    assert_eq!(kit.queue.next_timeout(), Some(kit.at.now));
    kit.queue.unheard(kit.at);
    assert!(!kit.queue.is_overdue(kit.at.now));
}

#[test]
fn u38_an_outcome_that_history_alone_can_tell_asks_for_a_reconnect() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "hello"), Stage::Accepted);
    kit.write();
    let asks = kit.receive(None, SendOutcome::Unknown { reason: "TIMEOUT" });
    assert_eq!(asks, Asks::Reconnect);
    assert_eq!(
        kit.history("a").last(),
        Some(&(Shown::OutcomeUnknown, "TIMEOUT".to_owned()))
    );
}

#[test]
fn u39_an_expired_session_sends_no_old_text() {
    let mut kit = Kit::connected(rules());
    for id in ["a", "b"] {
        kit.send(message(id, id), Stage::Accepted);
    }
    kit.write();
    kit.act(|queue, at, fx| queue.interrupted(at, false, fx));
    kit.act(|queue, at, fx| queue.end(at, Over::Expired, fx));
    let reason = || "GUEST_SESSION_EXPIRED".to_owned();
    assert_eq!(
        kit.history("a").last(),
        Some(&(Shown::OutcomeUnknown, reason()))
    );
    assert_eq!(kit.history("b").last(), Some(&(Shown::Expired, reason())));
    let new = kit.send(message("c", "c"), Stage::Accepted);
    assert_eq!(problem(kit.answer(new)), SendProblem::SessionExpired);
    let known = kit.send(message("b", "b"), Stage::Acknowledged);
    assert_eq!(state_of(kit.answer(known)), Shown::Expired);
    kit.wait(PACE);
    assert_eq!(kit.begin(), None);
}

#[test]
fn u39_closing_cancels_what_waits_and_leaves_what_is_in_flight_its_moment() {
    let mut kit = Kit::connected(rules());
    for id in ["a", "b"] {
        kit.send(message(id, id), Stage::Accepted);
    }
    kit.write();
    kit.prompt = false;
    let unborn = kit.send(message("c", "c"), Stage::Accepted);
    kit.act(|queue, at, fx| queue.end(at, Over::Closed, fx));
    kit.prompt = true;
    kit.act(Queue::due);
    let closed = (Shown::Cancelled, "SESSION_CLOSED".to_owned());
    for id in ["b", "c"] {
        assert_eq!(kit.history(id).last(), Some(&closed), "{id}");
    }
    assert_eq!(state_of(kit.answer(unborn)), Shown::Cancelled);
    kit.receive(None, acknowledged("p"));
    kit.act(Queue::give_up);
    assert_eq!(kit.shown("a"), Some(Shown::Acknowledged));
}

#[test]
fn u35_what_waits_stays_for_the_next_process() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "a"), Stage::Accepted);
    let waiting = kit.send(message("a", "a"), Stage::Acknowledged);
    kit.begin();
    kit.act(|queue, at, fx| queue.end(at, Over::Draining, fx));
    assert!(matches!(
        problem(kit.answer(waiting)),
        SendProblem::Draining { .. }
    ));
    let new = kit.send(message("b", "b"), Stage::Accepted);
    assert!(matches!(
        problem(kit.answer(new)),
        SendProblem::Draining { .. }
    ));
    kit.crash();
    assert_eq!(
        kit.shown("a"),
        Some(Shown::Accepted),
        "nothing of it was written"
    );
    kit.open();
    kit.wait(PACE);
    assert_eq!(kit.write().as_deref(), Some("a"));
}

#[test]
fn u36_receipts_of_delivery_follow_the_acknowledgement_and_stand_for_a_lost_one() {
    let mut kit = Kit::connected(rules());
    kit.send(message("a", "hello"), Stage::Accepted);
    kit.write();
    kit.receive(Some("a"), SendOutcome::Delivered);
    kit.receive(Some("a"), SendOutcome::Delivered);
    kit.receive(Some("a"), SendOutcome::Read);
    kit.receive(Some("a"), SendOutcome::Delivered);
    assert_eq!(
        kit.states("a"),
        [
            Shown::Accepted,
            Shown::Sent,
            Shown::Acknowledged,
            Shown::Delivered,
            Shown::Read
        ]
    );
}

#[test]
fn u36_over_rest_goes_what_was_never_written_and_nothing_that_may_have_arrived() {
    let mut kit = Kit::connected(rules());
    let rest = |kit: &mut Kit| {
        kit.act(|queue, at, fx| queue.begin(at, true, fx));
        kit.queue.ready().map(|outgoing| outgoing.id.to_owned())
    };
    let mut again = message("a", "one");
    again.unknown_outcome = Some(UnknownOutcome::Resend);
    kit.send(again, Stage::Accepted);
    kit.send(message("b", "two"), Stage::Accepted);
    kit.begin();
    kit.queue.handed(kit.at);
    kit.cut(true);
    kit.wait(PACE);
    assert_eq!(rest(&mut kit).as_deref(), Some("a"));
    kit.queue.handed(kit.at);
    kit.receive(None, SendOutcome::Unknown { reason: "TIMEOUT" });
    kit.wait(PACE);
    assert_eq!(
        rest(&mut kit),
        None,
        "what is to be sent again keeps its place"
    );
    kit.act(|queue, at, fx| queue.connected(at, Path::Open, fx));
    history(&mut kit, Vec::new(), true);
    kit.down(5);
    kit.wait(Duration::from_secs(2));
    assert_eq!(rest(&mut kit), None);
}
