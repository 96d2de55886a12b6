//! Holds a poll as the state says.

use std::sync::Arc;

use super::core::Core;
use crate::sandbox::cxone::platform::{Hold, HoldTurn, PollRequest, Reply};
use crate::sandbox::server::Link;

/// Holds a poll until there is an answer. Cancel-safe: a client that goes away takes nothing with
/// it.
pub(super) async fn hold(core: &Arc<Core>, link: &Arc<Link>, request: PollRequest<'_>) -> Reply {
    let now = core.clock.now();
    let mut changes = core.changes();
    let mut hold = match core.with(|state| Hold::begin(state, request, now)) {
        Ok(hold) => hold,
        Err(refused) => return refused.into(),
    };
    let _held = Held::new(core);
    loop {
        changes.borrow_and_update();
        let (now, wall) = core.times();
        match core.with(|state| hold.turn(state, now, wall)) {
            HoldTurn::Reply(reply) => {
                // Another poll of this session may hold an old id from now on.
                core.change();
                return reply;
            }
            HoldTurn::Freeze => link.freeze(),
            HoldTurn::Wait(until) => tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(until) => {}
            },
        }
    }
}

/// Counts a poll that is held, however it ends.
struct Held<'a>(&'a Core);

impl<'a> Held<'a> {
    fn new(core: &'a Core) -> Self {
        core.with(|state| state.counters.polls_held += 1);
        core.notice();
        Self(core)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.with(|state| state.counters.polls_held -= 1);
        self.0.notice();
    }
}
