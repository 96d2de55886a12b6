//! [`RecentIds`]: the id hashes of the last minutes, and which segment still holds each. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use super::format::IdRun;
use crate::domain::WallTime;

/// Hashes within this time of a run's first join the run.
const RUN_SPAN: Duration = Duration::from_secs(1);
const RUN_LEN: usize = 4096;
/// Stands for "no segment": a commit's payload holds them.
const CARRIED: u64 = 0;

/// How far back duplicates are recognized, from the newest on: so long, and about so many. While nothing comes,
/// nothing is forgotten: what came last before an outage may be sent again after it, however long that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) age: Duration,
    pub(crate) count: usize,
}

/// Hashes in the order of their sequences, in runs that age together.
#[derive(Debug)]
pub(crate) struct RecentIds {
    window: Window,
    runs: VecDeque<Run>,
    count: usize,
}

#[derive(Debug)]
struct Run {
    generation: u64,
    first: WallTime,
    ids: IdRun,
}

impl RecentIds {
    pub(crate) fn new(window: Window) -> Self {
        Self {
            window,
            runs: VecDeque::new(),
            count: 0,
        }
    }

    /// Adds the hash of an event that stands in the segment `generation`.
    pub(crate) fn push(&mut self, generation: u64, time: WallTime, hash: u64) {
        self.count += 1;
        match self.runs.back_mut() {
            Some(run)
                if run.generation == generation
                    && run.ids.hashes.len() < RUN_LEN
                    && time.since(run.first) < RUN_SPAN =>
            {
                run.ids.time = time;
                run.ids.hashes.push(hash);
            }
            _ => self.runs.push_back(Run {
                generation,
                first: time,
                ids: IdRun {
                    time,
                    hashes: vec![hash],
                },
            }),
        }
        self.bound();
    }

    /// Adds runs as a segment's footer tells them.
    pub(crate) fn extend(&mut self, generation: u64, runs: Vec<IdRun>) {
        for ids in runs.into_iter().filter(|ids| !ids.hashes.is_empty()) {
            self.count += ids.hashes.len();
            self.runs.push_back(Run {
                generation,
                first: ids.time,
                ids,
            });
        }
        self.bound();
    }

    /// Adds runs as a commit's payload tells them.
    pub(crate) fn extend_carried(&mut self, runs: Vec<IdRun>) {
        self.extend(CARRIED, runs);
    }

    /// Forgets what is outside the window. Whole runs leave, and by their number only while enough is left: to
    /// take single hashes out of a run costs as much as the run is long.
    fn bound(&mut self) {
        let Some(newest) = self.runs.back().map(|run| run.ids.time) else {
            return;
        };
        let horizon = newest.minus(self.window.age);
        while let Some(run) = self.runs.front()
            && (run.ids.time < horizon || self.count - run.ids.hashes.len() >= self.window.count)
        {
            self.count -= run.ids.hashes.len();
            self.runs.pop_front();
        }
    }

    /// The runs that stand in a segment.
    pub(crate) fn of(&self, generation: u64) -> Vec<IdRun> {
        let of = self.runs.iter().filter(|run| run.generation == generation);
        of.map(|run| run.ids.clone()).collect()
    }

    /// The runs whose segments are gone.
    pub(crate) fn carried(&self) -> Vec<IdRun> {
        self.of(CARRIED)
    }

    /// From now on the runs of this segment are held by a commit's payload.
    pub(crate) fn carry(&mut self, generation: u64) {
        for run in self
            .runs
            .iter_mut()
            .filter(|run| run.generation == generation)
        {
            run.generation = CARRIED;
        }
    }

    /// Every hash, oldest first.
    pub(crate) fn all(&self) -> Vec<u64> {
        let mut all = Vec::with_capacity(self.count);
        for run in &self.runs {
            all.extend_from_slice(&run.ids.hashes);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent(age: u64, count: usize) -> RecentIds {
        RecentIds::new(Window {
            age: Duration::from_secs(age),
            count,
        })
    }

    fn at(seconds: u64) -> WallTime {
        WallTime::from_millis(seconds * 1000)
    }

    #[test]
    fn hashes_leave_by_age_and_by_count() {
        let mut ids = recent(10, 4);
        for second in 1..=4 {
            ids.push(1, at(second), second);
            ids.push(1, at(second), second + 100);
        }
        assert_eq!(ids.all(), [3, 103, 4, 104]);
        ids.push(1, at(14), 14);
        assert_eq!(ids.all(), [4, 104, 14]);
        ids.push(1, at(25), 25);
        assert_eq!(ids.all(), [25], "ten seconds before the newest");
    }

    #[test]
    fn carried_runs_keep_their_place() {
        let mut ids = recent(100, 100);
        ids.push(1, at(1), 11);
        ids.push(2, at(1), 21);
        ids.push(3, at(5), 31);
        ids.carry(1);
        assert_eq!(ids.carried().len(), 1);
        assert_eq!(ids.of(1), []);
        assert_eq!(ids.all(), [11, 21, 31]);
        ids.extend(4, ids.of(3));
        assert_eq!(ids.all(), [11, 21, 31, 31]);
    }
}
