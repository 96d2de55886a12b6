//! [`Fold`]: the state that a run of commits amounts to. Pure.

use std::collections::BTreeMap;

use super::StateEntry;
use super::format::{Delta, IdRun, Payload};

/// State, and the id hashes that no segment holds any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fold {
    pub(crate) state: BTreeMap<String, StateEntry>,
    pub(crate) carried: Vec<IdRun>,
}

impl Fold {
    /// Adds one commit; a snapshot replaces everything before it.
    pub(crate) fn apply(&mut self, is_snapshot: bool, payload: Payload) {
        if is_snapshot {
            *self = Self::default();
        }
        for delta in payload.deltas {
            apply_delta(&mut self.state, delta);
        }
        self.carried.extend(payload.carried);
    }
}

/// Makes one change to the state.
pub(crate) fn apply_delta(state: &mut BTreeMap<String, StateEntry>, delta: Delta) {
    let Delta {
        key,
        value,
        sequence,
    } = delta;
    match value {
        None => {
            state.remove(&key);
        }
        Some(value) => {
            let entry = StateEntry {
                key: key.clone(),
                value,
                sequence,
            };
            state.insert(key, entry);
        }
    }
}
