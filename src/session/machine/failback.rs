//! Make before break: a successor beside the connection that works (U4, U5).

use super::io::{Actions, At, Generation};
use super::state::{Role, State, Successor, limits};
use super::{Machine, Next};

impl Machine {
    /// A successor is due.
    pub(super) fn successor_due(&mut self, at: At, role: Role, out: &mut Actions) {
        self.successor = Successor::None;
        match (&self.state, role) {
            (State::Polling(_), Role::Failback) if self.overlap_is_safe() => {
                self.attempt(at, Role::Failback, out);
            }
            // Two connections would not be safe: break before make, with its loss window.
            (State::Polling(_), Role::Failback) => {
                self.leave(at, "FAILBACK", out);
                self.begin(at, Next::Negotiate, out);
            }
            (State::Live(_), Role::Planned) => self.ask_for_attempt(Role::Planned, out),
            _ => {}
        }
    }

    /// Whether two connections may stand side by side (U4).
    fn overlap_is_safe(&self) -> bool {
        self.connector.capabilities().overlap
    }

    /// The platform will soon close the connection (U5).
    pub(super) fn closing_announced(&mut self, at: At, generation: Generation, out: &mut Actions) {
        let in_use = matches!(&self.state, State::Live(socket) if socket.generation == generation);
        if !in_use || !matches!(self.successor, Successor::None) {
            return;
        }
        if self.overlap_is_safe() {
            self.ask_for_attempt(Role::Planned, out);
        } else {
            self.retire(at, generation, out);
            self.state = State::Idle;
            let delay = std::time::Duration::ZERO;
            self.wait(at, delay, Next::Dial, "CLOSING_ANNOUNCED", out);
        }
    }

    /// A successor came to nothing (its attempt is already taken): later again, more rarely.
    pub(super) fn successor_failed(&mut self, at: At, role: Role) {
        let delay = match (role, &self.state) {
            (Role::Failback, State::Polling(_)) => {
                self.failback_pause = (self.failback_pause * 2).min(limits::LONGEST_FAILBACK);
                self.failback_pause
            }
            (Role::Planned, State::Live(_)) => self.timing.backoff.base.0 * 2,
            _ => return,
        };
        let delay = self.jittered(delay);
        self.successor = Successor::Due {
            at: at.now + delay,
            role,
        };
    }
}
