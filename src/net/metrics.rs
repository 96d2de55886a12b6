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

crate::runtime::measures! {
    /// What a session's requests and handshakes have come to.
    pub NetStats,
    /// [`NetStats`] at one moment. Times are of those that succeeded.
    pub NetSnapshot {
        /// WebSocket handshakes, by outcome.
        handshakes: Counters<Outcome> = Counters::default() => Counts,
        /// Long polls, by outcome.
        polls: Counters<Outcome> = Counters::default() => Counts,
        /// Other requests, by outcome.
        requests: Counters<Outcome> = Counters::default() => Counts,
        /// How long handshakes that succeeded took.
        handshake_took: Histogram = Histogram::new(Scale::CALL) => Tally,
        /// How long polls took.
        poll_took: Histogram = Histogram::new(Scale::CALL) => Tally,
        /// How long other requests took.
        request_took: Histogram = Histogram::new(Scale::CALL) => Tally,
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
}
