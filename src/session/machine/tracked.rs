//! What stands from one event until another, such as the members of a queue: kept with the position,
//! so that a state listed in full tells what has ended unseen.

use std::collections::{BTreeMap, HashSet};

use super::Machine;
use super::io::At;
use super::recovered::{KNOWN, known_key, known_value};
use crate::connectors::Tracked;
use crate::domain::Sequence;

/// Things that are kept; beyond it new ones are not.
const MOST: usize = 200_000;

/// What stands: scope, key, and a hash of the bytes that said so last.
#[derive(Debug, Default)]
pub(super) struct Known {
    scopes: BTreeMap<String, BTreeMap<String, u64>>,
    len: usize,
}

impl Known {
    pub(super) fn insert(&mut self, scope: &str, key: &str, hash: u64) -> bool {
        if let Some(known) = self.scopes.get_mut(scope).and_then(|s| s.get_mut(key)) {
            *known = hash;
            return true;
        }
        if self.len >= MOST {
            return false;
        }
        self.len += 1;
        let scope = self.scopes.entry(scope.to_owned()).or_default();
        scope.insert(key.to_owned(), hash);
        true
    }

    /// How much stands.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn remove(&mut self, scope: &str, key: &str) -> bool {
        let Some(keys) = self.scopes.get_mut(scope) else {
            return false;
        };
        let stood = keys.remove(key).is_some();
        if keys.is_empty() {
            self.scopes.remove(scope);
        }
        self.len -= usize::from(stood);
        stood
    }

    pub(super) fn hash(&self, tracked: &Tracked) -> Option<u64> {
        self.scopes.get(&tracked.scope)?.get(&tracked.key).copied()
    }

    fn keys(&self, scope: &str) -> Vec<String> {
        let keys = self.scopes.get(scope).into_iter().flat_map(BTreeMap::keys);
        keys.cloned().collect()
    }
}

impl Machine {
    /// Keeps what the event at `index` of the coming commit leaves standing.
    pub(super) fn track(&mut self, tracked: &Tracked, hash: u64, index: usize) {
        let Tracked { scope, key, stands } = tracked;
        if !stands {
            return self.forget(scope, key);
        }
        if self.known.hash(tracked) == Some(hash) {
            return;
        }
        if self.known.insert(scope, key, hash) {
            let key = format!("{KNOWN}{}", known_key(scope, key));
            self.outbox.set(key, Some(known_value(hash)), Some(index));
        } else {
            self.stats.untracked(self.session.as_str());
        }
    }

    fn forget(&mut self, scope: &str, key: &str) {
        if self.known.remove(scope, key) {
            let key = format!("{KNOWN}{}", known_key(scope, key));
            self.outbox.set(key, None, None);
        }
    }

    /// A scope is listed in full: what is known to stand there, is not listed and has not changed
    /// since has ended unseen.
    pub(super) fn reconcile(
        &mut self,
        at: At,
        scope: &str,
        spared: &[&HashSet<(String, String)>],
        gap: Option<Sequence>,
    ) {
        for key in self.known.keys(scope) {
            let named = (scope.to_owned(), key);
            if spared.iter().any(|set| set.contains(&named)) {
                continue;
            }
            if let Some(event) = self.connector.departed(scope, &named.1) {
                self.backfill(at, &event, gap);
            }
            self.forget(scope, &named.1);
        }
    }
}
