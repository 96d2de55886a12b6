//! Two-stage end: *drain* (finish what you hold) and *force* (stop now).

use tokio_util::sync::CancellationToken;

/// What a component watches to learn that it should end.
#[derive(Debug, Clone)]
pub struct Drain {
    drain: CancellationToken,
    force: CancellationToken,
}

/// What the owner pulls.
#[derive(Debug, Clone)]
pub struct DrainTrigger(Drain);

/// A trigger and what it triggers.
#[must_use]
pub fn drain() -> (DrainTrigger, Drain) {
    let drain = Drain {
        drain: CancellationToken::new(),
        force: CancellationToken::new(),
    };
    (DrainTrigger(drain.clone()), drain)
}

impl DrainTrigger {
    /// Asks components to finish.
    pub fn drain(&self) {
        self.0.drain.cancel();
    }

    /// Tells components to stop at once; implies [`DrainTrigger::drain`].
    pub fn force(&self) {
        self.0.drain.cancel();
        self.0.force.cancel();
    }
}

impl Drain {
    /// Completes when draining has begun. Cancel-safe.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Completes when there is no time left. Cancel-safe.
    pub async fn forced(&self) {
        self.force.cancelled().await;
    }

    /// Whether draining has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Whether there is no time left.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.force.is_cancelled()
    }
}
