//! Loss windows of conversations.

use serde_json::json;

use super::*;

const ENDED_BEFORE: &str = "2026-03-10T11:30:00.000Z";
const ENDED_WITHIN: &str = "2026-03-10T12:00:20.000Z";
const BEGAN: &str = "2026-03-01T08:00:00.000Z";

fn recoverer() -> Box<dyn Recoverer> {
    let queue = format!("v2.routing.queues.{QUEUE}.conversations");
    let user = format!("v2.users.{AGENT}.conversations");
    connector(&[&queue, &user])
        .recover("conversations", &window())
        .unwrap()
}

fn detail(id: &str, end: Option<&str>) -> Value {
    json!({ "conversationId": id, "conversationStart": BEGAN, "conversationEnd": end })
}

fn listing(details: &[Value]) -> String {
    json!({ "conversations": details, "totalHits": details.len() }).to_string()
}

fn is_query(call: &Call) -> bool {
    call.url.path() == "/api/v2/analytics/conversations/details/query"
}

/// Filter dimension, whether it asks for open ones, page.
fn asked(call: &Call) -> (String, bool, u64) {
    let body = body_of(call);
    let dimension = body["segmentFilters"][0]["predicates"][0]["dimension"]
        .as_str()
        .unwrap();
    let operator = &body["conversationFilters"][0]["predicates"][0]["operator"];
    (
        dimension.to_owned(),
        operator == "notExists",
        body["paging"]["pageNumber"].as_u64().unwrap(),
    )
}

#[test]
fn u18_no_conversation_in_the_window_closes_it() {
    let mut queries = Vec::new();
    let (found, events, _) = recovered(&mut *recoverer(), |call| {
        let (dimension, open, page) = asked(call);
        let body = body_of(call);
        assert_eq!(
            body["interval"],
            "2026-02-09T00:00:00.000Z/2026-03-10T12:01:01.000Z"
        );
        queries.push((dimension, open, page));
        let ended = [detail("a", Some(ENDED_BEFORE))];
        (200, listing(if open { &[] } else { &ended }))
    });
    assert_eq!((found, events.len()), (Found::Everything, 0));
    let expected = [
        ("queueId", true),
        ("queueId", false),
        ("userId", true),
        ("userId", false),
    ];
    let expected = expected.map(|(d, open)| (d.to_owned(), open, 1));
    assert_eq!(queries, expected);
}

#[test]
fn conversations_that_lived_in_the_window_are_read_once_each() {
    let mut read = Vec::new();
    let (found, events, _) = recovered(&mut *recoverer(), |call| {
        if is_query(call) {
            let (_, open, _) = asked(call);
            let details = if open {
                vec![detail("open", None)]
            } else {
                vec![
                    detail("both", Some(ENDED_WITHIN)),
                    detail("old", Some(ENDED_BEFORE)),
                ]
            };
            return (200, listing(&details));
        }
        let id = call.url.path().rsplit('/').next().unwrap().to_owned();
        let user = if id == "open" { AGENT } else { OTHER_AGENT };
        let body =
            json!({ "id": id, "participants": [{ "userId": user }, { "queueId": "other" }] });
        read.push(id);
        (200, body.to_string())
    });
    assert_eq!(found, Found::PresentState);
    assert_eq!(read, ["open", "both"]);
    let topics: Vec<_> = events.iter().map(|e| e.topic.as_str()).collect();
    let of_user = format!("v2.users.{AGENT}.conversations");
    let of_queue = format!("v2.routing.queues.{QUEUE}.conversations");
    assert_eq!(
        topics,
        [of_user.as_str(), of_queue.as_str()],
        "who is in it, else who found it"
    );
    assert_eq!(events[0].key.as_deref(), Some("open"));
}

#[test]
fn pages_of_ended_conversations_stop_before_the_window() {
    let mut pages = 0;
    let (found, ..) = recovered(&mut *recoverer(), |call| {
        if !is_query(call) {
            return (200, json!({ "id": "x" }).to_string());
        }
        let (dimension, open, page) = asked(call);
        if open || dimension == "userId" {
            return (200, listing(&[]));
        }
        pages += 1;
        let end = if page < 3 { ENDED_WITHIN } else { ENDED_BEFORE };
        let full: Vec<_> = (0..100)
            .map(|n| detail(&format!("{page}-{}", n % 7), Some(end)))
            .collect();
        (200, listing(&full))
    });
    assert_eq!((found, pages), (Found::PresentState, 3));
}

#[test]
fn pages_in_no_order_are_read_to_the_end() {
    let mut pages = 0;
    let (found, events, _) = recovered(&mut *recoverer(), |call| {
        if !is_query(call) {
            return (200, json!({ "id": "late" }).to_string());
        }
        let (dimension, open, page) = asked(call);
        if open || dimension == "userId" {
            return (200, listing(&[]));
        }
        pages += 1;
        if page == 2 {
            return (200, listing(&[detail("late", Some(ENDED_WITHIN))]));
        }
        let mut full: Vec<_> = (0..99)
            .map(|n| detail(&n.to_string(), Some(ENDED_BEFORE)))
            .collect();
        full.insert(0, detail("older", Some("2026-03-09T00:00:00.000Z")));
        (200, listing(&full))
    });
    assert_eq!((found, pages, events.len()), (Found::PresentState, 2, 1));
}

#[test]
fn more_than_can_be_read_leaves_the_gap_unrecovered() {
    let mut read = 0;
    let (found, events, _) = recovered(&mut *recoverer(), |call| {
        if !is_query(call) {
            read += 1;
            return (200, json!({ "id": read.to_string() }).to_string());
        }
        let (dimension, _, page) = asked(call);
        let full: Vec<_> = (0..100)
            .map(|n| detail(&format!("{dimension}{page}-{n}"), None))
            .collect();
        (200, listing(&full))
    });
    assert_eq!((found, read, events.len()), (Found::Nothing, 400, 400));
}

#[test]
fn one_that_is_gone_leaves_the_others_readable() {
    let (found, events, _) = recovered(&mut *recoverer(), |call| {
        if is_query(call) {
            let open = asked(call).1;
            let two = [detail("gone", None), detail("there", None)];
            return (200, listing(if open { &two } else { &[] }));
        }
        if call.url.path().ends_with("gone") {
            return (404, String::new());
        }
        (200, json!({ "id": "there" }).to_string())
    });
    assert_eq!((found, events.len()), (Found::Nothing, 1));
}

#[test]
fn a_missing_permission_recovers_nothing() {
    let (found, events, _) = recovered(&mut *recoverer(), |_| (403, String::new()));
    assert_eq!((found, events.len()), (Found::Nothing, 0));
}

#[test]
fn an_id_of_the_platform_cannot_lead_elsewhere() {
    let (_, _, _) = recovered(&mut *recoverer(), |call| {
        assert_eq!(call.url.host_str(), Some("api.example.test"));
        if is_query(call) {
            return (200, listing(&[detail("../../x?y=//evil.test/", None)]));
        }
        assert!(
            call.url.path().starts_with("/api/v2/conversations/"),
            "{}",
            call.url
        );
        (200, json!({ "id": "x" }).to_string())
    });
}

#[test]
fn a_window_longer_than_one_question_is_not_recovered() {
    let queue = format!("v2.routing.queues.{QUEUE}.conversations");
    let window = LossWindow {
        start: wall("2026-01-01T12:00:00Z"),
        end: noon(),
    };
    let mut recoverer = connector(&[&queue])
        .recover("conversations", &window)
        .unwrap();
    let (found, ..) = recovered(&mut *recoverer, |call| {
        let interval = body_of(call)["interval"].clone();
        assert_eq!(
            interval,
            "2026-02-09T00:00:00.000Z/2026-03-10T12:00:01.000Z"
        );
        (200, listing(&[]))
    });
    assert_eq!(found, Found::Nothing);
}
