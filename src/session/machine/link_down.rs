//! The session's connection as a whole: up, taken over, lost, waiting, suspended (U24, U30, U31).

use std::time::Duration;

use super::facts::Fact;
use super::io::{Action, Actions, At, Generation};
use super::state::{Attempt, Awaits, Phase, Role, State, Successor, limits};
use super::tokens::Purpose;
use super::{Machine, Next, Up};
use crate::connectors::Transport;
use crate::proto::v1::session_event::Kind;

impl Machine {
    /// A subscription stands where none stood before.
    pub(super) fn connected(&mut self, at: At, transport: Transport, out: &mut Actions) {
        self.up = Some(Up {
            transport,
            confirmed_at: at.now,
            backoff_before: self.backoff.clone(),
            strikes_before: self.tokens.strikes,
        });
        self.backoff.reset();
        self.tokens.strikes = 0;
        let session = self.session.as_str();
        let word = transport.to_proto().as_str_name();
        let again = self.last_transport.is_some();
        self.stats.connected(session, word, again);
        self.standing.connected(at.wall, transport, again);
        self.fact(at, Fact::new(Kind::Connected).transport(transport));
        if self.last_transport.is_some_and(|last| last != transport) {
            self.stats.transport_changed(self.session.as_str(), word);
            self.fact(at, Fact::new(Kind::TransportChanged).transport(transport));
        }
        self.last_transport = Some(transport);
        self.after_up(at, transport, out);
        self.open_loss_window(at, out);
    }

    /// A successor took over before the old connection ended: nothing was missed.
    pub(super) fn taken_over(&mut self, at: At, transport: Transport, out: &mut Actions) {
        let changed = self.last_transport != Some(transport);
        if let Some(up) = &mut self.up {
            up.transport = transport;
        }
        if changed {
            let word = transport.to_proto().as_str_name();
            self.stats.transport_changed(self.session.as_str(), word);
            self.fact(at, Fact::new(Kind::TransportChanged).transport(transport));
        }
        self.last_transport = Some(transport);
        self.standing.connected(at.wall, transport, false);
        self.after_up(at, transport, out);
    }

    fn after_up(&mut self, at: At, transport: Transport, out: &mut Actions) {
        match (transport, self.transports()) {
            (Transport::WebSocket, _) => self.standing.reason_gone(),
            (Transport::LongPoll, (true, _)) => {}
            (Transport::LongPoll, (false, _)) => {
                self.standing.reason_gone();
                if !self.connector.capabilities().websocket {
                    self.standing.set_reason("PLATFORM_HAS_NO_WEBSOCKET");
                }
            }
        }
        self.standing.healthy();
        if transport == Transport::LongPoll {
            self.schedule_failback(at);
        }
        self.resume_gaps(at);
        self.catch_up_next(at, out);
    }

    /// An answer that shows that polling works again.
    pub(super) fn answers_again(&mut self) {
        self.standing.healthy();
        self.backoff.reset();
    }

    /// Ends whatever connects or is connected; the caller enters the state that follows.
    pub(super) fn leave(&mut self, at: At, reason: &str, out: &mut Actions) {
        self.standing.set_reason(reason);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Live(socket) => out.push(Action::Drop {
                generation: socket.generation,
            }),
            State::Connecting(attempt) => abandon(attempt, out),
            State::Polling(polling) => {
                out.extend(polling.call().map(|call| Action::Cancel { call }));
            }
            State::Sifting(sift) => out.extend(sift.call().map(|call| Action::Cancel { call })),
            State::Idle
            | State::Waiting { .. }
            | State::Suspended { .. }
            | State::Draining { .. }
            | State::Ended => {}
        }
        if let Successor::Trying(attempt) = std::mem::replace(&mut self.successor, Successor::None)
        {
            abandon(attempt, out);
        }
        self.overlap.end(at.now);
        let Some(up) = self.up.take() else {
            return;
        };
        if at.now.saturating_duration_since(up.confirmed_at) < limits::PROVEN_AFTER {
            self.backoff = up.backoff_before;
            self.tokens.strikes += up.strikes_before;
        }
        self.stats.disconnected(self.session.as_str(), reason);
        self.standing.disconnected();
        let start = self.standing.last_receive.unwrap_or(at.wall);
        let fact = Fact::new(Kind::Disconnected);
        self.fact(
            at,
            fact.transport(up.transport)
                .reason(reason)
                .times(start, at.wall),
        );
        self.catch_up_stop(out);
        self.renumbering_stop(out);
        self.recovery_stop(at, out);
        self.cover_until_last_life();
        self.pause_gaps();
    }

    pub(super) fn wait(
        &mut self,
        at: At,
        delay: Duration,
        next: Next,
        reason: &str,
        out: &mut Actions,
    ) {
        self.leave(at, reason, out);
        self.enter(State::Waiting {
            until: at.now + delay,
            next,
        });
    }

    pub(super) fn back_off(&mut self, at: At, next: Next, reason: &str, out: &mut Actions) {
        self.leave(at, reason, out);
        match self.next_backoff() {
            Some(delay) => self.enter(State::Waiting {
                until: at.now + delay,
                next,
            }),
            None => self.suspend(at, "ATTEMPTS_EXHAUSTED", out),
        }
    }

    /// The next delay; `None` when the configured number of attempts is used up.
    pub(super) fn next_backoff(&mut self) -> Option<Duration> {
        let most = self.timing.backoff.max_attempts;
        if most > 0 && self.backoff.failures() >= most {
            return None;
        }
        Some(self.backoff.next_delay(self.rng.unit()))
    }

    /// Needs a person; tried again slowly all the same.
    pub(super) fn suspend(&mut self, at: At, reason: &str, out: &mut Actions) {
        self.suspend_for(at, Awaits::Person, reason, out);
    }

    pub(super) fn suspend_for(&mut self, at: At, awaits: Awaits, reason: &str, out: &mut Actions) {
        self.leave(at, reason, out);
        if self.standing.suspended(reason) {
            self.stats.suspended(self.session.as_str(), reason);
            self.fact(at, Fact::new(Kind::Suspended).reason(reason));
        }
        let delay = self.spread(limits::SUSPENDED_RETRY);
        self.backoff.reset();
        self.tokens.strikes = 0;
        self.unreadable = 0;
        self.enter(State::Suspended {
            until: Some(at.now + delay),
            awaits,
        });
    }

    /// The journal takes nothing any more: nothing is read until the process restarts.
    pub(super) fn stop_ingest(&mut self, at: At, reason: &str, out: &mut Actions) {
        self.outbox.give_up();
        self.leave(at, reason, out);
        self.standing.suspended(reason);
        self.stats.suspended(self.session.as_str(), reason);
        self.enter(State::Suspended {
            until: None,
            awaits: Awaits::Person,
        });
    }

    /// The platform ended the session as planned, and the profile says to leave it at that.
    pub(super) fn stop_for_good(&mut self, at: At, reason: &str, out: &mut Actions) {
        self.leave(at, reason, out);
        self.standing.closed();
        self.enter(State::Suspended {
            until: None,
            awaits: Awaits::Person,
        });
    }

    /// Closes a connection politely; it is gone at the latest after the grace.
    pub(super) fn retire(&mut self, at: At, generation: Generation, out: &mut Actions) {
        out.push(Action::Close {
            generation,
            code: 1000,
        });
        self.retiring
            .push((generation, at.now + limits::CLOSE_GRACE));
    }

    pub(super) fn reconnect_asked(&mut self, at: At, out: &mut Actions) {
        if self.outbox.has_given_up() {
            return;
        }
        if let State::Live(socket) = &self.state {
            let generation = socket.generation;
            self.retire(at, generation, out);
            self.state = State::Idle;
        }
        self.wait(at, Duration::ZERO, Next::Negotiate, "RECONNECT_ASKED", out);
    }

    /// A new token is what a session waits for whose credentials were refused (U24). One whose
    /// tokens are not accepted is not woken: a new one would not be either.
    pub(super) fn token_renewed(&mut self, at: At, out: &mut Actions) {
        if let State::Suspended {
            awaits: Awaits::Credentials,
            ..
        } = self.state
        {
            self.begin(at, Next::Negotiate, out);
        }
    }

    /// The connection in use is lost while its successor is on the way: that becomes the session's
    /// only attempt.
    pub(super) fn successor_inherits(&mut self, at: At, reason: &str, out: &mut Actions) -> bool {
        let Some(mut attempt) = self.take_attempt(Role::Planned) else {
            return false;
        };
        self.leave(at, reason, out);
        attempt.role = Role::Primary;
        if matches!(attempt.phase, Phase::Token) {
            self.want_token(Purpose::Attempt(Role::Primary), out);
        }
        self.set_attempt(attempt);
        true
    }
}

fn abandon(attempt: Attempt, out: &mut Actions) {
    match attempt.phase {
        Phase::Probing | Phase::Handshaking { .. } | Phase::Subscribing(_) => {
            out.push(Action::Drop {
                generation: attempt.generation,
            });
        }
        Phase::SettingUp { call, .. } => out.push(Action::Cancel { call }),
        Phase::Token => {}
    }
}
