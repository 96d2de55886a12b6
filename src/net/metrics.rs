//! [`NetStats`]: what became of the requests and handshakes of a session, and how long they took.

use std::time::Duration;

use http::StatusCode;

use super::contract::{HandshakeFailure, HttpFailure};
use crate::runtime::{Counters, Counts, Histogram, Scale, Tally};

crate::runtime::label!(
    /// What became of a request or a handshake.
    pub Outcome {
        /// A WebSocket stands, or an answer below 400.
        Ok = "ok",
        /// An answer of 401 or 403.
        Denied = "denied",
        /// An answer of 429.
        Throttled = "throttled",
        /// Another answer from 400 on, below 500.
        Rejected = "rejected",
        /// An answer from 500 on.
        ServerError = "server_error",
        /// An answer without an upgrade: something on the way takes it out.
        UpgradeStripped = "upgrade_stripped",
        /// No answer in time.
        Timeout = "timeout",
        /// No connection.
        Unreachable = "unreachable",
        /// The TLS handshake failed.
        Tls = "tls_failed",
        /// The proxy takes no connection or no credentials.
        Proxy = "proxy_refused",
        /// The connection broke, or the answer was cut short or too long.
        Broken = "broken",
        /// The answer led to where we do not go.
        Redirect = "redirect_refused",
        /// Nobody waited for it any more.
        Abandoned = "abandoned",
    }
);

impl Outcome {
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 | 403 => Self::Denied,
            429 => Self::Throttled,
            400..=499 => Self::Rejected,
            500.. => Self::ServerError,
            _ => Self::Ok,
        }
    }

    pub(super) fn of_failure(failure: &HttpFailure) -> Self {
        match failure {
            HttpFailure::Timeout(_) => Self::Timeout,
            HttpFailure::Connect(_) => Self::Unreachable,
            HttpFailure::ProxyRefused => Self::Proxy,
            HttpFailure::Tls(_) => Self::Tls,
            HttpFailure::Reset(_)
            | HttpFailure::Truncated { .. }
            | HttpFailure::TooLarge { .. } => Self::Broken,
            HttpFailure::RedirectRefused(_) => Self::Redirect,
        }
    }

    pub(super) fn of_handshake(failure: &HandshakeFailure) -> Self {
        match failure {
            HandshakeFailure::Status { status, .. } if status.as_u16() < 400 => {
                Self::UpgradeStripped
            }
            HandshakeFailure::Status { status, .. } => Self::of_status(*status),
            HandshakeFailure::NotWebSocket(_) => Self::UpgradeStripped,
            HandshakeFailure::Timeout(_) => Self::Timeout,
            HandshakeFailure::Http(failure) => Self::of_failure(failure),
        }
    }
}

/// What is sent, as far as it is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// A WebSocket's handshake.
    Handshake,
    /// A long poll, which is meant to take its time.
    Poll,
    /// Any other request.
    Request,
}

impl Sent {
    /// By the word that the audit log has for a request.
    pub(super) fn request(kind: &str) -> Self {
        match kind {
            "poll" => Self::Poll,
            _ => Self::Request,
        }
    }
}

/// What a session's requests and handshakes have come to.
#[derive(Debug)]
pub struct NetStats {
    handshakes: Counters<Outcome>,
    polls: Counters<Outcome>,
    requests: Counters<Outcome>,
    handshake_took: Histogram,
    poll_took: Histogram,
    request_took: Histogram,
}

/// [`NetStats`] at one moment. Times are of those that succeeded.
#[derive(Debug, Clone)]
pub struct NetSnapshot {
    /// WebSocket handshakes, by outcome.
    pub handshakes: Counts,
    /// Long polls, by outcome.
    pub polls: Counts,
    /// Other requests, by outcome.
    pub requests: Counts,
    /// How long handshakes that succeeded took.
    pub handshake_took: Tally,
    /// How long polls took.
    pub poll_took: Tally,
    /// How long other requests took.
    pub request_took: Tally,
}

impl Default for NetStats {
    fn default() -> Self {
        Self {
            handshakes: Counters::default(),
            polls: Counters::default(),
            requests: Counters::default(),
            handshake_took: Histogram::new(Scale::CALL),
            poll_took: Histogram::new(Scale::CALL),
            request_took: Histogram::new(Scale::CALL),
        }
    }
}

impl NetStats {
    pub(super) fn came(&self, what: Sent, outcome: Outcome, took: Duration) {
        let (counters, times) = match what {
            Sent::Handshake => (&self.handshakes, &self.handshake_took),
            Sent::Poll => (&self.polls, &self.poll_took),
            Sent::Request => (&self.requests, &self.request_took),
        };
        counters.one(outcome);
        if outcome == Outcome::Ok {
            times.took(took);
        }
    }

    /// All of it, as of now.
    #[must_use]
    pub fn snapshot(&self) -> NetSnapshot {
        NetSnapshot {
            handshakes: self.handshakes.snapshot(),
            polls: self.polls.snapshot(),
            requests: self.requests.snapshot(),
            handshake_took: self.handshake_took.snapshot(),
            poll_took: self.poll_took.snapshot(),
            request_took: self.request_took.snapshot(),
        }
    }
}
