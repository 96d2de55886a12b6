//! Supervisor, driver and machine together, over a platform without sockets and paused time.

mod guests;
mod health;
mod lifetimes;
mod planned;
mod platform;
mod sending;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{HealthDesk, SessionBoard, SessionParts, SessionStats, Supervisor, SupervisorParts};
use crate::auth::{AccessToken, TokenProblem, TokenSource, TokenStatus};
use crate::domain::{SessionName, WallTime};
use crate::journal::{AppendError, Commit, Journal, StateDelta};
use crate::proto::v1;
use crate::proto::v1::event::{Data, Origin};
use crate::proto::v1::session::State;
use crate::proto::v1::session_event::Kind;
use crate::runtime::{Clock, DrainTrigger, MonoTime, Rng, Secret, drain};
use crate::telemetry::traces::Tracer;
use crate::testing::{Log, MemoryJournal};
use platform::Platform;

/// Every token here: it must be nowhere else than in requests.
const CANARY: &str = "c4nary-token-of-these-tests";

#[derive(Debug)]
struct Tokens {
    status: watch::Sender<TokenStatus>,
    refusal: Mutex<Option<TokenProblem>>,
}

impl Tokens {
    fn new() -> Arc<Self> {
        let status = TokenStatus {
            generation: 1,
            expires_at: None,
            problem: None,
            refreshes: 1,
            changes: 0,
            obtained_at: None,
            refused: 0,
            unavailable: 0,
        };
        Arc::new(Self {
            status: watch::Sender::new(status),
            refusal: Mutex::new(None),
        })
    }
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self) -> Result<AccessToken, TokenProblem> {
        if let Some(problem) = self.refusal.lock().clone() {
            return Err(problem);
        }
        Ok(AccessToken {
            value: Secret::new(CANARY.to_owned()),
            generation: self.status.borrow().generation,
            expires_at: MonoTime::now() + Duration::from_secs(300),
        })
    }

    fn reject(&self, generation: u64) {
        self.status
            .send_modify(|s| s.generation = s.generation.max(generation + 1));
    }

    fn status(&self) -> watch::Receiver<TokenStatus> {
        self.status.subscribe()
    }
}

/// A session that runs.
struct Running {
    journal: MemoryJournal,
    tokens: Arc<Tokens>,
    board: SessionBoard,
    stats: Arc<SessionStats>,
    trigger: DrainTrigger,
    task: tokio::task::JoinSet<()>,
    _canary: Canary,
}

/// Looks for the token in everything that a session logs, journals and posts.
struct Canary {
    log: Log,
    journal: MemoryJournal,
    board: SessionBoard,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Canary {
    fn new(journal: &MemoryJournal, board: &SessionBoard) -> Self {
        let (log, guard) = Log::capture("trace");
        Self {
            log,
            journal: journal.clone(),
            board: board.clone(),
            _guard: guard,
        }
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let posts = format!("{:?}", self.board.posts());
        let journaled = format!("{:?}", self.journal.events());
        let state: Vec<_> = self
            .journal
            .state("")
            .into_iter()
            .map(|e| e.value)
            .collect();
        for shown in [self.log.text(), posts, journaled, format!("{state:?}")] {
            assert!(!shown.contains("c4nary"), "{shown}");
        }
    }
}

fn journal() -> MemoryJournal {
    let wall = WallTime::parse_rfc3339("2026-03-10T09:41:00Z").unwrap();
    MemoryJournal::new("default", 1, Clock::anchored(wall))
}

fn start(platform: &Arc<Platform>, journal: &MemoryJournal) -> Running {
    start_with(platform, journal, &serde_json::json!({}), 1)
}

/// Starts `sessions` of one credential; `more` is added to the configuration of each.
fn start_with(
    platform: &Arc<Platform>,
    journal: &MemoryJournal,
    more: &serde_json::Value,
    sessions: usize,
) -> Running {
    let own = Tokens::new();
    let tokens: Arc<dyn TokenSource> = Arc::<Tokens>::clone(&own);
    Running {
        tokens: own,
        ..start_as(platform, journal, more, sessions, &tokens)
    }
}

/// The same with these tokens.
fn start_as(
    platform: &Arc<Platform>,
    journal: &MemoryJournal,
    more: &serde_json::Value,
    sessions: usize,
    tokens: &Arc<dyn TokenSource>,
) -> Running {
    let health = HealthDesk::default();
    let part = |index: usize| {
        let mut config = serde_json::json!({
            "name": if index == 0 { "cc".to_owned() } else { format!("cc{index}") },
            "platform": "genesys-events",
            "endpoint": "https://api.example.test",
            "channels": ["routing.agentEvent"],
            "auth": { "grant": "client_credentials" },
        });
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        SessionParts {
            config: serde_json::from_value(config).unwrap(),
            http: Arc::clone(platform),
            tokens: Arc::clone(tokens),
            journal: Arc::new(journal.clone()),
            health: health.clone(),
            sealer: None,
            outbound: None,
        }
    };
    let board = SessionBoard::new();
    let wall = WallTime::parse_rfc3339("2026-03-10T09:41:00Z").unwrap();
    let parts = SupervisorParts {
        sessions: (0..sessions).map(part).collect(),
        board: board.clone(),
        clock: Clock::anchored(wall),
        rng: Rng::from_seed(7),
        tracer: Tracer::off(),
    };
    let supervisor = Supervisor::new(parts).unwrap();
    let stats = Arc::clone(&supervisor.stats()[0].1);
    let (trigger, drain) = drain();
    let canary = Canary::new(journal, &board);
    let mut task = tokio::task::JoinSet::new();
    task.spawn(supervisor.run(drain));
    let journal = journal.clone();
    Running {
        journal,
        tokens: Tokens::new(),
        _canary: canary,
        board,
        stats,
        trigger,
        task,
    }
}

impl Running {
    fn post(&self) -> v1::Session {
        let name = SessionName::new("cc").unwrap();
        let posts = self.board.posts();
        v1::Session::clone(&posts[&name].state)
    }

    /// Waits until the board shows what is wanted; in paused time a minute is nothing.
    async fn until(&self, what: &str, wanted: impl Fn(&v1::Session) -> bool) {
        let shown = async {
            while !wanted(&self.post()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(600), shown).await;
        waited.unwrap_or_else(|_| panic!("never {what}: {:?}", self.post()));
    }

    async fn until_live(&self) {
        self.until("live", |s| s.state() == State::Active).await;
    }

    async fn until_numbers(&self, last: u64) {
        let came = async {
            while self.numbers().last() != Some(&last) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(600), came).await;
        waited.unwrap_or_else(|_| {
            panic!(
                "{last} never came: {:?} {:?}",
                self.numbers().last(),
                self.post()
            )
        });
        let expected: Vec<_> = (1..=last).collect();
        assert_eq!(self.numbers(), expected);
    }

    fn numbers(&self) -> Vec<u64> {
        let events = self.journal.events().into_iter();
        let events = events.filter(|e| e.origin() != Origin::Sidecar);
        events.map(|e| e.provider_sequence).collect()
    }

    fn facts(&self) -> Vec<Kind> {
        let facts = self
            .journal
            .events()
            .into_iter()
            .filter_map(|e| match e.data {
                Some(Data::SessionEvent(fact)) => Some(fact.kind()),
                _ => None,
            });
        facts.collect()
    }

    /// Drains and waits for the end; how long it took.
    async fn drained(&mut self) -> Duration {
        let began = MonoTime::now();
        self.trigger.drain();
        let ended = tokio::time::timeout(Duration::from_secs(60), self.task.join_next()).await;
        ended
            .expect("it ends")
            .expect("it ran")
            .expect("it did not panic");
        began.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn events_travel_from_the_platform_to_the_journal_and_a_drain_is_polite() {
    let platform = Platform::new();
    platform.issue(3);
    let mut running = start(&platform, &journal());
    running.until_live().await;
    platform.issue(200);
    running.until_numbers(203).await;
    let post = running.post();
    assert_eq!(post.transport(), v1::Transport::Websocket);
    assert_eq!(
        (post.journal.as_str(), post.provider.as_str()),
        ("journals/default", "genesys-events")
    );
    assert_eq!(running.stats.snapshot().events, 203);
    assert!(running.drained().await < Duration::from_secs(1));
    assert_eq!(platform.closed.lock().last(), Some(&Some(1000)));
    assert_eq!(running.facts(), [Kind::Connected, Kind::Disconnected]);
    assert!(running.board.posts().is_empty());
    // Started again on the same journal it goes on behind the last event.
    platform.issue(2);
    let again = start(&platform, &running.journal);
    again.until_numbers(205).await;
    assert_eq!(again.stats.snapshot().duplicates, 0);
}

#[tokio::test(start_paused = true)]
async fn u35_a_peer_that_does_not_answer_is_given_two_seconds() {
    let platform = Platform::new();
    let mut running = start(&platform, &journal());
    running.until_live().await;
    platform.change(|mood| mood.rude = true);
    let took = running.drained().await;
    assert!((2..3).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn u3_u4_a_network_that_strips_upgrade_and_ceases_to() {
    let platform = Platform::new();
    let running = start(&platform, &journal());
    running.until_live().await;
    platform.issue(2);
    running.until_numbers(2).await;
    platform.change(|mood| {
        mood.strip = true;
        mood.cut += 1;
        mood.issued += 2;
    });
    running
        .until("polling", |s| s.transport() == v1::Transport::LongPoll)
        .await;
    platform.issue(2);
    running.until_numbers(6).await;
    platform.change(|mood| mood.strip = false);
    running
        .until("back", |s| s.transport() == v1::Transport::Websocket)
        .await;
    platform.issue(2);
    running.until_numbers(8).await;
    assert_eq!(running.stats.snapshot().transport_changes, 2);
    assert_eq!(
        running.facts(),
        [
            Kind::Connected,
            Kind::Disconnected,
            Kind::Connected,
            Kind::TransportChanged,
            Kind::TransportChanged
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn u2_a_hung_handshake_leads_to_polling() {
    let platform = Platform::new();
    platform.change(|mood| mood.hang = true);
    platform.issue(1);
    let began = MonoTime::now();
    let running = start(&platform, &journal());
    running.until_numbers(1).await;
    assert!(
        began.elapsed() <= Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(platform.handshakes.load(Ordering::Relaxed) <= 3);
}

#[tokio::test(start_paused = true)]
async fn u17_a_hole_is_filled_from_the_history() {
    let platform = Platform::new();
    let running = start(&platform, &journal());
    running.until_live().await;
    platform.change(|mood| {
        mood.withheld = [2, 3].into();
        mood.issued = 5;
    });
    running.until_numbers(5).await;
    assert_eq!(
        running.facts(),
        [Kind::Connected, Kind::GapSuspected, Kind::GapClosed]
    );
    assert_eq!(running.stats.snapshot().backfilled, 2);
    assert_eq!(running.post().open_gap_sequence, 0);
}

#[tokio::test(start_paused = true)]
async fn u25_a_connection_that_answers_no_ping_is_replaced() {
    let platform = Platform::new();
    let running = start(&platform, &journal());
    running.until_live().await;
    tokio::time::sleep(Duration::from_secs(900)).await;
    assert_eq!(
        running.post().generation,
        1,
        "a quarter of an hour of silence is survived"
    );
    platform.change(|mood| mood.deaf = true);
    running
        .until("lost", |s| s.state() == State::Reconnecting)
        .await;
    platform.change(|mood| mood.deaf = false);
    running.until_live().await;
    assert_eq!(running.post().reconnect_count, 1);
}

#[tokio::test(start_paused = true)]
async fn u41_a_journal_without_space_stops_the_reading_and_loses_nothing() {
    let platform = Platform::new();
    let running = start(&platform, &journal());
    running.until_live().await;
    let retry_after = Duration::from_secs(5);
    running
        .journal
        .refuse(Some(AppendError::NoSpace { retry_after }));
    platform.issue(100_000);
    running
        .until("degraded", |s| s.state() == State::Degraded)
        .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let read = platform.frames_read.load(Ordering::Relaxed);
    assert!(
        read < 200,
        "{read} frames were read while nothing could be written"
    );
    running.journal.refuse(None);
    running.until_numbers(100_000).await;
    running.until_live().await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_read_only_is_said_and_nothing_spins() {
    let platform = Platform::new();
    let mut running = start(&platform, &journal());
    running.until_live().await;
    let reason = "EIO".to_owned();
    running
        .journal
        .refuse(Some(AppendError::ReadOnly { reason }));
    platform.issue(1);
    running
        .until("suspended", |s| s.state() == State::Suspended)
        .await;
    assert_eq!(running.post().reason, "JOURNAL_READ_ONLY");
    let handshakes = platform.handshakes.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(platform.handshakes.load(Ordering::Relaxed), handshakes);
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn u24_a_replaced_secret_wakes_a_suspended_session() {
    let platform = Platform::new();
    let running = start(&platform, &journal());
    *running.tokens.refusal.lock() = Some(TokenProblem::Refused {
        reason: "invalid_client".to_owned(),
    });
    running
        .until("suspended", |s| s.state() == State::Suspended)
        .await;
    *running.tokens.refusal.lock() = None;
    running.tokens.reject(1);
    let began = MonoTime::now();
    running.until_live().await;
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_panics_is_started_again() {
    let platform = Platform::new();
    platform.change(|mood| mood.panic = true);
    platform.issue(4);
    let running = start(&platform, &journal());
    running.until_numbers(4).await;
    assert_eq!(platform.handshakes.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_ask_for_a_new_connection() {
    let platform = Platform::new();
    let running = start(&platform, &journal());
    running.until_live().await;
    let before = running.post().generation;
    assert!(
        running
            .board
            .reconnect(&SessionName::new("cc").unwrap())
            .is_some()
    );
    running
        .until("another", |s| {
            s.generation > before && s.state() == State::Active
        })
        .await;
    assert!(platform.closed.lock().contains(&Some(1000)));
}

#[tokio::test(start_paused = true)]
async fn state_that_cannot_be_read_is_said_and_the_session_does_not_begin_anew() {
    let journal = journal();
    let state = vec![StateDelta {
        key: "sessions/cc/position".to_owned(),
        value: Some(bytes::Bytes::from_static(b"{")),
        event: None,
    }];
    journal
        .append(Commit {
            events: Vec::new(),
            state,
        })
        .await
        .unwrap();
    let platform = Platform::new();
    let mut running = start(&platform, &journal);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(platform.handshakes.load(Ordering::Relaxed), 0);
    assert!(running.post().state() == State::Suspended);
    assert_eq!(running.post().reason, "STATE_UNREADABLE");
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_it_at_once() {
    let platform = Platform::new();
    let mut running = start(&platform, &journal());
    running.until_live().await;
    platform.change(|mood| mood.rude = true);
    running.trigger.force();
    let ended = tokio::time::timeout(Duration::from_millis(10), running.task.join_next()).await;
    assert!(ended.is_ok());
}
