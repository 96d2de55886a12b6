//! Echoes, and the JWT that is kept fresh for whoever reads with it.

use super::*;
use crate::connectors::{LossWindow, Silent};

#[test]
fn an_echo_follows_half_a_minute_of_quiet_and_its_answer_is_a_round_trip() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    let heard = now + seconds(20);
    read(&mut *link, heard, &echo(OTHER, "m1"));
    assert_eq!(link.heartbeat_due(), Some(heard + seconds(30)));
    assert!(
        link.heartbeat(heard + seconds(29), morning())
            .unwrap()
            .is_empty()
    );
    let at = heard + seconds(30);
    let frames = due(&mut *link, at);
    assert_eq!(
        frames,
        [
            json!({ "action": "echo", "token": TOKEN, "tracingId": "tieline-echo-2",
                 "message": { "type": "Text", "text": "ping" } })
        ]
    );
    let answer = echo("tieline-echo-2", "e1");
    let batch = read(&mut *link, at + seconds(1), &answer);
    assert_eq!(batch.controls, [Control::Answered { sent: at }]);
    assert!(batch.events.is_empty() && batch.receipts.is_empty());
    assert_eq!(link.heartbeat_due(), Some(at + seconds(31)));
    let again = read(&mut *link, at + seconds(2), &answer);
    assert!(again.controls.is_empty(), "answered once");
    let late = read(&mut *link, at + seconds(3), &echo("tieline-echo-1", "e0"));
    assert!(late.controls.is_empty() && late.events.is_empty());
}

#[test]
fn a_refused_echo_shows_life_all_the_same() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    let at = now + seconds(30);
    let id = due(&mut *link, at)[0]["tracingId"]
        .as_str()
        .unwrap()
        .to_owned();
    let batch = read(&mut *link, at, &error(5000, Some(&id)));
    assert_eq!(batch.controls, [Control::Answered { sent: at }]);
    assert!(batch.receipts.is_empty() && batch.events.is_empty());
}

#[test]
fn u25_silence_after_an_echo_is_the_end_of_the_connection() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    let at = now + seconds(30);
    due(&mut *link, at);
    assert_eq!(link.heartbeat_due(), Some(at + seconds(15)));
    assert_eq!(link.heartbeat(at + seconds(15), morning()), Err(Silent));
    link.unheard(at + seconds(15));
    assert_eq!(link.heartbeat_due(), Some(at + seconds(45)));
}

#[test]
fn any_frame_after_an_echo_shows_life() {
    let now = MonoTime::now();
    let mut link = standing(&*connector(), None, now);
    let at = now + seconds(30);
    due(&mut *link, at);
    read(&mut *link, at + seconds(14), &echo(OTHER, "m1"));
    assert_eq!(link.heartbeat_due(), Some(at + seconds(44)));
}

#[test]
fn a_jwt_is_renewed_before_it_expires_only_while_somebody_reads_with_it() {
    let connector = connector();
    let now = MonoTime::now();
    let mut link = link_at(&*connector, None, now);
    read(&mut *link, now, &begun());
    due(&mut *link, now);
    // In 130 s.
    read(&mut *link, now, &jwt(1_773_136_090));
    let at = now + seconds(25);
    read(&mut *link, at, &echo(OTHER, "m1"));
    assert_eq!(
        link.heartbeat_due(),
        Some(at + seconds(30)),
        "an echo alone"
    );
    let window = LossWindow {
        start: morning(),
        end: morning(),
    };
    let reader = connector.recover("", &window).unwrap();
    let mut at = at;
    while at < now + seconds(100) {
        assert!(link.heartbeat_due().is_some_and(|due| due > at), "too soon");
        at = (at + seconds(25)).min(now + seconds(100));
        read(&mut *link, at, &echo(OTHER, "m1"));
    }
    assert_eq!(link.heartbeat_due(), Some(now + seconds(100)));
    let frames = due(&mut *link, at);
    assert_eq!(frames[0]["action"], "getJwt");
    let batch = read(&mut *link, at, &jwt(1_773_139_660));
    assert_eq!(batch.confirms, Confirms::Nothing, "it stood already");
    assert_eq!(link.heartbeat_due(), Some(at + seconds(30)));
    drop(reader);
}

#[test]
fn a_jwt_of_a_platform_whose_clock_is_behind_is_not_asked_for_over_and_over() {
    let connector = connector();
    let now = MonoTime::now();
    let mut link = link_at(&*connector, None, now);
    read(&mut *link, now, &begun());
    due(&mut *link, now);
    read(&mut *link, now, &jwt(1_000_000_000));
    let window = LossWindow {
        start: morning(),
        end: morning(),
    };
    let _reader = connector.recover("", &window);
    assert_eq!(link.heartbeat_due(), Some(now + seconds(30)));
    let at = now + seconds(30);
    due(&mut *link, at);
    read(&mut *link, at, &error(5000, Some("tieline-jwt-2")));
    assert_eq!(link.heartbeat_due(), Some(at + seconds(30)), "an echo");
}
