//! Faults: what each does to a poll and to the session's id.

use super::*;

/// The next poll of a session with news under a fault, and whether the id is still the present one.
async fn struck(visit: &Visit, id: &str, rule: impl Into<FaultRule<CxoneFault>>) -> (Got, bool) {
    visit.available();
    visit.set(rule);
    let got = visit.poll(id).await;
    let next = visit.poll(id).await;
    (got, next.branch.as_deref() == Some("1"))
}

#[tokio::test]
async fn errors_before_the_platform_leave_the_id_as_it_is() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let fault = CxoneFault::PollStatus {
        status: 429,
        retry_after: Some("7".to_owned()),
        after: HumanDuration::from_secs(0),
    };
    let (got, present) = struck(&visit, &id, fault.times(1)).await;
    assert_eq!((got.status, got.retry_after.as_deref()), (429, Some("7")));
    assert!(present);
    let id = visit.live().await;
    let (got, present) = struck(&visit, &id, CxoneFault::NotJson {}.times(1)).await;
    assert!(got.status == 200 && got.body.starts_with("<!DOCTYPE") && present);
    let id = visit.live().await;
    let empty = CxoneFault::Empty200AtOnce { batch: false };
    let (got, present) = struck(&visit, &id, empty.times(1)).await;
    assert!(got.status == 200 && got.body.is_empty() && present);
}

#[tokio::test]
async fn an_empty_batch_has_a_new_id_and_what_waits_comes_later() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let fact = visit.available();
    visit.set(CxoneFault::Empty200AtOnce { batch: true }.times(1));
    let got = visit.poll(&id).await;
    assert_eq!(got.events(), [] as [Value; 0]);
    assert_eq!(visit.poll(&got.id()).await.types(), ["AgentState"]);
    assert!(matches!(visit.fate(fact), FactFate::Sent(_)));
}

#[tokio::test]
async fn an_answer_that_is_lost_on_its_way_makes_the_id_an_old_one() {
    let visit = Visit::plain().await;
    for fault in [
        CxoneFault::LostAnswer {},
        CxoneFault::TruncatedBody {
            cut_connection: true,
        },
    ] {
        let id = visit.live().await;
        let fact = visit.available();
        visit.set(fault.times(1));
        assert!(visit.hold(&id, 0).await.is_err());
        assert!(matches!(visit.fate(fact), FactFate::Sent(_)));
        assert_eq!(visit.poll(&id).await.outcome(), (200, Some("3")));
        assert!(matches!(visit.fate(fact), FactFate::Replaced(_)));
    }
    let id = visit.live().await;
    visit.available();
    let cut_connection = false;
    visit.set(CxoneFault::TruncatedBody { cut_connection }.times(1));
    let got = visit.poll(&id).await;
    assert!(serde_json::from_str::<Value>(&got.body).is_err());
    assert_eq!(visit.poll(&id).await.outcome(), (200, Some("3")));
}

#[tokio::test]
async fn a_reset_in_the_hold_leaves_the_id_as_it_is() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let after = HumanDuration::from_millis(30);
    visit.set(CxoneFault::PollResetInHold { after }.times(1));
    assert!(visit.hold(&id, 20).await.is_err());
    assert_eq!(visit.poll(&id).await.outcome(), (304, Some("2")));
}

#[tokio::test]
async fn a_stale_session_is_answered_as_an_old_id_even_in_the_hold() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let held = async { visit.hold(&id, 60).await.unwrap() };
    let strikes = async {
        visit.until_held(1).await;
        visit.set(CxoneFault::StaleSession {}.times(1));
    };
    let (got, ()) = tokio::join!(held, strikes);
    assert_eq!(got.outcome(), (200, Some("3")));
    assert_eq!(got.types(), ["AgentSessionStart", "AgentState"]);
    assert_eq!(visit.poll(&got.id()).await.status, 304);
}

#[tokio::test]
async fn a_session_ends_or_is_forgotten_and_can_be_had_again() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    let fact = visit.available();
    visit.set(CxoneFault::EndSession { announced: false }.times(1));
    assert_eq!(visit.poll(&id).await.outcome(), (409, Some("4")));
    assert_eq!(visit.fate(fact), FactFate::Dropped);
    visit.change(Change::SignIn {});
    let id = visit.live().await;
    visit.set(CxoneFault::EndSession { announced: true }.times(1));
    let got = visit.poll(&id).await;
    assert_eq!(got.types(), ["AgentSessionEnd"]);
    assert_eq!(visit.poll(&got.id()).await.outcome(), (409, Some("4")));
    visit.change(Change::SignIn {});
    let id = visit.live().await;
    visit.set(CxoneFault::ForgetSession {}.times(1));
    assert_eq!(visit.poll(&id).await.outcome(), (404, Some("5")));
    let station = json!({ "stationId": "880000" });
    let id = visit.post("agent-sessions", station).await.id();
    assert_eq!(visit.poll(&id).await.status, 200);
}

#[tokio::test]
async fn events_come_in_forms_that_nobody_expects() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    visit.set(CxoneFault::LowerCaseType {}.times(1));
    visit.set(CxoneFault::UnknownType {}.times(1));
    visit.available();
    let got = visit.poll(&id).await;
    assert_eq!(got.events()[0]["Type"], "SandboxNovelty");
    assert_eq!(got.events()[1]["type"], "AgentState");
    let facts = visit.tenant.facts(0, 9);
    assert_eq!(facts.len(), 2);
    for (fact, event) in facts.iter().zip(raw_events(&got.body)) {
        assert_eq!(fact.sha256, Digest::of(event.as_bytes()));
        assert_eq!(fact.bytes as usize, event.len());
    }
    let form = crate::sandbox::fault::Malformation::Scalar;
    visit.set(CxoneFault::MalformedEvent { form }.times(1));
    visit.available();
    let got = visit.poll(&got.id()).await;
    assert!(got.events()[0].is_string() && got.events()[1].is_object());
    let size = crate::runtime::ByteSize::from_mib(1);
    visit.set(CxoneFault::OversizeEvent { size }.times(1));
    visit.available();
    assert!(visit.poll(&got.id()).await.body.len() > 1 << 20);
}

/// The events of a body, as they stand there.
fn raw_events(body: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        events: Vec<Box<serde_json::value::RawValue>>,
    }
    let body: Body = serde_json::from_str(body).unwrap();
    let events = body.events.iter();
    events.map(|event| event.get().to_owned()).collect()
}

#[tokio::test]
async fn the_start_of_a_session_does_not_always_come_first() {
    let visit = Visit::plain().await;
    visit.set(CxoneFault::SessionStartLast {}.times(1));
    let id = visit.join().await;
    assert_eq!(
        visit.poll(&id).await.types(),
        ["AgentState", "AgentSessionStart"]
    );
}

#[tokio::test]
async fn answers_are_late_on_demand() {
    let visit = Visit::plain().await;
    let id = visit.live().await;
    visit.available();
    let delay = HumanDuration::from_millis(120);
    visit.set(CxoneFault::SlowAnswer { delay }.times(1));
    let start = tokio::time::Instant::now();
    let id = visit.poll(&id).await.id();
    assert!(start.elapsed() >= delay.0);
    let jitter = HumanDuration::from_secs(0);
    visit.set(CxoneFault::Latency { delay, jitter }.times(1));
    let start = tokio::time::Instant::now();
    assert_eq!(visit.poll(&id).await.status, 304);
    assert!(start.elapsed() >= delay.0);
}
