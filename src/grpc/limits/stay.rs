//! [`Stay`]: how long one connection may stay.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::FIRST_WORDS;
use super::hall::{Crowded, Hall, Seat};
use super::places::Whence;
use super::stats::Cut;
use crate::runtime::MonoTime;

/// A connection's place, given up when the last of it is dropped.
#[derive(Debug)]
pub(in crate::grpc) struct Stay {
    hall: Hall,
    id: u64,
    told: CancellationToken,
    leaves_at: Option<MonoTime>,
    /// Keeps one permit from the first words on.
    spoken: Notify,
}

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grpc) enum Verdict {
    /// At once.
    Cut,
    /// It is asked to go, and its calls may end first.
    Asked,
}

impl Stay {
    pub(super) fn new(
        hall: Hall,
        id: u64,
        told: CancellationToken,
        leaves_at: Option<MonoTime>,
    ) -> Self {
        Self {
            hall,
            id,
            told,
            leaves_at,
            spoken: Notify::new(),
        }
    }

    /// Its first words came.
    pub(super) fn spoke(&self) {
        self.spoken.notify_one();
    }

    /// It is being ended.
    pub(in crate::grpc) fn cut(&self, why: Cut) {
        self.hall.stats().cut(why);
    }

    /// A call of this peer came on it.
    pub(in crate::grpc) fn call(self: &Arc<Self>, whence: Whence) -> Result<Seat, Crowded> {
        self.hall.call(self.id, whence)
    }

    /// Completes when the connection is to end. Cancel-safe.
    pub(in crate::grpc) async fn over(&self) -> Verdict {
        tokio::select! {
            biased;
            () = self.told.cancelled() => Verdict::Cut,
            verdict = self.outstayed() => verdict,
        }
    }

    async fn outstayed(&self) -> Verdict {
        if timeout(FIRST_WORDS, self.spoken.notified()).await.is_err() {
            self.cut(Cut::FirstWords);
            return Verdict::Cut;
        }
        // Whoever asks again finds it said.
        self.spoken.notify_one();
        loop {
            let now = MonoTime::now();
            // A call may end in the meantime: it is looked at again when one could have been too long ago.
            let idle_since = self.hall.idle_since(self.id);
            let idle_at = idle_since.unwrap_or(now) + self.hall.limits().idle;
            if self.leaves_at.is_some_and(|at| at <= now) {
                self.cut(Cut::MaxAge);
                return Verdict::Asked;
            }
            if idle_at <= now {
                self.cut(Cut::Idle);
                return Verdict::Asked;
            }
            sleep_until(self.leaves_at.map_or(idle_at, |at| at.min(idle_at))).await;
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.hall.leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::ServerLimits;
    use super::*;
    use crate::runtime::Rng;
    use std::time::Duration;

    fn hall(max_connection_age: Option<Duration>) -> Hall {
        let limits = ServerLimits {
            max_connection_age,
            ..ServerLimits::default()
        };
        Hall::new(limits, Rng::from_seed(1))
    }

    fn cut(hall: &Hall, reason: &str) -> u64 {
        let cut = hall.stats().snapshot().cut;
        cut.iter().find(|(word, _)| *word == reason).unwrap().1
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_or_has_no_call_for_long_goes() {
        let hall = hall(None);
        let (began, silent) = (MonoTime::now(), hall.enter(Whence::Unknown, false).unwrap());
        assert_eq!(silent.over().await, Verdict::Cut);
        assert_eq!(
            (began.elapsed(), cut(&hall, "first_words")),
            (FIRST_WORDS, 1)
        );

        let (began, idle) = (MonoTime::now(), hall.enter(Whence::Unknown, false).unwrap());
        idle.spoke();
        let seat = idle.call(Whence::Unknown).unwrap();
        let in_use = timeout(Duration::from_secs(3_000), idle.over()).await;
        assert!(in_use.is_err(), "a call is open");
        drop(seat);
        assert_eq!(idle.over().await, Verdict::Asked);
        assert_eq!(began.elapsed(), Duration::from_secs(3_300));
        assert_eq!(cut(&hall, "idle"), 1);
        drop((silent, idle));
        assert_eq!(hall.stats().snapshot().open, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_asked_to_go_at_its_age_give_or_take_a_tenth() {
        let hall = hall(Some(Duration::from_secs(1_000)));
        let mut ages = Vec::new();
        for _ in 0..20 {
            let (began, stay) = (MonoTime::now(), hall.enter(Whence::Unknown, false).unwrap());
            stay.spoke();
            let _seat = stay.call(Whence::Unknown).unwrap();
            assert_eq!(stay.over().await, Verdict::Asked);
            ages.push(began.elapsed().as_secs());
        }
        assert!(
            ages.iter().all(|age| (900..=1_100).contains(age)),
            "{ages:?}"
        );
        assert!(ages.iter().max() > ages.iter().min());
        assert_eq!(cut(&hall, "max_age"), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_to_make_room_is_told_at_once() {
        let hall = hall(None);
        let stay = hall.enter(Whence::Unknown, false).unwrap();
        stay.spoke();
        hall.make_room();
        assert_eq!(stay.over().await, Verdict::Cut);
        assert_eq!(cut(&hall, "made_room"), 1);
    }
}
