//! Discovery: from the issuer to the services.

use super::*;

impl Visit {
    async fn configuration(&self) -> Got {
        let tenant = self.tenant_id();
        self.get(&format!(
            ".well-known/cxone-configuration?tenantId={tenant}"
        ))
        .await
    }

    fn tenant_id(&self) -> String {
        use base64::Engine as _;
        let payload = self.token.split('.').nth(1).unwrap();
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
        let claims: Value = serde_json::from_slice(&bytes.unwrap()).unwrap();
        claims["tenantId"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_client_finds_tokens_and_services_from_the_base_alone() {
    let visit = Visit::plain().await;
    let openid = visit.get(".well-known/openid-configuration").await.json();
    let token_endpoint = openid["token_endpoint"].as_str().unwrap();
    assert_eq!(token_endpoint, visit.url("auth/token"));
    assert_eq!(openid["scopes_supported"], json!(["openid"]));
    let keys = read(visit.http.get(openid["jwks_uri"].as_str().unwrap())).await;
    assert_eq!(keys.unwrap().json()["keys"][0]["kty"], "RSA");
    let found = visit.configuration().await.json();
    assert_eq!(found["tenantId"], visit.tenant_id().as_str());
    for name in [
        "area",
        "cluster",
        "domain",
        "acdDomain",
        "uhDomain",
        "auth_endpoint",
    ] {
        assert!(found[name].is_string(), "{name}");
    }
    let api = found["api_endpoint"].as_str().unwrap();
    let request = visit.http.get(format!("{api}/{SERVICES}/server-time"));
    let time = read(request.bearer_auth(&visit.token))
        .await
        .unwrap()
        .json();
    let time = time["ServerTime"].as_str().unwrap();
    let fraction = time.split('.').nth(1).unwrap();
    assert!(fraction.len() == 8 && fraction.ends_with('Z'), "{time}");
}

#[tokio::test]
async fn an_unknown_tenant_and_none_are_refused() {
    let visit = Visit::plain().await;
    let path = ".well-known/cxone-configuration";
    assert_eq!(visit.get(path).await.status, 400);
    assert_eq!(
        visit.get(&format!("{path}?tenantId=other")).await.status,
        404
    );
}

#[tokio::test]
async fn discovery_can_be_down_or_name_a_foreign_host() {
    let visit = Visit::plain().await;
    visit.set(CxoneFault::DiscoveryDown { status: 500 }.times(1));
    assert_eq!(visit.configuration().await.status, 500);
    let host = "https://api-eu1.elsewhere.invalid".to_owned();
    visit.set(CxoneFault::DiscoveryForeignHost { host: host.clone() }.times(1));
    let found = visit.configuration().await.json();
    assert_eq!(found["api_endpoint"], host.as_str());
    assert_eq!(found["acdDomain"], "elsewhere.invalid");
    let found = visit.configuration().await.json();
    assert_eq!(found["api_endpoint"], visit.url("").trim_end_matches('/'));
}

#[tokio::test]
async fn whoami_tells_whose_token_it_is() {
    let visit = Visit::plain().await;
    let url = visit.url("incontactauthorizationserver/token/whoami");
    let ask = |body: Value| read(visit.http.post(&url).body(body.to_string()));
    let who = ask(json!({ "token": visit.token })).await.unwrap().json();
    assert_eq!(who["agent_id"], visit.agent().as_str());
    let base = who["resource_server_base_uri"].as_str().unwrap();
    assert_eq!(base, visit.url("inContactAPI/"));
    assert_eq!(ask(json!({ "token": "x" })).await.unwrap().status, 401);
    assert_eq!(ask(json!({})).await.unwrap().status, 400);
}
