//! The audit log: one line for everything that was sent, with how it ended and nothing of it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::*;
use crate::net::{CallClass, Frame, WebSocket};
use crate::testing::Log;

const CANARY: &str = "c4nary";

#[derive(Debug)]
struct Fate(Option<Result<u16, HttpFailure>>);

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
impl HttpClient for Fate {
    type Socket = NoSocket;

    async fn request(&self, _: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        match self.0.clone() {
            Some(ended) => ended.map(|status| HttpResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers: HeaderMap::new(),
                body: Bytes::from_static(b"c4nary"),
            }),
            None => std::future::pending().await,
        }
    }

    async fn websocket(&self, _: WebSocketRequest) -> Result<NoSocket, HandshakeFailure> {
        Err(HandshakeFailure::Status {
            status: StatusCode::FORBIDDEN,
            headers: Box::default(),
            body: Bytes::from_static(b"c4nary"),
        })
    }
}

fn note(kind: &'static str) -> Note {
    Note {
        kind,
        generation: 7,
        state: "live_websocket",
        ..Note::default()
    }
}

fn request() -> HttpRequest {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer c4nary"));
    HttpRequest {
        method: Method::POST,
        url: Url::parse("https://api.test/c4nary?key=c4nary").unwrap(),
        headers,
        body: Bytes::from_static(b"secret=c4nary"),
        timeout: Duration::from_secs(1),
        max_body: 1,
        class: CallClass::Poll,
        note: note("poll"),
    }
}

fn client(fate: Option<Result<u16, HttpFailure>>) -> Audited<Fate> {
    Audited::new(Fate(fate), "cc")
}

#[tokio::test(start_paused = true)]
async fn u29_requests_and_handshakes_are_one_line_each_without_their_content() {
    let (log, _guard) = Log::capture("tieline::audit=debug");
    client(Some(Ok(204))).request(request()).await.unwrap();
    let reset = HttpFailure::Reset("c4nary".to_owned());
    let broken = client(Some(Err(reset))).request(request()).await;
    broken.unwrap_err();
    let given_up = client(None);
    let waiting = tokio::time::timeout(Duration::from_secs(3), given_up.request(request()));
    waiting.await.unwrap_err();
    let handshake = WebSocketRequest {
        url: Url::parse("wss://api.test/c4nary?token=c4nary").unwrap(),
        headers: HeaderMap::new(),
        timeout: Duration::from_secs(1),
        max_message: 1,
        read_buffer: 1,
        note: note("handshake"),
    };
    let refused = client(Some(Ok(200))).websocket(handshake).await;
    refused.unwrap_err();
    let lines = log.lines();
    let said: Vec<_> = lines
        .iter()
        .map(|line| {
            let of = |key: &str| line["fields"][key].to_string().replace('"', "");
            assert_eq!(line["target"], AUDIT);
            assert_eq!(line["level"], "DEBUG");
            assert!(line["timestamp"].is_string());
            assert_eq!((of("session"), of("generation")), ("cc".into(), "7".into()));
            assert_eq!(of("state"), "live_websocket");
            (of("kind"), of("size"), of("outcome"), of("took_ms"))
        })
        .collect();
    let line = |kind: &str, size: &str, outcome: &str, took: &str| {
        (
            kind.to_owned(),
            size.to_owned(),
            outcome.to_owned(),
            took.to_owned(),
        )
    };
    assert_eq!(
        said,
        [
            line("poll", "13", "204", "0"),
            line("poll", "13", "RESET", "0"),
            line("poll", "13", "ABANDONED", "3000"),
            line("handshake", "0", "403", "0"),
        ]
    );
    assert!(!log.text().contains(CANARY), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn u29_the_usual_log_is_not_flooded() {
    let (log, _guard) = Log::capture("info");
    client(Some(Ok(204))).request(request()).await.unwrap();
    assert_eq!(log.text(), "");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_watched_knows_when_it_left() {
    let mut request = request();
    request.note.left = crate::net::Left::wanted();
    let left = request.note.left.clone();
    assert_eq!(left.at(), None);
    client(Some(Ok(200))).request(request).await.unwrap();
    assert_eq!(left.at(), Some(MonoTime::now()));
    let shared = Arc::new(left);
    shared.now(MonoTime::now() + Duration::from_secs(1));
    assert_eq!(shared.at(), Some(MonoTime::now()), "the first time counts");
}
