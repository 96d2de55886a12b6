//! [`Losses`]: the latest gaps of a session with what became of them, to be shown. Decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use super::gaps::{Extent, Gap};
use crate::connectors::NumberRange;
use crate::domain::WallTime;
use crate::session::vitals::{Loss, Outcome};

/// How many are kept.
const MOST: usize = 32;

/// The latest gaps, oldest first.
#[derive(Debug, Default)]
pub(super) struct Losses {
    latest: VecDeque<Loss>,
    shown: Arc<[Loss]>,
    changed: bool,
}

impl Losses {
    /// Those that an earlier process left open.
    pub(super) fn of(gaps: &[Gap], now: WallTime) -> Self {
        let mut losses = Self::default();
        for gap in gaps {
            losses.suspected(&gap.key, &gap.extent, &gap.reason, (now, now));
        }
        losses
    }

    pub(super) fn suspected(
        &mut self,
        key: &str,
        extent: &Extent,
        reason: &str,
        (start, end): (WallTime, WallTime),
    ) {
        let (numbers, times) = match extent {
            Extent::Hole { range, .. } => (Some(*range), (start, end)),
            Extent::Window { window, .. } => (None, (window.start, window.end)),
            Extent::Told(runs) => (runs.first().copied(), (start, end)),
        };
        if self.latest.len() == MOST {
            self.latest.pop_front();
        }
        self.latest.push_back(Loss {
            key: key.into(),
            outcome: Outcome::Suspected,
            reason: reason.into(),
            numbers: numbers.map(|range| (range.first, range.last)),
            start: times.0,
            end: times.1,
        });
        self.changed = true;
    }

    /// Nothing of it is missing.
    pub(super) fn closed(&mut self, key: &str) {
        self.ended(key, Outcome::Closed, None, &[]);
    }

    /// These numbers of it are missing, or all of it.
    pub(super) fn confirmed(&mut self, key: &str, reason: &str, missing: &[NumberRange]) {
        self.ended(key, Outcome::Confirmed, Some(reason), missing);
    }

    fn ended(
        &mut self,
        key: &str,
        outcome: Outcome,
        reason: Option<&str>,
        missing: &[NumberRange],
    ) {
        let Some(loss) = self.latest.iter_mut().rfind(|loss| *loss.key == *key) else {
            return;
        };
        loss.outcome = outcome;
        if let Some(reason) = reason {
            loss.reason = reason.into();
        }
        if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
            loss.numbers = Some((first.first, last.last));
        }
        self.changed = true;
    }

    /// As they are shown; made anew only after a change.
    pub(super) fn shown(&mut self) -> Arc<[Loss]> {
        if std::mem::take(&mut self.changed) {
            self.shown = self.latest.iter().cloned().collect();
        }
        Arc::clone(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole(first: u64, last: u64) -> Extent {
        Extent::Hole {
            numbering: 1,
            range: NumberRange { first, last },
        }
    }

    #[test]
    fn a_loss_is_shown_with_what_became_of_it() {
        let now = WallTime::from_millis(1);
        let mut losses = Losses::default();
        losses.suspected("a", &hole(5, 9), "SEQUENCE_HOLE", (now, now));
        losses.suspected("b", &hole(20, 20), "SEQUENCE_HOLE", (now, now));
        let missing = [NumberRange { first: 6, last: 7 }];
        losses.confirmed("a", "NOT_FILLED", &missing);
        losses.closed("b");
        let shown = losses.shown();
        let told: Vec<_> = shown
            .iter()
            .map(|loss| (loss.outcome, &*loss.reason, loss.numbers))
            .collect();
        assert_eq!(
            told,
            [
                (Outcome::Confirmed, "NOT_FILLED", Some((6, 7))),
                (Outcome::Closed, "SEQUENCE_HOLE", Some((20, 20))),
            ]
        );
        assert!(Arc::ptr_eq(&shown, &losses.shown()), "nothing changed");
    }

    #[test]
    fn only_the_latest_losses_are_kept() {
        let now = WallTime::from_millis(1);
        let mut losses = Losses::default();
        for n in 0..100 {
            losses.suspected(&n.to_string(), &hole(n, n), "SEQUENCE_HOLE", (now, now));
        }
        let shown = losses.shown();
        assert_eq!(shown.len(), MOST);
        assert_eq!(shown.last().unwrap().numbers, Some((99, 99)));
    }
}
