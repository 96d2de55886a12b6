//! What comes about by itself: what is due at a time, and sockets that look again after a change.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use crate::sandbox::guests::fault::{GuestFault, GuestFaultName};
use crate::sandbox::server::until_then;

/// Lets come about what is due.
pub(in crate::sandbox::guests) async fn keep_hours(core: Arc<Core>) -> anyhow::Result<()> {
    let mut rung = core.with(|state| state.time.listen());
    loop {
        rung.borrow_and_update();
        let now = core.times();
        let next = core.with(|state| state.advance(now));
        core.notice();
        tokio::select! {
            changed = rung.changed() => changed?,
            () = until_then(next) => {}
        }
    }
}

/// Wakes every socket when faults were set or cleared; anything else wakes those that it is about.
pub(in crate::sandbox::guests) async fn wake_all(core: Arc<Core>) -> anyhow::Result<()> {
    let mut changes = core.changes();
    loop {
        changes.borrow_and_update();
        core.with(|state| state.wake_if_stirred());
        changes.changed().await?;
    }
}

/// Cuts every connection at once, and takes none for so long.
pub(in crate::sandbox::guests) fn restart(core: &Core, down: Duration) {
    let fault = GuestFault::PlatformDown {};
    match down.is_zero() {
        true => {
            core.set_fault(fault.into());
            core.clear_fault(GuestFaultName::PlatformDown);
        }
        false => core.set_fault(fault.during(down)),
    }
}
