//! [`Overlap`]: repeated events on connections that stand side by side, where the platform neither
//! numbers nor names its events (U16). Pure.
//!
//! An event that a connection brings is the oldest fact with the same bytes that it has not brought
//! yet, or a new fact: the n-th occurrence on one is the n-th on each other, and no connection is
//! compared with itself. What a connection never brought is forgotten after a span, so that it does
//! not swallow a later event. Whatever is forgotten too early is delivered twice, never lost.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use smallvec::SmallVec;

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
    sides: Vec<Side>,
    /// Counts what happens, for moments may be equal.
    clock: u64,
    undated: Facts,
    dated: Facts,
}

/// A connection.
#[derive(Debug)]
struct Side {
    name: u64,
    began: u64,
    /// What came since then on others, it may bring too.
    since: u64,
    /// What came since then on others, it does bring too.
    joined: u64,
    /// It has brought whatever it will ever bring of what came on others before that.
    settled: bool,
    ended: Option<(u64, MonoTime)>,
}

/// What came within a span, by the hash of its bytes.
#[derive(Debug)]
struct Facts {
    span: Duration,
    known: HashMap<u64, SmallVec<[Fact; 1]>>,
    order: VecDeque<(MonoTime, u64)>,
}

/// One occurrence, and the connections that brought it.
#[derive(Debug)]
struct Fact {
    came: u64,
    at: MonoTime,
    on: SmallVec<[u64; 2]>,
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
        self.clock += 1;
        self.sides.push(Side {
            name: side,
            began: self.clock,
            since: self.clock,
            joined: self.clock,
            settled: false,
            ended: None,
        });
    }

    /// What others bring from here on, this connection brings too. Of what they brought since its
    /// subscription, it may never bring the oldest: until it is settled, that may swallow an equal
    /// event. True when there is nothing of the kind.
    pub fn join(&mut self, side: u64) -> bool {
        self.clock += 1;
        for own in self.sides.iter_mut().filter(|s| s.name == side) {
            own.joined = self.clock;
        }
        let clear = self.is_clear(side);
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
        let mut facts = self.undated.known.values().flatten();
        !facts.any(|fact| fact.came >= own.since && !fact.on.contains(&side))
    }

    /// A connection has brought everything that others brought before it was joined.
    pub fn settle(&mut self, side: u64) {
        for own in self.sides.iter_mut().filter(|s| s.name == side) {
            own.since = own.joined;
            own.settled = true;
        }
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
        let alone = self.sides.iter().filter(|s| s.ended.is_none()).count() < 2;
        if dated {
            self.dated.forget(now, MOST);
            if self.dated.pair(side, hash, |_| true) {
                return Seen::Duplicate;
            }
            self.dated.add(now, clock, side, hash);
            return Seen::New;
        }
        self.undated
            .forget(now, if alone { MOST_ALONE } else { MOST });
        let own = self.sides.iter().find(|s| s.name == side);
        let (began, since) = own.map_or((clock, clock), |s| (s.began, s.since));
        let settled = own.is_some_and(|s| s.settled);
        if self.undated.pair(side, hash, |fact| fact.came >= since) {
            return Seen::Duplicate;
        }
        let sides = &self.sides;
        let beside = |name: &u64| {
            let other = sides.iter().find(|s| s.name == *name);
            other.is_some_and(|s| s.ended.is_none_or(|(ended, _)| ended >= began))
        };
        let others = self.undated.not_on(side, hash);
        let before = others.flat_map(|fact| &fact.on).any(beside);
        self.undated.add(now, clock, side, hash);
        if before && !settled {
            Seen::PossibleDuplicate
        } else {
            Seen::New
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
            if let Some(facts) = self.known.get_mut(&hash) {
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
        let facts = self.known.get(&hash).into_iter().flatten();
        facts.filter(move |fact| !fact.on.contains(&side))
    }

    /// Whether `side` brings again what another brought.
    fn pair(&mut self, side: u64, hash: u64, may: impl Fn(&Fact) -> bool) -> bool {
        let facts = self.known.get_mut(&hash).into_iter().flatten();
        let mut open = facts.filter(|fact| !fact.on.contains(&side) && may(fact));
        open.next().map(|fact| fact.on.push(side)).is_some()
    }

    fn add(&mut self, now: MonoTime, clock: u64, side: u64, hash: u64) {
        self.order.push_back((now, hash));
        let facts = self.known.entry(hash).or_default();
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
        let facts = |facts: &Facts| facts.known.values().map(SmallVec::len).sum::<usize>();
        (self.sides.len(), facts(&self.undated) + facts(&self.dated))
    }
}
