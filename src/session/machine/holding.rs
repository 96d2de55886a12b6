//! Live events that wait: for the present state that comes before them (U18), within bounds.

use std::collections::HashSet;

use prost::Message;

use super::Machine;
use super::draft::hash;
use super::io::At;
use super::recoveries::Recovering;
use crate::connectors::{ProviderEvent, Tracked};
use crate::proto::v1;
use crate::session::waiting::{MOST_BYTES, MOST_EVENTS};

/// An event that is drafted and not journaled yet.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) draft: v1::Event,
    pub(super) family: &'static str,
    pub(super) key: String,
    /// With the hash of the platform's bytes.
    pub(super) tracked: Option<(Tracked, u64)>,
}

/// What becomes of a family's live events while REST is asked about its loss window.
#[derive(Debug)]
pub(super) enum LiveEvents {
    Pass,
    Held(Waiting),
    /// Too many to hold: these keys moved on, and the present state of them is old.
    Moved(HashSet<String>),
}

/// Events that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    events: Vec<Held>,
    bytes: usize,
    /// Until when everything had come before the first of them.
    since: Option<At>,
}

impl Held {
    pub(super) fn new(draft: v1::Event, event: &ProviderEvent) -> Self {
        let tracked = event.tracked.clone();
        Self {
            draft,
            family: event.family,
            key: key_of(event).to_owned(),
            tracked: tracked.map(|tracked| (tracked, hash(event))),
        }
    }
}

impl Waiting {
    /// `since`: everything that was issued until then had come before it.
    pub(super) fn push(&mut self, since: At, held: Held) {
        self.bytes += held.draft.encoded_len();
        self.since.get_or_insert(since);
        self.events.push(held);
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn since(&self) -> Option<At> {
        self.since
    }

    pub(super) fn into_events(self) -> Vec<Held> {
        self.events
    }
}

/// What a later event of the same family overrides.
pub(super) fn key_of(event: &ProviderEvent) -> &str {
    event.key.as_deref().unwrap_or(&event.topic)
}

impl Machine {
    /// Journals a live event, or holds it for the present state that comes before it.
    pub(super) fn deliver(&mut self, at: At, draft: v1::Event, event: &ProviderEvent) {
        let since = self.coverage.frontier().unwrap_or(at);
        if let Some(snapshot) = self.snapshots.back_mut() {
            snapshot.behind.push(since, Held::new(draft, event));
        } else if self.recoveries.is_empty() {
            self.journal(draft, event.tracked.as_ref().map(|t| (t, hash(event))));
        } else {
            self.journal_or_hold(at, Held::new(draft, event));
        }
    }

    pub(super) fn journal_or_hold(&mut self, at: At, held: Held) {
        let since = self.coverage.frontier().unwrap_or(at);
        if let Some(waiting) = self.recoveries.holding(held.family) {
            waiting.push(since, held);
            return self.bound_what_is_held();
        }
        for recovering in self.recoveries.of_family(held.family) {
            if let LiveEvents::Moved(keys) = &mut recovering.live {
                keys.insert(held.key.clone());
            }
            recovering.changed(&held);
        }
        self.journal_held(held);
    }

    pub(super) fn journal_held(&mut self, held: Held) {
        let tracked = held
            .tracked
            .as_ref()
            .map(|(tracked, hash)| (tracked, *hash));
        self.journal(held.draft, tracked);
    }

    /// Hands an event to the journal, with what it leaves standing.
    pub(super) fn journal(&mut self, mut draft: v1::Event, tracked: Option<(&Tracked, u64)>) {
        let creation = self.creations.begin(&mut draft);
        let index = self.outbox.push(draft);
        if let Some(span) = creation {
            self.outbox.trace(span, index);
        }
        if let Some((tracked, hash)) = tracked {
            self.track(tracked, hash, index);
        }
    }

    /// Beyond the bound live events go on, and the present state yields to what has moved.
    fn bound_what_is_held(&mut self) {
        let (events, bytes) = self.recoveries.held();
        if events <= self.most_held && bytes <= MOST_BYTES {
            return;
        }
        let mut released = Vec::new();
        for recovering in self.recoveries.all() {
            released.extend(recovering.let_go());
        }
        for held in released {
            self.journal_held(held);
        }
    }

    /// Whether so much waits that nothing more should be read.
    pub(super) fn holds_too_much(&self) -> bool {
        let behind = self.snapshots.iter().map(|s| &s.behind);
        behind.clone().map(Waiting::len).sum::<usize>() >= MOST_EVENTS
            || behind.map(Waiting::bytes).sum::<usize>() >= MOST_BYTES
    }

    /// Until when everything had come before the first of what is received and not journaled.
    pub(super) fn held_since(&self) -> Option<At> {
        let snapshots = self.snapshots.iter().map(|s| s.came);
        self.recoveries
            .held_since()
            .into_iter()
            .chain(snapshots)
            .min_by_key(|at| at.now)
    }
}

impl Recovering {
    /// Something that stands changed after the window opened: the present state may not know it.
    fn changed(&mut self, held: &Held) {
        if let Some((tracked, _)) = &held.tracked {
            self.changed
                .insert((tracked.scope.clone(), tracked.key.clone()));
        }
    }

    /// What is held, which goes on from now.
    fn let_go(&mut self) -> Vec<Held> {
        let LiveEvents::Held(waiting) = &mut self.live else {
            return Vec::new();
        };
        let events = std::mem::take(waiting).into_events();
        self.live = LiveEvents::Moved(events.iter().map(|held| held.key.clone()).collect());
        events.iter().for_each(|held| self.changed(held));
        events
    }
}
