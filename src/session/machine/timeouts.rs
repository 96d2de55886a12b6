//! When something is due, and what is done then.

use super::Machine;
use super::catch_up::CatchUp;
use super::io::{Action, Actions, At, CallId};
use super::live_poll::PollPhase;
use super::renumbering::Ground;
use super::socket::Socket;
use super::state::{Phase, Role, State, Successor};
use crate::net::{HttpFailure, HttpResponse};
use crate::runtime::MonoTime;

impl Machine {
    /// When [`Machine::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn next_timeout(&self) -> Option<MonoTime> {
        let state = match &self.state {
            State::Connecting(attempt) => attempt_due(attempt),
            State::Polling(polling) => match polling.phase {
                PollPhase::Paused { until } => Some(until),
                PollPhase::Token
                | PollPhase::SettingUp { .. }
                | PollPhase::InFlight { .. }
                | PollPhase::Committing => None,
            },
            State::Live(live) => live.iter().map(Socket::due).min(),
            State::Waiting { until, .. } if self.retiring.is_empty() => Some(*until),
            State::Draining { until } => Some(*until),
            State::Suspended { until, .. } => *until,
            State::Idle | State::Sifting(_) | State::Waiting { .. } | State::Ended => None,
        };
        let successor = match &self.successor {
            Successor::None => None,
            Successor::Due { at, .. } => Some(*at),
            Successor::Trying(attempt) => attempt_due(attempt),
        };
        let retiring = self.retiring.iter().map(|(_, until)| *until).min();
        let all = [
            state,
            successor,
            retiring,
            self.outbox.retry_at(),
            self.gap_deadline(),
            self.holes_at,
            self.catch_up_due().filter(|_| self.up.is_some()),
            self.coverage_timeout(),
            self.recovery_timeout(),
            self.doubt_due(),
            self.deaf.due(),
            self.sending_timeout(),
        ];
        all.into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, at: At, out: &mut Actions) {
        self.mind_clock(at);
        self.creations.turn(at);
        if self.outbox.retry_at().is_some_and(|due| due <= at.now) {
            self.outbox.resend(at.now, out);
        }
        for (generation, until) in std::mem::take(&mut self.retiring) {
            if until <= at.now {
                out.push(Action::Drop { generation });
            } else {
                self.retiring.push((generation, until));
            }
        }
        self.sockets_due(at, out);
        self.attempts_due(at, out);
        self.state_due(at, out);
        if self.holes_at.is_some_and(|due| due <= at.now) {
            self.holes_at = None;
            self.find_holes(at);
            self.catch_up_next(at, out);
        }
        if self.gap_deadline().is_some_and(|due| due <= at.now) {
            self.gaps_due(at, out);
        }
        if matches!(self.catch_up, CatchUp::Later(when) if when <= at.now) {
            self.catch_up_next(at, out);
        }
        if self.doubt_due().is_some_and(|due| due <= at.now) {
            self.ask_for_last_number(at, Ground::Silence, out);
        }
        self.coverage_due(at);
        self.recovery_due(at, out);
        self.sending_due(at, out);
        self.finish(at, out);
    }

    fn attempts_due(&mut self, at: At, out: &mut Actions) {
        let late = |attempt: &super::state::Attempt| {
            let late = attempt.deadline.is_some_and(|deadline| deadline <= at.now);
            late.then_some(attempt.role)
        };
        let primary = match &self.state {
            State::Connecting(attempt) => late(attempt),
            _ => None,
        };
        let (beside, due) = match &self.successor {
            Successor::Trying(attempt) => (late(attempt), None),
            Successor::Due { at: when, role } if *when <= at.now => (None, Some(*role)),
            Successor::None | Successor::Due { .. } => (None, None),
        };
        for role in primary.into_iter().chain(beside) {
            self.attempt_timed_out(at, role, out);
        }
        if let Some(role) = due {
            self.successor_due(at, role, out);
        }
    }

    fn state_due(&mut self, at: At, out: &mut Actions) {
        match &self.state {
            State::Waiting { until, next } if *until <= at.now && self.retiring.is_empty() => {
                let next = *next;
                self.begin(at, next, out);
            }
            State::Suspended {
                until: Some(until), ..
            } if *until <= at.now => {
                self.begin(at, super::Next::Negotiate, out);
            }
            State::Polling(polling) if matches!(polling.phase, PollPhase::Paused { until } if until <= at.now) =>
            {
                self.poll_pause_over(out);
            }
            State::Draining { until } if *until <= at.now => self.grace_over(at, out),
            _ => {}
        }
    }

    /// Hands an answer to whoever waits for it; one that nobody waits for is dropped.
    pub(super) fn answer_came(
        &mut self,
        at: At,
        call: CallId,
        result: Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        let setup = |attempt: &super::state::Attempt| match attempt.phase {
            Phase::SettingUp { call: own, .. } if own == call => Some(attempt.role),
            _ => None,
        };
        let role: Option<Role> = match (&self.state, &self.successor) {
            (State::Connecting(attempt), _) => setup(attempt),
            (_, Successor::Trying(attempt)) => setup(attempt),
            _ => None,
        };
        let call = Some(call);
        if let Some(role) = role {
            self.setup_answered(at, role, result, out);
        } else if matches!(&self.state, State::Polling(p) if p.call() == call) {
            self.poll_answered(at, result, out);
        } else if matches!(&self.state, State::Sifting(s) if s.call() == call) {
            self.sift_answered(at, result, out);
        } else if self.catch_up_call() == call {
            self.catch_up_answered(at, result, out);
        } else if self.renumbering_call() == call {
            self.renumbering_answered(at, &result, out);
        } else if self.recovery_call() == call {
            self.recovery_answered(at, result, out);
        } else if self.sending_call() == call {
            self.sent_answered(at, result, out);
        } else if let Some(generation) = call.and_then(|call| self.errand_of(call)) {
            self.errand_answered(at, generation, &result, out);
        }
    }

    /// Holes may have appeared: they are gaps at once, or after the time that order may be loose.
    pub(super) fn holes_appeared(&mut self, at: At) {
        let loose = self.connector.capabilities().loose_order;
        if loose.is_zero() {
            self.find_holes(at);
        } else if self
            .ordering
            .as_ref()
            .is_some_and(super::Ordering::is_holding)
        {
            self.holes_at.get_or_insert(at.now + loose);
        }
    }
}

fn attempt_due(attempt: &super::state::Attempt) -> Option<MonoTime> {
    match &attempt.phase {
        Phase::Subscribing(socket) => attempt.deadline.into_iter().chain([socket.due()]).min(),
        Phase::Probing | Phase::Token | Phase::SettingUp { .. } | Phase::Handshaking { .. } => {
            attempt.deadline
        }
    }
}
