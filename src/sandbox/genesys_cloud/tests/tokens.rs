//! Tokens: how they are had, throttled, looked at, given back.

use super::*;

#[tokio::test]
async fn client_credentials_in_a_basic_header_give_a_token_for_a_day() {
    let visit = Visit::new(prompt()).await;
    let got = visit
        .ask_token(0, "grant_type=client_credentials")
        .await
        .json();
    assert_eq!(
        (&got["token_type"], &got["expires_in"]),
        (&json!("bearer"), &json!(86_399))
    );
    assert!(got.get("refresh_token").is_none());
    // An older token stays good beside a newer one.
    assert_eq!(visit.get("api/v2/tokens/me").await.status, 200);
    assert_eq!(visit.sandbox.tokens_issued(), 2);
}

#[tokio::test]
async fn a_wrong_secret_is_an_invalid_client() {
    let visit = Visit::new(prompt()).await;
    let request = visit.http.post(visit.url("oauth/token"));
    let request = request.basic_auth("sandbox-client", Some("guess"));
    let got = read(request.body("grant_type=client_credentials")).await;
    assert_eq!(
        (got.status, &got.json()["error"]),
        (400, &json!("invalid_client"))
    );
}

#[tokio::test]
async fn too_many_token_requests_are_answered_with_400_and_a_description() {
    let visit = Visit::new(GenesysCloudConfig {
        token_requests_per_minute: Some(1),
        ..prompt()
    })
    .await;
    let got = visit.ask_token(0, "grant_type=client_credentials").await;
    assert_eq!((got.status, got.retry_after.clone()), (400, None));
    let body = got.json();
    assert_eq!(body["error"], "invalid_request");
    let description = body["error_description"].as_str().unwrap();
    assert!(
        description.starts_with("rate limit exceeded;"),
        "{description}"
    );
}

#[tokio::test]
async fn a_token_can_be_looked_at_and_given_back() {
    let visit = Visit::new(prompt()).await;
    let info = visit.get("api/v2/tokens/me").await.json();
    assert_eq!(info["OAuthClient"]["id"], "sandbox-client");
    let head = visit
        .ask(reqwest::Method::HEAD, "api/v2/tokens/me", None)
        .await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let deleted = visit
        .ask(reqwest::Method::DELETE, "api/v2/tokens/me", None)
        .await;
    assert_eq!(deleted.status, 200);
    let got = visit.get("api/v2/tokens/me").await;
    assert_eq!(
        (got.status, &got.json()["code"]),
        (401, &json!("bad.credentials"))
    );
}

#[tokio::test]
async fn the_codes_of_401_tell_why() {
    let mut visit = Visit::new(prompt()).await;
    visit.set(GenesysFault::ExpireTokensNow {});
    let code = async |visit: &Visit| visit.get("api/v2/users").await.json()["code"].clone();
    assert_eq!(code(&visit).await, "credentials.expired");
    visit.token = "guess".to_owned();
    assert_eq!(code(&visit).await, "bad.credentials");
    let got = read(visit.http.get(visit.url("api/v2/users"))).await;
    assert_eq!(got.json()["code"], "authentication.required");
}

#[tokio::test]
async fn over_tls_everything_is_on_one_host_that_its_own_authority_vouches_for() {
    let folder = tempfile::tempdir().unwrap();
    let visit = Visit::new(GenesysCloudConfig {
        tls_ca_out: Some(folder.path().join("ca.pem")),
        ..prompt()
    })
    .await;
    assert!(
        visit
            .sandbox
            .ca_pem()
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    let channel = visit.make_channel().await;
    let port = visit.sandbox.endpoint().port().unwrap();
    assert!(
        channel
            .uri
            .starts_with(&format!("wss://127.0.0.1:{port}/channels/"))
    );
    let greeting = visit.sandbox.greeting(1);
    let file = folder.path().join("ca.pem");
    assert!(greeting.contains(&format!("--cacert {}", file.display())));
    assert!(greeting.contains(&format!("ca_file: {}", file.display())));
}
