//! Carries out [`Plan`]s: finds out over REST what a session subscribes to. [`machine`] decides, this
//! shell asks; [`difference`] says what a new answer means for the channels that stand.

mod difference;
mod machine;
#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;
use std::time::Duration;

pub(super) use difference::{Change, changes};
pub(super) use machine::Standing;
use machine::{Do, Resolving, spread};

use crate::auth::TokenSource;
use crate::connectors::{Connector, Plan};
use crate::net::HttpClient;
use crate::runtime::{Clock, Rng};

/// How long what was found out is relied on.
const REPLAN: Duration = Duration::from_secs(600);

/// What a plan is carried out with.
pub(super) struct Planner<C> {
    pub(super) http: Arc<C>,
    pub(super) tokens: Arc<dyn TokenSource>,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    /// Told whenever the standing may have changed.
    pub(super) posts: Arc<dyn Fn(&Standing) + Send + Sync>,
}

impl<C: HttpClient> Planner<C> {
    /// Asks until the plan has its answer, which is as long as the platform cannot be reached or a
    /// person is needed; `None` where it asks without end. May be dropped at any time.
    pub(super) async fn resolve(self, plan: Box<dyn Plan>) -> Option<Vec<Arc<dyn Connector>>> {
        let mut run = Resolving::new(plan);
        let mut status = self.tokens.status();
        let mut next = run.go_on();
        let mut shown = Standing::resolving();
        loop {
            if *run.standing() != shown {
                shown = run.standing().clone();
                // While channels stand they go on, and only the log tells.
                if shown != Standing::resolving() {
                    tracing::warn!(state = ?shown.state, reason = shown.reason, "Plan is stuck");
                }
            }
            (self.posts)(&shown);
            next = match next {
                Do::AskToken { rejecting } => {
                    if let Some(generation) = rejecting {
                        self.tokens.reject(generation);
                    }
                    status.borrow_and_update();
                    run.token(self.tokens.token().await, self.rng.unit())
                }
                Do::Call(request) => {
                    let answer = self.http.request(*request).await;
                    run.answer(answer, self.clock.wall(), self.rng.unit())
                }
                Do::Wait { delay, or_token } => {
                    tokio::select! {
                        () = tokio::time::sleep(delay) => {}
                        Ok(()) = status.changed(), if or_token => {}
                    }
                    run.go_on()
                }
                Do::Done(connectors) => return Some(connectors),
                Do::GiveUp => return None,
            };
        }
    }
}

/// When to ask again after an answer; later by chance, so that many do not ask together.
pub(super) fn replan_after(rng: &Rng) -> Duration {
    spread(REPLAN, rng.unit())
}
