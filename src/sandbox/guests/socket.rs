//! [`Socket`]: the platform's side of one WebSocket, turn by turn. Pure: a shell carries out what a
//! turn says.

use super::fault::{GuestFault, GuestFaultName as Name};
use super::outbox::{Meaning, Outbox};
use super::state::State;
use super::{web_messaging, webchat};
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::fault::Occasions;
use crate::sandbox::platform::Turn;

/// Frames sent in one turn: what a client says gets its turn in between.
const SENT_AT_ONCE: usize = 64;

#[derive(Debug)]
pub(crate) struct Socket {
    connection: u64,
    /// Where the client reached the platform.
    base: String,
    since: MonoTime,
    seen: Occasions<Name>,
    frozen: bool,
    /// Pings are not answered.
    deaf: bool,
    /// The latency of the next frames has been waited for.
    delayed: bool,
    /// What frames mean that are being written.
    flying: Vec<Meaning>,
}

impl Socket {
    /// `instance`: whose socket it is, where the address says so.
    pub(crate) fn open(
        connection: u64,
        base: String,
        instance: Option<&str>,
        state: &mut State,
        now: MonoTime,
    ) -> Self {
        state.outboxes.insert(connection, Outbox::default());
        state.counters.sockets_opened += 1;
        let open = state.outboxes.len() as u64;
        state.counters.sockets_most = open.max(state.counters.sockets_most);
        if let Some(instance) = instance {
            state.enter_chat(connection, instance, now);
        }
        Self {
            connection,
            base,
            since: now,
            seen: Occasions::default(),
            frozen: false,
            deaf: false,
            delayed: false,
            flying: Vec::new(),
        }
    }

    /// The connection is over.
    pub(crate) fn close(&mut self, state: &mut State) {
        for meaning in std::mem::take(&mut self.flying) {
            state.settle(self.connection, meaning, false);
        }
        state.close_outbox(self.connection);
    }

    /// The frames of the last turn are on the wire.
    pub(crate) fn sent(&mut self, state: &mut State) {
        for meaning in self.flying.drain(..) {
            state.settle(self.connection, meaning, true);
        }
    }

    /// A text came; `Some` is what becomes of the connection at once.
    pub(crate) fn hear(
        &mut self,
        state: &mut State,
        text: &[u8],
        now: (MonoTime, WallTime),
    ) -> Option<Turn> {
        match state.is_web_messaging() {
            true => web_messaging::hear(state, (self.connection, &self.base), text, now),
            false => webchat::hear(state, self.connection, text, now),
        }
    }

    /// What happens now.
    pub(crate) fn turn(&mut self, state: &mut State, now: MonoTime) -> Turn {
        let mut wake = Vec::new();
        if let Some(turn) = self.breaks(state, now, &mut wake) {
            return turn;
        }
        if state.faults.in_force(Name::Silence).is_some() {
            state.strike_once(Name::Silence, &mut self.seen);
            return Turn::Wait(wake.into_iter().min());
        }
        if let Some(turn) = self.speaks(state, now, &mut wake) {
            return turn;
        }
        let outbox = state.outboxes.get_mut(&self.connection);
        if let Some((code, reason)) = outbox.and_then(|outbox| outbox.parting.take()) {
            return Turn::Close { code, reason };
        }
        Turn::Wait(wake.into_iter().min())
    }

    /// Whether nothing is read: a ping that is not read is not answered.
    pub(crate) fn is_deaf(&mut self, state: &mut State) -> bool {
        if state.faults.in_force(Name::DropPongs).is_none() {
            self.deaf = false;
        } else if state.strike_once(Name::DropPongs, &mut self.seen).is_some() {
            self.deaf = true;
        }
        self.deaf || self.frozen
    }

    /// Faults that end or stall the connection.
    fn breaks(
        &mut self,
        state: &mut State,
        now: MonoTime,
        wake: &mut Vec<MonoTime>,
    ) -> Option<Turn> {
        let frozen = state.faults.in_force(Name::Freeze).is_some();
        self.frozen &= frozen;
        if self.frozen {
            return Some(Turn::Wait(None));
        }
        if frozen && state.strike_once(Name::Freeze, &mut self.seen).is_some() {
            self.frozen = true;
            return Some(Turn::Freeze);
        }
        for name in [Name::WebsocketReset, Name::WebsocketClose, Name::Supersede] {
            let after = match state.faults.may_strike(name) {
                Some(
                    GuestFault::WebsocketReset { after, .. }
                    | GuestFault::WebsocketClose { after, .. }
                    | GuestFault::Supersede { after },
                ) => after.0,
                _ => continue,
            };
            let due = self.since + after;
            if due > now {
                wake.push(due);
                continue;
            }
            match state.strike_once(name, &mut self.seen) {
                Some(GuestFault::WebsocketReset { mid_frame, .. }) => {
                    let half_of = mid_frame.then(|| "{\"type\":\"messa".to_owned());
                    return Some(Turn::Reset { half_of });
                }
                Some(GuestFault::WebsocketClose { code: 1006, .. }) => return Some(Turn::Hangup),
                Some(GuestFault::WebsocketClose { code, reason, .. }) => {
                    return Some(Turn::Close { code, reason });
                }
                Some(GuestFault::Supersede { .. }) => state.supersede(self.connection, now),
                _ => {}
            }
        }
        None
    }

    /// What is due to be said.
    fn speaks(
        &mut self,
        state: &mut State,
        now: MonoTime,
        wake: &mut Vec<MonoTime>,
    ) -> Option<Turn> {
        let next = state
            .outboxes
            .get(&self.connection)
            .and_then(Outbox::next_due);
        match next {
            Some(due) if due <= now => {}
            later => {
                wake.extend(later);
                return None;
            }
        }
        if !self.delayed {
            let delay = state.latency();
            if !delay.is_zero() {
                self.delayed = true;
                return Some(Turn::Delay(delay));
            }
        }
        self.delayed = false;
        let outbox = state.outboxes.get_mut(&self.connection)?;
        let parcels = outbox.take_due(now, SENT_AT_ONCE);
        let mut frames = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            self.flying.push(parcel.meaning);
            frames.push(parcel.text);
        }
        Some(Turn::Send(frames))
    }
}
