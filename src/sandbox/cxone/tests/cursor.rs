//! The id that changes with every answer: news, holds, old ids, fights.

use super::*;

#[tokio::test]
async fn each_answer_has_a_new_id_and_what_happened_since() {
    let visit = Visit::plain().await;
    let first = visit.live().await;
    let fact = visit.available();
    assert_eq!(visit.fate(fact), FactFate::Queued);
    let got = visit.poll(&first).await;
    assert_eq!(got.outcome(), (200, Some("1")));
    assert_eq!(got.types(), ["AgentState"]);
    let second = got.id();
    assert_ne!(first, second);
    assert_eq!(visit.fate(fact), FactFate::Sent(2));
    let raw: Value = got.events()[0].clone();
    let object = raw.as_object().unwrap();
    assert!(
        object
            .iter()
            .all(|(name, value)| value.is_string() || name == "NextStates"),
        "{raw}"
    );
    assert_eq!(visit.poll(&second).await.outcome(), (304, Some("2")));
    assert_eq!(visit.fate(fact), FactFate::Confirmed(2));
}

#[tokio::test]
async fn a_hold_ends_with_the_first_event_or_with_304_under_the_same_id() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let start = tokio::time::Instant::now();
    let quiet = visit.hold(&id, 1).await.unwrap();
    assert_eq!((quiet.status, quiet.body.as_str()), (304, ""));
    assert!(quiet.description.is_some());
    assert!(start.elapsed() >= Duration::from_secs(1));
    let held = async { visit.hold(&id, 60).await.unwrap() };
    let happens = async {
        visit.until_held(1).await;
        visit.available();
    };
    let (got, ()) = tokio::join!(held, happens);
    assert_eq!(got.types(), ["AgentState"]);
}

#[tokio::test]
async fn a_hold_is_between_0_and_60_seconds() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    for query in ["?timeout=61", "?timeout=-1", "?timeout=x", ""] {
        let path = format!("{SERVICES}/agent-sessions/{id}/get-next-event{query}");
        assert_eq!(
            visit.get(&path).await.outcome(),
            (400, Some("7")),
            "{query}"
        );
    }
}

#[tokio::test]
async fn an_old_id_is_answered_with_what_is() {
    let visit = Visit::plain().await;
    let old = visit.live().await;
    let contact = visit.change(Change::Offer {
        kind: ContactKind::Digital,
    });
    let lost = visit.poll(&old).await;
    let waiting = visit.available();
    let got = visit.poll(&old).await;
    assert_eq!(got.outcome(), (200, Some("3")));
    assert_eq!(
        got.types(),
        ["AgentSessionStart", "AgentState", "DigitalContactEvent"]
    );
    assert_eq!(got.events()[1]["CurrentState"], "Available");
    assert_eq!(visit.fate(contact.fact.unwrap()), FactFate::Replaced(3));
    assert_eq!(visit.fate(waiting), FactFate::Replaced(3));
    let answer = visit.tenant.answers(2, 1)[0].clone();
    assert_eq!((answer.cause, answer.items.len()), (AnswerCause::OldId, 3));
    // The id that was lost is an old one as well.
    assert_eq!(visit.poll(&lost.id()).await.branch.as_deref(), Some("3"));
}

#[tokio::test]
async fn the_last_answer_comes_once_more_where_that_is_so() {
    let config = CxoneConfig {
        replay_last: true,
        ..CxoneConfig::default()
    };
    let visit = Visit::new(config).await;
    let old = visit.live().await;
    let fact = visit.available();
    let lost = visit.poll(&old).await;
    let again = visit.poll(&old).await;
    assert_eq!(
        (again.body.as_str(), again.branch.as_deref()),
        (&*lost.body, Some("1"))
    );
    assert_eq!(visit.poll(&again.id()).await.status, 304);
    assert_eq!(visit.fate(fact), FactFate::Confirmed(2));
    // It has arrived now: the id is simply an old one.
    assert_eq!(visit.poll(&old).await.branch.as_deref(), Some("3"));
}

#[tokio::test]
async fn ids_beyond_what_is_remembered_are_unknown() {
    let config = CxoneConfig {
        remembered_ids: 2,
        ..CxoneConfig::default()
    };
    let visit = Visit::new(config).await;
    let mut ids = vec![visit.live().await];
    for _ in 0..3 {
        visit.available();
        ids.push(visit.poll(ids.last().unwrap()).await.id());
    }
    assert_eq!(visit.poll(&ids[0]).await.outcome(), (404, Some("5")));
    assert_eq!(visit.poll(&ids[2]).await.outcome(), (200, Some("3")));
    assert_eq!(visit.poll("bm9uZQ==").await.outcome(), (404, Some("5")));
    let asked = visit.tenant.requests(0, 99);
    let cursors: Vec<_> = asked.iter().filter_map(|request| request.cursor).collect();
    assert_eq!(
        cursors[cursors.len() - 3..],
        [Cursor::Unknown, Cursor::Old, Cursor::Unknown]
    );
}

#[tokio::test]
async fn two_pollers_on_one_session_fight() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let one = async { visit.hold(&id, 60).await.unwrap() };
    let other = async { visit.hold(&id, 60).await.unwrap() };
    let happens = async {
        visit.until_held(2).await;
        visit.available();
    };
    let (one, other, ()) = tokio::join!(one, other, happens);
    let (news, snapshot) = match one.branch.as_deref() {
        Some("1") => (one, other),
        _ => (other, one),
    };
    assert_eq!(news.types(), ["AgentState"]);
    assert_eq!(snapshot.outcome(), (200, Some("3")));
    // And so on: whoever asks next has an old id.
    assert_eq!(visit.poll(&news.id()).await.branch.as_deref(), Some("3"));
    assert_eq!(
        visit.poll(&snapshot.id()).await.branch.as_deref(),
        Some("3")
    );
}

#[tokio::test]
async fn a_second_join_makes_the_first_id_an_old_one() {
    let visit = Visit::plain().await;
    let first = visit.live().await;
    let second = visit.join().await;
    assert_eq!(visit.poll(&second).await.outcome(), (200, Some("1")));
    assert_eq!(visit.poll(&first).await.outcome(), (200, Some("3")));
}

#[tokio::test]
async fn of_custom_events_with_one_name_only_the_newest_waits() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let send = |name: &str, data: &str| {
        let (name, data) = (name.to_owned(), data.to_owned());
        visit.change(Change::Custom { name, data }).fact.unwrap()
    };
    let first = send("a", "1");
    send("b", "2");
    let third = send("a", "3");
    let got = visit.poll(&id).await;
    let data: Vec<_> = got
        .events()
        .iter()
        .map(|event| event["data"].clone())
        .collect();
    assert_eq!(data, ["2", "3"]);
    assert_eq!(visit.fate(first), FactFate::Coalesced(third));
    // What is on the wire is not overwritten any more.
    let fourth = send("a", "4");
    assert_eq!(visit.poll(&got.id()).await.events().len(), 1);
    assert!(matches!(visit.fate(third), FactFate::Confirmed(_)));
    assert!(matches!(visit.fate(fourth), FactFate::Sent(_)));
}

#[tokio::test]
async fn more_than_is_kept_is_told_as_missed() {
    let config = CxoneConfig {
        queue_capacity: 3,
        ..CxoneConfig::default()
    };
    let visit = Visit::new(config).await;
    let id = visit.live().await;
    let facts: Vec<_> = (0..5).map(|_| visit.available()).collect();
    let got = visit.poll(&id).await;
    assert_eq!(got.outcome(), (200, Some("3")));
    assert_eq!(got.types(), ["AgentSessionStart", "AgentState"]);
    assert_eq!(visit.fate(facts[0]), FactFate::Dropped);
    assert_eq!(visit.fate(facts[4]), FactFate::Replaced(2));
    assert_eq!(visit.poll(&got.id()).await.status, 304);
}

#[tokio::test]
async fn the_branch_is_left_out_where_that_is_so() {
    let config = CxoneConfig {
        branch_value: false,
        ..CxoneConfig::default()
    };
    let visit = Visit::new(config).await;
    let id = visit.live().await;
    visit.available();
    assert_eq!(visit.poll(&id).await.outcome(), (200, None));
    assert_eq!(visit.poll(&id).await.outcome(), (200, None));
}

#[tokio::test]
async fn a_token_that_expires_ends_a_hold_only_where_that_is_so() {
    for ends in [false, true] {
        let config = CxoneConfig {
            expiry_ends_holds: ends,
            ..CxoneConfig::default()
        };
        let visit = Visit::new(config).await;
        let id = visit.live().await;
        let held = async { visit.hold(&id, 60).await.unwrap() };
        let happens = async {
            visit.until_held(1).await;
            visit.set(CxoneFault::ExpireTokensNow {});
            visit.available();
        };
        let (got, ()) = tokio::join!(held, happens);
        assert_eq!(got.status, if ends { 401 } else { 200 });
        assert_eq!(visit.poll(&id).await.status, 401);
    }
}
