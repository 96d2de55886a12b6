//! From nothing to a confirmed subscription: probe, token, the platform's own requests, handshake,
//! first confirmed frame (U1 to U3).

use super::early::Early;
use super::io::{Action, Actions, At, Generation};
use super::keeping::Place;
use super::live_poll::Polling;
use super::requests::Asks;
use super::socket::Socket;
use super::state::{Attempt, Phase, Role, State, Successor, limits};
use super::tokens::Purpose;
use super::{Machine, Next};
use crate::auth::AccessToken;
use crate::connectors::{Condition, Link, Setup, Transport};
use crate::net::{HandshakeFailure, HttpResponse};
use crate::session::TransportChoice;

impl Machine {
    /// Whether WebSocket and long polling may be used (U6).
    pub(super) fn transports(&self) -> (bool, bool) {
        let can = self.connector.capabilities();
        match self.choice {
            TransportChoice::Auto => (can.websocket, can.long_poll),
            TransportChoice::Websocket => (can.websocket, false),
            TransportChoice::LongPoll => (false, can.long_poll),
        }
    }

    pub(super) fn begin(&mut self, at: At, next: Next, out: &mut Actions) {
        self.successor = Successor::None;
        self.endpoints.moving = false;
        self.standing.elsewhere(self.endpoints.elsewhere());
        match (self.transports(), next) {
            ((false, false), _) => self.suspend(at, "NO_TRANSPORT", out),
            ((false, true), _) => self.begin_polling(at, out),
            ((true, true), Next::Negotiate) => self.attempt(at, Role::Primary, out),
            ((true, false), _) | ((true, true), Next::Dial) => {
                self.ask_for_attempt(Role::Primary, out);
            }
        }
    }

    /// Begins at the probe; where there is none, at the token.
    pub(super) fn attempt(&mut self, at: At, role: Role, out: &mut Actions) {
        let Some(probe) = self.connector.probe() else {
            self.ask_for_attempt(role, out);
            return;
        };
        let place = self.place_for(role);
        match self.dial("probe", probe, out) {
            Some(generation) => self.set_attempt(Attempt {
                role,
                place,
                generation,
                deadline: Some(at.now + self.timing.probe_timeout.0),
                phase: Phase::Probing,
            }),
            None => self.address_refused(at, role, out),
        }
    }

    /// A handshake's time begins when it is its turn: those before it are no trouble of the network.
    pub(super) fn dial_begins(&mut self, generation: Generation, at: Option<At>) {
        let trying = match (&mut self.state, &mut self.successor) {
            (State::Connecting(attempt), _) if attempt.generation == generation => attempt,
            (_, Successor::Trying(attempt)) if attempt.generation == generation => attempt,
            _ => return,
        };
        trying.deadline = at.map(|at| at.now + self.timing.probe_timeout.0);
    }

    pub(super) fn ask_for_attempt(&mut self, role: Role, out: &mut Actions) {
        let generation = self.next_generation();
        let place = self.place_for(role);
        self.setup_refusals = 0;
        self.set_attempt(Attempt {
            role,
            place,
            generation,
            deadline: None,
            phase: Phase::Token,
        });
        self.want_token(Purpose::Attempt(role), out);
    }

    fn place_for(&self, role: Role) -> Place {
        match role {
            Role::Primary => Place::FIRST,
            // The poll stands there until it is confirmed.
            Role::Failback => Place {
                taken: true,
                ..Place::FIRST
            },
            Role::Beside => self.place_beside(),
        }
    }

    pub(super) fn attempt_with(
        &mut self,
        at: At,
        role: Role,
        token: &AccessToken,
        out: &mut Actions,
    ) {
        match self.take_attempt(role) {
            Some(Attempt {
                phase: Phase::Token,
                place,
                ..
            }) => {
                let opening = self.opening(at, Transport::WebSocket, place);
                let link = self.connector.link(opening);
                self.set_up(at, role, place, link, token.clone(), out);
            }
            Some(other) => self.set_attempt(other),
            None => {}
        }
    }

    /// The next of the platform's own requests, or the handshake when there is none left.
    fn set_up(
        &mut self,
        at: At,
        role: Role,
        place: Place,
        mut link: Box<dyn Link>,
        token: AccessToken,
        out: &mut Actions,
    ) {
        let dialled = match link.setup(&token) {
            Setup::Call(call) => {
                let asks = Asks::SetUp(self.last_generation);
                let call = self.call(asks, *call, limits::CALL_TIMEOUT, out);
                call.map(|call| {
                    let phase = Phase::SettingUp { link, token, call };
                    (self.last_generation, None, phase)
                })
            }
            Setup::Yield { reason } => {
                self.keep(place, link.keep());
                return self.yields(at, role, &reason, out);
            }
            Setup::Ready => {
                self.keep(place, link.keep());
                let handshake = link.handshake(&token);
                let generation = handshake.and_then(|h| self.dial("handshake", h, out));
                generation.map(|generation| {
                    let token = token.generation;
                    let deadline = at.now + self.timing.probe_timeout.0;
                    (
                        generation,
                        Some(deadline),
                        Phase::Handshaking { link, token },
                    )
                })
            }
        };
        match dialled {
            Some((generation, deadline, phase)) => self.set_attempt(Attempt {
                role,
                place,
                generation,
                deadline,
                phase,
            }),
            None => self.address_refused(at, role, out),
        }
    }

    /// An answer to one of the platform's own requests.
    pub(super) fn setup_answered(
        &mut self,
        at: At,
        role: Role,
        result: Result<HttpResponse, crate::net::HttpFailure>,
        out: &mut Actions,
    ) {
        let Some(attempt) = self.take_attempt(role) else {
            return;
        };
        let place = attempt.place;
        let Phase::SettingUp {
            mut link, token, ..
        } = attempt.phase
        else {
            self.set_attempt(attempt);
            return;
        };
        match result {
            Ok(answer) if answer.status.is_success() => match link.setup_answer(&answer) {
                Ok(()) => {
                    self.tokens.strikes = 0;
                    self.set_up(at, role, place, link, token, out);
                }
                Err(unreadable) => {
                    self.keep(place, link.keep());
                    self.stats.unreadable(self.session.as_str(), &unreadable);
                    self.attempt_failed(at, role, "SETUP_UNREADABLE", out);
                }
            },
            Ok(answer) if self.has_another_way(&mut *link, &answer) => {
                self.set_up(at, role, place, link, token, out);
            }
            Ok(answer) => {
                self.keep(place, link.keep());
                let verdict = self.verdict(answer.status);
                let word = format!("SETUP_{}", answer.status.as_u16());
                self.attempt_refused(
                    at,
                    role,
                    verdict,
                    token.generation,
                    &word,
                    &answer.headers,
                    out,
                );
            }
            Err(failure) => {
                self.keep(place, link.keep());
                let word = failure.word();
                self.attempt_failed(at, role, word, out);
            }
        }
    }

    /// Whether a link goes on after a request of its set-up was refused; not for ever.
    pub(super) fn has_another_way(&mut self, link: &mut dyn Link, answer: &HttpResponse) -> bool {
        let another = link.setup_refused(answer) && self.setup_refusals < limits::OTHER_WAYS;
        self.setup_refusals += u32::from(another);
        another
    }

    pub(super) fn dialled(
        &mut self,
        at: At,
        generation: Generation,
        result: Result<(), HandshakeFailure>,
        out: &mut Actions,
    ) {
        let Some(role) = self.role_of(generation) else {
            out.push(Action::Drop { generation });
            return;
        };
        let Some(attempt) = self.take_attempt(role) else {
            return;
        };
        match (attempt.phase, result) {
            (Phase::Probing, Ok(())) => {
                out.push(Action::Close {
                    generation,
                    code: 1000,
                });
                self.ask_for_attempt(role, out);
            }
            (Phase::Probing, Err(failure)) => self.probe_failed(at, role, &failure, out),
            (Phase::Handshaking { link, token }, Ok(())) => {
                self.subscribe(at, role, attempt.place, generation, link, token, out);
            }
            (Phase::Handshaking { mut link, token }, Err(failure)) => {
                if let HandshakeFailure::Status { status, .. } = &failure {
                    link.over(Some(*status));
                }
                self.keep(attempt.place, link.keep());
                self.sets_aside(link);
                self.handshake_failed(at, role, token, failure, out);
            }
            (phase @ (Phase::Token | Phase::SettingUp { .. } | Phase::Subscribing(_)), _) => {
                self.set_attempt(Attempt { phase, ..attempt });
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a connection is all of these")]
    fn subscribe(
        &mut self,
        at: At,
        role: Role,
        place: Place,
        generation: Generation,
        mut link: Box<dyn Link>,
        token: u64,
        out: &mut Actions,
    ) {
        let condition = match role {
            Role::Primary => Condition::Reconnecting,
            Role::Failback | Role::Beside => self.condition(),
        };
        link.condition(at.now, condition);
        let frames = link.opened(self.resume(place));
        out.extend(frames.into_iter().map(|frame| Action::Send {
            generation,
            frame,
            kind: "subscribe",
        }));
        self.overlap.begin(at.now, generation);
        let ping = self.ping_pause();
        let topics = self.connector.topics();
        let mut socket = Socket::new(at, generation, link, token, topics, ping);
        socket.place = Some(place);
        if role == Role::Primary {
            socket.early = Early::Pass;
        }
        self.set_attempt(Attempt {
            role,
            place,
            generation,
            deadline: Some(at.now + self.connector.capabilities().confirm_within),
            phase: Phase::Subscribing(Box::new(socket)),
        });
    }

    /// The deadline decides, never an error callback (U2).
    pub(super) fn attempt_timed_out(&mut self, at: At, role: Role, out: &mut Actions) {
        let Some(attempt) = self.take_attempt(role) else {
            return;
        };
        let hangs = matches!(attempt.phase, Phase::Probing | Phase::Handshaking { .. });
        let silent = matches!(attempt.phase, Phase::Subscribing(_));
        self.abandon(at, attempt, out);
        if hangs {
            self.no_websocket(at, role, "WEBSOCKET_HANGS", out);
        } else if silent {
            self.no_websocket(at, role, "NOT_CONFIRMED", out);
        } else {
            self.attempt_failed(at, role, "TIMEOUT", out);
        }
    }

    pub(super) fn begin_polling(&mut self, at: At, out: &mut Actions) {
        let opening = self.opening(at, Transport::LongPoll, Place::FIRST);
        let mut link = self.connector.link(opening);
        link.condition(at.now, Condition::Reconnecting);
        let generation = self.next_generation();
        self.overlap.begin(at.now, generation);
        self.setup_refusals = 0;
        self.standing.rejections_gone();
        let polling = Polling::new(generation, link, &self.timing.backoff);
        self.enter(State::Polling(Box::new(polling)));
        self.want_token(Purpose::Poll, out);
    }
}
