//! Measures contenders in turn and prints them beside the first.

use std::fmt::Write as _;
use std::time::Duration;

/// The head of the table; every row follows as it is measured.
pub(crate) const HEAD: &str = "\
| figure | measured | median [least to most] | beside the ceiling | target |\n\
|---|---|---|---|---|";

/// How much time a row may take.
pub(crate) struct Effort {
    /// Shorter samples and fewer of them: to see that it runs, not to quote.
    pub(crate) quick: bool,
}

impl Effort {
    /// How long one sample lasts.
    pub(crate) fn sample(&self) -> Duration {
        Duration::from_millis(if self.quick { 150 } else { 1_500 })
    }

    /// How many events a replay has.
    pub(crate) fn replayed(&self) -> u64 {
        if self.quick { 100_000 } else { 1_000_000 }
    }

    /// How many events arrive at once to see how fast they are taken in.
    pub(crate) fn ingested(&self) -> u64 {
        if self.quick { 50_000 } else { 500_000 }
    }

    /// How many events arrive before memory is looked at.
    pub(crate) fn remembered(&self) -> u64 {
        if self.quick { 200_000 } else { 1_000_000 }
    }

    /// How many sessions of guests stand at once.
    pub(crate) fn guests(&self) -> usize {
        if self.quick { 500 } else { 10_000 }
    }

    /// How often each contender is measured.
    fn rounds(&self) -> usize {
        if self.quick { 3 } else { 9 }
    }

    /// One line for those who read the table.
    pub(crate) fn describe(&self) -> String {
        format!(
            "Medians of {} samples, taken in turn after one to warm up; ratios are medians of \
             the ratios within a turn{}\n",
            self.rounds(),
            if self.quick {
                ". QUICK: too short to be quoted"
            } else {
                ""
            }
        )
    }
}

/// What one run of a contender gave: the figure that is compared first, then others.
#[derive(Debug, Clone)]
pub(crate) struct Sample(Vec<Figure>);

#[derive(Debug, Clone, Copy)]
struct Figure {
    name: &'static str,
    unit: Unit,
    value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Events per second: more is better.
    Rate,
    /// Less is better.
    Micros,
    /// Likewise.
    Bytes,
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

    /// Processor time that one event took, beside what was measured.
    pub(crate) fn with_cpu(self, events: u64, spent: Duration) -> Self {
        let each = spent.as_secs_f64() * 1e6 / events as f64;
        self.and("CPU per event", Unit::Micros, each)
    }

    /// How long something beside it took.
    pub(crate) fn with_time(self, name: &'static str, took: Duration) -> Self {
        self.and(name, Unit::Micros, took.as_secs_f64() * 1e6)
    }

    /// How often something beside it happened within a second.
    pub(crate) fn with_rate(self, name: &'static str, per_second: u64) -> Self {
        self.and(name, Unit::Rate, per_second as f64)
    }

    fn of(name: &'static str, unit: Unit, value: f64) -> Self {
        Self(vec![Figure { name, unit, value }])
    }

    fn and(mut self, name: &'static str, unit: Unit, value: f64) -> Self {
        self.0.push(Figure { name, unit, value });
        self
    }
}

type Run = Box<dyn FnMut(&Effort) -> anyhow::Result<Sample>>;

/// Something that is measured.
pub(crate) struct Contender {
    name: String,
    run: Run,
    samples: Vec<Sample>,
}

impl Contender {
    pub(crate) fn new(
        name: impl Into<String>,
        run: impl FnMut(&Effort) -> anyhow::Result<Sample> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
            samples: Vec::new(),
        }
    }
}

/// What the design asks of the first figure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// So many times the ceiling, at least.
    Times(f64),
    /// So much more than the ceiling, at most.
    Above(Duration),
    /// So many bytes, at most.
    Bytes(f64),
}

/// Contenders for one figure; the first is the ceiling, unless nothing but a size is asked for.
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) target: Target,
    pub(crate) contenders: Vec<Contender>,
}

impl Row {
    /// Runs every contender in turn, a round to warm up first, and returns the printed row.
    pub(crate) fn measure(&mut self, effort: &Effort) -> anyhow::Result<String> {
        let count = self.contenders.len();
        // Sizes hardly vary, and each sample of one is a process of its own.
        let sizes = matches!(self.target, Target::Bytes(_));
        let (first, rounds) = if sizes { (1, 3) } else { (0, effort.rounds()) };
        for round in first..=rounds {
            for turn in 0..count {
                // Another one begins each round, so that none always follows the same neighbour.
                let Some(contender) = self.contenders.get_mut((round + turn) % count) else {
                    continue;
                };
                let sample = (contender.run)(effort)?;
                if round > 0 {
                    contender.samples.push(sample);
                }
            }
        }
        Ok(self.to_string())
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ceiling = self.contenders.first();
        let mut end = "";
        for (place, contender) in self.contenders.iter().enumerate() {
            let figures = contender.samples.first().map_or(&[][..], |s| &s.0);
            for (index, figure) in figures.iter().enumerate() {
                let own = column(&contender.samples, index);
                let anchor = ceiling.map(|c| column(&c.samples, index));
                let anchor = anchor.filter(|_| place > 0).unwrap_or_default();
                let (beside, ratio, more) = beside(&own, &anchor, figure.unit);
                let judged = match self.target {
                    Target::Times(least) => (ratio >= least, format!("≥ {least:.2} ×")),
                    Target::Above(most) => {
                        let most = most.as_secs_f64() * 1e6;
                        (more <= most, format!("≤ +{most:.0} µs"))
                    }
                    Target::Bytes(most) => {
                        (median(own.clone()) <= most, format!("≤ {}", bytes(most)))
                    }
                };
                let is_judged =
                    index == 0 && (place > 0 || matches!(self.target, Target::Bytes(_)));
                let target = match judged {
                    _ if !is_judged => String::new(),
                    (true, words) => format!("{words}: met"),
                    (false, words) => format!("{words}: **missed**"),
                };
                let title = if place + index == 0 { &self.title } else { "" };
                let name = [contender.name.as_str(), figure.name].map(str::trim);
                let name = name.join(", ");
                let name = name.trim_end_matches(", ");
                let show = figure.unit.show();
                let range = format!("[{} to {}]", show(least(&own)), show(most(&own)));
                let middle = show(median(own));
                write!(
                    f,
                    "{end}| {title} | {name} | {middle} {range} | {beside} | {target} |"
                )?;
                end = "\n";
            }
        }
        Ok(())
    }
}

/// A contender's figure beside the ceiling's: as words, as a ratio, as a difference.
fn beside(own: &[f64], ceiling: &[f64], unit: Unit) -> (String, f64, f64) {
    let pairs = || own.iter().zip(ceiling);
    let ratio = median(pairs().map(|(a, b)| a / b).collect());
    let more = median(pairs().map(|(a, b)| a - b).collect());
    let mut words = String::new();
    if !ceiling.is_empty() {
        write!(words, "{ratio:.2} ×").ok();
        if unit == Unit::Micros {
            write!(words, ", {more:+.1} µs").ok();
        }
    }
    (words, ratio, more)
}

fn column(samples: &[Sample], figure: usize) -> Vec<f64> {
    let figures = samples.iter().filter_map(|sample| sample.0.get(figure));
    figures.map(|figure| figure.value).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

impl Unit {
    fn show(self) -> fn(f64) -> String {
        match self {
            Self::Rate => rate,
            Self::Micros => micros,
            Self::Bytes => bytes,
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
    match value {
        v if v >= 1e6 => format!("{:.1} s", v / 1e6),
        v if v >= 1e4 => format!("{:.1} ms", v / 1e3),
        v if v < 10.0 => format!("{v:.2} µs"),
        v => format!("{v:.0} µs"),
    }
}

fn bytes(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.1} MiB", v / f64::from(1 << 20)),
        v => format!("{:.1} KB", v / 1e3),
    }
}
