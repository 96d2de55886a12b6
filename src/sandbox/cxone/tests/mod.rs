//! The tenant as its clients see it: real sockets, plain clients.

mod control;
mod cursor;
mod discovery;
mod faults;
mod network;
mod notes;
mod reader;
mod schedules;
mod sessions;
mod tokens;
mod world;

use std::time::Duration;

use serde_json::{Value, json};

use super::fault::{CxoneFault, CxoneFaultName};
use super::*;
use crate::runtime::{Clock, HumanDuration, Rng};
use crate::sandbox::Digest;
use crate::sandbox::fault::FaultRule;

/// Nothing in these tests takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);
const SERVICES: &str = "InContactAPI/services/v23.0";
const FORM: &str = "application/x-www-form-urlencoded";

/// A tenant, and a client that has a token for it.
struct Visit {
    tenant: CxoneAgent,
    http: reqwest::Client,
    token: String,
    refresh: String,
}

/// An answer, read whole.
#[derive(Debug)]
struct Got {
    status: u16,
    branch: Option<String>,
    description: Option<String>,
    retry_after: Option<String>,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The new session id.
    fn id(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["sessionId"].as_str().unwrap().to_owned()
    }

    fn events(&self) -> Vec<Value> {
        self.json()["events"].as_array().unwrap().clone()
    }

    fn types(&self) -> Vec<String> {
        let of = |event: &Value| event["Type"].as_str().unwrap_or_default().to_owned();
        self.events().iter().map(of).collect()
    }

    fn outcome(&self) -> (u16, Option<&str>) {
        (self.status, self.branch.as_deref())
    }
}

impl Visit {
    async fn new(config: CxoneConfig) -> Self {
        let rng = Rng::from_seed(1);
        let tenant = CxoneAgent::start(config, Clock::system(), rng)
            .await
            .unwrap();
        let mut visit = Self {
            http: client(tenant.ca_pem()),
            tenant,
            token: String::new(),
            refresh: String::new(),
        };
        visit.sign_in().await;
        visit
    }

    async fn plain() -> Self {
        Self::new(CxoneConfig::default()).await
    }

    /// Obtains a token by the access key.
    async fn sign_in(&mut self) {
        let got = self.ask_token(&self.password_form()).await;
        assert_eq!(got.status, 200, "{got:?}");
        let text = |name: &str| got.json()[name].as_str().unwrap().to_owned();
        (self.token, self.refresh) = (text("access_token"), text("refresh_token"));
    }

    fn password_form(&self) -> String {
        let key = self.tenant.credentials();
        form(&[
            ("grant_type", "password"),
            ("username", &key.access_key_id),
            ("password", &key.access_key_secret),
        ])
    }

    fn url(&self, path: &str) -> String {
        self.tenant.endpoint().join(path).unwrap().to_string()
    }

    async fn ask_token(&self, form: &str) -> Got {
        let key = self.tenant.credentials();
        let request = self.http.post(self.url("auth/token"));
        let request = request.basic_auth(key.client_id, Some(key.client_secret));
        let request = request.header("Content-Type", FORM);
        read(request.body(form.to_owned())).await.unwrap()
    }

    async fn get(&self, path: &str) -> Got {
        let request = self.http.get(self.url(path)).bearer_auth(&self.token);
        read(request).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Got {
        let request = self.http.post(self.url(&format!("{SERVICES}/{path}")));
        let request = request.bearer_auth(&self.token).body(body.to_string());
        read(request).await.unwrap()
    }

    async fn delete(&self, id: &str) -> Got {
        let request = self
            .http
            .delete(self.url(&format!("{SERVICES}/agent-sessions/{id}")));
        read(request.bearer_auth(&self.token)).await.unwrap()
    }

    fn agent(&self) -> String {
        self.tenant.credentials().agent
    }

    async fn join(&self) -> String {
        let got = self
            .post("agent-sessions/join", json!({ "asAgentId": self.agent() }))
            .await;
        got.id()
    }

    /// Joins and takes the snapshot that comes first.
    async fn live(&self) -> String {
        let id = self.join().await;
        self.poll(&id).await.id()
    }

    /// A poll that does not wait.
    async fn poll(&self, id: &str) -> Got {
        self.hold(id, 0).await.unwrap()
    }

    async fn hold(&self, id: &str, seconds: u8) -> reqwest::Result<Got> {
        let path = format!("{SERVICES}/agent-sessions/{id}/get-next-event?timeout={seconds}");
        read(self.http.get(self.url(&path)).bearer_auth(&self.token)).await
    }

    fn change(&self, change: impl Into<Change>) -> Changed {
        self.tenant.change(&self.agent(), change).unwrap()
    }

    fn available(&self) -> u64 {
        self.change(CxoneAgentState::plain("Available"))
            .fact
            .unwrap()
    }

    fn set(&self, rule: impl Into<FaultRule<CxoneFault>>) {
        self.tenant.faults().set(rule).unwrap();
    }

    fn fate(&self, fact: u64) -> FactFate {
        self.tenant.facts(fact - 1, 1)[0].fate
    }

    async fn until(&self, test: impl Fn(&CxoneAgent) -> bool) {
        assert!(self.tenant.wait_until(PATIENCE, test).await);
    }

    async fn until_held(&self, polls: u64) {
        self.until(|tenant| tenant.counters().polls_held == polls)
            .await;
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs).finish()
}

fn client(ca: Option<&str>) -> reqwest::Client {
    // Whoever is first sets it; the others find it set.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
    if let Some(pem) = ca {
        let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
        builder = builder.tls_certs_only([authority]);
    }
    builder.build().unwrap()
}

async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Got> {
    let answer = request.send().await?;
    let header = |name: &str| {
        let value = answer.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    Ok(Got {
        status: answer.status().as_u16(),
        branch: header("icbranchvalue"),
        description: header("icStatusDescription"),
        retry_after: header("Retry-After"),
        body: answer.text().await?,
    })
}
