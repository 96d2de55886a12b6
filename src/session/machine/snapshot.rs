//! Batches that state what is, sent by the platform instead of what we missed: journaled behind the
//! suspicion of the gap that they confirm (U18).

use std::collections::HashSet;

use super::Machine;
use super::draft::hash;
use super::gaps::{Extent, Resolution};
use super::holding::Waiting;
use super::ingest::Via;
use super::io::{Actions, At};
use crate::connectors::{Opaque, ProviderEvent, Snapshot};
use crate::domain::Sequence;

/// A present state that waits for the sequences of its gaps. Its cursor waits with it: whoever asks
/// after the new cursor is not told again.
#[derive(Debug)]
pub(super) struct PresentState {
    keys: Vec<String>,
    events: Vec<ProviderEvent>,
    complete: Vec<String>,
    /// The cursors that lead behind it, by slot.
    pub(super) cursors: Vec<(usize, Option<Opaque>)>,
    /// Live events that came after it.
    pub(super) behind: Waiting,
    /// Its windows end then.
    pub(super) came: At,
}

impl Machine {
    /// A batch that states what is. `keys` are the gaps that it confirms.
    pub(super) fn present_state(
        &mut self,
        at: At,
        snapshot: Snapshot,
        events: Vec<ProviderEvent>,
        keys: Vec<String>,
        via: Via,
        out: &mut Actions,
    ) {
        if self.coverage.before().is_none() {
            // Nothing was missed, for nothing was covered: it is where the story begins.
            for event in events {
                self.ingest_plain(at, event, via);
            }
            return;
        }
        let mut confirmed = keys;
        if !confirmed.is_empty() {
            // It says as much of every earlier window.
            self.recoveries_stop(out);
            let open = self.gaps.iter().filter(|gap| {
                gap.resolution.is_none() && matches!(gap.extent, Extent::Window { .. })
            });
            let open: Vec<String> = open.map(|gap| gap.key.clone()).collect();
            let own = |key: &String| !self.awaits_snapshot(key) && !confirmed.contains(key);
            let earlier: Vec<String> = open.into_iter().filter(own).collect();
            confirmed.extend(earlier);
        }
        self.snapshots.push_back(PresentState {
            keys: confirmed,
            events,
            complete: snapshot.complete,
            cursors: Vec::new(),
            behind: Waiting::default(),
            came: at,
        });
        self.journal_snapshots(at);
    }

    /// Whether this gap is confirmed by a present state that waits.
    pub(super) fn awaits_snapshot(&self, key: &str) -> bool {
        let mut keys = self.snapshots.iter().flat_map(|s| &s.keys);
        keys.any(|own| own == key)
    }

    /// Journals every present state whose gaps have their sequences, then what came behind it.
    pub(super) fn journal_snapshots(&mut self, at: At) {
        while let Some(first) = self.snapshots.front() {
            let numbered = |key: &String| {
                let gap = self.gaps.iter().find(|gap| gap.key == *key);
                gap.is_none_or(|gap| gap.sequence.is_some())
            };
            if !first.keys.iter().all(numbered) {
                return;
            }
            let Some(state) = self.snapshots.pop_front() else {
                return;
            };
            self.journal_snapshot(at, state);
        }
    }

    fn journal_snapshot(&mut self, at: At, state: PresentState) {
        let mut listed = HashSet::new();
        let families = state.keys.iter().filter_map(|key| {
            let gap = self.gaps.iter().find(|gap| gap.key == *key)?;
            match &gap.extent {
                Extent::Window { family, .. } => Some((family.clone(), gap.sequence?)),
                Extent::Hole { .. } | Extent::Told(_) => None,
            }
        });
        let families: Vec<(String, Sequence)> = families.collect();
        let any = families.first().map(|(_, gap)| *gap);
        for event in &state.events {
            if let Some(tracked) = event.tracked.as_ref().filter(|t| t.stands) {
                listed.insert((tracked.scope.clone(), tracked.key.clone()));
                if self.known.hash(tracked) == Some(hash(event)) {
                    self.stats.duplicate(1);
                    continue;
                }
            }
            let own = families.iter().find(|(family, _)| family == event.family);
            self.backfill(at, event, own.map(|(_, gap)| *gap).or(any));
        }
        for scope in &state.complete {
            self.reconcile(at, scope, &[&listed], any);
        }
        for (slot, cursor) in state.cursors {
            self.keep_cursor(slot, cursor);
        }
        let gaps = self.gaps.iter_mut();
        for gap in gaps.filter(|gap| state.keys.contains(&gap.key)) {
            gap.resolution = Some(Resolution::Confirmed("SNAPSHOT".to_owned()));
        }
        self.settle_gaps(at);
        for held in state.behind.into_events() {
            self.journal_or_hold(at, held);
        }
    }
}
