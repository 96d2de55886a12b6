//! Tokens: when to refresh them, who may ask, what a refusal means.
//!
//! [`Refresher::new`] gives a handle ([`Tokens`], a [`TokenSource`]) and the refresher itself, which
//! its owner runs. Nothing is asked of the token endpoint before somebody asks for a token.

mod config;
mod contract;
mod error;
mod grant;
mod metrics;
mod nobody;
mod refresher;
mod renewal;
mod schedule;
mod sealing;
mod secrets;
mod settings;
mod tokens;
mod vault;

#[cfg(test)]
mod tests;

pub use config::{AuthConfig, CredentialPlacement, Grant};
pub use contract::{
    AccessToken, StateStore, TokenProblem, TokenSource, TokenStatus, TokenVault, VaultError,
};
pub use error::{InvalidAuth, SealError, SealingKeyError};
pub use nobody::Nobody;
pub use refresher::Refresher;
pub use sealing::Sealer;
pub use settings::CredentialSettings;
pub use tokens::Tokens;
pub use vault::StateVault;
