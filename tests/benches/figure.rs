//! [`Sample`]: what one run gave, as named figures with units.

use std::time::Duration;

/// What one run of a contender gave.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample(Vec<Figure>);

/// One figure of a sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// What it is called beside its contender; empty where it is the only one.
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) value: f64,
}

/// How a figure is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Events per second.
    Rate,
    Micros,
    /// Of memory.
    Bytes,
    /// Of a file, in powers of ten.
    FileBytes,
    /// Of a processor.
    Cores,
    /// One thing over another.
    Times,
    Count,
}

#[expect(clippy::cast_precision_loss, reason = "figures of three digits")]
impl Sample {
    /// Of `events` in `elapsed`.
    pub(crate) fn rate(events: u64, elapsed: Duration) -> Self {
        Self::of("", Unit::Rate, events as f64 / elapsed.as_secs_f64())
    }

    /// Of single latencies.
    pub(crate) fn latency(mut each: Vec<Duration>) -> Self {
        each.sort_unstable();
        let at = |percent: usize| {
            let index = (each.len() * percent / 100).min(each.len().saturating_sub(1));
            each.get(index).copied().unwrap_or_default().as_secs_f64() * 1e6
        };
        Self::of("p50", Unit::Micros, at(50)).and("p99", Unit::Micros, at(99))
    }

    /// Of a size.
    pub(crate) fn bytes(bytes: u64) -> Self {
        Self::of("", Unit::Bytes, bytes as f64)
    }

    /// Of a file's size.
    pub(crate) fn file_bytes(bytes: u64) -> Self {
        Self::of("", Unit::FileBytes, bytes as f64)
    }

    /// Of a time.
    pub(crate) fn time(name: &'static str, time: Duration) -> Self {
        Self::of(name, Unit::Micros, time.as_secs_f64() * 1e6)
    }

    /// Of the time that one of `events` took, in `spent` for all.
    pub(crate) fn each(events: u64, spent: Duration) -> Self {
        let each = spent.as_secs_f64() * 1e6 / events as f64;
        Self::of("", Unit::Micros, each)
    }

    /// Of a share of a processor.
    pub(crate) fn cores(busy: Duration, elapsed: Duration) -> Self {
        let cores = busy.as_secs_f64() / elapsed.as_secs_f64();
        Self::of("", Unit::Cores, cores)
    }

    /// Of one number of bytes over another.
    pub(crate) fn over(bytes: u64, under: u64) -> Self {
        Self::of("", Unit::Times, bytes as f64 / under as f64)
    }

    /// Processor time that one event took, beside what was measured.
    pub(crate) fn with_cpu(self, events: u64, spent: Duration) -> Self {
        let each = spent.as_secs_f64() * 1e6 / events as f64;
        self.and("CPU per event", Unit::Micros, each)
    }

    /// How many events there were in `elapsed`, beside what was measured.
    pub(crate) fn with_rate(self, name: &'static str, events: u64, elapsed: Duration) -> Self {
        let each = events as f64 / elapsed.as_secs_f64();
        self.and(name, Unit::Rate, each)
    }

    /// A time beside what was measured.
    pub(crate) fn with_time(self, name: &'static str, time: Duration) -> Self {
        self.and(name, Unit::Micros, time.as_secs_f64() * 1e6)
    }

    /// How often something was so, beside what was measured.
    pub(crate) fn with_count(self, name: &'static str, count: u64) -> Self {
        self.and(name, Unit::Count, count as f64)
    }

    /// Its figures, in the order in which they are printed.
    pub(crate) fn figures(&self) -> &[Figure] {
        &self.0
    }

    fn of(name: &'static str, unit: Unit, value: f64) -> Self {
        Self(vec![Figure { name, unit, value }])
    }

    fn and(mut self, name: &'static str, unit: Unit, value: f64) -> Self {
        self.0.push(Figure { name, unit, value });
        self
    }
}

impl Unit {
    /// A difference, for people.
    pub(crate) fn show_more(self, value: f64) -> String {
        let sign = if value < 0.0 { "" } else { "+" };
        format!("{sign}{}", self.show(value))
    }

    /// A value of it, for people.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Rate => rate(value),
            Self::Micros => micros(value),
            Self::Bytes => bytes(value),
            Self::FileBytes => format!("{:.1} MB", value / 1e6),
            Self::Cores => format!("{value:.3} cores"),
            Self::Times => format!("{value:.3} ×"),
            Self::Count => format!("{value:.0}"),
        }
    }
}

fn rate(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2} M/s", v / 1e6),
        v if v >= 1e4 => format!("{:.0} k/s", v / 1e3),
        v if v >= 1e3 => format!("{:.2} k/s", v / 1e3),
        v => format!("{v:.0} /s"),
    }
}

fn micros(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.2} s", value / 1e6),
        v if v >= 1e4 => format!("{:.1} ms", value / 1e3),
        v if v < 10.0 => format!("{value:.2} µs"),
        _ => format!("{value:.0} µs"),
    }
}

fn bytes(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.1} MiB", value / f64::from(1 << 20)),
        _ => format!("{:.1} KB", value / 1e3),
    }
}
