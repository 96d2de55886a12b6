//! A [`Sheet`] as text: OpenMetrics 1.0, or Prometheus' own format 0.0.4 for those who do not ask for
//! the newer one.
//!
//! Written by hand, for `prometheus-client` writes the one and not the other, and Debian's `promtool`
//! reads the other alone.

use std::fmt::Write as _;

use super::{Family, Kind, Point, Sheet, Value};
use crate::runtime::{Tally, approximate};

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Prometheus 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

const OPEN_METRICS: &str = "application/openmetrics-text";

impl Dialect {
    /// What somebody who accepts this is to be sent.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let weight = |wanted: &[&str]| {
            let ranges = accept.split(',').map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
                let weight = parts.find_map(|part| part.strip_prefix("q="));
                (kind, weight.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
            });
            let ours = ranges.filter(|(kind, _)| wanted.contains(&kind.as_str()));
            ours.map(|(_, weight)| weight).fold(0.0, f64::max)
        };
        let open = weight(&[OPEN_METRICS]);
        match open > 0.0 && open >= weight(&["text/plain"]) {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    /// The media type of its text.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What a family is called in its head, and what kind it is.
    fn head(self, family: &Family) -> (&'static str, &'static str) {
        let name = family.name;
        match (self, family.kind) {
            (Self::OpenMetrics, Kind::Counter) => {
                (name.strip_suffix("_total").unwrap_or(name), "counter")
            }
            (Self::OpenMetrics, Kind::Info) => (name.strip_suffix("_info").unwrap_or(name), "info"),
            (Self::Prometheus, Kind::Counter) => (name, "counter"),
            (Self::Prometheus, Kind::Info) | (_, Kind::Gauge) => (name, "gauge"),
            (_, Kind::Histogram) => (name, "histogram"),
        }
    }
}

/// Writes a sheet.
#[must_use]
pub fn write(sheet: &Sheet, dialect: Dialect) -> String {
    let mut text = Text {
        text: String::with_capacity(64 << 10),
        dialect,
    };
    for (family, points) in sheet.families() {
        let (name, kind) = dialect.head(family);
        text.line(&format!("# HELP {name} {}", escaped(family.help)));
        text.line(&format!("# TYPE {name} {kind}"));
        for point in points {
            text.point(family, point);
        }
    }
    if dialect == Dialect::OpenMetrics {
        text.line("# EOF");
    }
    text.text
}

struct Text {
    text: String,
    dialect: Dialect,
}

impl Text {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn point(&mut self, family: &Family, point: &Point) {
        match &point.value {
            Value::Whole(value) => self.sample(family.name, "", point, None, &value.to_string()),
            Value::Real(value) => self.sample(family.name, "", point, None, &number(*value)),
            Value::Tally(tally) => self.tally(family.name, point, tally),
        }
    }

    fn tally(&mut self, name: &str, point: &Point, tally: &Tally) {
        let mut below = 0;
        let bounds = tally.bounds().chain([f64::INFINITY]);
        for (class, (bound, count)) in bounds.zip(tally.counts()).enumerate() {
            below += count;
            let bound = number(bound);
            let value = format!("{below}{}", self.exemplar(tally, class));
            self.sample(name, "_bucket", point, Some(&bound), &value);
        }
        self.sample(name, "_sum", point, None, &number(tally.sum()));
        self.sample(name, "_count", point, None, &below.to_string());
    }

    /// Which span shows what fell into a class: the newer text alone has a place for it.
    fn exemplar(&self, tally: &Tally, class: usize) -> String {
        let found = match self.dialect {
            Dialect::OpenMetrics => tally.exemplar(class),
            Dialect::Prometheus => None,
        };
        let Some((exemplar, size)) = found else {
            return String::new();
        };
        let (span, size) = (exemplar.span, number(size));
        let at = number(approximate(exemplar.at.as_millis()) / 1e3);
        let (trace, span) = (span.trace, span.span);
        format!(" # {{trace_id=\"{trace:032x}\",span_id=\"{span:016x}\"}} {size} {at}")
    }

    fn sample(
        &mut self,
        name: &str,
        suffix: &str,
        point: &Point,
        bound: Option<&str>,
        value: &str,
    ) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        let labels = point.labels.iter();
        let labels = labels.map(|(name, value)| (*name, value.as_str()));
        let mut mark = '{';
        for (name, value) in labels.chain(bound.map(|bound| ("le", bound))) {
            // Writing to a string cannot fail.
            let _never = write!(self.text, "{mark}{name}=\"{}\"", escaped(value)).is_ok();
            mark = ',';
        }
        if mark == ',' {
            self.text.push('}');
        }
        self.text.push(' ');
        self.line(value);
    }
}

/// As both formats write a number. A whole one keeps its point, so that a bound is written alike.
fn number(value: f64) -> String {
    if value.is_infinite() {
        let sign = if value > 0.0 { '+' } else { '-' };
        return format!("{sign}Inf");
    }
    let text = value.to_string();
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("{text}.0"),
        false => text,
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{TraceContext, WallTime};
    use crate::runtime::{Histogram, Scale};

    static EVENTS: Family = Family {
        name: "x_events_total",
        kind: Kind::Counter,
        labels: &["session", "kind"],
        help: "Events",
    };
    static DELAY: Family = Family {
        name: "x_delay_seconds",
        kind: Kind::Histogram,
        labels: &["session"],
        help: "Delay",
    };
    static BUILD: Family = Family {
        name: "x_build_info",
        kind: Kind::Info,
        labels: &["version"],
        help: "Build",
    };

    fn sheet() -> Sheet {
        let delay = Histogram::new(Scale::LONG);
        delay.took(Duration::from_millis(1_500));
        delay.took(Duration::from_secs(1 << 20));
        let mut sheet = Sheet::default();
        sheet.put(&EVENTS, &["a\"b\\", "live"], 7);
        sheet.put(&EVENTS, &["", "live"], 8);
        sheet.put(&DELAY, &["a"], delay.snapshot());
        sheet.put(&BUILD, &["1.2"], 1);
        sheet
    }

    #[test]
    fn both_texts_say_the_same_in_their_own_way() {
        let open = write(&sheet(), Dialect::OpenMetrics);
        let plain = write(&sheet(), Dialect::Prometheus);
        assert!(open.contains("# TYPE x_events counter\n"), "{open}");
        assert!(plain.contains("# TYPE x_events_total counter\n"), "{plain}");
        assert!(open.contains("# TYPE x_build info\nx_build_info{version=\"1.2\"} 1\n"));
        assert!(plain.contains("# TYPE x_build_info gauge\nx_build_info{version=\"1.2\"} 1\n"));
        assert!(open.ends_with("\n# EOF\n") && !plain.contains("EOF"));
        let samples = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(samples(&open), samples(&plain));
    }

    #[test]
    fn labels_are_escaped_and_empty_ones_left_out() {
        let text = write(&sheet(), Dialect::Prometheus);
        assert!(
            text.contains("x_events_total{session=\"a\\\"b\\\\\",kind=\"live\"} 7\n"),
            "{text}"
        );
        assert!(text.contains("x_events_total{kind=\"live\"} 8\n"), "{text}");
    }

    #[test]
    fn classes_add_up() {
        let text = write(&sheet(), Dialect::Prometheus);
        for line in [
            "x_delay_seconds_bucket{session=\"a\",le=\"1.0\"} 0",
            "x_delay_seconds_bucket{session=\"a\",le=\"10.0\"} 1",
            "x_delay_seconds_bucket{session=\"a\",le=\"+Inf\"} 2",
            "x_delay_seconds_sum{session=\"a\"} 1048577.5",
            "x_delay_seconds_count{session=\"a\"} 2",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_class_names_its_span_in_the_newer_text_alone() {
        let took = Duration::from_millis(1_500);
        let delay = Histogram::new(Scale::LONG);
        delay.took(took);
        let span = TraceContext {
            trace: 0xab,
            span: 0xc,
            sampled: true,
        };
        delay.show(took, span, WallTime::from_millis(1_234_567));
        let mut sheet = Sheet::default();
        sheet.put(&DELAY, &["a"], delay.snapshot());
        let open = write(&sheet, Dialect::OpenMetrics);
        let line = "x_delay_seconds_bucket{session=\"a\",le=\"10.0\"} 1 # {trace_id=\"000000000000\
                    000000000000000000ab\",span_id=\"000000000000000c\"} 1.5 1234.567";
        assert!(open.lines().any(|have| have == line), "{line}\n{open}");
        assert_eq!(open.matches("trace_id").count(), 1);
        assert!(!write(&sheet, Dialect::Prometheus).contains("trace_id"));
    }

    #[test]
    fn a_scraper_gets_the_newest_text_that_it_takes() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, dialect) in [
            (prometheus, Dialect::OpenMetrics),
            ("", Dialect::Prometheus),
            ("*/*", Dialect::Prometheus),
            ("text/html, */*;q=0.8", Dialect::Prometheus),
            ("text/plain", Dialect::Prometheus),
            ("application/openmetrics-text;q=0", Dialect::Prometheus),
            (
                "text/plain, application/openmetrics-text;q=0.5",
                Dialect::Prometheus,
            ),
        ] {
            assert_eq!(Dialect::accepted(accept), dialect, "{accept}");
        }
    }
}
