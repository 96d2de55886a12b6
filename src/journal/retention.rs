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

/// A sealed segment, as far as retention cares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) bytes: u64,
    /// Its last event, if it has any.
    pub(crate) last: Option<(Sequence, WallTime)>,
}

/// Everything that the decision rests on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    pub(crate) now: WallTime,
    /// Bytes that cannot be trimmed: the segment being written, and the next one.
    pub(crate) fixed_bytes: u64,
    /// Free space of the volume; `None` when it cannot be told.
    pub(crate) free_bytes: Option<u64>,
    /// The last sequence that every cursor has behind it; `None` when no cursor holds back.
    pub(crate) passed: Option<Sequence>,
}

/// How many of the oldest segments go.
pub(crate) fn surplus(policy: &Retention, segments: &[Candidate], now: &Situation) -> usize {
    let mut bytes = now.fixed_bytes + segments.iter().map(|s| s.bytes).sum::<u64>();
    let mut free = now.free_bytes.unwrap_or(u64::MAX);
    let horizon = policy.max_age.map(|age| now.now.minus(age));
    let mut goes = |segment: &Candidate| {
        let must =
            policy.hard_max_bytes.is_some_and(|max| bytes > max) || free < policy.min_free_bytes;
        let may = segment.last.is_none_or(|(last, time)| {
            let held = now.passed.is_some_and(|passed| last > passed);
            let old = horizon.is_some_and(|horizon| time < horizon);
            !held && (old || policy.max_bytes.is_some_and(|max| bytes > max))
        });
        bytes -= segment.bytes;
        free = free.saturating_add(segment.bytes);
        must || may
    };
    segments.iter().take_while(|segment| goes(segment)).count()
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

    fn at(seconds: u64) -> Situation {
        Situation {
            now: WallTime::from_millis(seconds * 1000),
            fixed_bytes: 10,
            free_bytes: Some(1_000),
            passed: None,
        }
    }

    #[test]
    fn the_oldest_go_by_age_and_by_size() {
        assert_eq!(surplus(&POLICY, &segments(3), &at(50)), 0);
        assert_eq!(surplus(&POLICY, &segments(3), &at(102)), 1);
        assert_eq!(surplus(&POLICY, &segments(3), &at(1_000)), 3);
        assert_eq!(surplus(&POLICY, &segments(7), &at(50)), 3);
    }

    #[test]
    fn a_cursor_holds_back_until_the_hard_bounds() {
        let held = Situation {
            passed: Some(Sequence::new(15)),
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
            passed: Some(Sequence::ZERO),
            ..at(50)
        };
        assert_eq!(surplus(&POLICY, &segments(3), &full), 1);
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
