//! [`Bucket`]: so many at once, and so many in a second from then on. Pure.

use std::time::Duration;

use crate::runtime::MonoTime;

/// What was taken is given back by time.
#[derive(Debug, Clone, Copy)]
pub(in crate::grpc) struct Bucket {
    each: Duration,
    room: Duration,
    /// When all of it is given back.
    whole_at: MonoTime,
}

impl Bucket {
    /// A full one. A rate of zero is taken for one.
    pub(super) fn new(per_second: u32, burst: u32, now: MonoTime) -> Self {
        Self::within(Duration::from_secs(1), per_second, burst, now)
    }

    /// A full one that holds what it gives back within a minute.
    pub(in crate::grpc) fn of_a_minute(count: u32, now: MonoTime) -> Self {
        Self::within(Duration::from_secs(60), count, count, now)
    }

    fn within(time: Duration, count: u32, burst: u32, now: MonoTime) -> Self {
        let each = time / count.max(1);
        Self {
            each,
            room: each * burst.max(1),
            whole_at: now,
        }
    }

    /// Takes one, if there is one.
    pub(in crate::grpc) fn take(&mut self, now: MonoTime) -> bool {
        let after = self.whole_at.max(now) + self.each;
        let fits = after - now <= self.room;
        if fits {
            self.whole_at = after;
        }
        fits
    }

    /// Gives so many back.
    pub(super) fn give(&mut self, count: u32) {
        let earlier = self.whole_at.checked_sub(self.each * count);
        self.whole_at = earlier.unwrap_or(self.whole_at);
    }

    pub(in crate::grpc) fn is_whole(&self, now: MonoTime) -> bool {
        self.whole_at <= now
    }

    /// When all of it is given back.
    pub(in crate::grpc) fn whole_at(&self) -> MonoTime {
        self.whole_at
    }

    /// How long until there is one.
    pub(in crate::grpc) fn wait(&self, now: MonoTime) -> Duration {
        let after = self.whole_at.max(now) + self.each;
        (after - now).saturating_sub(self.room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_the_rate() {
        let start = MonoTime::now();
        let mut bucket = Bucket::new(10, 5, start);
        let taken = |bucket: &mut Bucket, at| (0..100).filter(|_| bucket.take(at)).count();
        assert_eq!(taken(&mut bucket, start), 5);
        assert!(!bucket.is_whole(start));
        let later = start + Duration::from_millis(200);
        assert_eq!(taken(&mut bucket, later), 2);
        bucket.give(3);
        assert_eq!(taken(&mut bucket, later), 3);
        let much_later = later + Duration::from_secs(9);
        assert!(bucket.is_whole(much_later));
        assert_eq!(taken(&mut bucket, much_later), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_beyond_what_was_taken_is_not_saved() {
        let start = MonoTime::now();
        let mut bucket = Bucket::new(10, 5, start);
        bucket.give(1_000);
        assert_eq!((0..100).filter(|_| bucket.take(start)).count(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn it_says_when_there_is_one_and_that_is_so() {
        let start = MonoTime::now();
        let mut bucket = Bucket::of_a_minute(120, start);
        assert_eq!(bucket.wait(start), Duration::ZERO);
        assert_eq!((0..500).filter(|_| bucket.take(start)).count(), 120);
        let wait = bucket.wait(start);
        assert_eq!(wait, Duration::from_millis(500));
        assert!(!bucket.take(start + wait - Duration::from_millis(1)));
        assert!(bucket.take(start + wait));
    }
}
