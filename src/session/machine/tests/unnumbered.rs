//! Platforms without numbers: loss windows, coverage, overlaps, ids, opaque cursors (U5, U16, U18).

use std::time::Duration;

use super::fake::{Fake, Rest};
use super::rig::{Rig, Sent};
use crate::connectors::Identity;
use crate::domain::WallTime;
use crate::net::Frame;
use crate::proto::v1::SessionEvent;
use crate::proto::v1::event::Origin;
use crate::proto::v1::session_event::Kind;
use crate::session::TransportChoice;
use crate::session::machine::{Input, StateName};

/// How long before it is written an event may be issued.
pub(super) const PLATFORM_LAG: Duration = Duration::from_secs(1);

pub(super) fn on(fake: Fake) -> Rig {
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.frame("ok:a");
    assert_eq!(
        rig.state(),
        StateName::Subscribing,
        "every topic must be confirmed"
    );
    rig.frame("ok:b");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    rig
}

pub(super) fn back(rig: &mut Rig) {
    rig.until_request(31);
    rig.dialled(Ok(()));
    rig.frame("ok");
}

pub(super) fn raw(rig: &Rig) -> Vec<String> {
    let events = rig.platform_events();
    events
        .map(|e| String::from_utf8(e.raw_data.to_vec()).unwrap())
        .collect()
}

pub(super) fn window(fact: &SessionEvent) -> (WallTime, WallTime) {
    let time = |t: &Option<prost_types::Timestamp>| WallTime::from_proto(&t.unwrap()).unwrap();
    (time(&fact.start_time), time(&fact.end_time))
}

#[test]
fn u18_the_window_runs_from_the_last_answered_question_to_the_confirmation() {
    let mut rig = on(Fake::new(Identity::Neither));
    assert!(
        !rig.kinds().contains(&"gap_suspected".to_owned()),
        "no window, no record"
    );
    let (generation, ..) = rig.last_dial();
    rig.secs(10);
    let asked = rig.wall;
    rig.secs(3);
    rig.pong_of(generation);
    rig.frame("ev:a:1");
    rig.secs(7);
    rig.frame("ev:a:2");
    rig.reset();
    back(&mut rig);
    let began = asked.minus(PLATFORM_LAG);
    assert_eq!(
        window(&rig.last_fact(Kind::GapSuspected)),
        (began, rig.wall)
    );
    let confirmed = rig.last_fact(Kind::GapConfirmed);
    assert_eq!(
        (confirmed.reason.as_str(), window(&confirmed)),
        ("NOT_RECOVERABLE", (began, rig.wall))
    );
    assert_eq!(confirmed.topics, ["a", "b"]);
}

#[test]
fn u18_coverage_is_marked_every_five_seconds_so_that_a_crash_has_a_window() {
    let mut rig = on(Fake::new(Identity::Neither));
    let (generation, ..) = rig.last_dial();
    for _ in 0..12 {
        rig.secs(1);
        rig.frame("ok");
    }
    rig.pong_of(generation);
    let commits = rig.journal.commits;
    rig.secs(3);
    let asked = rig.wall;
    assert_eq!(
        rig.journal.commits, commits,
        "nothing new, nothing committed"
    );
    rig.secs(1);
    rig.pong_of(generation);
    rig.frame("ev:a:1");
    rig.secs(5);
    rig.secs(4);
    rig.crash();
    rig.dialled(Ok(()));
    rig.frame("ok");
    let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
    assert_eq!((start, end), (asked.minus(PLATFORM_LAG), rig.wall));
}

#[test]
fn u18_history_that_gives_every_event_closes_the_window() {
    let rest = Rest::History { calls: 2 };
    let mut rig = on(Fake::new(Identity::Ids).knowing(rest));
    rig.frame("id:1:a:one");
    rig.reset();
    back(&mut rig);
    rig.frame("id:4:a:four");
    let (call, target, _) = rig.last_call("/recovery");
    assert_eq!(target, "/recovery/0");
    rig.answer_to(call, 200, &[], "id:1:a:one;id:2:a:two");
    let (call, target, _) = rig.last_call("/recovery");
    assert_eq!(target, "/recovery/1");
    rig.answer_to(call, 200, &[], "id:3:b:three");
    assert_eq!(
        raw(&rig),
        ["one", "four", "two", "three"],
        "what is known is not repeated"
    );
    let origins: Vec<_> = rig.platform_events().map(|e| e.origin()).collect();
    assert_eq!(
        origins,
        [
            Origin::Live,
            Origin::Live,
            Origin::Backfill,
            Origin::Backfill
        ]
    );
    assert_eq!(rig.kinds().last().unwrap(), "gap_closed");
}

#[test]
fn u16_what_came_before_an_outage_is_known_after_it_however_long_it_was() {
    let rest = Rest::History { calls: 1 };
    let mut rig = on(Fake::new(Identity::Ids).knowing(rest));
    rig.frame("id:1:a:one");
    rig.reset();
    let down = rig.now;
    while rig.now < down + Duration::from_secs(900) {
        rig.until_request(31);
        rig.refused_dial(503);
    }
    back(&mut rig);
    rig.frame("id:3:a:three");
    let (call, ..) = rig.last_call("/recovery");
    rig.answer_to(call, 200, &[], "id:1:a:one;id:2:a:two");
    assert_eq!(raw(&rig), ["one", "three", "two"]);
}

#[test]
fn u18_a_snapshot_comes_before_the_live_events_that_were_held_for_it() {
    let rest = Rest::PresentState { calls: 1 };
    let mut rig = on(Fake::new(Identity::Neither).knowing(rest));
    rig.frame("ev:a:1");
    rig.reset();
    back(&mut rig);
    rig.frame("ev:a:3");
    assert_eq!(raw(&rig), ["1"], "held");
    let (call, ..) = rig.last_call("/recovery");
    rig.answer_to(call, 200, &[], "ev:a:2;ev:b:9");
    rig.frame("ev:a:4");
    assert_eq!(raw(&rig), ["1", "2", "9", "3", "4"]);
    let suspected = rig
        .journal
        .events
        .iter()
        .find(|e| e.r#type.contains("suspected"))
        .unwrap();
    let item = rig.platform_events().nth(1).unwrap();
    assert_eq!(item.origin(), Origin::Backfill);
    assert_eq!(
        item.attributes["gapsequence"],
        suspected.sequence.to_string()
    );
    let confirmed = rig.last_fact(Kind::GapConfirmed);
    assert_eq!(
        (confirmed.reason.as_str(), confirmed.gap_sequence),
        ("SNAPSHOT", suspected.sequence)
    );
}

#[test]
fn u18_at_the_bound_live_events_go_on_and_the_snapshot_yields() {
    let rest = Rest::PresentState { calls: 1 };
    let mut rig = on(Fake::new(Identity::Neither).knowing(rest));
    rig.reset();
    back(&mut rig);
    for n in 0..=10_000 {
        rig.frame(&format!("ev:a:{n}"));
    }
    assert_eq!(rig.platform_events().count(), 10_001, "let go at the bound");
    rig.frame("ev:c:later");
    let (call, ..) = rig.last_call("/recovery");
    rig.answer_to(call, 200, &[], "ev:a:old;ev:b:still;ev:c:old");
    assert_eq!(
        raw(&rig)[10_001..],
        ["later", "still"],
        "keys that moved are not set back"
    );
}

#[test]
fn u18_a_recovery_that_fails_is_tried_three_times_and_confirmed() {
    let rest = Rest::PresentState { calls: 1 };
    let mut rig = on(Fake::new(Identity::Neither).knowing(rest));
    rig.reset();
    back(&mut rig);
    rig.frame("ev:a:live");
    for _ in 0..3 {
        let (call, ..) = rig.last_call("/recovery");
        rig.answer_to(call, 500, &[], "");
        rig.secs(2);
    }
    assert_eq!(rig.last_fact(Kind::GapConfirmed).reason, "NOT_RECOVERABLE");
    assert_eq!(raw(&rig), ["live"]);
    rig.sent();
    rig.secs(9);
    assert_eq!(rig.requests(), 0);
}

#[test]
fn u18_a_recovery_that_is_interrupted_loses_nothing_and_begins_again() {
    let rest = Rest::PresentState { calls: 1 };
    let mut rig = on(Fake::new(Identity::Neither).knowing(rest));
    rig.reset();
    back(&mut rig);
    rig.frame("ev:a:held");
    rig.reset();
    assert_eq!(raw(&rig), ["held"]);
    back(&mut rig);
    for _ in 0..2 {
        let (call, ..) = rig.last_call("/recovery");
        rig.answer_to(call, 200, &[], "ev:b:s");
    }
    let confirmed = rig
        .kinds()
        .into_iter()
        .filter(|k| k == "gap_confirmed")
        .count();
    assert_eq!(confirmed, 2, "both windows are told");
    rig.crash();
    assert!(rig.journal.state.keys().all(|k| !k.contains("/gaps/")));
}

#[test]
fn u18_the_platform_itself_says_that_we_missed_events() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.secs(3);
    rig.frame("missed;ev:a:1");
    assert_eq!(rig.last_fact(Kind::GapSuspected).reason, "EVENT_MISSED");
    assert_eq!(raw(&rig), ["1"]);
}

#[test]
fn u5_a_planned_close_makes_before_it_breaks() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.frame("ev:a:1");
    let (old, ..) = rig.last_dial();
    let facts = rig.kinds();
    rig.sent();
    rig.frame("closing");
    let (new, ..) = rig.last_dial();
    assert!(new > old);
    rig.dialled(Ok(()));
    // Both bring the same two equal events; each is a fact of its own.
    rig.frame_of(old, "dated:a:2;dated:a:2");
    rig.frame_of(new, "ok:a;dated:a:2");
    rig.frame_of(new, "ok:b;dated:a:2;ev:a:3");
    assert_eq!(
        raw(&rig),
        ["1", "2", "2"],
        "the old may still bring what came before"
    );
    let pinged = |s: &Sent| matches!(s, Sent::Frame { generation, frame: Frame::Ping(_) } if *generation == old);
    assert!(rig.sent().iter().any(pinged), "has it brought everything?");
    rig.pong_of(old);
    assert_eq!(raw(&rig), ["1", "2", "2", "3"]);
    rig.frame_of(old, "ev:a:3");
    // Has each brought what the other had?
    rig.pong_of(new);
    rig.pong_of(old);
    assert!(
        rig.sent()
            .iter()
            .any(|s| matches!(s, Sent::Close { generation, .. } if *generation == old))
    );
    assert_eq!(raw(&rig), ["1", "2", "2", "3"]);
    rig.close_of(old, 1000);
    assert_eq!(rig.kinds(), facts, "no gap, no fact: nothing was missed");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
}

#[test]
fn u5_a_successor_that_fails_leaves_the_old_connection_until_its_end() {
    let mut rig = on(Fake::new(Identity::Neither));
    let (old, ..) = rig.last_dial();
    rig.frame("closing");
    rig.refused_dial(503);
    rig.frame_of(old, "ev:a:1");
    assert_eq!(
        (rig.state(), raw(&rig).len()),
        (StateName::LiveWebSocket, 1)
    );
    rig.until_request(3);
    rig.close_of(old, 1001);
    rig.dialled(Ok(()));
    rig.frame("ok");
    assert_eq!(
        rig.state(),
        StateName::LiveWebSocket,
        "the successor inherits"
    );
    assert_eq!(rig.last_fact(Kind::GapConfirmed).reason, "NOT_RECOVERABLE");
}

#[test]
fn u5_where_two_connections_are_not_allowed_it_breaks_before_it_makes() {
    let mut fake = Fake::new(Identity::Neither);
    fake.capabilities.overlap = false;
    let mut rig = on(fake);
    rig.secs(3);
    rig.sent();
    rig.frame("closing");
    assert!(matches!(rig.sent()[..], [Sent::Close { .. }]));
    rig.secs(2);
    rig.dialled(Ok(()));
    rig.frame("ok");
    assert_eq!(
        rig.kinds()
            .into_iter()
            .filter(|k| k == "gap_confirmed")
            .count(),
        1
    );
}

#[test]
fn u16_equal_frames_of_one_connection_are_different_facts() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.frame("ev:a:joined");
    rig.frame("ev:a:left");
    rig.frame("ev:a:joined");
    assert_eq!(raw(&rig), ["joined", "left", "joined"]);
    let mut ids = std::collections::HashSet::new();
    assert!(rig.platform_events().all(|e| ids.insert(e.id.clone())));
}

#[test]
fn u16_what_cannot_be_aligned_is_kept_and_marked() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.frame("ev:a:same");
    let (old, ..) = rig.last_dial();
    rig.frame("closing");
    rig.dialled(Ok(()));
    let (new, ..) = rig.last_dial();
    rig.frame("ok;ev:a:same");
    rig.pong_of(old);
    assert_eq!(raw(&rig), ["same"]);
    // Equal events come faster than the questions after them are answered.
    for _ in 0..8 {
        rig.pong_of(new);
        rig.frame_of(old, "ev:a:same");
        rig.pong_of(old);
        rig.frame_of(new, "ev:a:same");
    }
    let marked = rig
        .platform_events()
        .map(|e| e.attributes.contains_key("possibleduplicate"));
    assert_eq!(marked.last(), Some(true));
}

/// One confirmed connection, and one beside it that is subscribed and not confirmed yet.
fn before_the_second() -> (Rig, u64, u64) {
    let mut fake = Fake::new(Identity::Neither);
    fake.capabilities.connections = 2;
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    let (old, ..) = rig.last_dial();
    rig.frame("ok");
    rig.dialled(Ok(()));
    let (new, ..) = rig.last_dial();
    (rig, old, new)
}

/// The older brings the first alone, for it was sent before the newer was subscribed. The newer is the
/// first to bring the second, and the older dies before it brings the third.
#[test]
fn u16_an_event_is_not_swallowed_by_one_from_before_the_subscription() {
    let (mut rig, old, new) = before_the_second();
    rig.frame_of(old, "ev:a:same");
    rig.frame_of(new, "ok;ev:a:same");
    rig.pong_of(old);
    assert_eq!(raw(&rig), ["same"]);
    assert_eq!(rig.machine.status().reason, "ONE_CONNECTION", "not yet");
    rig.pong_of(new);
    rig.frame_of(old, "ev:a:same");
    for _ in 0..3 {
        rig.pong_of(old);
        rig.pong_of(new);
    }
    assert_eq!(rig.machine.status().reason, "");
    rig.frame_of(new, "ev:a:same");
    rig.input(Input::Closed {
        generation: old,
        failure: None,
    });
    assert_eq!(raw(&rig), ["same", "same", "same"]);
    assert_eq!(rig.kinds(), ["connected"]);
}

/// An answer to an earlier question shows nothing of what came since.
#[test]
fn u16_an_answer_to_an_earlier_question_settles_nothing() {
    let (mut rig, old, new) = before_the_second();
    rig.frame_of(old, "ev:a:same");
    rig.frame_of(new, "ok");
    let earlier = rig.sent().into_iter().find_map(|sent| match sent {
        Sent::Frame {
            generation,
            frame: Frame::Ping(name),
        } if generation == old => Some(name),
        _ => None,
    });
    rig.pong_of(old);
    rig.pong_of(new);
    let frame = Frame::Pong(earlier.unwrap());
    rig.input(Input::Frame {
        generation: old,
        frame,
    });
    assert_eq!(rig.machine.status().reason, "ONE_CONNECTION");
    rig.pong_of(old);
    assert_eq!(rig.machine.status().reason, "");
}

#[test]
fn u16_provider_ids_are_remembered_across_a_crash() {
    let mut rig = on(Fake::new(Identity::Ids));
    rig.frame("id:1:a:x;id:2:a:y");
    rig.frame("id:1:a:x");
    rig.crash();
    rig.dialled(Ok(()));
    rig.frame("ok;id:2:a:y;id:3:a:z");
    assert_eq!(raw(&rig), ["x", "y", "z"]);
    assert_eq!(rig.platform_events().last().unwrap().id, "3");
}

#[test]
fn u20_a_frame_that_cannot_be_read_nor_asked_for_again_is_kept_raw() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.frame("gibberish");
    assert_eq!(
        (rig.state(), raw(&rig)),
        (StateName::LiveWebSocket, vec!["gibberish".to_owned()])
    );
}

#[test]
fn u26_text_heartbeats_are_sent_and_their_absence_is_death() {
    let mut fake = Fake::new(Identity::Neither);
    fake.heartbeat = Some(Duration::from_secs(7));
    let mut rig = on(fake);
    let beats = |rig: &Rig| {
        let text =
            |s: &&Sent| matches!(s, Sent::Frame { frame: Frame::Text(t), .. } if t == "ping");
        rig.sent.iter().filter(text).count()
    };
    for _ in 0..4 {
        rig.secs(7);
        rig.frame("beat");
    }
    assert_eq!(beats(&rig), 4);
    rig.secs(15);
    assert_eq!(
        rig.kinds()
            .into_iter()
            .filter(|k| k == "disconnected")
            .count(),
        1
    );
}

#[test]
fn a_channel_is_set_up_over_rest_before_it_is_opened() {
    let mut fake = Fake::new(Identity::Neither);
    fake.setup = true;
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    assert_eq!(rig.state(), StateName::SettingUp);
    let (call, target, _) = rig.last_call("/channels");
    assert_eq!(target, "/channels");
    rig.answer_to(call, 401, &[], "");
    let (call, ..) = rig.last_call("/channels");
    rig.answer_to(call, 200, &[], "wss://fake.test/channel-1");
    let (call, target, body) = rig.last_call("/subscriptions");
    assert_eq!(
        (target.as_str(), body.as_str()),
        ("/channels/subscriptions", "a,b")
    );
    rig.answer_to(call, 200, &[], "");
    assert_eq!(rig.last_dial().1, "wss://fake.test/channel-1");
    rig.dialled(Ok(()));
    rig.frame("ok");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    // Evicted: the channel is made anew.
    rig.secs(12);
    rig.frame("lost");
    rig.until_request(1);
    assert_eq!(rig.last_call("/channels").1, "/channels");
    // Throttled while it is made: the wait is obeyed.
    let (call, ..) = rig.last_call("/channels");
    rig.sent();
    rig.answer_to(call, 429, &[("retry-after", "9")], "");
    rig.millis(8_900);
    assert_eq!(rig.requests(), 0);
    rig.until_request(2);
}

#[test]
fn u42_an_address_that_the_platform_names_is_checked() {
    let mut fake = Fake::new(Identity::Neither);
    fake.setup = true;
    for address in ["wss://evil.test/channel", "ws://fake.test/channel"] {
        let mut rig = Rig::with(fake.clone().shared(), TransportChoice::Auto);
        rig.input(Input::Start);
        let (call, ..) = rig.last_call("/channels");
        rig.answer_to(call, 200, &[], address);
        let (call, ..) = rig.last_call("/subscriptions");
        rig.sent();
        rig.answer_to(call, 200, &[], "");
        assert_eq!(rig.state(), StateName::Suspended);
        assert_eq!(rig.machine.status().reason, "ADDRESS_REFUSED");
        assert_eq!(rig.requests(), 0);
    }
}

#[test]
fn a_rejected_topic_is_told_and_the_others_are_served() {
    let mut rig = Rig::with(Fake::new(Identity::Neither).shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.frame("ok:a;no:b");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    let fact = rig.last_fact(Kind::SubscriptionsChanged);
    assert_eq!(
        (fact.topics, fact.reason.as_str()),
        (vec!["b".to_owned()], "forbidden")
    );
    assert!(rig.machine.status().reason.starts_with("TOPIC_REJECTED"));
}

#[test]
fn an_opaque_cursor_moves_with_every_answer_and_survives_a_crash() {
    let mut fake = Fake::new(Identity::Neither);
    fake.capabilities.long_poll = true;
    fake.capabilities.websocket = false;
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    assert_eq!(rig.last_call("/next").1, "/next/none");
    let (call, ..) = rig.last_call("/next");
    rig.answer_to(call, 200, &[], "cursor:s1;ev:a:1");
    assert_eq!(rig.last_call("/next").1, "/next/s1");
    rig.auto_append = false;
    let (call, ..) = rig.last_call("/next");
    rig.answer_to(call, 200, &[], "cursor:s2");
    assert_eq!(
        rig.last_call("/next").1,
        "/next/s1",
        "the cursor alone is journaled first, too"
    );
    rig.commit_one();
    assert_eq!(rig.last_call("/next").1, "/next/s2");
    rig.auto_append = true;
    rig.crash();
    assert_eq!(rig.last_call("/next").1, "/next/s2");
    assert_eq!(rig.machine.status().reason, "");
    assert!(
        !format!("{:?}", rig.machine).contains("s2\""),
        "a cursor may be a credential"
    );
}
