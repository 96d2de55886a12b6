//! Sessions: their beginning, their end, and the states of agents.

use super::*;

fn nobody_signed_in() -> CxoneConfig {
    CxoneConfig {
        signed_in: false,
        ..CxoneConfig::default()
    }
}

#[tokio::test]
async fn a_session_is_started_once_for_the_agent_of_the_key() {
    let visit = Visit::new(nobody_signed_in()).await;
    let station = json!({ "stationPhoneNumber": "8015550142" });
    assert_eq!(visit.post("agent-sessions", json!({})).await.status, 400);
    let id = visit.post("agent-sessions", station.clone()).await.id();
    assert_eq!(visit.post("agent-sessions", station).await.status, 409);
    let first = visit.poll(&id).await;
    assert_eq!(first.outcome(), (200, Some("1")));
    assert_eq!(first.types(), ["AgentSessionStart", "AgentState"]);
    let start = &first.events()[0];
    assert_eq!(start["AgentId"], visit.agent().as_str());
    assert_eq!(start["StationPhoneNumber"], "8015550142");
    assert_ne!(start["SessionId"].as_str().unwrap(), id);
    assert_eq!(
        start["SessionId"].as_str().unwrap(),
        visit.tenant.sessions()[0].session.to_string()
    );
    let answer = &visit.tenant.answers(0, 9)[0];
    assert_eq!(answer.cause, AnswerCause::Started);
}

#[tokio::test]
async fn joining_needs_an_agent_with_a_session_and_begins_with_what_is() {
    let visit = Visit::plain().await;
    let contact = visit.change(Change::Offer {
        kind: ContactKind::Call,
    });
    let join = async |agent: Value| {
        let body = json!({ "asAgentId": agent });
        visit.post("agent-sessions/join", body).await
    };
    assert_eq!(join(json!("1")).await.status, 404);
    assert_eq!(join(Value::Null).await.status, 400);
    let other = visit.tenant.agents()[1].clone();
    visit.tenant.change(&other, Change::SignOut {}).unwrap();
    assert_eq!(join(json!(other)).await.status, 404);
    let number: u64 = visit.agent().parse().unwrap();
    let id = join(json!(number)).await.id();
    let first = visit.poll(&id).await;
    assert_eq!(
        first.types(),
        ["AgentSessionStart", "AgentState", "CallContactEvent"]
    );
    assert_eq!(first.branch.as_deref(), Some("1"));
    assert_eq!(visit.fate(contact.fact.unwrap()), FactFate::Replaced(1));
    visit.set(CxoneFault::SessionRefused { status: 403 }.times(1));
    assert_eq!(join(json!("")).await.status, 403);
    assert_eq!(join(json!("")).await.status, 200);
}

#[tokio::test]
async fn ending_a_session_is_told_once_and_is_409_from_then_on() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let held = async {
        let got = visit.hold(&id, 20).await.unwrap();
        assert_eq!(got.types(), ["AgentSessionEnd"]);
        got.id()
    };
    let end = async {
        visit.until_held(1).await;
        assert_eq!(visit.delete(&id).await.status, 202);
    };
    let (last, ()) = tokio::join!(held, end);
    let fact = visit.tenant.facts(0, 9)[0].clone();
    assert_eq!(&*fact.event_type, "AgentSessionEnd");
    for _ in 0..2 {
        assert_eq!(visit.poll(&last).await.outcome(), (409, Some("4")));
    }
    assert_eq!(visit.poll(&id).await.outcome(), (409, Some("4")));
    assert!(matches!(visit.fate(fact.number), FactFate::Confirmed(_)));
    assert_eq!(visit.delete(&last).await.status, 409);
    assert_eq!(visit.delete("other").await.outcome(), (404, Some("5")));
    assert!(!visit.tenant.present()[0].signed_in);
}

#[tokio::test]
async fn a_session_that_nobody_polls_ends_where_that_is_so() {
    let config = CxoneConfig {
        idle_timeout: Some(Duration::from_millis(150)),
        ..CxoneConfig::default()
    };
    let visit = Visit::new(config).await;
    let id = visit.live().await;
    // Held longer than that, it is not idle.
    assert_eq!(visit.hold(&id, 1).await.unwrap().status, 304);
    visit
        .until(|tenant| tenant.present().iter().all(|agent| !agent.signed_in))
        .await;
    assert_eq!(visit.poll(&id).await.status, 409);
}

#[tokio::test]
async fn states_are_those_that_changed_since_and_304_where_none_did() {
    let visit = Visit::plain().await;
    visit.change(CxoneAgentState::unavailable("Lunch"));
    let path = format!("{SERVICES}/agents/states");
    let all = visit.get(&path).await.json();
    let states = all["agentStates"].as_array().unwrap();
    assert_eq!(states.len(), 3);
    assert_eq!(
        (
            &states[0]["agentStateName"],
            &states[0]["outStateDescription"]
        ),
        (&"Unavailable".into(), &"Lunch".into())
    );
    let polled = all["lastPollTime"].as_str().unwrap();
    let since = visit.get(&format!("{path}?updatedSince={polled}")).await;
    assert_eq!(since.status, 304);
    visit.available();
    let since = visit.get(&format!("{path}?updatedSince={polled}")).await;
    assert_eq!(since.json()["agentStates"].as_array().unwrap().len(), 1);
    assert_eq!(
        visit.get(&format!("{path}?updatedSince=now")).await.status,
        400
    );
}
