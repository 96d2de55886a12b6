//! The audit log (U29): everything that is sent is one line. [`Audited`] writes those of requests and
//! handshakes, whoever owns a WebSocket those of its frames, both with [`sent`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::contract::{
    HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, Note, WebSocketRequest,
};
use crate::runtime::MonoTime;
use crate::telemetry::AUDIT;

/// Writes the line of something that was sent: no address, no header, nothing of its content.
pub fn sent(session: &str, note: &Note, size: usize, outcome: &str, took: Duration) {
    tracing::debug!(
        target: AUDIT,
        session,
        generation = note.generation,
        kind = note.kind,
        size,
        state = note.state,
        outcome,
        took_ms = took.as_millis(),
        "Sent"
    );
}

/// A client whose requests and handshakes are in the audit log, once their outcome is known. It
/// belongs beneath whatever holds requests back, for what was held back was not sent.
#[derive(Debug, Clone)]
pub struct Audited<C> {
    client: C,
    session: Arc<str>,
}

impl<C> Audited<C> {
    /// Writes what `client` sends for `session`.
    #[must_use]
    pub fn new(client: C, session: &str) -> Self {
        Self {
            client,
            session: session.into(),
        }
    }

    fn line(&self, note: Note, size: usize) -> Line {
        let began = MonoTime::now();
        note.left.now(began);
        Line {
            session: Arc::clone(&self.session),
            note,
            size,
            began,
            outcome: String::new(),
        }
    }
}

/// A line in the making: written when it is dropped, so that what nobody waits for any more is in
/// the log too.
struct Line {
    session: Arc<str>,
    note: Note,
    size: usize,
    began: MonoTime,
    outcome: String,
}

impl Drop for Line {
    fn drop(&mut self) {
        let outcome = match self.outcome.as_str() {
            "" => "ABANDONED",
            known => known,
        };
        let took = self.began.elapsed();
        sent(&self.session, &self.note, self.size, outcome, took);
    }
}

#[async_trait]
impl<C: HttpClient> HttpClient for Audited<C> {
    type Socket = C::Socket;

    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let mut line = self.line(request.note.clone(), request.body.len());
        let answer = self.client.request(request).await;
        line.outcome = match &answer {
            Ok(answer) => answer.status.as_str().to_owned(),
            Err(failure) => failure.word().to_owned(),
        };
        answer
    }

    async fn websocket(&self, request: WebSocketRequest) -> Result<C::Socket, HandshakeFailure> {
        let mut line = self.line(request.note.clone(), 0);
        let answer = self.client.websocket(request).await;
        line.outcome = match &answer {
            Ok(_) => "101".to_owned(),
            Err(HandshakeFailure::Status { status, .. }) => status.as_str().to_owned(),
            Err(HandshakeFailure::Timeout(_)) => "TIMEOUT".to_owned(),
            Err(HandshakeFailure::NotWebSocket(_)) => "UPGRADE_STRIPPED".to_owned(),
            Err(HandshakeFailure::Http(failure)) => failure.word().to_owned(),
        };
        answer
    }
}

#[cfg(test)]
#[path = "tests/audit.rs"]
mod tests;
