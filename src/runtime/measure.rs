//! [`Counter`], [`Gauge`] and [`Counters`]: what modules count with, as [`Histogram`](super::Histogram) is
//! what they measure with. They are plain atomics: nothing is locked or allocated where something is
//! counted, and a look at them costs nobody anything.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Histogram, Tally};

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// At zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts one.
    pub fn one(&self) {
        self.add(1);
    }

    /// Counts so many.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// How many were counted.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that stands for what is so now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// At zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// It is so much now.
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// It is `after` where it was `before`, for whoever shares it with others.
    pub fn moves(&self, before: u64, after: u64) {
        self.0.fetch_add(after.wrapping_sub(before), Relaxed);
    }

    /// How much it is.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// One of few values that a label may have.
pub trait Label: Copy + 'static {
    /// All of them, in the order of [`Label::index`].
    const ALL: &'static [Self];

    /// Its place among all.
    fn index(self) -> usize;

    /// How it is written.
    fn word(self) -> &'static str;
}

/// Makes an enum whose values are those of a label.
macro_rules! label {
    ($(#[$meta:meta])* $vis:vis $name:ident { $($(#[$doc:meta])* $value:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $vis enum $name {
            $($(#[$doc])* $value,)+
        }

        impl $crate::runtime::Label for $name {
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn index(self) -> usize {
                self as usize
            }

            fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }
    };
}
pub(crate) use label;

/// A counter for each value of a label.
pub struct Counters<L> {
    each: Box<[Counter]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> Counters<L> {
    /// Counts one of `label`.
    pub fn one(&self, label: L) {
        if let Some(counter) = self.each.get(label.index()) {
            counter.one();
        }
    }

    /// How many were counted of each, in the order of [`Label::ALL`].
    #[must_use]
    pub fn snapshot(&self) -> Counts {
        let each = L::ALL.iter().zip(&self.each);
        each.map(|(label, counter)| (label.word(), counter.get()))
            .collect()
    }
}

/// How many were counted of each value of a label.
pub type Counts = Vec<(&'static str, u64)>;

impl<L: Label> Default for Counters<L> {
    fn default() -> Self {
        Self {
            each: L::ALL.iter().map(|_| Counter::new()).collect(),
            label: PhantomData,
        }
    }
}

impl<L> fmt::Debug for Counters<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.each).finish()
    }
}

/// Something that counts or measures, and what a look at it shows.
pub trait Measured {
    /// What is shown.
    type Seen;

    /// A look at it.
    fn seen(&self) -> Self::Seen;
}

impl Measured for Counter {
    type Seen = u64;

    fn seen(&self) -> u64 {
        self.get()
    }
}

impl Measured for Gauge {
    type Seen = u64;

    fn seen(&self) -> u64 {
        self.get()
    }
}

impl<L: Label> Measured for Counters<L> {
    type Seen = Counts;

    fn seen(&self) -> Counts {
        self.snapshot()
    }
}

impl Measured for Histogram {
    type Seen = Tally;

    fn seen(&self) -> Tally {
        self.snapshot()
    }
}

/// Makes a struct of what a module counts and measures, each with what it begins with, and a struct of
/// what all of it is at one moment.
macro_rules! measures {
    (
        $(#[$meta:meta])* $vis:vis $stats:ident,
        $(#[$seen_meta:meta])* $seen_vis:vis $snapshot:ident {
            $($(#[$doc:meta])* $field:ident: $kind:ty = $new:expr => $seen:ty,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        $vis struct $stats {
            $($(#[$doc])* $vis $field: $kind,)+
        }

        $(#[$seen_meta])*
        #[derive(Debug, Clone)]
        $seen_vis struct $snapshot {
            $($(#[$doc])* pub $field: $seen,)+
        }

        impl Default for $stats {
            fn default() -> Self {
                Self { $($field: $new,)+ }
            }
        }

        impl $stats {
            /// All of it, as of now.
            #[must_use]
            $vis fn snapshot(&self) -> $snapshot {
                $snapshot { $($field: $crate::runtime::Measured::seen(&self.$field),)+ }
            }
        }
    };
}
pub(crate) use measures;

#[cfg(test)]
mod tests {
    use super::*;

    label!(
        /// A hand.
        Hand { Left = "left", Right = "right" }
    );

    #[test]
    fn each_value_of_a_label_has_its_own_counter() {
        let hands = Counters::<Hand>::default();
        hands.one(Hand::Right);
        hands.one(Hand::Right);
        assert_eq!(hands.snapshot(), [("left", 0), ("right", 2)]);
    }

    #[test]
    fn a_gauge_that_is_shared_holds_the_sum_of_its_parts() {
        let gauge = Gauge::new();
        gauge.moves(0, 5);
        gauge.moves(0, 2);
        gauge.moves(5, 1);
        assert_eq!(gauge.get(), 3);
    }
}
