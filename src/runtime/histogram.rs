//! [`Histogram`]: counts by size, in plain atomics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::exemplar::{Exemplar, Exemplars};
use crate::domain::{TraceContext, WallTime};

/// The classes of a histogram: upper bounds, ascending, in what is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    bounds: &'static [u64],
    /// So many of what is measured are one of what is shown.
    unit: f64,
}

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

impl Scale {
    /// What a disk or the way to a reader takes: 50 µs to 10 s.
    pub const SHORT: Self = Self::time(&[
        50 * MICROSECOND,
        100 * MICROSECOND,
        250 * MICROSECOND,
        500 * MICROSECOND,
        MILLISECOND,
        2_500 * MICROSECOND,
        5 * MILLISECOND,
        10 * MILLISECOND,
        25 * MILLISECOND,
        50 * MILLISECOND,
        100 * MILLISECOND,
        250 * MILLISECOND,
        SECOND,
        10 * SECOND,
    ]);

    /// What a call over a network takes: 1 ms to 60 s.
    pub const CALL: Self = Self::time(&[
        MILLISECOND,
        5 * MILLISECOND,
        10 * MILLISECOND,
        25 * MILLISECOND,
        50 * MILLISECOND,
        100 * MILLISECOND,
        250 * MILLISECOND,
        500 * MILLISECOND,
        SECOND,
        2_500 * MILLISECOND,
        5 * SECOND,
        10 * SECOND,
        30 * SECOND,
        60 * SECOND,
    ]);

    /// How long streams last: 1 s to a day.
    pub const LONG: Self = Self::time(&[
        SECOND,
        10 * SECOND,
        60 * SECOND,
        300 * SECOND,
        900 * SECOND,
        1_800 * SECOND,
        3_600 * SECOND,
        14_400 * SECOND,
        86_400 * SECOND,
    ]);

    /// How many: 1 to 4096.
    pub const COUNT: Self = Self {
        bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096],
        unit: 1.0,
    };

    /// Times are measured in nanoseconds and shown in seconds.
    const fn time(bounds: &'static [u64]) -> Self {
        Self { bounds, unit: 1e9 }
    }

    /// Into which class a size falls.
    fn class(&self, size: u64) -> usize {
        self.bounds.partition_point(|bound| *bound < size)
    }
}

/// Counts by size. What is larger than every bound of its [`Scale`] counts above the last.
#[derive(Debug)]
pub struct Histogram {
    scale: Scale,
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    exemplars: Exemplars,
}

impl Histogram {
    /// An empty one.
    #[must_use]
    pub fn new(scale: Scale) -> Self {
        Self {
            scale,
            counts: (0..=scale.bounds.len())
                .map(|_| AtomicU64::new(0))
                .collect(),
            sum: AtomicU64::new(0),
            exemplars: Exemplars::default(),
        }
    }

    /// Takes one size in.
    pub fn record(&self, size: u64) {
        self.record_each(size, 1);
    }

    /// Takes so many of one size in.
    pub fn record_each(&self, size: u64, times: u64) {
        let class = self.scale.class(size);
        if let Some(count) = self.counts.get(class) {
            count.fetch_add(times, Relaxed);
            self.sum.fetch_add(size.saturating_mul(times), Relaxed);
        }
    }

    /// Takes a time in.
    pub fn took(&self, time: Duration) {
        self.record(nanos(time));
    }

    /// Takes one time in for so many.
    pub fn took_each(&self, time: Duration, times: u64) {
        self.record_each(nanos(time), times);
    }

    /// Has a span that is recorded show a time that was taken in, instead of the one of its class
    /// before.
    pub fn show(&self, time: Duration, span: TraceContext, at: WallTime) {
        if span.is_sampled() {
            let size = nanos(time);
            let exemplar = Exemplar { span, size, at };
            let classes = self.counts.len();
            self.exemplars
                .keep(self.scale.class(size), classes, exemplar);
        }
    }

    /// Everything that was taken in, as of now.
    #[must_use]
    pub fn snapshot(&self) -> Tally {
        Tally {
            scale: self.scale,
            counts: self
                .counts
                .iter()
                .map(|count| count.load(Relaxed))
                .collect(),
            sum: self.sum.load(Relaxed),
            exemplars: self.exemplars.all(),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What a [`Histogram`] had taken in at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    scale: Scale,
    counts: Vec<u64>,
    sum: u64,
    exemplars: Vec<Option<Exemplar>>,
}

impl Tally {
    /// The upper bounds as they are shown, ascending; there is one class more, above the last.
    pub fn bounds(&self) -> impl Iterator<Item = f64> + '_ {
        self.scale.bounds.iter().map(|bound| self.shown(*bound))
    }

    /// How many fell into each class.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The span that shows what fell into a class, and how much that was, as it is shown.
    #[must_use]
    pub fn exemplar(&self, class: usize) -> Option<(Exemplar, f64)> {
        let exemplar = self.exemplars.get(class).copied().flatten()?;
        Some((exemplar, self.shown(exemplar.size)))
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum, as it is shown: seconds, where times were measured.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.shown(self.sum)
    }

    /// What was taken in since `earlier`, a look at the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let pairs = self.counts.iter().zip(&earlier.counts);
        Self {
            scale: self.scale,
            counts: pairs.map(|(now, then)| now.saturating_sub(*then)).collect(),
            sum: self.sum.saturating_sub(earlier.sum),
            exemplars: Vec::new(),
        }
    }

    /// The size that a share of them (0 to 1) does not exceed, as it is shown, to the precision of its
    /// class; `None` where there are none, infinite above the last bound.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        let rank = (share.clamp(0.0, 1.0) * approximate(count)).max(1.0);
        let mut below = 0;
        let mut lower = 0.0;
        let bounds = self.bounds().chain([f64::INFINITY]);
        for (bound, inside) in bounds.zip(&self.counts) {
            let through = below + inside;
            if *inside > 0 && approximate(through) >= rank {
                let part = (rank - approximate(below)) / approximate(*inside);
                return Some(match bound.is_finite() {
                    true => (bound - lower).mul_add(part, lower),
                    false => bound,
                });
            }
            (below, lower) = (through, bound);
        }
        None
    }

    fn shown(&self, size: u64) -> f64 {
        approximate(size) / self.scale.unit
    }
}

/// As a floating-point number, which is exact up to 2⁵³.
#[must_use]
pub fn approximate(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_falls_into_the_first_class_that_holds_it() {
        let histogram = Histogram::new(Scale::COUNT);
        for size in [0, 1, 2, 3, 4, 4_096, 4_097] {
            histogram.record(size);
        }
        let tally = histogram.snapshot();
        assert_eq!(tally.counts(), [2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((tally.count(), tally.sum()), (7, 8_203.0));
    }

    #[test]
    fn each_class_has_the_last_recorded_span_that_fell_into_it() {
        let histogram = Histogram::new(Scale::CALL);
        let span = |span, sampled| TraceContext {
            trace: 7,
            span,
            sampled,
        };
        let at = WallTime::from_millis(5);
        assert_eq!(histogram.snapshot().exemplars, []);
        for (millis, context) in [
            (1, span(1, true)),
            (3, span(2, true)),
            (4, span(3, true)),
            (5, span(4, false)),
            (99_000, span(5, true)),
        ] {
            histogram.show(Duration::from_millis(millis), context, at);
        }
        let tally = histogram.snapshot();
        assert_eq!(tally.count(), 0, "what shows is not taken in again");
        let shown: Vec<_> = (0..tally.counts().len())
            .filter_map(|class| tally.exemplar(class).map(|found| (class, found)))
            .map(|(class, (exemplar, size))| (class, exemplar.span.span, size))
            .collect();
        assert_eq!(shown, [(0, 1, 0.001), (1, 3, 0.004), (14, 5, 99.0)]);
    }

    #[test]
    fn times_are_shown_in_seconds_and_quantiles_lie_within_their_class() {
        let histogram = Histogram::new(Scale::CALL);
        histogram.took_each(Duration::from_millis(20), 99);
        let before = histogram.snapshot();
        histogram.took(Duration::from_secs(7));
        let tally = histogram.snapshot();
        assert!((tally.sum() - 8.98).abs() < 1e-9, "{}", tally.sum());
        let median = tally.quantile(0.5).unwrap();
        assert!((0.010..=0.025).contains(&median), "{median}");
        assert_eq!(tally.quantile(1.0), Some(10.0));
        assert_eq!(tally.since(&before).count(), 1);
        assert_eq!(tally.since(&tally).quantile(0.5), None);
    }
}
