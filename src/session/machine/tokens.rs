//! Who waits for a token, and what a 401 means (U12, U21, U24).

use super::io::{Action, Actions, At, Generation};
use super::outcome::PROXY_REFUSED;
use super::state::{Awaits, Role, State};
use super::{Machine, Next};
use crate::auth::{AccessToken, TokenProblem};
use crate::runtime::Mistake;

/// Who waits for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Attempt(Role),
    Poll,
    Sift,
    CatchUp,
    Recovery,
    Renumbering,
    Errand(Generation),
}

/// One question to the token source at a time, however many wait.
#[derive(Debug, Default)]
pub(super) struct TokenDesk {
    waiting: Vec<Purpose>,
    /// The newest generation that was not accepted.
    rejected: Option<u64>,
    /// Refusals since something was last accepted.
    pub(super) strikes: u32,
}

/// Why a session is suspended after [`Strike::Out`].
pub(super) const REFUSED_TWICE: &str = "CREDENTIALS_REFUSED: 401 with a fresh token";

/// What to do after a 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    /// Ask for a token and repeat.
    Again,
    /// A fresh token was not accepted either: the credential is wrong.
    Out,
}

impl Machine {
    pub(super) fn want_token(&mut self, purpose: Purpose, out: &mut Actions) {
        if self.tokens.waiting.is_empty() {
            out.push(Action::AskToken);
        }
        if !self.tokens.waiting.contains(&purpose) {
            self.tokens.waiting.push(purpose);
        }
    }

    /// A server did not accept the token of `generation`. Requests that were under way with the
    /// same token count once.
    pub(super) fn strike(&mut self, generation: u64, out: &mut Actions) -> Strike {
        if self.tokens.rejected.is_none_or(|r| r < generation) {
            self.tokens.rejected = Some(generation);
            self.tokens.strikes += 1;
            if !Mistake::RejectedTokenKept.is_made() {
                out.push(Action::RejectToken(generation));
            }
        }
        if self.tokens.strikes > 1 {
            Strike::Out
        } else {
            Strike::Again
        }
    }

    pub(super) fn token_came(
        &mut self,
        at: At,
        result: Result<AccessToken, TokenProblem>,
        out: &mut Actions,
    ) {
        let waiting = std::mem::take(&mut self.tokens.waiting);
        let result = match result {
            Ok(token)
                if self.tokens.rejected == Some(token.generation)
                    && !Mistake::RejectedTokenUsedAgain.is_made() =>
            {
                let reason = "the token that was not accepted came again".to_owned();
                Err(TokenProblem::Unavailable { reason })
            }
            other => other,
        };
        for purpose in waiting {
            match &result {
                Ok(token) => self.token_for(at, purpose, token, out),
                Err(problem) => self.no_token_for(at, purpose, problem, out),
            }
        }
    }

    fn token_for(&mut self, at: At, purpose: Purpose, token: &AccessToken, out: &mut Actions) {
        match purpose {
            Purpose::Attempt(role) => self.attempt_with(at, role, token, out),
            Purpose::Poll => self.poll_with(at, token, out),
            Purpose::Sift => self.sift_with(at, token, out),
            Purpose::CatchUp => self.catch_up_with(at, token, out),
            Purpose::Recovery => self.recovery_with(at, token, out),
            Purpose::Errand(generation) => self.errand_with(at, generation, token, out),
            Purpose::Renumbering => self.renumbering_with(at, token, out),
        }
    }

    fn no_token_for(
        &mut self,
        at: At,
        purpose: Purpose,
        problem: &TokenProblem,
        out: &mut Actions,
    ) {
        match purpose {
            Purpose::CatchUp => self.catch_up_later(at),
            Purpose::Recovery => self.recovery_later(at),
            Purpose::Errand(generation) => self.errand_later(at, generation),
            Purpose::Renumbering => self.renumbering_stop(out),
            Purpose::Attempt(role @ (Role::Failback | Role::Beside)) => {
                self.successor_over(at, role, out);
            }
            Purpose::Attempt(Role::Primary) | Purpose::Poll | Purpose::Sift => {
                if !matches!(
                    self.state,
                    State::Connecting(_) | State::Polling(_) | State::Sifting(_)
                ) {
                    return;
                }
                match problem {
                    TokenProblem::Refused { reason } => {
                        let reason = format!("CREDENTIALS_REFUSED: {reason}");
                        self.suspend_for(at, Awaits::Credentials, &reason, out);
                    }
                    TokenProblem::ProxyRefused { reason } => {
                        let reason = format!("{PROXY_REFUSED}: {reason}");
                        self.proxy_refused(at, &reason, out);
                    }
                    TokenProblem::Unavailable { reason } => {
                        let word = format!("TOKEN_UNAVAILABLE: {reason}");
                        if matches!(self.state, State::Polling(_)) {
                            self.pause_poll_holding_off(at, &word, out);
                        } else {
                            self.hold_off(at, Next::Negotiate, &word, out);
                        }
                    }
                }
            }
        }
    }
}
