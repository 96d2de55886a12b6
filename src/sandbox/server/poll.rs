//! Holds a long poll as the state says.

use std::sync::Arc;

use super::core::Core;
use super::link::Link;
use crate::sandbox::platform::{Bearer, Hold, HoldTurn, Reply};

/// Holds a poll until there is an answer. Cancel-safe: a client that goes away takes nothing with
/// it.
pub(super) async fn hold(
    core: &Arc<Core>,
    link: &Arc<Link>,
    request: u64,
    bearer: Bearer,
    body: &[u8],
) -> Reply {
    let now = core.clock.now();
    let mut changes = core.changes();
    let mut hold =
        match core.with(|state| Hold::begin(state, (link.id, request), bearer, body, now)) {
            Ok(hold) => hold,
            Err(refused) => return refused.into(),
        };
    loop {
        changes.borrow_and_update();
        let (now, wall) = (core.clock.now(), core.clock.wall());
        match core.with(|state| hold.turn(state, now, wall)) {
            HoldTurn::Reply(reply) => return reply,
            HoldTurn::Freeze => link.freeze(),
            HoldTurn::Wait(until) => tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(until) => {}
            },
        }
    }
}
