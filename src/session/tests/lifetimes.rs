//! Sessions with a real credential: a day of short tokens, and a token endpoint that is dead, in paused
//! time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::json;

use super::platform::{Platform, Socket};
use super::{CANARY, Running, journal, start_as};
use crate::auth::{
    CredentialPlacement, CredentialSettings, Refresher, TokenSource, TokenVault, VaultError,
};
use crate::domain::WallTime;
use crate::net::{
    HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, WebSocketRequest,
};
use crate::proto::v1::session::State;
use crate::proto::v1::session_event::Kind;
use crate::runtime::{Clock, MonoTime, Rng, Secret, drain};

const LIFETIME: Duration = Duration::from_secs(300);
const MARGIN: Duration = Duration::from_secs(60);

/// Gives out tokens of five minutes, unless it is down.
#[derive(Debug, Default)]
struct Endpoint {
    down: AtomicBool,
    asked: Mutex<Vec<MonoTime>>,
}

#[derive(Debug, Clone)]
struct Way(Arc<Endpoint>);

#[async_trait]
impl HttpClient for Way {
    type Socket = Socket;

    async fn request(&self, _: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        self.0.asked.lock().push(MonoTime::now());
        if self.0.down.load(Ordering::SeqCst) {
            return Err(HttpFailure::Connect("down".to_owned()));
        }
        let body = json!({ "access_token": CANARY, "expires_in": LIFETIME.as_secs() });
        Ok(HttpResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_string()),
        })
    }

    async fn websocket(&self, _: WebSocketRequest) -> Result<Socket, HandshakeFailure> {
        Err(HandshakeFailure::NotWebSocket("no".to_owned()))
    }
}

/// This grant rotates nothing.
#[derive(Debug)]
struct NoVault;

#[async_trait]
impl TokenVault for NoVault {
    fn load(&self, _: &str) -> Option<(Secret<String>, u64)> {
        None
    }

    async fn store(&self, _: &str, _: &Secret<String>, _: u64) -> Result<(), VaultError> {
        let reason = "nothing is rotated".to_owned();
        Err(VaultError { reason })
    }
}

/// A session on this transport whose tokens come from `endpoint`.
fn start(platform: &Arc<Platform>, endpoint: &Arc<Endpoint>, transport: &str) -> Running {
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, "c4nary-of-the-client").unwrap();
        path
    };
    let auth = json!({
        "grant": "client_credentials",
        "client_id_file": file("id"), "client_secret_file": file("secret"),
    });
    let auth = serde_json::from_value(auth).unwrap();
    let url = "https://login.test/oauth/token".parse().unwrap();
    let placement = CredentialPlacement::Form;
    let settings = CredentialSettings::new("cc", &auth, &url, placement, MARGIN).unwrap();
    let clock = Clock::anchored(WallTime::parse_rfc3339("2026-03-10T09:41:00Z").unwrap());
    let way = Way(Arc::clone(endpoint));
    let (tokens, refresher) =
        Refresher::new(settings, way, Arc::new(NoVault), clock, Rng::from_seed(7));
    let tokens: Arc<dyn TokenSource> = Arc::new(tokens);
    let transport = json!({ "transport": transport });
    let mut running = start_as(platform, &journal(), &transport, 1, &tokens);
    let (trigger, drain) = drain();
    running.task.spawn(async move {
        let _kept = (trigger, files);
        refresher.run(drain).await;
    });
    running
}

fn demanded(day: Duration, each: Duration) -> usize {
    (day.as_secs_f64() / each.as_secs_f64()).ceil() as usize
}

#[tokio::test(start_paused = true)]
async fn u21_a_day_of_a_session_costs_the_tokens_that_their_lifetimes_demand() {
    for transport in ["websocket", "long_poll"] {
        let (platform, endpoint) = (Platform::new(), Arc::default());
        let running = start(&platform, &endpoint, transport);
        running.until_live().await;
        let day = Duration::from_secs(86_400);
        for _ in 0..24 {
            platform.issue(10);
            tokio::time::sleep(day / 24).await;
        }
        running.until_numbers(240).await;
        assert_eq!(running.facts(), [Kind::Connected], "{transport}");
        let asked = endpoint.asked.lock().len();
        let (soonest, latest) = (LIFETIME - MARGIN - MARGIN / 2, LIFETIME - MARGIN);
        let bounds = demanded(day, latest)..=demanded(day, soonest) + 1;
        assert!(
            bounds.contains(&asked),
            "{transport}: {asked} of {bounds:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn u23_while_the_token_endpoint_is_dead_the_stream_goes_on_as_long_as_the_token_lasts() {
    for transport in ["websocket", "long_poll"] {
        let (platform, endpoint) = (Platform::new(), Arc::<Endpoint>::default());
        let running = start(&platform, &endpoint, transport);
        running.until_live().await;
        // The first poll is held before it confirms anything: the token is as old as its request.
        let began = endpoint.asked.lock()[0];
        endpoint.down.store(true, Ordering::SeqCst);
        let before = endpoint.asked.lock().len();
        let mut issued = 0;
        while began.elapsed() < LIFETIME - Duration::from_secs(10) {
            platform.issue(1);
            issued += 1;
            running.until_numbers(issued).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        assert_eq!(running.facts(), [Kind::Connected], "{transport}");
        assert_eq!(running.post().state(), State::Active);
        while began.elapsed() < Duration::from_secs(600) {
            platform.issue(1);
            issued += 1;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        let shown = running.post();
        if transport == "long_poll" {
            assert!(shown.reason.starts_with("TOKEN_UNAVAILABLE"), "{shown:?}");
        } else {
            assert_eq!(shown.state(), State::Active, "an open WebSocket needs none");
        }
        let asked = endpoint.asked.lock().split_off(before);
        for pair in asked.windows(2) {
            assert!(pair[1] - pair[0] >= Duration::from_secs(1));
        }
        let failing = *asked.last().unwrap() - asked[0];
        let most = 5.0 + 2.0 * failing.as_secs_f64() / 15.0;
        assert!(
            (asked.len() as f64) < most,
            "{} in {failing:?}",
            asked.len()
        );
        endpoint.down.store(false, Ordering::SeqCst);
        running.until_live().await;
        running.until_numbers(issued).await;
        assert!(!running.facts().contains(&Kind::GapSuspected));
    }
}
