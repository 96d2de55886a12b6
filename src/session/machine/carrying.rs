//! How a message leaves, and what becomes of it with what carried it: frames on the connection that
//! stands, a request beside it, or a request where none stands (U36).

use super::Machine;
use super::io::{Action, Actions, At, CallId, Generation};
use super::requests::Asks;
use super::sending::Outbound;
use super::state::{State, limits};
use crate::connectors::{Call, Dispatch, Link, Receipt, SendOutcome};
use crate::net::{Frame, HttpFailure, HttpResponse};
use crate::session::outbound::{Handover, Ticket};

/// How the message in flight left.
#[derive(Debug)]
pub(super) enum Way {
    Frames {
        generation: Generation,
        handover: Handover,
        ticket: Ticket,
    },
    Call {
        call: CallId,
        /// Whose link reads the answer, while that connection stands.
        generation: Option<Generation>,
        /// The link that does, once it does not.
        link: Option<Box<dyn Link>>,
    },
}

impl Machine {
    /// Hands over the message whose attempt is durable.
    pub(super) fn dispatch(&mut self, at: At, out: &mut Actions) {
        let Some(mut outbound) = self.outbound.take() else {
            return;
        };
        let Some(outgoing) = outbound.queue.ready() else {
            self.outbound = Some(outbound);
            return;
        };
        let newest = self.newest_socket();
        let socket = newest.and_then(|generation| self.socket_mut(generation));
        let (generation, dispatch) = match (socket, &mut outbound.rest) {
            (Some(socket), _) => {
                let generation = socket.generation;
                let dispatch = socket.link.send(at.now, at.wall, &outgoing);
                (Some(generation), dispatch)
            }
            (None, Some(rest)) => (None, rest.send_over_rest(&outgoing).map(Dispatch::Call)),
            (None, None) => (None, None),
        };
        let way = match (dispatch, generation) {
            (Some(Dispatch::Frames(frames)), Some(generation)) if !frames.is_empty() => {
                Ok(outbound.hand(generation, frames, out))
            }
            (Some(Dispatch::Call(call)), generation) => self.send_call(*call, generation, out),
            (Some(Dispatch::Frames(_)) | None, _) => Err(None),
        };
        let way = way.map(|mut way| {
            if let Way::Call {
                generation: None,
                link,
                ..
            } = &mut way
            {
                *link = outbound.rest.take();
            }
            way
        });
        self.outbound = Some(outbound);
        match way {
            Ok(way) => {
                if let Some(outbound) = &mut self.outbound {
                    outbound.way = Some(way);
                    outbound.queue.handed(at.into());
                }
            }
            Err(Some(reason)) => {
                self.with_queue(out, at, |queue, fx| {
                    queue.not_sendable(at.into(), reason, fx);
                });
            }
            Err(None) => {
                self.with_queue(out, at, |queue, fx| queue.not_handed(at.into(), fx));
            }
        }
    }

    fn send_call(
        &mut self,
        call: Call,
        generation: Option<Generation>,
        out: &mut Actions,
    ) -> Result<Way, Option<&'static str>> {
        let call = self.call(Asks::Send, call, limits::CALL_TIMEOUT, out);
        let link = None;
        call.map(|call| Way::Call {
            call,
            generation,
            link,
        })
        .ok_or(Some("ADDRESS_REFUSED"))
    }

    /// The connection that messages leave on.
    pub(super) fn newest_socket(&self) -> Option<Generation> {
        let State::Live(live) = &self.state else {
            return None;
        };
        let staying = live.iter().filter(|socket| !socket.leaving);
        let newest = staying.last().or_else(|| live.iter().last());
        newest.map(|socket| socket.generation)
    }

    /// The frames of a message were given to the socket.
    pub(super) fn written(
        &mut self,
        at: At,
        generation: Generation,
        ticket: Ticket,
        out: &mut Actions,
    ) {
        let own = |way: &Way| matches!(way, Way::Frames { generation: g, ticket: t, .. } if *g == generation && *t == ticket);
        let outbound = self.outbound.as_ref();
        if outbound.is_some_and(|o| o.way.as_ref().is_some_and(own)) {
            self.with_queue(out, at, |queue, fx| queue.written(at.into(), fx));
        }
    }

    pub(super) fn sending_call(&self) -> Option<CallId> {
        self.outbound.as_ref()?.call()
    }

    /// The answer to a message that left as a request.
    pub(super) fn sent_answered(
        &mut self,
        at: At,
        result: Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        let Some(outbound) = &mut self.outbound else {
            return;
        };
        let Some(Way::Call {
            generation,
            mut link,
            ..
        }) = outbound.way.take()
        else {
            return;
        };
        let outcome = match result {
            Ok(answer) => {
                let stands = generation.and_then(|generation| self.socket_mut(generation));
                let link = stands.map(|socket| &mut socket.link).or(link.as_mut());
                link.map(|link| link.sent_answer(at.wall, &answer))
            }
            // Nothing can be said over a connection that never stood.
            Err(HttpFailure::Connect(_) | HttpFailure::ProxyRefused) => None,
            Err(failure) => Some(SendOutcome::Unknown {
                reason: failure.word(),
            }),
        };
        if let Some(outbound) = &mut self.outbound
            && outbound.may_rest
            && link.is_some()
        {
            outbound.rest = link;
        }
        match outcome {
            Some(outcome) => self.receipts(at, vec![Receipt { id: None, outcome }], out),
            None => {
                self.with_queue(out, at, |queue, fx| queue.not_handed(at.into(), fx));
            }
        }
    }

    /// A connection is over: what left on it may not have arrived.
    pub(super) fn sending_over(
        &mut self,
        at: At,
        generation: Generation,
        link: Box<dyn Link>,
        out: &mut Actions,
    ) {
        let Some(outbound) = &mut self.outbound else {
            return;
        };
        match &mut outbound.way {
            Some(Way::Frames {
                generation: own,
                handover,
                ..
            }) if *own == generation => {
                let unwritten = handover.revoke();
                outbound.way = None;
                self.with_queue(out, at, |queue, fx| {
                    queue.interrupted(at.into(), unwritten, fx);
                });
            }
            Some(Way::Call {
                generation: own,
                link: kept,
                ..
            }) if *own == Some(generation) => {
                *own = None;
                *kept = Some(link);
                return;
            }
            Some(_) => {}
            // An attempt that is not handed over begins anew elsewhere.
            None => {
                self.with_queue(out, at, |queue, fx| queue.withdraw(at.into(), fx));
            }
        }
        if let Some(outbound) = self.outbound.as_mut().filter(|o| o.may_rest) {
            outbound.rest = Some(link);
        }
    }

    /// A handshake failed: its link is set up all the same, for what goes over REST.
    pub(super) fn sets_aside(&mut self, link: Box<dyn Link>) {
        if let Some(outbound) = self.outbound.as_mut().filter(|o| o.may_rest) {
            outbound.rest = Some(link);
        }
    }
}

impl Outbound {
    /// The request that it left as.
    fn call(&self) -> Option<CallId> {
        match &self.way {
            Some(Way::Call { call, .. }) => Some(*call),
            Some(Way::Frames { .. }) | None => None,
        }
    }

    fn hand(&mut self, generation: Generation, frames: Vec<Frame>, out: &mut Actions) -> Way {
        self.dispatches += 1;
        let ticket = self.dispatches;
        let handover = Handover::default();
        out.push(Action::Dispatch {
            generation,
            frames,
            handover: handover.clone(),
            ticket,
        });
        Way::Frames {
            generation,
            handover,
            ticket,
        }
    }

    /// Forgets the request that the message in flight left as.
    pub(super) fn drop_call(&mut self, out: &mut Actions) {
        if let Some(call) = self.call() {
            out.push(Action::Cancel { call });
            self.way = None;
        }
    }

    /// Whether it left as a request.
    pub(super) fn awaits_answer(&self) -> bool {
        self.call().is_some()
    }

    /// Whether the message in flight left on this connection.
    pub(super) fn left_on(&self, generation: Generation) -> bool {
        match &self.way {
            Some(Way::Frames {
                generation: own, ..
            }) => *own == generation,
            Some(Way::Call {
                generation: own, ..
            }) => *own == Some(generation),
            None => false,
        }
    }
}
