//! [`Missing`]: numbers at or below the cursor that never came. Pure.

use crate::connectors::NumberRange;
use crate::domain::Sequence;

/// More runs than this are not remembered: the oldest is forgotten, and what comes for it late is
/// taken for a duplicate.
const MOST_RUNS: usize = 1024;

/// Likewise of the runs that the platform itself skipped: nothing is expected of them.
const MOST_SKIPPED: usize = 16;

/// Runs of missing numbers, ascending and apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing(Vec<MissingRun>);

/// One run, and the gap record that tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingRun {
    /// The numbers.
    pub range: NumberRange,
    /// Sequence of its `GAP_SUSPECTED`; `None` where the platform itself skipped the numbers.
    pub gap: Option<Sequence>,
}

impl Missing {
    /// The runs.
    #[must_use]
    pub fn runs(&self) -> &[MissingRun] {
        &self.0
    }

    /// Adds a run above all others.
    pub(super) fn push(&mut self, run: MissingRun) {
        match self.0.last_mut() {
            Some(last)
                if last.gap == run.gap
                    && last.range.last.checked_add(1) == Some(run.range.first) =>
            {
                last.range.last = run.range.last;
            }
            _ => self.0.push(run),
        }
        let skipped = self.0.iter().filter(|r| r.gap.is_none()).count();
        let too_many = match run.gap {
            None if skipped > MOST_SKIPPED => self.0.iter().position(|r| r.gap.is_none()),
            _ => (self.0.len() > MOST_RUNS).then_some(0),
        };
        if let Some(oldest) = too_many {
            self.0.remove(oldest);
        }
    }

    /// Restores a run read from the journal's state.
    pub fn restore(&mut self, run: MissingRun) {
        self.0.push(run);
        self.0.sort_by_key(|r| r.range);
    }

    /// The run that `number` is in.
    pub(super) fn run_of(&self, number: u64) -> Option<&MissingRun> {
        self.0.iter().find(|r| r.range.contains(number))
    }

    /// Takes `number` out of its run; `None` when it is in none.
    pub(super) fn take(&mut self, number: u64) -> Option<Option<Sequence>> {
        let at = self.0.iter().position(|r| r.range.contains(number))?;
        let run = self.0.remove(at);
        let above = number.checked_add(1).map(|first| NumberRange {
            first,
            last: run.range.last,
        });
        let below = number.checked_sub(1).map(|last| NumberRange {
            first: run.range.first,
            last,
        });
        for range in [above, below]
            .into_iter()
            .flatten()
            .filter(|r| !r.is_empty())
        {
            self.0.insert(
                at,
                MissingRun {
                    range,
                    gap: run.gap,
                },
            );
        }
        Some(run.gap)
    }
}
