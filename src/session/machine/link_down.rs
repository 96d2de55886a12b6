//! The session's connection as a whole: up, taken over, lost, waiting, suspended (U24, U30, U31).

use std::time::Duration;

use super::facts::Fact;
use super::io::{Action, Actions, At, Generation};
use super::socket::Socket;
use super::state::{Attempt, Awaits, Phase, Role, State, Successor, limits};
use super::tokens::Purpose;
use super::{Machine, Next, Up};
use crate::connectors::Transport;
use crate::proto::v1::session_event::Kind;
use crate::runtime::Mistake;
use http::StatusCode;

impl Machine {
    /// A subscription stands where none stood before. `proven`: what was sent until then came.
    pub(super) fn connected(
        &mut self,
        at: At,
        proven: At,
        transport: Transport,
        out: &mut Actions,
    ) {
        self.up = Some(Up {
            transport,
            confirmed_at: at.now,
            backoff_before: self.backoff.clone(),
            strikes_before: self.tokens.strikes,
        });
        self.backoff.reset();
        self.proxy_backoff.reset();
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
        self.open_loss_window(at, proven, out);
        self.settle_without_history(at, out);
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
        if !Mistake::DegradedForGood.is_made() {
            self.standing.healthy();
        }
        self.standing.elsewhere(self.endpoints.elsewhere());
        if transport == Transport::LongPoll {
            self.schedule_failback(at);
        }
        self.resume_gaps(at);
        self.catch_up_next(at, out);
    }

    /// An answer that shows that polling works again.
    pub(super) fn answers_again(&mut self) {
        self.endpoints.works();
        if !Mistake::DegradedForGood.is_made() {
            self.standing.healthy();
        }
        self.backoff.reset();
    }

    /// Ends whatever connects or is connected; the caller enters the state that follows.
    pub(super) fn leave(&mut self, at: At, reason: &str, out: &mut Actions) {
        self.standing.set_reason(reason);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Live(live) => {
                for socket in live.into_sockets() {
                    let generation = socket.generation;
                    out.push(Action::Drop { generation });
                    self.bury(at, socket, None, out);
                }
            }
            State::Connecting(attempt) => self.abandon(at, attempt, out),
            polling @ State::Polling(_) => {
                self.state = polling;
                self.end_polling(at, out);
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
            self.abandon(at, attempt, out);
        }
        let Some(up) = self.up.take() else {
            return;
        };
        if at.now.saturating_duration_since(up.confirmed_at) < limits::PROVEN_AFTER {
            self.backoff = up.backoff_before;
            self.tokens.strikes += up.strikes_before;
        } else {
            self.endpoints.works();
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
        self.recoveries_stop(out);
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

    /// The endpoint could not be reached, or did not serve us.
    pub(super) fn back_off(&mut self, at: At, next: Next, reason: &str, out: &mut Actions) {
        self.leave(at, reason, out);
        let next = match self.endpoint_failed() {
            true => Next::Negotiate,
            false => next,
        };
        self.hold_off(at, next, reason, out);
    }

    /// Something else than the endpoint failed.
    pub(super) fn hold_off(&mut self, at: At, next: Next, reason: &str, out: &mut Actions) {
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
        let delay = self.spread(limits::SUSPENDED_RETRY);
        self.suspend_with(at, Kind::Suspended, awaits, delay, reason, out);
    }

    /// Likewise, and tried again after a delay.
    pub(super) fn suspend_until(
        &mut self,
        at: At,
        delay: Duration,
        awaits: Awaits,
        reason: &str,
        out: &mut Actions,
    ) {
        self.suspend_with(at, Kind::Suspended, awaits, delay, reason, out);
    }

    /// What was subscribed to has ended: tried again slowly, for it may begin anew.
    pub(super) fn ended(&mut self, at: At, reason: &str, out: &mut Actions) {
        let delay = self.spread(limits::SUSPENDED_RETRY);
        self.suspend_with(at, Kind::Expired, Awaits::Person, delay, reason, out);
    }

    fn suspend_with(
        &mut self,
        at: At,
        kind: Kind,
        awaits: Awaits,
        delay: Duration,
        reason: &str,
        out: &mut Actions,
    ) {
        self.leave(at, reason, out);
        if self.standing.suspended(reason) {
            self.stats.suspended(self.session.as_str(), reason);
            self.fact(at, Fact::new(kind).reason(reason));
        }
        self.backoff.reset();
        self.tokens.strikes = 0;
        self.unreadable = 0;
        self.enter(State::Suspended {
            until: Some(at.now + delay).filter(|_| !Mistake::SuspendedForGood.is_made()),
            awaits,
        });
    }

    /// The journal takes nothing any more: nothing is read until the process restarts.
    pub(super) fn stop_ingest(&mut self, at: At, reason: &str, out: &mut Actions) {
        self.outbox.give_up();
        self.leave(at, reason, out);
        self.messages_stuck(at, out);
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
        self.back_to_own_endpoint();
        self.retire_all(at, out);
        self.wait(at, Duration::ZERO, Next::Negotiate, "RECONNECT_ASKED", out);
    }

    /// A new token is what a session waits for whose credentials were refused (U24). One whose
    /// tokens are not accepted is not woken: a new one would not be either.
    ///
    /// A connection that lives no longer than its token gets a successor in time (U5).
    pub(super) fn token_renewed(&mut self, at: At, generation: u64, out: &mut Actions) {
        self.newest_token = self.newest_token.max(generation);
        if self.connector.capabilities().bound_to_token {
            self.outdate(at, |socket| socket.token < generation, out);
        }
        if let State::Suspended {
            awaits: Awaits::Credentials | Awaits::Proxy,
            ..
        } = self.state
        {
            self.begin(at, Next::Negotiate, out);
        }
    }

    /// What a proxy refused may be mended; what the platform refused, a new token shows.
    pub(super) fn secrets_changed(&mut self, at: At, out: &mut Actions) {
        if let State::Suspended {
            awaits: Awaits::Proxy,
            ..
        } = self.state
        {
            self.begin(at, Next::Negotiate, out);
        }
    }

    /// The connection in use is lost while its successor is on the way: that becomes the session's
    /// only attempt.
    pub(super) fn successor_inherits(&mut self, at: At, reason: &str, out: &mut Actions) -> bool {
        let Some(mut attempt) = self.take_attempt(Role::Beside) else {
            return false;
        };
        self.leave(at, reason, out);
        if let Phase::Subscribing(socket) = &mut attempt.phase {
            self.release_early(at, socket);
        }
        attempt.role = Role::Primary;
        if matches!(attempt.phase, Phase::Token) {
            self.want_token(Purpose::Attempt(Role::Primary), out);
        }
        self.set_attempt(attempt);
        true
    }

    /// Ends an attempt, wherever it is.
    pub(super) fn abandon(&mut self, at: At, attempt: Attempt, out: &mut Actions) {
        let Attempt {
            generation, place, ..
        } = attempt;
        match attempt.phase {
            Phase::Subscribing(socket) => {
                out.push(Action::Drop { generation });
                self.bury(at, *socket, None, out);
            }
            Phase::Handshaking { link, .. } => {
                out.push(Action::Drop { generation });
                self.keep(place, link.keep());
            }
            Phase::Probing => out.push(Action::Drop { generation }),
            Phase::SettingUp { call, link, .. } => {
                out.push(Action::Cancel { call });
                self.keep(place, link.keep());
            }
            Phase::Token => {}
        }
    }

    /// A connection is over: what it leaves is kept.
    pub(super) fn bury(
        &mut self,
        at: At,
        mut socket: Socket,
        status: Option<StatusCode>,
        out: &mut Actions,
    ) {
        if matches!(self.state, State::Idle) {
            // No older one stands that would bring it.
            self.release_early(at, &mut socket);
        }
        socket.link.over(status);
        if let Some(place) = socket.place {
            self.keep(place, socket.link.keep());
        }
        self.overlap.end(at.now, socket.generation);
        Self::errand_stops(&socket, out);
        self.sending_over(at, socket.generation, socket.link, out);
    }

    /// The channel or cursor is gone: set up anew, soon the first time and with a back-off then.
    pub(super) fn set_up_anew(&mut self, at: At, reason: &str, out: &mut Actions) {
        self.leave(at, reason, out);
        let first = self.backoff.failures() == 0;
        match self.next_backoff() {
            Some(delay) => {
                let soon = self.jittered(self.timing.backoff.base.0);
                let delay = if first { soon } else { delay };
                self.wait(at, delay, Next::Dial, reason, out);
            }
            None => self.suspend(at, "ATTEMPTS_EXHAUSTED", out),
        }
    }

    /// Likewise for a connection beside others.
    pub(super) fn delay_after_gone(&mut self) -> Duration {
        let first = self.beside_backoff.failures() == 0;
        let delay = self.beside_backoff.next_delay(self.rng.unit());
        let soon = self.jittered(self.timing.backoff.base.0);
        if first { soon } else { delay }
    }
}
