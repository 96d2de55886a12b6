//! [`Sheet`]: every figure of the process at one moment, before it is written as text or sent.

mod otlp;
mod text;

use std::collections::BTreeMap;

use crate::runtime::{Counts, Tally};

pub use self::otlp::Export;
pub use self::text::{Dialect, write};

/// What a family of figures is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises; its name ends with `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by size.
    Histogram,
    /// Always 1: its labels say something. Its name ends with `_info`.
    Info,
}

/// Figures of one name.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name, as Prometheus has it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels. A figure may leave labels out.
    pub labels: &'static [&'static str],
    /// What it means, in a sentence without a full stop.
    pub help: &'static str,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Whole(u64),
    /// Any number.
    Real(f64),
    /// Counts by size.
    Tally(Tally),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<Tally> for Value {
    fn from(value: Tally) -> Self {
        Self::Tally(value)
    }
}

/// One figure: its labels with their values, and its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Labels that it has.
    pub labels: Vec<(&'static str, String)>,
    /// Its value.
    pub value: Value,
}

/// Every figure at one moment, by name.
#[derive(Debug, Default)]
pub struct Sheet {
    families: BTreeMap<&'static str, (&'static Family, Vec<Point>)>,
}

/// Whoever can tell every figure.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// All of them, as of now. Cheap, and waits for nobody.
    fn gather(&self) -> Sheet;
}

impl Sheet {
    /// Adds a figure. `labels` are values in the order of the family's labels; an empty one is left
    /// out, and so are those behind the last.
    pub fn put(&mut self, family: &'static Family, labels: &[&str], value: impl Into<Value>) {
        let named = family.labels.iter().zip(labels);
        let named = named.filter(|(_, value)| !value.is_empty());
        let point = Point {
            labels: named
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            value: value.into(),
        };
        let (_, points) = self
            .families
            .entry(family.name)
            .or_insert_with(|| (family, Vec::new()));
        points.push(point);
    }

    /// Adds a figure for each value of the family's last label.
    pub fn put_each(&mut self, family: &'static Family, labels: &[&str], counts: &Counts) {
        for (word, count) in counts {
            let labels: Vec<&str> = labels.iter().copied().chain([*word]).collect();
            self.put(family, &labels, *count);
        }
    }

    /// Every family that has figures, by name.
    pub fn families(&self) -> impl Iterator<Item = (&'static Family, &[Point])> {
        let families = self.families.values();
        families.map(|(family, points)| (*family, points.as_slice()))
    }
}
