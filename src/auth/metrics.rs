//! What happens to credentials, said in one place each.

use std::time::Duration;

use super::contract::TokenProblem;

/// A token was obtained.
pub(super) fn token_obtained(credential: &str, generation: u64, lifetime: Duration) {
    tracing::info!(credential, generation, ?lifetime, "Token obtained");
}

/// An attempt failed.
pub(super) fn attempt_failed(credential: &str, problem: &TokenProblem) {
    match problem {
        TokenProblem::Refused { .. } | TokenProblem::ProxyRefused { .. } => {
            tracing::error!(credential, error = %problem, "Token refused");
        }
        TokenProblem::Unavailable { .. } => {
            tracing::warn!(credential, error = %problem, "Token request failed");
        }
    }
}

/// A server refused a token before its time.
pub(super) fn token_rejected(credential: &str, generation: u64) {
    tracing::info!(credential, generation, "Token rejected by a server");
}

/// A kept refresh token cannot be used; the configured one is.
pub(super) fn kept_token_unusable(credential: &str, why: &str) {
    tracing::error!(credential, error = why, "Kept refresh token ignored");
}

/// Secrets changed after a refusal.
pub(super) fn secrets_changed(credential: &str) {
    tracing::info!(credential, "Secrets changed, trying again");
}

/// The refresh token that came for a password is not taken any more; the password is sent again.
pub(super) fn renewal_refused(credential: &str, reason: &str) {
    tracing::info!(credential, reason, "Renewal refused, using the password");
}
