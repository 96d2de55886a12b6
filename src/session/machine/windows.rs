//! Platforms without replay: the windows in which events may have been lost, and the marks that give a
//! crash its window (U18).

use std::time::Duration;

use super::Machine;
use super::gaps::Extent;
use super::io::{Actions, At};
use super::recovered::{COVERAGE, coverage_value};
use super::state::State;
use crate::connectors::{Family, LossWindow};
use crate::runtime::MonoTime;

impl Machine {
    pub(super) fn replays(&self) -> bool {
        self.connector.capabilities().resumes
    }

    /// Whether the time that is covered is kept: numbers that are sent again need none.
    pub(super) fn keeps_coverage(&self) -> bool {
        !self.replays() || self.ordering.is_none()
    }

    /// Every topic is confirmed again: the time since everything is known to have come is a loss
    /// window. `proven`: what was sent until then came, where there is no window.
    pub(super) fn open_loss_window(&mut self, at: At, proven: At, out: &mut Actions) {
        match self.coverage.frontier().filter(|_| !self.replays()) {
            Some(life) => {
                let window = self.coverage.window(life, at);
                self.open_windows(at, &window, "DISCONNECTED");
                self.coverage.lives(at);
            }
            None => self.coverage.lives(proven),
        }
        self.mark_coverage(at);
        self.plan_recoveries(at, out);
    }

    /// A connection that was confirmed at `end` goes on alone, and nothing shows that the one before
    /// it brought everything until then.
    pub(super) fn open_window_between(&mut self, at: At, end: At, out: &mut Actions) {
        if self.replays() {
            return;
        }
        if let Some(life) = self.coverage.frontier() {
            let window = self.coverage.window(life, end);
            // Unless what came, or is on record, reaches beyond what it was confirmed at.
            if window.start <= window.end {
                self.open_windows(at, &window, "DISCONNECTED");
                self.plan_recoveries(at, out);
            }
        }
        self.coverage.lives(end);
    }

    /// The platform itself says that we missed events, since everything came for the last time. The
    /// keys of the gaps; none where nothing was covered before.
    pub(super) fn missed(&mut self, at: At, reason: &str) -> Vec<String> {
        let Some(life) = self.coverage.before() else {
            return Vec::new();
        };
        let window = self.coverage.window(life, at);
        // The connection was lost as well, and that is told already.
        let told = self.gaps.iter().filter(|gap| {
            gap.sequence.is_none()
                && matches!(&gap.extent, Extent::Window { window: own, .. } if *own == window)
        });
        let told: Vec<String> = told.map(|gap| gap.key.clone()).collect();
        let keys = if told.is_empty() {
            self.open_windows(at, &window, reason)
        } else {
            told
        };
        self.coverage.lives(at);
        self.mark_coverage(at);
        keys
    }

    /// One gap record for each family.
    fn open_windows(&mut self, at: At, window: &LossWindow, reason: &str) -> Vec<String> {
        let mut keys = Vec::new();
        for family in self.lossy_families() {
            let key = format!("w-{}", self.facts.unique());
            let extent = Extent::Window {
                window: window.clone(),
                family: family.name.to_owned(),
            };
            self.open_gap(at, key.clone(), extent, reason, None, window.start);
            keys.push(key);
        }
        keys
    }

    /// The families that a window is about, with the topics that were subscribed to when it began: a
    /// new topic claims nothing about the past.
    fn lossy_families(&self) -> Vec<Family> {
        let mut families = self.connector.families();
        if let Some(before) = &self.subscribed.topics {
            for family in &mut families {
                family.topics.retain(|topic| before.contains(topic));
            }
            families.retain(|family| !family.topics.is_empty());
        }
        families
    }

    /// Topics of a family, for its gap records.
    pub(super) fn topics_of(&self, family: &str) -> Vec<String> {
        let mut families = self.lossy_families().into_iter();
        let own = families.find(|f| f.name == family).map(|f| f.topics);
        own.unwrap_or_else(|| self.connector.topics().to_vec())
    }

    /// Commits what is covered, and again after a while.
    pub(super) fn mark_coverage(&mut self, at: At) {
        self.coverage.mark_at = self
            .keeps_coverage()
            .then_some(at.now + self.connector.capabilities().coverage_mark);
        self.commit_coverage();
    }

    /// What is held is not journaled, so it is not covered yet.
    fn commit_coverage(&mut self) {
        if !self.keeps_coverage() {
            return;
        }
        if let Some(covered) = self.coverage.mark(self.held_since()) {
            let value = Some(coverage_value(covered));
            self.outbox.set(COVERAGE.to_owned(), value, None);
        }
    }

    /// Looks at the clocks before each input. That the one on the wall was set back is committed at
    /// once, for a process that begins anew cannot see it.
    pub(super) fn mind_clock(&mut self, at: At) {
        if self.coverage.sees(at) {
            self.commit_coverage();
        }
    }

    /// Now and then while connected, so that a crash has a window too.
    pub(super) fn coverage_due(&mut self, at: At) {
        if self.coverage.mark_at.is_some_and(|due| due <= at.now) {
            self.mark_coverage(at);
            self.ids.forget(at.now, self.asked_back(at));
        }
    }

    /// Whether no event of this id came yet, as far as ids are remembered (U16).
    pub(super) fn is_new_id(&mut self, at: At, hash: u64) -> bool {
        self.ids.is_new(at.now, self.asked_back(at), hash)
    }

    /// How long ago the oldest window began that the history is asked about, or will be: what came since
    /// may come again.
    fn asked_back(&self, at: At) -> Duration {
        let uncovered = [self.coverage.before(), self.coverage.frontier()];
        let uncovered = uncovered.into_iter().flatten();
        let uncovered = uncovered.map(|life| at.now.saturating_duration_since(life.now));
        let windows = self.gaps.iter().filter_map(|gap| match &gap.extent {
            Extent::Window { window, .. } => Some(at.wall.since(window.start)),
            Extent::Hole { .. } | Extent::Told(_) => None,
        });
        uncovered.chain(windows).max().unwrap_or_default()
    }

    /// The connection is gone: what is known of it is committed.
    pub(super) fn cover_until_last_life(&mut self) {
        self.commit_coverage();
        self.coverage.mark_at = None;
    }

    /// When the next mark is due; without a confirmed connection, the next look at the clocks, for a
    /// process that dies before it has seen one set back leaves a window that is too short.
    pub(super) fn coverage_timeout(&self) -> Option<MonoTime> {
        let down = matches!(
            self.state,
            State::Waiting { .. }
                | State::Suspended { .. }
                | State::Connecting(_)
                | State::Polling(_)
                | State::Sifting(_)
        );
        let covers = self.keeps_coverage() && self.coverage.frontier().is_some();
        let look = (down && covers)
            .then(|| self.coverage.looked() + self.connector.capabilities().coverage_mark);
        self.coverage.mark_at.or(look)
    }
}
