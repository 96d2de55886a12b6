//! While so much waits for the journal that nothing is read, the session says so; what is not heard
//! then is no silence of the platform (U41).

use std::time::Duration;

use super::Machine;
use super::io::At;
use super::live_poll::PollPhase;
use super::socket::Ping;
use super::state::{State, Successor};
use crate::runtime::MonoTime;

/// A shorter pause is how commits are gathered.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// Whether nothing is read.
#[derive(Debug, Default)]
pub(super) struct Deaf {
    since: Option<MonoTime>,
    said: bool,
}

impl Deaf {
    /// When it is worth a word.
    pub(super) fn due(&self) -> Option<MonoTime> {
        let since = self.since.filter(|_| !self.said)?;
        Some(since + WORTH_A_WORD)
    }
}

impl Machine {
    /// Why nothing is read, if nothing is.
    fn reads_nothing(&self) -> Option<&'static str> {
        let committing = |phase: &PollPhase| matches!(phase, PollPhase::Committing);
        match &self.state {
            State::Idle | State::Draining { .. } | State::Ended => None,
            _ if self.outbox.has_given_up() => None,
            _ if self.outbox.is_full() || self.outbox.is_stuck() => Some("JOURNAL_SLOW"),
            _ if self.holds_too_much() => Some("HELD_FOR_SNAPSHOT"),
            State::Polling(polling) if committing(&polling.phase) && !self.is_durable() => {
                Some("JOURNAL_SLOW")
            }
            _ => None,
        }
    }

    /// After each input: whether reading stopped, or goes on.
    pub(super) fn mind_reading(&mut self, at: At) {
        let reason = self.reads_nothing();
        let Some(reason) = reason else {
            if self.deaf.since.take().is_some() {
                self.listens_again(at);
            }
            if std::mem::take(&mut self.deaf.said) {
                self.standing.reads_nothing(None);
            }
            return;
        };
        let since = *self.deaf.since.get_or_insert(at.now);
        if at.now.saturating_duration_since(since) >= WORTH_A_WORD {
            if !std::mem::replace(&mut self.deaf.said, true) {
                self.stats.reading_stopped(self.session.as_str(), reason);
            }
            self.standing.reads_nothing(Some(reason));
        }
    }

    /// What came meanwhile is about to be read: until then nobody is taken for dead.
    fn listens_again(&mut self, at: At) {
        let patience = self.timing.pong_timeout.0;
        for generation in self.open_sockets() {
            if let Some(socket) = self.socket_mut(generation) {
                socket.link.unheard(at.now);
                if let Ping::Awaited { dead_at, .. } = &mut socket.ping {
                    *dead_at = (*dead_at).max(at.now + patience);
                }
            }
        }
    }

    /// Every open WebSocket, whatever it is for.
    pub(super) fn open_sockets(&self) -> Vec<super::Generation> {
        let mut generations = match &self.state {
            State::Live(live) => live.iter().map(|socket| socket.generation).collect(),
            State::Connecting(attempt) => vec![attempt.generation],
            _ => Vec::new(),
        };
        if let Successor::Trying(attempt) = &self.successor {
            generations.push(attempt.generation);
        }
        generations
    }
}
