//! [`Quality`]: round trip and loss of a session's path as rolling figures, and when they are worth a
//! word (U28).

use std::collections::VecDeque;
use std::time::Duration;

/// So many samples count.
const SAMPLES: usize = 100;
/// Fewer round trips, or fewer samples, say nothing.
const LEAST_TRIPS: usize = 5;
const LEAST_SAMPLES: usize = 10;
/// The share of samples without an answer that is worth a word.
const LOSS: f64 = 0.15;
/// Of both limits, what must be fallen below to be well again.
const BACK: f64 = 0.8;

/// How the path of a session fares.
#[derive(Debug)]
pub(super) struct Quality {
    /// What each of the last samples took; `None` where there was no answer.
    samples: VecDeque<Option<Duration>>,
    limit: Duration,
    degraded: bool,
}

/// What a sample changed.
#[derive(Debug, PartialEq)]
pub(super) enum Change {
    Degraded(String),
    Recovered,
}

impl Quality {
    /// Without samples; an average of more than `limit` is worth a word.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            samples: VecDeque::with_capacity(SAMPLES),
            limit,
            degraded: false,
        }
    }

    pub(super) fn is_degraded(&self) -> bool {
        self.degraded
    }

    /// The average way there and back.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        let (trips, sum) = self.trips();
        (trips > 0).then(|| sum / u32::try_from(trips).unwrap_or(u32::MAX))
    }

    /// The share of samples without an answer.
    pub(super) fn loss(&self) -> f64 {
        let (trips, _) = self.trips();
        let all = self.samples.len();
        let lost = u32::try_from(all - trips).unwrap_or(u32::MAX);
        f64::from(lost) / f64::from(u32::try_from(all.max(1)).unwrap_or(u32::MAX))
    }

    /// Takes one sample: what it took, or that there was no answer.
    pub(super) fn sample(&mut self, took: Option<Duration>) -> Option<Change> {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(took);
        let (trips, _) = self.trips();
        let way = self.round_trip().filter(|_| trips >= LEAST_TRIPS);
        let loss = Some(self.loss()).filter(|_| self.samples.len() >= LEAST_SAMPLES);
        if self.degraded {
            let fast = way.is_some_and(|way| way <= self.limit.mul_f64(BACK));
            let whole = loss.is_none_or(|loss| loss <= LOSS * BACK);
            self.degraded = !(fast && whole);
            return (!self.degraded).then_some(Change::Recovered);
        }
        let slow = way.filter(|way| *way > self.limit);
        let slow = slow.map(|way| format!("LATENCY: {} ms on average", way.as_millis()));
        let lossy = loss.filter(|loss| *loss > LOSS);
        let lossy = lossy.map(|loss| format!("LOSS: {:.0} % without an answer", loss * 100.0));
        let why = slow.or(lossy)?;
        self.degraded = true;
        Some(Change::Degraded(why))
    }

    /// The path is another: what was measured says nothing about it.
    pub(super) fn forget(&mut self) {
        self.samples.clear();
    }

    fn trips(&self) -> (usize, Duration) {
        let answered = self.samples.iter().flatten();
        answered.fold((0, Duration::ZERO), |(count, sum), took| {
            (count + 1, sum + *took)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(800);

    fn ms(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    /// The changes that these samples bring.
    fn feed(quality: &mut Quality, sample: Option<Duration>, times: usize) -> Vec<Change> {
        (0..times).filter_map(|_| quality.sample(sample)).collect()
    }

    #[test]
    fn u28_the_average_of_a_hundred_decides_and_not_one_slow_answer() {
        let mut quality = Quality::new(LIMIT);
        assert_eq!(feed(&mut quality, ms(50), 100), []);
        assert_eq!(feed(&mut quality, ms(9_000), 1), []);
        assert_eq!(
            quality.round_trip(),
            ms(139).map(|d| d + Duration::from_micros(500))
        );
        let changes = feed(&mut quality, ms(9_000), 50);
        assert!(matches!(&changes[..], [Change::Degraded(why)] if why.starts_with("LATENCY: ")));
        // Only what is older than a hundred samples is forgotten.
        assert_eq!(feed(&mut quality, ms(50), 90), []);
        assert_eq!(feed(&mut quality, ms(50), 10), [Change::Recovered]);
        assert_eq!(quality.round_trip(), ms(50));
    }

    #[test]
    fn u28_a_few_samples_decide_nothing() {
        let mut quality = Quality::new(LIMIT);
        assert_eq!(feed(&mut quality, ms(5_000), 4), []);
        assert_eq!(feed(&mut quality, None, 2), []);
        assert_eq!(feed(&mut quality, ms(5_000), 1).len(), 1);
    }

    #[test]
    fn u28_more_than_15_percent_without_an_answer_is_a_loss() {
        let mut quality = Quality::new(LIMIT);
        feed(&mut quality, ms(20), 85);
        assert_eq!(
            feed(&mut quality, None, 15),
            [],
            "15 % are not more than 15 %"
        );
        let changes = feed(&mut quality, None, 1);
        let expected = "LOSS: 16 % without an answer".to_owned();
        assert_eq!(changes, [Change::Degraded(expected)]);
        assert!((quality.loss() - 0.16).abs() < 1e-9);
    }

    #[test]
    fn u28_around_the_limit_it_does_not_flap() {
        let mut quality = Quality::new(LIMIT);
        let mut changes = Vec::new();
        for round in 0..1_000 {
            let took = if round % 2 == 0 { 700 } else { 910 };
            changes.extend(quality.sample(ms(took)));
        }
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(feed(&mut quality, ms(600), 100), [Change::Recovered]);
    }
}
