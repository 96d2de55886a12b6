//! Choosing, losing and changing the transport.

use super::rig::{EMPTY, Rig, Sent, batch, genesys};
use crate::net::{Frame, HandshakeFailure, HttpFailure};
use crate::proto::v1::Transport;
use crate::proto::v1::session_event::Kind;
use crate::session::TransportChoice;
use crate::session::machine::{Input, StateName};

#[test]
fn u1_the_probe_goes_first_and_no_token_is_asked_for_before_its_answer() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    let (_, url, token) = rig.last_dial();
    assert!(url.ends_with("/subscribe?polling=true") && token.is_none());
    assert_eq!((rig.state(), rig.token_asks), (StateName::Probing, 0));
    rig.dialled(Ok(()));
    let (_, url, token) = rig.last_dial();
    assert!(url.ends_with("/subscribe"));
    assert_eq!(token.as_deref(), Some("t1"));
    assert_eq!(rig.state(), StateName::Handshaking);
    rig.dialled(Ok(()));
    assert_eq!(
        (rig.state(), rig.asked_after()),
        (StateName::Subscribing, 0)
    );
    rig.frame(EMPTY);
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    assert_eq!(rig.kinds(), ["connected"]);
}

#[test]
fn u1_what_shows_that_no_websocket_gets_through_leads_to_polling_at_once() {
    let status = |status: u16| HandshakeFailure::Status {
        status: http::StatusCode::from_u16(status).unwrap(),
        headers: Box::default(),
        body: bytes::Bytes::new(),
    };
    let failures = [
        status(200),
        status(400),
        status(407),
        status(426),
        status(502),
        HandshakeFailure::Timeout(std::time::Duration::from_secs(4)),
        HandshakeFailure::NotWebSocket("no accept key".to_owned()),
        HandshakeFailure::Http(HttpFailure::Reset("peer".to_owned())),
        HandshakeFailure::Http(HttpFailure::Tls("unknown issuer".to_owned())),
        HandshakeFailure::Http(HttpFailure::Connect("proxy".to_owned())),
    ];
    for failure in failures {
        let mut rig = Rig::new();
        rig.input(Input::Start);
        rig.dialled(Err(failure.clone()));
        let (_, target, body) = rig.last_call("/subscribe");
        assert_eq!(target, "/api/v2/events/subscribe", "{failure:?}");
        assert!(body.contains(r#""polling":true"#));
    }
}

#[test]
fn u1_an_answer_of_the_platform_itself_proves_nothing_about_upgrade() {
    for status in [401, 403, 404] {
        let mut rig = Rig::new();
        rig.input(Input::Start);
        rig.refused_dial(status);
        let (_, _, token) = rig.last_dial();
        assert_eq!(token.as_deref(), Some("t1"), "{status}");
        rig.dialled(Ok(()));
        rig.frame(EMPTY);
        assert_eq!(rig.state(), StateName::LiveWebSocket);
    }
}

#[test]
fn u2_a_handshake_that_never_ends_is_ended_by_the_deadline() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    rig.millis(3_999);
    assert_eq!(rig.state(), StateName::Probing);
    rig.millis(1);
    rig.last_call("/subscribe");
    // The same of the handshake with credentials.
    let mut rig = Rig::new();
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.secs(4);
    rig.last_call("/subscribe");
    assert_eq!(rig.machine.status().reason, "WEBSOCKET_HANGS");
}

#[test]
fn u2_a_handshake_that_waits_for_its_turn_has_its_whole_time_from_then_on() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    let (generation, ..) = rig.last_dial();
    rig.input(Input::DialWaits { generation });
    rig.secs(300);
    assert_eq!(rig.state(), StateName::Probing);
    rig.input(Input::DialBegins { generation });
    rig.millis(3_999);
    assert_eq!(rig.state(), StateName::Probing);
    rig.millis(1);
    rig.last_call("/subscribe");
}

#[test]
fn u2_a_handshake_that_ends_after_all_is_dropped() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    let (generation, ..) = rig.last_dial();
    rig.secs(4);
    rig.sent();
    rig.input(Input::Dialled {
        generation,
        result: Ok(()),
    });
    assert!(matches!(rig.sent()[..], [Sent::Drop { generation: g }] if g == generation));
}

#[test]
fn u1_a_subscription_that_nobody_confirms_leads_to_polling() {
    let mut rig = Rig::new();
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.secs(10);
    rig.last_call("/subscribe");
    assert_eq!(rig.machine.status().reason, "NOT_CONFIRMED");
}

#[test]
fn u3_the_position_goes_along_to_long_polling_and_back() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1, 2, 3]));
    rig.reset();
    rig.until_request(1);
    rig.dialled(Err(HandshakeFailure::NotWebSocket("stripped".to_owned())));
    assert_eq!(rig.asked_after(), 3);
    rig.poll(200, &batch(&[4]));
    assert_eq!(rig.asked_after(), 4);
    let status = rig.machine.status();
    assert_eq!(status.transport(), Transport::LongPoll);
    assert_eq!(status.reason, "UPGRADE_STRIPPED");
    // Back: the probe, then a WebSocket beside the poll, at the same position.
    rig.until_request(61);
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    assert_eq!(
        (rig.asked_after(), rig.state()),
        (4, StateName::LiveLongPoll)
    );
    rig.frame(&batch(&[5]));
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    assert_eq!(rig.numbers(), [1, 2, 3, 4, 5]);
}

#[test]
fn u4_failback_makes_before_it_breaks_and_says_only_that_the_transport_changed() {
    let mut rig = Rig::on_long_poll();
    rig.poll(200, &batch(&[1]));
    let facts = rig.kinds().len();
    rig.until_request(61);
    let (_, url, token) = rig.last_dial();
    assert!(
        url.contains("polling=true") && token.is_none(),
        "the probe first"
    );
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.sent();
    // The poll still works, and brings what the WebSocket will bring too.
    assert_eq!(rig.state(), StateName::LiveLongPoll);
    let (generation, call) = (rig.machine.last_generation, rig.machine.last_call);
    rig.answer_to(call, 200, &[], &batch(&[2, 3]));
    rig.frame_of(generation, &batch(&[2]));
    rig.frame_of(generation, &batch(&[3, 4]));
    assert_eq!(rig.numbers(), [1, 2, 3, 4]);
    assert_eq!(rig.stats.snapshot().duplicates, 2);
    assert_eq!(rig.kinds().split_off(facts), ["transport_changed"]);
    assert!(
        rig.sent().iter().any(|s| matches!(s, Sent::Cancel { .. })),
        "the poll is stopped"
    );
    assert_eq!(rig.stats.snapshot().transport_changes, 1);
}

#[test]
fn u4_failback_is_tried_every_minute_doubling_to_a_quarter_of_an_hour() {
    let mut rig = Rig::on_long_poll();
    rig.sent();
    let mut failed = Vec::new();
    let start = rig.now;
    while failed.len() < 8 {
        rig.secs(1);
        let dialled = rig.sent.iter().any(|s| matches!(s, Sent::Dial { .. }));
        if dialled {
            failed.push(rig.now.saturating_duration_since(start).as_secs());
            rig.refused_dial(400);
            rig.sent();
        }
    }
    let pauses: Vec<_> = failed.windows(2).map(|w| w[1] - w[0]).collect();
    assert!((30..=60).contains(&failed[0]), "{failed:?}");
    for (pause, longest) in pauses.iter().zip([120, 240, 480, 900, 900, 900, 900]) {
        assert!((longest / 2..=longest + 1).contains(pause), "{pauses:?}");
    }
    assert_eq!(
        rig.state(),
        StateName::LiveLongPoll,
        "polling goes on all the while"
    );
}

#[test]
fn u6_the_engine_takes_what_there_is_and_says_so() {
    let mut rig = Rig::with(genesys(), TransportChoice::Websocket);
    rig.input(Input::Start);
    let (_, _, token) = rig.last_dial();
    assert!(token.is_some(), "nothing to choose, so nothing to probe");
    rig.refused_dial(400);
    assert_eq!(rig.state(), StateName::Waiting);
    assert_eq!(rig.machine.status().reason, "HANDSHAKE_400");
    let mut rig = Rig::polling_only();
    rig.input(Input::Start);
    rig.last_call("/subscribe");
}

#[test]
fn u31_close_codes_decide_how_soon() {
    for (code, most) in [(1000, 1000), (1001, 1000), (1012, 1000), (1013, 1000)] {
        let mut rig = Rig::on_websocket();
        rig.secs(20);
        rig.sent();
        rig.close(code);
        assert_eq!(rig.state(), StateName::Waiting, "not at once");
        rig.millis(499);
        assert_eq!(rig.requests(), 0, "{code}: a base delay with jitter");
        rig.millis(most);
        assert_eq!(rig.requests(), 1, "{code}: not never");
    }
    for code in [1006, 1011, 4999] {
        let mut rig = Rig::on_websocket();
        rig.close(code);
        assert_eq!(rig.state(), StateName::Waiting, "{code}");
    }
    for code in [1008, 4403] {
        let mut rig = Rig::on_websocket();
        rig.close(code);
        assert_eq!(rig.state(), StateName::Suspended, "{code}");
        assert_eq!(rig.last_fact(Kind::Suspended).reason, "PERMISSION_DENIED");
    }
}

#[test]
fn u32_a_new_connection_has_a_new_generation_and_late_frames_are_dropped() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    let (old, ..) = rig.last_dial();
    rig.close(1006);
    assert!(
        rig.sent()
            .iter()
            .any(|s| matches!(s, Sent::Drop { generation } if *generation == old))
    );
    rig.frame_of(old, &batch(&[2]));
    rig.until_request(1);
    let (new, ..) = rig.last_dial();
    assert!(new > old);
    rig.dialled(Ok(()));
    assert_eq!(rig.asked_after(), 1, "subscribed again");
    rig.frame(&batch(&[2]));
    rig.frame_of(old, &batch(&[3]));
    assert_eq!(rig.numbers(), [1, 2]);
    assert_eq!(rig.kinds(), ["connected", "disconnected", "connected"]);
    assert_eq!(rig.machine.status().reconnect_count, 1);
}

#[test]
fn u33_an_error_in_a_frame_is_treated_as_its_status() {
    let mut rig = Rig::on_websocket();
    rig.frame(r#"{"status":403,"message":"missing permission"}"#);
    assert_eq!(rig.state(), StateName::Suspended);
    assert_eq!(rig.machine.status().reason, "PERMISSION_DENIED");
    let mut rig = Rig::on_websocket();
    rig.frame(r#"{"status":401}"#);
    assert!(rig.sent.iter().any(|s| matches!(s, Sent::Reject(1))));
    assert_eq!(rig.state(), StateName::Waiting);
    let mut rig = Rig::on_long_poll();
    rig.poll(200, r#"{"status":403,"message":"no"}"#);
    assert_eq!(rig.state(), StateName::Suspended);
    let mut rig = Rig::new();
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(r#"{"status":403}"#);
    assert_eq!(rig.state(), StateName::Suspended);
}

#[test]
fn u35_a_drain_journals_what_arrived_closes_and_waits_two_seconds() {
    let mut rig = Rig::on_websocket();
    rig.auto_append = false;
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[2, 3]));
    let (generation, ..) = rig.last_dial();
    rig.sent();
    rig.input(Input::Drain);
    assert!(matches!(rig.sent()[..], [Sent::Close { code: 1000, .. }]));
    rig.frame_of(generation, &batch(&[4]));
    while !rig.appends.is_empty() {
        rig.commit_one();
    }
    assert_eq!(rig.numbers(), [1, 2, 3]);
    assert_eq!(rig.state(), StateName::Draining);
    let frame = Frame::Close {
        code: Some(1000),
        reason: String::new(),
    };
    rig.input(Input::Frame { generation, frame });
    assert_eq!(rig.state(), StateName::Ended);
    assert_eq!(rig.last_fact(Kind::Disconnected).reason, "DRAINING");
    // A peer that does not answer is not waited for longer.
    let mut rig = Rig::on_websocket();
    rig.input(Input::Drain);
    rig.millis(1_999);
    assert_eq!(rig.state(), StateName::Draining);
    rig.millis(1);
    assert_eq!(rig.state(), StateName::Ended);
    // A poll is simply given up.
    let mut rig = Rig::on_long_poll();
    rig.input(Input::Drain);
    assert_eq!(rig.state(), StateName::Ended);
}

#[test]
fn u35_held_events_are_dropped_on_drain_and_the_position_stays() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[5]));
    rig.input(Input::Drain);
    rig.secs(3);
    assert_eq!((rig.state(), rig.numbers()), (StateName::Ended, vec![1]));
    rig.crash();
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    assert_eq!(rig.asked_after(), 1);
}

#[test]
fn a_reconnect_that_is_asked_for_closes_politely_and_negotiates_anew() {
    let mut rig = Rig::on_websocket();
    rig.sent();
    rig.input(Input::ReconnectAsked);
    assert!(matches!(rig.sent()[..], [Sent::Close { code: 1000, .. }]));
    rig.secs(1);
    assert_eq!(
        rig.requests(),
        0,
        "the old socket is gone before its successor begins"
    );
    rig.secs(1);
    assert_eq!(rig.requests(), 1);
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(EMPTY);
    assert_eq!(rig.kinds(), ["connected", "disconnected", "connected"]);
}
