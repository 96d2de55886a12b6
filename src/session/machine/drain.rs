//! The orderly end: stop reading, journal what arrived, close, wait a little, go (U35). A message in
//! flight keeps its connection until it is acknowledged, within the same moment.

use super::Machine;
use super::ingest::Via;
use super::io::{Action, Actions, At, Generation, Input};
use super::outbox::Written;
use super::socket::Socket;
use super::state::{State, limits};
use crate::net::Frame;
use crate::session::outbound::queue::Over;

/// A connection that stays until the message in flight is acknowledged.
#[derive(Debug)]
pub(super) struct Lingering {
    socket: Socket,
    /// Whether the platform is told that the session is closed for good.
    goodbye: bool,
}

impl Machine {
    pub(super) fn drain(&mut self, at: At, out: &mut Actions) {
        self.end_messages(at, Over::Draining, out);
        self.begin_to_end(at, "DRAINING", false, out);
    }

    /// Ends the session, once what is in flight has had its moment.
    pub(super) fn begin_to_end(&mut self, at: At, reason: &str, goodbye: bool, out: &mut Actions) {
        self.linger(goodbye);
        self.retire_all(at, out);
        self.leave(at, reason, out);
        self.standing.closed();
        self.enter(State::Draining {
            until: at.now + limits::CLOSE_GRACE,
        });
        self.stop_lingering(at, out);
        self.flush(out);
        self.end_when_drained();
    }

    /// Keeps the connection that a message is in flight on, or that is to be told.
    fn linger(&mut self, goodbye: bool) {
        let Some(generation) = self.newest_socket() else {
            return;
        };
        let outbound = self.outbound.as_ref();
        let flies = outbound.is_some_and(|outbound| outbound.left_on(generation));
        if (goodbye || flies)
            && let Some(socket) = self.live().and_then(|live| live.take(generation))
        {
            self.lingering = Some(Lingering { socket, goodbye });
        }
    }

    /// Nothing is in flight any more: the connection is closed.
    fn stop_lingering(&mut self, at: At, out: &mut Actions) {
        let flies = self.outbound.as_ref().is_some_and(|o| o.is_in_flight());
        if !flies {
            self.end_lingering(at, out);
        }
    }

    fn end_lingering(&mut self, at: At, out: &mut Actions) {
        let Some(Lingering {
            mut socket,
            goodbye,
        }) = self.lingering.take()
        else {
            return;
        };
        let generation = socket.generation;
        if goodbye {
            let frames = socket.link.goodbye().into_iter();
            out.extend(frames.map(|frame| Action::Send {
                generation,
                frame,
                kind: "goodbye",
            }));
        }
        self.bury(at, socket, None, out);
        self.retire(at, generation, out);
    }

    pub(super) fn handle_draining(&mut self, at: At, input: Input, out: &mut Actions) {
        match input {
            Input::Appended { number, result } => {
                match self.outbox.written(at, number, result, &self.stats) {
                    // Gaps stay open and go on after the restart; what waits for their sequences does not.
                    Written::Durable(durable) => {
                        self.gaps_numbered(&durable.gaps);
                        self.messages_durable(at, durable.messages, out);
                        self.journal_snapshots(at);
                        self.flush(out);
                    }
                    // There is no time to wait for space; the platform sends it again.
                    Written::Later | Written::TooLarge { .. } | Written::Refused => {
                        self.outbox.give_up();
                    }
                    Written::Behind => self.outbox.resend(at.now, out),
                    Written::Unexpected => {}
                }
            }
            Input::Closed { generation, .. }
            | Input::Frame {
                generation,
                frame: Frame::Close { .. },
            } => {
                self.retiring.retain(|(retired, _)| *retired != generation);
                out.push(Action::Drop { generation });
                self.lingering_lost(at, generation, out);
            }
            Input::Frame { generation, frame } => {
                self.lingering_frame(at, generation, &frame, out);
            }
            Input::Dialled { generation, .. } => out.push(Action::Drop { generation }),
            Input::Answer { call, result } if self.sending_call() == Some(call) => {
                self.sent_answered(at, result, out);
                self.give_up_messages(at, out);
            }
            Input::Written { generation, ticket } => self.written(at, generation, ticket, out),
            Input::Send {
                ticket,
                message,
                wait_for,
            } => self.send_asked(at, ticket, *message, wait_for, out),
            Input::CancelMessage { ticket, id } => self.cancel_asked(at, ticket, &id, out),
            Input::Left(ticket) => self.caller_left(ticket),
            Input::Start
            | Input::DialWaits { .. }
            | Input::DialBegins { .. }
            | Input::Token(_)
            | Input::TokenRenewed { .. }
            | Input::SecretsChanged
            | Input::Health(_)
            | Input::Replaced(_)
            | Input::Answer { .. }
            | Input::CloseAsked
            | Input::ReconnectAsked
            | Input::Drain => {}
        }
        self.stop_lingering(at, out);
        self.end_when_drained();
    }

    /// A frame of the connection that stays.
    fn lingering_frame(
        &mut self,
        at: At,
        generation: Generation,
        frame: &Frame,
        out: &mut Actions,
    ) {
        let (Frame::Text(bytes) | Frame::Binary(bytes)) = frame else {
            return;
        };
        let own = self.lingering.as_mut();
        let Some(lingering) = own.filter(|l| l.socket.generation == generation) else {
            return;
        };
        let place = lingering.socket.place;
        match lingering.socket.link.read_frame(at.now, bytes) {
            Ok(batch) => self.ingest(at, batch, Via::Socket { generation, place }, out),
            Err(error) => self.stats.unreadable(self.session.as_str(), &error),
        }
    }

    fn lingering_lost(&mut self, at: At, generation: Generation, out: &mut Actions) {
        let own = |l: &Lingering| l.socket.generation == generation;
        if self.lingering.as_ref().is_some_and(own)
            && let Some(lingering) = self.lingering.take()
        {
            self.bury(at, lingering.socket, None, out);
        }
    }

    pub(super) fn end_when_drained(&mut self) {
        let written = self.outbox.has_ended() || self.is_durable();
        let answered = !self.outbound.as_ref().is_some_and(|o| o.awaits_answer());
        if matches!(self.state, State::Draining { .. })
            && written
            && answered
            && self.retiring.is_empty()
            && self.lingering.is_none()
        {
            self.enter(State::Ended);
        }
    }

    /// The grace is over. What is on its way into the journal is waited for all the same: the
    /// owner bounds that.
    pub(super) fn grace_over(&mut self, at: At, out: &mut Actions) {
        for (generation, _) in std::mem::take(&mut self.retiring) {
            out.push(Action::Drop { generation });
        }
        self.give_up_messages(at, out);
        match &self.lingering {
            Some(Lingering { goodbye: true, .. }) => self.end_lingering(at, out),
            Some(lingering) => {
                let generation = lingering.socket.generation;
                out.push(Action::Drop { generation });
                self.lingering_lost(at, generation, out);
            }
            None => {}
        }
        self.end_when_drained();
        if matches!(self.state, State::Draining { .. }) {
            self.state = State::Draining {
                until: at.now + limits::CLOSE_GRACE,
            };
        }
    }
}
