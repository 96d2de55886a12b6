//! Requests beside a live connection, such as the renewal of its channel.

use super::Machine;
use super::io::{Action, Actions, At, CallId, Generation};
use super::live_ws::Owner;
use super::requests::Asks;
use super::socket::Socket;
use super::state::{State, limits};
use super::tokens::Purpose;
use crate::auth::AccessToken;
use crate::connectors::Verdict;
use crate::net::{HttpFailure, HttpResponse};
use crate::runtime::MonoTime;

/// The errand of one connection.
#[derive(Debug, Default)]
pub(super) enum Errand {
    #[default]
    Idle,
    /// Not before this: the last one was just now.
    NotBefore(MonoTime),
    Token,
    Asked {
        call: CallId,
        token: u64,
    },
}

impl Socket {
    /// When its next errand is due.
    pub(super) fn errand_due(&self) -> Option<MonoTime> {
        // Only a confirmed connection has errands.
        let due = self.confirmed.and_then(|_| self.link.errand_due())?;
        match self.errand {
            Errand::Idle => Some(due),
            Errand::NotBefore(rest) => Some(due.max(rest)),
            Errand::Token | Errand::Asked { .. } => None,
        }
    }

    /// The request under way for it.
    pub(super) fn errand_call(&self) -> Option<CallId> {
        match self.errand {
            Errand::Asked { call, .. } => Some(call),
            Errand::Idle | Errand::NotBefore(_) | Errand::Token => None,
        }
    }
}

impl Machine {
    pub(super) fn errand_begins(&mut self, generation: Generation, out: &mut Actions) {
        if let Some(socket) = self.live().and_then(|live| live.get_mut(generation)) {
            socket.errand = Errand::Token;
            self.want_token(Purpose::Errand(generation), out);
        }
    }

    pub(super) fn errand_with(
        &mut self,
        at: At,
        generation: Generation,
        token: &AccessToken,
        out: &mut Actions,
    ) {
        let rest = Errand::NotBefore(at.now + self.spread(limits::ERRAND_REST));
        let Some(socket) = self.live().and_then(|live| live.get_mut(generation)) else {
            return;
        };
        if !matches!(socket.errand, Errand::Token) {
            return;
        }
        let call = socket.link.errand(at.now, token);
        let call = call
            .and_then(|call| self.call(Asks::Errand(generation), call, limits::CALL_TIMEOUT, out));
        if let Some(socket) = self.live().and_then(|live| live.get_mut(generation)) {
            let token = token.generation;
            socket.errand = call.map_or(rest, |call| Errand::Asked { call, token });
        }
    }

    /// No token: later again.
    pub(super) fn errand_later(&mut self, at: At, generation: Generation) {
        let rest = Errand::NotBefore(at.now + self.spread(limits::ERRAND_REST));
        if let Some(socket) = self.live().and_then(|live| live.get_mut(generation)) {
            socket.errand = rest;
        }
    }

    /// The connection that waits for this answer.
    pub(super) fn errand_of(&self, call: CallId) -> Option<Generation> {
        let State::Live(live) = &self.state else {
            return None;
        };
        let mut sockets = live.iter();
        let own = sockets.find(|s| s.errand_call() == Some(call))?;
        Some(own.generation)
    }

    pub(super) fn errand_answered(
        &mut self,
        at: At,
        generation: Generation,
        result: &Result<HttpResponse, HttpFailure>,
        out: &mut Actions,
    ) {
        let rest = Errand::NotBefore(at.now + self.spread(limits::ERRAND_REST));
        let Some(socket) = self.live().and_then(|live| live.get_mut(generation)) else {
            return;
        };
        let token = match std::mem::replace(&mut socket.errand, rest) {
            Errand::Asked { token, .. } => token,
            Errand::Idle | Errand::NotBefore(_) | Errand::Token => 0,
        };
        let read = socket.link.errand_answer(at.now, result.as_ref().ok());
        let (keep, place) = (socket.link.keep(), socket.place);
        if let Ok(answer) = result
            && self.verdict(answer.status) == Verdict::Unauthorized
        {
            // The connection itself is none the worse for it.
            let strikes = self.tokens.strikes;
            self.strike(token, out);
            self.tokens.strikes = strikes;
        }
        match read {
            Ok(batch) => self.socket_batch(at, generation, Owner::Live, token, batch, out),
            Err(error) => self.stats.unreadable(self.session.as_str(), &error),
        }
        if let Some(place) = place {
            self.keep(place, keep);
        }
    }

    /// Forgets the errand of a connection that is over.
    pub(super) fn errand_stops(socket: &Socket, out: &mut Actions) {
        out.extend(socket.errand_call().map(|call| Action::Cancel { call }));
    }
}
