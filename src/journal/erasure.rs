//! [`Erasure`]: what is to be erased, and [`Ranges`]: which sequences are. Pure.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::format::Fields;
use crate::domain::Sequence;

/// Runs of sequences that one erasure names at most: its record is held in memory and written with
/// every snapshot until it is done.
pub const MOST_RANGES: usize = 65_536;
/// Where erasures that are not done stand in the state.
pub(crate) const PREFIX: &str = "journal/erasures/";

/// What is erased as one: all of it from one moment on, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erasure {
    /// The events; at most [`MOST_RANGES`] runs.
    pub events: Ranges,
    /// Keys of the state that are deleted with them, and wherever segments still hold their values.
    pub state: Vec<String>,
}

/// A set of sequences: ascending runs that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(Sequence, Sequence)>);

impl Ranges {
    /// Adds a sequence behind all others; one that is not is left out.
    pub fn push(&mut self, sequence: Sequence) {
        match self.0.last_mut() {
            Some((_, last)) if last.next() == sequence => *last = sequence,
            Some((_, last)) if *last >= sequence => {}
            _ => self.0.push((sequence, sequence)),
        }
    }

    /// How many runs it consists of.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.0.len()
    }

    /// How many sequences are in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        let each = self.0.iter();
        each.map(|(first, last)| last.get() - first.get() + 1).sum()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a sequence is in it.
    #[must_use]
    pub fn contains(&self, sequence: Sequence) -> bool {
        self.meets(sequence..=sequence)
    }

    /// Whether any sequence of a run is in it.
    #[must_use]
    pub fn meets(&self, run: RangeInclusive<Sequence>) -> bool {
        let at = self.0.partition_point(|(_, last)| last < run.start());
        let found = self.0.get(at);
        found.is_some_and(|(first, _)| first <= run.end() && run.start() <= run.end())
    }

    /// Its runs, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Sequence, Sequence)> {
        self.0.iter().copied()
    }

    /// What is in this and not in the other.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut left = Vec::with_capacity(self.0.len());
        let mut taken = other.0.iter().peekable();
        for (first, last) in &self.0 {
            let mut from = *first;
            while let Some((begin, end)) = taken.peek() {
                if *begin > *last {
                    break;
                }
                if from < *begin {
                    left.push((from, begin.previous()));
                }
                from = from.max(end.next());
                if *end > *last {
                    break;
                }
                taken.next();
            }
            if from <= *last {
                left.push((from, *last));
            }
        }
        Self(left)
    }

    /// What is in either, from `earliest` on.
    pub(crate) fn with(&self, other: &Self, earliest: Sequence) -> Self {
        let mut all: Vec<_> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        let mut merged: Vec<(Sequence, Sequence)> = Vec::with_capacity(all.len());
        for (first, last) in all.into_iter().filter(|(_, last)| *last >= earliest) {
            match merged.last_mut() {
                Some((_, end)) if first <= end.next() => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }
}

impl FromIterator<Sequence> for Ranges {
    fn from_iter<T: IntoIterator<Item = Sequence>>(sequences: T) -> Self {
        let mut ranges = Self::default();
        sequences.into_iter().for_each(|s| ranges.push(s));
        ranges
    }
}

impl Erasure {
    /// Number of runs, each first and last; number of keys, each length and bytes.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(8 + 16 * self.events.0.len());
        let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX).to_le_bytes();
        out.extend_from_slice(&count(self.events.0.len()));
        for (first, last) in &self.events.0 {
            out.extend_from_slice(&first.get().to_le_bytes());
            out.extend_from_slice(&last.get().to_le_bytes());
        }
        out.extend_from_slice(&count(self.state.len()));
        for key in &self.state {
            out.extend_from_slice(&count(key.len()));
            out.extend_from_slice(key.as_bytes());
        }
        out.into()
    }

    /// `None` when the bytes are none.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let mut erasure = Self::default();
        for _ in 0..fields.count(16)? {
            let run = (Sequence::new(fields.u64()?), Sequence::new(fields.u64()?));
            erasure.events.0.push(run);
        }
        for _ in 0..fields.count(4)? {
            let len = fields.count(1)?;
            let key = std::str::from_utf8(fields.take(len)?).ok()?;
            erasure.state.push(key.to_owned());
        }
        let runs = &erasure.events.0;
        let ordered = runs.iter().all(|(first, last)| first <= last)
            && runs.windows(2).all(|pair| match pair {
                [(_, last), (first, _)] => last < first,
                _ => true,
            });
        (fields.0.is_empty() && ordered).then_some(erasure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn of(sequences: &BTreeSet<u64>) -> Ranges {
        sequences.iter().copied().map(Sequence::new).collect()
    }

    proptest! {
        #[test]
        fn ranges_are_a_set(
            a in proptest::collection::btree_set(1..60_u64, 0..30),
            b in proptest::collection::btree_set(1..60_u64, 0..30),
            earliest in 1..20_u64,
            (from, to) in (0..70_u64, 0..70_u64),
        ) {
            let ranges = of(&a);
            prop_assert_eq!(ranges.count(), a.len() as u64);
            let run = Sequence::new(from)..=Sequence::new(to);
            prop_assert_eq!(ranges.meets(run), (from..=to).any(|n| a.contains(&n)));
            let both = ranges.with(&of(&b), Sequence::new(earliest));
            for n in earliest..70 {
                let there = a.contains(&n) || b.contains(&n);
                prop_assert_eq!(both.contains(Sequence::new(n)), there, "{}", n);
            }
            let less = both.without(&of(&b));
            prop_assert!(less.0.windows(2).all(|pair| pair[0].1.next() < pair[1].0));
            for n in 0..70 {
                let n = Sequence::new(n);
                prop_assert_eq!(less.contains(n), both.contains(n) && !of(&b).contains(n));
            }
            let erasure = Erasure { events: both, state: vec!["k1".to_owned(), String::new()] };
            let bytes = erasure.encode();
            prop_assert_eq!(Erasure::decode(&bytes), Some(erasure));
            prop_assert_eq!(Erasure::decode(&bytes[..bytes.len() - 1]), None);
        }
    }
}
