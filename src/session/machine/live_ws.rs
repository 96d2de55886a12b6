//! Frames of WebSockets: confirmation, liveness (U25), what the end of a connection means (U31 to
//! U33).

use super::ends::End;
use super::ingest::Via;
use super::io::{Action, Actions, At, Generation};
use super::live::Live;
use super::socket::{Ping, Pong, Socket};
use super::state::{Phase, Role, State, Successor};
use super::{Machine, Next};
use crate::connectors::{Batch, Confirms, Control, Transport};
use crate::net::Frame;

/// Later than this part of the patience with a pong: the process did not run meanwhile.
const HELD_UP: u32 = 8;

/// Which socket a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Live,
    Attempt(Role),
}

impl Machine {
    pub(super) fn owner(&self, generation: Generation) -> Option<Owner> {
        match &self.state {
            State::Live(live) if live.get(generation).is_some() => Some(Owner::Live),
            _ => self.role_of(generation).map(Owner::Attempt),
        }
    }

    pub(super) fn socket_mut(&mut self, generation: Generation) -> Option<&mut Socket> {
        let attempt = match (&mut self.state, &mut self.successor) {
            (State::Live(live), _) if live.get(generation).is_some() => {
                return live.get_mut(generation);
            }
            (State::Connecting(attempt), _) | (_, Successor::Trying(attempt)) => attempt,
            _ => return None,
        };
        match &mut attempt.phase {
            Phase::Subscribing(socket) if socket.generation == generation => Some(socket),
            _ => None,
        }
    }

    pub(super) fn frame_came(
        &mut self,
        at: At,
        generation: Generation,
        frame: Frame,
        out: &mut Actions,
    ) {
        if let Frame::Close { code, .. } = frame {
            self.ends_in_order(at, generation, out);
            self.socket_ended(at, generation, code, None, out);
            return;
        }
        let (ping, patience) = (self.ping_pause(), self.timing.pong_timeout.0);
        let Some(owner) = self.owner(generation) else {
            return;
        };
        let Some(socket) = self.socket_mut(generation) else {
            return;
        };
        let mut answered = match &frame {
            Frame::Pong(name) => socket.questions.answered(name, true),
            _ => Vec::new(),
        };
        let asked = answered.last().map(|question| Pong::To(question.sent.now));
        let pong = matches!(frame, Frame::Pong(_)).then(|| asked.unwrap_or(Pong::ToNothing));
        let way = socket.lives(at, pong, ping, patience);
        let joined = socket.joined;
        let read = match &frame {
            Frame::Text(bytes) | Frame::Binary(bytes) => {
                Some(socket.link.read_frame(at.now, bytes))
            }
            Frame::Pong(named) => match socket.link.ponged(named) {
                Confirms::Nothing => None,
                confirms => Some(Ok(Batch {
                    confirms,
                    ..Batch::default()
                })),
            },
            Frame::Ping(_) | Frame::Close { .. } => None,
        };
        let controls = read.iter().flatten().flat_map(|batch| &batch.controls);
        for control in controls {
            if let Control::Proof { name } = control {
                answered.extend(socket.questions.answered(name, false));
            }
        }
        let (token, place) = (socket.token, socket.place);
        let keep = socket.link.keep();
        self.coverage.input();
        self.standing.received(at.wall);
        if let Some(way) = way {
            self.round_trip(at, at.now.checked_sub(way).unwrap_or(at.now));
            // What waited while nothing was read came before this answer.
            self.stalled = self
                .stalled
                .filter(|at_last| !joined || *at_last + way >= at.now);
        }
        match read {
            Some(Ok(batch)) => self.socket_batch(at, generation, owner, token, batch, out),
            Some(Err(error)) => {
                self.stats.unreadable(self.session.as_str(), &error);
                let (Frame::Text(bytes) | Frame::Binary(bytes)) = frame else {
                    return;
                };
                self.frame_unreadable(at, generation, &error, bytes, out);
            }
            None => {}
        }
        // What the connection keeps comes after the cursor of its batch; once it is over, it was
        // asked already.
        if self.socket_mut(generation).is_some()
            && let Some(place) = place
        {
            self.keep(place, keep);
        }
        self.answered(at, generation, &answered, out);
    }

    pub(super) fn socket_batch(
        &mut self,
        at: At,
        generation: Generation,
        owner: Owner,
        token: u64,
        mut batch: Batch,
        out: &mut Actions,
    ) {
        self.receipts(at, std::mem::take(&mut batch.receipts), out);
        let mut end = None;
        for control in std::mem::take(&mut batch.controls) {
            match control {
                Control::Refused { status, .. } => {
                    let status = http::StatusCode::from_u16(status).unwrap_or_default();
                    self.refused_in_frame(at, generation, self.verdict(status), token, out);
                    return;
                }
                Control::SubscriptionLost { .. } => {
                    out.push(Action::Drop { generation });
                    self.socket_lost(at, generation, "SUBSCRIPTION_LOST", Next::Dial, out);
                    return;
                }
                Control::Answered { sent } => self.round_trip(at, sent),
                Control::Proof { .. } => {}
                other => match End::of(&other) {
                    Some(own) => end = Some(own),
                    None => batch.controls.push(other),
                },
            }
        }
        let confirmed = self
            .socket_mut(generation)
            .is_some_and(|s| s.confirm(&batch));
        if let (Owner::Attempt(role), true, None) = (owner, confirmed, &end) {
            self.promote(at, role, out);
        }
        let closing = batch.controls.contains(&Control::Closing);
        let place = self.socket_mut(generation).and_then(|s| s.place);
        if batch.snapshot.is_none() {
            batch.events = self.wait_for_the_older(at, generation, batch.events);
        }
        self.ingest(at, batch, Via::Socket { generation, place }, out);
        if let Some(end) = end {
            self.ends(at, end, out);
        } else if closing {
            self.closing_announced(at, generation, out);
        }
    }

    /// The subscription is confirmed: this connection is the session's from now on.
    fn promote(&mut self, at: At, role: Role, out: &mut Actions) {
        let Some(attempt) = self.take_attempt(role) else {
            return;
        };
        let Phase::Subscribing(mut socket) = attempt.phase else {
            self.set_attempt(attempt);
            return;
        };
        self.unconfirmed = 0;
        self.successor = Successor::None;
        socket.place = Some(self.take_place(attempt.place));
        socket.confirmed = Some(at);
        socket.ask_at = self.first_question(at);
        socket.link.condition(at.now, self.condition());
        self.endpoints.moving = false;
        let bound = self.connector.capabilities().bound_to_token;
        socket.leaving = bound && socket.token < self.newest_token;
        self.standing.rejections_gone();
        self.standing.rejects(&socket.rejected);
        if let State::Live(live) = &self.state {
            let replaces = live.iter().any(|s| s.leaving);
            self.joined_by(at, *socket, out);
            if replaces {
                self.taken_over(at, Transport::WebSocket, out);
            }
        } else {
            socket.joined = true;
            socket.settled = true;
            let early = socket.early.take();
            let generation = socket.generation;
            self.end_polling(at, out);
            self.failback_pause = self.timing.failback_interval.0;
            self.enter(State::Live(Live::new(*socket)));
            match role {
                Role::Primary | Role::Beside => self.connected(at, at, Transport::WebSocket, out),
                Role::Failback => {
                    self.taken_over(at, Transport::WebSocket, out);
                    self.open_loss_window(at, at, out);
                }
            }
            self.ingest_early(at, generation, early);
            self.overlap.replace(generation);
        }
        self.subscribed_now(at);
        self.refill(at, out);
    }

    /// Pings and heartbeats that are due; a connection that answers none is dead (U25, U26).
    pub(super) fn sockets_due(&mut self, at: At, out: &mut Actions) {
        for generation in self.open_sockets() {
            self.socket_due(at, generation, out);
            self.question_due(at, generation, out);
        }
    }

    fn socket_due(&mut self, at: At, generation: Generation, out: &mut Actions) {
        let patience = self.timing.pong_timeout.0;
        let full = !self.wants_frames();
        let Some(socket) = self.socket_mut(generation) else {
            return;
        };
        let due = socket.due();
        if due > at.now {
            return;
        }
        // Nothing is read while the journal is full, nor was while this process was held up: no pong can have
        // been seen.
        let held_up = at.now.saturating_duration_since(due) > patience / HELD_UP;
        let deaf = full || held_up;
        let mut dead = false;
        match &mut socket.ping {
            Ping::Due(due) if *due <= at.now => {
                socket.ping = Ping::Awaited {
                    sent: at.now,
                    dead_at: at.now + patience,
                };
                let frame = Frame::Ping(bytes::Bytes::new());
                out.push(Action::Send {
                    generation,
                    frame,
                    kind: "ping",
                });
            }
            Ping::Awaited { dead_at, .. } if *dead_at <= at.now && deaf => {
                *dead_at = at.now + patience;
            }
            Ping::Awaited { dead_at, .. } => dead = *dead_at <= at.now,
            Ping::Due(_) => {}
        }
        if socket.link.heartbeat_due().is_some_and(|due| due <= at.now) {
            match socket.link.heartbeat(at.now, at.wall) {
                Ok(frames) => out.extend(frames.into_iter().map(|frame| Action::Send {
                    generation,
                    frame,
                    kind: "heartbeat",
                })),
                Err(silent) => {
                    // Where nothing is read, nothing is heard.
                    if deaf {
                        socket.link.unheard(at.now);
                    }
                    // A link that does not take that for an answer would ask over and over.
                    dead |= !deaf || socket.link.heartbeat_due().is_some_and(|due| due <= at.now);
                    tracing::debug!(error = %silent, dead, "No heartbeat came");
                }
            }
        }
        let errand = socket.errand_due().is_some_and(|due| due <= at.now);
        if dead {
            self.sample(at, None);
            out.push(Action::Drop { generation });
            self.socket_lost(at, generation, "NO_PONG", Next::Dial, out);
        } else if errand {
            self.errand_begins(generation, out);
        }
    }
}
