//! Which segments may go now. Pure.

use std::time::Duration;

use crate::domain::{Sequence, WallTime};

/// When events are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Events older than this go; `None` keeps them for ever.
    pub max_age: Option<Duration>,
    /// The oldest go while the journal is larger; `None` has no bound.
    pub max_bytes: Option<u64>,
    /// Likewise, and no cursor holds anything back.
    pub hard_max_bytes: Option<u64>,
    /// The oldest go while the volume has less free space, and no cursor holds anything back.
    pub min_free_bytes: u64,
}

/// What a reader that is away wants to find when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// The last sequence that it has behind it.
    pub passed: Sequence,
    /// The most that is kept for it beyond what is kept anyway, in bytes of whole segments; the oldest
    /// go first.
    pub bytes: u64,
}

/// A sealed segment, as far as retention cares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) bytes: u64,
    /// Its last event, if it has any.
    pub(crate) last: Option<(Sequence, WallTime)>,
}

/// Everything that the decision rests on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation<'a> {
    pub(crate) now: WallTime,
    /// Bytes that cannot be trimmed: the segment being written, and the next one.
    pub(crate) fixed_bytes: u64,
    /// Free space of the volume; `None` when it cannot be told.
    pub(crate) free_bytes: Option<u64>,
    /// What readers that are away want to find.
    pub(crate) holds: &'a [Hold],
}

/// How many of the oldest segments go.
pub(crate) fn surplus(policy: &Retention, segments: &[Candidate], now: &Situation<'_>) -> usize {
    let mut bytes = now.fixed_bytes + segments.iter().map(|s| s.bytes).sum::<u64>();
    let mut free = now.free_bytes.unwrap_or(u64::MAX);
    let horizon = policy.max_age.map(|age| now.now.minus(age));
    let (mut must, mut may) = (0, 0);
    for (count, segment) in (1..).zip(segments) {
        let hard = policy.hard_max_bytes.is_some_and(|max| bytes > max);
        let large = policy.max_bytes.is_some_and(|max| bytes > max);
        let old = segment
            .last
            .is_none_or(|(_, time)| horizon.is_some_and(|horizon| time < horizon));
        if hard || free < policy.min_free_bytes {
            must = count;
        } else if !(old || large) {
            break;
        }
        may = count;
        bytes -= segment.bytes;
        free = free.saturating_add(segment.bytes);
    }
    let going = segments.get(..may).unwrap_or(segments);
    let held = now.holds.iter().map(|hold| held_from(*hold, going)).min();
    must.max(held.unwrap_or(may))
}

/// How many of the oldest of those that are to go are not held.
fn held_from(hold: Hold, going: &[Candidate]) -> usize {
    let mut bytes: u64 = 0;
    let mut from = going.len();
    for (index, segment) in going.iter().enumerate().rev() {
        bytes = bytes.saturating_add(segment.bytes);
        let passed = segment.last.is_some_and(|(last, _)| last <= hold.passed);
        if bytes > hold.bytes || passed {
            break;
        }
        // One without events is kept for those before it alone.
        if segment.last.is_some() {
            from = index;
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Retention = Retention {
        max_age: Some(Duration::from_secs(100)),
        max_bytes: Some(50),
        hard_max_bytes: Some(80),
        min_free_bytes: 10,
    };

    fn segments(count: u64) -> Vec<Candidate> {
        let segment = |n| Candidate {
            bytes: 10,
            last: Some((Sequence::new(n * 10), WallTime::from_millis(n * 1000))),
        };
        (1..=count).map(segment).collect()
    }

    fn at(seconds: u64) -> Situation<'static> {
        Situation {
            now: WallTime::from_millis(seconds * 1000),
            fixed_bytes: 10,
            free_bytes: Some(1_000),
            holds: &[],
        }
    }

    #[test]
    fn the_oldest_go_by_age_and_by_size() {
        assert_eq!(surplus(&POLICY, &segments(3), &at(50)), 0);
        assert_eq!(surplus(&POLICY, &segments(3), &at(102)), 1);
        assert_eq!(surplus(&POLICY, &segments(3), &at(1_000)), 3);
        assert_eq!(surplus(&POLICY, &segments(7), &at(50)), 3);
    }

    fn hold(passed: u64, bytes: u64) -> Hold {
        Hold {
            passed: Sequence::new(passed),
            bytes,
        }
    }

    #[test]
    fn a_cursor_holds_back_until_the_hard_bounds() {
        let all = [hold(15, u64::MAX)];
        let held = Situation {
            holds: &all,
            ..at(1_000)
        };
        assert_eq!(
            surplus(&POLICY, &segments(7), &held),
            1,
            "only what it has behind it"
        );
        assert_eq!(
            surplus(&POLICY, &segments(12), &held),
            5,
            "130 bytes, 80 at most"
        );
        let full = Situation {
            free_bytes: Some(0),
            holds: &[hold(0, u64::MAX)],
            ..at(50)
        };
        assert_eq!(surplus(&POLICY, &segments(3), &full), 1);
    }

    #[test]
    fn a_cursor_holds_back_no_more_than_its_bytes_beyond_what_is_kept_anyway() {
        for (bytes, goes) in [(0, 3), (9, 3), (10, 2), (19, 2), (20, 1), (29, 1), (30, 0)] {
            let holds = [hold(0, bytes)];
            let held = Situation {
                holds: &holds,
                ..at(50)
            };
            // Of 80 bytes, 30 are to go.
            assert_eq!(surplus(&POLICY, &segments(7), &held), goes, "{bytes}");
        }
    }

    #[test]
    fn of_several_cursors_the_one_that_holds_most_decides() {
        let holds = [hold(25, u64::MAX), hold(0, 10), hold(70, 0)];
        let held = Situation {
            holds: &holds,
            ..at(1_000)
        };
        assert_eq!(surplus(&POLICY, &segments(7), &held), 2);
        let held = Situation {
            holds: &holds[1..],
            ..held
        };
        assert_eq!(surplus(&POLICY, &segments(7), &held), 6);
    }

    #[test]
    fn a_segment_without_events_is_held_for_those_before_it_alone() {
        let empty = Candidate {
            bytes: 10,
            last: None,
        };
        let mut all = segments(4);
        all.insert(2, empty);
        all.insert(0, empty);
        for (passed, goes) in [(0, 1), (10, 2), (20, 4), (40, 6)] {
            let holds = [hold(passed, 1_000)];
            let held = Situation {
                holds: &holds,
                ..at(1_000)
            };
            assert_eq!(surplus(&POLICY, &all, &held), goes, "{passed}");
        }
    }

    #[test]
    fn a_segment_without_events_is_not_kept() {
        let empty = Candidate {
            bytes: 1,
            last: None,
        };
        assert_eq!(surplus(&POLICY, &[empty, empty], &at(0)), 2);
    }
}
