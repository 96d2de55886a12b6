//! [`Traced`]: attempts to connect, tokens that are asked for, and what is fetched because it was
//! missed, as spans.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::Instrument as _;
use url::Url;

use super::NetStats;
use super::contract::{
    HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, WebSocketRequest,
};
use crate::telemetry::traces::{Span, SpanKind, Tracer, names};

/// A client whose handshakes are spans, and those requests that are worth one: not polls, whose events
/// have spans of their own. It belongs beneath whatever holds requests back.
#[derive(Debug, Clone)]
pub struct Traced<C> {
    client: C,
    session: Arc<str>,
    tracer: Tracer,
}

impl<C> Traced<C> {
    /// Traces what `client` does for `session`.
    #[must_use]
    pub fn new(client: C, session: &str, tracer: &Tracer) -> Self {
        Self {
            client,
            session: session.into(),
            tracer: tracer.clone(),
        }
    }

    /// Never the address whole: path and query may hold a credential.
    fn span(&self, what: &'static str, url: &Url) -> Option<Span> {
        let name = || format!("{what} sessions/{}", self.session);
        let mut span = self.tracer.start(SpanKind::Client, name)?;
        span.set(names::SESSION, format!("sessions/{}", self.session));
        if let Some(host) = url.host_str() {
            span.set(names::SERVER_ADDRESS, host.to_owned());
        }
        if let Some(port) = url.port_or_known_default() {
            span.set(names::SERVER_PORT, i64::from(port));
        }
        Some(span)
    }
}

#[async_trait]
impl<C: HttpClient> HttpClient for Traced<C> {
    type Socket = C::Socket;

    fn stats(&self) -> Option<Arc<NetStats>> {
        self.client.stats()
    }

    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let what = match request.note.kind {
            "token" => names::REFRESH,
            "catch-up" | "recovery" | "renumbering" | "sift" => names::BACKFILL,
            _ => return self.client.request(request).await,
        };
        let Some(mut span) = self.span(what, &request.url) else {
            return self.client.request(request).await;
        };
        let answer = self.client.request(request).instrument(span.in_log());
        let answer = answer.await;
        match &answer {
            Ok(answer) => status(&mut span, answer.status, answer.status.is_success()),
            Err(failure) => span.fail(failure.word()),
        }
        span.end();
        answer
    }

    fn paces_handshakes(&self) -> bool {
        self.client.paces_handshakes()
    }

    async fn handshake_turn(&self) {
        self.client.handshake_turn().await;
    }

    async fn websocket(&self, request: WebSocketRequest) -> Result<C::Socket, HandshakeFailure> {
        let Some(mut span) = self.span(names::CONNECT, &request.url) else {
            return self.client.websocket(request).await;
        };
        span.set(names::PROTOCOL, "websocket");
        let answer = self.client.websocket(request).instrument(span.in_log());
        let answer = answer.await;
        match &answer {
            Ok(_) => status(&mut span, http::StatusCode::SWITCHING_PROTOCOLS, true),
            Err(HandshakeFailure::Status { status: got, .. }) => status(&mut span, *got, false),
            Err(HandshakeFailure::Timeout(_)) => span.fail("TIMEOUT"),
            Err(HandshakeFailure::NotWebSocket(_)) => span.fail("UPGRADE_STRIPPED"),
            Err(HandshakeFailure::Http(failure)) => span.fail(failure.word()),
        }
        span.end();
        answer
    }
}

fn status(span: &mut Span, status: http::StatusCode, is_good: bool) {
    span.set(names::HTTP_STATUS, i64::from(status.as_u16()));
    if !is_good {
        span.fail(status.as_str().to_owned());
    }
}

#[cfg(test)]
#[path = "tests/traced.rs"]
mod tests;
