//! [`Timeline`]: a value and when it was what, so that a question about the past has its answer.
//! Pure, bounded.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::WallTime;

/// No two entries have the same time: the platform's dates have this resolution.
const RESOLUTION: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Timeline<T> {
    entries: VecDeque<(WallTime, T)>,
    capacity: usize,
}

/// A value and the time for which it held; without an end it holds still.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spell<'a, T> {
    pub(crate) start: WallTime,
    pub(crate) end: Option<WallTime>,
    pub(crate) value: &'a T,
}

impl<T> Timeline<T> {
    /// Begins with `first`, which is also what was before.
    pub(crate) fn new(at: WallTime, first: T, capacity: usize) -> Self {
        Self {
            entries: VecDeque::from([(whole(at), first)]),
            capacity: capacity.max(1),
        }
    }

    /// The value now, and since when.
    #[expect(
        clippy::expect_used,
        reason = "a timeline begins with an entry and keeps one"
    )]
    pub(crate) fn present(&self) -> &(WallTime, T) {
        self.entries.back().expect("one entry at least")
    }

    /// The value at a time, and since when.
    pub(crate) fn at(&self, time: WallTime) -> &(WallTime, T) {
        let after = self.entries.partition_point(|(since, _)| *since <= time);
        self.entries
            .get(after.saturating_sub(1))
            .unwrap_or_else(|| self.present())
    }

    /// The value changes; its time is in whole milliseconds and later than the one before.
    pub(crate) fn push(&mut self, at: WallTime, value: T) -> WallTime {
        let at = whole(at).max(self.present().0.plus(RESOLUTION));
        if self.entries.len() >= self.capacity {
            self.entries.pop_front();
        }
        self.entries.push_back((at, value));
        at
    }

    /// What held between two times, as it was known at the later.
    pub(crate) fn between(&self, from: WallTime, to: WallTime) -> Vec<Spell<'_, T>> {
        let ends = self.entries.iter().skip(1).map(|(at, _)| Some(*at));
        let spells = self.entries.iter().zip(ends.chain([None]));
        spells
            .map(|((start, value), end)| Spell {
                start: *start,
                end: end.filter(|end| *end <= to),
                value,
            })
            .filter(|spell| spell.start <= to && spell.end.is_none_or(|end| end > from))
            .collect()
    }
}

/// Cuts off what is less than a millisecond.
pub(crate) fn whole(at: WallTime) -> WallTime {
    WallTime::from_millis(at.as_millis())
}

/// A time as the platform writes it: RFC 3339 with three digits of a second.
pub(crate) fn iso(at: WallTime) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> WallTime {
        WallTime::from_millis(millis)
    }

    #[test]
    fn the_past_stays_as_it_was() {
        let mut line = Timeline::new(at(1_000), 'a', 3);
        assert_eq!(line.push(at(2_000), 'b'), at(2_000));
        assert_eq!(line.push(at(2_000), 'c'), at(2_001));
        assert_eq!(*line.present(), (at(2_001), 'c'));
        let seen: Vec<_> = [0, 1_500, 2_000, 9_000]
            .into_iter()
            .map(|time| line.at(at(time)).1)
            .collect();
        assert_eq!(seen, ['a', 'a', 'b', 'c']);
        line.push(at(3_000), 'd');
        assert_eq!(line.at(at(0)).1, 'b');
    }

    #[test]
    fn spells_between_two_times_end_where_the_next_begins() {
        let mut line = Timeline::new(at(0), 'a', 9);
        line.push(at(10), 'b');
        line.push(at(20), 'c');
        let spells = |from, to| -> Vec<_> {
            let spells = line.between(at(from), at(to)).into_iter();
            spells
                .map(|s| (*s.value, s.end.map(WallTime::as_millis)))
                .collect()
        };
        assert_eq!(spells(0, 15), [('a', Some(10)), ('b', None)]);
        assert_eq!(spells(10, 99), [('b', Some(20)), ('c', None)]);
    }

    #[test]
    fn dates_have_three_digits() {
        assert_eq!(iso(at(1_773_136_867_000)), "2026-03-10T10:01:07.000Z");
        assert_eq!(iso(at(1_773_136_867_052)), "2026-03-10T10:01:07.052Z");
    }
}
