//! What moves by itself: the generator of events, the end of faults, the script.

use std::sync::Arc;

use super::core::Core;
use crate::sandbox::platform::Pacer;
use crate::sandbox::script::{Action, Step};

/// Issues events at the rate that is set.
pub(in crate::sandbox) async fn generate(core: Arc<Core>) -> anyhow::Result<()> {
    let mut rates = core.rates();
    loop {
        let mut pacer = Pacer::new(*rates.borrow_and_update(), core.clock.now());
        loop {
            let next = pacer.next(core.clock.now());
            tokio::select! {
                biased;
                changed = rates.changed() => {
                    changed?;
                    break;
                }
                () = until_then(next) => {}
            }
            issue(&core, pacer.take_due(core.clock.now())).await;
        }
    }
}

async fn until_then(next: Option<crate::runtime::MonoTime>) {
    match next {
        Some(next) => tokio::time::sleep_until(next).await,
        None => std::future::pending().await,
    }
}

/// Issues many events without keeping anybody else from their turn.
pub(super) async fn issue(core: &Core, count: u64) {
    let mut left = count;
    while left > 0 {
        left = core.emit_some(left);
        if left > 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Ends faults when their time is over.
pub(in crate::sandbox) async fn keep_time(core: Arc<Core>) -> anyhow::Result<()> {
    loop {
        let next = core.expire_faults();
        tokio::select! {
            () = core.rules.notified() => {}
            () = until_then(next) => {}
        }
    }
}

/// Plays a script.
pub(in crate::sandbox) async fn play(core: Arc<Core>, steps: Vec<Step>) -> anyhow::Result<()> {
    let start = core.clock.now();
    for Step { at, action } in steps {
        tokio::time::sleep_until(start + at).await;
        match action {
            Action::Set(rule) => core.set_fault(rule),
            Action::Clear(name) => {
                core.clear_fault(name);
            }
            Action::ClearAll => core.clear_faults(),
            Action::Emit(count) => {
                tracing::info!(count, "Burst");
                issue(&core, count).await;
            }
            Action::Rate(per_second) => core.set_rate(per_second),
        }
    }
    Ok(())
}
