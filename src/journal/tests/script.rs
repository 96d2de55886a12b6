//! [`Script`]: a fixed life of a journal, and what it holds after each of its commits.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::kit::{KEEP_ALL, Shape, draft, events};
use crate::domain::Sequence;
use crate::journal::erasure::PREFIX;
use crate::journal::retention::Retention;
use crate::journal::{Commit, Erasure, StateDelta, StateEntry, id_hash};
use crate::proto::v1;
use crate::runtime::Rng;

/// Length of a segment: the script fills more than twenty.
pub(super) const SEGMENT: u64 = 4_096;

/// By size while it is busy, by age while it is idle.
pub(super) const RETENTION: Retention = Retention {
    max_bytes: Some(14_000),
    max_age: Some(std::time::Duration::from_secs(120)),
    ..KEEP_ALL
};

/// What is done in one process, from opening the journal to its end.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) steps: Vec<Step>,
    /// Whether it closes the journal in order.
    pub(super) closes: bool,
}

/// One thing that a process does.
#[derive(Debug)]
pub(super) enum Step {
    /// These commits, all at once.
    Append(Range<usize>),
    /// The erasure of this number.
    Erase(usize),
    /// So many seconds in which nobody wants anything.
    Pass(u64),
}

/// Lives of one journal, one after the other: it is made, filled, rolled by size and by age, trimmed by
/// size and by age, closed in order and not, opened again after either.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) lives: Vec<Life>,
    commits: Vec<Planned>,
    erasures: Vec<Erasure>,
    /// After no commit, the first, the second.
    holdings: Vec<Holding>,
    /// The event of each sequence, from the first.
    events: Vec<v1::Event>,
    id_hashes: Vec<u64>,
}

/// A commit: the number of its first event, and what it is to look like.
#[derive(Debug)]
struct Planned {
    first: u64,
    shape: Shape,
}

/// What the journal holds after a commit, unless retention has taken it.
#[derive(Debug, Default, Clone)]
pub(super) struct Holding {
    pub(super) latest: u64,
    pub(super) state: BTreeMap<String, (Bytes, u64)>,
}

impl Script {
    /// The script whose events have the sizes that the seed says; zero is the one that is written
    /// here.
    pub(super) fn of(seed: u64) -> Self {
        let rng = Rng::from_seed(seed);
        let mut script = Self {
            lives: Vec::new(),
            commits: Vec::new(),
            erasures: Vec::new(),
            holdings: vec![Holding::default()],
            events: Vec::new(),
            id_hashes: Vec::new(),
        };
        for (scenes, closes) in lives() {
            let steps = scenes.into_iter().map(|scene| match scene {
                Scene::Pass(seconds) => Step::Pass(seconds),
                Scene::Erase(back, keys) => {
                    let latest = script.holding(script.commits.len()).latest;
                    let at = |back: &u64| Sequence::new(latest.saturating_sub(*back));
                    script.erasures.push(Erasure {
                        events: back.iter().map(at).collect(),
                        state: keys.iter().map(|key| format!("k{key}")).collect(),
                    });
                    Step::Erase(script.erasures.len() - 1)
                }
                Scene::Append(shapes) => {
                    let first = script.commits.len();
                    for mut shape in shapes {
                        let vary = |size: &mut usize| *size = *size * rng.below(160) as usize / 100;
                        shape.events.iter_mut().filter(|_| seed > 0).for_each(vary);
                        script.plan(shape);
                    }
                    Step::Append(first..script.commits.len())
                }
            });
            let steps = steps.collect();
            script.lives.push(Life { steps, closes });
        }
        // For whoever goes on where the script has ended.
        for size in [70, 0, 700] {
            script.plan(events(&[size]));
        }
        script
    }

    fn plan(&mut self, shape: Shape) {
        let mut holding = self.holding(self.commits.len()).clone();
        let first = holding.latest + 1;
        holding.latest += shape.events.len() as u64;
        for (id, size) in (first..).zip(&shape.events) {
            let event = draft(id, *size);
            self.id_hashes.push(id_hash(&event.source, &event.id));
            self.events.push(event);
        }
        let planned = Planned { first, shape };
        for delta in planned.state() {
            let sequence = delta.event.map_or(0, |at| first + at as u64);
            match delta.value {
                Some(value) => drop(holding.state.insert(delta.key, (value, sequence))),
                None => drop(holding.state.remove(&delta.key)),
            }
        }
        self.commits.push(planned);
        self.holdings.push(holding);
    }

    /// What the journal holds after so many commits.
    pub(super) fn holding(&self, commits: usize) -> &Holding {
        &self.holdings[commits]
    }

    /// How many commits there may be at most where so many were answered: those asked for together
    /// with the next one may be there, too.
    pub(super) fn most(&self, answered: usize) -> usize {
        let steps = self.lives.iter().flat_map(|life| &life.steps);
        let ends = steps.filter_map(|step| match step {
            Step::Append(range) if range.contains(&answered) => Some(range.end),
            Step::Append(_) | Step::Erase(_) | Step::Pass(_) => None,
        });
        let after_the_end = (answered + 1).min(self.commits.len());
        ends.max().unwrap_or(after_the_end)
    }

    /// The commit of this number, from zero.
    pub(super) fn commit(&self, number: usize) -> Commit {
        let planned = &self.commits[number];
        let first = usize::try_from(planned.first - 1).unwrap();
        Commit {
            events: self.events[first..first + planned.shape.events.len()].to_vec(),
            state: planned.state(),
        }
    }

    /// The erasure of this number, from zero.
    pub(super) fn erasure(&self, number: usize) -> &Erasure {
        &self.erasures[number]
    }

    /// The event of this sequence.
    pub(super) fn event(&self, sequence: Sequence) -> &v1::Event {
        &self.events[usize::try_from(sequence.get() - 1).unwrap()]
    }

    /// The id hashes of its first events.
    pub(super) fn id_hashes(&self, latest: u64) -> &[u64] {
        &self.id_hashes[..usize::try_from(latest).unwrap()]
    }
}

impl Planned {
    fn state(&self) -> Vec<StateDelta> {
        let delta = |(key, is_set): &(u8, bool)| StateDelta {
            key: format!("k{key}"),
            value: is_set.then(|| Bytes::from(format!("v{}", self.first))),
            event: self.shape.events.len().checked_sub(1),
        };
        self.shape.state.iter().map(delta).collect()
    }
}

impl Holding {
    /// Whether this is the state, but for keys that may have been erased.
    pub(super) fn has(&self, state: &[StateEntry], erased: &[String]) -> bool {
        let kept = |key: &String| !key.starts_with(PREFIX) && !erased.contains(key);
        let found = state.iter().filter(|entry| kept(&entry.key)).map(|entry| {
            let value = (entry.value.clone(), entry.sequence.get());
            (entry.key.clone(), value)
        });
        let mut own = self.state.clone();
        own.retain(|key, _| kept(key));
        found.eq(own)
    }
}

enum Scene {
    Append(Vec<Shape>),
    /// Events by how far they are behind the end, farthest first; keys that are not set again.
    Erase(Vec<u64>, &'static [u8]),
    Pass(u64),
}

fn lives() -> [(Vec<Scene>, bool); 5] {
    use Scene::{Append, Erase, Pass};
    let shape = |events: &[usize], state: &[(u8, bool)]| Shape {
        events: events.to_vec(),
        state: state.to_vec(),
    };
    let made = vec![
        Append(vec![events(&[10]), events(&[700, 20])]),
        Append(vec![shape(&[30], &[(1, true), (2, true)])]),
        Append(vec![events(&[]), events(&[1_500])]),
        Append(vec![events(&[1_200]), events(&[5; 30])]),
        // In two segments and more, the one that is written among them, with a key.
        Erase((0..=33).rev().filter(|back| back % 3 == 0).collect(), &[2]),
        Append(vec![shape(&[600, 600], &[(1, false), (3, true)])]),
        Append(vec![events(&[3_000])]),
        Pass(11),
        Append(vec![events(&[100]), events(&[100])]),
        Pass(1),
        Append(vec![events(&[900, 900])]),
        Append(vec![events(&[1_900]), shape(&[], &[(4, true)])]),
        Append(vec![events(&[50; 20])]),
    ];
    let trimmed = vec![
        Append(vec![shape(&[300], &[(1, true)])]),
        Append(vec![events(&[900, 900]), events(&[800])]),
        // Some of these were deleted by retention, some were erased before.
        Erase((0..=60).rev().filter(|back| back % 4 < 2).collect(), &[]),
        Append(vec![events(&[900, 900])]),
        Append(vec![events(&[900, 900])]),
        Append(vec![events(&[20; 40]), shape(&[9], &[(2, false)])]),
    ];
    let recovered = vec![
        Append(vec![events(&[500])]),
        // Larger than a segment.
        Append(vec![events(&[6_000])]),
        Erase(vec![1, 0], &[]),
        Append(vec![events(&[40]), events(&[40])]),
        Pass(150),
        Append(vec![shape(&[200, 10, 10], &[(5, true)])]),
    ];
    let busy = vec![
        Append(vec![events(&[1_000]), events(&[1_000]), events(&[1_000])]),
        Append(vec![events(&[15; 60])]),
        Append(vec![events(&[2_500])]),
        Append(vec![shape(&[700], &[(5, false), (6, true)])]),
    ];
    let last = vec![Append(vec![events(&[10])]), Pass(1)];
    [
        (made, true),
        (trimmed, false),
        (recovered, true),
        (busy, false),
        (last, true),
    ]
}
