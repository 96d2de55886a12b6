//! Loss windows by family: one record for each, and what REST can say of it (U18).

use std::time::Duration;

use super::fake::{Fake, Rest};
use super::rig::{Rig, Sent};
use super::unnumbered::{PLATFORM_LAG, back, on, raw};
use crate::connectors::Identity;
use crate::proto::v1::SessionEvent;
use crate::proto::v1::session_event::Kind;
use crate::session::machine::StateName;

const STATE: Rest = Rest::PresentState { calls: 1 };
const HISTORY: Rest = Rest::History { calls: 1 };

fn live(fake: Fake) -> Rig {
    let mut rig = Rig::with(fake.shared(), crate::session::TransportChoice::Auto);
    rig.input(crate::session::machine::Input::Start);
    rig.dialled(Ok(()));
    rig.frame("ok");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    rig
}

fn of(rig: &Rig, kind: Kind) -> Vec<SessionEvent> {
    let facts = rig.facts().into_iter();
    facts.filter(|fact| fact.kind() == kind).collect()
}

/// Kind, topics and reason of what ended each gap, by the sequence of its suspicion.
fn endings(rig: &Rig) -> Vec<(u64, &'static str, Vec<String>, String)> {
    let mut all: Vec<_> = rig
        .facts()
        .into_iter()
        .filter_map(|fact| {
            let kind = match fact.kind() {
                Kind::GapClosed => "closed",
                Kind::GapConfirmed => "confirmed",
                _ => return None,
            };
            Some((fact.gap_sequence, kind, fact.topics, fact.reason))
        })
        .collect();
    all.sort();
    all
}

fn answer(rig: &mut Rig, path: &str, body: &str) {
    let (call, ..) = rig.last_call(path);
    rig.answer_to(call, 200, &[], body);
}

#[test]
fn u18_each_family_has_a_record_of_its_own_and_an_ending_that_fits() {
    let families = [("state", STATE), ("log", HISTORY), ("none", Rest::Nothing)];
    let mut rig = live(Fake::new(Identity::Neither).by_topic(&families));
    rig.reset();
    back(&mut rig);
    let suspected = of(&rig, Kind::GapSuspected);
    let topics: Vec<_> = suspected.iter().map(|f| f.topics.clone()).collect();
    assert_eq!(topics, [["state"], ["log"], ["none"]]);
    // Only the family whose present state is asked for waits.
    rig.frame("ev:state:s2;ev:log:l2;ev:none:n2");
    assert_eq!(raw(&rig), ["l2", "n2"]);
    answer(&mut rig, "/recovery/state0", "ev:state:s1");
    assert_eq!(raw(&rig), ["l2", "n2", "s1", "s2"]);
    answer(&mut rig, "/recovery/log0", "ev:log:l1");
    let endings = endings(&rig);
    let shown: Vec<_> = endings
        .iter()
        .map(|(_, kind, topics, reason)| (*kind, topics[0].as_str(), reason.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("confirmed", "state", "SNAPSHOT"),
            ("closed", "log", "DISCONNECTED"),
            ("confirmed", "none", "NOT_RECOVERABLE"),
        ]
    );
    let by_gap = |text: &str| {
        let mut events = rig.platform_events();
        let event = events.find(|e| e.raw_data == text.as_bytes()).unwrap();
        event.attributes["gapsequence"].parse::<u64>().unwrap()
    };
    assert_eq!((by_gap("s1"), by_gap("l1")), (endings[0].0, endings[1].0));
}

#[test]
fn u18_rest_is_asked_when_it_can_no_longer_lag_behind_the_window() {
    let mut fake = Fake::new(Identity::Neither).knowing(STATE);
    fake.capabilities.rest_lag = Duration::from_secs(5);
    let mut rig = live(fake);
    rig.reset();
    back(&mut rig);
    rig.sent();
    rig.frame("ev:a:held");
    rig.millis(4_990);
    assert_eq!((rig.requests(), raw(&rig).len()), (0, 0));
    rig.until_request(1);
    answer(&mut rig, "/recovery", "ev:a:then");
    assert_eq!(raw(&rig), ["then", "held"]);
}

#[test]
fn u18_live_events_wait_from_the_moment_the_window_opens() {
    let mut rig = live(Fake::new(Identity::Neither).knowing(STATE));
    rig.reset();
    rig.until_request(31);
    rig.dialled(Ok(()));
    rig.auto_append = false;
    // The very frame that confirms brings an event; nothing is durable yet.
    rig.frame("ok;ev:a:new");
    rig.sent();
    rig.secs(3);
    assert_eq!(rig.requests(), 0, "the suspicion is not durable");
    while !rig.appends.is_empty() {
        rig.commit_one();
    }
    assert!(raw(&rig).is_empty(), "held");
    answer(&mut rig, "/recovery", "ev:a:old");
    while !rig.appends.is_empty() {
        rig.commit_one();
    }
    assert_eq!(raw(&rig), ["old", "new"]);
}

#[test]
fn u18_windows_that_follow_each_other_are_answered_at_once_and_each_has_its_end() {
    let mut rig = live(Fake::new(Identity::Neither).knowing(STATE));
    for round in 0..3 {
        rig.secs(11);
        rig.reset();
        back(&mut rig);
        rig.frame(&format!("ev:a:{round}"));
    }
    answer(&mut rig, "/recovery", "ev:a:now");
    assert_eq!(raw(&rig), ["0", "1", "now", "2"]);
    let ends = endings(&rig);
    assert_eq!(ends.len(), 3);
    assert!(ends.iter().all(|(.., reason)| reason == "SNAPSHOT"));
    let suspected: Vec<_> = of(&rig, Kind::GapSuspected);
    assert_eq!(suspected.len(), 3);
    let mut closed: Vec<_> = ends.iter().map(|(gap, ..)| *gap).collect();
    closed.dedup();
    assert_eq!(closed.len(), 3, "one end for each");
    rig.crash();
    assert!(rig.journal.state.keys().all(|k| !k.contains("/gaps/")));
}

#[test]
fn u18_histories_of_windows_that_follow_each_other_are_asked_for_one_by_one() {
    let mut rig = live(Fake::new(Identity::Neither).knowing(HISTORY));
    rig.secs(11);
    rig.reset();
    back(&mut rig);
    rig.secs(11);
    rig.reset();
    back(&mut rig);
    answer(&mut rig, "/recovery", "ev:a:first");
    answer(&mut rig, "/recovery", "ev:a:second");
    assert_eq!(raw(&rig), ["first", "second"]);
    assert_eq!(of(&rig, Kind::GapClosed).len(), 2);
}

#[test]
fn u18_a_crash_in_the_middle_resumes_the_recovery() {
    let families = [("state", STATE), ("log", HISTORY)];
    let mut rig = live(Fake::new(Identity::Neither).by_topic(&families));
    rig.secs(11);
    rig.reset();
    back(&mut rig);
    rig.frame("ev:state:lost-with-the-crash");
    answer(&mut rig, "/recovery/state0", "ev:state:s");
    // The history of the first window is still open.
    rig.secs(7);
    rig.crash();
    rig.dialled(Ok(()));
    rig.frame("ok");
    // The suspicion of the first is durable already, so it has its turn.
    answer(&mut rig, "/recovery/log0", "ev:log:1");
    answer(&mut rig, "/recovery/state0", "ev:state:s");
    answer(&mut rig, "/recovery/log0", "ev:log:2");
    let suspected = of(&rig, Kind::GapSuspected);
    assert_eq!((suspected.len(), endings(&rig).len()), (4, 4));
    let logs = endings(&rig).into_iter().filter(|e| e.1 == "closed");
    assert!(logs.map(|e| e.2).all(|topics| topics == ["log"]));
}

#[test]
fn u18_what_is_held_is_not_covered_until_it_is_journaled() {
    let mut rig = live(Fake::new(Identity::Neither).knowing(STATE));
    rig.secs(11);
    rig.reset();
    back(&mut rig);
    let opened = rig.wall;
    rig.frame("ev:a:held");
    let (generation, ..) = rig.last_dial();
    for _ in 0..12 {
        rig.secs(1);
        rig.frame("beat");
        rig.pong_of(generation);
    }
    // The crash takes what was held: the new window begins where all before it had come.
    rig.crash();
    rig.dialled(Ok(()));
    rig.frame("ok");
    let windows = of(&rig, Kind::GapSuspected);
    let start = windows.last().unwrap().start_time.unwrap();
    assert_eq!(start, opened.minus(PLATFORM_LAG).to_proto());
}

#[test]
fn u18_a_throttled_recovery_waits_and_one_that_is_refused_has_another_way_or_ends() {
    let rest = Rest::PresentState { calls: 3 };
    let mut rig = live(Fake::new(Identity::Neither).knowing(rest));
    rig.reset();
    back(&mut rig);
    let (call, ..) = rig.last_call("/recovery/0");
    rig.sent();
    rig.answer_to(call, 429, &[("retry-after", "7")], "");
    rig.millis(6_990);
    assert_eq!(rig.requests(), 0);
    rig.until_request(1);
    let (call, ..) = rig.last_call("/recovery/0");
    rig.answer_to(call, 404, &[], "");
    let (call, ..) = rig.last_call("/recovery/1");
    rig.answer_to(call, 401, &[], "");
    let (call, ..) = rig.last_call("/recovery/1");
    rig.answer_to(call, 200, &[], "ev:a:1");
    let (call, ..) = rig.last_call("/recovery/2");
    rig.answer_to(call, 403, &[], "");
    assert_eq!(rig.last_fact(Kind::GapConfirmed).reason, "NOT_RECOVERABLE");
    assert_eq!(rig.state(), StateName::LiveWebSocket);
}

#[test]
fn u18_at_the_bound_what_moved_is_spared_by_key_within_its_family() {
    let families = [("s", STATE), ("t", STATE)];
    let mut rig = live(Fake::new(Identity::Neither).by_topic(&families));
    rig.reset();
    back(&mut rig);
    for n in 0..=10_000 {
        rig.frame(&format!("set:s:k{}:{n}", n % 3));
    }
    rig.frame("set:t:k0:t-live");
    answer(&mut rig, "/recovery/s0", "set:s:k0:old;set:s:k9:still");
    answer(&mut rig, "/recovery/t0", "set:t:k1:t-still");
    let raw = raw(&rig);
    assert!(!raw.contains(&"old".to_owned()));
    for kept in ["still", "t-live", "t-still"] {
        assert!(raw.contains(&kept.to_owned()), "{kept}");
    }
}

#[test]
fn u18_a_topic_that_is_new_claims_nothing_about_the_past() {
    let mut rig = live(Fake::new(Identity::Neither).by_topic(&[("a", Rest::Nothing)]));
    rig.secs(3);
    rig.reset();
    let more = Fake::new(Identity::Neither).by_topic(&[("a", Rest::Nothing), ("b", Rest::Nothing)]);
    rig.replace(more);
    back(&mut rig);
    let topics: Vec<_> = of(&rig, Kind::GapSuspected)
        .into_iter()
        .map(|f| f.topics)
        .collect();
    assert_eq!(topics, [["a"]]);
    let added = rig.last_fact(Kind::SubscriptionsChanged);
    assert_eq!(
        (added.reason.as_str(), added.topics),
        ("ADDED", vec!["b".to_owned()])
    );
}

#[test]
fn u18_unconfirmed_connections_prove_nothing() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.secs(5);
    let (generation, ..) = rig.last_dial();
    rig.pong_of(generation);
    let life = rig.wall;
    rig.reset();
    rig.until_request(31);
    rig.dialled(Ok(()));
    rig.secs(4);
    rig.frame("ok:a;ev:a:2");
    rig.reset();
    back(&mut rig);
    let suspected = of(&rig, Kind::GapSuspected);
    assert_eq!(suspected.len(), 1);
    let start = suspected[0].start_time.unwrap();
    assert_eq!(start, life.minus(PLATFORM_LAG).to_proto());
    let dials = rig
        .sent()
        .into_iter()
        .filter(|s| matches!(s, Sent::Dial { .. }));
    assert_eq!(dials.count(), 3);
}
