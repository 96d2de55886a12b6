//! The end of a chain of polls, and what comes beside it.

use super::Machine;
use super::ends::End;
use super::io::{Action, Actions, At};
use super::keeping::Place;
use super::live_poll::PollPhase;
use super::state::{Role, State, Successor};
use crate::connectors::Control;

/// What a batch says of the end of the subscription.
pub(super) enum PollEnd {
    Lost,
    Over(End),
}

impl PollEnd {
    pub(super) fn of(control: &Control) -> Option<Self> {
        match control {
            Control::SubscriptionLost { .. } => Some(Self::Lost),
            other => End::of(other).map(Self::Over),
        }
    }
}

impl Machine {
    /// The poll under way asks after a number that no longer means anything: ask anew.
    pub(super) fn poll_from_start(&mut self, out: &mut Actions) {
        self.stop_polling(out);
        if let Some(polling) = self.polling() {
            polling.phase = PollPhase::Committing;
        }
    }

    /// The chain is over: what it leaves is kept. The caller enters the state that follows.
    pub(super) fn end_polling(&mut self, at: At, out: &mut Actions) {
        self.poll_over(None);
        self.stop_polling(out);
        if let State::Polling(polling) = &self.state {
            self.overlap.end(at.now, polling.generation);
            self.state = State::Idle;
        }
    }

    /// Tells the chain, once, how it ended.
    pub(super) fn poll_over(&mut self, status: Option<http::StatusCode>) {
        let Some(polling) = self.polling().filter(|polling| !polling.over) else {
            return;
        };
        polling.over = true;
        polling.link.over(status);
        let keep = polling.link.keep();
        self.keep(Place::FIRST, keep);
    }

    /// Forgets the request under way.
    pub(super) fn stop_polling(&mut self, out: &mut Actions) {
        if let State::Polling(polling) = &self.state
            && let Some(call) = polling.call()
        {
            out.push(Action::Cancel { call });
        }
    }

    /// While polling, a WebSocket is tried again now and then (U4).
    pub(super) fn schedule_failback(&mut self, at: At) {
        if self.transports().0 && matches!(self.successor, Successor::None) {
            let delay = self.jittered(self.failback_pause);
            self.successor = Successor::Due {
                at: at.now + delay,
                role: Role::Failback,
            };
        }
    }
}
