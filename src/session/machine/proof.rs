//! Whether nothing was missed between connections that stand side by side: a connection that answers
//! has brought everything that was sent on it before (U5, U16).

use bytes::Bytes;

use super::Machine;
use super::io::{Action, Actions, At, Generation};
use super::socket::Ping;
use crate::net::Frame;

/// What a ping says that asks whether everything came until this connection was confirmed.
fn name_of(generation: Generation) -> Bytes {
    Bytes::copy_from_slice(&generation.to_be_bytes())
}

impl Machine {
    /// Asks a connection for an answer, which comes behind everything that it was to bring until now.
    pub(super) fn ask_for_proof(
        &mut self,
        at: At,
        asked: Generation,
        named: Generation,
        out: &mut Actions,
    ) {
        let patience = self.timing.pong_timeout.0;
        let Some(socket) = self.socket_mut(asked) else {
            return;
        };
        if let Ping::Due(_) = &socket.ping {
            socket.ping = Ping::Awaited {
                sent: at.now,
                dead_at: at.now + patience,
            };
        }
        out.push(Action::Send {
            generation: asked,
            frame: Frame::Ping(name_of(named)),
            kind: "ping",
        });
    }

    /// A confirmed connection lives, so nothing was missed until now.
    pub(super) fn socket_lives(&mut self, at: At, generation: Generation) {
        let live = self.live().and_then(|live| live.get(generation));
        if live.is_some_and(|socket| socket.settled) && self.stalled.is_none() {
            self.coverage.lives(at.wall);
        }
    }

    /// A connection brought everything that it was to bring until another was confirmed: nothing was
    /// missed between them. `named` is what was sent with the question.
    pub(super) fn proven(
        &mut self,
        at: At,
        generation: Generation,
        named: &Bytes,
        out: &mut Actions,
    ) {
        let Some(live) = self.live() else {
            return;
        };
        let Some(socket) = live.get_mut(generation).filter(|s| s.joined) else {
            return;
        };
        let settled = socket.settled;
        if *named == name_of(generation) {
            if !settled && !std::mem::replace(&mut socket.compared, true) {
                self.compared(at, generation, out);
            }
            return;
        }
        let index = live.iter().position(|s| name_of(s.generation) == *named);
        let Some(index) = index else {
            return;
        };
        let newer = live.iter_mut().nth(index);
        if let Some(newer) = newer.filter(|s| s.joined) {
            newer.settled |= newer.compared && settled;
            return self.relieve(at, out);
        }
        let until: Vec<Generation> = live.iter().take(index + 1).map(|s| s.generation).collect();
        self.join(at, |socket| until.contains(&socket.generation), out);
        self.relieve(at, out);
    }

    /// A joined connection has brought everything that the others brought before. What it brought
    /// meanwhile may have been taken for that: the others are asked whether they brought it, too.
    fn compared(&mut self, at: At, generation: Generation, out: &mut Actions) {
        self.overlap.settle(generation);
        for other in self.generations(|socket| socket.settled) {
            self.ask_for_proof(at, other, generation, out);
        }
    }

    /// Everything was brought: the platform closes the connection in order.
    pub(super) fn ends_in_order(&mut self, at: At, generation: Generation, out: &mut Actions) {
        let live = self.live().and_then(|live| live.get(generation));
        if live.is_some_and(|socket| socket.joined) {
            self.join(at, |_| true, out);
        }
    }
}
