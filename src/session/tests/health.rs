//! Health requests that sessions share, endpoints that give way, and permissions that are missing, in
//! paused time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::json;

use super::platform::{Platform, Socket};
use super::{Tokens, journal, start, start_with};
use crate::connectors::{Built, build};
use crate::domain::{SessionName, WallTime};
use crate::net::{
    HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, WebSocketRequest,
};
use crate::proto::v1::session::State;
use crate::proto::v1::session_event::Kind;
use crate::runtime::{Clock, MonoTime, Rng};
use crate::session::health::Asking;
use crate::session::{Checked, HealthDesk};

const OWN: &str = "api.example.test";
const OTHER: &str = "other.example.test";

fn elsewhere() -> serde_json::Value {
    json!({ "alternative_endpoints": ["https://other.example.test"] })
}

async fn hours(count: u64) {
    tokio::time::sleep(Duration::from_secs(count * 3_600)).await;
}

#[tokio::test(start_paused = true)]
async fn u27_one_request_every_quarter_of_a_minute_for_all_sessions_that_share() {
    for (sessions, strip) in [(1, false), (20, false), (20, true)] {
        let platform = Platform::new();
        platform.change(|mood| mood.strip = strip);
        let running = start_with(&platform, &journal(), &json!({}), sessions);
        running.until_live().await;
        hours(1).await;
        let asked = platform.health.lock().clone();
        assert!(
            (210..=270).contains(&asked.len()),
            "{sessions}: {}",
            asked.len()
        );
        let pauses: Vec<_> = asked.windows(2).map(|two| two[1].0 - two[0].0).collect();
        let usual = Duration::from_millis(13_499)..Duration::from_millis(16_501);
        assert!(
            pauses.iter().all(|pause| usual.contains(pause)),
            "{pauses:?}"
        );
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "no jitter");
        let shown = running.post();
        assert!(shown.round_trip.is_some(), "everybody has the samples");
    }
}

#[tokio::test(start_paused = true)]
async fn u27_health_that_fails_while_events_flow_moves_the_websocket_without_a_break() {
    let platform = Platform::new();
    let running = start_with(&platform, &journal(), &elsewhere(), 1);
    running.until_live().await;
    platform.issue(10);
    running.until_numbers(10).await;
    platform.change(|mood| mood.sick = [OWN.to_owned()].into());
    let began = MonoTime::now();
    running
        .until("elsewhere", |s| s.reason == format!("ENDPOINT: {OTHER}"))
        .await;
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    platform.issue(10);
    running.until_numbers(20).await;
    assert_eq!(running.facts(), [Kind::Connected]);
    // It stays where it works.
    hours(2).await;
    assert_eq!(running.post().reason, format!("ENDPOINT: {OTHER}"));
    assert_eq!(platform.health.lock().last().unwrap().1, OTHER);
    assert_eq!(running.stats.snapshot().endpoint_changes, 1);
}

#[tokio::test(start_paused = true)]
async fn u27_health_that_fails_while_events_flow_moves_the_poll_and_skips_nothing() {
    let platform = Platform::new();
    let mut config = elsewhere();
    config["transport"] = json!("long_poll");
    let running = start_with(&platform, &journal(), &config, 1);
    running.until_live().await;
    platform.issue(10);
    running.until_numbers(10).await;
    platform.change(|mood| mood.sick = [OWN.to_owned()].into());
    running
        .until("elsewhere", |s| {
            s.reason.ends_with(&format!("ENDPOINT: {OTHER}"))
        })
        .await;
    platform.issue(10);
    running.until_numbers(20).await;
    assert!(!running.facts().contains(&Kind::GapSuspected));
}

#[tokio::test(start_paused = true)]
async fn u27_an_endpoint_that_cannot_be_reached_is_left_on_either_transport() {
    for transport in ["websocket", "long_poll", "auto"] {
        let platform = Platform::new();
        let mut config = elsewhere();
        config["transport"] = json!(transport);
        let running = start_with(&platform, &journal(), &config, 1);
        running.until_live().await;
        platform.issue(5);
        running.until_numbers(5).await;
        platform.change(|mood| {
            mood.down = [OWN.to_owned()].into();
            mood.cut += 1;
        });
        running
            .until("elsewhere", |s| {
                s.state() == State::Active && s.reason.ends_with(&format!("ENDPOINT: {OTHER}"))
            })
            .await;
        platform.issue(5);
        running.until_numbers(10).await;
    }
}

#[tokio::test(start_paused = true)]
async fn u27_hours_without_an_event_are_quiet_where_health_is_good() {
    for strip in [false, true] {
        let platform = Platform::new();
        platform.change(|mood| mood.strip = strip);
        let running = start(&platform, &journal());
        running.until_live().await;
        hours(6).await;
        assert_eq!(running.post().state(), State::Active);
        assert_eq!(running.facts(), [Kind::Connected]);
        assert_eq!(running.stats.snapshot().unhealthy_paths, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn u12_a_permission_that_is_missing_is_said_within_a_second_and_asked_for_rarely() {
    for transport in ["websocket", "long_poll", "auto"] {
        let platform = Platform::new();
        platform.change(|mood| mood.forbidden = true);
        let config = json!({ "transport": transport });
        let began = MonoTime::now();
        let running = start_with(&platform, &journal(), &config, 1);
        running
            .until("suspended", |s| s.state() == State::Suspended)
            .await;
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(running.post().reason, "PERMISSION_DENIED");
        hours(1).await;
        let sent =
            platform.handshakes.load(Ordering::Relaxed) + platform.requests.load(Ordering::Relaxed);
        assert!(sent <= 13 * 3, "{transport}: {sent} in an hour");
        assert_eq!(platform.health.lock().len(), 0);
        assert_eq!(running.facts(), [Kind::Suspended]);
    }
}

/// What becomes of a health request.
#[derive(Debug, Clone)]
enum Fate {
    Status(u16),
    Fails(HttpFailure),
    /// The budget holds it back.
    HeldBack,
    Hangs,
}

#[derive(Debug)]
struct Scripted {
    fates: Mutex<VecDeque<Fate>>,
    /// What was sent.
    sent: Mutex<usize>,
}

#[async_trait]
impl HttpClient for Scripted {
    type Socket = Socket;

    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let fate = self.fates.lock().pop_front().unwrap_or(Fate::Status(200));
        let minute = Duration::from_secs(60);
        if let Fate::HeldBack = fate {
            tokio::time::sleep(minute).await;
            return Err(HttpFailure::Timeout(minute));
        }
        request.note.left.now(MonoTime::now());
        *self.sent.lock() += 1;
        match fate {
            Fate::Fails(failure) => Err(failure),
            Fate::Hangs => std::future::pending().await,
            Fate::Status(status) => Ok(HttpResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers: HeaderMap::new(),
                body: Bytes::new(),
            }),
            Fate::HeldBack => Err(HttpFailure::Timeout(minute)),
        }
    }

    async fn websocket(&self, _: WebSocketRequest) -> Result<Socket, HandshakeFailure> {
        Err(HandshakeFailure::NotWebSocket("no".to_owned()))
    }
}

fn asking(fates: &[Fate]) -> Asking<Scripted> {
    let name = SessionName::new("cc").unwrap();
    let endpoint = "https://api.example.test".parse().unwrap();
    let settings = crate::connectors::Settings {
        channels: vec!["a".to_owned()],
        ..crate::connectors::Settings::new("genesys-events", name, endpoint)
    };
    let Built::Ready(mut connectors) = build(&settings).unwrap() else {
        panic!("a profile needs no plan");
    };
    Asking {
        session: "cc".to_owned(),
        every: Duration::from_secs(15),
        connector: connectors.remove(0),
        http: Arc::new(Scripted {
            fates: Mutex::new(fates.iter().cloned().collect()),
            sent: Mutex::default(),
        }),
        tokens: Tokens::new(),
        clock: Clock::anchored(WallTime::from_millis(0)),
        rng: Rng::from_seed(7),
    }
}

#[tokio::test(start_paused = true)]
async fn u27_what_the_platform_answers_is_life_and_what_stands_in_for_it_is_not() {
    let fates = [
        Fate::Status(401),
        Fate::Status(404),
        Fate::Status(429),
        Fate::Status(502),
        Fate::Status(503),
        Fate::Fails(HttpFailure::Timeout(Duration::from_secs(10))),
        Fate::Fails(HttpFailure::Reset("cut".to_owned())),
        Fate::Fails(HttpFailure::TooLarge { limit: 1 }),
    ];
    let (desk, asking) = (HealthDesk::default(), asking(&fates));
    let (mut seen, mut failures) = (0, Vec::new());
    for _ in &fates {
        let report = desk.next(&asking, seen).await;
        assert_eq!(report.failures > 0, report.checked == Checked::Failed);
        seen = report.serial;
        failures.push(report.failures);
    }
    assert_eq!(failures, [0, 0, 0, 1, 2, 3, 4, 0]);
}

#[tokio::test(start_paused = true)]
async fn u27_a_request_that_the_budget_held_back_says_nothing() {
    let (desk, asking) = (
        HealthDesk::default(),
        asking(&[Fate::HeldBack, Fate::HeldBack]),
    );
    let report = desk.next(&asking, 0).await;
    assert_eq!((report.serial, report.failures), (1, 0));
    assert_eq!(report.checked, Checked::Answered(Duration::ZERO));
    assert_eq!(*asking.http.sent.lock(), 1);
}

#[tokio::test(start_paused = true)]
async fn u27_a_turn_that_is_given_up_passes_to_another() {
    let (desk, first) = (HealthDesk::default(), asking(&[Fate::Hangs]));
    let second = asking(&[]);
    {
        let hanging = desk.next(&first, 0);
        tokio::pin!(hanging);
        let hangs = tokio::time::timeout(Duration::from_secs(20), &mut hanging).await;
        assert!(hangs.is_err());
        let waiting = tokio::time::timeout(Duration::from_secs(60), desk.next(&second, 0)).await;
        assert!(waiting.is_err(), "one at a time");
        // The session whose turn it was goes away.
    }
    assert_eq!(desk.next(&second, 0).await.failures, 0);
    assert_eq!((*first.http.sent.lock(), *second.http.sent.lock()), (1, 1));
}
