//! Answers to polls: cursor, loss, snapshots, ends.

use super::*;
use crate::connectors::{Confirms, Control, Snapshot, Tracked};

fn entered() -> (Arc<dyn Connector>, Box<dyn Link>) {
    let connector = connector();
    let mut link = link(&*connector, None);
    enter(&mut *link, "s1");
    (connector, link)
}

/// A session whose first state was read.
fn live() -> (Arc<dyn Connector>, Box<dyn Link>) {
    let (connector, mut link) = entered();
    let first = read(&mut *link, &body("s2", &[START, AVAILABLE]));
    assert_eq!((first.controls.len(), first.snapshot), (0, None));
    (connector, link)
}

fn polled(link: &mut dyn Link) -> String {
    let path = poll(link).url.path().to_owned();
    path.split('/').nth_back(1).unwrap().to_owned()
}

fn missed(reason: &str) -> Vec<Control> {
    let reason = reason.to_owned();
    vec![Control::Missed { reason }]
}

fn contacts() -> Option<Snapshot> {
    let complete = vec!["contacts".to_owned()];
    Some(Snapshot { complete })
}

fn call_event(id: &str, status: &str, end: &str) -> String {
    format!(
        r#"{{"Type":"CallContactEvent","ContactID":"{id}","Status":"{status}","FinalState":"{end}","IsInbound":"True","LastStateChangeTimeUTC":"2026-03-10T09:42:00.0000000Z"}}"#
    )
}

#[test]
fn the_new_id_goes_with_its_events_and_into_the_next_poll() {
    let (connector, mut link) = entered();
    assert_eq!(polled(&mut *link), "s1");
    let batch = read(&mut *link, &body("s2", &[START, AVAILABLE]));
    assert_eq!((batch.events.len(), &batch.confirms), (2, &Confirms::All));
    assert_eq!(polled(&mut *link), "s2");
    assert!(
        matches!(link.keep(), Keep::Unchanged),
        "the cursor goes with its batch alone"
    );
    let cursor = batch.opaque.unwrap();
    let mut after_crash = super::link(&*connector, Some(&cursor));
    assert_eq!(polled(&mut *after_crash), "s2");
}

#[test]
fn u10_an_answer_without_news_leaves_the_id() {
    let (_, mut link) = live();
    for status in [304, 204] {
        let batch = link.read_poll(&answer(status, "")).unwrap();
        assert_eq!((batch.events.len(), batch.confirms), (0, Confirms::All));
        assert!(batch.opaque.is_none() && batch.controls.is_empty());
        assert_eq!(polled(&mut *link), "s2");
    }
    let anybody = link.read_poll(&answer(200, " \n")).unwrap();
    assert_eq!(anybody.confirms, Confirms::Nothing);
    let same = read(&mut *link, r#"{"events":[]}"#);
    assert!(same.opaque.is_none());
    assert_eq!(polled(&mut *link), "s2");
}

#[test]
fn u13_a_body_that_is_none_changes_nothing() {
    let (_, mut link) = live();
    for bad in [
        "<html>login</html>",
        r#"{"sessionId":"s9","events":[{"Type":"a"}"#,
        r#"{"sessionId":"s9","events":{}}"#,
        r#"{"sessionId":9,"events":[]}"#,
        r#"{"sessionId":"..","events":[]}"#,
        r#"{"hello":1}"#,
        "[]",
        "{} {}",
    ] {
        let refused = link.read_poll(&answer(200, bad)).unwrap_err().to_string();
        assert!(!refused.contains("login"), "{refused}");
        assert_eq!(polled(&mut *link), "s2", "{bad}");
    }
}

#[test]
fn u20_a_malformed_event_is_kept_raw_beside_the_others() {
    let (connector, mut link) = live();
    let batch = read(
        &mut *link,
        r#"{"sessionId":"s3","events":[{"NoType":"x"}, 5,{"type":"Mute","AgentMuted":"True"},{"Type":"CallContactEvent","Status":"Active"}]}"#,
    );
    let problems: Vec<_> = batch
        .events
        .iter()
        .map(|e| e.malformed.as_deref())
        .collect();
    let expected = [
        Some("it has no type"),
        Some("not an object"),
        None,
        Some("no contact id"),
    ];
    assert_eq!(problems, expected);
    assert_eq!(batch.events[1].raw, "5");
    assert_eq!(batch.events[2].topic, "Mute");
    let draft = connector.normalize(&batch.events[0]);
    assert_eq!(draft.attributes["parseerror"], "it has no type");
    assert_eq!(draft.raw_data, r#"{"NoType":"x"}"#);
}

#[test]
fn events_are_slices_of_the_body() {
    let (_, mut link) = live();
    let answer = answer(200, &body("s3", &[AVAILABLE]));
    let batch = link.read_poll(&answer).unwrap();
    let within = answer.body.as_ptr_range();
    assert!(within.contains(&batch.events[0].raw.as_ptr()));
    assert_eq!(batch.events[0].raw, AVAILABLE);
}

#[test]
fn a_first_session_begins_without_a_loss() {
    let (_, mut link) = entered();
    let nothing = link.read_poll(&answer(304, "")).unwrap();
    assert!(nothing.controls.is_empty());
    let first = read(&mut *link, &body("s2", &[AVAILABLE, START]));
    assert_eq!((first.controls.len(), first.snapshot), (0, None));
    let topics: Vec<_> = first.events.iter().map(|e| e.topic.as_str()).collect();
    assert_eq!(
        topics,
        ["AgentSessionStart", "AgentState"],
        "the start to the front"
    );
}

#[test]
fn u18_a_stale_id_is_answered_with_a_snapshot_after_a_loss() {
    let (connector, mut link) = live();
    let cursor = read(&mut *link, &body("s3", &[AVAILABLE])).opaque.unwrap();
    let mut after_crash = super::link(&*connector, Some(&cursor));
    let active = call_event("c1", "Active", "False");
    let batch = read(&mut *after_crash, &body("s9", &[START, AVAILABLE, &active]));
    assert_eq!(batch.controls, missed("SESSION_ID_STALE"));
    assert_eq!(batch.snapshot, contacts());
    let next = read(&mut *after_crash, &body("s10", &[AVAILABLE]));
    assert_eq!((next.controls.len(), next.snapshot), (0, None));
}

#[test]
fn u18_an_id_that_is_still_good_goes_on_without_a_loss() {
    let (connector, mut link) = live();
    let cursor = read(&mut *link, &body("s3", &[AVAILABLE])).opaque.unwrap();
    let mut after_crash = super::link(&*connector, Some(&cursor));
    let batch = read(&mut *after_crash, &body("s4", &[AVAILABLE]));
    assert_eq!((batch.controls.len(), batch.snapshot), (0, None));
}

#[test]
fn u18_the_platform_says_that_it_dropped_events() {
    let (_, mut link) = live();
    let renewed = branch("3", 200, &body("s3", &[AVAILABLE]));
    let batch = link.read_poll(&renewed).unwrap();
    assert_eq!(batch.controls, missed("ICBRANCHVALUE_3"));
    assert_eq!(batch.snapshot, contacts());
    let empty = link.read_poll(&branch("3", 304, "")).unwrap();
    assert_eq!(empty.controls, missed("ICBRANCHVALUE_3"));
    assert_eq!(
        empty.snapshot, None,
        "no state is not a state without contacts"
    );
    for ordinary in ["1", "2", "7", "x"] {
        let batch = link.read_poll(&branch(ordinary, 304, "")).unwrap();
        assert!(batch.controls.is_empty(), "{ordinary}");
    }
}

#[test]
fn a_snapshot_that_cannot_be_read_whole_ends_no_contact() {
    let (_, mut link) = live();
    let broken = r#"{"Type":"CallContactEvent","ContactID":{}}"#;
    let batch = read(&mut *link, &body("s3", &[START, broken]));
    let nothing = Some(Snapshot {
        complete: Vec::new(),
    });
    assert_eq!(batch.snapshot, nothing);
}

#[test]
fn u18_a_session_in_the_place_of_another_begins_with_a_loss() {
    let (connector, mut link) = live();
    link.over(Some(StatusCode::NOT_FOUND));
    let cursor = kept(&*link);
    let mut second = super::link(&*connector, Some(&cursor));
    enter(&mut *second, "t1");
    let entered = kept(&*second);
    // A crash before the first answer does not lose the loss.
    let mut third = super::link(&*connector, Some(&entered));
    let batch = read(&mut *third, &body("t2", &[START, AVAILABLE]));
    assert_eq!(batch.controls, missed("SESSION_REPLACED"));
    assert_eq!(batch.snapshot, contacts());
    // Nor does an answer without news tell it twice.
    let quiet = second.read_poll(&answer(304, "")).unwrap();
    assert_eq!(quiet.controls, missed("SESSION_REPLACED"));
    let mut fourth = super::link(&*connector, Some(&quiet.opaque.unwrap()));
    let batch = read(&mut *fourth, &body("t2", &[START, AVAILABLE]));
    assert_eq!((batch.controls.len(), batch.snapshot), (0, contacts()));
}

#[test]
fn the_end_of_a_session_is_told_after_its_events() {
    let end = r#"{"Type":"AgentSessionEnd","Message":"","Success":"True"}"#;
    let remote = r#"{"Type":"RemoteAgentSessionEnd","Message":"SessionTimeout"}"#;
    let ends = [
        (
            "AGENT_SESSION_END",
            answer(200, &body("s3", &[AVAILABLE, end])),
        ),
        (
            "REMOTE_AGENT_SESSION_END",
            answer(200, &body("s3", &[remote])),
        ),
        (
            "ICBRANCHVALUE_4",
            branch("4", 200, &body("s3", &[AVAILABLE])),
        ),
        ("ICBRANCHVALUE_4", branch("4", 200, "")),
    ];
    for (reason, answer) in ends {
        let (connector, mut link) = live();
        let batch = link.read_poll(&answer).unwrap();
        let reason = reason.to_owned();
        assert_eq!(batch.controls, [Control::Ended { reason }]);
        let mut next = super::link(&*connector, Some(&batch.opaque.unwrap()));
        enter(&mut *next, "t1");
        let batch = read(&mut *next, &body("t2", &[START]));
        assert_eq!(batch.controls, missed("SESSION_REPLACED"));
    }
}

#[test]
fn an_end_that_failed_or_is_followed_by_a_start_ends_nothing() {
    let failed = r#"{"Type":"AgentSessionEnd","Message":"busy","Success":"False"}"#;
    let end = r#"{"Type":"AgentSessionEnd","Success":"True"}"#;
    for events in [vec![failed], vec![end, START]] {
        let (_, mut link) = live();
        let batch = read(&mut *link, &body("s3", &events));
        let ended = batch
            .controls
            .iter()
            .any(|c| matches!(c, Control::Ended { .. }));
        assert!(!ended, "{events:?}");
    }
}

#[test]
fn an_id_that_means_nothing_is_told_by_header_or_status() {
    let (connector, mut link) = live();
    let batch = link.read_poll(&branch("5", 200, "")).unwrap();
    let reason = "ICBRANCHVALUE_5".to_owned();
    assert_eq!(batch.controls, [Control::SubscriptionLost { reason }]);
    let mut next = super::link(&*connector, Some(&batch.opaque.unwrap()));
    assert!(matches!(next.setup(&token()), Setup::Call(_)));
    for status in [404, 409, 410] {
        let (connector, mut link) = live();
        link.over(Some(StatusCode::from_u16(status).unwrap()));
        let mut next = super::link(&*connector, Some(&kept(&*link)));
        assert!(matches!(next.setup(&token()), Setup::Call(_)), "{status}");
    }
    for status in [None, Some(StatusCode::SERVICE_UNAVAILABLE)] {
        let (_, mut link) = live();
        link.over(status);
        assert!(matches!(link.keep(), Keep::Unchanged), "{status:?}");
    }
}

#[test]
fn contacts_stand_until_their_final_state() {
    let (_, mut link) = live();
    let table = [
        ("Incoming", "False", true),
        ("Active", "False", true),
        ("Disconnected", "False", true),
        ("Disconnected", "True", false),
    ];
    for (status, end, stands) in table {
        let batch = read(&mut *link, &body("s3", &[&call_event("c1", status, end)]));
        let event = &batch.events[0];
        let expected = Tracked {
            scope: "contacts".to_owned(),
            key: "c1".to_owned(),
            stands,
        };
        assert_eq!(event.tracked, Some(expected), "{status} {end}");
        assert_eq!(event.key.as_deref(), Some("contacts/c1"));
        assert!(event.dated && event.time.is_some());
    }
    let digital = r#"{"Type":"DigitalContactEvent","ContactID":"d1","Status":"Incoming"}"#;
    let batch = read(&mut *link, &body("s4", &[digital]));
    assert_eq!(batch.events[0].tracked, None, "a snapshot does not list it");
}
