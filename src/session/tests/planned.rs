//! Sessions that have to find out what they subscribe to, in paused time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;

use super::platform::{Platform, Socket};
use super::{Canary, Running, Tokens, journal};
use crate::auth::{TokenProblem, TokenSource};
use crate::connectors::Built;
use crate::domain::{SessionName, WallTime};
use crate::net::{
    HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, WebSocketRequest,
};
use crate::proto::v1::session::State;
use crate::runtime::{Clock, MonoTime, Rng, drain};
use crate::session::planner::tests::Listing;
use crate::session::{HealthDesk, SessionBoard, SessionParts, Supervisor, SupervisorParts};
use crate::telemetry::traces::Tracer;

/// A platform that also lists what there is.
#[derive(Debug)]
struct Listed {
    platform: Arc<Platform>,
    list: Mutex<(u16, String)>,
    asked: Mutex<Vec<MonoTime>>,
}

impl Listed {
    fn new(list: &str) -> Arc<Self> {
        Arc::new(Self {
            platform: Platform::new(),
            list: Mutex::new((200, list.to_owned())),
            asked: Mutex::default(),
        })
    }

    fn lists(&self, status: u16, list: &str) {
        *self.list.lock() = (status, list.to_owned());
    }

    fn asked(&self) -> Vec<MonoTime> {
        self.asked.lock().clone()
    }

    fn handshakes(&self) -> usize {
        self.platform.handshakes.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl HttpClient for Listed {
    type Socket = Socket;

    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        if request.url.path() != "/list" {
            return self.platform.request(request).await;
        }
        self.asked.lock().push(MonoTime::now());
        let (status, list) = self.list.lock().clone();
        Ok(HttpResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from(list),
        })
    }

    async fn websocket(&self, request: WebSocketRequest) -> Result<Socket, HandshakeFailure> {
        self.platform.websocket(request).await
    }
}

fn start(listed: &Arc<Listed>) -> Running {
    let journal = journal();
    let config = serde_json::json!({
        "name": "cc",
        "platform": "genesys-events",
        "endpoint": "https://api.example.test",
        "auth": { "grant": "client_credentials" },
    });
    let tokens = Tokens::new();
    let board = SessionBoard::new();
    let wall = WallTime::parse_rfc3339("2026-03-10T09:41:00Z").unwrap();
    let parts = SupervisorParts {
        sessions: vec![SessionParts {
            config: serde_json::from_value(config).unwrap(),
            http: Arc::clone(listed),
            tokens: Arc::clone(&tokens) as Arc<dyn TokenSource>,
            journal: Arc::new(journal.clone()),
            health: HealthDesk::default(),
            sealer: None,
            outbound: None,
        }],
        board: board.clone(),
        clock: Clock::anchored(wall),
        rng: Rng::from_seed(7),
        tracer: Tracer::off(),
    };
    let plan = |_: &_| -> crate::session::supervisor::Build {
        Box::new(|_| Ok(Some(Built::Planned(Box::new(Listing::of_pages(1))))))
    };
    let supervisor = Supervisor::building(parts, plan).unwrap();
    let stats = Arc::clone(&supervisor.stats()[0].1);
    let (trigger, drain) = drain();
    let canary = Canary::new(&journal, &board);
    let mut task = tokio::task::JoinSet::new();
    task.spawn(supervisor.run(drain));
    Running {
        journal,
        tokens,
        board,
        stats,
        trigger,
        task,
        _canary: canary,
    }
}

impl Running {
    /// Until the plan has been asked again.
    async fn replanned(&self) {
        tokio::time::sleep(Duration::from_secs(721)).await;
    }

    async fn until_topics(&self, count: u32) {
        self.until("subscribed", |s| {
            s.state() == State::Active && s.topic_count == count
        })
        .await;
    }

    fn reconnect(&self) {
        let name = SessionName::new("cc").unwrap();
        assert!(self.board.reconnect(&name).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_connects_once_it_knows_what_to_subscribe_to() {
    let listed = Listed::new("a,b|c");
    listed.lists(503, "");
    let mut running = start(&listed);
    running
        .until("in trouble", |s| {
            s.state() == State::Connecting && s.reason == "RESOLVING_TOPICS: HTTP 503"
        })
        .await;
    assert_eq!(listed.handshakes(), 0);
    listed.lists(200, "a,b|c");
    running.until_topics(3).await;
    assert_eq!(listed.handshakes(), 4, "two channels, each with its probe");
    // Each keeps its place under a name of its own.
    listed.platform.issue(1);
    running.until("read", |_| running.numbers() == [1, 1]).await;
    let prefixes = ["sessions/cc/", "sessions/cc.1/"];
    for prefix in prefixes {
        assert!(!crate::journal::Journal::state(&running.journal, prefix).is_empty());
    }
    running.drained().await;
    assert!(running.board.posts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_answer_every_ten_minutes_disturbs_nothing() {
    let listed = Listed::new("a|b");
    let running = start(&listed);
    running.until_topics(2).await;
    let (handshakes, generation) = (listed.handshakes(), running.post().generation);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let asked = listed.asked();
    assert!((5..=6).contains(&(asked.len() - 1)), "{asked:?}");
    for pair in asked.windows(2) {
        let between = (pair[1] - pair[0]).as_secs();
        assert!((600..=720).contains(&between), "{between}");
    }
    assert_eq!(listed.handshakes(), handshakes);
    assert_eq!(running.post().generation, generation);
}

#[tokio::test(start_paused = true)]
async fn channels_come_and_go_with_what_there_is() {
    let listed = Listed::new("a");
    let running = start(&listed);
    running.until_topics(1).await;
    listed.lists(200, "a|b,c|d");
    running.replanned().await;
    running.until_topics(4).await;
    assert_eq!(running.post().generation, 3, "the first was left alone");
    // Two are closed politely, the first stays.
    let closed = || listed.platform.closed.lock().len();
    let before = closed();
    listed.lists(200, "a");
    running.replanned().await;
    running.until_topics(1).await;
    assert_eq!(closed() - before, 2);
    assert_eq!(running.post().generation, 1);
    // And again, under the same names.
    listed.lists(200, "a|e");
    running.replanned().await;
    running.until_topics(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_wanted_again_while_it_ends_begins_anew_after_that() {
    let listed = Listed::new("a|b");
    let running = start(&listed);
    running.until_topics(2).await;
    listed.platform.change(|mood| mood.rude = true);
    listed.lists(200, "a");
    running.reconnect();
    running.until("one", |s| s.topic_count == 1).await;
    listed.lists(200, "a|c,d");
    running.reconnect();
    listed.platform.change(|mood| mood.rude = false);
    running.until_topics(3).await;
}

#[tokio::test(start_paused = true)]
async fn reconnect_asks_anew_at_once_whatever_was_waited_for() {
    let listed = Listed::new("a");
    listed.lists(403, "");
    let running = start(&listed);
    running
        .until("suspended", |s| {
            s.state() == State::Suspended && s.reason == "PERMISSION_DENIED"
        })
        .await;
    listed.lists(200, "a,b");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(running.post().state(), State::Suspended);
    let began = MonoTime::now();
    running.reconnect();
    running.until_topics(2).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    // While it runs, too: what it finds then is found at once.
    listed.lists(200, "a,b|c|d");
    running.reconnect();
    running.until_topics(4).await;
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn u24_a_replaced_secret_ends_the_wait_of_a_plan() {
    let listed = Listed::new("a");
    let running = start(&listed);
    *running.tokens.refusal.lock() = Some(TokenProblem::Refused {
        reason: "invalid_client".to_owned(),
    });
    running
        .until("refused", |s| {
            s.reason == "CREDENTIALS_REFUSED: invalid_client"
        })
        .await;
    *running.tokens.refusal.lock() = None;
    let began = MonoTime::now();
    running.tokens.reject(1);
    running.until_topics(1).await;
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_lists_nothing_is_said_and_asked_again() {
    let listed = Listed::new("");
    let running = start(&listed);
    running
        .until("empty", |s| {
            s.state() == State::Suspended && s.reason.starts_with("NO_TOPICS")
        })
        .await;
    listed.lists(200, "a");
    running.replanned().await;
    running.until_topics(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_panics_harms_no_channel_and_is_made_anew() {
    let listed = Listed::new("a");
    let running = start(&listed);
    running.until_topics(1).await;
    listed.lists(200, "!");
    running.reconnect();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(running.post().state(), State::Active);
    listed.lists(200, "a|b");
    running.replanned().await;
    running.until_topics(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_a_plan() {
    let listed = Listed::new("a");
    listed.lists(503, "");
    let mut running = start(&listed);
    running
        .until("in trouble", |s| s.reason.ends_with("503"))
        .await;
    assert!(running.drained().await < Duration::from_secs(1));
    let asked = listed.asked().len();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(listed.asked().len(), asked);
}
