//! Gap records: suspected, then closed or confirmed. An open gap is kept in the journal's state and
//! goes on after a crash (U17).

use super::Machine;
use super::facts::Fact;
use super::io::{Actions, At};
use super::recovered::{GAPS, gap_value};
use crate::connectors::{LossWindow, NumberRange};
use crate::domain::{Sequence, WallTime};
use crate::proto::v1::session_event::Kind;
use crate::runtime::{Mistake, MonoTime};

/// A gap that is neither closed nor confirmed yet.
#[derive(Debug)]
pub(super) struct Gap {
    /// Names it in the journal's state.
    pub(super) key: String,
    pub(super) extent: Extent,
    pub(super) reason: String,
    /// Sequence of its `GAP_SUSPECTED`; `None` until that is durable.
    pub(super) sequence: Option<Sequence>,
    /// How it ends, once that is known.
    pub(super) resolution: Option<Resolution>,
    /// When the wait for its events ends; `None` while the session is down.
    pub(super) deadline: Option<MonoTime>,
}

/// What may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Extent {
    /// Numbers between others.
    Hole { numbering: u64, range: NumberRange },
    /// A time, on a platform that does not number, for the topics of one family.
    Window { window: LossWindow, family: String },
    /// Numbers (none where the platform has none) of which nothing will change any more.
    Told(Vec<NumberRange>),
}

/// How a gap ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolution {
    Closed,
    Confirmed(String),
}

impl Machine {
    /// Opens a gap, or several at once, for every hole that none covers yet.
    pub(super) fn find_holes(&mut self, at: At) {
        let Some(ordering) = &self.ordering else {
            return;
        };
        let numbering = ordering.position().numbering;
        for hole in ordering.holes() {
            for range in uncovered(&self.gaps, numbering, hole) {
                let key = format!("{numbering}-{}", range.first);
                let extent = Extent::Hole { numbering, range };
                self.open_gap(at, key, extent, "SEQUENCE_HOLE", None, at.wall);
            }
        }
    }

    pub(super) fn open_gap(
        &mut self,
        at: At,
        key: String,
        extent: Extent,
        reason: &str,
        resolution: Option<Resolution>,
        start: WallTime,
    ) {
        self.stats.gap_suspected(self.session.as_str(), reason);
        self.losses
            .suspected(&key, &extent, reason, (start, at.wall));
        self.standing.has_news();
        let numbers = match &extent {
            Extent::Hole { range, .. } => Some(*range),
            Extent::Told(runs) => runs.first().copied(),
            Extent::Window { .. } => None,
        };
        let end = match &extent {
            Extent::Window { window, .. } => window.end,
            Extent::Hole { .. } | Extent::Told(_) => at.wall,
        };
        let topics = self.topics_in(&extent);
        let fact = Fact::new(Kind::GapSuspected)
            .reason(reason)
            .numbers(numbers);
        let fact = fact.times(start, end).topics(&topics);
        let index = self.fact(at, fact);
        let gap = Gap {
            key,
            extent,
            reason: reason.to_owned(),
            sequence: None,
            resolution,
            deadline: self
                .up
                .as_ref()
                .map(|_| at.now + self.timing.reorder_window.0),
        };
        let state_key = format!("{GAPS}{}", gap.key);
        if !Mistake::GapInMemoryAlone.is_made() {
            self.outbox
                .set(state_key, Some(gap_value(&gap)), Some(index));
        }
        self.outbox.await_gap(gap.key.clone(), index);
        self.gaps.push(gap);
    }

    fn topics_in(&self, extent: &Extent) -> Vec<String> {
        match extent {
            Extent::Window { family, .. } => self.topics_of(family),
            Extent::Hole { .. } | Extent::Told(_) => self.connector.topics().to_vec(),
        }
    }

    /// A gap of which nothing will change any more: suspected and confirmed.
    pub(super) fn tell_gap(
        &mut self,
        at: At,
        runs: Vec<NumberRange>,
        reason: &str,
        start: WallTime,
    ) {
        let key = format!("t-{}", self.facts.unique());
        let resolution = Some(Resolution::Confirmed(reason.to_owned()));
        self.open_gap(at, key, Extent::Told(runs), reason, resolution, start);
    }

    /// The suspicions of these gaps are durable.
    pub(super) fn gaps_numbered(&mut self, numbered: &[(String, Sequence)]) {
        for (key, sequence) in numbered {
            if let Some(gap) = self.gaps.iter_mut().find(|g| g.key == *key) {
                gap.sequence = Some(*sequence);
            }
        }
    }

    /// Ends every gap whose end is known. A closing fact needs the sequence of the suspicion, so it
    /// comes in a later commit.
    pub(super) fn settle_gaps(&mut self, at: At) {
        loop {
            self.close_filled();
            let ready = |g: &Gap| g.sequence.is_some() && g.resolution.is_some();
            let Some(index) = self.gaps.iter().position(ready) else {
                break;
            };
            let gap = self.gaps.remove(index);
            self.outbox.set(format!("{GAPS}{}", gap.key), None, None);
            self.end_gap(at, &gap);
            self.standing.has_news();
        }
        let open = self.gaps.iter().filter_map(|g| g.sequence).min();
        self.standing.open_gap(open);
        self.share.gaps_open(self.gaps.len());
    }

    fn close_filled(&mut self) {
        let Some(ordering) = &self.ordering else {
            return;
        };
        let current = ordering.position().numbering;
        for gap in self.gaps.iter_mut().filter(|g| g.resolution.is_none()) {
            if let Extent::Hole { numbering, range } = &gap.extent
                && *numbering == current
                && ordering.absent(*range).is_empty()
            {
                gap.resolution = Some(Resolution::Closed);
            }
        }
    }

    fn end_gap(&mut self, at: At, gap: &Gap) {
        let (Some(sequence), Some(resolution)) = (gap.sequence, &gap.resolution) else {
            return;
        };
        match resolution {
            Resolution::Closed => self.losses.closed(&gap.key),
            Resolution::Confirmed(reason) => self.losses.confirmed(&gap.key, reason, &[]),
        }
        match (resolution, &gap.extent) {
            (Resolution::Closed, Extent::Hole { range, .. }) => {
                self.say_closed(at, sequence, &gap.reason, Some(*range), None);
            }
            (Resolution::Closed, extent @ Extent::Window { window, .. }) => {
                let told = Some((window, self.topics_in(extent)));
                self.say_closed(at, sequence, &gap.reason, None, told);
            }
            (Resolution::Closed, Extent::Told(_)) => {
                self.say_closed(at, sequence, &gap.reason, None, None);
            }
            (Resolution::Confirmed(reason), Extent::Hole { numbering, range }) => {
                let current = self.ordering.as_ref().map(|o| o.position().numbering);
                if current == Some(*numbering) {
                    self.end_hole(at, sequence, &gap.key, reason, *range);
                } else {
                    self.say_confirmed(at, sequence, reason, Some(*range), None);
                }
            }
            (Resolution::Confirmed(reason), extent @ Extent::Window { window, .. }) => {
                let told = Some((window, self.topics_in(extent)));
                self.say_confirmed(at, sequence, reason, None, told);
            }
            (Resolution::Confirmed(reason), Extent::Told(runs)) => {
                if runs.is_empty() {
                    self.say_confirmed(at, sequence, reason, None, None);
                }
                for run in runs {
                    self.say_confirmed(at, sequence, reason, Some(*run), None);
                }
            }
        }
    }

    fn end_hole(
        &mut self,
        at: At,
        sequence: Sequence,
        key: &str,
        reason: &str,
        range: NumberRange,
    ) {
        let Some(ordering) = &mut self.ordering else {
            return;
        };
        let numbering = ordering.position().numbering;
        let absent = ordering.absent(range);
        let mut released = Vec::new();
        ordering.give_up(range, Some(sequence), &mut released);
        if absent.is_empty() {
            self.losses.closed(key);
            self.say_closed(at, sequence, reason, Some(range), None);
        } else {
            self.losses.confirmed(key, reason, &absent);
        }
        for run in absent {
            if !Mistake::GapWithoutRecord.is_made() {
                self.say_confirmed(at, sequence, reason, Some(run), None);
            }
        }
        self.position_moved = true;
        self.missing_moved = true;
        self.emit_released(at, numbering, released);
    }

    fn say_closed(
        &mut self,
        at: At,
        sequence: Sequence,
        reason: &str,
        numbers: Option<NumberRange>,
        window: Option<(&LossWindow, Vec<String>)>,
    ) {
        self.stats.gap_closed(self.session.as_str());
        let fact = Fact::new(Kind::GapClosed).closes(sequence);
        let fact = fact.reason(reason).numbers(numbers);
        let fact = match window {
            Some((window, topics)) => fact.times(window.start, window.end).topics(&topics),
            None => fact,
        };
        self.fact(at, fact);
    }

    fn say_confirmed(
        &mut self,
        at: At,
        sequence: Sequence,
        reason: &str,
        numbers: Option<NumberRange>,
        window: Option<(&LossWindow, Vec<String>)>,
    ) {
        self.stats.gap_confirmed(self.session.as_str(), reason);
        let fact = Fact::new(Kind::GapConfirmed)
            .closes(sequence)
            .reason(reason);
        let fact = fact.numbers(numbers);
        let fact = match window {
            Some((window, topics)) => fact.times(window.start, window.end).topics(&topics),
            None => fact.topics(self.connector.topics()),
        };
        self.fact(at, fact);
    }

    /// Waits no longer for a hole, for `reason`.
    pub(super) fn confirm_hole(&mut self, key: &str, reason: &str) {
        let mut gaps = self.gaps.iter_mut();
        if let Some(gap) = gaps.find(|g| g.key == key && g.resolution.is_none()) {
            gap.resolution = Some(Resolution::Confirmed(reason.to_owned()));
        }
    }

    /// Deadlines that passed, and buffers that are full: the wait ends early, lowest hole first.
    pub(super) fn gaps_due(&mut self, at: At, _out: &mut Actions) {
        for gap in &mut self.gaps {
            let due = gap.deadline.is_some_and(|deadline| deadline <= at.now);
            if due {
                gap.deadline = None;
            }
            let hole = matches!(gap.extent, Extent::Hole { .. });
            if due && hole && gap.resolution.is_none() {
                gap.resolution = Some(Resolution::Confirmed("NOT_FILLED".to_owned()));
            }
        }
        self.settle_gaps(at);
    }

    pub(super) fn relieve_full_buffer(&mut self, at: At) {
        while self.ordering.as_ref().is_some_and(super::Ordering::is_full) {
            let lowest = self
                .gaps
                .iter_mut()
                .filter(|g| g.resolution.is_none())
                .filter_map(|g| match &g.extent {
                    Extent::Hole { range, .. } => Some((range.first, &mut g.resolution)),
                    Extent::Window { .. } | Extent::Told(_) => None,
                })
                .min_by_key(|(first, _)| *first);
            let Some((_, resolution)) = lowest else {
                return;
            };
            *resolution = Some(Resolution::Confirmed("BUFFER_FULL".to_owned()));
            self.settle_gaps(at);
        }
    }

    /// The session is up again: what is open gets its full time.
    pub(super) fn resume_gaps(&mut self, at: At) {
        for gap in self.gaps.iter_mut().filter(|g| g.resolution.is_none()) {
            gap.deadline = Some(at.now + self.timing.reorder_window.0);
        }
        self.settle_gaps(at);
    }

    pub(super) fn pause_gaps(&mut self) {
        for gap in &mut self.gaps {
            gap.deadline = None;
        }
    }

    pub(super) fn gap_deadline(&self) -> Option<MonoTime> {
        self.gaps.iter().filter_map(|g| g.deadline).min()
    }
}

/// The parts of `hole` that no open gap covers.
fn uncovered(gaps: &[Gap], numbering: u64, hole: NumberRange) -> Vec<NumberRange> {
    let mut covered: Vec<NumberRange> = gaps
        .iter()
        .filter_map(|g| match &g.extent {
            Extent::Hole {
                numbering: n,
                range,
            } if *n == numbering => Some(*range),
            _ => None,
        })
        .collect();
    covered.sort_unstable();
    let mut free = Vec::new();
    let mut next = hole.first;
    for range in covered {
        if range.last < next || range.first > hole.last {
            continue;
        }
        if next < range.first {
            free.push(NumberRange {
                first: next,
                last: range.first - 1,
            });
        }
        next = range.last.saturating_add(1);
    }
    if next <= hole.last {
        free.push(NumberRange {
            first: next,
            last: hole.last,
        });
    }
    free
}
