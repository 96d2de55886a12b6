//! [`Live`]: the confirmed WebSockets of a session, and what becomes of the session as they come and
//! go (U5, U16). One is enough; two where the configuration asks for it.

use std::time::Duration;

use super::io::{Actions, At, Generation};
use super::keeping::Place;
use super::socket::Socket;
use super::state::{Role, State, Successor, limits};
use super::{Machine, Next};

/// The confirmed WebSockets, oldest first; never none.
#[derive(Debug)]
pub(super) struct Live {
    sockets: Vec<Socket>,
}

impl Live {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            sockets: vec![socket],
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Socket> {
        self.sockets.iter_mut()
    }

    pub(super) fn get(&self, generation: Generation) -> Option<&Socket> {
        self.sockets.iter().find(|s| s.generation == generation)
    }

    pub(super) fn get_mut(&mut self, generation: Generation) -> Option<&mut Socket> {
        let mut sockets = self.sockets.iter_mut();
        sockets.find(|s| s.generation == generation)
    }

    pub(super) fn into_sockets(self) -> Vec<Socket> {
        self.sockets
    }

    pub(super) fn take(&mut self, generation: Generation) -> Option<Socket> {
        let index = self
            .sockets
            .iter()
            .position(|s| s.generation == generation)?;
        Some(self.sockets.remove(index))
    }

    /// How many are not to be replaced.
    fn staying(&self) -> usize {
        self.sockets.iter().filter(|s| !s.leaving).count()
    }

    fn stands_at(&self, slot: usize, leaving: bool) -> bool {
        let mut sockets = self.sockets.iter();
        sockets.any(|s| s.leaving == leaving && s.place.is_some_and(|p| p.slot == slot))
    }
}

impl Machine {
    pub(super) fn live(&mut self) -> Option<&mut Live> {
        match &mut self.state {
            State::Live(live) => Some(live),
            _ => None,
        }
    }

    /// Connections that are to stand at once.
    fn wanted(&self) -> usize {
        let can = self.connector.capabilities();
        match can.overlap {
            true => usize::from(can.connections).clamp(1, super::keeping::SLOTS),
            false => 1,
        }
    }

    /// The place of a connection beside those that stand: a free one first.
    pub(super) fn place_beside(&self) -> Place {
        let State::Live(live) = &self.state else {
            return Place::FIRST;
        };
        let open = (0..self.wanted()).filter(|slot| !live.stands_at(*slot, false));
        let places = open.map(|slot| Place {
            slot,
            taken: live.stands_at(slot, true),
        });
        places.min_by_key(|place| place.taken).unwrap_or(Place {
            slot: 0,
            taken: true,
        })
    }

    /// Opens another connection where fewer stand than are wanted and none is on its way.
    pub(super) fn refill(&mut self, at: At, out: &mut Actions) {
        let wanted = self.wanted();
        let State::Live(live) = &self.state else {
            return;
        };
        let (all, staying) = (live.sockets.len(), live.staying());
        // One that has still to show what it missed does not stand in for the other.
        let settled = live.sockets.iter().filter(|s| s.settled).count();
        self.standing.one_of_two(settled < wanted && wanted > 1);
        match &self.successor {
            Successor::Due { .. } if staying >= wanted => self.successor = Successor::None,
            // One more than wanted stands until it has taken over.
            Successor::None
                if staying < wanted && all <= wanted && self.connector.capabilities().overlap =>
            {
                self.successor_due(at, Role::Beside, out);
            }
            Successor::None | Successor::Due { .. } | Successor::Trying(_) => {}
        }
    }

    /// Another connection is confirmed beside those that stand.
    pub(super) fn joined_by(&mut self, at: At, mut socket: Socket, out: &mut Actions) {
        let replays = self.replays();
        if replays {
            socket.joined = true;
            socket.settled = true;
            self.release_early(at, &mut socket);
        }
        let newer = socket.generation;
        let Some(live) = self.live() else {
            return;
        };
        for old in &mut live.sockets {
            if let (Some(own), Some(new)) = (old.place, socket.place)
                && own.slot == new.slot
            {
                old.place = None;
            }
        }
        live.sockets.push(socket);
        for older in self.generations(|older| !replays && older.generation != newer) {
            self.ask_for_proof(at, older, Some(newer), out);
        }
        self.relieve(at, out);
    }

    /// The confirmed connections for which this holds.
    pub(super) fn generations(&self, which: impl Fn(&Socket) -> bool) -> Vec<Generation> {
        let State::Live(live) = &self.state else {
            return Vec::new();
        };
        let sockets = live.iter().filter(|socket| which(socket));
        sockets.map(|socket| socket.generation).collect()
    }

    /// Closes those whose successors are confirmed and have missed nothing.
    pub(super) fn relieve(&mut self, at: At, out: &mut Actions) {
        let wanted = self.wanted();
        while let Some(live) = self.live() {
            let safe = live.sockets.iter().all(|s| s.settled);
            if !safe || live.sockets.len() <= wanted {
                return self.refill(at, out);
            }
            let mut sockets = live.sockets.iter();
            let leaving = sockets.find(|s| s.leaving).map(|s| s.generation);
            let surplus = leaving.or_else(|| live.sockets.last().map(|s| s.generation));
            let Some(socket) = surplus.and_then(|generation| live.take(generation)) else {
                return;
            };
            let generation = socket.generation;
            self.bury(at, socket, None, out);
            self.retire(at, generation, out);
        }
    }

    /// One of several connections ended: the session goes on with the others.
    pub(super) fn one_lost(
        &mut self,
        at: At,
        generation: Generation,
        reason: &str,
        out: &mut Actions,
    ) -> bool {
        let Some(live) = self.live().filter(|live| live.sockets.len() > 1) else {
            return false;
        };
        let Some(socket) = live.take(generation) else {
            return false;
        };
        let (settled, lived) = (socket.settled, socket.confirmed);
        self.stats.connection_lost(self.session.as_str(), reason);
        self.bury(at, socket, None, out);
        let survivor = self.live().and_then(|live| {
            let alone = settled && !live.sockets.iter().any(|s| s.settled);
            let first = live.sockets.first().filter(|_| alone)?;
            let clear = first.confirmed.filter(|_| !first.joined);
            Some((first.generation, clear, first.proven))
        });
        if let Some((survivor, clear, proven)) = survivor {
            // What it brought may be taken for what the other brought before it.
            let clear = clear.filter(|_| self.overlap.is_clear(survivor));
            let end = clear.unwrap_or(at);
            // First what it brought: a present state asked for from now on is newer.
            self.join(at, |socket| socket.generation == survivor, out);
            self.overlap.settle(survivor);
            self.open_window_between(at, end, out);
            if let Some(socket) = self.socket_mut(survivor) {
                socket.settled = true;
            }
            if let Some(proven) = proven {
                self.coverage.lives(proven);
            }
            // What is gone was to answer for the others.
            for other in self.generations(|socket| !socket.settled) {
                self.ask_for_proof(at, survivor, Some(other), out);
            }
        }
        let lived = lived.map(|since| at.now.saturating_duration_since(since.now));
        if lived.is_some_and(|lived| lived >= limits::PROVEN_AFTER) {
            self.beside_backoff.reset();
        }
        if matches!(self.successor, Successor::None) {
            self.successor_failed(at, Role::Beside);
        }
        self.refill(at, out);
        true
    }

    /// Every connection is to be replaced for which `old` holds.
    pub(super) fn outdate(&mut self, at: At, old: impl Fn(&Socket) -> bool, out: &mut Actions) {
        if !self.connector.capabilities().overlap {
            return;
        }
        let Some(live) = self.live() else {
            return;
        };
        let mut any = false;
        for socket in live.sockets.iter_mut().filter(|s| old(s)) {
            any |= !std::mem::replace(&mut socket.leaving, true);
        }
        if any {
            // What waits for a companion is not to keep a successor waiting.
            if let Successor::Due { .. } = self.successor {
                self.successor = Successor::None;
            }
            self.refill(at, out);
        }
    }

    /// The platform will soon close a connection (U5).
    pub(super) fn closing_announced(&mut self, at: At, generation: Generation, out: &mut Actions) {
        let live = self.live();
        if live.is_none_or(|live| live.get(generation).is_none()) {
            return;
        }
        if self.connector.capabilities().overlap {
            self.outdate(at, |socket| socket.generation == generation, out);
        } else {
            self.retire_all(at, out);
            self.wait(at, Duration::ZERO, Next::Dial, "CLOSING_ANNOUNCED", out);
        }
    }

    /// Closes every connection politely; the caller enters the state that follows.
    pub(super) fn retire_all(&mut self, at: At, out: &mut Actions) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Live(live) => {
                for socket in live.into_sockets() {
                    let generation = socket.generation;
                    self.bury(at, socket, None, out);
                    self.retire(at, generation, out);
                }
            }
            other => self.state = other,
        }
    }
}
