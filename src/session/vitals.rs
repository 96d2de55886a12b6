//! [`Vitals`]: what operators are shown of a session beyond what the API says, and the [`Story`] of its
//! states. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::WallTime;
use crate::proto::v1;
use crate::proto::v1::session::State;

/// Transitions that are kept of one session.
pub const MOST_TRANSITIONS: usize = 200;

/// What a session posts beside its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vitals {
    /// What its machine does, in a word of the audit log.
    pub phase: &'static str,
    /// Attempts in a row that failed.
    pub failed_attempts: u32,
    /// When it tries again, while it waits.
    pub next_attempt: Option<WallTime>,
    /// Topics that the connection in use does not bring.
    pub rejected_topics: u32,
    /// Its latest gaps and loss windows, oldest first.
    pub losses: Arc<[Loss]>,
}

/// Something that may be, or is, missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Names it within the session.
    pub key: Arc<str>,
    /// Whether it is known what became of it.
    pub outcome: Outcome,
    /// Why, in a word.
    pub reason: Arc<str>,
    /// The platform's own numbers, first and last, where it numbers.
    pub numbers: Option<(u64, u64)>,
    /// The time that it is about; from when it was noticed where that is not known.
    pub start: WallTime,
    /// Likewise.
    pub end: WallTime,
}

/// What became of a suspected loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Events may still come.
    Suspected,
    /// Everything was fetched, or there was nothing.
    Closed,
    /// It is lost.
    Confirmed,
}

impl Outcome {
    /// As a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Closed => "closed",
            Self::Confirmed => "confirmed",
        }
    }
}

/// A change of what a session shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub time: WallTime,
    /// What it showed before.
    pub from: State,
    /// What it shows since.
    pub to: State,
    /// By what it receives since.
    pub transport: v1::Transport,
    /// The reason that it gave; empty where it gave none.
    pub cause: String,
}

/// The latest transitions of one session. Bounded.
#[derive(Debug)]
pub struct Story {
    since: WallTime,
    state: State,
    transport: v1::Transport,
    reason: String,
    transitions: VecDeque<Transition>,
}

impl Story {
    /// A story that begins now.
    #[must_use]
    pub fn new(now: WallTime, first: &v1::Session) -> Self {
        Self {
            since: now,
            state: first.state(),
            transport: first.transport(),
            reason: first.reason.clone(),
            transitions: VecDeque::new(),
        }
    }

    /// Since when the session shows the state that it shows.
    #[must_use]
    pub fn since(&self) -> WallTime {
        self.since
    }

    /// Its transitions, oldest first.
    #[must_use]
    pub fn transitions(&self) -> &VecDeque<Transition> {
        &self.transitions
    }

    /// The session shows this now. A reason that is gone is no transition, one that is new is.
    pub fn goes_on(&mut self, now: WallTime, shown: &v1::Session) {
        let (state, transport) = (shown.state(), shown.transport());
        let moved = state != self.state || transport != self.transport;
        let says = !shown.reason.is_empty() && shown.reason != self.reason;
        shown.reason.clone_into(&mut self.reason);
        if !moved && !says {
            return;
        }
        if self.transitions.len() == MOST_TRANSITIONS {
            self.transitions.pop_front();
        }
        self.transitions.push_back(Transition {
            time: now,
            from: self.state,
            to: state,
            transport,
            cause: shown.reason.clone(),
        });
        if state != self.state {
            self.since = now;
        }
        (self.state, self.transport) = (state, transport);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(state: State, reason: &str) -> v1::Session {
        v1::Session {
            state: state.into(),
            reason: reason.to_owned(),
            ..v1::Session::default()
        }
    }

    #[test]
    fn a_story_tells_each_change_once_with_its_cause() {
        let at = WallTime::from_millis;
        let mut story = Story::new(at(1), &shown(State::Connecting, ""));
        story.goes_on(at(2), &shown(State::Active, ""));
        story.goes_on(at(3), &shown(State::Active, ""));
        story.goes_on(at(4), &shown(State::Reconnecting, "RESET"));
        story.goes_on(at(5), &shown(State::Reconnecting, ""));
        story.goes_on(at(6), &shown(State::Reconnecting, "REFUSED"));
        let told: Vec<_> = story
            .transitions()
            .iter()
            .map(|t| (t.time.as_millis(), t.from, t.to, t.cause.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (2, State::Connecting, State::Active, ""),
                (4, State::Active, State::Reconnecting, "RESET"),
                (6, State::Reconnecting, State::Reconnecting, "REFUSED"),
            ]
        );
        assert_eq!(story.since(), at(4));
    }

    #[test]
    fn a_story_keeps_its_latest_transitions_alone() {
        let mut story = Story::new(WallTime::default(), &shown(State::Connecting, ""));
        for n in 0..500_u64 {
            let reason = n.to_string();
            story.goes_on(WallTime::from_millis(n), &shown(State::Degraded, &reason));
        }
        assert_eq!(story.transitions().len(), MOST_TRANSITIONS);
        assert_eq!(story.transitions().back().unwrap().cause, "499");
    }
}
