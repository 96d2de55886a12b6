//! What stands, and present states that the platform sends by itself (U18).

use super::fake::{Fake, Rest};
use super::rig::Rig;
use super::unnumbered::{PLATFORM_LAG, back, raw};
use crate::connectors::Identity;
use crate::proto::v1::event::Origin;
use crate::proto::v1::session_event::Kind;
use crate::session::TransportChoice;
use crate::session::machine::Input;

fn polling() -> Rig {
    let mut fake = Fake::new(Identity::Neither);
    fake.capabilities.long_poll = true;
    fake.capabilities.websocket = false;
    fake.capabilities.resumes = true;
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig
}

fn poll(rig: &mut Rig, body: &str) {
    let (call, ..) = rig.last_call("/next");
    rig.secs(2);
    rig.answer_to(call, 200, &[], body);
}

fn known(rig: &Rig) -> Vec<String> {
    let keys = rig.journal.state.keys();
    let known = keys.filter_map(|key| key.split_once("/known/").map(|(_, name)| name.to_owned()));
    known.collect()
}

/// Subject (scope) and key of departed things: they have no bytes.
fn departed(rig: &Rig) -> usize {
    rig.platform_events()
        .filter(|e| e.raw_data.is_empty())
        .count()
}

#[test]
fn what_stands_is_kept_with_the_events_that_say_so() {
    let mut rig = polling();
    poll(
        &mut rig,
        "in:queues/1:u/1:joined;in:queues/1:u2:joined;in:queues/2:u1:x",
    );
    poll(&mut rig, "out:queues/1:u2:left;out:queues/1:u9:never-stood");
    assert_eq!(known(&rig), ["queues/1/u%2F1", "queues/2/u1"]);
    rig.crash();
    assert_eq!(rig.machine.known.len(), 2);
}

#[test]
fn u18_a_first_present_state_is_where_the_story_begins() {
    let mut rig = polling();
    poll(&mut rig, "state:agent;missed;in:agent:c1:talking;cursor:s1");
    assert_eq!(raw(&rig), ["talking"]);
    assert_eq!(rig.kinds(), ["connected"]);
    assert_eq!(rig.platform_events().next().unwrap().origin(), Origin::Live);
    assert_eq!(rig.last_call("/next").1, "/next/s1");
}

#[test]
fn u18_a_present_state_confirms_the_window_of_what_was_missed() {
    let mut rig = polling();
    let before = rig.wall;
    poll(
        &mut rig,
        "cursor:s1;in:agent:c1:talking;in:agent:c2:waiting;in:agent:c3:held",
    );
    rig.auto_append = false;
    poll(
        &mut rig,
        "cursor:s2;state:agent;missed;in:agent:c1:talking;in:agent:c2:gone-on;ev:a:idle",
    );
    let after = rig.wall;
    rig.commit_one();
    let suspected = rig.last_fact(Kind::GapSuspected);
    assert_eq!(suspected.reason, "EVENT_MISSED");
    let times = (suspected.start_time.unwrap(), suspected.end_time.unwrap());
    assert_eq!(
        times,
        (before.minus(PLATFORM_LAG).to_proto(), after.to_proto())
    );
    assert_eq!(raw(&rig).len(), 3, "not before its gap has a sequence");
    let position = String::from_utf8(rig.journal.state["sessions/cc/position"].value.to_vec());
    assert!(position.unwrap().contains("s1"), "nor its cursor");
    rig.commit_one();
    assert_eq!(
        raw(&rig)[3..],
        ["gone-on", "idle", ""],
        "what is known is not repeated"
    );
    assert_eq!(departed(&rig), 1, "c3 ended unseen");
    let gap = rig
        .journal
        .events
        .iter()
        .find(|e| e.r#type.contains("suspected"))
        .unwrap();
    for event in rig.platform_events().skip(3) {
        assert_eq!(event.origin(), Origin::Backfill);
        assert_eq!(event.attributes["gapsequence"], gap.sequence.to_string());
    }
    let confirmed = rig.last_fact(Kind::GapConfirmed);
    assert_eq!(
        (confirmed.reason.as_str(), confirmed.gap_sequence),
        ("SNAPSHOT", gap.sequence)
    );
    assert_eq!(rig.stats.snapshot().duplicates, 1);
    assert_eq!(known(&rig), ["agent/c1", "agent/c2"]);
    rig.auto_append = true;
    while !rig.appends.is_empty() {
        rig.commit_one();
    }
    assert_eq!(rig.last_call("/next").1, "/next/s2");
}

#[test]
fn u18_a_crash_before_the_present_state_is_durable_asks_for_it_again() {
    let mut rig = polling();
    poll(&mut rig, "cursor:s1;in:agent:c1:talking");
    rig.auto_append = false;
    poll(&mut rig, "cursor:s2;state:agent;missed;in:agent:c2:new");
    rig.commit_one();
    rig.auto_append = true;
    rig.crash();
    assert_eq!(
        rig.last_call("/next").1,
        "/next/s1",
        "the stale cursor, for another state"
    );
    poll(&mut rig, "cursor:s3;state:agent;missed;in:agent:c2:new");
    assert_eq!(raw(&rig), ["talking", "new", ""]);
    let ends = rig.kinds().into_iter().filter(|k| k == "gap_confirmed");
    assert_eq!(ends.count(), 2, "the window that was open has its end, too");
    assert!(rig.journal.state.keys().all(|k| !k.contains("/gaps/")));
}

#[test]
fn u18_live_events_behind_a_present_state_wait_for_it() {
    let mut rig = Rig::with(Fake::new(Identity::Neither).shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.frame("ok;in:a:1:before");
    rig.secs(3);
    rig.auto_append = false;
    rig.frame("state:a;missed;in:a:1:state");
    rig.frame("in:a:1:live");
    rig.frame("state:a;missed;in:a:1:again");
    rig.frame("out:a:1:last");
    for _ in 0..9 {
        if !rig.appends.is_empty() {
            rig.commit_one();
        }
    }
    assert_eq!(raw(&rig), ["before", "state", "live", "again", "last"]);
    assert!(known(&rig).is_empty());
}

#[test]
fn u18_a_drain_waits_for_a_present_state_that_came() {
    let mut rig = polling();
    poll(&mut rig, "cursor:s1");
    rig.auto_append = false;
    poll(&mut rig, "cursor:s2;state;missed;ev:a:state");
    rig.input(Input::Drain);
    while !rig.appends.is_empty() {
        rig.commit_one();
    }
    assert_eq!(raw(&rig), ["state"]);
    assert_eq!(rig.state(), super::super::StateName::Ended);
}

#[test]
fn a_scope_listed_over_several_answers_tells_what_has_ended_unseen() {
    let rest = Rest::PresentState { calls: 2 };
    let mut rig = Rig::with(
        Fake::new(Identity::Neither).knowing(rest).shared(),
        TransportChoice::Auto,
    );
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.frame("ok;in:queues/1:u1:+;in:queues/1:u2:+;in:queues/1:u3:+;in:queues/2:u1:+");
    rig.reset();
    back(&mut rig);
    // Held: it joined after the window, and the list is older.
    rig.frame("in:queues/1:u4:+");
    let (call, ..) = rig.last_call("/recovery/0");
    rig.answer_to(call, 200, &[], "in:queues/1:u1:+");
    assert_eq!(departed(&rig), 0);
    let (call, ..) = rig.last_call("/recovery/1");
    rig.answer_to(call, 200, &[], "in:queues/1:u3:+;full:queues/1");
    assert_eq!(departed(&rig), 1);
    let gone = rig
        .platform_events()
        .find(|e| e.raw_data.is_empty())
        .unwrap();
    assert_eq!(gone.origin(), Origin::Backfill);
    assert!(gone.attributes.contains_key("gapsequence"));
    assert_eq!(
        known(&rig),
        ["queues/1/u1", "queues/1/u3", "queues/1/u4", "queues/2/u1"]
    );
}

#[test]
fn what_joined_while_its_scope_was_listed_is_not_taken_for_gone() {
    let mut rig = Rig::with(
        Fake::new(Identity::Neither)
            .knowing(Rest::PresentState { calls: 1 })
            .shared(),
        TransportChoice::Auto,
    );
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.frame("ok");
    rig.reset();
    back(&mut rig);
    for n in 0..=10_000 {
        rig.frame(&format!("in:q:u{}:{n}", n % 5));
    }
    let (call, ..) = rig.last_call("/recovery/0");
    rig.answer_to(call, 200, &[], "full:q");
    assert_eq!(departed(&rig), 0);
    assert_eq!(known(&rig).len(), 5);
}

#[test]
fn things_beyond_the_bound_are_counted_and_not_kept() {
    let mut known = super::super::tracked::Known::default();
    for n in 0..200_000 {
        assert!(known.insert("q", &n.to_string(), 1));
    }
    assert!(!known.insert("q", "more", 1));
    assert!(known.insert("q", "7", 2), "what is kept goes on");
}
