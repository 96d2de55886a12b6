//! Platforms without replay: up to when the subscription is known to have stood, and the windows in
//! which events may have been lost (U18).

use super::Machine;
use super::gaps::Extent;
use super::io::{Actions, At};
use super::recovered::{COVERAGE, coverage_value};
use super::state::limits;
use crate::connectors::{Family, LossWindow};
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// Up to when the subscription is known to have stood.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// As it is committed.
    until: Option<WallTime>,
    /// The last proof of life of a confirmed connection.
    life: Option<WallTime>,
    /// What was known before the frame or answer in hand.
    before: Option<WallTime>,
    mark_at: Option<MonoTime>,
}

impl Coverage {
    pub(super) fn new(until: Option<WallTime>) -> Self {
        Self {
            until,
            ..Self::default()
        }
    }

    /// Up to when every topic is known to have stood.
    pub(super) fn frontier(&self) -> Option<WallTime> {
        self.life.max(self.until)
    }

    /// A frame or answer of the subscription is at hand.
    pub(super) fn input(&mut self) {
        self.before = self.frontier();
    }

    /// A confirmed connection lives.
    pub(super) fn lives(&mut self, wall: WallTime) {
        self.life = self.life.max(Some(wall));
    }

    /// Whether anything was ever covered before the frame or answer in hand.
    pub(super) fn began_before(&self) -> bool {
        self.before.is_some()
    }
}

impl Machine {
    pub(super) fn replays(&self) -> bool {
        self.connector.capabilities().resumes
    }

    /// Whether the time that is covered is kept: numbers that are sent again need none.
    fn keeps_coverage(&self) -> bool {
        !self.replays() || self.ordering.is_none()
    }

    /// Every topic is confirmed again: the time since the last proof of life is a loss window.
    pub(super) fn open_loss_window(&mut self, at: At, out: &mut Actions) {
        if let (Some(life), false) = (self.coverage.frontier(), self.replays()) {
            let window = LossWindow {
                start: life.minus(limits::IN_FLIGHT),
                end: at.wall,
            };
            self.open_windows(at, &window, "DISCONNECTED");
        }
        self.coverage.lives(at.wall);
        self.mark_coverage(at);
        self.plan_recoveries(at, out);
    }

    /// A connection that was confirmed earlier goes on alone, and nothing shows that the one before
    /// it lived so long.
    pub(super) fn open_window_between(&mut self, at: At, end: WallTime, out: &mut Actions) {
        if self.replays() {
            return;
        }
        if let Some(life) = self.coverage.frontier() {
            let start = life.min(end).minus(limits::IN_FLIGHT);
            self.open_windows(at, &LossWindow { start, end }, "DISCONNECTED");
            self.plan_recoveries(at, out);
        }
    }

    /// The platform itself says that we missed events, since the proof of life before this one. The
    /// keys of the gaps; none where nothing was covered before.
    pub(super) fn missed(&mut self, at: At, reason: &str) -> Vec<String> {
        let Some(life) = self.coverage.before else {
            return Vec::new();
        };
        let window = LossWindow {
            start: life.minus(limits::IN_FLIGHT),
            end: at.wall,
        };
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
        self.coverage.lives(at.wall);
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

    /// Commits what is covered. What is held is not journaled, so it is not covered yet.
    fn mark_coverage(&mut self, at: At) {
        self.coverage.mark_at = Some(at.now + limits::COVERAGE_MARK);
        if !self.keeps_coverage() {
            self.coverage.mark_at = None;
            return;
        }
        let held = self.held_since();
        let covered = self.coverage.frontier();
        let covered = covered.map(|until| held.map_or(until, |held| until.min(held)));
        if covered > self.coverage.until {
            self.coverage.until = covered;
            let value = covered.map(coverage_value);
            self.outbox.set(COVERAGE.to_owned(), value, None);
        }
    }

    /// Every 5 s while connected, so that a crash has a window too.
    pub(super) fn coverage_due(&mut self, at: At) {
        if self.coverage.mark_at.is_some_and(|due| due <= at.now) {
            self.mark_coverage(at);
        }
    }

    /// The connection is gone: the window runs from its last sign of life, not from now.
    pub(super) fn cover_until_last_life(&mut self, at: At) {
        self.mark_coverage(at);
        self.coverage.mark_at = None;
    }

    pub(super) fn coverage_timeout(&self) -> Option<MonoTime> {
        self.coverage.mark_at
    }
}
