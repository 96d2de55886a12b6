//! Normal forms beyond what the golden files show.

use super::*;
use crate::connectors::Station;
use crate::proto::v1;
use crate::proto::v1::agent_state_event::Availability;
use crate::proto::v1::event::Data;

fn normal(event: &str) -> v1::Event {
    let connector = connector();
    let mut link = link(&*connector, None);
    enter(&mut *link, "s1");
    let batch = read(&mut *link, &body("s2", &[event]));
    connector.normalize(&batch.events[0])
}

fn state_of(event: &v1::Event) -> &v1::AgentStateEvent {
    match &event.data {
        Some(Data::AgentStateEvent(state)) => state,
        other => panic!("no agent state: {other:?}"),
    }
}

fn conversation_of(event: &v1::Event) -> &v1::ConversationEvent {
    match &event.data {
        Some(Data::ConversationEvent(conversation)) => conversation,
        other => panic!("no conversation: {other:?}"),
    }
}

#[test]
fn agent_states_by_their_word_and_flag() {
    let table = [
        ("Available", "False", Availability::Available),
        ("Unavailable", "False", Availability::Away),
        ("Unavailable", "True", Availability::AfterContactWork),
        ("unavailable", "true", Availability::AfterContactWork),
        ("LoggedIn", "", Availability::Away),
        ("LoggedOut", "", Availability::Offline),
        ("InboundContact", "", Availability::Busy),
        ("OutboundConsult", "", Availability::Busy),
        ("Working", "", Availability::Busy),
        ("Dialer", "", Availability::Busy),
        ("Refused", "", Availability::NotResponding),
        ("Levitating", "", Availability::Unspecified),
    ];
    for (word, acw, expected) in table {
        let draft = normal(&format!(
            r#"{{"Type":"AgentState","CurrentState":"{word}","IsAcw":"{acw}","CurrentOutReason":"Lunch"}}"#
        ));
        let state = state_of(&draft);
        assert_eq!(state.availability(), expected, "{word} {acw}");
        assert_eq!(
            (state.provider_state.as_str(), state.agent_id.as_str()),
            (word, "4711")
        );
        assert_eq!(state.provider_reason, "Lunch");
    }
}

#[test]
fn the_names_of_the_sdk_are_understood_too() {
    let draft = normal(
        r#"{"type":"CallContactEvent","contactId":"c1","status":"active","isInbound":"true","ani":"+15550101","startTimeUtc":"2026-03-10T09:40:00.1234567Z"}"#,
    );
    let call = conversation_of(&draft);
    assert_eq!(
        (call.conversation_id.as_str(), call.phase()),
        ("c1", v1::Phase::Connected)
    );
    let began = WallTime::parse_rfc3339("2026-03-10T09:40:00.1234567Z").unwrap();
    assert_eq!(call.start_time, Some(began.to_proto()));
    assert_eq!(call.participants[0].address, "+15550101");
}

#[test]
fn the_customer_of_an_outbound_call_is_the_called() {
    let draft = normal(
        r#"{"Type":"CallContactEvent","ContactID":"c1","Status":"Dialing","IsInbound":"False","ANI":"+15550100","DNIS":"+15550199"}"#,
    );
    let call = conversation_of(&draft);
    assert_eq!(call.direction(), v1::Direction::Outbound);
    assert_eq!(call.participants[0].address, "+15550199");
}

#[test]
fn work_after_a_call_belongs_to_the_call() {
    let event = |last: &str| {
        format!(
            r#"{{"Type":"CallContactEvent","ContactID":"c1","Status":"Disconnected","FinalState":"{last}","LastStateChangeTimeUTC":"2026-03-10T09:50:00.000"}}"#
        )
    };
    let open = normal(&event("False"));
    let call = conversation_of(&open);
    assert_eq!((call.phase(), call.end_time), (v1::Phase::WrapUp, None));
    let closed = normal(&event("True"));
    let call = conversation_of(&closed);
    let end = WallTime::parse_rfc3339("2026-03-10T09:50:00Z")
        .unwrap()
        .to_proto();
    assert_eq!((call.phase(), call.end_time), (v1::Phase::Ended, Some(end)));
}

#[test]
fn a_contact_that_departed_unseen_has_ended() {
    let connector = connector();
    let event = connector.departed("contacts", "c1").unwrap();
    assert!(event.raw.is_empty());
    let draft = connector.normalize(&event);
    let call = conversation_of(&draft);
    assert_eq!((call.phase(), call.snapshot), (v1::Phase::Ended, false));
    assert_eq!(call.participants[0].agent_id, "4711");
    assert_eq!(draft.subject, "conversations/c1");
    assert!(draft.attributes.is_empty());
    assert!(connector.departed("queues/1", "c1").is_none());
}

#[test]
fn a_started_session_learns_its_agent_and_keeps_it() {
    let connector = made_of(&Settings {
        agent: Some(AgentSettings::Start {
            station: Station::Id("7".to_owned()),
        }),
        ..settings(REAL)
    });
    let mut first = link(&*connector, None);
    enter(&mut *first, "s1");
    let batch = read(&mut *first, &body("s2", &[AVAILABLE]));
    let draft = connector.normalize(&batch.events[0]);
    assert_eq!(draft.subject, "agents/99", "the token's own agent");
    let batch = read(&mut *first, &body("s3", &[AVAILABLE, START]));
    let draft = connector.normalize(&batch.events[1]);
    assert_eq!(
        draft.subject, "agents/4711",
        "the session's word counts more"
    );
    let mut second = link(&*connector, Some(&batch.opaque.unwrap()));
    let batch = read(&mut *second, &body("s4", &[AVAILABLE]));
    assert_eq!(connector.normalize(&batch.events[0]).subject, "agents/4711");
}

#[test]
fn a_state_of_nobody_says_so() {
    let event = crate::connectors::ProviderEvent {
        topic: "AgentState".to_owned(),
        raw: Bytes::from_static(AVAILABLE.as_bytes()),
        ..Default::default()
    };
    let draft = connector().normalize(&event);
    assert_eq!(draft.r#type, "ccaas.unmapped.v1");
    assert_eq!(draft.attributes["parseerror"], "no agent id");
}
