//! What REST says of the time in which no socket stood (U18).

use http::{HeaderMap, Method, StatusCode};

use super::*;
use crate::connectors::{Call, Found, LossWindow, Recovered, Recoverer, Seen, Step};
use crate::net::HttpResponse;

fn window() -> LossWindow {
    LossWindow {
        start: wall("2026-03-10T09:50:00Z"),
        end: wall("2026-03-10T09:52:00Z"),
    }
}

fn at(second: u64) -> String {
    window().start.plus(seconds(second)).to_string()
}

fn record(id: &str, direction: &str, time: &str) -> Value {
    json!({ "id": id, "type": "Text", "text": format!("text of {id}"), "direction": direction,
            "channel": { "time": time } })
}

fn page(records: &[Value], count: Option<u64>) -> HttpResponse {
    let mut body = json!({ "entities": records });
    if let Some(count) = count {
        body["pageCount"] = count.into();
    }
    answered(200, &body)
}

fn answered(status: u16, body: &Value) -> HttpResponse {
    HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: bytes(body),
    }
}

fn recoverer(connector: &dyn Connector) -> Box<dyn Recoverer> {
    standing(connector, None, MonoTime::now());
    connector.recover("", &window()).unwrap()
}

fn call(recoverer: &mut dyn Recoverer) -> Call {
    match recoverer.next(&nobody()) {
        Step::Call(call) => *call,
        Step::Done(found) => panic!("expected a call, not {found:?}"),
    }
}

fn done(recoverer: &mut dyn Recoverer) -> Found {
    match recoverer.next(&nobody()) {
        Step::Done(found) => found,
        Step::Call(call) => panic!("expected an end, not {call:?}"),
    }
}

fn answer(recoverer: &mut dyn Recoverer, answer: &HttpResponse) -> Recovered {
    recoverer.answer(answer, morning()).unwrap()
}

fn ids(recovered: &Recovered) -> Vec<&str> {
    let events = recovered.events.iter();
    events
        .map(|event| event.id.as_deref().unwrap_or("?"))
        .collect()
}

#[test]
fn u18_history_is_asked_for_with_the_jwt_alone() {
    let connector = connector();
    let mut recoverer = recoverer(&*connector);
    assert!(!recoverer.holds());
    let call = call(&mut *recoverer);
    assert_eq!(call.method, Method::GET);
    assert_eq!(
        call.url.as_str(),
        "https://api.example.test/api/v2/webmessaging/messages?pageNumber=1&pageSize=25"
    );
    assert_eq!(call.headers["authorization"], "bearer j.w.t");
    assert!(call.headers["authorization"].is_sensitive());
    assert_eq!(call.headers["origin"], "https://www.example.org");
    connector.addresses().check(&call.url).unwrap();
    let shown = format!("{connector:?} {recoverer:?} {call:?}");
    assert!(
        !shown.contains("j.w.t") && !shown.contains(TOKEN),
        "{shown}"
    );
}

#[test]
fn u18_both_directions_are_recovered_in_the_order_of_time() {
    let mut recoverer = recoverer(&*connector());
    call(&mut *recoverer);
    let listed = [
        record("d", "Outbound", &at(150)),
        record("b", "Inbound", &at(60)),
        record("c", "Outbound", &at(90)),
        record("a", "Outbound", &at(0)),
    ];
    let recovered = answer(&mut *recoverer, &page(&listed, Some(1)));
    assert_eq!(ids(&recovered), ["a", "b", "c", "d"]);
    assert_eq!(done(&mut *recoverer), Found::Everything);
    let expected = Seen {
        provider_id: "b".to_owned(),
        id: None,
        content: Some(text("text of b")),
        time: Some(window().start.plus(seconds(60))),
    };
    assert_eq!(recovered.seen, [expected]);
}

#[test]
fn u18_a_record_has_the_form_of_the_frame_that_was_missed() {
    let connector = connector();
    let window = LossWindow {
        start: morning(),
        ..window()
    };
    standing(&*connector, None, MonoTime::now());
    let mut recoverer = connector.recover("", &window).unwrap();
    call(&mut *recoverer);
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/connectors/genesys_web_messaging"
    );
    let file = |name: &str| std::fs::read(format!("{folder}/fixtures/{name}.json")).unwrap();
    let body = Bytes::from(file("rest/page"));
    let answer = HttpResponse {
        body,
        ..answered(200, &json!(null))
    };
    let recovered = recoverer.answer(&answer, morning()).unwrap().events;
    for (event, live) in recovered
        .iter()
        .zip(["echo_of_text", "attachment_of_agent"])
    {
        let mut link = standing(&*connector, None, MonoTime::now());
        let frame = Bytes::from(file(live));
        let live = link.read_frame(MonoTime::now(), &frame).unwrap().events;
        let (record, live) = (connector.normalize(event), connector.normalize(&live[0]));
        assert_eq!(record.data, live.data);
        assert!(record.data.is_some());
        assert_eq!((&record.id, record.time), (&live.id, live.time));
        assert_eq!(
            (&record.r#type, &record.subject),
            (&live.r#type, &live.subject)
        );
        assert_eq!(record.raw_data, event.raw);
    }
    assert_eq!(recovered.len(), 2);
}

#[test]
fn u18_pages_are_read_until_one_is_a_minute_older_than_the_window() {
    let mut recoverer = recoverer(&*connector());
    for (number, second) in [(1, 100), (2, 50)] {
        let call = call(&mut *recoverer);
        assert!(
            call.url
                .query()
                .unwrap()
                .starts_with(&format!("pageNumber={number}&"))
        );
        let id = format!("p{number}");
        let listed = [record(&id, "Outbound", &at(second))];
        let recovered = answer(&mut *recoverer, &page(&listed, Some(9)));
        assert!(recovered.events.is_empty(), "not before all are there");
    }
    call(&mut *recoverer);
    let margin = window().start.minus(seconds(60));
    let listed = [
        record("in the margin", "Outbound", &margin.to_string()),
        record("old", "Inbound", &margin.minus(seconds(1)).to_string()),
    ];
    let recovered = answer(&mut *recoverer, &page(&listed, Some(9)));
    assert_eq!(ids(&recovered), ["in the margin", "p2", "p1"]);
    assert_eq!(
        recovered.seen.len(),
        1,
        "an old one may be what settles a message"
    );
    assert_eq!(done(&mut *recoverer), Found::Everything);
}

#[test]
fn u18_the_last_page_is_known_by_count_total_or_size() {
    let full: Vec<Value> = (0..25)
        .map(|n| record(&format!("m{n}"), "Outbound", &at(n)))
        .collect();
    let total = |total: u64| answered(200, &json!({ "entities": full.clone(), "total": total }));
    for (last, answers) in [
        (true, page(&full, Some(1))),
        (true, page(&full[..3], None)),
        (true, page(&[], Some(7))),
        (true, total(25)),
        (false, total(26)),
        (false, page(&full, None)),
        (false, page(&full, Some(2))),
    ] {
        let mut recoverer = recoverer(&*connector());
        call(&mut *recoverer);
        answer(&mut *recoverer, &answers);
        let ended = matches!(recoverer.next(&nobody()), Step::Done(Found::Everything));
        assert_eq!(ended, last, "{answers:?}");
    }
}

#[test]
fn u18_a_history_without_an_end_is_given_up_and_what_it_told_is_kept() {
    let mut recoverer = recoverer(&*connector());
    let mut told = Recovered::default();
    for number in 0..40 {
        assert!(told.events.is_empty(), "page {number}");
        call(&mut *recoverer);
        let listed = [record(&format!("m{number}"), "Outbound", &at(100))];
        told = answer(&mut *recoverer, &page(&listed, Some(1_000)));
    }
    assert_eq!(told.events.len(), 40);
    assert_eq!(done(&mut *recoverer), Found::Nothing);
}

#[test]
fn u36_own_messages_are_told_as_they_would_be_sent_again() {
    let mut recoverer = recoverer(&*connector());
    call(&mut *recoverer);
    let content = |id: &str, text: Value, content: Value| {
        json!({ "id": id, "type": "Structured", "text": text, "direction": "Inbound",
                "content": content, "channel": { "time": at(10) } })
    };
    let button = json!({ "contentType": "ButtonResponse",
        "buttonResponse": { "type": "QuickReply", "text": "Yes", "payload": "order_yes" } });
    let file = json!({ "contentType": "Attachment", "attachment": { "id": "a-1" } });
    let mut ours = record("known", "Inbound", &at(10));
    ours["metadata"] = json!({ "customMessageId": MESSAGE });
    let mut typing = record("typing", "Inbound", &at(10));
    typing["type"] = "Event".into();
    let listed = [
        content("choice", json!("Yes"), json!([button])),
        content("file", json!(null), json!([file])),
        content("both", json!("See:"), json!([file])),
        content("two", json!(""), json!([file, button])),
        content("card", json!("x"), json!([{ "contentType": "Card" }])),
        ours,
        typing,
        record("agent", "Outbound", &at(10)),
    ];
    let recovered = answer(&mut *recoverer, &page(&listed, Some(1)));
    assert_eq!(recovered.events.len(), 8);
    let mut seen: Vec<_> = recovered
        .seen
        .iter()
        .map(|seen| {
            (
                seen.provider_id.as_str(),
                seen.id.as_deref(),
                seen.content.clone(),
            )
        })
        .collect();
    seen.sort_by_key(|(id, ..)| *id);
    let choice = Content::QuickReply {
        text: "Yes".to_owned(),
        payload: "order_yes".to_owned(),
    };
    let file = Content::Attachment {
        id: "a-1".to_owned(),
    };
    assert_eq!(
        seen,
        [
            ("both", None, None),
            ("card", None, None),
            ("choice", None, Some(choice)),
            ("file", None, Some(file)),
            ("known", Some(MESSAGE), Some(text("text of known"))),
            ("two", None, None),
        ]
    );
}

#[test]
fn u18_without_a_jwt_there_is_no_history() {
    let connector = connector();
    let mut recoverer = connector.recover("", &window()).unwrap();
    assert_eq!(done(&mut *recoverer), Found::Nothing);
}

#[test]
fn u18_a_refused_jwt_is_shown_again_only_when_a_newer_one_came() {
    let connector = connector();
    let now = MonoTime::now();
    let mut link = standing(&*connector, None, now);
    let mut recoverer = connector.recover("", &window()).unwrap();
    call(&mut *recoverer);
    assert!(!recoverer.refused(StatusCode::UNAUTHORIZED));
    let mut newer = lasting();
    newer["body"]["jwt"] = "n.e.w".into();
    read(&mut *link, now, &newer);
    assert!(!recoverer.refused(StatusCode::NOT_FOUND));
    assert!(recoverer.refused(StatusCode::UNAUTHORIZED));
    let again = call(&mut *recoverer);
    assert_eq!(again.headers["authorization"], "bearer n.e.w");
    assert!(again.url.query().unwrap().starts_with("pageNumber=1&"));
    assert!(!recoverer.refused(StatusCode::UNAUTHORIZED));
}

#[test]
fn u20_records_that_cannot_be_read_are_kept_and_pages_that_cannot_are_refused() {
    let connector = connector();
    let mut recoverer = recoverer(&*connector);
    call(&mut *recoverer);
    for body in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "entities": {} }),
        json!("x"),
    ] {
        recoverer
            .answer(&answered(200, &body), morning())
            .unwrap_err();
    }
    let listed = [
        json!(7),
        json!({ "id": {} }),
        record("a", "Outbound", "yesterday"),
    ];
    let recovered = answer(&mut *recoverer, &page(&listed, Some(1)));
    assert_eq!(recovered.events.len(), 3);
    let odd = recovered
        .events
        .iter()
        .filter(|event| event.malformed.is_some());
    for event in odd.clone() {
        let normal = connector.normalize(event);
        assert_eq!(normal.r#type, "ccaas.unmapped.v1");
        assert_eq!(
            normal.attributes.get("parseerror"),
            event.malformed.as_ref()
        );
    }
    assert_eq!(odd.count(), 2);
}
