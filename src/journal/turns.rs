//! [`Lane`] and [`Turn`]: commits of one source that are handed in before those ahead of them are
//! answered. Pure.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The commits of one source, numbered from zero: each is kept behind all before it, or not at all.
/// Clones are the same lane.
#[derive(Debug, Clone, Default)]
pub struct Lane(Arc<AtomicU64>);

/// The place of one commit in its lane.
#[derive(Debug, Clone)]
pub struct Turn {
    lane: Lane,
    number: u64,
}

impl Lane {
    /// The place with this number. A commit that was refused is handed in again with its own.
    #[must_use]
    pub fn turn(&self, number: u64) -> Turn {
        Turn {
            lane: self.clone(),
            number,
        }
    }
}

impl Turn {
    /// Takes it, if all before it are taken. For the one who appends, and for nobody beside.
    pub(crate) fn take(&self) -> bool {
        let (next, number) = (&self.lane.0, self.number);
        next.compare_exchange(number, number + 1, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Gives it back, and all behind it: none of them was kept.
    pub(crate) fn give_back(&self) {
        self.lane.0.fetch_min(self.number, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_taken_once_and_behind_the_one_before() {
        let lane = Lane::default();
        assert!(!lane.turn(1).take());
        assert!(lane.turn(0).take());
        assert!(!lane.turn(0).take());
        assert!(lane.turn(1).take());
    }

    #[test]
    fn giving_one_back_gives_back_all_behind_it() {
        let lane = Lane::default();
        let turns = [0, 1, 2].map(|number| lane.turn(number));
        assert!(turns.iter().all(Turn::take));
        turns[1].give_back();
        turns[2].give_back();
        assert!(!turns[2].take() && !turns[0].take());
        assert!(turns[1].take() && turns[2].take());
    }
}
