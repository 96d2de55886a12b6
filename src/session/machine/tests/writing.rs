//! Commits: grouped, retried, refused; events too large.

use std::time::Duration;

use super::rig::{Rig, batch};
use crate::domain::Sequence;
use crate::journal::AppendError;
use crate::proto::v1::session::State;
use crate::proto::v1::session_event::Kind;
use crate::session::machine::{Input, StateName};

#[test]
fn u41_two_appends_are_under_way_and_the_rest_gathers_behind_them() {
    let mut rig = Rig::on_websocket();
    rig.auto_append = false;
    for number in 1..=20 {
        rig.frame(&batch(&[number]));
    }
    assert_eq!(rig.appends.len(), 2);
    rig.commit_one();
    assert_eq!((rig.numbers(), rig.appends.len()), (vec![1], 2));
    rig.commit_one();
    assert_eq!((rig.numbers(), rig.appends.len()), (vec![1, 2], 1));
    rig.commit_one();
    assert_eq!(rig.numbers().len(), 20);
    assert!(rig.appends.is_empty());
}

#[test]
fn what_is_behind_a_refused_commit_goes_again_behind_it() {
    let full = || AppendError::NoSpace {
        retry_after: Duration::from_secs(5),
    };
    let mut rig = Rig::on_websocket();
    rig.auto_append = false;
    for number in 1..=4 {
        rig.frame(&batch(&[number]));
    }
    rig.journal.refusals.push_back(full());
    rig.commit_one();
    rig.commit_one();
    assert_eq!((rig.numbers(), rig.appends.len()), (vec![], 0));
    assert!(!rig.machine.wants_frames());
    rig.secs(5);
    assert_eq!(rig.appends.len(), 2, "both, and nothing of the rest");
    while !rig.appends.is_empty() {
        rig.commit_one();
    }
    assert_eq!(rig.numbers(), [1, 2, 3, 4]);
    assert!(rig.machine.wants_frames());
}

#[test]
fn answers_that_come_in_another_order_change_nothing() {
    let mut rig = Rig::on_websocket();
    rig.auto_append = false;
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[2]));
    let answers: Vec<_> = std::mem::take(&mut rig.appends)
        .into_iter()
        .map(|(number, commit)| (number, rig.journal.append(number, commit)))
        .collect();
    for ((number, result), more) in answers.into_iter().rev().zip([3, 4]) {
        rig.frame(&batch(&[more]));
        assert!(rig.appends.is_empty(), "the first is not answered yet");
        rig.input(Input::Appended { number, result });
    }
    assert_eq!(rig.appends.len(), 1);
    rig.commit_one();
    assert_eq!(rig.numbers(), [1, 2, 3, 4]);
}

#[test]
fn a_first_commit_that_is_called_out_of_turn_is_not_handed_in_over_and_over() {
    let mut rig = Rig::on_websocket();
    rig.journal.refusals.push_back(AppendError::OutOfTurn);
    rig.frame(&batch(&[1]));
    assert_eq!(rig.numbers(), [0; 0]);
    rig.secs(1);
    assert_eq!((rig.numbers(), rig.journal.refused), (vec![1], 1));
}

#[test]
fn an_event_that_is_too_large_is_made_smaller_while_others_wait_behind_it() {
    let mut rig = Rig::on_websocket();
    rig.auto_append = false;
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[2]));
    rig.frame(&batch(&[3]));
    rig.journal.refusals.push_back(AppendError::TooLarge {
        index: 0,
        size: 9,
        limit: 5,
    });
    rig.commit_one();
    // The first goes again at once; the second is refused, and goes behind it.
    while !rig.appends.is_empty() {
        rig.commit_one();
    }
    assert_eq!(rig.numbers(), [1, 2, 3]);
    assert_eq!(rig.last_fact(Kind::GapConfirmed).reason, "OVERSIZE");
}

#[test]
fn what_is_under_way_is_waited_for_where_one_behind_it_is_refused_for_good() {
    let mut rig = Rig::on_websocket();
    rig.auto_append = false;
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[2]));
    rig.input(Input::Drain);
    let first = rig.appends.pop_front().unwrap();
    let (number, _) = rig.appends.pop_front().unwrap();
    let reason = "EIO".to_owned();
    let result = Err(AppendError::ReadOnly { reason });
    rig.input(Input::Appended { number, result });
    rig.secs(3);
    assert_eq!(rig.state(), StateName::Draining);
    rig.appends.push_back(first);
    rig.commit_one();
    assert_eq!((rig.numbers(), rig.state()), (vec![1], StateName::Ended));
}

#[test]
fn u41_reading_stops_when_too_much_waits_for_the_journal() {
    let mut rig = Rig::on_websocket();
    rig.auto_append = false;
    let mut number = 0;
    while rig.machine.wants_frames() {
        number += 100;
        rig.frame(&batch(&(number - 99..=number).collect::<Vec<_>>()));
        assert!(number < 20_000, "reading goes on for ever");
    }
    while !rig.appends.is_empty() {
        rig.commit_one();
    }
    assert!(rig.machine.wants_frames());
    assert_eq!(rig.numbers().len() as u64, number);
}

#[test]
fn a_full_disk_is_waited_for_with_the_same_commit_and_nothing_is_read_meanwhile() {
    let mut rig = Rig::on_long_poll();
    let full = || AppendError::NoSpace {
        retry_after: Duration::from_secs(5),
    };
    rig.journal.refusals.extend([full(), full()]);
    rig.sent();
    rig.poll(200, &batch(&[1, 2]));
    assert!(!rig.machine.wants_frames());
    assert_eq!(
        (rig.requests(), rig.numbers().len()),
        (0, 0),
        "no poll before it is journaled"
    );
    let status = rig.machine.status();
    assert_eq!(
        (status.state(), status.reason.as_str()),
        (State::Degraded, "JOURNAL_NO_SPACE")
    );
    rig.secs(5);
    assert_eq!((rig.journal.refused, rig.requests()), (2, 0));
    rig.secs(5);
    assert_eq!((rig.numbers(), rig.asked_after()), (vec![1, 2], 2));
    assert_eq!(rig.machine.status().state(), State::Active);
    // A WebSocket is not taken for dead while nothing of it is read.
    let mut rig = Rig::on_websocket();
    rig.journal.refusals.extend((0..30).map(|_| full()));
    rig.frame(&batch(&[1]));
    rig.secs(120);
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    rig.secs(60);
    assert_eq!(rig.numbers(), [1]);
}

#[test]
fn a_journal_that_is_read_only_stops_ingest_without_spinning() {
    let mut rig = Rig::on_websocket();
    rig.journal.refusals.push_back(AppendError::ReadOnly {
        reason: "EIO".to_owned(),
    });
    rig.sent();
    rig.frame(&batch(&[1]));
    assert_eq!(rig.state(), StateName::Suspended);
    assert_eq!(rig.machine.status().reason, "JOURNAL_READ_ONLY");
    rig.secs(3_600);
    assert_eq!(rig.requests(), 0);
    rig.input(Input::ReconnectAsked);
    assert_eq!(rig.state(), StateName::Suspended);
    rig.input(Input::Drain);
    assert_eq!(rig.state(), StateName::Ended);
}

#[test]
fn a_drain_does_not_wait_for_space() {
    let mut rig = Rig::on_websocket();
    rig.journal
        .refusals
        .extend((0..9).map(|_| AppendError::NoSpace {
            retry_after: Duration::from_secs(5),
        }));
    rig.frame(&batch(&[1]));
    rig.input(Input::Drain);
    rig.secs(10);
    assert_eq!(rig.state(), StateName::Ended);
}

fn large(number: u64, size: usize) -> String {
    let text = "x".repeat(size);
    format!(r#"{{"eventType":"big","sequence":{number},"data":{{"t":"{text}"}}}}"#)
}

#[test]
fn an_event_of_five_mebibytes_leaves_its_size_and_hash_and_a_confirmed_gap() {
    for over_websocket in [true, false] {
        let mut rig = if over_websocket {
            Rig::on_websocket()
        } else {
            Rig::on_long_poll()
        };
        let raw = large(1, 5 << 20);
        let body = format!(r#"{{"sequence":1,"events":[{raw}]}}"#);
        if over_websocket {
            rig.frame(&body)
        } else {
            rig.poll(200, &body)
        }
        let stub = rig.platform_events().next().unwrap();
        assert_eq!(
            (stub.r#type.as_str(), stub.provider_type.as_str()),
            ("ccaas.unmapped.v1", "big")
        );
        assert!(stub.raw_data.is_empty() && stub.data.is_none());
        assert_eq!(stub.attributes["oversize"], "true");
        assert_eq!(stub.attributes["size"], raw.len().to_string());
        let digest = ring::digest::digest(&ring::digest::SHA256, raw.as_bytes());
        let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(stub.attributes["sha256"], hex);
        let confirmed = rig.last_fact(Kind::GapConfirmed);
        assert_eq!(
            (
                confirmed.reason.as_str(),
                confirmed.first_missing_provider_sequence
            ),
            ("OVERSIZE", 1)
        );
        let suspected = rig
            .journal
            .events
            .iter()
            .find(|e| e.r#type.contains("gap_suspected"));
        assert_eq!(confirmed.gap_sequence, suspected.unwrap().sequence);
        let more = batch(&[2]);
        if over_websocket {
            rig.frame(&more)
        } else {
            rig.poll(200, &more)
        }
        assert_eq!(rig.numbers(), [1, 2]);
    }
}

#[test]
fn an_event_below_the_limit_is_kept_whole() {
    let mut rig = Rig::on_websocket();
    let raw = large(1, (3 << 20) - 2_000);
    rig.frame(&format!(r#"{{"sequence":1,"events":[{raw}]}}"#));
    assert_eq!(rig.platform_events().next().unwrap().raw_data, raw);
}

#[test]
fn an_event_that_the_journal_finds_too_large_is_made_smaller() {
    let mut rig = Rig::on_websocket();
    rig.journal.refusals.push_back(AppendError::TooLarge {
        index: 1,
        size: 9,
        limit: 5,
    });
    rig.frame(&batch(&[1, 2, 3]));
    assert_eq!(rig.numbers(), [1, 2, 3]);
    let sizes: Vec<_> = rig
        .platform_events()
        .map(|e| e.raw_data.is_empty())
        .collect();
    assert_eq!(sizes, [false, true, false]);
    assert_eq!(rig.last_fact(Kind::GapConfirmed).reason, "OVERSIZE");
}

#[test]
fn state_that_cannot_be_read_is_refused() {
    let rig = Rig::on_websocket();
    let mut entries: Vec<_> = rig.journal.state.values().cloned().collect();
    let bad = |key: &str, value: &'static str| crate::journal::StateEntry {
        key: format!("sessions/cc/{key}"),
        value: bytes::Bytes::from_static(value.as_bytes()),
        sequence: Sequence::ZERO,
    };
    for (key, value) in [
        ("position", "{"),
        ("missing", "7"),
        ("gaps/0-1", "{}"),
        ("coverage", "x"),
    ] {
        entries.push(bad(key, value));
        let refused = super::super::Recovered::read("sessions/cc/", &entries, None).unwrap_err();
        assert_eq!(refused.key, format!("sessions/cc/{key}"));
        entries.pop();
    }
}
