//! Spans of what goes out: their names, what they say of the other side, and how they end.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::*;
use crate::net::{CallClass, Frame, Note, WebSocket};
use crate::runtime::Clock;
use crate::telemetry::traces::{Recorded, Recorder};

#[derive(Debug)]
struct Platform(Option<u16>);

#[derive(Debug)]
struct NoSocket;

#[async_trait]
impl WebSocket for NoSocket {
    async fn receive(&mut self) -> Result<Option<Frame>, HttpFailure> {
        Ok(None)
    }

    async fn send(&mut self, _: Frame) -> Result<(), HttpFailure> {
        Ok(())
    }
}

#[async_trait]
impl HttpClient for Platform {
    type Socket = NoSocket;

    async fn request(&self, _: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        match self.0 {
            Some(status) => Ok(HttpResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers: HeaderMap::new(),
                body: Bytes::new(),
            }),
            None => std::future::pending().await,
        }
    }

    async fn websocket(&self, _: WebSocketRequest) -> Result<NoSocket, HandshakeFailure> {
        match self.0 {
            Some(101) => Ok(NoSocket),
            Some(status) => Err(HandshakeFailure::Status {
                status: StatusCode::from_u16(status).unwrap(),
                headers: Box::default(),
                body: Bytes::new(),
            }),
            None => Err(HandshakeFailure::Timeout(Duration::from_secs(1))),
        }
    }
}

fn traced(answer: Option<u16>) -> (Traced<Platform>, Recorder) {
    let (tracer, spans) = Tracer::recording(&Clock::system(), &[]);
    (Traced::new(Platform(answer), "cc", &tracer), spans)
}

fn request(kind: &'static str) -> HttpRequest {
    HttpRequest {
        method: Method::POST,
        url: Url::parse("https://login.test/c4nary?key=c4nary").unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"secret=c4nary"),
        timeout: Duration::from_secs(1),
        max_body: 1,
        class: CallClass::Poll,
        note: Note {
            kind,
            ..Note::default()
        },
    }
}

fn handshake() -> WebSocketRequest {
    WebSocketRequest {
        url: Url::parse("wss://streaming.test:8443/c4nary?token=c4nary").unwrap(),
        headers: HeaderMap::new(),
        timeout: Duration::from_secs(1),
        max_message: 1,
        read_buffer: 1,
        note: Note::default(),
    }
}

fn only(spans: &Recorder) -> Recorded {
    let mut all = spans.take();
    assert_eq!(all.len(), 1);
    let span = all.remove(0);
    assert_eq!(span.kind, SpanKind::Client);
    assert!(!format!("{span:?}").contains("c4nary"), "{span:?}");
    span
}

#[tokio::test]
async fn each_attempt_to_connect_is_a_span_that_says_how_it_ended() {
    for (answer, status, error) in [
        (Some(101), Some("101"), None),
        (Some(403), Some("403"), Some("403")),
        (None, None, Some("TIMEOUT")),
    ] {
        let (client, spans) = traced(answer);
        let opened = client.websocket(handshake()).await;
        assert_eq!(opened.is_ok(), error.is_none());
        let span = only(&spans);
        let of = |key: &str| span.attributes.get(key).map(String::as_str);
        assert_eq!(span.name, "connect sessions/cc");
        assert_eq!(of(names::SERVER_ADDRESS), Some("streaming.test"));
        assert_eq!(of(names::SERVER_PORT), Some("8443"));
        assert_eq!(of(names::PROTOCOL), Some("websocket"));
        assert_eq!(of(names::HTTP_STATUS), status);
        assert_eq!(of(names::ERROR_TYPE), error);
        assert_eq!(span.failed, error.is_some());
    }
}

#[tokio::test]
async fn tokens_and_what_was_missed_are_spans_and_polls_are_none() {
    for (kind, name) in [
        ("token", "refresh sessions/cc"),
        ("catch-up", "backfill sessions/cc"),
        ("recovery", "backfill sessions/cc"),
    ] {
        let (client, spans) = traced(Some(200));
        client.request(request(kind)).await.unwrap();
        let span = only(&spans);
        assert_eq!(span.name, name);
        assert_eq!(span.attributes[names::SERVER_PORT], "443");
        assert!(!span.failed);
    }
    let (client, spans) = traced(Some(200));
    client.request(request("poll")).await.unwrap();
    assert!(spans.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_waits_for_any_more_ends_as_cancelled() {
    let (client, spans) = traced(None);
    let waiting = tokio::time::timeout(Duration::from_secs(1), client.request(request("token")));
    waiting.await.unwrap_err();
    assert_eq!(only(&spans).attributes[names::ERROR_TYPE], "cancelled");
}
