//! A platform of genesys-events behind the trait `HttpClient`, without sockets: it numbers, holds
//! polls, replays, and does harm when told to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use tokio::sync::watch;
use url::Url;

use crate::net::{
    CallClass, Frame, HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse,
    WebSocket, WebSocketRequest,
};
use crate::runtime::MonoTime;

/// What the network and the platform do.
#[derive(Debug, Clone, Default)]
pub(super) struct Mood {
    pub(super) issued: u64,
    /// Never sent live.
    pub(super) withheld: BTreeSet<u64>,
    /// The network strips Upgrade.
    pub(super) strip: bool,
    /// Handshakes never end.
    pub(super) hang: bool,
    /// The next handshake panics.
    pub(super) panic: bool,
    /// Open sockets break.
    pub(super) cut: u64,
    /// A close frame is never answered.
    pub(super) rude: bool,
    pub(super) deaf: bool,
    /// Hosts whose health requests get a 503.
    pub(super) sick: BTreeSet<String>,
    /// Hosts that cannot be reached.
    pub(super) down: BTreeSet<String>,
    /// Everything is refused for want of a permission.
    pub(super) forbidden: bool,
}

#[derive(Debug)]
pub(super) struct Platform {
    pub(super) mood: watch::Sender<Mood>,
    pub(super) handshakes: AtomicUsize,
    pub(super) requests: AtomicUsize,
    /// Health requests: when, and to which host.
    pub(super) health: Mutex<Vec<(MonoTime, String)>>,
    pub(super) frames_read: Arc<AtomicUsize>,
    pub(super) closed: Arc<Mutex<Vec<Option<u16>>>>,
}

impl Platform {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            mood: watch::Sender::new(Mood::default()),
            handshakes: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            health: Mutex::default(),
            frames_read: Arc::default(),
            closed: Arc::default(),
        })
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Mood)) {
        self.mood.send_modify(change);
    }

    pub(super) fn issue(&self, count: u64) {
        self.change(|mood| mood.issued += count);
    }
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

fn event(number: u64) -> String {
    format!(
        r#"{{"eventType":"routing.agentEvent","sequence":{number},"data":{{"agentId":"a{number}","state":"idle"}}}}"#
    )
}

fn batch(numbers: &[u64], otherwise: u64) -> Bytes {
    let highest = numbers.last().copied().unwrap_or(otherwise);
    let events: Vec<_> = numbers.iter().map(|n| event(*n)).collect();
    format!(
        r#"{{"sequence":{highest},"events":[{}]}}"#,
        events.join(",")
    )
    .into()
}

fn after(mood: &Mood, number: u64) -> Vec<u64> {
    let numbers = number + 1..=mood.issued;
    numbers
        .filter(|n| !mood.withheld.contains(n))
        .take(100)
        .collect()
}

fn answer(status: StatusCode, body: Bytes) -> HttpResponse {
    HttpResponse {
        status,
        headers: HeaderMap::new(),
        body,
    }
}

#[async_trait]
impl HttpClient for Platform {
    type Socket = Socket;

    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        assert!(request.headers.contains_key("authorization"));
        let (now, host) = (MonoTime::now(), host_of(&request.url));
        request.note.left.now(now);
        let mood = self.mood.borrow().clone();
        if mood.down.contains(&host) {
            return Err(HttpFailure::Connect("down".to_owned()));
        }
        if request.url.path().ends_with("/health") {
            assert_eq!(request.class, CallClass::Health);
            let sick = mood.sick.contains(&host);
            self.health.lock().push((now, host));
            let status = if sick { 503 } else { 200 };
            return Ok(answer(StatusCode::from_u16(status).unwrap(), Bytes::new()));
        }
        if mood.forbidden {
            return Ok(answer(StatusCode::FORBIDDEN, Bytes::new()));
        }
        if request.url.path().ends_with("/history") {
            let number = |name: &str| -> u64 {
                let pairs = request.url.query_pairs();
                let found = pairs.into_iter().find(|(n, _)| n == name);
                found.unwrap().1.parse().unwrap()
            };
            let (first, last) = (number("after") + 1, number("through"));
            let numbers: Vec<_> = (first..=last.min(self.mood.borrow().issued)).collect();
            return Ok(answer(StatusCode::OK, batch(&numbers, 0)));
        }
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let asked = body["sequence"].as_u64().unwrap();
        let mut mood = self.mood.subscribe();
        let hold = mood.wait_for(|mood| !after(mood, asked).is_empty());
        match tokio::time::timeout(Duration::from_secs(25), hold).await {
            Ok(mood) => Ok(answer(
                StatusCode::OK,
                batch(&after(&mood.unwrap(), asked), asked),
            )),
            Err(_) => Ok(answer(StatusCode::NO_CONTENT, Bytes::new())),
        }
    }

    async fn websocket(&self, request: WebSocketRequest) -> Result<Socket, HandshakeFailure> {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        let mood = self.mood.borrow().clone();
        if mood.panic {
            self.change(|mood| mood.panic = false);
            panic!("planted");
        }
        if mood.down.contains(&host_of(&request.url)) {
            let failure = HttpFailure::Connect("down".to_owned());
            return Err(HandshakeFailure::Http(failure));
        }
        if mood.hang {
            std::future::pending::<()>().await;
        }
        if mood.strip {
            return Err(HandshakeFailure::Status {
                status: StatusCode::BAD_REQUEST,
                headers: Box::default(),
                body: Bytes::new(),
            });
        }
        if mood.forbidden {
            return Err(HandshakeFailure::Status {
                status: StatusCode::FORBIDDEN,
                headers: Box::default(),
                body: Bytes::new(),
            });
        }
        let probe = request.url.query().is_some();
        assert_eq!(probe, !request.headers.contains_key("authorization"));
        Ok(Socket {
            mood: self.mood.subscribe(),
            cut: mood.cut,
            asked: None,
            confirmed: false,
            pongs: Vec::new(),
            closing: None,
            frames_read: Arc::clone(&self.frames_read),
            closed: Arc::clone(&self.closed),
        })
    }
}

/// One connection, as the client holds it.
#[derive(Debug)]
pub(super) struct Socket {
    mood: watch::Receiver<Mood>,
    cut: u64,
    asked: Option<u64>,
    confirmed: bool,
    pongs: Vec<Bytes>,
    closing: Option<Option<u16>>,
    frames_read: Arc<AtomicUsize>,
    closed: Arc<Mutex<Vec<Option<u16>>>>,
}

#[async_trait]
impl WebSocket for Socket {
    async fn receive(&mut self) -> Result<Option<Frame>, HttpFailure> {
        loop {
            let mood = self.mood.borrow_and_update().clone();
            if mood.cut != self.cut {
                return Err(HttpFailure::Reset("cut".to_owned()));
            }
            if let Some(code) = self.closing
                && !mood.rude
            {
                return Ok(Some(Frame::Close {
                    code,
                    reason: String::new(),
                }));
            }
            if let Some(payload) = self.pongs.pop()
                && !mood.deaf
            {
                return Ok(Some(Frame::Pong(payload)));
            }
            if let Some(asked) = self.asked {
                if !std::mem::replace(&mut self.confirmed, true) {
                    return Ok(Some(Frame::Text(batch(&[], asked))));
                }
                if let Some(number) = after(&mood, asked).first() {
                    self.asked = Some(*number);
                    self.frames_read.fetch_add(1, Ordering::Relaxed);
                    return Ok(Some(Frame::Text(event(*number).into())));
                }
            }
            if self.mood.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn send(&mut self, frame: Frame) -> Result<(), HttpFailure> {
        match frame {
            Frame::Text(text) => {
                let asked: serde_json::Value = serde_json::from_slice(&text).unwrap();
                self.asked = asked["sequence"].as_u64();
            }
            Frame::Ping(payload) => self.pongs.push(payload),
            Frame::Close { code, .. } => {
                self.closing = Some(code);
                self.closed.lock().push(code);
            }
            Frame::Binary(_) | Frame::Pong(_) => {}
        }
        // Whoever waits in `receive` looks again.
        self.mood.mark_changed();
        Ok(())
    }
}
