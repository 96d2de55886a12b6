//! [`Tokens`]: the handle by which everybody asks for one credential's tokens.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::contract::{AccessToken, TokenProblem, TokenSource, TokenStatus};
use super::metrics;
use super::schedule::{Reply, Schedule};
use crate::runtime::Clock;

/// Hands out one credential's tokens. Clones share them.
#[derive(Debug, Clone)]
pub struct Tokens(pub(super) Arc<Shared>);

/// What the handle and the refresher share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) credential: String,
    pub(super) clock: Clock,
    pub(super) state: Mutex<State>,
    pub(super) asked: Notify,
    pub(super) status: watch::Receiver<TokenStatus>,
}

/// The schedule and the token it speaks of.
#[derive(Debug)]
pub(super) struct State {
    pub(super) schedule: Schedule,
    pub(super) token: Option<AccessToken>,
}

impl Shared {
    /// A token, or `None` where the caller has to wait.
    fn ask(&self) -> Result<Option<AccessToken>, TokenProblem> {
        let mut state = self.state.lock();
        match state.schedule.asked(self.clock.now()) {
            Reply::Present => Ok(state.token.clone()),
            Reply::Wait => Ok(None),
            Reply::None(problem) => Err(problem),
        }
    }
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self) -> Result<AccessToken, TokenProblem> {
        let mut status = self.0.status.clone();
        loop {
            // Before asking, so that no outcome slips in between.
            status.borrow_and_update();
            if let Some(token) = self.0.ask()? {
                return Ok(token);
            }
            self.0.asked.notify_one();
            status
                .changed()
                .await
                .map_err(|_| TokenProblem::Unavailable {
                    reason: "tokens are no longer refreshed".to_owned(),
                })?;
        }
    }

    fn reject(&self, generation: u64) {
        let counted = {
            let mut state = self.0.state.lock();
            state.schedule.rejected(self.0.clock.now(), generation)
        };
        if counted {
            metrics::token_rejected(&self.0.credential, generation);
            self.0.asked.notify_one();
        }
    }

    fn status(&self) -> watch::Receiver<TokenStatus> {
        self.0.status.clone()
    }
}
