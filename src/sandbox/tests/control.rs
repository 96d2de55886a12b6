//! The control API.

use super::*;

struct Control(Visit);

impl Control {
    async fn new() -> Self {
        Self(Visit::new(quick()).await)
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = self.0.sandbox.control_url().join("control/v1/").unwrap();
        let method = method.parse().unwrap();
        let url = url.join(path).unwrap();
        self.0.http.request(method, url.as_str())
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = self
            .request(method, path)
            .header("Content-Type", "application/json");
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let got = read(request).await.unwrap();
        let json = got.json();
        (got.status, json)
    }

    async fn get(&self, path: &str) -> Value {
        let (status, json) = self.ask("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{json}");
        json
    }
}

#[tokio::test]
async fn faults_are_set_counted_and_cleared_by_name() {
    let control = Control::new().await;
    let body = json!({ "status": 503, "count": 1 });
    let (status, rule) = control.ask("PUT", "faults/poll_status", body).await;
    assert_eq!((status, &rule["status"]), (200, &503.into()));
    assert_eq!(control.0.poll(0).await.unwrap().status, 503);
    assert_eq!(control.0.poll(0).await.unwrap().status, 200);
    let told = control.get("faults").await;
    let fault = &told["faults"][0];
    assert_eq!(
        (&fault["name"], &fault["struck"], &fault["exhausted"]),
        (&"poll_status".into(), &1.into(), &true.into())
    );
    let (_, cleared) = control
        .ask("DELETE", "faults/poll_status", Value::Null)
        .await;
    assert_eq!(cleared["cleared"], true);
    control.ask("PUT", "faults/health_down", Value::Null).await;
    control.ask("DELETE", "faults", Value::Null).await;
    assert_eq!(
        control.0.get("api/v2/system/health").await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn events_are_emitted_and_read_back_from_the_ledger_in_pages() {
    let control = Control::new().await;
    let (_, told) = control.ask("POST", "emit", json!({ "count": 3 })).await;
    assert_eq!(told["head"], 3);
    let own = json!({ "channel": "routing.agentEvent", "data": { "agentId": "7" } });
    assert_eq!(control.ask("POST", "emit", own).await.1["head"], 4);
    let page = control.get("ledger?after=1&limit=2").await;
    assert_eq!(
        (
            &page["next_after"],
            page["entries"].as_array().unwrap().len()
        ),
        (&3.into(), 2)
    );
    let last = control.get("ledger?after=3").await;
    let entry = &last["entries"][0];
    assert_eq!(
        (&entry["number"], &entry["event_type"]),
        (&4.into(), &"routing.agentEvent".into())
    );
    assert_eq!(
        entry["sha256"].as_str().unwrap(),
        control.0.issued()[3].1.to_string()
    );
    control
        .0
        .poll_channels(0, &["routing.agentEvent"])
        .await
        .unwrap();
    let own = control
        .get("ledger?client=sandbox-client&channels=routing.agentEvent")
        .await;
    assert!(own["issued"].as_u64().unwrap() >= 1);
    let delivered = control.get("deliveries").await;
    assert_eq!(delivered["deliveries"][0]["transport"], "poll");
    let asked = control.get("requests?after=1").await;
    assert_eq!(
        (
            &asked["requests"][0]["kind"],
            &asked["requests"][0]["position"]
        ),
        (&"poll".into(), &0.into())
    );
}

#[tokio::test]
async fn the_state_shows_what_is_open_and_what_was_asked() {
    let control = Control::new().await;
    let _socket = control.0.live().await;
    control.ask("PUT", "rate", json!({ "per_second": 5 })).await;
    let state = control.get("state").await;
    assert_eq!(state["rate"], 5.0);
    assert_eq!(state["tokens"], json!({ "issued": 1, "valid": 1 }));
    let open = state["connections"].as_array().unwrap();
    assert!(
        open.iter()
            .any(|connection| connection["transport"] == "websocket")
    );
    assert_eq!(state["subscriptions"][0]["client"], "sandbox-client");
    let counters = control.get("counters").await;
    assert_eq!(counters["requests"]["websocket"]["ended"]["101"], 1);
    assert_eq!(counters["subscriptions_confirmed"], 1);
}

#[tokio::test]
async fn tokens_expire_and_numbers_restart_on_demand() {
    let control = Control::new().await;
    control.0.emit(2);
    assert_eq!(
        control
            .ask("POST", "restart-numbering", Value::Null)
            .await
            .0,
        200
    );
    assert_eq!(control.0.emit(1), 1);
    assert_eq!(
        control.ask("POST", "expire-tokens", Value::Null).await.0,
        200
    );
    assert_eq!(control.0.poll(0).await.unwrap().status, 401);
}

#[tokio::test]
async fn mistakes_are_answered_with_their_reason() {
    let control = Control::new().await;
    let cases = [
        ("PUT", "faults/gremlins", Value::Null, 400, "is not a fault"),
        (
            "PUT",
            "faults/skip",
            json!({ "histroy": true }),
            400,
            "histroy",
        ),
        ("PUT", "faults/skip", json!([]), 400, "map"),
        (
            "DELETE",
            "faults/gremlins",
            Value::Null,
            400,
            "is not a fault",
        ),
        (
            "POST",
            "emit",
            json!({ "count": 1_000_001 }),
            400,
            "at most",
        ),
        (
            "POST",
            "emit",
            json!({ "channel": "x", "data": 1 }),
            400,
            "no such channel",
        ),
        ("POST", "emit", json!({ "cuont": 1 }), 400, "variant"),
        ("PUT", "rate", json!({ "per_second": -1 }), 400, "between"),
        ("GET", "ledger?client=nobody", Value::Null, 400, "nobody"),
        (
            "GET",
            "ledger?channels=other",
            Value::Null,
            404,
            "nobody has subscribed",
        ),
        ("GET", "elsewhere", Value::Null, 404, "no such path"),
    ];
    for (method, path, body, expected, reason) in cases {
        let (status, answer) = control.ask(method, path, body).await;
        assert_eq!(status, expected, "{path}: {answer}");
        assert!(
            answer["error"].as_str().unwrap().contains(reason),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn only_local_names_and_origins_are_served() {
    let control = Control::new().await;
    for (name, value, expected) in [
        ("Host", "evil.example", 403),
        ("Host", "localhost.evil.example:80", 403),
        ("Host", "localhost:1", 200),
        ("Host", "[::1]:1", 200),
        ("Origin", "http://evil.example", 403),
        ("Origin", "null", 403),
        ("Origin", "http://localhost:3000", 200),
    ] {
        let got = read(control.request("GET", "state").header(name, value))
            .await
            .unwrap();
        assert_eq!(got.status, expected, "{name}: {value}");
    }
}
