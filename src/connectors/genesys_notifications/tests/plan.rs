//! From settings to channels: what is asked, and what becomes of what cannot be had.

use serde_json::json;

use super::super::plan::TopicPlan;
use super::settings::topic;
use super::*;
use crate::connectors::{Control, Plan, Selector, TopicSetting};

const NO_CATALOGUE: (u16, &str) = (403, "");

/// Carries a plan out; `respond` is told each call.
fn carried_out(
    plan: &mut TopicPlan,
    mut respond: impl FnMut(&Call) -> (u16, String),
) -> (Vec<Arc<dyn Connector>>, Vec<String>) {
    let mut lines = Vec::new();
    for _ in 0..1_000 {
        match plan.next(&token()) {
            Step::Done(connectors) => return (connectors, lines),
            Step::Call(call) => {
                site().addresses.check(&call.url).unwrap();
                lines.push(line(&call));
                let (status, body) = if call.url.path().ends_with("availabletopics") {
                    (NO_CATALOGUE.0, NO_CATALOGUE.1.to_owned())
                } else {
                    respond(&call)
                };
                let answer = answered(status, body);
                if answer.status.is_success() {
                    plan.answer(&answer).unwrap();
                } else {
                    assert!(plan.refused(answer.status), "{}", lines.last().unwrap());
                }
            }
        }
    }
    panic!("a plan without an end: {lines:?}");
}

fn plan(topics: Vec<TopicSetting>) -> TopicPlan {
    TopicPlan::new(site(), topics)
}

fn named(names: &[&str]) -> Option<Selector> {
    Some(Selector::Named(
        names.iter().map(|n| (*n).to_owned()).collect(),
    ))
}

/// What a connector says is not covered, when it is first confirmed.
pub(super) fn uncovered(connector: &dyn Connector) -> Vec<(String, String)> {
    let mut link = link_at(connector, None, false, noon());
    let beat = frame(r#"{"topicName":"channel.metadata","eventBody":{"message":"pong"}}"#);
    let batch = link.read_frame(MonoTime::now(), &beat).unwrap();
    let controls = batch.controls.into_iter();
    controls
        .map(|control| match control {
            Control::TopicRejected { topic, reason } => (topic, reason),
            other => panic!("not a rejection: {other:?}"),
        })
        .collect()
}

#[test]
fn ids_are_taken_as_they_are_and_nothing_is_asked() {
    let mut plan = plan(vec![
        topic("v2.users.{id}.presence", named(&[AGENT, OTHER_AGENT])),
        topic("v2.conversations.{id}.transcription", named(&["any-thing"])),
    ]);
    let (connectors, lines) = carried_out(&mut plan, |call| panic!("{call:?}"));
    assert_eq!(lines.len(), 1, "the catalogue alone: {lines:?}");
    let mut expected = vec![
        presence_of(AGENT),
        presence_of(OTHER_AGENT),
        "v2.conversations.any-thing.transcription".to_owned(),
    ];
    expected.sort();
    assert_eq!(connectors[0].topics(), expected);
    assert!(uncovered(&*connectors[0]).is_empty());
}

#[test]
fn names_of_queues_are_looked_up_exactly_and_once() {
    let mut plan = plan(vec![
        topic(
            "v2.routing.queues.{id}.conversations",
            named(&["Billing", QUEUE]),
        ),
        topic("v2.routing.queues.{id}.users", named(&["billing"])),
    ]);
    let (connectors, lines) = carried_out(&mut plan, |_| {
        let entities = json!([
            { "id": id(1), "name": "Billing night" },
            { "id": id(2), "name": "BILLING" },
        ]);
        (
            200,
            json!({ "entities": entities, "pageCount": 1 }).to_string(),
        )
    });
    let asked = "GET /api/v2/routing/queues?name=billing&pageSize=100&pageNumber=1";
    assert_eq!(lines[1..], [asked]);
    assert_eq!(
        connectors[0].topics(),
        [
            format!("v2.routing.queues.{}.conversations", id(2)),
            format!("v2.routing.queues.{}.users", id(2)),
            format!("v2.routing.queues.{QUEUE}.conversations"),
        ]
    );
}

#[test]
fn lists_are_read_page_by_page() {
    let mut plan = plan(vec![
        topic("v2.users.{id}.presence", Some(Selector::All)),
        topic("v2.users.{id}.routingStatus", named(&["anna@example.test"])),
    ]);
    let (connectors, lines) = carried_out(&mut plan, |call| {
        let page: usize = query_of(call, "pageNumber")[0].parse().unwrap();
        let entities: Vec<_> = (0..100)
            .map(|n| json!({ "id": id(page * 100 + n), "email": format!("u{page}-{n}@example.test") }))
            .chain((page == 3).then(|| json!({ "id": AGENT, "email": "Anna@example.test" })))
            .collect();
        (
            200,
            json!({ "entities": entities, "pageCount": 3 }).to_string(),
        )
    });
    assert_eq!(lines.len(), 4, "one list serves both: {lines:?}");
    let topics: usize = connectors.iter().map(|c| c.topics().len()).sum();
    assert_eq!(topics, 302);
    assert!(
        connectors[0]
            .topics()
            .contains(&format!("v2.users.{AGENT}.routingStatus"))
    );
}

#[test]
fn users_of_queues_are_their_members() {
    let members = Selector::UsersOfQueues(vec!["Billing".to_owned()]);
    let mut plan = plan(vec![topic("v2.users.{id}.presence", Some(members))]);
    let (connectors, lines) = carried_out(&mut plan, |call| {
        let body = match call.url.path() {
            "/api/v2/routing/queues" => json!({ "entities": [{ "id": QUEUE, "name": "Billing" }] }),
            _ if query_of(call, "pageNumber") == ["1"] => {
                let page: Vec<_> = (0..100).map(|n| json!({ "id": id(n) })).collect();
                json!({ "entities": page })
            }
            _ => json!({ "entities": [{ "id": AGENT }, { "id": id(0) }] }),
        };
        (200, body.to_string())
    });
    let members = format!("GET /api/v2/routing/queues/{QUEUE}/members?pageSize=100&pageNumber=2");
    assert_eq!(lines.last(), Some(&members));
    assert_eq!(
        connectors[0].topics().len(),
        101,
        "a member of two queues counts once"
    );
}

#[test]
fn what_does_not_resolve_is_told_and_the_rest_goes_on() {
    let gone = Selector::UsersOfQueues(vec![QUEUE.to_owned()]);
    let mut plan = plan(vec![
        topic("v2.users.{id}.presence", named(&[AGENT, "Nobody"])),
        topic("v2.users.{id}.activity", Some(gone)),
        topic("v2.routing.queues.{id}.users", named(&["Secret", "Twice"])),
        topic(
            "v2.workforcemanagement.managementunits.{id}.adherence",
            Some(Selector::All),
        ),
    ]);
    let (connectors, _) = carried_out(&mut plan, |call| match call.url.path() {
        "/api/v2/users" => (200, json!({ "entities": [] }).to_string()),
        "/api/v2/workforcemanagement/managementunits" => (403, String::new()),
        path if path.ends_with("members") => (404, String::new()),
        _ if query_of(call, "name") == ["secret"] => (403, String::new()),
        _ => {
            let two = json!([{ "id": id(1), "name": "Twice" }, { "id": id(2), "name": "twice" }]);
            (200, json!({ "entities": two }).to_string())
        }
    });
    assert_eq!(connectors[0].topics(), [presence_of(AGENT)]);
    let told = uncovered(&*connectors[0]);
    let reason_of = |topic: &str| {
        let found = told.iter().find(|(t, _)| t.contains(topic));
        found
            .unwrap_or_else(|| panic!("{topic}: {told:?}"))
            .1
            .clone()
    };
    assert_eq!(told.len(), 5);
    assert_eq!(reason_of("Nobody"), "NOT_FOUND");
    assert_eq!(reason_of("Secret"), "missing routing:queue:view (403)");
    assert!(reason_of("Twice").starts_with("AMBIGUOUS"));
    assert!(reason_of("activity").starts_with("NOT_FOUND"));
    assert!(reason_of("managementunits.*").contains("wfm:managementUnit:view"));
}

#[test]
fn refusals_that_are_not_about_the_question_do_not_answer_it() {
    let mut plan = plan(vec![topic("v2.users.{id}.presence", named(&["Anna"]))]);
    plan.refused(StatusCode::FORBIDDEN);
    for code in [401, 408, 429, 500, 503] {
        assert!(!plan.refused(StatusCode::from_u16(code).unwrap()), "{code}");
        assert!(matches!(plan.next(&token()), Step::Call(_)), "asked again");
    }
}

#[test]
fn u42_every_question_goes_to_the_endpoint() {
    let mut plan = plan(vec![topic(
        "v2.workforcemanagement.teams.{id}.adherence",
        Some(Selector::All),
    )]);
    let (connectors, lines) = carried_out(&mut plan, |call| {
        let next = "https://evil.test/api/v2/teams?pageSize=100&after=c2";
        let body = if query_of(call, "after").is_empty() {
            json!({ "entities": [{ "id": id(1) }], "nextUri": next })
        } else {
            json!({ "entities": [{ "id": id(2) }] })
        };
        (200, body.to_string())
    });
    assert_eq!(
        lines.last().unwrap(),
        "GET /api/v2/teams?pageSize=100&after=c2"
    );
    assert_eq!(connectors[0].topics().len(), 2);
}

#[test]
fn impossible_topics_are_told_before_they_are_asked_for() {
    let mut plan = plan(vec![
        topic("v2.users.{id}?presence&nonsense", named(&[AGENT])),
        topic("v2.users.{id}.nonsense", named(&[OTHER_AGENT])),
        topic("v2.users.{id}.tokens", named(&[AGENT])),
        topic("v2.audits.x", None),
    ]);
    let Step::Call(call) = plan.next(&token()) else {
        panic!("the catalogue comes first");
    };
    assert_eq!(call.url.path(), "/api/v2/notifications/availabletopics");
    let catalogue = json!({ "entities": [
        { "id": "v2.users.{id}.presence", "transports": ["All"] },
        { "id": "v2.users.{id}.tokens", "requiresCurrentUser": true },
        { "id": "v2.audits.{id}", "transports": ["EventBridge"] },
    ] });
    plan.answer(&answered(200, catalogue)).unwrap();
    let Step::Done(connectors) = plan.next(&token()) else {
        panic!("nothing else is to be asked");
    };
    assert_eq!(
        connectors[0].topics(),
        [format!("v2.users.{AGENT}?presence&nonsense")]
    );
    let told = uncovered(&*connectors[0]);
    let reasons: Vec<_> = told
        .iter()
        .map(|(_, r)| r.split(':').next().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "UNKNOWN_TOPIC",
            "REQUIRES_CURRENT_USER",
            "NOT_OVER_WEBSOCKET"
        ]
    );
}

#[test]
fn a_topic_that_a_combined_one_brings_is_sent_once() {
    let mut plan = plan(vec![
        topic("v2.users.{id}.presence", named(&[AGENT, OTHER_AGENT])),
        topic("v2.users.{id}?presence&routingStatus", named(&[AGENT])),
        topic(&presence_of(&OTHER_AGENT.to_uppercase()), None),
    ]);
    let (connectors, _) = carried_out(&mut plan, |call| panic!("{call:?}"));
    let mut expected = [
        presence_of(OTHER_AGENT),
        format!("v2.users.{AGENT}?presence&routingStatus"),
    ];
    expected.sort();
    assert_eq!(connectors[0].topics(), expected);
}

#[test]
fn more_topics_than_channels_hold_are_told() {
    let ids: Vec<String> = (0..10_400).map(id).collect();
    let topics = vec![TopicSetting {
        template: "v2.users.{id}?presence&routingStatus".to_owned(),
        ids: Some(Selector::Named(ids)),
    }];
    let site = Site {
        redundancy: Redundancy::Double,
        ..site()
    };
    let mut plan = TopicPlan::new(site, topics);
    let (connectors, _) = carried_out(&mut plan, |call| panic!("{call:?}"));
    assert_eq!(connectors.len(), 10);
    assert!(connectors.iter().all(|c| c.topics().len() == 1000));
    let told = uncovered(&*connectors[0]);
    assert_eq!(told.len(), 400);
    assert!(told.iter().all(|(_, reason)| reason == "CHANNEL_LIMIT"));
    assert!(uncovered(&*connectors[1]).is_empty());
}

#[test]
fn thousands_of_pages_are_not_followed_for_ever() {
    let mut plan = plan(vec![topic("v2.users.{id}.presence", Some(Selector::All))]);
    let (_, lines) = carried_out(&mut plan, |call| {
        let page: usize = query_of(call, "pageNumber")[0].parse().unwrap();
        let page: Vec<_> = (0..100)
            .map(|n| json!({ "id": id(page * 100 + n) }))
            .collect();
        let answer = json!({ "entities": page, "pageCount": 1_u64 << 60 });
        (200, answer.to_string())
    });
    assert_eq!(lines.len(), 201);
}

#[test]
fn a_list_that_knows_no_pages_is_read_once_more_and_no_further() {
    let mut plan = plan(vec![topic(
        "v2.workforcemanagement.managementunits.{id}.adherence",
        Some(Selector::All),
    )]);
    let (connectors, lines) = carried_out(&mut plan, |_| {
        let all: Vec<_> = (0..130).map(|n| json!({ "id": id(n) })).collect();
        (200, json!({ "entities": all }).to_string())
    });
    assert_eq!((lines.len(), connectors[0].topics().len()), (3, 130));
}

#[test]
fn ids_that_could_break_out_of_a_path_are_not_taken() {
    let mut plan = plan(vec![topic("v2.users.{id}.presence", Some(Selector::All))]);
    let (connectors, _) = carried_out(&mut plan, |_| {
        let entities = json!([{ "id": "../x" }, { "id": "a?b" }, { "id": "" }, { "id": 7 }, {}]);
        (200, json!({ "entities": entities }).to_string())
    });
    assert!(connectors[0].topics().is_empty());
}
