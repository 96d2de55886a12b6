//! Attempts by their role, and requests with the bounds that the dialect does not know.

use super::Machine;
use super::io::{Action, Actions, At, CallId, Generation};
use super::keeping::Place;
use super::state::{Attempt, Role, State, StateName, Successor, limits};
use crate::connectors::{Call, Handshake, Opening, Resume, Transport, Verdict};
use crate::net::{CallClass, HttpRequest, Note, WebSocketRequest};

/// What a request is for: its part of the budget (U40), and its word in the audit log (U29).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// What a platform wants before a connection.
    SetUp(Generation),
    Poll(Generation),
    /// What a connection wants beside its frames.
    Errand(Generation),
    /// A range of numbers again.
    CatchUp,
    /// What REST knows of a loss window.
    Recovery,
    /// Whether the numbering began anew.
    Renumbering,
    /// A message of a user's.
    Send,
    /// Single events past an answer that cannot be read.
    Sift,
}

impl Asks {
    fn class(self) -> CallClass {
        match self {
            Self::SetUp(_) | Self::Errand(_) => CallClass::Subscription,
            Self::Poll(_) => CallClass::Poll,
            Self::Send => CallClass::Send,
            Self::CatchUp | Self::Recovery | Self::Renumbering | Self::Sift => CallClass::Backfill,
        }
    }

    fn kind(self) -> (&'static str, Generation) {
        match self {
            Self::SetUp(generation) => ("set-up", generation),
            Self::Poll(generation) => ("poll", generation),
            Self::Errand(generation) => ("errand", generation),
            Self::CatchUp => ("catch-up", 0),
            Self::Recovery => ("recovery", 0),
            Self::Renumbering => ("renumbering", 0),
            Self::Send => ("message", 0),
            Self::Sift => ("sift", 0),
        }
    }
}

impl Machine {
    // Attempts live in the state or beside it, by their role.

    pub(super) fn set_attempt(&mut self, attempt: Attempt) {
        match attempt.role {
            Role::Primary => self.enter(State::Connecting(attempt)),
            Role::Failback | Role::Beside => self.successor = Successor::Trying(attempt),
        }
    }

    pub(super) fn take_attempt(&mut self, role: Role) -> Option<Attempt> {
        match (role, &self.state, &self.successor) {
            (Role::Primary, State::Connecting(_), _) => {
                match std::mem::replace(&mut self.state, State::Idle) {
                    State::Connecting(attempt) => Some(attempt),
                    other => {
                        self.state = other;
                        None
                    }
                }
            }
            (Role::Failback | Role::Beside, _, Successor::Trying(a)) if a.role == role => {
                match std::mem::replace(&mut self.successor, Successor::None) {
                    Successor::Trying(attempt) => Some(attempt),
                    Successor::None | Successor::Due { .. } => None,
                }
            }
            _ => None,
        }
    }

    pub(super) fn role_of(&self, generation: Generation) -> Option<Role> {
        match (&self.state, &self.successor) {
            (State::Connecting(a), _) if a.generation == generation => Some(Role::Primary),
            (_, Successor::Trying(a)) if a.generation == generation => Some(a.role),
            _ => None,
        }
    }

    // Requests, with the bounds that the dialect does not know.

    /// The same of a handshake.
    pub(super) fn handshake_verdict(&self, status: http::StatusCode) -> Verdict {
        let own = self.connector.handshake_verdict(status);
        own.unwrap_or_else(|| super::outcome::verdict(status))
    }

    pub(super) fn verdict(&self, status: http::StatusCode) -> Verdict {
        let own = self.connector.verdict(status);
        own.unwrap_or_else(|| super::outcome::verdict(status))
    }

    /// Sends a request; `None` when its address is not allowed (U42).
    pub(super) fn call(
        &mut self,
        asks: Asks,
        call: Call,
        timeout: std::time::Duration,
        out: &mut Actions,
    ) -> Option<CallId> {
        let (kind, generation) = asks.kind();
        if let Err(error) = self.connector.addresses().check(&call.url) {
            tracing::error!(session = %self.session, %error, "Address refused");
            return None;
        }
        let request = Box::new(HttpRequest {
            method: call.method,
            url: call.url,
            headers: call.headers,
            body: call.body,
            timeout,
            max_body: limits::MESSAGE,
            class: asks.class(),
            note: self.note(kind, generation),
        });
        let call = self.next_call();
        out.push(Action::Call { call, request });
        Some(call)
    }

    /// What the audit log says of something that is sent now.
    fn note(&self, kind: &'static str, generation: Generation) -> Note {
        let state = match self.state.name() {
            // Between two phases of an attempt: what it is sent for says where it stands.
            StateName::Idle | StateName::AwaitingToken => "connecting",
            state => state.word(),
        };
        Note {
            kind,
            generation,
            state,
            ..Note::default()
        }
    }

    pub(super) fn dial(
        &mut self,
        kind: &'static str,
        handshake: Handshake,
        out: &mut Actions,
    ) -> Option<Generation> {
        if let Err(error) = self.connector.addresses().check(&handshake.url) {
            tracing::error!(session = %self.session, %error, "Address refused");
            return None;
        }
        self.stats.handshake();
        let generation = self.next_generation();
        let request = Box::new(WebSocketRequest {
            url: handshake.url,
            headers: handshake.headers,
            timeout: self.timing.probe_timeout.0,
            max_message: limits::MESSAGE,
            read_buffer: self.connector.capabilities().read_buffer,
            note: self.note(kind, generation),
        });
        out.push(Action::Dial {
            generation,
            request,
        });
        Some(generation)
    }

    /// What a new connection is told.
    pub(super) fn opening(&self, at: At, transport: Transport, place: Place) -> Opening<'_> {
        let (_, own) = self.keeping.offer(place);
        let stands = matches!(self.state, State::Live(_) | State::Polling(_));
        Opening {
            transport,
            resume: self.resume(place),
            beside: stands && !own,
            now: at.now,
            wall: at.wall,
        }
    }

    /// Where a new connection goes on: the position, for held events may be lost with a crash (U17).
    pub(super) fn resume(&self, place: Place) -> Resume<'_> {
        Resume {
            after: self.ordering.as_ref().map_or(0, |o| o.position().cursor),
            opaque: self.keeping.offer(place).0,
        }
    }
}
