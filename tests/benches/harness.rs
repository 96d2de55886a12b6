//! Measures contenders in turn and judges them beside the first.

use std::time::Duration;

use crate::effort::Effort;
use crate::figure::{Sample, Unit};

type Run = Box<dyn FnMut(&Effort) -> anyhow::Result<Sample>>;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// What the others are compared with, where it comes first, or what is nice to know.
    Anchor,
    Tieline,
    /// A program of others.
    Peer,
}

/// Something that is measured.
pub(crate) struct Contender {
    pub(crate) name: String,
    role: Role,
    goals: Vec<Goal>,
    run: Run,
    samples: Vec<Sample>,
    /// Why not, of a peer.
    pub(crate) not_run: Option<String>,
}

impl Contender {
    /// Tieline.
    pub(crate) fn tieline(
        name: impl Into<String>,
        run: impl FnMut(&Effort) -> anyhow::Result<Sample> + 'static,
    ) -> Self {
        Self::new(Role::Tieline, name, run)
    }

    /// A bare program, or Tieline with less to do.
    pub(crate) fn anchor(
        name: impl Into<String>,
        run: impl FnMut(&Effort) -> anyhow::Result<Sample> + 'static,
    ) -> Self {
        Self::new(Role::Anchor, name, run)
    }

    /// A program of others, which may be missing.
    pub(crate) fn peer(
        name: impl Into<String>,
        run: impl FnMut(&Effort) -> anyhow::Result<Sample> + 'static,
    ) -> Self {
        Self::new(Role::Peer, name, run)
    }

    fn new(
        role: Role,
        name: impl Into<String>,
        run: impl FnMut(&Effort) -> anyhow::Result<Sample> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            role,
            goals: Vec::new(),
            run: Box::new(run),
            samples: Vec::new(),
            not_run: None,
        }
    }

    /// What the design asks of a figure: of Tieline's beside the first contender's; at a peer, of the
    /// first of Tieline's beside the peer's.
    pub(crate) fn goal(mut self, figure: &'static str, bound: Bound) -> Self {
        self.goals.push(Goal { figure, bound });
        self
    }

    /// Whether it is a program of others.
    pub(crate) fn is_peer(&self) -> bool {
        self.role == Role::Peer
    }

    /// Every value of a figure.
    pub(crate) fn column(&self, figure: &str) -> Vec<f64> {
        let figures = self.samples.iter().filter_map(|sample| {
            let mut own = sample.figures().iter();
            own.find(|own| own.name == figure)
        });
        figures.map(|figure| figure.value).collect()
    }

    /// What is measured of it.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (&'static str, Unit)> {
        let first = self.samples.first().into_iter();
        first.flat_map(|sample| sample.figures().iter().map(|f| (f.name, f.unit)))
    }

    fn measure(&mut self, effort: &Effort, counts: bool) -> anyhow::Result<()> {
        if self.not_run.is_some() {
            return Ok(());
        }
        match (self.run)(effort) {
            Ok(sample) if counts => self.samples.push(sample),
            Ok(_) => {}
            Err(error) if self.role == Role::Peer => {
                self.samples.clear();
                self.not_run = Some(format!("{error:#}"));
            }
            Err(error) => return Err(error.context(self.name.clone())),
        }
        Ok(())
    }
}

/// What the design asks of one figure.
struct Goal {
    figure: &'static str,
    bound: Bound,
}

/// How a figure is to stand to another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// So many times the other, at least.
    Times(f64),
    /// So many times the other, at most.
    Within(f64),
    /// So much more than the other, at most; in microseconds, bytes or cores.
    Above(f64),
    /// So much, at most, whatever the other.
    Most(f64),
}

/// A figure beside its goal.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// Which figure.
    pub(crate) figure: &'static str,
    /// The goal in words: `≥ 0.70 ×`.
    pub(crate) goal: String,
    /// What there is, in the same words: `0.34 ×`.
    pub(crate) reached: String,
    pub(crate) met: bool,
    /// Of a ratio, the ratio; of an amount, its share of what is allowed.
    pub(crate) ratio: f64,
    /// Where the goal stands on the same scale.
    pub(crate) mark: f64,
    /// Whether more is better.
    pub(crate) more: bool,
}

/// How often contenders are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rounds {
    /// As [`Effort::rounds`] says, after one to warm up.
    Many,
    /// So often, without warming up, because each takes long or hardly varies; once if quick.
    Few(usize),
}

/// Contenders for one figure; the first is the ceiling, unless nothing but an amount is asked for.
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) rounds: Rounds,
    pub(crate) contenders: Vec<Contender>,
}

impl Row {
    /// A row that is measured [`Rounds::Many`] times.
    pub(crate) fn new(title: impl Into<String>, contenders: Vec<Contender>) -> Self {
        Self {
            title: title.into(),
            rounds: Rounds::Many,
            contenders,
        }
    }

    /// The same, so often.
    pub(crate) fn few(mut self, rounds: usize) -> Self {
        self.rounds = Rounds::Few(rounds);
        self
    }

    /// Runs every contender in turn.
    pub(crate) fn measure(&mut self, effort: &Effort) -> anyhow::Result<()> {
        let count = self.contenders.len();
        let (first, rounds) = match self.rounds {
            Rounds::Many => (0, effort.rounds()),
            Rounds::Few(_) if effort.quick => (1, 1),
            Rounds::Few(rounds) => (1, rounds),
        };
        for round in first..=rounds {
            for turn in 0..count {
                // Another one begins each round, so that none always follows the same neighbour.
                if let Some(contender) = self.contenders.get_mut((round + turn) % count) {
                    contender.measure(effort, round > 0)?;
                }
            }
        }
        Ok(())
    }

    /// The first contender, for those who come after it.
    pub(crate) fn anchor_of(&self, contender: &Contender) -> Option<&Contender> {
        let first = self.contenders.first();
        first.filter(|first| !std::ptr::eq(*first, contender))
    }

    /// The contender's goals and what became of them.
    pub(crate) fn verdicts<'a>(
        &'a self,
        contender: &'a Contender,
    ) -> impl Iterator<Item = Verdict> + 'a {
        let mut ours = self.contenders.iter();
        let (own, other) = match contender.role {
            Role::Peer => (ours.find(|c| c.role == Role::Tieline), Some(contender)),
            Role::Anchor | Role::Tieline => (Some(contender), self.anchor_of(contender)),
        };
        let is_measured = !contender.samples.is_empty();
        let goals = contender.goals.iter().filter(move |_| is_measured);
        goals.filter_map(move |goal| judge(goal, own?, other))
    }
}

fn judge(goal: &Goal, own: &Contender, other: Option<&Contender>) -> Option<Verdict> {
    let figure = goal.figure;
    let unit = own.figures().find(|(name, _)| *name == figure)?.1;
    let own = own.column(figure);
    let other = other.map(|other| other.column(figure)).unwrap_or_default();
    let (ratio, more) = (ratio(&own, &other), difference(&own, &other));
    let verdict = |goal, reached, met, ratio, mark, more| Verdict {
        figure,
        goal,
        reached,
        met,
        ratio,
        mark,
        more,
    };
    let times = |value: f64| format!("{value:.2} ×");
    Some(match goal.bound {
        Bound::Times(least) => {
            let goal = format!("≥ {}", times(least));
            verdict(goal, times(ratio), ratio >= least, ratio, least, true)
        }
        Bound::Within(most) => {
            let goal = format!("≤ {}", times(most));
            verdict(goal, times(ratio), ratio <= most, ratio, most, false)
        }
        Bound::Above(most) => {
            let goal = format!("≤ {}", unit.show_more(most));
            let reached = unit.show_more(more);
            verdict(goal, reached, more <= most, more / most, 1.0, false)
        }
        Bound::Most(most) => {
            let value = median(own);
            // Of nothing that is allowed, anything is too much.
            let share = if most == 0.0 {
                1.0 + value
            } else {
                value / most
            };
            let goal = format!("≤ {}", unit.show(most));
            verdict(goal, unit.show(value), value <= most, share, 1.0, false)
        }
    })
}

/// The median of the ratios within a turn.
pub(crate) fn ratio(own: &[f64], other: &[f64]) -> f64 {
    median(own.iter().zip(other).map(|(a, b)| a / b).collect())
}

/// The median of the differences within a turn.
pub(crate) fn difference(own: &[f64], other: &[f64]) -> f64 {
    median(own.iter().zip(other).map(|(a, b)| a - b).collect())
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Microseconds, as a bound is given.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// What a contender keeps from sample to sample, made when it is first needed.
pub(crate) fn kept<T>(
    slot: &mut Option<T>,
    make: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<&mut T> {
    match slot {
        Some(made) => Ok(made),
        None => Ok(slot.insert(make()?)),
    }
}
