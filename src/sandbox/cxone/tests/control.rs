//! The control API, and what somebody is told who starts the sandbox by hand.

use super::*;

struct Control(Visit);

impl Control {
    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = self.0.tenant.control_url().join("control/v1/").unwrap();
        let url = url.join(path).unwrap();
        let request = self.0.http.request(method.parse().unwrap(), url.as_str());
        let mut request = request.header("Content-Type", "application/json");
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let got = read(request).await.unwrap();
        (got.status, got.json())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, json) = self.ask("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{json}");
        json
    }
}

#[tokio::test]
async fn changes_are_made_and_read_back() {
    let control = Control(Visit::plain().await);
    let agent = control.0.agent();
    let path = format!("agents/{agent}/change");
    let offer = json!({ "change": "offer", "kind": "work_item" });
    let (_, made) = control.ask("POST", &path, offer).await;
    let contact = made["contact"].as_str().unwrap().to_owned();
    let state = json!({ "change": "state", "state": "Unavailable", "reason": "Lunch" });
    assert_eq!(control.ask("POST", &path, state).await.1["fact"], 2);
    let state = control.get("state").await;
    assert_eq!(state["agents"][0]["state"]["reason"], "Lunch");
    assert_eq!(
        state["agents"][0]["contacts"][0]["contact"],
        contact.as_str()
    );
    assert_eq!(state["sessions"][0]["queued"], 2);
    let ledger = control.get("ledger?after=1").await;
    assert_eq!(
        (&ledger["issued"], &ledger["facts"][0]["number"]),
        (&2.into(), &2.into())
    );
    control.0.live().await;
    let answers = control.get("answers").await;
    assert_eq!(answers["answers"][0]["cause"], "joined");
    assert_eq!(
        control.ask("POST", "emit", json!({ "count": 20 })).await.0,
        200
    );
    let counters = control.get("counters").await;
    assert_eq!(counters["requests"]["poll"]["ended"]["200"], 1);
    let requests = control.get("requests?after=1").await;
    assert_eq!(requests["requests"][0]["kind"], "join");
    let (_, rate) = control.ask("PUT", "rate", json!({ "per_second": 5 })).await;
    assert_eq!(rate["per_second"], 5.0);
}

#[tokio::test]
async fn faults_are_set_counted_and_cleared_by_name() {
    let control = Control(Visit::plain().await);
    let body = json!({ "status": 503, "count": 1 });
    assert_eq!(control.ask("PUT", "faults/poll_status", body).await.0, 200);
    let id = control.0.join().await;
    assert_eq!(control.0.poll(&id).await.status, 503);
    let told = control.get("faults").await;
    assert_eq!(
        (
            &told["faults"][0]["struck"],
            &told["faults"][0]["exhausted"]
        ),
        (&1.into(), &true.into())
    );
    let (_, cleared) = control
        .ask("DELETE", "faults/poll_status", Value::Null)
        .await;
    assert_eq!(cleared["cleared"], true);
    control.ask("PUT", "faults/token_down", Value::Null).await;
    control.ask("DELETE", "faults", Value::Null).await;
    let form = control.0.password_form();
    assert_eq!(control.0.ask_token(&form).await.status, 200);
    assert_eq!(
        control.ask("POST", "expire-tokens", Value::Null).await.0,
        200
    );
    assert_eq!(control.0.poll(&id).await.status, 401);
}

#[tokio::test]
async fn mistakes_are_answered_with_their_reason() {
    let control = Control(Visit::plain().await);
    let change = format!("agents/{}/change", control.0.agent());
    let cases = [
        ("PUT", "faults/skip", Value::Null, "is not a fault"),
        ("PUT", "faults/freeze", json!({ "x": 1 }), "x"),
        ("POST", &*change, json!({ "change": "sign_in" }), "session"),
        ("POST", &*change, json!({ "change": "jump" }), "jump"),
        (
            "POST",
            &*change,
            json!({ "change": "contact", "contact": "1", "status": "Active" }),
            "no such contact",
        ),
        (
            "POST",
            &*change,
            json!({ "change": "event", "event": {} }),
            "Type",
        ),
        (
            "POST",
            "agents/1/change",
            json!({ "change": "sign_out" }),
            "no such agent",
        ),
        ("POST", "emit", json!({ "count": 1_000_001 }), "at most"),
        ("PUT", "rate", json!({ "per_second": -1 }), "between"),
    ];
    for (method, path, body, expected) in cases {
        let (status, json) = control.ask(method, path, body).await;
        let problem = json["error"].as_str().unwrap();
        assert!(
            status == 400 && problem.contains(expected),
            "{path}: {problem}"
        );
    }
}

#[tokio::test]
async fn the_greeting_and_the_announcement_say_how_to_reach_it() {
    let visit = Visit::plain().await;
    let key = visit.tenant.credentials();
    let text = visit.tenant.greeting(7);
    for part in [
        &key.client_secret,
        &key.access_key_id,
        &key.access_key_secret,
    ] {
        assert!(text.contains(part.as_str()));
    }
    let line: Value = serde_json::from_str(&visit.tenant.announcement(7)).unwrap();
    assert_eq!(line["agents"].as_array().unwrap().len(), 3);
    assert_eq!(line["endpoint"], visit.url(""));
    assert!(visit.tenant.farewell().starts_with("issued 0, sent 0"));
}

#[tokio::test]
async fn a_configuration_that_cannot_be_does_not_start() {
    let config = CxoneConfig {
        control: "0.0.0.0:0".parse().unwrap(),
        agents: 0,
        rate: -1.0,
        ..CxoneConfig::default()
    };
    let error = CxoneAgent::start(config, Clock::system(), Rng::from_seed(1)).await;
    let text = error.unwrap_err().to_string();
    for part in ["control", "agents", "rate"] {
        assert!(text.contains(part), "{text}");
    }
}
