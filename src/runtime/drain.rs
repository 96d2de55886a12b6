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

    /// One that ends with this one, or by itself when its own trigger is pulled.
    #[must_use]
    pub fn child(&self) -> (DrainTrigger, Self) {
        let child = Self {
            drain: self.drain.child_token(),
            force: self.force.child_token(),
        };
        (DrainTrigger(child.clone()), child)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_ends_alone_or_with_its_parent() {
        let (trigger, parent) = drain();
        let (own, first) = parent.child();
        let (_, second) = parent.child();
        own.drain();
        assert!(first.is_draining() && !second.is_draining() && !parent.is_draining());
        trigger.force();
        assert!(second.is_draining() && second.is_forced() && first.is_forced());
    }
}
