//! The trait [`HttpClient`] and the values that pass through it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::metrics::NetStats;
use crate::runtime::MonoTime;

/// What a request is for: when requests become scarce, the earlier of these goes first (U40).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum CallClass {
    /// A token.
    Token,
    /// What makes or keeps a subscription.
    #[default]
    Subscription,
    /// Something of a user's to be sent.
    Send,
    /// What was missed.
    Backfill,
    /// Whether the platform is well.
    Health,
    /// A long poll: it does not count against the others.
    Poll,
}

/// What is known of something that is sent beside its content: for the audit log, and for whoever
/// measures the way there and back.
#[derive(Debug, Clone, Default)]
pub struct Note {
    /// What it is, in a word: `poll`, `token`.
    pub kind: &'static str,
    /// Of which connection; 0 where it is of none.
    pub generation: u64,
    /// Where the session stood, in a word; empty where it is not a session's.
    pub state: &'static str,
    /// When it left.
    pub left: Left,
}

/// When a request left, which is later than it was made where it had to wait. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Left(Option<Arc<OnceLock<MonoTime>>>);

impl Left {
    /// One that will be told.
    #[must_use]
    pub fn wanted() -> Self {
        Self(Some(Arc::default()))
    }

    /// It leaves now; what counts is the first time.
    pub fn now(&self, now: MonoTime) {
        if let Some(cell) = &self.0 {
            cell.get_or_init(|| now);
        }
    }

    /// When it left, if it did.
    #[must_use]
    pub fn at(&self) -> Option<MonoTime> {
        self.0.as_ref()?.get().copied()
    }
}

/// A request with its bounds.
#[derive(Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The target. Path and query may hold a credential: never logged.
    pub url: Url,
    /// Headers; values that are credentials are marked sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Everything from DNS to the last byte of the body.
    pub timeout: Duration,
    /// A longer body is [`HttpFailure::TooLarge`].
    pub max_body: usize,
    /// What it is for.
    pub class: CallClass,
    /// What else is known of it.
    pub note: Note,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("host", &self.url.host_str().unwrap_or_default())
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A complete answer.
#[derive(Clone)]
pub struct HttpResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl fmt::Debug for HttpResponse {
    /// Neither headers nor body: the one may hold cookies, the other tokens and customers' words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why there was no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpFailure {
    /// The deadline passed.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// No connection: DNS, refused, unreachable, or a proxy that makes none.
    #[error("connect: {0}")]
    Connect(String),
    /// The proxy does not take our credentials, or wants some (407).
    #[error("the proxy refused our credentials (407): mend proxy.username and its password")]
    ProxyRefused,
    /// The TLS handshake failed or the certificate was refused.
    #[error("tls: {0}")]
    Tls(String),
    /// The connection broke before the head of the answer was complete.
    #[error("connection broke before an answer: {0}")]
    Reset(String),
    /// The body ended before its announced end.
    #[error("body cut short after {received} bytes")]
    Truncated {
        /// Bytes that did arrive.
        received: usize,
    },
    /// The body is longer than [`HttpRequest::max_body`].
    #[error("body exceeds {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The server pointed to a host that is not allowed, or too many times (U42).
    #[error("redirect refused: {0}")]
    RedirectRefused(String),
}

impl HttpFailure {
    /// In one word, for a state's `reason`, a fact's and the audit log.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "TIMEOUT",
            Self::Connect(_) => "UNREACHABLE",
            Self::ProxyRefused => "PROXY_REFUSED",
            Self::Tls(_) => "TLS_FAILED",
            Self::Reset(_) => "RESET",
            Self::Truncated { .. } => "BODY_TRUNCATED",
            Self::TooLarge { .. } => "BODY_TOO_LARGE",
            Self::RedirectRefused(_) => "REDIRECT_REFUSED",
        }
    }
}

/// A WebSocket handshake with its bounds.
#[derive(Clone)]
pub struct WebSocketRequest {
    /// `ws` or `wss`. Path and query may hold a credential: never logged.
    pub url: Url,
    /// Headers besides those of the handshake itself.
    pub headers: HeaderMap,
    /// Everything from DNS to the 101.
    pub timeout: Duration,
    /// A longer frame or message ends the connection.
    pub max_message: usize,
    /// Bytes that are read at once. A longer message takes several reads; an idle connection keeps as
    /// much memory.
    pub read_buffer: usize,
    /// What else is known of it.
    pub note: Note,
}

impl fmt::Debug for WebSocketRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketRequest")
            .field("host", &self.url.host_str().unwrap_or_default())
            .finish_non_exhaustive()
    }
}

/// Why there is no WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// The deadline passed: the hang of U2, or a slow network.
    #[error("no handshake within {0:?}")]
    Timeout(Duration),
    /// The server answered, but not with 101.
    #[error("handshake answered with {status}")]
    Status {
        /// What it answered.
        status: StatusCode,
        /// The answer's headers, e.g. `Retry-After`.
        headers: Box<HeaderMap>,
        /// The first bytes of the answer's body.
        body: Bytes,
    },
    /// A 101 that is not a WebSocket's: `Upgrade`, `Connection` or `Sec-WebSocket-Accept` is wrong.
    #[error("the answer is not a WebSocket's: {0}")]
    NotWebSocket(String),
    /// No connection, TLS failure or reset.
    #[error(transparent)]
    Http(HttpFailure),
}

/// One WebSocket message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text message; valid UTF-8.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping; the shell has answered it.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// A close frame.
    Close {
        /// The close code; `None` where the frame had none.
        code: Option<u16>,
        /// The reason.
        reason: String,
    },
}

/// The outgoing side of the network. One implementation is real, others are simulated.
#[async_trait]
pub trait HttpClient: Send + Sync + fmt::Debug {
    /// What an open WebSocket is here.
    type Socket: WebSocket;

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`HttpFailure`]; any complete answer, whatever its status, is not one.
    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure>;

    /// Whether a handshake has to wait for its [turn](Self::handshake_turn).
    fn paces_handshakes(&self) -> bool {
        false
    }

    /// Completes when a handshake may begin, which is the turn of whoever waited longest. Cancel-safe.
    async fn handshake_turn(&self) {}

    /// Where what is sent is counted, if anywhere.
    fn stats(&self) -> Option<Arc<NetStats>> {
        None
    }

    /// Opens a WebSocket on a connection of its own. Waits for no [turn](Self::handshake_turn).
    ///
    /// # Errors
    /// [`HandshakeFailure`].
    async fn websocket(&self, request: WebSocketRequest) -> Result<Self::Socket, HandshakeFailure>;
}

/// An open WebSocket.
#[async_trait]
pub trait WebSocket: Send + fmt::Debug {
    /// The next message; `Err` when the connection broke, `Ok(None)` after its orderly end.
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`HttpFailure::Reset`], or [`HttpFailure::TooLarge`] for a message over the limit.
    async fn receive(&mut self) -> Result<Option<Frame>, HttpFailure>;

    /// A message that has come already; `None` where waiting is needed to know, and wherever an
    /// implementation does not look. Never waits.
    fn received(&mut self) -> Option<Result<Option<Frame>, HttpFailure>> {
        None
    }

    /// Sends one message. Not cancel-safe: a dropped future may leave half a frame.
    ///
    /// # Errors
    /// When the connection is broken.
    async fn send(&mut self, frame: Frame) -> Result<(), HttpFailure>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u24_neither_path_nor_query_of_an_address_is_printed() {
        let url = |scheme: &str| -> Url {
            let text = format!("{scheme}://h.test/sessions/c4nary/next?key=c4nary");
            text.parse().unwrap()
        };
        let http = HttpRequest {
            class: CallClass::default(),
            method: Method::GET,
            url: url("https"),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::ZERO,
            max_body: 0,
            note: Note::default(),
        };
        let websocket = WebSocketRequest {
            url: url("wss"),
            headers: HeaderMap::new(),
            timeout: Duration::ZERO,
            max_message: 0,
            read_buffer: 0,
            note: Note::default(),
        };
        let shown = format!("{http:?} {websocket:?}");
        assert!(
            shown.contains("h.test") && !shown.contains("c4nary"),
            "{shown}"
        );
    }
}
