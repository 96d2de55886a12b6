//! [`Budgeted`]: an [`HttpClient`] whose requests wait until the platform's limit lets them leave.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use parking_lot::Mutex;

use super::budget::{Bucket, Budget};
use super::contract::{
    CallClass, HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse,
    WebSocketRequest,
};
use super::metrics::NetStats;
use crate::runtime::Clock;

/// A request that is held back for this long fails, as if it had not been answered.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// No timer is finer.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What the requests of one credential have to pass, whoever makes them (U40).
pub struct RateGate {
    clock: Clock,
    budget: Mutex<Budget>,
    /// What handshakes take from, whoever's turn it is.
    handshakes: Option<tokio::sync::Mutex<Bucket>>,
    /// One of each class waits for the budget, the others for their turn, in their order.
    turns: [tokio::sync::Mutex<()>; 6],
}

impl RateGate {
    /// Lets at most `per_minute` requests pass in any minute; long polls do not count.
    #[must_use]
    pub fn new(per_minute: u32, clock: Clock) -> Self {
        Self {
            budget: Mutex::new(Budget::new(per_minute, clock.now())),
            handshakes: None,
            clock,
            turns: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
        }
    }

    /// Lets at most `per_minute` requests pass from now on.
    pub fn limit(&self, per_minute: u32) {
        self.budget.lock().limit(per_minute, self.clock.now());
    }

    /// The same, and lets at most so many handshakes of WebSockets begin in any second.
    #[must_use]
    pub fn with_handshakes(mut self, per_second: u32) -> Self {
        let bucket = Bucket::of_seconds(per_second, self.clock.now());
        self.handshakes = Some(tokio::sync::Mutex::new(bucket));
        self
    }

    /// Waits until a handshake may begin. What counts is when it does: whoever was kept from the
    /// processor does not leave together with those behind. Cancel-safe.
    async fn handshake_turn(&self) {
        let Some(bucket) = &self.handshakes else {
            return;
        };
        let mut bucket = bucket.lock().await;
        while let Err(wait) = bucket.take(self.clock.now(), 0.0) {
            tokio::time::sleep(wait.max(SHORTEST_WAIT)).await;
        }
    }

    /// Waits until a request of `class` may leave. Cancel-safe.
    async fn pass(&self, class: CallClass) {
        let [token, subscription, send, backfill, health, poll] = &self.turns;
        let turn = match class {
            CallClass::Token => token,
            CallClass::Subscription => subscription,
            CallClass::Send => send,
            CallClass::Backfill => backfill,
            CallClass::Health => health,
            CallClass::Poll => poll,
        };
        let _turn = turn.lock().await;
        loop {
            let taken = self.budget.lock().take(self.clock.now(), class);
            let Err(wait) = taken else { return };
            tokio::time::sleep(wait.max(SHORTEST_WAIT)).await;
        }
    }

    fn throttled(&self, class: CallClass) {
        self.budget.lock().throttled(self.clock.now(), class);
    }
}

impl fmt::Debug for RateGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateGate").finish_non_exhaustive()
    }
}

/// A client behind a [`RateGate`]. The deadline of a request begins when it leaves; handshakes of
/// WebSockets have [turns](HttpClient::handshake_turn) only by [`RateGate::with_handshakes`].
#[derive(Debug, Clone)]
pub struct Budgeted<C> {
    client: C,
    gate: Arc<RateGate>,
}

impl<C> Budgeted<C> {
    /// Puts `client` behind `gate`.
    #[must_use]
    pub fn new(client: C, gate: Arc<RateGate>) -> Self {
        Self { client, gate }
    }
}

#[async_trait]
impl<C: HttpClient> HttpClient for Budgeted<C> {
    type Socket = C::Socket;

    fn stats(&self) -> Option<Arc<NetStats>> {
        self.client.stats()
    }

    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let class = request.class;
        let passed = tokio::time::timeout(LONGEST_WAIT, self.gate.pass(class)).await;
        if passed.is_err() {
            tracing::warn!(?class, waited = ?LONGEST_WAIT, "Request held back by the rate limit");
            return Err(HttpFailure::Timeout(LONGEST_WAIT));
        }
        let answer = self.client.request(request).await;
        if matches!(&answer, Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS) {
            self.gate.throttled(class);
        }
        answer
    }

    fn paces_handshakes(&self) -> bool {
        self.gate.handshakes.is_some()
    }

    async fn handshake_turn(&self) {
        self.gate.handshake_turn().await;
    }

    async fn websocket(&self, request: WebSocketRequest) -> Result<C::Socket, HandshakeFailure> {
        self.client.websocket(request).await
    }
}

#[cfg(test)]
#[path = "tests/budgeted.rs"]
mod tests;
