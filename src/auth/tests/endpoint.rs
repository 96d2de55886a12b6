//! A token endpoint, a vault and a credential that tests script and look into.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use url::Url;

use crate::auth::{
    AuthConfig, CredentialPlacement, CredentialSettings, Refresher, TokenVault, Tokens, VaultError,
};
use crate::domain::WallTime;
use crate::net::{
    Frame, HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, WebSocket,
    WebSocketRequest,
};
use crate::runtime::{Clock, Drain, DrainTrigger, MonoTime, Rng, Secret, drain};

pub(super) type Answer = Result<HttpResponse, HttpFailure>;

/// Answers token requests after a second, by a function of how many came before.
#[derive(Clone)]
pub(super) struct Endpoint(Arc<Inner>);

struct Inner {
    answer: Box<dyn Fn(usize) -> Answer + Send + Sync>,
    latency: Duration,
    requests: Mutex<Vec<(MonoTime, String)>>,
}

impl Endpoint {
    pub(super) fn new(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::slow(Duration::from_millis(100), answer)
    }

    pub(super) fn slow(
        latency: Duration,
        answer: impl Fn(usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            answer: Box::new(answer),
            latency,
            requests: Mutex::default(),
        }))
    }

    /// Gives out `t1`, `t2`, … that live for 300 s.
    pub(super) fn granting() -> Self {
        Self::new(|earlier| granted(&format!("t{}", earlier + 1), None))
    }

    /// The bodies of the requests so far.
    pub(super) fn bodies(&self) -> Vec<String> {
        let requests = self.0.requests.lock();
        requests.iter().map(|(_, body)| body.clone()).collect()
    }

    /// When they came.
    pub(super) fn times(&self) -> Vec<MonoTime> {
        let requests = self.0.requests.lock();
        requests.iter().map(|(at, _)| *at).collect()
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoint")
    }
}

pub(super) fn answer(status: u16, body: &Value) -> Answer {
    Ok(HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
    })
}

pub(super) fn granted(token: &str, refresh_token: Option<&str>) -> Answer {
    let body = json!({
        "access_token": token, "token_type": "bearer", "expires_in": 300,
        "refresh_token": refresh_token,
    });
    answer(200, &body)
}

/// No WebSocket is ever opened here.
#[derive(Debug)]
pub(super) enum NoSocket {}

#[async_trait]
impl WebSocket for NoSocket {
    async fn receive(&mut self) -> Result<Option<Frame>, HttpFailure> {
        match *self {}
    }

    async fn send(&mut self, _: Frame) -> Result<(), HttpFailure> {
        match *self {}
    }
}

#[async_trait]
impl HttpClient for Endpoint {
    type Socket = NoSocket;

    async fn request(&self, request: HttpRequest) -> Answer {
        let earlier = {
            let mut requests = self.0.requests.lock();
            let body = String::from_utf8(request.body.to_vec()).unwrap();
            requests.push((MonoTime::now(), body));
            requests.len() - 1
        };
        pass(self.0.latency).await;
        (self.0.answer)(earlier)
    }

    async fn websocket(&self, _: WebSocketRequest) -> Result<NoSocket, HandshakeFailure> {
        panic!("no WebSocket is opened for a token")
    }
}

/// Keeps tokens in memory; can be told to fail.
#[derive(Debug, Default)]
pub(super) struct Vault {
    kept: Mutex<Option<(Secret<String>, u64)>>,
    pub(super) fails: AtomicBool,
}

impl Vault {
    pub(super) fn kept(&self) -> Option<String> {
        let kept = self.kept.lock();
        kept.as_ref().map(|(token, _)| token.expose().clone())
    }
}

#[async_trait]
impl TokenVault for Vault {
    fn load(&self, _: &str) -> Option<(Secret<String>, u64)> {
        self.kept.lock().clone()
    }

    async fn store(
        &self,
        _: &str,
        token: &Secret<String>,
        ancestor: u64,
    ) -> Result<(), VaultError> {
        if self.fails.load(Ordering::SeqCst) {
            let reason = "disk full".to_owned();
            return Err(VaultError { reason });
        }
        *self.kept.lock() = Some((token.clone(), ancestor));
        Ok(())
    }
}

/// A credential whose secrets stand in files of its own.
pub(super) struct Fixture {
    pub(super) directory: TempDir,
    pub(super) vault: Arc<Vault>,
    grant: &'static str,
}

/// A refresher that runs until this is dropped.
pub(super) struct Running {
    pub(super) tokens: Tokens,
    pub(super) trigger: DrainTrigger,
    pub(super) tasks: JoinSet<()>,
}

impl Fixture {
    pub(super) fn new(grant: &'static str) -> Self {
        let fixture = Self {
            directory: TempDir::new().unwrap(),
            vault: Arc::default(),
            grant,
        };
        fixture.write("id", "the-id");
        fixture.write("secret", "the-secret");
        fixture.write("refresh", "r0");
        fixture.write("username", "key-id");
        fixture.write("password", "key-secret");
        fixture
    }

    pub(super) fn write(&self, name: &str, content: &str) {
        fs::write(self.directory.path().join(name), content).unwrap();
    }

    pub(super) fn settings(&self) -> CredentialSettings {
        let file = |name: &str| self.directory.path().join(name);
        let mut config = json!({
            "grant": self.grant,
            "client_id_file": file("id"),
            "client_secret_file": file("secret"),
        });
        match self.grant {
            "refresh_token" => config["refresh_token_file"] = json!(file("refresh")),
            "password" => {
                config["username_file"] = json!(file("username"));
                config["password_file"] = json!(file("password"));
            }
            _ => {}
        }
        let config: AuthConfig = serde_json::from_value(config).unwrap();
        let url = Url::parse("https://login.test/oauth/token").unwrap();
        let before = Duration::from_secs(60);
        CredentialSettings::new("main", &config, &url, CredentialPlacement::Form, before).unwrap()
    }

    pub(super) fn refresher(&self, endpoint: &Endpoint) -> (Tokens, Refresher<Endpoint>) {
        let vault: Arc<dyn TokenVault> = Arc::<Vault>::clone(&self.vault);
        let clock = Clock::anchored(WallTime::from_millis(1_000));
        Refresher::new(
            self.settings(),
            endpoint.clone(),
            vault,
            clock,
            Rng::from_seed(7),
        )
    }

    pub(super) fn run(&self, endpoint: &Endpoint) -> Running {
        let (tokens, refresher) = self.refresher(endpoint);
        let (trigger, drain): (DrainTrigger, Drain) = drain();
        let mut tasks = JoinSet::new();
        tasks.spawn(refresher.run(drain));
        Running {
            tokens,
            trigger,
            tasks,
        }
    }
}

/// Lets paused time pass, with everything that happens in it.
pub(super) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}
