//! [`SupervisorHandle`]: begins and ends single sessions while the others run.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::SessionParts;
use crate::domain::SessionName;
use crate::session::{SessionStats, StartError};

/// Orders that wait at once: whoever gives them waits for each.
const MOST_ORDERS: usize = 16;

type Begun = Result<Arc<SessionStats>, StartError>;

/// What a supervisor is told.
#[derive(Debug)]
pub(super) enum Order<C> {
    Begin(Box<SessionParts<C>>, oneshot::Sender<Begun>),
    End(SessionName, oneshot::Sender<()>),
}

/// Begins and ends single sessions while the others run. Clones share it.
pub struct SupervisorHandle<C>(mpsc::Sender<Order<C>>);

impl<C> SupervisorHandle<C> {
    pub(super) fn new() -> (Self, mpsc::Receiver<Order<C>>) {
        let (orders, told) = mpsc::channel(MOST_ORDERS);
        (Self(orders), told)
    }

    /// Begins a session under a name that nobody has; its counters, or `None` where everything
    /// ends.
    ///
    /// # Errors
    /// [`StartError`] where its settings are wrong.
    pub async fn begin(
        &self,
        parts: SessionParts<C>,
    ) -> Result<Option<Arc<SessionStats>>, StartError> {
        let (answer, answered) = oneshot::channel();
        let order = Order::Begin(Box::new(parts), answer);
        if self.0.send(order).await.is_err() {
            return Ok(None);
        }
        answered.await.ok().transpose()
    }

    /// Ends a session politely; completes when it has left the board, or everything has ended.
    pub async fn end(&self, name: SessionName) {
        let (answer, answered) = oneshot::channel();
        if self.0.send(Order::End(name, answer)).await.is_ok() {
            // Where nobody answers, everything has ended.
            answered.await.ok();
        }
    }
}

impl<C> Clone for SupervisorHandle<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> fmt::Debug for SupervisorHandle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorHandle").finish_non_exhaustive()
    }
}
