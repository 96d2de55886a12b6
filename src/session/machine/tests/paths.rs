//! Health, other endpoints, round trips and losses (U27, U28), and deafness that is ours (U41).

use std::time::Duration;

use super::fake::Fake;
use super::rig::{EMPTY, Rig, Sent, batch};
use super::unnumbered::on;
use crate::connectors::{Condition, Identity};
use crate::journal::AppendError;
use crate::net::{Frame, HandshakeFailure, HttpFailure};
use crate::proto::v1::session::State;
use crate::proto::v1::session_event::Kind;
use crate::session::TransportChoice;
use crate::session::machine::{Input, StateName};

/// Lets time pass and answers each ping after `way`; when pings left.
fn answer_pings(rig: &mut Rig, seconds: u64, way: Duration) -> Vec<u64> {
    let mut left = Vec::new();
    for second in 0..seconds {
        rig.sent();
        rig.secs(1);
        let ping = rig.sent.iter().find_map(|sent| match sent {
            Sent::Frame {
                generation,
                frame: Frame::Ping(_),
            } => Some(*generation),
            _ => None,
        });
        if let Some(generation) = ping {
            left.push(second);
            rig.advance(way);
            rig.pong_of(generation);
        }
    }
    left
}

fn pauses(left: &[u64]) -> Vec<u64> {
    left.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn u28_slow_pongs_degrade_the_session_and_fast_ones_mend_it() {
    let mut rig = Rig::on_websocket();
    let usual = answer_pings(&mut rig, 200, Duration::from_millis(30));
    assert!(pauses(&usual).iter().all(|pause| *pause >= 15), "{usual:?}");
    answer_pings(&mut rig, 900, Duration::from_millis(2_500));
    assert_eq!(rig.kinds(), ["connected", "degraded"], "said once");
    let fact = rig.last_fact(Kind::Degraded);
    assert!(fact.reason.starts_with("LATENCY: "), "{}", fact.reason);
    let status = rig.machine.status();
    assert_eq!(status.state(), State::Degraded);
    assert!(status.reason.contains("LATENCY: "), "{}", status.reason);
    let faster = answer_pings(&mut rig, 200, Duration::from_millis(30));
    assert!(
        pauses(&faster).iter().all(|pause| *pause <= 12),
        "{faster:?}"
    );
    answer_pings(&mut rig, 2_000, Duration::from_millis(30));
    assert_eq!(rig.kinds(), ["connected", "degraded", "recovered"]);
    assert_eq!(rig.machine.status().state(), State::Active);
    let counted = rig.stats.snapshot();
    assert_eq!((counted.degradations, counted.recoveries), (1, 1));
}

#[test]
fn u28_heartbeats_that_are_answered_late_count_and_the_dialect_is_told() {
    let mut fake = Fake::new(Identity::Neither);
    fake.heartbeat = Some(Duration::from_secs(7));
    let told = std::sync::Arc::clone(&fake.conditions);
    let mut rig = on(fake);
    assert_eq!(*told.lock(), [Condition::Reconnecting, Condition::Stable]);
    let beat = |rig: &mut Rig, way: u64| {
        rig.sent();
        while !rig
            .sent
            .iter()
            .any(|s| matches!(s, Sent::Frame { frame: Frame::Text(t), .. } if t == "ping"))
        {
            rig.millis(100);
            let (generation, ..) = rig.last_dial();
            rig.pong_of(generation);
        }
        rig.millis(way);
        rig.frame("beat");
    };
    for _ in 0..60 {
        beat(&mut rig, 3_000);
    }
    assert_eq!(
        *told.lock(),
        [
            Condition::Reconnecting,
            Condition::Stable,
            Condition::Degraded
        ]
    );
    assert_eq!(rig.kinds(), ["connected", "degraded"]);
    // A connection after that one begins as one that reconnects, and goes on as the path is.
    rig.reset();
    rig.until_request(31);
    rig.dialled(Ok(()));
    rig.frame("ok");
    assert_eq!(
        told.lock()[3..],
        [Condition::Reconnecting, Condition::Degraded]
    );
}

#[test]
fn u28_connections_that_die_of_a_missing_pong_are_losses() {
    let mut rig = Rig::on_websocket();
    for _ in 0..9 {
        answer_pings(&mut rig, 21, Duration::from_millis(20));
        // No pong any more.
        rig.until_request(120);
        rig.dialled(Ok(()));
        rig.frame(EMPTY);
    }
    let fact = rig.last_fact(Kind::Degraded);
    assert!(fact.reason.starts_with("LOSS: "), "{}", fact.reason);
    assert!(rig.machine.status().loss_ratio > 0.15);
}

#[test]
fn u28_the_hold_of_a_poll_is_no_round_trip_and_health_requests_are() {
    let mut rig = Rig::on_long_poll();
    for _ in 0..20 {
        rig.secs(25);
        rig.poll(204, "");
    }
    assert_eq!(rig.machine.status().round_trip, None);
    for _ in 0..8 {
        rig.health(0);
    }
    let way = rig.machine.status().round_trip.unwrap();
    assert_eq!((way.seconds, way.nanos), (0, 20_000_000));
    // Alternating, for a path that fails three times in a row is left.
    for _ in 0..4 {
        rig.health(1);
        rig.health(0);
    }
    assert_eq!(rig.kinds(), ["connected", "degraded"]);
    assert!(rig.last_fact(Kind::Degraded).reason.starts_with("LOSS: "));
}

#[test]
fn u27_only_a_session_that_receives_asks_for_health() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    assert!(
        rig.health_of.is_none(),
        "nothing leaves before the path is known"
    );
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    assert!(rig.health_of.is_none());
    rig.frame(EMPTY);
    assert!(rig.health_of.is_some());
    rig.health(0);
    assert!(rig.health_of.is_some(), "one question after the other");
    rig.close(4403);
    assert_eq!(rig.state(), StateName::Suspended);
    assert!(rig.health_of.is_none());
}

#[test]
fn u27_an_asymmetric_path_is_left_for_the_next_endpoint_before_it_is_broken() {
    let mut rig = Rig::new();
    rig.or_at(&["second.test"]);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(&batch(&[1, 2]));
    let (old, ..) = rig.last_dial();
    rig.health(1);
    rig.health(2);
    rig.frame_of(old, &batch(&[3]));
    rig.sent();
    rig.health(3);
    let (_, url, token) = rig.last_dial();
    assert!(url.starts_with("wss://second.test/"), "{url}");
    assert_eq!(token, None, "a new path begins without a credential (U1)");
    rig.dialled(Ok(()));
    let (new, url, token) = rig.last_dial();
    assert!(url.starts_with("wss://second.test/") && token.is_some());
    rig.dialled(Ok(()));
    assert_eq!(rig.asked_after(), 3, "the position goes along");
    rig.frame_of(old, &batch(&[4]));
    rig.frame_of(new, &batch(&[4, 5]));
    assert_eq!(rig.kinds(), ["connected"]);
    assert_eq!(rig.numbers(), [1, 2, 3, 4, 5]);
    let closed = |s: &Sent| matches!(s, Sent::Close { generation, .. } if *generation == old);
    assert!(rig.sent.iter().any(closed));
    let status = rig.machine.status();
    assert_eq!(
        (status.state(), status.reason.as_str()),
        (State::Active, "ENDPOINT: second.test")
    );
    let sources: Vec<_> = rig.platform_events().map(|e| e.source.clone()).collect();
    assert!(sources.iter().all(|s| *s == sources[0]), "{sources:?}");
    let counted = rig.stats.snapshot();
    assert_eq!((counted.endpoint_changes, counted.unhealthy_paths), (1, 1));
    // An operator goes back to the session's own.
    rig.input(Input::ReconnectAsked);
    rig.secs(3);
    assert!(rig.last_dial().1.starts_with("wss://api.example.test/"));
    assert_eq!(rig.machine.status().reason, "RECONNECT_ASKED");
}

#[test]
fn u27_a_poll_moves_to_the_next_endpoint_with_its_position() {
    let mut rig = Rig::with(super::rig::genesys(), TransportChoice::LongPoll);
    rig.or_at(&["second.test:8443"]);
    rig.input(Input::Start);
    rig.poll(200, &batch(&[1, 2, 3]));
    for failures in 1..=3 {
        rig.health(failures);
    }
    assert_eq!(rig.asked_after(), 3);
    rig.poll(200, &batch(&[4]));
    assert_eq!(rig.numbers(), [1, 2, 3, 4]);
    assert_eq!(rig.machine.status().reason, "ENDPOINT: second.test:8443");
}

#[test]
fn u27_with_no_other_endpoint_it_begins_anew_ever_more_rarely() {
    for polling in [false, true] {
        let mut rig = match polling {
            true => Rig::polling_only(),
            false => Rig::on_websocket(),
        };
        if polling {
            rig.input(Input::Start);
            rig.poll(200, EMPTY);
        }
        let mut changes = Vec::new();
        for second in (0..3_600).step_by(15) {
            rig.secs(1);
            if polling {
                rig.poll(204, "");
            }
            let before = rig.asked().count();
            rig.health(3);
            let asked = rig.asked().count();
            if asked > before {
                changes.push(second);
                if polling {
                    rig.poll(200, EMPTY);
                } else {
                    rig.dialled(Ok(()));
                    rig.dialled(Ok(()));
                    rig.frame(EMPTY);
                }
            }
            let (generation, ..) = match polling {
                true => (0, String::new(), None),
                false => rig.last_dial(),
            };
            for _ in 0..14 {
                rig.secs(1);
                if !polling {
                    rig.pong_of(generation);
                }
            }
        }
        assert!((3..=9).contains(&changes.len()), "{polling}: {changes:?}");
        assert_eq!(changes[0], 0, "at once the first time");
    }
}

#[test]
fn u27_events_missing_while_health_is_good_is_quiet_and_not_dead() {
    for mut rig in [Rig::on_websocket(), Rig::on_long_poll()] {
        let polling = rig.state() == StateName::LiveLongPoll;
        rig.retime(|timing| {
            timing.failback_interval = crate::runtime::HumanDuration::from_secs(86_400)
        });
        rig.input(Input::Start);
        if polling {
            rig.refused_dial(400);
            rig.poll(200, EMPTY);
        } else {
            rig.dialled(Ok(()));
            rig.dialled(Ok(()));
            rig.frame(EMPTY);
        }
        for _ in 0..3_600 / 15 {
            if polling {
                rig.secs(15);
                rig.poll(204, "");
            } else {
                answer_pings(&mut rig, 15, Duration::from_millis(30));
            }
            rig.health(0);
        }
        let lost = rig.kinds().iter().filter(|k| *k == "disconnected").count();
        assert_eq!(lost, 0);
        assert_eq!(rig.machine.status().state(), State::Active);
    }
}

#[test]
fn u27_an_endpoint_that_cannot_be_reached_gives_way_and_the_last_to_the_first() {
    let mut rig = Rig::new();
    rig.or_at(&["second.test", "third.test"]);
    rig.input(Input::Start);
    let mut hosts = Vec::new();
    let unreachable = || HttpFailure::Connect("refused".to_owned());
    for _ in 0..40 {
        let (_, url, _) = rig.last_dial();
        let host = url.split('/').nth(2).unwrap().to_owned();
        if hosts.last() != Some(&host) {
            hosts.push(host);
        }
        rig.dialled(Err(HandshakeFailure::Http(unreachable())));
        rig.poll_fails(unreachable());
        rig.until_request(31);
    }
    assert_eq!(
        hosts[..4],
        [
            "api.example.test",
            "second.test",
            "third.test",
            "api.example.test"
        ]
    );
    let status = rig.machine.status();
    let elsewhere = rig.last_dial().1.contains("api.example.test");
    assert_ne!(
        status.reason.contains("ENDPOINT: "),
        elsewhere,
        "{}",
        status.reason
    );
}

#[test]
fn u27_polls_that_an_endpoint_answers_with_failures_move_on() {
    let mut rig = Rig::polling_only();
    rig.or_at(&["second.test"]);
    rig.input(Input::Start);
    rig.poll(200, &batch(&[1]));
    for _ in 0..3 {
        rig.poll(503, "");
        rig.until_request(31);
    }
    assert_eq!(rig.asked_after(), 1);
    rig.poll(200, &batch(&[2]));
    assert_eq!(rig.machine.status().reason, "ENDPOINT: second.test");
    // A token endpoint that is down says nothing about the platform's.
    let mut rig = Rig::polling_only();
    rig.or_at(&["second.test"]);
    for _ in 0..5 {
        let reason = "down".to_owned();
        rig.tokens
            .push_back(Err(crate::auth::TokenProblem::Unavailable { reason }));
    }
    rig.input(Input::Start);
    rig.until_request(200);
    rig.poll(200, EMPTY);
    assert!(!rig.machine.status().reason.contains("ENDPOINT"));
}

/// What a platform wants renewed, such as a channel of 24 hours at 23.
#[test]
fn u5_a_week_of_channels_costs_what_their_lives_demand() {
    let each = Duration::from_secs(23 * 3_600);
    let mut fake = Fake::new(Identity::Neither);
    fake.errand = Some(each);
    let mut rig = on(fake);
    let week = Duration::from_secs(7 * 86_400);
    let mut renewals = 0;
    for _ in 0..week.as_secs() / 5 {
        rig.secs(5);
        let (generation, ..) = rig.last_dial();
        rig.pong_of(generation);
        let asked = rig.calls();
        if let Some((call, ..)) = asked.iter().find(|(_, target, _)| target == "/errand") {
            renewals += 1;
            rig.answer_to(*call, 200, &[], "beat");
        }
        rig.forget();
    }
    assert_eq!(renewals, week.as_secs() / each.as_secs());
    assert!(!rig.kinds().contains(&"disconnected".to_owned()));
    assert_eq!(
        rig.token_asks as u64,
        1 + renewals,
        "one token for the connection, and one each"
    );
}

#[test]
fn u41_time_in_which_we_did_not_listen_is_no_silence_of_the_platform() {
    let mut fake = Fake::new(Identity::Neither);
    fake.heartbeat = Some(Duration::from_secs(20));
    let mut rig = on(fake);
    let full = || AppendError::NoSpace {
        retry_after: Duration::from_secs(7),
    };
    rig.journal.refusals.extend((0..26).map(|_| full()));
    rig.frame("ev:a:1");
    for _ in 0..180 {
        rig.secs(1);
        assert_eq!(rig.state(), StateName::LiveWebSocket);
    }
    let beats = rig
        .sent
        .iter()
        .filter(|s| matches!(s, Sent::Frame { frame: Frame::Text(t), .. } if t == "ping"));
    assert!(beats.count() >= 3, "the connection is kept warm meanwhile");
    // From now on it is listened to: patience begins anew, for what waits is about to be read.
    while !rig.machine.wants_frames() {
        rig.millis(100);
    }
    rig.secs(9);
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    // And what is silent then is dead.
    rig.secs(60);
    assert!(rig.kinds().contains(&"disconnected".to_owned()));
    assert_eq!(
        rig.machine.status().round_trip,
        None,
        "late by our own fault"
    );
}

#[test]
fn u41_a_slow_journal_is_said_while_nothing_is_read() {
    let slow = |rig: &mut Rig| {
        let status = rig.machine.status();
        (status.state(), status.reason)
    };
    let mut rig = Rig::on_websocket();
    rig.auto_append = false;
    let mut number = 0;
    while rig.machine.wants_frames() {
        number += 100;
        rig.frame(&batch(&(number - 99..=number).collect::<Vec<_>>()));
    }
    rig.millis(900);
    assert_eq!(
        slow(&mut rig),
        (State::Active, String::new()),
        "a moment is how commits gather"
    );
    rig.millis(200);
    assert_eq!(slow(&mut rig), (State::Degraded, "JOURNAL_SLOW".to_owned()));
    rig.commit_one();
    rig.commit_one();
    assert_eq!(slow(&mut rig), (State::Active, String::new()));
    assert_eq!(rig.stats.snapshot().reading_stops, 1);
    // A poll waits for its answer to be journaled, and says so.
    let mut rig = Rig::polling_only();
    rig.input(Input::Start);
    rig.poll(200, EMPTY);
    rig.auto_append = false;
    rig.poll(200, &batch(&[1]));
    rig.secs(2);
    assert_eq!(slow(&mut rig), (State::Degraded, "JOURNAL_SLOW".to_owned()));
    rig.commit_one();
    assert_eq!(slow(&mut rig), (State::Active, String::new()));
}
