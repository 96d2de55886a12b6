//! Order, duplicates and holes of what a platform sends. Pure.
//!
//! [`Ordering`] is for platforms that number their events (U15 to U17, U19), [`RecentIds`] for those
//! that name them, [`Overlap`] for those that do neither (U16).

mod aligning;
mod ids;
mod missing;
mod overlap;
#[cfg(test)]
mod tests;
mod unit;

use std::collections::BTreeMap;
use std::time::Duration;

pub use ids::{LentIds, RecentIds, SharedIds};
pub use missing::{Missing, MissingRun};
pub use overlap::{Overlap, Seen};
pub use unit::{Offered, Position, Released, Unit};

use crate::connectors::{NumberRange, Numbering};
use crate::domain::Sequence;
use crate::runtime::{Mistake, MonoTime};
use crate::session::waiting::{MOST_BYTES, MOST_EVENTS};

/// Two answers below our cursor this far apart mean that numbering began anew (U19).
const RESTART_PROOF: Duration = Duration::from_secs(10);

/// Recent numbers whose bytes are known, to tell a repeated event from a reused number; 8 B each,
/// once the first has come.
const KNOWN: usize = 1024;

/// Puts numbered units in order, once each.
#[derive(Debug)]
pub struct Ordering<T> {
    rule: Numbering,
    position: Position,
    held: BTreeMap<u64, Waiting<T>>,
    held_events: usize,
    held_bytes: usize,
    known: Box<[u64]>,
    missing_changes: u64,
    below_since: Option<MonoTime>,
}

#[derive(Debug)]
enum Waiting<T> {
    Unit(Unit<T>),
    /// Numbers up to `last` that nobody waits for any more.
    Void {
        last: u64,
        gap: Option<Sequence>,
    },
}

impl<T> Ordering<T> {
    /// Goes on at `position`.
    #[must_use]
    pub fn new(rule: Numbering, position: Position) -> Self {
        Self {
            rule,
            position,
            held: BTreeMap::new(),
            held_events: 0,
            held_bytes: 0,
            known: Box::default(),
            missing_changes: 0,
            below_since: None,
        }
    }

    /// What is released so far; commit it with the events.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Rises with every change of the missing runs.
    #[must_use]
    pub fn missing_changes(&self) -> u64 {
        self.missing_changes
    }

    /// What its numbers mean.
    #[must_use]
    pub fn rule(&self) -> Numbering {
        self.rule
    }

    /// The highest number received, held ones included.
    #[must_use]
    pub fn highest(&self) -> u64 {
        let held = self.held.last_key_value();
        held.map_or(self.position.cursor, |(first, waiting)| {
            waiting.last(*first)
        })
    }

    /// Whether anything waits behind a hole.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether so much waits that the lowest hole must be given up now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held_events > MOST_EVENTS || self.held_bytes > MOST_BYTES
    }

    /// Offers one unit; what may go on is appended to `out`, in order.
    pub fn offer(&mut self, unit: Unit<T>, out: &mut Vec<Released<T>>) -> Offered {
        let number = unit.number;
        if number <= self.position.cursor && !Mistake::DuplicateAccepted.is_made() {
            return match self.position.missing.take(number) {
                Some(late) => {
                    self.missing_changes += 1;
                    self.remember(number, unit.hash);
                    out.push(Released {
                        number,
                        payload: unit.payload,
                        late,
                    });
                    Offered::Late
                }
                None => Offered::Duplicate,
            };
        }
        if self
            .covering(number)
            .is_some_and(|w| matches!(w, Waiting::Unit(_)))
        {
            return Offered::Duplicate;
        }
        self.remember(number, unit.hash);
        if !self.rule.dense || Mistake::HoleNotNoticed.is_made() {
            self.position.cursor = number;
            out.push(Released {
                number,
                payload: unit.payload,
                late: None,
            });
            return Offered::Accepted;
        }
        self.punch(number);
        self.held_events += unit.events;
        self.held_bytes += unit.bytes;
        self.held.insert(number, Waiting::Unit(unit));
        self.drain(out);
        if number <= self.position.cursor {
            Offered::Accepted
        } else {
            Offered::Held
        }
    }

    /// Takes the unit whose turn it is while nothing waits, which is nearly every one of them; `false`
    /// for any other, which [`Ordering::offer`] is for. What is taken may go on.
    pub fn take_next(&mut self, number: u64, hash: u64) -> bool {
        let is_next = self.held.is_empty() && Some(number) == self.position.cursor.checked_add(1);
        if is_next {
            self.remember(number, hash);
            self.position.cursor = number;
            self.below_since = None;
        }
        is_next
    }

    /// The platform says that there is nothing more up to `number`, without sending it (an empty
    /// batch that advances the cursor).
    pub fn skip_to(&mut self, number: u64, out: &mut Vec<Released<T>>) {
        let highest = self.highest();
        if number <= highest {
            return;
        }
        if !self.rule.dense {
            self.position.cursor = number;
            return;
        }
        let void = Waiting::Void {
            last: number,
            gap: None,
        };
        self.held.insert(highest.saturating_add(1), void);
        self.drain(out);
    }

    /// The holes below what is held, ascending.
    #[must_use]
    pub fn holes(&self) -> Vec<NumberRange> {
        let mut holes = Vec::new();
        let mut next = self.position.cursor.saturating_add(1);
        for (first, waiting) in &self.held {
            if next < *first {
                holes.push(NumberRange {
                    first: next,
                    last: first - 1,
                });
            }
            next = waiting.last(*first).saturating_add(1);
        }
        holes
    }

    /// Those numbers of `range` above the cursor that are neither here nor given up.
    #[must_use]
    pub fn absent(&self, range: NumberRange) -> Vec<NumberRange> {
        let mut absent = Vec::new();
        let mut next = range.first.max(self.position.cursor.saturating_add(1));
        for (first, waiting) in &self.held {
            let last = waiting.last(*first);
            if last < next {
                continue;
            }
            if *first > range.last {
                break;
            }
            if next < *first {
                absent.push(NumberRange {
                    first: next,
                    last: first - 1,
                });
            }
            next = last.saturating_add(1);
        }
        if next <= range.last {
            absent.push(NumberRange {
                first: next,
                last: range.last,
            });
        }
        absent
    }

    /// Waits no longer for what is absent of `range`; `gap` is the record that tells of it.
    pub fn give_up(
        &mut self,
        range: NumberRange,
        gap: Option<Sequence>,
        out: &mut Vec<Released<T>>,
    ) {
        for run in self.absent(range) {
            let void = Waiting::Void {
                last: run.last,
                gap,
            };
            self.held.insert(run.first, void);
        }
        self.drain(out);
    }

    /// Judges one confirmed answer: `highest` is its highest number, `repeats` whether every event
    /// of it is known to be a repetition. True when the platform's numbering began anew (U19).
    pub fn began_anew(&mut self, now: MonoTime, highest: u64, repeats: bool) -> bool {
        if self.goes_on(highest) {
            self.below_since = None;
            return false;
        }
        if repeats || Mistake::RenumberingNotNoticed.is_made() {
            return false;
        }
        let since = *self.below_since.get_or_insert(now);
        now.saturating_duration_since(since) >= RESTART_PROOF
    }

    /// Whether an answer with this highest number shows that the numbering goes on.
    #[must_use]
    pub fn goes_on(&self, highest: u64) -> bool {
        highest >= self.position.cursor
    }

    /// The platform still has our last number: it only repeated itself.
    pub fn still_numbers(&mut self) {
        self.below_since = None;
    }

    /// The highest number at or below the cursor that is not missing.
    #[must_use]
    pub fn last_had(&self) -> u64 {
        let cursor = self.position.cursor;
        let runs = self.position.missing.runs();
        match runs.last().filter(|run| run.range.last == cursor) {
            Some(run) => run.range.first.saturating_sub(1),
            None => cursor,
        }
    }

    /// Whether `number` is at or below the cursor and never came.
    #[must_use]
    pub fn is_missing(&self, number: u64) -> bool {
        self.position.missing.run_of(number).is_some()
    }

    /// Whether a gap record tells that `number` is missing.
    #[must_use]
    pub fn is_on_record(&self, number: u64) -> bool {
        let run = self.position.missing.run_of(number);
        run.is_some_and(|run| run.gap.is_some())
    }

    /// Whether `number` was seen lately with the same bytes.
    #[must_use]
    pub fn is_repetition(&self, number: u64, hash: u64) -> bool {
        self.known.get(place(number)) == Some(&mark(number, hash))
    }

    /// Begins a new numbering. What was held belongs to the old one and is released: nothing that
    /// was received is dropped.
    pub fn begin_anew(&mut self, out: &mut Vec<Released<T>>) {
        for (number, waiting) in std::mem::take(&mut self.held) {
            if let Waiting::Unit(unit) = waiting {
                out.push(Released {
                    number,
                    payload: unit.payload,
                    late: None,
                });
            }
        }
        let numbering = self.position.numbering + 1;
        let position = Position {
            numbering,
            ..Position::default()
        };
        *self = Self::new(self.rule, position);
    }

    fn remember(&mut self, number: u64, hash: u64) {
        if self.known.is_empty() {
            self.known = vec![0; KNOWN].into();
        }
        if let Some(known) = self.known.get_mut(place(number)) {
            *known = mark(number, hash);
        }
    }

    fn covering(&self, number: u64) -> Option<&Waiting<T>> {
        let (first, waiting) = self.held.range(..=number).next_back()?;
        (waiting.last(*first) >= number).then_some(waiting)
    }

    /// Makes room for `number` in a void that covers it.
    fn punch(&mut self, number: u64) {
        let Some((&first, waiting)) = self.held.range(..=number).next_back() else {
            return;
        };
        let Waiting::Void { last, gap } = *waiting else {
            return;
        };
        if last < number {
            return;
        }
        self.held.remove(&first);
        if first < number {
            let void = Waiting::Void {
                last: number - 1,
                gap,
            };
            self.held.insert(first, void);
        }
        if number < last {
            self.held.insert(number + 1, Waiting::Void { last, gap });
        }
    }

    fn drain(&mut self, out: &mut Vec<Released<T>>) {
        while let Some(entry) = self.held.first_entry() {
            if Some(*entry.key()) != self.position.cursor.checked_add(1) {
                return;
            }
            let (first, waiting) = entry.remove_entry();
            self.position.cursor = waiting.last(first);
            match waiting {
                Waiting::Unit(unit) => {
                    self.held_events -= unit.events;
                    self.held_bytes -= unit.bytes;
                    let number = unit.number;
                    out.push(Released {
                        number,
                        payload: unit.payload,
                        late: None,
                    });
                }
                Waiting::Void { last, gap } => {
                    self.missing_changes += 1;
                    let range = NumberRange { first, last };
                    self.position.missing.push(MissingRun { range, gap });
                }
            }
        }
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX) % KNOWN
}

/// Stands for a number and its bytes: that of another is as unlikely to be the same as a hash is.
fn mark(number: u64, hash: u64) -> u64 {
    hash ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<T> Waiting<T> {
    fn last(&self, first: u64) -> u64 {
        match self {
            Self::Unit(_) => first,
            Self::Void { last, .. } => *last,
        }
    }
}
