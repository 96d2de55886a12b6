//! The decisions of the client loop, without a network.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use tonic::Code;

use super::{Decision, Failure, GapChoice, Machine, Refusal, ResumeError, Unavailable, Violation};
use crate::proto::v1;
use v1::subscribe_request::Start;
use v1::subscribe_response::Notice;

fn earliest() -> v1::SubscribeRequest {
    v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        ..Default::default()
    }
}

fn machine() -> Machine {
    Machine::new(earliest()).unwrap()
}

fn opened(epoch: &str, after: u64) -> v1::SubscribeResponse {
    let notice = v1::Opened {
        epoch: epoch.to_owned(),
        start: Some(v1::Position {
            epoch: epoch.to_owned(),
            sequence: after,
        }),
        heartbeat_interval: Some(prost_types::Duration {
            seconds: 4,
            nanos: 0,
        }),
        ..Default::default()
    };
    v1::SubscribeResponse {
        through_sequence: after,
        notice: Some(Notice::Opened(notice)),
        ..Default::default()
    }
}

fn events(range: std::ops::RangeInclusive<u64>) -> v1::SubscribeResponse {
    v1::SubscribeResponse {
        through_sequence: *range.end(),
        events: range
            .map(|sequence| v1::Event {
                sequence,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    }
}

fn closing(reason: v1::closing::Reason, through: u64, millis: i32) -> v1::SubscribeResponse {
    let retry_delay = Some(prost_types::Duration {
        seconds: 0,
        nanos: millis * 1_000_000,
    });
    v1::SubscribeResponse {
        through_sequence: through,
        notice: Some(Notice::Closing(v1::Closing {
            reason: reason.into(),
            retry_delay,
        })),
        ..Default::default()
    }
}

fn refused(code: Code, reason: Option<&str>, retry_after: Option<Duration>) -> Failure {
    let reason = reason.map(str::to_owned);
    Failure::Refused(Refusal {
        code,
        reason,
        message: "why".into(),
        retry_after,
    })
}

fn unavailable(reason: &str) -> Unavailable {
    Unavailable {
        reason: reason.into(),
        message: "why".into(),
        metadata: HashMap::new(),
    }
}

fn asked_after(machine: &mut Machine) -> Option<(String, u64)> {
    match machine.request().start {
        Some(Start::After(position)) => Some((position.epoch, position.sequence)),
        _ => None,
    }
}

#[test]
fn resumes_after_the_last_response() {
    let mut machine = machine();
    assert_eq!(asked_after(&mut machine), None);
    machine.accept(&opened("e", 0)).unwrap();
    machine.accept(&events(1..=3)).unwrap();
    let decision = machine.ended(Failure::Broken("reset".into()), 0.5);
    assert_eq!(decision, Decision::Retry(Duration::from_millis(100)));
    assert_eq!(asked_after(&mut machine), Some(("e".into(), 3)));
}

#[test]
fn a_start_at_latest_is_pinned_by_the_first_response() {
    let mut request = earliest();
    request.start = Some(Start::Preset(v1::StartPreset::Latest.into()));
    let mut machine = Machine::new(request).unwrap();
    let _ = machine.request();
    machine.accept(&opened("e", 41)).unwrap();
    let _ = machine.ended(Failure::Broken("reset".into()), 0.5);
    assert_eq!(asked_after(&mut machine), Some(("e".into(), 41)));
}

#[test]
fn exactly_unavailable_and_our_own_exhaustion_are_retried() {
    let codes = (0..=16).map(Code::from_i32);
    for (code, ours) in codes.flat_map(|code| [(code, None), (code, Some("SUBSCRIBER_QUOTA"))]) {
        let retried = matches!(
            machine().ended(refused(code, ours, None), 0.5),
            Decision::Retry(_)
        );
        let expected =
            code == Code::Unavailable || (code == Code::ResourceExhausted && ours.is_some());
        assert_eq!(retried, expected, "{code:?} {ours:?}");
    }
}

#[test]
fn retry_info_is_honoured_and_repeated_zeros_do_not_make_a_hot_loop() {
    let mut machine = machine();
    let asked = Some(Duration::from_millis(1500));
    let draining = refused(Code::Unavailable, Some("SERVER_DRAINING"), asked);
    assert_eq!(
        machine.ended(draining, 0.5),
        Decision::Retry(Duration::from_millis(1500))
    );
    for _ in 0..6 {
        let _ = machine.ended(refused(Code::Unavailable, None, Some(Duration::ZERO)), 0.5);
    }
    let delay = machine.ended(refused(Code::Unavailable, None, Some(Duration::ZERO)), 0.5);
    assert_eq!(delay, Decision::Retry(Duration::from_millis(2500)));
}

#[test]
fn a_server_cannot_make_a_reader_wait_for_ever() {
    let asked = Some(Duration::from_secs(1 << 40));
    let decision = machine().ended(refused(Code::Unavailable, None, asked), 0.5);
    assert_eq!(decision, Decision::Retry(Duration::from_secs(120)));
}

#[test]
fn the_delay_of_closing_holds_when_the_status_names_none() {
    let mut machine = machine();
    let _ = machine.request();
    machine.accept(&opened("e", 0)).unwrap();
    machine
        .accept(&closing(v1::closing::Reason::Draining, 0, 700))
        .unwrap();
    let decision = machine.ended(
        refused(Code::Unavailable, Some("SERVER_DRAINING"), None),
        0.5,
    );
    assert_eq!(decision, Decision::Retry(Duration::from_millis(700)));
}

#[test]
fn ok_is_the_end_only_when_it_was_announced() {
    let mut machine = machine();
    let _ = machine.request();
    machine.accept(&opened("e", 0)).unwrap();
    machine.accept(&events(1..=2)).unwrap();
    assert!(matches!(
        machine.ended(Failure::Ended, 0.5),
        Decision::Retry(_)
    ));
    let _ = machine.request();
    machine.accept(&opened("e", 2)).unwrap();
    machine
        .accept(&closing(v1::closing::Reason::EndReached, 2, 0))
        .unwrap();
    assert_eq!(machine.ended(Failure::Ended, 0.5), Decision::Finished);
}

#[test]
fn a_lost_position_is_decided_once_and_never_asked_in_circles() {
    for (choice, policy) in [
        (GapChoice::Earliest, v1::UnavailablePolicy::ResumeAtEarliest),
        (GapChoice::Latest, v1::UnavailablePolicy::ResumeAtLatest),
    ] {
        let mut machine = machine();
        let _ = machine.request();
        machine.accept(&opened("old", 0)).unwrap();
        machine.accept(&events(1..=9)).unwrap();
        let gap = unavailable("EPOCH_CHANGED");
        let decision = machine.ended(Failure::Unavailable(gap.clone()), 0.5);
        assert_eq!(decision, Decision::AskAboutGap(gap.clone()));
        assert!(matches!(
            machine.resolve_gap(gap.clone(), choice, 0.5),
            Decision::Retry(_)
        ));
        let request = machine.request();
        assert_eq!(request.unavailable_policy(), policy);
        let decision = machine.ended(Failure::Unavailable(gap.clone()), 0.5);
        assert_eq!(decision, Decision::Stop(ResumeError::Gap(gap)));
        // It counts for one gap: the next position is defended again.
        machine.accept(&opened("new", 4)).unwrap();
        machine.accept(&events(5..=5)).unwrap();
        let request = machine.request();
        assert_eq!(request.unavailable_policy(), v1::UnavailablePolicy::Fail);
        assert_eq!(asked_after(&mut machine), Some(("new".into(), 5)));
    }
    let gap = unavailable("POSITION_TRIMMED");
    let stopped = machine().resolve_gap(gap.clone(), GapChoice::Stop, 0.5);
    assert_eq!(stopped, Decision::Stop(ResumeError::Gap(gap)));
}

#[test]
fn broken_promises_are_named() {
    let reading = || {
        let mut machine = machine();
        let _ = machine.request();
        machine.accept(&opened("e", 10)).unwrap();
        machine
    };
    assert_eq!(machine().accept(&events(1..=1)), Err(Violation::NotOpened));
    assert_eq!(
        reading().accept(&opened("e", 10)),
        Err(Violation::OpenedTwice)
    );
    let doubled = Violation::Disordered {
        sequence: 10,
        after: 10,
    };
    assert_eq!(reading().accept(&events(10..=11)), Err(doubled));
    assert_eq!(
        reading().accept(&events(13..=14)),
        Err(Violation::Hole {
            first: 11,
            last: 12
        })
    );
    let skipped = v1::SubscribeResponse {
        through_sequence: 12,
        ..Default::default()
    };
    assert_eq!(
        reading().accept(&skipped),
        Err(Violation::Hole {
            first: 11,
            last: 12
        })
    );
    let back = v1::SubscribeResponse {
        through_sequence: 9,
        ..Default::default()
    };
    assert_eq!(
        reading().accept(&back),
        Err(Violation::Bookmark {
            through: 9,
            at_least: 10
        })
    );
    let mut resumed = reading();
    let _ = resumed.request();
    let moved = Violation::StartMoved {
        asked: "e/10".into(),
        given: "e/12".into(),
    };
    assert_eq!(resumed.accept(&opened("e", 12)), Err(moved));
}

#[test]
fn a_first_bookmark_before_the_start_moves_nothing_back() {
    let mut machine = machine();
    let _ = machine.request();
    let first = v1::SubscribeResponse {
        through_sequence: 0,
        ..opened("e", 10)
    };
    machine.accept(&first).unwrap();
    machine.accept(&events(11..=11)).unwrap();
    assert_eq!(asked_after(&mut machine), Some(("e".into(), 11)));
}

#[test]
fn a_gap_or_a_filter_explains_a_hole() {
    let mut reader = machine();
    let _ = reader.request();
    reader.accept(&opened("e", 0)).unwrap();
    let gap = v1::Gap {
        first_sequence: 1,
        last_sequence: 7,
        ..Default::default()
    };
    let gap = v1::SubscribeResponse {
        through_sequence: 7,
        notice: Some(Notice::Gap(gap)),
        ..Default::default()
    };
    reader.accept(&gap).unwrap();
    reader.accept(&events(8..=9)).unwrap();

    let filter = Some(v1::EventFilter::default());
    let mut filtered = Machine::new(v1::SubscribeRequest {
        filter,
        ..earliest()
    })
    .unwrap();
    let _ = filtered.request();
    filtered.accept(&opened("e", 0)).unwrap();
    filtered.accept(&events(8..=9)).unwrap();
}

#[test]
fn silence_is_two_and_a_half_heartbeats_of_what_the_server_named() {
    let mut machine = machine();
    assert_eq!(machine.silence_limit(), Duration::from_secs(25));
    let _ = machine.request();
    machine.accept(&opened("e", 0)).unwrap();
    assert_eq!(machine.silence_limit(), Duration::from_secs(10));
}

#[test]
fn a_start_must_be_named() {
    let none = v1::SubscribeRequest::default();
    assert_eq!(Machine::new(none).unwrap_err(), ResumeError::StartRequired);
}

#[test]
fn a_managed_cursor_is_the_start_of_each_attempt_and_each_has_a_lease_of_its_own() {
    let start = Some(Start::Subscription("subscriptions/a".into()));
    let request = v1::SubscribeRequest {
        start: start.clone(),
        ..Default::default()
    };
    let leased = |lease, after| {
        let mut response = opened("e", after);
        if let Some(Notice::Opened(opened)) = &mut response.notice {
            opened.lease = lease;
        }
        response
    };
    let mut machine = Machine::new(request).unwrap();
    assert_eq!(machine.request().start, start);
    machine.accept(&leased(3, 0)).unwrap();
    machine.accept(&events(1..=9)).unwrap();
    let position = machine.position().unwrap().clone();
    let commit = machine.commit_request(position.clone()).unwrap();
    assert_eq!((commit.name.as_str(), commit.lease), ("subscriptions/a", 3));
    assert_eq!(commit.position, Some(position.clone()));
    machine.ended(Failure::Broken("reset".into()), 0.5);
    assert_eq!(machine.request().start, start);
    // Of what was delivered, five events were committed: the others come again.
    machine.accept(&leased(4, 5)).unwrap();
    machine.accept(&events(6..=12)).unwrap();
    assert_eq!(machine.position().unwrap().sequence, 12);
    assert_eq!(machine.commit_request(position).unwrap().lease, 4);
    let taken_over = refused(Code::Aborted, Some("SUBSCRIPTION_TAKEN_OVER"), None);
    let decision = machine.ended(taken_over, 0.5);
    assert!(matches!(decision, Decision::Stop(ResumeError::Refused(_))));

    let plain = Machine::new(earliest()).unwrap();
    assert_eq!(plain.commit_request(v1::Position::default()), None);
}

/// What a server of any kind may do next.
#[test]
fn a_choice_holds_until_the_gap_was_told() {
    let mut machine = machine();
    let _ = machine.request();
    machine.accept(&opened("old", 0)).unwrap();
    machine.accept(&events(1..=9)).unwrap();
    let gap = unavailable("EPOCH_CHANGED");
    let _ = machine.resolve_gap(gap, GapChoice::Earliest, 0.5);

    // Neither the start nor a goodbye says what was lost: both may be all that comes.
    let _ = machine.request();
    machine.accept(&opened("new", 4)).unwrap();
    machine
        .accept(&closing(v1::closing::Reason::Draining, 4, 700))
        .unwrap();
    assert_eq!(machine.position().unwrap().epoch, "old");
    machine.ended(Failure::Broken("reset".into()), 0.5);
    assert_eq!(asked_after(&mut machine), Some(("old".into(), 9)));
    let request = machine.request();
    let again = v1::UnavailablePolicy::ResumeAtEarliest;
    assert_eq!(request.unavailable_policy(), again);

    machine.accept(&opened("new", 4)).unwrap();
    let told = v1::SubscribeResponse {
        through_sequence: 4,
        notice: Some(Notice::Gap(v1::Gap::default())),
        ..Default::default()
    };
    machine.accept(&told).unwrap();
    assert_eq!(asked_after(&mut machine), Some(("new".into(), 4)));
}

#[derive(Debug, Clone)]
enum Act {
    Events(u64),
    Heartbeat,
    Break,
    Refuse(i32, bool),
    EndOk,
    Lose(bool),
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1_u64..20).prop_map(Act::Events),
        1 => Just(Act::Heartbeat),
        2 => Just(Act::Break),
        1 => (1_i32..17, any::<bool>()).prop_map(|(code, ours)| Act::Refuse(code, ours)),
        1 => Just(Act::EndOk),
        1 => any::<bool>().prop_map(Act::Lose),
    ]
}

proptest! {
    /// Against a server that keeps the contract and fails at will: no event of an epoch comes
    /// twice, none is left out, and what is not to be retried is not.
    #[test]
    fn every_event_once_whatever_breaks(acts in prop::collection::vec(acts(), 1..60), unit in 0.0..1.0_f64) {
        let mut machine = machine();
        let mut epoch = 0_u64;
        let mut delivered = 0_u64;
        let mut live = false;
        // A server that was told what to do about a gap does not ask.
        let mut chosen = false;
        for act in acts {
            if !live {
                let request = machine.request();
                let position = match request.start {
                    Some(Start::After(position)) if position.epoch == epoch.to_string() => position.sequence,
                    Some(Start::After(_)) => 0,
                    _ => { prop_assert_eq!(delivered, 0); 0 }
                };
                prop_assert_eq!(position, delivered, "resumes elsewhere than it read to");
                machine.accept(&opened(&epoch.to_string(), position)).unwrap();
                live = true;
            }
            let decision = match act {
                Act::Events(count) => {
                    machine.accept(&events(delivered + 1..=delivered + count)).unwrap();
                    delivered += count;
                    chosen = false;
                    continue;
                }
                Act::Heartbeat => {
                    let response = v1::SubscribeResponse { through_sequence: delivered, ..Default::default() };
                    machine.accept(&response).unwrap();
                    chosen = false;
                    continue;
                }
                Act::Break => machine.ended(Failure::Broken("reset".into()), unit),
                Act::EndOk => machine.ended(Failure::Ended, unit),
                Act::Refuse(code, ours) => {
                    let code = Code::from_i32(code);
                    let decision = machine.ended(refused(code, ours.then_some("X"), None), unit);
                    let retry = code == Code::Unavailable || (ours && code == Code::ResourceExhausted);
                    prop_assert_eq!(matches!(decision, Decision::Retry(_)), retry);
                    if !retry { return Ok(()); }
                    decision
                }
                Act::Lose(_) if chosen => {
                    epoch += 1;
                    delivered = 0;
                    machine.ended(Failure::Broken("restarted".into()), unit)
                }
                Act::Lose(latest) => {
                    chosen = true;
                    let gap = unavailable("EPOCH_CHANGED");
                    let asked = machine.ended(Failure::Unavailable(gap.clone()), unit);
                    prop_assert_eq!(asked, Decision::AskAboutGap(gap.clone()));
                    epoch += 1;
                    delivered = 0;
                    let choice = if latest { GapChoice::Latest } else { GapChoice::Earliest };
                    machine.resolve_gap(gap, choice, unit)
                }
            };
            let Decision::Retry(delay) = decision else { panic!("{decision:?}") };
            prop_assert!(delay <= Duration::from_secs(10));
            live = false;
        }
    }

    /// Whatever a server sends, an accepted event lies after everything accepted before it.
    #[test]
    fn nothing_accepted_goes_back(responses in prop::collection::vec(
        (prop::collection::vec(0_u64..30, 0..5), 0_u64..30), 1..20,
    )) {
        let mut machine = machine();
        let _ = machine.request();
        machine.accept(&opened("e", 0)).unwrap();
        let mut last = 0;
        for (sequences, through_sequence) in responses {
            let events: Vec<_> = sequences
                .iter()
                .map(|&sequence| v1::Event { sequence, ..Default::default() })
                .collect();
            let response = v1::SubscribeResponse { events, through_sequence, ..Default::default() };
            if machine.accept(&response).is_err() {
                return Ok(());
            }
            for sequence in sequences {
                prop_assert_eq!(sequence, last + 1);
                last = sequence;
            }
            prop_assert_eq!(machine.position().unwrap().sequence, last);
        }
    }
}

#[test]
fn credentials_that_are_over_are_read_again_but_not_for_ever() {
    let mut machine = Machine::new(earliest()).unwrap();
    let expired = || refused(Code::Unauthenticated, Some("CREDENTIALS_EXPIRED"), None);
    for _ in 0..10 {
        assert!(matches!(machine.ended(expired(), 0.5), Decision::Retry(_)));
    }
    let decision = machine.ended(expired(), 0.5);
    assert!(matches!(decision, Decision::Stop(ResumeError::Refused(_))));
    let missing = refused(Code::Unauthenticated, Some("CREDENTIALS_MISSING"), None);
    let decision = Machine::new(earliest()).unwrap().ended(missing, 0.5);
    assert!(matches!(decision, Decision::Stop(ResumeError::Refused(_))));
}
