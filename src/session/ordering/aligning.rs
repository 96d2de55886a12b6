//! [`Aligning`]: finds out with which occurrence the count of a new connection begins (U16). Pure.
//!
//! Of the equal events that others brought until a connection was joined, it brings all but the first
//! ones, which were sent before it was subscribed. When it answers a question, it has brought
//! everything that the others had brought when it was asked: that says how many those first ones are
//! at least. When another answers, it has brought everything that this connection had brought when the
//! other was asked: that says how many they are at most. Question follows question until both agree.

use std::collections::HashMap;

use super::overlap::{Fact, Overlap};

/// Questions to both until what is not known by then is given up; each takes a round trip.
const MOST_ROUNDS: u32 = 8;

/// What is known of a connection's count, by the hash of the bytes.
#[derive(Debug, Default)]
pub(super) struct Aligning {
    open: HashMap<u64, Unknown>,
    rounds: u32,
}

/// How many came before the subscription.
#[derive(Debug)]
struct Unknown {
    least: usize,
    most: usize,
    /// What the others had brought when the connection was asked.
    asked: usize,
    /// What the connection had brought when it answered.
    answered: usize,
}

impl Aligning {
    pub(super) fn is_over(&self) -> bool {
        self.open.is_empty()
    }
}

impl Overlap {
    /// A connection is joined, and is asked. True where there is nothing to find out.
    pub(super) fn begin_to_align(&mut self, side: u64) -> bool {
        let facts = self.undated.known.iter();
        let counts = facts.map(|(hash, equal)| (*hash, Counts::of(side, &equal.facts).others));
        let open: HashMap<u64, Unknown> = counts
            .filter(|(_, others)| *others > 0)
            .map(|(hash, others)| {
                let unknown = Unknown {
                    least: 0,
                    most: others,
                    asked: others,
                    answered: 0,
                };
                (hash, unknown)
            })
            .collect();
        let clear = open.is_empty();
        if let Some(own) = self.sides.iter_mut().find(|s| s.name == side) {
            own.aligning = Aligning { open, rounds: 0 };
        }
        clear
    }

    /// A connection has brought everything that others had brought when it was asked.
    pub fn answered(&mut self, side: u64) {
        let Some(own) = self.sides.iter_mut().find(|s| s.name == side) else {
            return;
        };
        for (hash, unknown) in &mut own.aligning.open {
            let equal = self.undated.known.get(hash);
            let counts = equal.map_or_else(Counts::default, |e| Counts::of(side, &e.facts));
            unknown.answered = counts.own;
            let least = unknown.asked.saturating_sub(counts.own);
            unknown.least = unknown.least.max(least);
        }
    }

    /// Another has brought everything that this connection had brought when it answered. True when
    /// the connection is settled; otherwise it is to be asked again.
    pub fn compared(&mut self, side: u64) -> bool {
        let Some(own) = self.sides.iter_mut().find(|s| s.name == side) else {
            return true;
        };
        let known = &mut self.undated.known;
        own.aligning.open.retain(|hash, unknown| {
            let Some(equal) = known.get_mut(hash) else {
                return false;
            };
            let counts = Counts::of(side, &equal.facts);
            let most = counts.others.saturating_sub(unknown.answered);
            unknown.most = unknown.most.min(most).max(unknown.least);
            unknown.asked = counts.others;
            let before = unknown.least;
            // Nothing of its own stands for what the others have still to bring.
            let settled =
                unknown.most == before && before + counts.own <= counts.others + counts.alone;
            if settled {
                counts.close(side, before, &mut equal.facts);
            }
            !settled
        });
        own.aligning.rounds += 1;
        if !own.aligning.open.is_empty() && own.aligning.rounds < MOST_ROUNDS {
            return false;
        }
        for hash in own.aligning.open.keys() {
            if let Some(equal) = known.get_mut(hash) {
                equal.kept = true;
            }
        }
        self.settle(side);
        true
    }
}

/// Occurrences of equal events.
#[derive(Debug, Default)]
struct Counts {
    /// That others brought.
    others: usize,
    /// That the connection brought.
    own: usize,
    /// That it alone brought.
    alone: usize,
}

impl Counts {
    fn of(side: u64, facts: &[Fact]) -> Self {
        let mut counts = Self::default();
        for fact in facts {
            let own = fact.on.contains(&side);
            let others = fact.on.iter().any(|name| *name != side);
            counts.others += usize::from(others);
            counts.own += usize::from(own);
            counts.alone += usize::from(own && !others);
        }
        counts
    }

    /// Of what others brought, so many came before the subscription; those after them the connection
    /// brought, as many as it did, and the rest it has still to bring.
    fn close(&self, side: u64, before: usize, facts: &mut [Fact]) {
        let others = facts
            .iter_mut()
            .filter(|fact| fact.on.iter().any(|name| *name != side));
        for (index, fact) in others.enumerate() {
            fact.on.retain(|name| *name != side);
            if index < before + self.own {
                fact.on.push(side);
            }
        }
    }
}
