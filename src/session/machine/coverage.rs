//! [`Coverage`]: up to when it is known that everything came which a platform without numbers sent,
//! on both clocks (U18). Pure.
//!
//! What counts is when a question left that was answered: the answer comes behind everything that
//! was sent before it, however long the network held that back. When a frame came says nothing.
//!
//! Windows are times of this machine's wall clock, as it showed them. Where it is set back in the
//! middle of one, the window reaches from the least that it showed to the most.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::io::At;
use super::state::limits;
use crate::connectors::LossWindow;
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// What slewing and two looks at two clocks may differ.
const STEP: Duration = Duration::from_millis(50);
/// More steps within one window are taken for one.
const MOST_STEPS: usize = 16;

/// What is committed of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Covered {
    /// Everything came until then; less where the clock was set back since.
    pub(super) until: WallTime,
    /// What the clock showed since, at most, where it was set back.
    pub(super) latest: Option<WallTime>,
}

/// The same as it is kept, in nanoseconds since 1970: `until`, or `[until, latest]`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Stored {
    Until(u64),
    SetBack(u64, u64),
}

impl From<Covered> for Stored {
    fn from(covered: Covered) -> Self {
        let until = covered.until.as_nanos();
        match covered.latest {
            None => Self::Until(until),
            Some(latest) => Self::SetBack(until, latest.as_nanos()),
        }
    }
}

impl From<Stored> for Covered {
    fn from(stored: Stored) -> Self {
        let (until, latest) = match stored {
            Stored::Until(until) => (until, None),
            Stored::SetBack(until, latest) => (until, Some(latest)),
        };
        Self {
            until: WallTime::from_nanos(until),
            latest: latest.map(WallTime::from_nanos),
        }
    }
}

/// Up to when everything came.
#[derive(Debug)]
pub(super) struct Coverage {
    committed: Option<Covered>,
    /// When the last answered question left on a confirmed connection.
    life: Option<At>,
    /// What was known before the frame or answer in hand.
    before: Option<At>,
    pub(super) mark_at: Option<MonoTime>,
    steps: Vec<Step>,
    seen: At,
}

/// The wall clock was set back.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// When that was noticed.
    now: MonoTime,
    /// The most that it can have shown before, and the least after.
    before: WallTime,
    after: WallTime,
}

impl Coverage {
    /// `covered` is as an earlier process committed it.
    pub(super) fn new(covered: Option<Covered>, at: At) -> Self {
        let mut coverage = Self {
            committed: covered,
            life: covered.map(|covered| At {
                wall: covered.until,
                ..at
            }),
            before: None,
            mark_at: None,
            steps: Vec::new(),
            seen: at,
        };
        if let Some(Covered { until, latest }) = covered
            && (latest.is_some() || until > at.wall)
        {
            coverage.stepped(Step {
                now: at.now,
                before: latest.map_or(until, |latest| latest.max(until)),
                after: until.min(at.wall),
            });
        }
        coverage
    }

    /// When the clocks were looked at.
    pub(super) fn looked(&self) -> MonoTime {
        self.seen.now
    }

    /// Looks at the clocks; whether the one on the wall was set back.
    pub(super) fn sees(&mut self, at: At) -> bool {
        let passed = at.now.saturating_duration_since(self.seen.now);
        let expected = self.seen.wall.plus(passed);
        self.seen = at;
        let back = at.wall.plus(STEP) < expected;
        if back {
            self.stepped(Step {
                now: at.now,
                before: expected,
                after: at.wall.minus(passed),
            });
        }
        back
    }

    fn stepped(&mut self, step: Step) {
        let full = self.steps.len() >= MOST_STEPS;
        match self.steps.last_mut().filter(|_| full) {
            Some(last) => {
                last.now = step.now;
                last.before = last.before.max(step.before);
                last.after = last.after.min(step.after);
            }
            None => self.steps.push(step),
        }
    }

    /// Until when everything came on every topic.
    pub(super) fn frontier(&self) -> Option<At> {
        self.life
    }

    /// A frame or answer of the subscription is at hand.
    pub(super) fn input(&mut self) {
        self.before = self.life;
    }

    /// What the platform sent until `proven` came, or lies in a window on record.
    pub(super) fn lives(&mut self, proven: At) {
        if self.life.is_none_or(|life| life.now <= proven.now) {
            self.life = Some(proven);
        }
    }

    /// Until when everything had come before the frame or answer in hand.
    pub(super) fn before(&self) -> Option<At> {
        self.before
    }

    /// What may have been lost between two moments.
    pub(super) fn window(&self, since: At, end: At) -> LossWindow {
        let covered = self.covered(since);
        LossWindow {
            start: covered.until.minus(limits::PLATFORM_LAG),
            end: covered
                .latest
                .map_or(end.wall, |latest| latest.max(end.wall)),
        }
    }

    /// The least and the most that the clock showed since then.
    fn covered(&self, since: At) -> Covered {
        let steps = || self.steps.iter().filter(|step| step.now >= since.now);
        Covered {
            until: steps()
                .map(|step| step.after)
                .fold(since.wall, WallTime::min),
            latest: steps().map(|step| step.before).max(),
        }
    }

    /// What is to be committed, where it is news. What came since `held` is not journaled.
    pub(super) fn mark(&mut self, held: Option<At>) -> Option<Covered> {
        let covered = self.life?;
        let covered = match held {
            Some(held) if held.now < covered.now => held,
            _ => covered,
        };
        // The answer in hand may yet say what was missed before it.
        let oldest = self.before.map_or(covered.now, |b| b.now.min(covered.now));
        self.steps.retain(|step| step.now >= oldest);
        let covered = self.covered(covered);
        let news = self.committed.replace(covered) != Some(covered);
        news.then_some(covered)
    }
}
