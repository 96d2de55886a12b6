//! How much time a row may take.

use std::time::Duration;

/// Asked of by every row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Shorter samples and fewer of them: to see that it runs, not to quote.
    pub(crate) quick: bool,
}

impl Effort {
    /// How long one sample lasts.
    pub(crate) fn sample(self) -> Duration {
        Duration::from_millis(if self.quick { 150 } else { 1_500 })
    }

    /// How many events a replay has.
    pub(crate) fn replayed(self) -> u64 {
        if self.quick { 100_000 } else { 1_000_000 }
    }

    /// How many events arrive at once to see how fast they are taken in.
    pub(crate) fn ingested(self) -> u64 {
        if self.quick { 50_000 } else { 500_000 }
    }

    /// How many events arrive before memory is looked at.
    pub(crate) fn remembered(self) -> u64 {
        if self.quick { 20_000 } else { 1_000_000 }
    }

    /// Bytes of events that a recovery finds.
    pub(crate) fn recovered(self) -> u64 {
        if self.quick { 1 << 30 } else { 10 << 30 }
    }

    /// Sessions of guests at once.
    pub(crate) fn guests(self) -> usize {
        if self.quick { 500 } else { 10_000 }
    }

    /// How often each contender is measured, besides once to warm up.
    pub(crate) fn rounds(self) -> usize {
        if self.quick { 3 } else { 9 }
    }

    /// One line for those who read the table.
    pub(crate) fn describe(self) -> String {
        format!(
            "Medians of {} samples (of fewer, where one takes long), taken in turn after one to \
             warm up; ratios are medians of the ratios within a turn{}\n",
            self.rounds(),
            if self.quick {
                ". QUICK: too short to be quoted"
            } else {
                ""
            }
        )
    }
}
