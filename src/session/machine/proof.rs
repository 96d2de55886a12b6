//! A connection that answers has brought everything that was sent on it before it was asked: so far is
//! covered (U18), and nothing was missed between connections that stand side by side (U5, U16).

use super::Machine;
use super::io::{Action, Actions, At, Generation};
use super::questions::{About, Question};
use super::socket::Ping;
use crate::net::Frame;
use crate::runtime::MonoTime;

impl Machine {
    /// Asks a connection for an answer, which comes behind everything that it was to bring until now.
    /// `about` is another that was confirmed now.
    pub(super) fn ask_for_proof(
        &mut self,
        at: At,
        asked: Generation,
        about: Option<Generation>,
        out: &mut Actions,
    ) {
        let patience = self.timing.pong_timeout.0;
        let about = about.and_then(|about| Some(About::now(self.socket_mut(about)?)));
        let Some(socket) = self.socket_mut(asked) else {
            return;
        };
        let frame = socket.link.ask(&socket.questions.next_name());
        let by_ping = matches!(frame, Frame::Ping(_));
        socket.questions.ask(at, about, by_ping);
        if let (Ping::Due(_), Some(_)) = (&socket.ping, about) {
            // Somebody waits for it: a connection that is dead is to be found dead.
            socket.ping = match frame {
                Frame::Ping(_) => Ping::Awaited {
                    sent: at.now,
                    dead_at: at.now + patience,
                },
                _ => Ping::Due(at.now),
            };
        }
        out.push(Action::Send {
            generation: asked,
            frame,
            kind: "ping",
        });
    }

    /// Where nothing is sent again, a confirmed connection is asked now and then whether everything came.
    pub(super) fn first_question(&self, at: At) -> Option<MonoTime> {
        self.keeps_coverage()
            .then_some(at.now + self.connector.capabilities().coverage_mark)
    }

    /// Asks where it is time.
    pub(super) fn question_due(&mut self, at: At, generation: Generation, out: &mut Actions) {
        let next = at.now + self.connector.capabilities().coverage_mark;
        let Some(socket) = self.socket_mut(generation) else {
            return;
        };
        let due = socket.ask_at.filter(|due| *due <= at.now);
        if due.is_none() {
            return;
        }
        socket.ask_at = Some(next);
        self.ask_for_proof(at, generation, None, out);
    }

    /// Answers came on a connection: everything that was sent on it before they were asked for.
    pub(super) fn answered(
        &mut self,
        at: At,
        generation: Generation,
        answered: &[Question],
        out: &mut Actions,
    ) {
        let Some(last) = answered.last() else {
            return;
        };
        if let Some(socket) = self.live().and_then(|live| live.get_mut(generation)) {
            socket.proven = Some(last.sent);
            if socket.settled {
                self.coverage.lives(last.sent);
                self.mark_coverage(at);
            }
        }
        for about in answered.iter().filter_map(|question| question.about) {
            self.proven(at, generation, about, out);
        }
    }

    /// A connection brought everything that it was to bring until another was confirmed: nothing was
    /// missed between them.
    fn proven(&mut self, at: At, generation: Generation, about: About, out: &mut Actions) {
        let Some(live) = self.live() else {
            return;
        };
        let Some(socket) = live.get_mut(generation).filter(|s| s.joined) else {
            return;
        };
        let settled = socket.settled;
        if about == About::now(socket) {
            if !settled && !std::mem::replace(&mut socket.compared, true) {
                self.compared(at, generation, out);
            }
            return;
        }
        let index = live.iter().position(|s| About::now(s) == about);
        let Some(index) = index else {
            return;
        };
        let newer = live.iter().nth(index).filter(|s| s.joined);
        if let Some(newer) = newer {
            if newer.compared && settled && !newer.settled {
                let newer = newer.generation;
                self.compared_in_turn(at, newer, out);
            }
            return self.relieve(at, out);
        }
        let until: Vec<Generation> = live.iter().take(index + 1).map(|s| s.generation).collect();
        self.join(at, |socket| until.contains(&socket.generation), out);
        self.relieve(at, out);
    }

    /// A joined connection has brought everything that the others had brought when it was asked. What
    /// it brought meanwhile may have been taken for that: they are asked whether they brought it, too.
    fn compared(&mut self, at: At, generation: Generation, out: &mut Actions) {
        self.overlap.answered(generation);
        if let Some(socket) = self.socket_mut(generation) {
            socket.round += 1;
        }
        for other in self.generations(|socket| socket.settled) {
            self.ask_for_proof(at, other, Some(generation), out);
        }
    }

    /// Another did: either that settles it, or the one is asked again.
    fn compared_in_turn(&mut self, at: At, generation: Generation, out: &mut Actions) {
        let settled = self.overlap.compared(generation);
        if let Some(socket) = self.socket_mut(generation) {
            socket.settled = settled;
            socket.compared = settled;
        }
        if !settled {
            self.ask_for_proof(at, generation, Some(generation), out);
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
