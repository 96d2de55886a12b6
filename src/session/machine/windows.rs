//! Platforms without replay: coverage marks, loss windows, and what REST can say of them (U18).

use super::Machine;
use super::gaps::Extent;
use super::io::{Actions, At};
use super::recovered::{COVERAGE, coverage_value};
use super::recovery::{Phase, Recovering};
use super::state::limits;
use crate::connectors::LossWindow;
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// Up to when the subscription is known to have stood.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    until: Option<WallTime>,
    mark_at: Option<MonoTime>,
    pub(super) recovery: Option<Recovering>,
}

impl Coverage {
    pub(super) fn new(until: Option<WallTime>) -> Self {
        Self {
            until,
            ..Self::default()
        }
    }
}

impl Machine {
    fn replays(&self) -> bool {
        self.connector.capabilities().resumes
    }

    /// Every topic is confirmed again: the time since the last proof of life is a loss window.
    pub(super) fn open_loss_window(&mut self, at: At, out: &mut Actions) {
        if self.replays() {
            return;
        }
        if let Some(start) = self.coverage.until {
            self.open_window(at, start, "DISCONNECTED");
        }
        self.mark_coverage(at, at.wall);
        self.recovery_next(at, out);
    }

    /// The platform itself says that we missed events.
    pub(super) fn missed(&mut self, at: At, reason: &str, out: &mut Actions) {
        let start = self.coverage.until.unwrap_or(at.wall);
        self.open_window(at, start, reason);
        self.mark_coverage(at, at.wall);
        self.recovery_next(at, out);
    }

    fn open_window(&mut self, at: At, start: WallTime, reason: &str) {
        let key = format!("w-{}", start.as_nanos());
        let window = LossWindow {
            start,
            end: at.wall,
        };
        self.open_gap(at, key, Extent::Window(window), reason, None, start);
    }

    fn mark_coverage(&mut self, at: At, until: WallTime) {
        self.coverage.mark_at = Some(at.now + limits::COVERAGE_MARK);
        if self.coverage.until != Some(until) {
            self.coverage.until = Some(until);
            let value = Some(coverage_value(until));
            self.outbox.set(COVERAGE.to_owned(), value, None);
        }
    }

    /// Every 5 s while connected, so that a crash has a window too.
    pub(super) fn coverage_due(&mut self, at: At) {
        if self.coverage.mark_at.is_some_and(|due| due <= at.now) {
            let life = self.wall_of_life().or(self.coverage.until);
            self.mark_coverage(at, life.unwrap_or(at.wall));
        }
    }

    /// The connection is gone: the window runs from its last sign of life, not from now.
    pub(super) fn cover_until_last_life(&mut self) {
        self.coverage.mark_at = None;
        if self.replays() {
            return;
        }
        let life = self.wall_of_life().max(self.coverage.until);
        if let Some(until) = life {
            self.coverage.until = Some(until);
            let value = Some(coverage_value(until));
            self.outbox.set(COVERAGE.to_owned(), value, None);
        }
    }

    pub(super) fn coverage_timeout(&self) -> Option<MonoTime> {
        let later = self.coverage.recovery.as_ref().and_then(|r| match r.phase {
            Phase::Later(when) => Some(when),
            Phase::Token | Phase::Asked(_) => None,
        });
        self.coverage.mark_at.into_iter().chain(later).min()
    }
}
