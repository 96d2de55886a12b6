//! The control API: lets things happen, and tells what did.

use super::*;

async fn control(visit: &Visit, method: reqwest::Method, path: &str, body: &str) -> Got {
    let url = visit.sandbox.control_url().join("control/v1/").unwrap();
    let request = visit.http.request(method, url.join(path).unwrap());
    let request = request.header("Content-Type", "application/json");
    read(request.body(body.to_owned())).await
}

async fn ask(visit: &Visit, path: &str) -> Value {
    control(visit, reqwest::Method::GET, path, "").await.json()
}

#[tokio::test]
async fn changes_are_ordered_and_found_in_ledger_world_and_state() {
    let visit = Visit::new(prompt()).await;
    let user = visit.user(0);
    let (channel, mut socket) = visit.live(&[&format!("v2.users.{user}.presence")]).await;
    let body = json!({ "change": "presence", "user": user, "presence": "TRAINING" }).to_string();
    let changed = control(&visit, reqwest::Method::POST, "changes", &body)
        .await
        .json();
    let fact = changed["facts"][0].as_u64().unwrap();
    event(&mut socket).await;
    visit
        .until(|s| s.ledger(fact - 1, 1).facts[0].due[0].fate == DueFate::Sent { copies: 1 })
        .await;
    let ledger = ask(&visit, &format!("ledger?after={}&limit=1", fact - 1)).await;
    let told = &ledger["facts"][0];
    assert_eq!(told["due"][0]["channel"], channel.id);
    assert_eq!(
        (&told["due"][0]["fate"], &told["due"][0]["copies"]),
        (&json!("sent"), &json!(1))
    );
    assert_eq!(
        ask(&visit, "world").await["users"][&user]["presence"],
        "TRAINING"
    );
    let state = ask(&visit, "state").await;
    assert_eq!(state["channels"][0]["id"], channel.id);
    assert_eq!(state["tokens"]["valid"], 1);
    let requests = ask(&visit, "requests?after=0&limit=2").await;
    assert_eq!(requests["requests"][0]["operation"], "token");
    let wrong = json!({ "change": "presence", "user": "x", "presence": "TRAINING" }).to_string();
    assert_eq!(
        control(&visit, reqwest::Method::POST, "changes", &wrong)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn the_story_is_told_faster_and_faults_are_set_and_cleared() {
    let visit = Visit::new(prompt()).await;
    let put = reqwest::Method::PUT;
    assert_eq!(
        control(&visit, reqwest::Method::POST, "emit", r#"{"count":50}"#)
            .await
            .status,
        200
    );
    assert!(visit.sandbox.ledger(0, 0).issued > 50);
    assert_eq!(
        control(&visit, put.clone(), "rate", r#"{"per_second":1000}"#)
            .await
            .status,
        200
    );
    let now = visit.sandbox.ledger(0, 0).issued;
    visit.until(|s| s.ledger(0, 0).issued > now + 100).await;
    let set = control(
        &visit,
        put,
        "faults/rest_status",
        r#"{"status":500,"count":2}"#,
    )
    .await;
    assert_eq!(set.json()["status"], 500);
    assert_eq!(visit.get("api/v2/users").await.status, 500);
    let faults = ask(&visit, "faults").await;
    assert_eq!(
        (&faults["faults"][0]["name"], &faults["faults"][0]["struck"]),
        (&json!("rest_status"), &json!(1))
    );
    control(&visit, reqwest::Method::DELETE, "faults", "").await;
    assert_eq!(visit.get("api/v2/users").await.status, 200);
}

#[tokio::test]
async fn tokens_and_channels_are_ended() {
    let visit = Visit::new(prompt()).await;
    let (_, mut socket) = visit.live(&[]).await;
    control(&visit, reqwest::Method::POST, "close-channels", "").await;
    assert_eq!(close_code(&mut socket).await.0, 1001);
    control(&visit, reqwest::Method::POST, "expire-tokens", "").await;
    assert_eq!(visit.get("api/v2/users").await.status, 401);
    assert_eq!(
        control(&visit, reqwest::Method::POST, "revoke-tokens", "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_wrong_configuration_does_not_start() {
    let config = GenesysCloudConfig {
        users: 0,
        snapshot_lag: Duration::from_secs(9),
        ..prompt()
    };
    let started = GenesysCloud::start(config, Clock::system(), Rng::from_seed(1)).await;
    let problems = started.unwrap_err().to_string();
    assert!(
        problems.contains("users") && problems.contains("lag"),
        "{problems}"
    );
}
