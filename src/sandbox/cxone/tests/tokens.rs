//! Tokens: grants, claims, refusals.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn an_access_key_obtains_a_token_that_claims_what_the_platform_claims() {
    let visit = Visit::plain().await;
    let got = visit.ask_token(&visit.password_form()).await.json();
    assert_eq!(
        (&got["token_type"], &got["expires_in"]),
        (&"Bearer".into(), &3600.into())
    );
    assert_eq!(
        got["issued_token_type"],
        "urn:ietf:params:oauth:token-type:access_token"
    );
    let access = claims(got["access_token"].as_str().unwrap());
    assert_eq!(access["icAgentId"], visit.agent().as_str());
    assert!(access["sub"].as_str().unwrap().starts_with("user:"));
    assert!(access["icBUId"].is_u64() && access["icClusterId"].is_string());
    assert_eq!(access["tenantId"].as_str().unwrap().len(), 36);
    let lifetime =
        |claims: &Value| claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lifetime(&access), 3600);
    let refresh = claims(got["refresh_token"].as_str().unwrap());
    assert_eq!(lifetime(&refresh), 7200);
    let id = claims(got["id_token"].as_str().unwrap());
    assert!(id["icDomain"].is_string() && id["userId"].is_string());
}

#[tokio::test]
async fn a_refresh_token_obtains_another_token_and_stays_good_unless_it_rotates() {
    let visit = Visit::plain().await;
    let form = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &visit.refresh),
        ("scope", "openid"),
    ]);
    for _ in 0..2 {
        let got = visit.ask_token(&form).await.json();
        assert_ne!(got["access_token"], visit.token.as_str());
        assert_eq!(got["refresh_token"], visit.refresh.as_str());
    }
    let config = CxoneConfig {
        rotate_refresh_tokens: true,
        ..CxoneConfig::default()
    };
    let visit = Visit::new(config).await;
    let form = super::form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &visit.refresh),
    ]);
    let rotated = visit.ask_token(&form).await.json()["refresh_token"].clone();
    assert_ne!(rotated, visit.refresh.as_str());
    let again = visit.ask_token(&form).await;
    assert_eq!(
        (again.status, &again.json()["error"]),
        (400, &"invalid_grant".into())
    );
}

#[tokio::test]
async fn wrong_credentials_are_refused_in_the_body_and_in_the_header() {
    let visit = Visit::plain().await;
    let key = visit.tenant.credentials();
    let wrong = form(&[
        ("grant_type", "password"),
        ("username", &key.access_key_id),
        ("password", "wrong"),
    ]);
    let raw = format!(
        "grant_type=password&username={}&password={}",
        key.access_key_id, key.access_key_secret
    );
    let cases = [
        (wrong, 400, "invalid_grant"),
        // The secret holds a plus, which a form that is not encoded turns into a blank.
        (raw, 400, "invalid_grant"),
        ("grant_type=password".to_owned(), 400, "invalid_request"),
        (String::new(), 400, "invalid_request"),
        (
            "grant_type=client_credentials".to_owned(),
            400,
            "unsupported_grant_type",
        ),
        (
            "grant_type=refresh_token&refresh_token=x".to_owned(),
            400,
            "invalid_grant",
        ),
        (
            "grant_type=refresh_token&refresh_token=x&scope=all".to_owned(),
            400,
            "invalid_scope",
        ),
    ];
    for (form, status, error) in cases {
        let got = visit.ask_token(&form).await;
        assert_eq!(
            (got.status, &got.json()["error"]),
            (status, &error.into()),
            "{form}"
        );
        let description = got.json()["error_description"].clone();
        assert_eq!(got.description, description.as_str().map(str::to_owned));
    }
    let request = visit.http.post(visit.url("auth/token"));
    let request = request.basic_auth(key.client_id, Some("wrong"));
    let got = read(request.body(visit.password_form())).await.unwrap();
    assert_eq!(
        (got.status, &got.json()["error"]),
        (401, &"invalid_client".into())
    );
}

#[tokio::test]
async fn tokens_expire_by_themselves_and_on_demand() {
    let config = CxoneConfig {
        token_lifetime: Duration::from_millis(200),
        refresh_lifetime: Duration::from_millis(100),
        ..CxoneConfig::default()
    };
    let visit = Visit::new(config).await;
    let time = format!("{SERVICES}/server-time");
    let expires = async { while visit.get(&time).await.status == 200 {} };
    tokio::time::timeout(PATIENCE, expires).await.unwrap();
    assert_eq!(visit.get(&time).await.status, 401);
    let stale = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &visit.refresh),
    ]);
    assert_eq!(visit.ask_token(&stale).await.status, 400);
    let mut visit = Visit::plain().await;
    assert_eq!(visit.get(&time).await.status, 200);
    visit.set(CxoneFault::ExpireTokensNow {});
    assert_eq!(visit.get(&time).await.status, 401);
    visit.sign_in().await;
    assert_eq!(visit.get(&time).await.status, 200);
    assert_eq!(
        visit
            .tenant
            .faults()
            .struck(CxoneFaultName::ExpireTokensNow),
        1
    );
}

#[tokio::test]
async fn the_token_endpoint_throttles() {
    let config = CxoneConfig {
        token_requests_per_minute: Some(1),
        ..CxoneConfig::default()
    };
    let visit = Visit::new(config).await;
    let got = visit.ask_token(&visit.password_form()).await;
    assert_eq!(got.status, 429);
    assert!(got.retry_after.unwrap().parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn token_faults_strike() {
    let visit = Visit::plain().await;
    visit.set(CxoneFault::TokenDown { status: 503 }.times(1));
    assert_eq!(visit.ask_token(&visit.password_form()).await.status, 503);
    let error = crate::sandbox::fault::TokenRefusal::InvalidClient;
    visit.set(CxoneFault::TokenError { error }.times(1));
    assert_eq!(visit.ask_token(&visit.password_form()).await.status, 401);
    let delay = HumanDuration::from_millis(150);
    visit.set(CxoneFault::TokenSlow { delay }.times(1));
    let start = tokio::time::Instant::now();
    assert_eq!(visit.ask_token(&visit.password_form()).await.status, 200);
    assert!(start.elapsed() >= delay.0);
    assert_eq!(visit.tenant.tokens_issued(), 2);
}

#[tokio::test]
async fn a_token_can_be_exchanged_by_an_application_without_a_secret() {
    let visit = Visit::plain().await;
    let form = form(&[
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("client_id", "sandbox-client"),
        ("subject_token", &visit.token),
    ]);
    let request = visit.http.post(visit.url("auth/token")).body(form);
    let got = read(request).await.unwrap();
    assert_eq!(got.status, 200, "{got:?}");
    assert_ne!(got.json()["access_token"], visit.token.as_str());
}
