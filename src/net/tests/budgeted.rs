//! Requests behind a gate, in paused time.

use super::*;
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, Method};
use url::Url;

use crate::net::{Frame, Note, WebSocket};
use crate::runtime::{MonoTime, WallTime};

/// Notes when requests arrive; answers after a second.
#[derive(Debug, Clone, Default)]
struct Platform {
    came: Arc<Mutex<Vec<(CallClass, MonoTime)>>>,
    status: Arc<Mutex<StatusCode>>,
}

#[derive(Debug)]
enum NoSocket {}

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
impl HttpClient for Platform {
    type Socket = NoSocket;

    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        self.came.lock().push((request.class, MonoTime::now()));
        let slow = tokio::time::sleep(Duration::from_secs(1));
        if tokio::time::timeout(request.timeout, slow).await.is_err() {
            return Err(HttpFailure::Timeout(request.timeout));
        }
        Ok(HttpResponse {
            status: *self.status.lock(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        })
    }

    async fn websocket(&self, _: WebSocketRequest) -> Result<NoSocket, HandshakeFailure> {
        Err(HandshakeFailure::NotWebSocket("no".to_owned()))
    }
}

fn gate(per_minute: u32) -> Arc<RateGate> {
    let clock = Clock::anchored(WallTime::from_millis(0));
    Arc::new(RateGate::new(per_minute, clock))
}

fn request(class: CallClass) -> HttpRequest {
    HttpRequest {
        method: Method::GET,
        url: Url::parse("https://api.test/x").unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: Duration::from_secs(2),
        max_body: 1,
        class,
        note: Note::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn u40_clients_of_one_credential_share_its_budget_and_deadlines_begin_when_requests_leave() {
    let (platform, gate) = (Platform::default(), gate(300));
    let first = Budgeted::new(platform.clone(), Arc::clone(&gate));
    let second = Budgeted::new(platform.clone(), gate);
    let all = (0..200).map(|n| {
        let client = if n % 2 == 0 { &first } else { &second };
        client.request(request(CallClass::Token))
    });
    let began = MonoTime::now();
    for answer in join_all(all).await {
        assert_eq!(answer.unwrap().status, StatusCode::OK);
    }
    let came = platform.came.lock().clone();
    let at_once = came.iter().filter(|(_, at)| *at == began).count();
    assert_eq!((came.len(), at_once), (200, 60));
    let (_, last) = came[199];
    let took = (last - began).as_secs_f64();
    assert!((34.9..35.6).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn u40_a_token_overtakes_what_waits_and_a_poll_waits_for_nothing() {
    let platform = Platform::default();
    let client = Budgeted::new(platform.clone(), gate(300));
    let many = (0..100).map(|_| client.request(request(CallClass::Backfill)));
    let later = async {
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        let asked = MonoTime::now();
        client.request(request(CallClass::Poll)).await.unwrap();
        client.request(request(CallClass::Token)).await.unwrap();
        asked
    };
    let (_, asked) = tokio::join!(join_all(many), later);
    let came = platform.came.lock().clone();
    let when = |class| came.iter().find(|(of, _)| *of == class).unwrap().1;
    assert_eq!(when(CallClass::Poll), asked);
    assert_eq!(when(CallClass::Token), asked + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_too_long_fails_and_costs_nothing() {
    let platform = Platform::default();
    let client = Budgeted::new(platform.clone(), gate(10));
    let all = (0..30).map(|_| client.request(request(CallClass::Subscription)));
    let answers = join_all(all).await;
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    let came = platform.came.lock().len();
    assert_eq!(failed + came, 30);
    assert!((8..=10).contains(&came), "{came}");
    let timeout = HttpFailure::Timeout(LONGEST_WAIT);
    assert!(
        answers
            .iter()
            .flat_map(|answer| answer.as_ref().err())
            .all(|e| *e == timeout)
    );
    client
        .request(request(CallClass::Subscription))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_429_slows_down_everybody_who_uses_the_credential() {
    let platform = Platform::default();
    *platform.status.lock() = StatusCode::TOO_MANY_REQUESTS;
    let client = Budgeted::new(platform.clone(), gate(300));
    client.request(request(CallClass::Backfill)).await.unwrap();
    let throttled = MonoTime::now();
    client.request(request(CallClass::Token)).await.unwrap();
    let (_, next) = platform.came.lock()[1];
    assert!(next - throttled >= Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn u40_handshakes_of_a_thousand_guests_are_no_more_in_any_second_than_allowed() {
    let clock = Clock::anchored(WallTime::from_millis(0));
    let gate = Arc::new(RateGate::new(300, clock).with_handshakes(100));
    let began = MonoTime::now();
    let guests = (0..1_000).map(|_| async {
        gate.handshake_turn().await;
        began.elapsed()
    });
    let mut passed = join_all(guests).await;
    passed.sort_unstable();
    let second = Duration::from_secs(1);
    for (index, from) in passed.iter().enumerate() {
        let within = passed
            .iter()
            .skip(index)
            .take_while(|at| **at < *from + second);
        assert!(within.count() <= 100, "from {from:?}");
    }
    assert!(
        passed.last().unwrap() < &Duration::from_secs(12),
        "{passed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn u40_handshakes_that_were_kept_from_the_processor_do_not_leave_together() {
    let clock = Clock::anchored(WallTime::from_millis(0));
    let gate = Arc::new(RateGate::new(300, clock).with_handshakes(100));
    let left = Arc::new(Mutex::new(0));
    let mut guests = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let (gate, left) = (Arc::clone(&gate), Arc::clone(&left));
        guests.spawn(async move {
            gate.handshake_turn().await;
            *left.lock() += 1;
        });
    }
    tokio::time::advance(Duration::from_secs(5)).await;
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
    assert!(*left.lock() <= 20, "{} at once", left.lock());
}

#[tokio::test(start_paused = true)]
async fn handshakes_of_configured_sessions_wait_for_nothing() {
    let gate = gate(300);
    let began = MonoTime::now();
    join_all((0..1_000).map(|_| gate.handshake_turn())).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}
