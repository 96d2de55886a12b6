//! [`Schedule`]: when to ask for a token, who has to wait for it, when to leave the endpoint alone.
//! Pure: time and chance are arguments.

use std::time::Duration;

use super::contract::TokenProblem;
use crate::runtime::{Backoff, Mistake, MonoTime};

/// The endpoint is asked at most this often (U23).
pub(super) const PACE: Duration = Duration::from_secs(1);
/// Back-off while the endpoint is unavailable.
const BACKOFF: (Duration, Duration) = (PACE, Duration::from_secs(30));
/// Where a throttling endpoint does not say how long (U12's default).
const THROTTLED: Duration = Duration::from_secs(5);
/// No `Retry-After` keeps us away for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// What a person has to mend is tried again this slowly (U24).
const REFUSED: Duration = Duration::from_secs(300);

/// The life of one credential's tokens.
#[derive(Debug)]
pub(super) struct Schedule {
    refresh_before: Duration,
    attempt: Attempt,
    lease: Option<Lease>,
    generation: u64,
    /// Why the latest attempt failed; gone with the next success.
    problem: Option<TokenProblem>,
    latest_start: Option<MonoTime>,
    backoff: Backoff,
}

/// Single flight by construction: there is one attempt, in one of these states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// Nobody has asked for a token yet, so no secret has left the process (U1).
    Unasked,
    Due(MonoTime),
    UnderWay,
}

/// A token's time, without the token.
#[derive(Debug, Clone, Copy)]
struct Lease {
    refresh_at: MonoTime,
    expires_at: MonoTime,
}

/// What someone who asks for a token is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Use the present token.
    Present,
    /// An attempt is under way or about to start: wait for its outcome.
    Wait,
    /// There is no valid token, and the next attempt is not near.
    None(TokenProblem),
}

/// Why an attempt brought no token. No text holds a secret, or anything an endpoint said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Needs a person.
    Refused { reason: String },
    /// The endpoint was not even reached; may be mended at any moment.
    ProxyRefused { reason: String },
    /// The endpoint asks to be left alone.
    Throttled {
        retry_after: Option<Duration>,
        reason: String,
    },
    /// May mend itself.
    Unavailable {
        retry_after: Option<Duration>,
        reason: String,
    },
}

impl Schedule {
    /// Nothing asked, nothing held. `refresh_before`: how long before expiry a token is replaced.
    pub(super) fn new(refresh_before: Duration) -> Self {
        Self {
            refresh_before,
            attempt: Attempt::Unasked,
            lease: None,
            generation: 0,
            problem: None,
            latest_start: None,
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
        }
    }

    /// Someone asks for a token.
    pub(super) fn asked(&mut self, now: MonoTime) -> Reply {
        if self.attempt == Attempt::Unasked {
            self.attempt = Attempt::Due(now);
        }
        match (self.lease, &self.problem) {
            (Some(lease), _) if now < lease.refresh_at => Reply::Present,
            // Due for refresh, but that has failed: the old token is good while it lasts.
            (Some(lease), Some(_)) if now < lease.expires_at => Reply::Present,
            (_, Some(problem)) if self.attempt != Attempt::UnderWay => Reply::None(problem.clone()),
            _ => Reply::Wait,
        }
    }

    /// When the next attempt starts; `None` while one is under way, and before anybody asked.
    pub(super) fn next_attempt(&self) -> Option<MonoTime> {
        match self.attempt {
            Attempt::Due(at) => Some(at),
            Attempt::Unasked | Attempt::UnderWay => None,
        }
    }

    /// An attempt starts.
    pub(super) fn started(&mut self, now: MonoTime) {
        self.attempt = Attempt::UnderWay;
        self.latest_start = Some(now);
    }

    /// The attempt brought a token that was asked for at `asked` and lives for `lifetime` from
    /// then. Returns its generation and when it expires. `unit` is a random number in [0, 1).
    pub(super) fn issued(
        &mut self,
        asked: MonoTime,
        lifetime: Duration,
        unit: f64,
    ) -> (u64, MonoTime) {
        let margin = self.refresh_before.min(lifetime / 5);
        let early = margin + (margin / 2).mul_f64(unit);
        let lease = Lease {
            refresh_at: asked + lifetime.saturating_sub(early),
            expires_at: asked + lifetime,
        };
        self.lease = Some(lease);
        self.generation += 1;
        self.problem = None;
        self.backoff.reset();
        self.attempt = Attempt::Due(self.paced(lease.refresh_at));
        (self.generation, lease.expires_at)
    }

    /// The attempt failed. `unit` is a random number in [0, 1).
    pub(super) fn failed(&mut self, now: MonoTime, failure: Failure, unit: f64) {
        let (delay, problem) = match failure {
            Failure::Refused { reason } => (
                REFUSED.mul_f64(1.0 + unit / 5.0),
                TokenProblem::Refused { reason },
            ),
            // The endpoint is not troubled by attempts that do not reach it.
            Failure::ProxyRefused { reason } => (
                self.backoff.next_delay(unit),
                TokenProblem::ProxyRefused { reason },
            ),
            Failure::Throttled {
                retry_after,
                reason,
            } => {
                let asked_for = retry_after.unwrap_or(THROTTLED).min(LONGEST_WAIT);
                let spread = asked_for.mul_f64(1.0 + unit / 5.0);
                (
                    spread.max(self.backoff.next_delay(unit)),
                    TokenProblem::Unavailable { reason },
                )
            }
            Failure::Unavailable {
                retry_after,
                reason,
            } => {
                let asked_for = retry_after.unwrap_or_default().min(LONGEST_WAIT);
                let spread = asked_for.mul_f64(1.0 + unit / 5.0);
                (
                    spread.max(self.backoff.next_delay(unit)),
                    TokenProblem::Unavailable { reason },
                )
            }
        };
        self.problem = Some(problem);
        self.attempt = Attempt::Due(self.paced(now + delay));
    }

    /// A server refused the token of this generation. Counts once, and only for the present token;
    /// where the endpoint is failing already, its back-off stands. Returns whether it counted.
    pub(super) fn rejected(&mut self, now: MonoTime, generation: u64) -> bool {
        if Mistake::RejectedTokenUsedAgain.is_made() {
            return false;
        }
        if generation != self.generation || self.lease.take().is_none() {
            return false;
        }
        if self.problem.is_none() && self.attempt != Attempt::UnderWay {
            self.attempt = Attempt::Due(self.paced(now));
        }
        true
    }

    /// A secret is not what it was at the latest attempt: what it was refused for may be mended.
    pub(super) fn secrets_changed(&mut self, now: MonoTime) {
        if let (Attempt::Due(at), true) = (self.attempt, self.is_refused()) {
            self.attempt = Attempt::Due(at.min(self.paced(now)));
        }
    }

    /// Whether a person has to mend something.
    pub(super) fn is_refused(&self) -> bool {
        matches!(
            self.problem,
            Some(TokenProblem::Refused { .. } | TokenProblem::ProxyRefused { .. })
        )
    }

    /// Why the latest attempt failed, if it did.
    pub(super) fn problem(&self) -> Option<&TokenProblem> {
        self.problem.as_ref()
    }

    fn paced(&self, wanted: MonoTime) -> MonoTime {
        let paced = self
            .latest_start
            .filter(|_| !Mistake::TokenAskedAtOnce.is_made());
        paced.map_or(wanted, |start| wanted.max(start + PACE))
    }
}

#[cfg(test)]
#[path = "tests/schedule.rs"]
mod tests;
