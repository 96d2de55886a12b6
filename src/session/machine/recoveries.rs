//! [`Recoveries`]: the loss windows that REST is asked about, and the live events that wait for it.

use std::collections::{HashSet, VecDeque};

use super::holding::{LiveEvents, Waiting};
use super::io::{At, CallId};
use crate::connectors::{LossWindow, Recoverer};
use crate::runtime::MonoTime;
use crate::session::outbound::queue::Asked;

/// The windows that REST is asked about.
#[derive(Debug, Default)]
pub(super) struct Recoveries {
    /// The one whose turn it is.
    pub(super) asking: Option<Recovering>,
    pub(super) waiting: VecDeque<Recovering>,
}

/// What REST is asked about: one window of a family, or all that are open where the answer is the
/// present state, for that says as much of each.
#[derive(Debug)]
pub(super) struct Recovering {
    pub(super) family: String,
    /// Its gap records, oldest first.
    pub(super) keys: Vec<String>,
    /// From the start of the first to the end of the last.
    pub(super) window: LossWindow,
    /// What the history is asked about, for what was sent.
    pub(super) asked: Asked,
    pub(super) recoverer: Box<dyn Recoverer>,
    pub(super) phase: Phase,
    pub(super) failures: u32,
    pub(super) live: LiveEvents,
    /// Tracked things that changed after the window opened.
    pub(super) changed: HashSet<(String, String)>,
    /// Tracked things that the answers listed.
    pub(super) listed: HashSet<(String, String)>,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// REST may lag behind the events until then.
    Lagging(MonoTime),
    Token,
    Asked {
        call: CallId,
        token: u64,
    },
    Later(MonoTime),
}

impl Recoveries {
    pub(super) fn is_empty(&self) -> bool {
        self.asking.is_none() && self.waiting.is_empty()
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Recovering> {
        self.asking.iter_mut().chain(&mut self.waiting)
    }

    /// Those that a live event of this family concerns.
    pub(super) fn of_family(&mut self, family: &str) -> impl Iterator<Item = &mut Recovering> {
        self.all().filter(move |r| r.family == family)
    }

    /// Where live events of this family wait, if they do.
    pub(super) fn holding(&mut self, family: &str) -> Option<&mut Waiting> {
        self.of_family(family).find_map(|r| match &mut r.live {
            LiveEvents::Held(waiting) => Some(waiting),
            LiveEvents::Pass | LiveEvents::Moved(_) => None,
        })
    }

    fn waits(&self) -> impl Iterator<Item = &Waiting> {
        let all = self.asking.iter().chain(&self.waiting);
        all.filter_map(|r| match &r.live {
            LiveEvents::Held(waiting) => Some(waiting),
            LiveEvents::Pass | LiveEvents::Moved(_) => None,
        })
    }

    /// How many events are held, and their bytes.
    pub(super) fn held(&self) -> (usize, usize) {
        self.waits().fold((0, 0), |(events, bytes), waiting| {
            (events + waiting.len(), bytes + waiting.bytes())
        })
    }

    pub(super) fn held_since(&self) -> Option<At> {
        self.waits()
            .filter_map(Waiting::since)
            .min_by_key(|at| at.now)
    }

    pub(super) fn concerns(&self, key: &str) -> bool {
        let mut all = self.asking.iter().chain(&self.waiting);
        all.any(|r| r.keys.iter().any(|own| own == key))
    }

    /// Takes out the one that holds back the family's live events.
    pub(super) fn take_holding(&mut self, family: &str) -> Option<Recovering> {
        let own = |r: &Recovering| r.family == family && !matches!(r.live, LiveEvents::Pass);
        if self.asking.as_ref().is_some_and(own) {
            return self.asking.take();
        }
        let index = self.waiting.iter().position(own)?;
        self.waiting.remove(index)
    }
}

impl Recovering {
    pub(super) fn call(&self) -> Option<CallId> {
        match self.phase {
            Phase::Asked { call, .. } => Some(call),
            Phase::Lagging(_) | Phase::Token | Phase::Later(_) => None,
        }
    }

    pub(super) fn due(&self) -> Option<MonoTime> {
        match self.phase {
            Phase::Lagging(due) | Phase::Later(due) => Some(due),
            Phase::Token | Phase::Asked { .. } => None,
        }
    }
}
