//! [`Schedule`]: when the next health request of one endpoint is due, and that only one is under way.
//! Pure.

use std::time::Duration;

use crate::runtime::MonoTime;

/// When the health of one endpoint is asked for.
#[derive(Debug)]
pub(super) struct Schedule {
    every: Duration,
    due: MonoTime,
    /// When the one under way began.
    taken: Option<MonoTime>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// That of whoever asked: it is taken now.
    Yours,
    /// Nobody's before this.
    Later(MonoTime),
    /// Another's, whose request is under way.
    Taken,
}

impl Schedule {
    /// For one request `every` so often, the first at `first`.
    pub(super) fn new(every: Duration, first: MonoTime) -> Self {
        Self {
            every,
            due: first,
            taken: None,
        }
    }

    /// Of those who share it, the one that wants to know most often counts.
    pub(super) fn at_least_every(&mut self, every: Duration) {
        self.every = self.every.min(every);
    }

    /// Whose turn it is now.
    pub(super) fn turn(&mut self, now: MonoTime) -> Turn {
        match self.taken {
            Some(_) => Turn::Taken,
            None if now < self.due => Turn::Later(self.due),
            None => {
                self.taken = Some(now);
                Turn::Yours
            }
        }
    }

    /// The request is over, or given up. The next is due an interval after this one began, a tenth
    /// sooner or later; `unit` is a random number in [0, 1).
    pub(super) fn settled(&mut self, now: MonoTime, unit: f64) {
        let began = self.taken.take().unwrap_or(now);
        let pause = self.every.mul_f64(0.9 + 0.2 * unit);
        // One that took longer than that is not followed at once.
        self.due = (began + pause).max(now + self.every / 10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(15);

    #[test]
    fn u27_one_request_is_under_way_and_the_next_is_due_an_interval_later() {
        let start = MonoTime::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut schedule = Schedule::new(EVERY, at(3));
        assert_eq!(schedule.turn(at(0)), Turn::Later(at(3)));
        assert_eq!(schedule.turn(at(3)), Turn::Yours);
        assert_eq!(schedule.turn(at(3)), Turn::Taken);
        assert_eq!(schedule.turn(at(60)), Turn::Taken);
        schedule.settled(at(4), 0.5);
        assert_eq!(schedule.turn(at(4)), Turn::Later(at(18)));
    }

    #[test]
    fn u34_intervals_differ_and_a_slow_answer_is_not_followed_at_once() {
        let start = MonoTime::now();
        for (unit, least) in [(0.0, 13_500), (0.999, 16_400)] {
            let mut schedule = Schedule::new(EVERY, start);
            schedule.turn(start);
            schedule.settled(start, unit);
            let Turn::Later(due) = schedule.turn(start) else {
                panic!("due at once");
            };
            assert!(due - start >= Duration::from_millis(least), "{unit}");
            assert!(due - start < Duration::from_millis(least + 100), "{unit}");
        }
        let mut schedule = Schedule::new(EVERY, start);
        schedule.turn(start);
        let late = start + Duration::from_secs(70);
        schedule.settled(late, 0.0);
        assert_eq!(schedule.turn(late), Turn::Later(late + EVERY / 10));
    }

    #[test]
    fn u27_of_several_intervals_the_shortest_counts() {
        let start = MonoTime::now();
        let mut schedule = Schedule::new(EVERY, start);
        schedule.at_least_every(Duration::from_secs(60));
        schedule.at_least_every(Duration::from_secs(5));
        schedule.turn(start);
        schedule.settled(start, 0.5);
        assert_eq!(
            schedule.turn(start),
            Turn::Later(start + Duration::from_secs(5))
        );
    }
}
