//! Adversaries: each ends within bounded requests, and nothing spins.

use super::rig::{EMPTY, Rig, batch};
use crate::net::{HandshakeFailure, HttpFailure};
use crate::proto::v1::session_event::Kind;
use crate::session::machine::{Input, StateName};

/// Answers whatever is asked for `minutes`, at once, and returns the requests of each minute.
fn play(rig: &mut Rig, minutes: u64, mut answer: impl FnMut(&mut Rig, &str, u64)) -> Vec<usize> {
    let mut answered = 0;
    let mut per_minute = Vec::new();
    for _ in 0..minutes {
        rig.sent();
        for _ in 0..600 {
            for _ in 0..50 {
                let asked = rig.requests_from(answered);
                let Some((next, target, id)) = asked else {
                    break;
                };
                answered = next;
                answer(rig, &target, id);
            }
            rig.millis(100);
        }
        per_minute.push(rig.requests());
    }
    per_minute
}

fn is_dial(target: &str) -> bool {
    target.starts_with("wss:")
}

fn refuse(rig: &mut Rig, generation: u64, status: u16) {
    rig.input(Input::Dialled {
        generation,
        result: Err(HandshakeFailure::Status {
            status: http::StatusCode::from_u16(status).unwrap(),
            headers: Box::default(),
            body: bytes::Bytes::new(),
        }),
    });
}

#[test]
fn a_body_that_is_never_json_is_sifted_and_then_suspended() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    let requests = play(&mut rig, 12, |rig, target, id| {
        if is_dial(target) {
            refuse(rig, id, 200);
        } else {
            rig.answer_to(id, 200, &[], "<html>welcome to the hotel</html>");
        }
    });
    assert_eq!(rig.state(), StateName::Suspended);
    assert_eq!(rig.last_fact(Kind::Suspended).reason, "POISON_BATCH");
    assert!(requests.iter().all(|n| *n <= 20), "{requests:?}");
    assert!(requests.iter().sum::<usize>() <= 60, "{requests:?}");
    assert!(rig.numbers().is_empty());
}

#[test]
fn u13_an_event_that_can_never_be_read_is_told_and_passed() {
    // Number 3 makes every body that holds it unreadable, live and in the history.
    let mut rig = Rig::polling_only();
    rig.input(Input::Start);
    let requests = play(&mut rig, 3, |rig, target, id| {
        if target.contains("/history") {
            let after: u64 = target
                .split("after=")
                .nth(1)
                .unwrap()
                .split('&')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            match after + 1 {
                3 => rig.answer_to(id, 200, &[], "{\"sequence\":3,\"eve"),
                n if n <= 6 => rig.answer_to(id, 200, &[], &batch(&[n])),
                _ => rig.answer_to(id, 200, &[], EMPTY),
            }
        } else {
            match rig.asked_after() {
                0..=2 => rig.answer_to(id, 200, &[], "{\"sequence\":3,\"eve"),
                n if n < 6 => {
                    rig.answer_to(id, 200, &[], &batch(&((n + 1)..=6).collect::<Vec<_>>()))
                }
                _ => {}
            }
        }
    });
    assert_eq!(rig.numbers(), [1, 2, 4, 5, 6]);
    let confirmed = rig.last_fact(Kind::GapConfirmed);
    assert_eq!(confirmed.reason, "POISON_BATCH");
    assert_eq!(
        (
            confirmed.first_missing_provider_sequence,
            confirmed.last_missing_provider_sequence
        ),
        (3, 3)
    );
    assert!(requests.iter().all(|n| *n <= 30), "{requests:?}");
    assert_eq!(rig.asked_after(), 6, "the ordinary poll goes on behind it");
}

#[test]
fn a_websocket_frame_that_is_never_json_ends_the_same_way() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    let requests = play(&mut rig, 6, |rig, target, id| {
        if is_dial(target) {
            rig.input(Input::Dialled {
                generation: id,
                result: Ok(()),
            });
            if !target.contains("polling") {
                rig.frame_of(id, "hello");
            }
        } else {
            rig.answer_to(id, 200, &[], "hello");
        }
    });
    assert_eq!(rig.state(), StateName::Suspended);
    assert!(requests.iter().all(|n| *n <= 25), "{requests:?}");
}

#[test]
fn u10_a_proxy_that_answers_an_empty_200_at_once_is_backed_off() {
    for body in [EMPTY, ""] {
        let mut rig = Rig::polling_only();
        rig.input(Input::Start);
        let requests = play(&mut rig, 10, |rig, _, id| rig.answer_to(id, 200, &[], body));
        assert!(requests.iter().all(|n| *n <= 25), "{body:?}: {requests:?}");
        assert!(
            requests.iter().skip(3).all(|n| *n <= 15),
            "{body:?}: {requests:?}"
        );
        assert_ne!(rig.state(), StateName::Suspended, "{body:?}");
        assert_eq!(
            rig.machine.status().reason,
            "POLL_ANSWERS_AT_ONCE",
            "{body:?}"
        );
    }
    // Nor is a cache asked in a loop that answers the same events for ever.
    let mut rig = Rig::polling_only();
    rig.input(Input::Start);
    let requests = play(&mut rig, 10, |rig, _, id| {
        rig.answer_to(id, 200, &[], &batch(&[1, 2]));
    });
    assert!(requests.iter().all(|n| *n <= 25), "{requests:?}");
    assert_eq!(rig.numbers(), [1, 2]);
    // Events that come at once are no such thing.
    let mut rig = Rig::polling_only();
    rig.input(Input::Start);
    for number in 1..200 {
        rig.poll(200, &batch(&[number]));
    }
    assert_eq!(rig.numbers().len(), 199);
}

#[test]
fn u11_a_proxy_that_breaks_every_hold_at_once_is_backed_off() {
    for status in [408, 502, 504] {
        let mut rig = Rig::new();
        rig.input(Input::Start);
        let requests = play(&mut rig, 10, |rig, target, id| {
            if is_dial(target) {
                refuse(rig, id, 502);
            } else {
                rig.answer_to(id, status, &[], "");
            }
        });
        assert!(requests.iter().all(|n| *n <= 40), "{status}: {requests:?}");
        assert!(
            requests.iter().skip(3).all(|n| *n <= 25),
            "{status}: {requests:?}"
        );
    }
}

#[test]
fn a_platform_that_is_down_is_asked_rarely() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    let requests = play(&mut rig, 10, |rig, target, id| {
        let failure = HttpFailure::Connect("refused".to_owned());
        if is_dial(target) {
            let result = Err(HandshakeFailure::Http(failure));
            rig.input(Input::Dialled {
                generation: id,
                result,
            });
        } else {
            rig.input(Input::Answer {
                call: id,
                result: Err(failure),
            });
        }
    });
    assert!(requests.iter().all(|n| *n <= 30), "{requests:?}");
    assert!(
        rig.journal.events.is_empty(),
        "nothing was ever connected, so nothing is told"
    );
}

#[test]
fn every_refusal_by_status_is_bounded() {
    for status in [400, 401, 403, 404, 409, 418, 429, 500, 503] {
        let mut rig = Rig::new();
        rig.input(Input::Start);
        let requests = play(&mut rig, 8, |rig, target, id| {
            if is_dial(target) {
                refuse(rig, id, status);
            } else {
                rig.answer_to(id, status, &[("retry-after", "0")], "");
            }
        });
        assert!(requests.iter().all(|n| *n <= 60), "{status}: {requests:?}");
    }
}

#[test]
fn a_hung_network_is_asked_rarely() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    let requests = play(&mut rig, 10, |_, _, _| {});
    assert!(requests.iter().all(|n| *n <= 6), "{requests:?}");
}

#[test]
fn tokens_that_are_never_accepted_are_not_renewed_in_a_loop() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    let requests = play(&mut rig, 8, |rig, target, id| {
        if is_dial(target) {
            refuse(rig, id, 401);
        } else {
            rig.answer_to(id, 401, &[], "");
        }
        rig.input(Input::TokenRenewed { generation: 2 });
    });
    assert_eq!(rig.state(), StateName::Suspended);
    assert!(requests.iter().sum::<usize>() <= 12, "{requests:?}");
}

#[test]
fn the_largest_number_there_is_ends_in_records_and_loses_nothing() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[u64::MAX]));
    rig.history(404, "");
    rig.frame(&batch(&[2, 3]));
    rig.frame(r#"{"sequence":18446744073709551615,"events":[]}"#);
    assert_eq!(rig.numbers(), [1, u64::MAX, 2, 3]);
    rig.frame(r#"{"sequence":18446744073709551616,"events":[]}"#);
    rig.secs(60);
}

#[test]
fn a_history_that_refuses_does_not_disturb_the_session() {
    for status in [401, 403] {
        let mut rig = Rig::on_websocket();
        rig.frame(&batch(&[1]));
        rig.frame(&batch(&[3]));
        rig.history(status, "");
        if status == 401 {
            rig.history(status, "");
        }
        assert_eq!(rig.last_fact(Kind::GapConfirmed).reason, "HISTORY_REFUSED");
        assert_eq!(
            (rig.state(), rig.numbers()),
            (StateName::LiveWebSocket, vec![1, 3])
        );
    }
}

impl Rig {
    /// The next request or handshake after the first `seen`: how many were seen then, where it
    /// went, and its id.
    fn requests_from(&self, seen: usize) -> Option<(usize, String, u64)> {
        self.asked()
            .enumerate()
            .skip(seen)
            .map(|(n, (target, id))| (n + 1, target, id))
            .next()
    }
}
