//! [`Readiness`]: named latches that must all be open before a process calls itself ready.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// A set of named latches. Clones share it. Without latches it is ready.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Pending latches by name, with how many of that name are pending.
    pending: BTreeMap<Arc<str>, usize>,
    closed: Option<&'static str>,
    /// What whoever asks should know besides.
    remark: Option<&'static str>,
}

/// One condition that is not yet met. It stays pending when it is dropped without being opened, so
/// a component that died while starting keeps the process unready and is named as the reason.
#[derive(Debug)]
#[must_use = "a latch that is not opened stays pending for ever"]
pub struct Latch {
    name: Arc<str>,
    state: Arc<watch::Sender<State>>,
}

impl Readiness {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition. Two of one name must both open.
    pub fn latch(&self, name: impl Into<Arc<str>>) -> Latch {
        let name = name.into();
        self.state.send_modify(|state| {
            *state.pending.entry(Arc::clone(&name)).or_default() += 1;
        });
        Latch {
            name,
            state: Arc::clone(&self.state),
        }
    }

    /// Makes the set unready for good, whatever its latches say: `why` is what it answers.
    pub fn close(&self, why: &'static str) {
        self.state.send_modify(|state| state.closed = Some(why));
    }

    /// Has whoever asks told something besides.
    pub fn remark(&self, remark: &'static str) {
        self.state.send_modify(|state| state.remark = Some(remark));
    }

    /// What whoever asks is told besides.
    #[must_use]
    pub fn remarked(&self) -> Option<&'static str> {
        self.state.borrow().remark
    }

    /// What is still pending, by name; empty means ready.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        self.state.borrow().pending()
    }

    /// Whether nothing is pending.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state.borrow().is_ready()
    }

    /// Completes once nothing is pending; never after [`Readiness::close`]. Cancel-safe.
    pub async fn ready(&self) {
        let mut changes = self.state.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _sender_lives = changes.wait_for(State::is_ready).await.is_ok();
    }

    /// Completes when ready turned to unready or back since `was`; returns the present value.
    /// Cancel-safe.
    pub async fn changed_from(&self, was: bool) -> bool {
        let mut changes = self.state.subscribe();
        let _sender_lives = changes
            .wait_for(|state| state.is_ready() != was)
            .await
            .is_ok();
        self.is_ready()
    }
}

impl State {
    fn is_ready(&self) -> bool {
        self.closed.is_none() && self.pending.is_empty()
    }

    fn pending(&self) -> Vec<String> {
        let closed = self.closed.map(str::to_owned);
        closed
            .into_iter()
            .chain(self.pending.keys().map(|name| name.to_string()))
            .collect()
    }
}

impl Latch {
    /// The condition is met.
    pub fn open(self) {
        self.state.send_modify(|state| {
            if let Some(count) = state.pending.get_mut(&self.name) {
                *count -= 1;
                if *count == 0 {
                    state.pending.remove(&self.name);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ready_once_every_latch_is_open() {
        let readiness = Readiness::new();
        let journal = readiness.latch("journals/default");
        let listeners = readiness.latch("listeners");
        assert_eq!(readiness.pending(), ["journals/default", "listeners"]);
        journal.open();
        assert_eq!(readiness.pending(), ["listeners"]);
        let waiting = readiness.clone();
        let wait = async move { waiting.ready().await };
        let open = async { listeners.open() };
        tokio::join!(wait, open);
        assert!(readiness.is_ready());
    }

    #[test]
    fn a_latch_that_was_dropped_stays_pending() {
        let readiness = Readiness::new();
        drop(readiness.latch("journals/default"));
        assert_eq!(readiness.pending(), ["journals/default"]);
    }

    #[test]
    fn two_latches_of_one_name_must_both_open() {
        let readiness = Readiness::new();
        let (first, second) = (readiness.latch("listeners"), readiness.latch("listeners"));
        first.open();
        assert!(!readiness.is_ready());
        second.open();
        assert!(readiness.is_ready());
    }

    #[tokio::test]
    async fn closing_says_why_and_is_seen_by_watchers() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let (seen, ()) = tokio::join!(readiness.changed_from(true), async {
            readiness.close("draining");
        });
        assert!(!seen);
        assert_eq!(readiness.pending(), ["draining"]);
    }
}
