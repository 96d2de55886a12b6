//! Make before break: a successor beside the connection that works (U4, U5).

use std::time::Duration;

use super::io::{Actions, At};
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
            // Another path: whether it lets WebSockets through is found out without a credential.
            (State::Live(_), Role::Beside) if self.endpoints.moving => self.attempt(at, role, out),
            (State::Live(_), Role::Beside) => self.ask_for_attempt(Role::Beside, out),
            _ => {}
        }
    }

    /// Whether two connections may stand side by side (U4).
    fn overlap_is_safe(&self) -> bool {
        self.connector.capabilities().overlap
    }

    /// A successor came to nothing (its attempt is already taken): later again, more rarely.
    pub(super) fn successor_failed(&mut self, at: At, role: Role) {
        let delay = match role {
            Role::Failback => {
                // The poll goes on, and its cursor is the newer one.
                self.keeping.forget_next();
                self.failback_pause = (self.failback_pause * 2).min(limits::LONGEST_FAILBACK);
                self.jittered(self.failback_pause)
            }
            Role::Beside => {
                if self.endpoints.moving {
                    self.endpoint_failed();
                }
                self.beside_backoff.next_delay(self.rng.unit())
            }
            Role::Primary => return,
        };
        self.successor_after(at, role, delay);
    }

    /// Tries again after this delay, if there is still something to stand beside.
    pub(super) fn successor_after(&mut self, at: At, role: Role, delay: Duration) {
        let beside = match role {
            Role::Failback => matches!(self.state, State::Polling(_)),
            Role::Beside => matches!(self.state, State::Live(_)),
            Role::Primary => false,
        };
        if beside {
            let at = at.now + delay;
            self.successor = Successor::Due { at, role };
        }
    }

    /// An attempt beside a connection that works is over: whatever it was, that goes on.
    pub(super) fn successor_over(&mut self, at: At, role: Role, out: &mut Actions) {
        if let Some(attempt) = self.take_attempt(role) {
            self.abandon(at, attempt, out);
            self.successor_failed(at, role);
        }
    }

    /// The platform would take this connection at another's expense: tried again slowly.
    pub(super) fn yields(&mut self, at: At, role: Role, reason: &str, out: &mut Actions) {
        match role {
            Role::Primary => self.suspend(at, reason, out),
            Role::Failback => self.successor_failed(at, role),
            Role::Beside => {
                self.standing.no_companion(reason);
                let delay = self.spread(limits::SUSPENDED_RETRY);
                self.successor_after(at, role, delay);
            }
        }
    }
}
