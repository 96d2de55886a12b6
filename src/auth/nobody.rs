//! [`Nobody`]: the token source of platforms that ask for no token, such as a guest's (U22).

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::contract::{AccessToken, TokenProblem, TokenSource, TokenStatus};
use crate::runtime::{Clock, Secret};

/// Longer than any process lives, and still a moment that can be reckoned with.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Hands out an empty token that never expires. A refusal of it changes nothing: there is no other.
#[derive(Debug)]
pub struct Nobody {
    clock: Clock,
    status: watch::Sender<TokenStatus>,
}

impl Nobody {
    /// A source without a credential.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            status: watch::Sender::new(TokenStatus {
                generation: 1,
                expires_at: None,
                problem: None,
                refreshes: 0,
                changes: 0,
                obtained_at: None,
                refused: 0,
                unavailable: 0,
            }),
        }
    }
}

#[async_trait]
impl TokenSource for Nobody {
    async fn token(&self) -> Result<AccessToken, TokenProblem> {
        Ok(AccessToken {
            value: Secret::new(String::new()),
            generation: 1,
            expires_at: self.clock.now() + FOR_EVER,
        })
    }

    fn reject(&self, _generation: u64) {}

    fn status(&self) -> watch::Receiver<TokenStatus> {
        self.status.subscribe()
    }
}
