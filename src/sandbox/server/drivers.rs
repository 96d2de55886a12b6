//! What moves by itself: the generator of events, the end of faults, the script.

use std::sync::Arc;

use super::hub::{Hub, Simulated};
use crate::runtime::MonoTime;
use crate::sandbox::platform::Pacer;
use crate::sandbox::script::{Action, Step};

/// Issues events at the rate that is set.
pub(in crate::sandbox) async fn generate<S: Simulated>(hub: Arc<Hub<S>>) -> anyhow::Result<()> {
    let mut rates = hub.rates();
    loop {
        let mut pacer = Pacer::new(*rates.borrow_and_update(), hub.clock.now());
        loop {
            let next = pacer.next(hub.clock.now());
            tokio::select! {
                biased;
                changed = rates.changed() => {
                    changed?;
                    break;
                }
                () = until_then(next) => {}
            }
            issue(&hub, pacer.take_due(hub.clock.now())).await;
        }
    }
}

pub(in crate::sandbox) async fn until_then(next: Option<MonoTime>) {
    match next {
        Some(next) => tokio::time::sleep_until(next).await,
        None => std::future::pending().await,
    }
}

/// Issues many events without keeping anybody else from their turn.
pub(in crate::sandbox) async fn issue<S: Simulated>(hub: &Hub<S>, count: u64) {
    let mut left = count;
    while left > 0 {
        left = hub.tell_some(left);
        if left > 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Ends faults when their time is over.
pub(in crate::sandbox) async fn keep_time<S: Simulated>(hub: Arc<Hub<S>>) -> anyhow::Result<()> {
    loop {
        let next = hub.expire_faults();
        tokio::select! {
            () = hub.rules.notified() => {}
            () = until_then(next) => {}
        }
    }
}

/// Plays a script.
pub(in crate::sandbox) async fn play<S: Simulated>(
    hub: Arc<Hub<S>>,
    steps: Vec<Step<S::Fault>>,
) -> anyhow::Result<()> {
    let start = hub.clock.now();
    for Step { at, action } in steps {
        tokio::time::sleep_until(start + at).await;
        match action {
            Action::Set(rule) => hub.set_fault(rule),
            Action::Clear(name) => {
                hub.clear_fault(name);
            }
            Action::ClearAll => hub.clear_faults(),
            Action::Emit(count) => {
                tracing::info!(count, "Burst");
                issue(&hub, count).await;
            }
            Action::Rate(per_second) => hub.set_rate(per_second),
        }
    }
    Ok(())
}
