//! [`Log`]: the latest of many things, each with a number of its own. Pure.

use std::collections::VecDeque;

#[derive(Debug)]
pub(crate) struct Log<T> {
    kept: VecDeque<T>,
    entered: u64,
    capacity: usize,
}

impl<T: Clone> Log<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            entered: 0,
            capacity: capacity.max(1),
        }
    }

    /// Enters what is made from its number, which is returned; numbers begin at 1.
    pub(crate) fn enter(&mut self, make: impl FnOnce(u64) -> T) -> u64 {
        self.entered += 1;
        if self.kept.len() == self.capacity {
            self.kept.pop_front();
        }
        self.kept.push_back(make(self.entered));
        self.entered
    }

    /// How many were entered.
    pub(crate) fn entered(&self) -> u64 {
        self.entered
    }

    /// How many are no longer kept.
    pub(crate) fn dropped(&self) -> u64 {
        self.entered - self.kept.len() as u64
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = number.checked_sub(self.dropped() + 1)?;
        self.kept.get_mut(usize::try_from(at).ok()?)
    }

    /// The number of the latest that passes a test.
    pub(crate) fn find_last(&self, test: impl Fn(&T) -> bool) -> Option<u64> {
        let place = self.kept.iter().rposition(test)?;
        Some(self.dropped() + place as u64 + 1)
    }

    /// Those after a number, as far as they are kept.
    pub(crate) fn after(&self, number: u64, limit: usize) -> Vec<T> {
        let skip = usize::try_from(number.saturating_sub(self.dropped())).unwrap_or(usize::MAX);
        self.kept.iter().skip(skip).take(limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_under_their_numbers() {
        let mut log = Log::new(3);
        (1..=5).for_each(|_| assert!(log.enter(|number| number * 10) > 0));
        assert_eq!((log.entered(), log.dropped()), (5, 2));
        assert_eq!(log.after(0, 9), [30, 40, 50]);
        assert_eq!(log.after(3, 1), [40]);
        assert_eq!(log.after(9, 1), [] as [u64; 0]);
        *log.get_mut(4).unwrap() = 7;
        assert_eq!(log.after(3, 1), [7]);
        assert_eq!(log.find_last(|kept| *kept == 30), Some(3));
        assert_eq!(log.find_last(|kept| *kept == 10), None);
        assert!(log.get_mut(2).is_none() && log.get_mut(6).is_none());
    }
}
