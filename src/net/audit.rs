//! The audit log (U29): everything that is sent is one line. [`Audited`] writes and counts those of
//! requests and handshakes, whoever owns a WebSocket those of its frames, both with [`sent`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::contract::{
    HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, Note, WebSocketRequest,
};
use super::metrics::{NetStats, Outcome, Sent};
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
    stats: Arc<NetStats>,
}

impl<C> Audited<C> {
    /// Writes what `client` sends for `session`, and counts it.
    #[must_use]
    pub fn new(client: C, session: &str) -> Self {
        Self {
            client,
            session: session.into(),
            stats: Arc::default(),
        }
    }

    fn line(&self, what: Sent, note: Note, size: usize) -> Line {
        let began = MonoTime::now();
        note.left.now(began);
        Line {
            session: Arc::clone(&self.session),
            stats: Arc::clone(&self.stats),
            what,
            came: Outcome::Abandoned,
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
    stats: Arc<NetStats>,
    what: Sent,
    came: Outcome,
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
        self.stats.came(self.what, self.came, took);
        sent(&self.session, &self.note, self.size, outcome, took);
    }
}

#[async_trait]
impl<C: HttpClient> HttpClient for Audited<C> {
    type Socket = C::Socket;

    fn stats(&self) -> Option<Arc<NetStats>> {
        Some(Arc::clone(&self.stats))
    }

    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let what = Sent::request(request.note.kind);
        let mut line = self.line(what, request.note.clone(), request.body.len());
        let answer = self.client.request(request).await;
        line.came = match &answer {
            Ok(answer) => Outcome::of_status(answer.status),
            Err(failure) => Outcome::of_failure(failure),
        };
        line.outcome = match &answer {
            Ok(answer) => answer.status.as_str().to_owned(),
            Err(failure) => failure.word().to_owned(),
        };
        answer
    }

    async fn websocket(&self, request: WebSocketRequest) -> Result<C::Socket, HandshakeFailure> {
        let mut line = self.line(Sent::Handshake, request.note.clone(), 0);
        let answer = self.client.websocket(request).await;
        line.came = match &answer {
            Ok(_) => Outcome::Ok,
            Err(failure) => Outcome::of_handshake(failure),
        };
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
