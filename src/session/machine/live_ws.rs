//! Frames of WebSockets: confirmation, liveness (U25), what the end of a connection means (U31 to
//! U33).

use super::ingest::Via;
use super::io::{Action, Actions, At, Generation};
use super::socket::{Ping, Socket};
use super::state::{Attempt, Phase, Role, State, Successor};
use super::{Machine, Next};
use crate::connectors::{Batch, Control, Transport};
use crate::net::Frame;
use crate::session::ordering::Side;

/// Which socket a frame belongs to.
pub(super) enum Owner {
    Live,
    Attempt(Role),
}

impl Machine {
    pub(super) fn owner(&self, generation: Generation) -> Option<Owner> {
        match &self.state {
            State::Live(socket) if socket.generation == generation => Some(Owner::Live),
            _ => self.role_of(generation).map(Owner::Attempt),
        }
    }

    pub(super) fn socket_mut(&mut self, owner: &Owner) -> Option<&mut Socket> {
        match (owner, &mut self.state, &mut self.successor) {
            (Owner::Live, State::Live(socket), _) => Some(socket),
            (
                Owner::Attempt(Role::Primary),
                State::Connecting(Attempt {
                    phase: Phase::Subscribing(socket),
                    ..
                }),
                _,
            )
            | (
                Owner::Attempt(Role::Failback | Role::Planned),
                _,
                Successor::Trying(Attempt {
                    phase: Phase::Subscribing(socket),
                    ..
                }),
            ) => Some(socket),
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
            self.socket_ended(at, generation, code, None, out);
            return;
        }
        let (ping, patience) = (self.timing.websocket_ping.0, self.timing.pong_timeout.0);
        let ping = self.jittered(ping).max(ping.mul_f64(0.75));
        let Some(owner) = self.owner(generation) else {
            return;
        };
        let Some(socket) = self.socket_mut(&owner) else {
            return;
        };
        let pong = matches!(frame, Frame::Pong(_));
        let way = socket.lives(at, pong, ping, patience);
        let read = match &frame {
            Frame::Text(bytes) | Frame::Binary(bytes) => {
                Some(socket.link.read_frame(at.now, bytes))
            }
            Frame::Ping(_) | Frame::Pong(_) | Frame::Close { .. } => None,
        };
        let token = socket.token;
        self.standing.received(at.wall);
        if let Some(way) = way {
            self.standing.round_trip = Some(way);
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
    }

    fn socket_batch(
        &mut self,
        at: At,
        generation: Generation,
        owner: Owner,
        token: u64,
        mut batch: Batch,
        out: &mut Actions,
    ) {
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
                other => batch.controls.push(other),
            }
        }
        let confirmed = self.socket_mut(&owner).is_some_and(|s| s.confirm(&batch));
        if let (Owner::Attempt(role), true) = (&owner, confirmed) {
            self.promote(at, *role, out);
        }
        let closing = batch.controls.contains(&Control::Closing);
        let side = match owner {
            Owner::Live => self.overlap.live_side(),
            Owner::Attempt(_) => Side::Newer,
        };
        self.ingest(at, batch, Via::Socket { side }, out);
        if closing {
            self.closing_announced(at, generation, out);
        }
    }

    /// The subscription is confirmed: this connection is the session's from now on.
    fn promote(&mut self, at: At, role: Role, out: &mut Actions) {
        let Some(attempt) = self.take_attempt(role) else {
            return;
        };
        let Phase::Subscribing(socket) = attempt.phase else {
            self.set_attempt(attempt);
            return;
        };
        self.unconfirmed = 0;
        if let State::Live(old) = &self.state {
            let old = old.generation;
            self.overlap.end(at.now);
            self.retire(at, old, out);
        }
        self.stop_polling(out);
        self.failback_pause = self.timing.failback_interval.0;
        self.successor = Successor::None;
        self.enter(State::Live(socket));
        match role {
            Role::Primary => self.connected(at, Transport::WebSocket, out),
            Role::Failback | Role::Planned => self.taken_over(at, Transport::WebSocket, out),
        }
    }

    /// Pings and heartbeats that are due; a connection that answers none is dead (U25, U26).
    pub(super) fn sockets_due(&mut self, at: At, out: &mut Actions) {
        let live = match &self.state {
            State::Live(socket) => Some((Owner::Live, socket.generation)),
            _ => None,
        };
        let trying = match (&self.state, &self.successor) {
            (State::Connecting(a), _) | (_, Successor::Trying(a)) => {
                Some((Owner::Attempt(a.role), a.generation))
            }
            _ => None,
        };
        for (owner, generation) in live.into_iter().chain(trying) {
            self.socket_due(at, &owner, generation, out);
        }
    }

    fn socket_due(&mut self, at: At, owner: &Owner, generation: Generation, out: &mut Actions) {
        let patience = self.timing.pong_timeout.0;
        let deaf = !self.wants_frames();
        let Some(socket) = self.socket_mut(owner) else {
            return;
        };
        if socket.due() > at.now {
            return;
        }
        let mut dead = false;
        match &mut socket.ping {
            Ping::Due(due) if *due <= at.now => {
                socket.ping = Ping::Awaited {
                    sent: at.now,
                    dead_at: at.now + patience,
                };
                let frame = Frame::Ping(bytes::Bytes::new());
                out.push(Action::Send { generation, frame });
            }
            // Nothing is read while the journal is full, so no pong can be seen.
            Ping::Awaited { dead_at, .. } if *dead_at <= at.now && deaf => {
                *dead_at = at.now + patience;
            }
            Ping::Awaited { dead_at, .. } => dead = *dead_at <= at.now,
            Ping::Due(_) => {}
        }
        if socket.link.heartbeat_due().is_some_and(|due| due <= at.now) {
            match socket.link.heartbeat(at.now, at.wall) {
                Ok(frames) => {
                    out.extend(
                        frames
                            .into_iter()
                            .map(|frame| Action::Send { generation, frame }),
                    );
                }
                Err(silent) => {
                    tracing::debug!(error = %silent, "Connection is dead");
                    dead = true;
                }
            }
        }
        if dead {
            out.push(Action::Drop { generation });
            self.socket_lost(at, generation, "NO_PONG", Next::Dial, out);
        }
    }
}
