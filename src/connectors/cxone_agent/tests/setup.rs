//! Discovery and entering a session.

use super::*;
use crate::connectors::{Control, Station, Verdict};

fn started(station: Station) -> Arc<dyn Connector> {
    made_of(&Settings {
        agent: Some(AgentSettings::Start { station }),
        ..settings(REAL)
    })
}

#[test]
fn a_session_is_discovered_joined_and_polled() {
    let connector = connector();
    let mut link = link(&*connector, None);
    let discovery = call(&mut *link);
    assert_eq!(
        discovery.url.as_str(),
        "https://cxone.niceincontact.com/.well-known/cxone-configuration?tenantId=11ee-7a"
    );
    assert!(!discovery.headers.contains_key("authorization"));
    link.setup_answer(&answer(200, CONFIGURATION)).unwrap();
    let join = call(&mut *link);
    let base = format!("{CLUSTER}InContactAPI/services/v23.0/agent-sessions");
    assert_eq!(
        (join.method.as_str(), join.url.as_str()),
        ("POST", format!("{base}/join").as_str())
    );
    assert_eq!(join.body, r#"{"asAgentId":"4711"}"#);
    assert_eq!(join.headers["content-type"], "application/json");
    link.setup_answer(&answer(202, r#"{"sessionId":"a/b+c=="}"#))
        .unwrap();
    assert!(matches!(link.setup(&token()), Setup::Ready));
    let poll = poll(&mut *link);
    assert_eq!(
        (poll.method.as_str(), poll.url.as_str()),
        (
            "GET",
            format!("{base}/a%2Fb+c==/get-next-event?timeout=25").as_str()
        )
    );
    assert!(poll.headers["authorization"].is_sensitive());
    assert_eq!(poll.headers["originating-service-identifier"], "tieline");
}

#[test]
fn a_session_is_started_at_a_station_or_a_phone() {
    let cases = [
        (Station::Id("7".to_owned()), r#"{"stationId":"7"}"#),
        (
            Station::Phone("+15550100".to_owned()),
            r#"{"stationPhoneNumber":"+15550100"}"#,
        ),
    ];
    for (station, expected) in cases {
        let connector = started(station);
        let mut link = link(&*connector, None);
        call(&mut *link);
        link.setup_answer(&answer(200, CONFIGURATION)).unwrap();
        let start = call(&mut *link);
        assert!(start.url.path().ends_with("/v23.0/agent-sessions"));
        assert_eq!(start.body, expected);
    }
}

#[test]
fn a_start_that_meets_a_session_of_the_same_user_joins_it() {
    let connector = started(Station::Id("7".to_owned()));
    let mut link = link(&*connector, None);
    call(&mut *link);
    link.setup_answer(&answer(200, CONFIGURATION)).unwrap();
    call(&mut *link);
    assert!(link.setup_refused(&answer(409, "")));
    let join = call(&mut *link);
    assert!(join.url.path().ends_with("/agent-sessions/join"));
    assert_eq!(join.body, r#"{"asAgentId":"99"}"#);
    assert!(link.setup_refused(&answer(409, "")), "once");
    assert!(matches!(link.setup(&token()), Setup::Yield { .. }));
}

#[test]
fn an_agent_who_is_not_signed_in_is_waited_for() {
    for status in [404, 409] {
        let connector = connector();
        let mut link = link(&*connector, None);
        call(&mut *link);
        link.setup_answer(&answer(200, CONFIGURATION)).unwrap();
        call(&mut *link);
        assert!(link.setup_refused(&answer(status, "")));
        match link.setup(&token()) {
            Setup::Yield { reason } => assert_eq!(reason, "NO_AGENT_SESSION"),
            other => panic!("{status}: {other:?}"),
        }
        assert!(matches!(link.keep(), Keep::Unchanged));
    }
}

#[test]
fn without_discovery_the_endpoint_is_the_api() {
    let connector = connector();
    let mut link = link(&*connector, None);
    call(&mut *link);
    assert!(link.setup_refused(&answer(404, "")));
    let join = call(&mut *link);
    assert_eq!(join.url.host_str(), Some("cxone.niceincontact.com"));
}

#[test]
fn other_refusals_are_left_to_the_engine() {
    for status in [400, 401, 403, 429, 500, 503] {
        let connector = connector();
        let mut link = link(&*connector, None);
        call(&mut *link);
        assert!(
            !link.setup_refused(&answer(status, "")),
            "discovery {status}"
        );
        link.setup_answer(&answer(200, CONFIGURATION)).unwrap();
        call(&mut *link);
        assert!(!link.setup_refused(&answer(status, "")), "join {status}");
        let code = StatusCode::from_u16(status).unwrap();
        assert_eq!(connector.verdict(code), None);
    }
    let verdict = |status| connector().verdict(StatusCode::from_u16(status).unwrap());
    assert_eq!(verdict(404), Some(Verdict::Gone));
    assert_eq!(verdict(409), Some(Verdict::Ended));
}

#[test]
fn answers_that_are_none_enter_nothing() {
    let connector = connector();
    let mut link = link(&*connector, None);
    call(&mut *link);
    assert!(link.setup_answer(&answer(200, "<html>")).is_err());
    link.setup_answer(&answer(200, CONFIGURATION)).unwrap();
    for bad in [
        "",
        "{}",
        r#"{"sessionId":7}"#,
        r#"{"sessionId":".."}"#,
        r#"{"sessionId":""}"#,
    ] {
        call(&mut *link);
        let refused = link.setup_answer(&answer(200, bad)).unwrap_err();
        assert!(!refused.to_string().contains(".."), "{refused}");
    }
    assert!(matches!(link.keep(), Keep::Unchanged));
}

#[test]
fn a_stored_id_is_used_at_once() {
    let connector = connector();
    let mut first = link(&*connector, None);
    enter(&mut *first, "s1");
    let cursor = kept(&*first);
    let mut second = link(&*connector, Some(&cursor));
    assert!(matches!(second.setup(&token()), Setup::Ready));
    assert!(
        poll(&mut *second)
            .url
            .path()
            .ends_with("/s1/get-next-event")
    );
    assert!(matches!(second.keep(), Keep::Unchanged));
}

#[test]
fn u42_a_kept_base_that_is_no_longer_allowed_is_discovered_anew() {
    let wide = Settings {
        allowed_domains: vec!["private.test".to_owned()],
        ..settings(REAL)
    };
    let mut first = link(&*made_of(&wide), None);
    call(&mut *first);
    let private = r#"{"api_endpoint":"https://api.private.test"}"#;
    first.setup_answer(&answer(200, private)).unwrap();
    call(&mut *first);
    first
        .setup_answer(&answer(200, r#"{"sessionId":"s1"}"#))
        .unwrap();
    let cursor = kept(&*first);
    let narrow = connector();
    let mut second = link(&*narrow, Some(&cursor));
    enter(&mut *second, "s2");
    let batch = read(&mut *second, &body("s3", &[START]));
    let reason = "SESSION_REPLACED".to_owned();
    assert_eq!(batch.controls, [Control::Missed { reason }]);
}

#[test]
fn u24_neither_token_nor_session_id_is_printed() {
    let connector = connector();
    let mut link = link(&*connector, None);
    enter(&mut *link, "c4nary1");
    let poll = poll(&mut *link);
    let keep = link.keep();
    let batch = read(&mut *link, &body("c4nary2", &[AVAILABLE]));
    let broken = link.read_poll(&answer(200, r#"{"sessionId":"c4nary3","events":7}"#));
    let shown = format!("{connector:?} {link:?} {poll:?} {keep:?} {batch:?} {broken:?}");
    assert!(broken.is_err());
    assert!(
        !shown.contains("c4nary") && !shown.contains("t0ken"),
        "{shown}"
    );
}
