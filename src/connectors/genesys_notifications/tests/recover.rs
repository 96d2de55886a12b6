//! Loss windows of agents, queues and adherence: what REST is asked, and what it proves.

use serde_json::json;

use super::*;

fn recoverer(topics: &[&str], family: &str) -> Box<dyn Recoverer> {
    connector(topics).recover(family, &window()).unwrap()
}

fn presence(user: &str, since: &str) -> Value {
    json!({
        "userId": user, "source": "PURECLOUD", "primary": true, "modifiedDate": since,
        "presenceDefinition": { "id": "d", "systemPresence": "AWAY" },
    })
}

fn change(start: &str, presence: &str) -> Value {
    json!({ "startTime": start, "systemPresence": presence, "organizationPresenceId": "d" })
}

fn details(user: &str, presences: &[Value]) -> String {
    json!({ "userDetails": [{ "userId": user, "primaryPresence": presences }] }).to_string()
}

fn is_timeline(call: &Call) -> bool {
    call.url.path() == "/api/v2/analytics/users/details/query"
}

const BEFORE: &str = "2026-03-10T11:00:00.000Z";
const WITHIN: &str = "2026-03-10T12:00:30.000Z";

#[test]
fn u18_states_older_than_the_window_close_it() {
    let topics: Vec<String> = (0..120).map(|n| presence_of(&id(n))).collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut recoverer = recoverer(&topics, "presence");
    assert!(recoverer.holds());
    let mut sizes = Vec::new();
    let (found, events, _) = recovered(&mut *recoverer, |call| {
        assert_eq!(call.url.path(), "/api/v2/users/presences/purecloud/bulk");
        let ids = query_of(call, "id").remove(0);
        sizes.push(ids.split(',').count());
        let states: Vec<_> = ids.split(',').map(|user| presence(user, BEFORE)).collect();
        (200, json!(states).to_string())
    });
    assert_eq!(found, Found::Everything);
    assert_eq!(sizes, [50, 50, 20]);
    assert!(events.is_empty());
}

#[test]
fn u18_the_timeline_closes_a_window_with_every_change_in_it() {
    let topics = [presence_of(AGENT), presence_of(OTHER_AGENT)];
    let mut recoverer = recoverer(&[&topics[0], &topics[1]], "presence");
    let (found, events, _) = recovered(&mut *recoverer, |call| {
        if !is_timeline(call) {
            let states = [presence(AGENT, WITHIN), presence(OTHER_AGENT, BEFORE)];
            return (200, json!(states).to_string());
        }
        let body = body_of(call);
        let asked = &body["userFilters"][0]["predicates"];
        assert_eq!(asked, &json!([{ "dimension": "userId", "value": AGENT }]));
        assert_eq!(
            body["interval"],
            "2026-03-10T11:59:55.000Z/2026-03-10T12:01:01.000Z"
        );
        let told = [
            change(BEFORE, "AVAILABLE"),
            change("2026-03-10T12:00:10.000Z", "BREAK"),
            change(WITHIN, "AWAY"),
            change("2026-03-10T12:05:00.000Z", "MEAL"),
        ];
        (200, details(&AGENT.to_uppercase(), &told))
    });
    assert_eq!(found, Found::Everything);
    let raws: Vec<Value> = events
        .iter()
        .map(|e| serde_json::from_slice(&e.raw).unwrap())
        .collect();
    assert_eq!(
        raws,
        [
            change("2026-03-10T12:00:10.000Z", "BREAK"),
            change(WITHIN, "AWAY")
        ]
    );
    assert!(
        events
            .iter()
            .all(|e| e.topic == topics[0] && e.family == "presence")
    );
    assert_eq!(events[1].time, Some(wall(WITHIN)));
}

#[test]
fn a_timeline_that_lags_behind_the_state_proves_nothing() {
    let topic = presence_of(AGENT);
    let mut recoverer = recoverer(&[&topic], "presence");
    let (found, events, _) = recovered(&mut *recoverer, |call| {
        if is_timeline(call) {
            (
                200,
                details(AGENT, &[change("2026-03-10T12:00:10.000Z", "BREAK")]),
            )
        } else {
            (200, json!([presence(AGENT, WITHIN)]).to_string())
        }
    });
    assert_eq!(found, Found::PresentState);
    assert_eq!(events.len(), 2, "the change it knew, then the state");
    assert_eq!(events[1].time, Some(wall(WITHIN)));
}

#[test]
fn without_the_timeline_the_present_state_is_told() {
    let topic = presence_of(AGENT);
    let mut recoverer = recoverer(&[&topic, &presence_of(OTHER_AGENT)], "presence");
    let (found, events, _) = recovered(&mut *recoverer, |call| {
        if is_timeline(call) {
            return (403, String::new());
        }
        let states = [presence(AGENT, WITHIN), presence(OTHER_AGENT, BEFORE)];
        (200, json!(states).to_string())
    });
    assert_eq!(found, Found::PresentState);
    assert_eq!(events.len(), 1, "who did not change is not told");
    assert_eq!(events[0].topic, topic);
    let normal = connector(&[&topic]).normalize(&events[0]);
    assert_eq!(normal.r#type, "ccaas.agent.state_changed.v1");
}

#[test]
fn a_state_without_a_date_or_not_listed_may_have_changed() {
    for answer in [
        json!([]),
        json!([{ "userId": AGENT }]),
        json!([{ "userId": AGENT, "modifiedDate": 1e30 }]),
    ] {
        let mut recoverer = recoverer(&[&presence_of(AGENT)], "presence");
        let (found, ..) = recovered(&mut *recoverer, |call| {
            let body = if is_timeline(call) {
                "{}".to_owned()
            } else {
                answer.to_string()
            };
            (200, body)
        });
        assert_eq!(found, Found::PresentState);
    }
}

#[test]
fn a_state_dated_just_before_the_window_may_have_been_missed() {
    let mut recoverer = recoverer(&[&presence_of(AGENT)], "presence");
    let just = "2026-03-10T11:59:57.000Z";
    let (found, events, _) = recovered(&mut *recoverer, |call| {
        if is_timeline(call) {
            (200, details(AGENT, &[change(just, "AWAY")]))
        } else {
            (200, json!([presence(AGENT, just)]).to_string())
        }
    });
    assert_eq!((found, events.len()), (Found::Everything, 1));
}

#[test]
fn a_change_after_the_window_asks_what_was_in_it() {
    let mut recoverer = recoverer(&[&presence_of(AGENT)], "presence");
    let after = "2026-03-10T12:03:00.000Z";
    let (found, events, _) = recovered(&mut *recoverer, |call| {
        if !is_timeline(call) {
            return (200, json!([presence(AGENT, after)]).to_string());
        }
        let interval = body_of(call)["interval"].clone();
        assert_eq!(
            interval,
            "2026-03-10T11:59:55.000Z/2026-03-10T12:03:02.000Z"
        );
        (
            200,
            details(AGENT, &[change(WITHIN, "BREAK"), change(after, "AWAY")]),
        )
    });
    assert_eq!((found, events.len()), (Found::Everything, 1));
}

#[test]
fn routing_status_is_recovered_alike() {
    let topic = format!("v2.users.{AGENT}.routingStatus");
    let mut recoverer = recoverer(&[&topic], "routing_status");
    let (found, events, _) = recovered(&mut *recoverer, |call| {
        if is_timeline(call) {
            let told = json!([{ "startTime": WITHIN, "routingStatus": "INTERACTING" }]);
            let users = json!({ "userDetails": [{ "userId": AGENT, "routingStatus": told }] });
            return (200, users.to_string());
        }
        assert_eq!(call.url.path(), "/api/v2/users");
        assert_eq!(query_of(call, "expand"), ["routingStatus"]);
        let status = json!({ "userId": AGENT, "status": "INTERACTING", "startTime": WITHIN });
        (
            200,
            json!({ "entities": [{ "id": AGENT, "routingStatus": status }] }).to_string(),
        )
    });
    assert_eq!((found, events.len()), (Found::Everything, 1));
    let normal = connector(&[&topic]).normalize(&events[0]);
    let Some(crate::proto::v1::event::Data::AgentStateEvent(state)) = normal.data else {
        panic!("{normal:?}");
    };
    assert_eq!(state.provider_state, "INTERACTING");
}

#[test]
fn queue_observations_are_a_present_state_of_the_moment_of_asking() {
    let topics: Vec<String> = (0..60)
        .map(|n| format!("v2.analytics.queues.{}.observations", id(n)))
        .collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut recoverer = recoverer(&topics, "queue_observations");
    let (found, events, _) = recovered(&mut *recoverer, |call| {
        let body = body_of(call);
        let asked = body["filter"]["predicates"].as_array().unwrap().clone();
        assert!(asked.len() <= 50);
        let data = json!([{ "metric": "oWaiting", "stats": { "count": 3 } }]);
        let foreign = json!({ "value": "another-queue" });
        let results: Vec<_> = asked.iter().chain([&foreign])
            .map(|q| json!({ "group": { "queueId": q["value"], "mediaType": "voice" }, "data": data }))
            .collect();
        (200, json!({ "results": results }).to_string())
    });
    assert_eq!((found, events.len()), (Found::PresentState, 60));
    assert!(
        events
            .iter()
            .all(|e| e.time == Some(noon()) && e.key.is_some())
    );
}

#[test]
fn members_of_a_queue_are_listed_to_the_end() {
    let (one, two) = (
        format!("v2.routing.queues.{QUEUE}.users"),
        format!("v2.routing.queues.{UNIT}.users"),
    );
    let mut recoverer = recoverer(&[&one, &two], "queue_members");
    let (found, events, complete) = recovered(&mut *recoverer, |call| {
        let full = call.url.path().contains(QUEUE) && query_of(call, "pageNumber") == ["1"];
        let count = if full { 100 } else { 3 };
        let offset = if full { 0 } else { 200 };
        let members: Vec<_> = (0..count)
            .map(|n| json!({ "id": id(offset + n), "user": { "id": id(offset + n) }, "joined": n != 1 }))
            .collect();
        (200, json!({ "entities": members }).to_string())
    });
    assert_eq!((found, events.len()), (Found::PresentState, 106));
    assert_eq!(
        complete,
        [format!("queues/{QUEUE}"), format!("queues/{UNIT}")]
    );
    let tracked = events[1].tracked.as_ref().unwrap();
    assert!(!tracked.stands && tracked.key == id(1));
}

#[test]
fn a_queue_that_may_not_be_read_leaves_the_gap_open_and_the_others_told() {
    let (one, two) = (
        format!("v2.routing.queues.{QUEUE}.users"),
        format!("v2.routing.queues.{UNIT}.users"),
    );
    for forbidden in [QUEUE, UNIT] {
        let mut recoverer = recoverer(&[&one, &two], "queue_members");
        let (found, events, complete) = recovered(&mut *recoverer, |call| {
            if call.url.path().contains(forbidden) {
                return (403, String::new());
            }
            (
                200,
                json!({ "entities": [{ "id": AGENT, "joined": true }] }).to_string(),
            )
        });
        assert_eq!(
            (found, events.len(), complete.len()),
            (Found::Nothing, 1, 1)
        );
    }
}

#[test]
fn adherence_is_asked_by_hundreds_of_users_and_by_unit() {
    let mut topics: Vec<String> = (0..150)
        .map(|n| format!("v2.users.{}.workforcemanagement.adherence", id(n)))
        .collect();
    topics.push(format!(
        "v2.workforcemanagement.managementunits.{UNIT}.adherence"
    ));
    topics.push(format!("v2.workforcemanagement.teams.{QUEUE}.adherence"));
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let record =
        |user: &str, since: &str| json!({ "user": { "id": user }, "timeOfAdherenceChange": since });
    let mut lines = Vec::new();
    let ask = |since: &'static str, lines: &mut Vec<String>| {
        let mut recoverer = recoverer(&names, "adherence");
        recovered(&mut *recoverer, |call| {
            lines.push(call.url.path().to_owned());
            let users = query_of(call, "userId");
            if users.is_empty() {
                return (
                    200,
                    json!({ "entities": [record(AGENT, since)] }).to_string(),
                );
            }
            let records: Vec<_> = users.iter().map(|user| record(user, BEFORE)).collect();
            (200, json!(records).to_string())
        })
    };
    let (found, events, _) = ask(BEFORE, &mut lines);
    assert_eq!((found, events.len()), (Found::Everything, 0));
    let wfm = "/api/v2/workforcemanagement";
    let unit = format!("{wfm}/managementunits/{UNIT}/adherence");
    let team = format!("{wfm}/teams/{QUEUE}/adherence");
    assert_eq!(
        lines,
        [
            format!("{wfm}/adherence"),
            format!("{wfm}/adherence"),
            unit,
            team
        ]
    );
    let (found, events, _) = ask(WITHIN, &mut lines);
    assert_eq!((found, events.len()), (Found::PresentState, 2));
    assert_eq!(events[0].topic, topics[150]);
    assert_eq!(events[0].key.as_deref(), Some(AGENT));
}

#[test]
fn a_presence_that_changed_is_an_adherence_event_too() {
    let topic = format!("v2.users.{AGENT}.workforcemanagement.adherence");
    let mut recoverer = recoverer(&[&topic], "adherence");
    let record = json!([{
        "user": { "id": AGENT }, "timeOfAdherenceChange": BEFORE, "presenceUpdateTime": WITHIN,
    }]);
    let (found, events, _) = recovered(&mut *recoverer, |_| (200, record.to_string()));
    assert_eq!((found, events.len()), (Found::PresentState, 1));
}

#[test]
fn adherence_that_cannot_be_had_in_full_proves_nothing() {
    let user = format!("v2.users.{AGENT}.workforcemanagement.adherence");
    let unit = format!("v2.workforcemanagement.managementunits.{UNIT}.adherence");
    let ask = |topic: &str, status: u16, body: Value| {
        let mut recoverer = recoverer(&[topic], "adherence");
        recovered(&mut *recoverer, |_| (status, body.to_string())).0
    };
    assert_eq!(ask(&user, 200, json!([])), Found::Nothing, "left out");
    assert_eq!(ask(&user, 403, json!({})), Found::Nothing, "forbidden");
    let elsewhere = json!({ "entities": [], "downloadUrl": "https://x" });
    assert_eq!(
        ask(&unit, 200, elsewhere),
        Found::Nothing,
        "to be downloaded"
    );
    assert_eq!(
        ask(&unit, 200, json!({ "entities": [] })),
        Found::Everything,
        "nobody there"
    );
}

#[test]
fn of_other_families_rest_says_nothing() {
    let topics = [
        format!("v2.detail.events.conversation.{CONVERSATION}.acd.start"),
        format!("v2.users.{AGENT}.activity"),
    ];
    let connector = connector(&[&topics[0], &topics[1]]);
    for family in ["other", "activity", "", "nonsense"] {
        assert!(connector.recover(family, &window()).is_none(), "{family}");
    }
}

#[test]
fn answers_of_other_shapes_are_unreadable_and_leave_the_question_open() {
    let presence = presence_of(AGENT);
    let members = format!("v2.routing.queues.{QUEUE}.users");
    let observed = format!("v2.analytics.queues.{QUEUE}.observations");
    let conversations = format!("v2.routing.queues.{QUEUE}.conversations");
    let adherence = format!("v2.users.{AGENT}.workforcemanagement.adherence");
    for (topic, family) in [
        (&presence, "presence"),
        (&members, "queue_members"),
        (&observed, "queue_observations"),
        (&conversations, "conversations"),
        (&adherence, "adherence"),
    ] {
        let mut recoverer = recoverer(&[topic], family);
        let Step::Call(first) = recoverer.next(&token()) else {
            panic!("{family} asks nothing");
        };
        for body in ["", "nonsense", "7", "\"x\""] {
            recoverer.answer(&answered(200, body), noon()).unwrap_err();
            let Step::Call(again) = recoverer.next(&token()) else {
                panic!("{family} gave up");
            };
            assert_eq!((line(&again), &again.body), (line(&first), &first.body));
        }
    }
}

#[test]
fn a_thousand_agents_take_few_calls() {
    let topics: Vec<String> = (0..1000).map(|n| presence_of(&id(n))).collect();
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut recoverer = recoverer(&names, "presence");
    let mut calls = 0;
    let (found, events, _) = recovered(&mut *recoverer, |call| {
        calls += 1;
        if is_timeline(call) {
            let body = body_of(call);
            let users = body["userFilters"][0]["predicates"]
                .as_array()
                .unwrap()
                .clone();
            let users: Vec<_> = users.iter()
                .map(|u| json!({ "userId": u["value"], "primaryPresence": [change(WITHIN, "AWAY")] }))
                .collect();
            return (200, json!({ "userDetails": users }).to_string());
        }
        let ids = query_of(call, "id").remove(0);
        let states: Vec<_> = ids.split(',').map(|user| presence(user, WITHIN)).collect();
        (200, json!(states).to_string())
    });
    assert_eq!((found, events.len(), calls), (Found::Everything, 1000, 40));
}

#[test]
fn a_timeline_without_an_end_is_not_followed_for_ever() {
    let mut recoverer = recoverer(&[&presence_of(AGENT)], "presence");
    let mut calls = 0;
    let (found, ..) = recovered(&mut *recoverer, |call| {
        calls += 1;
        if is_timeline(call) {
            let users: Vec<_> = (0..100).map(|n| json!({ "userId": id(n) })).collect();
            return (200, json!({ "userDetails": users }).to_string());
        }
        (200, json!([presence(AGENT, WITHIN)]).to_string())
    });
    assert_eq!((found, calls), (Found::PresentState, 22));
}
