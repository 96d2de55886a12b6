//! [`Overlap`]: repeated events on connections that stand side by side, where the platform neither
//! numbers nor names its events (U16). Pure.
//!
//! An event that a connection brings is the oldest fact with the same bytes that it has not brought
//! yet, or a new fact: the n-th occurrence on one is the n-th on each other, and no connection is
//! compared with itself. What a connection never brought is forgotten after a span, so that it does
//! not swallow a later event. Whatever is forgotten too early is delivered twice, never lost.
//!
//! The count of a new connection begins somewhere among what the older ones brought around its
//! subscription, and nobody says where: how many of those came before it follows from what both have
//! brought when the one and then the other answered a question ([`aligning`](super::aligning)). Until that
//! is known the connection is not settled, and the death of an older one opens a loss window. Where it
//! does not come to be known, every occurrence of those bytes is kept on each connection, the later
//! ones as possible duplicates, until none came for a span.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use smallvec::SmallVec;

use super::aligning::Aligning;
use crate::runtime::MonoTime;

/// How long equal bytes on two connections may be one fact, where nothing in them says so.
const SPAN: Duration = Duration::from_secs(10);
/// Likewise where they carry a version or a date.
const DATED_SPAN: Duration = Duration::from_secs(600);
/// Facts remembered of each kind, and of one hash; while one connection stands alone, fewer do.
const MOST: usize = 100_000;
const MOST_ALONE: usize = 4096;
const MOST_EQUAL: usize = 1000;

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// New.
    New,
    /// Another connection brought it already.
    Duplicate,
    /// An equal event came on another connection, and it cannot be told whether this one had to bring
    /// it too: both are kept.
    PossibleDuplicate,
}

/// Compares connections, each named by its generation.
#[derive(Debug)]
pub struct Overlap {
    pub(super) sides: Vec<Side>,
    /// Counts what happens, for moments may be equal.
    clock: u64,
    pub(super) undated: Facts,
    dated: Facts,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) name: u64,
    began: u64,
    /// What came since then on others, it does bring too.
    joined: u64,
    /// How its count goes with that of the others is known.
    settled: bool,
    pub(super) aligning: Aligning,
    ended: Option<(u64, MonoTime)>,
}

/// What came within a span, by the hash of its bytes.
#[derive(Debug)]
pub(super) struct Facts {
    span: Duration,
    pub(super) known: HashMap<u64, Equal>,
    order: VecDeque<(MonoTime, u64)>,
}

/// Facts with the same bytes, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Equal {
    pub(super) facts: SmallVec<[Fact; 1]>,
    /// The occurrences on two connections cannot be told apart: none is paired.
    pub(super) kept: bool,
}

/// One occurrence, and the connections that brought it.
#[derive(Debug)]
pub(super) struct Fact {
    came: u64,
    at: MonoTime,
    pub(super) on: SmallVec<[u64; 2]>,
}

impl Default for Overlap {
    fn default() -> Self {
        Self {
            sides: Vec::new(),
            clock: 0,
            undated: Facts::new(SPAN),
            dated: Facts::new(DATED_SPAN),
        }
    }
}

impl Overlap {
    /// A connection is subscribed. What others bring from here on may still be older.
    pub fn begin(&mut self, now: MonoTime, side: u64) {
        let gone = |ended: MonoTime| now.saturating_duration_since(ended) > SPAN;
        self.sides
            .retain(|s| !s.ended.is_some_and(|(_, ended)| gone(ended)));
        self.forget(now);
        self.clock += 1;
        self.sides.push(Side {
            name: side,
            began: self.clock,
            joined: self.clock,
            settled: self.sides.iter().all(|s| s.ended.is_some()),
            aligning: Aligning::default(),
            ended: None,
        });
    }

    /// What others bring from here on, this connection brings too. Of what they brought before, it
    /// may never bring the oldest: until it is settled, that may swallow an equal event. True when
    /// there is nothing of the kind.
    pub fn join(&mut self, side: u64) -> bool {
        self.clock += 1;
        for own in self.sides.iter_mut().filter(|s| s.name == side) {
            own.joined = self.clock;
        }
        let clear = self.begin_to_align(side);
        if clear {
            self.settle(side);
        }
        clear
    }

    /// Whether a connection has brought all that others brought since its subscription.
    #[must_use]
    pub fn is_clear(&self, side: u64) -> bool {
        let Some(own) = self.sides.iter().find(|s| s.name == side) else {
            return true;
        };
        let mut facts = self.undated.known.values().flat_map(|equal| &equal.facts);
        !facts.any(|fact| fact.came >= own.began && !fact.on.contains(&side))
    }

    /// Nothing that others brought before a connection was joined swallows what it brings.
    pub fn settle(&mut self, side: u64) {
        for own in self.sides.iter_mut().filter(|s| s.name == side) {
            own.settled = true;
            own.aligning = Aligning::default();
        }
    }

    /// A connection took the place of the others, which are over: nothing that they brought swallows
    /// what it brings.
    pub fn replace(&mut self, side: u64) {
        self.clock += 1;
        for own in self.sides.iter_mut().filter(|s| s.name == side) {
            own.joined = self.clock;
        }
        self.settle(side);
    }

    /// A connection is over.
    pub fn end(&mut self, now: MonoTime, side: u64) {
        self.clock += 1;
        for own in self.sides.iter_mut().filter(|s| s.name == side) {
            own.ended.get_or_insert((self.clock, now));
        }
    }

    /// Judges one event, named by a hash of its topic and bytes. `dated`: the bytes carry a version
    /// or a date, so that equal ones on two connections are one fact whenever they come.
    pub fn judge(&mut self, now: MonoTime, side: u64, hash: u64, dated: bool) -> Seen {
        self.clock += 1;
        let clock = self.clock;
        if dated {
            self.dated.forget(now, MOST);
            if self.dated.pair(side, hash, |_| true) {
                return Seen::Duplicate;
            }
            self.dated.add(now, clock, side, hash);
            return Seen::New;
        }
        self.forget(now);
        let seen = self.compare(side, hash);
        if seen != Seen::Duplicate {
            self.undated.add(now, clock, side, hash);
        }
        seen
    }

    fn compare(&mut self, side: u64, hash: u64) -> Seen {
        let Some(own) = self.sides.iter().find(|s| s.name == side) else {
            return Seen::New;
        };
        let (began, joined, settled) = (own.began, own.joined, own.settled);
        if self
            .undated
            .known
            .get(&hash)
            .is_some_and(|equal| equal.kept)
        {
            return match self.undated.brought_by_others(side, hash) {
                true => Seen::PossibleDuplicate,
                false => Seen::New,
            };
        }
        let sides = &self.sides;
        let beside = |fact: &Fact, ended_since: u64| {
            let mut others = sides.iter().filter(|s| fact.on.contains(&s.name));
            others.any(|s| s.ended.is_none_or(|(ended, _)| ended >= ended_since))
        };
        let may = |fact: &Fact| match settled {
            true => fact.came >= joined,
            // What came before the subscription was at hand may be older than it or not: who brought
            // it must still be there to show it.
            false => fact.came >= began || beside(fact, u64::MAX),
        };
        if self.undated.pair(side, hash, may) {
            return Seen::Duplicate;
        }
        let mut open = self.undated.not_on(side, hash);
        match !settled && open.any(|fact| beside(fact, began)) {
            true => Seen::PossibleDuplicate,
            false => Seen::New,
        }
    }

    /// Nothing is forgotten while a connection is compared with others.
    fn forget(&mut self, now: MonoTime) {
        let mut standing = self.sides.iter().filter(|s| s.ended.is_none());
        let alone = standing.clone().count() < 2;
        let most = if alone { MOST_ALONE } else { MOST };
        if standing.all(|s| s.aligning.is_over()) || self.undated.order.len() >= most {
            self.undated.forget(now, most);
        }
    }
}

impl Facts {
    fn new(span: Duration) -> Self {
        Self {
            span,
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    fn forget(&mut self, now: MonoTime, most: usize) {
        while let Some((came, hash)) = self.order.front().copied() {
            let expired = now.saturating_duration_since(came) > self.span;
            if !expired && self.order.len() < most {
                return;
            }
            self.order.pop_front();
            // Facts of one hash stand in the order in which they came.
            if let Some(Equal { facts, .. }) = self.known.get_mut(&hash) {
                if facts.first().is_some_and(|fact| fact.at == came) {
                    facts.remove(0);
                }
                if facts.is_empty() {
                    self.known.remove(&hash);
                }
            }
        }
    }

    fn not_on(&self, side: u64, hash: u64) -> impl Iterator<Item = &Fact> {
        let equal = self.known.get(&hash).into_iter();
        let facts = equal.flat_map(|equal| &equal.facts);
        facts.filter(move |fact| !fact.on.contains(&side))
    }

    fn brought_by_others(&self, side: u64, hash: u64) -> bool {
        let facts = self.known.get(&hash).map(|equal| &equal.facts);
        let mut on = facts.into_iter().flatten().flat_map(|fact| &fact.on);
        on.any(|name| *name != side)
    }

    /// Whether `side` brings again what another brought.
    fn pair(&mut self, side: u64, hash: u64, may: impl Fn(&Fact) -> bool) -> bool {
        let equal = self.known.get_mut(&hash).into_iter();
        let facts = equal.flat_map(|equal| &mut equal.facts);
        let mut open = facts.filter(|fact| !fact.on.contains(&side) && may(fact));
        open.next().map(|fact| fact.on.push(side)).is_some()
    }

    fn add(&mut self, now: MonoTime, clock: u64, side: u64, hash: u64) {
        self.order.push_back((now, hash));
        let facts = &mut self.known.entry(hash).or_default().facts;
        if facts.len() >= MOST_EQUAL {
            facts.remove(0);
        }
        facts.push(Fact {
            came: clock,
            at: now,
            on: SmallVec::from_slice(&[side]),
        });
    }
}

#[cfg(test)]
impl Overlap {
    /// Connections and facts that are remembered.
    pub(super) fn size(&self) -> (usize, usize) {
        let facts = |facts: &Facts| {
            facts
                .known
                .values()
                .map(|equal| equal.facts.len())
                .sum::<usize>()
        };
        (self.sides.len(), facts(&self.undated) + facts(&self.dated))
    }
}
