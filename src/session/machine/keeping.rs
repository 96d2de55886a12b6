//! What connections leave to those after them: cursors, channels, whatever their platform needs. One
//! for each place that a connection has in the session.

use super::Machine;
use crate::connectors::{Keep, Opaque};

/// Connections that may stand at once.
pub(super) const SLOTS: usize = 2;

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    slots: [Option<Opaque>; SLOTS],
    /// Of a successor that is not confirmed yet, beside the connection whose place it will take.
    next: Option<Opaque>,
}

/// The place of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: usize,
    /// Another stands there, until this one is confirmed.
    pub(super) taken: bool,
}

impl Place {
    /// The place of the only connection.
    pub(super) const FIRST: Self = Self {
        slot: 0,
        taken: false,
    };
}

impl Keeping {
    pub(super) fn restore(&mut self, slot: usize, kept: Opaque) {
        if let Some(own) = self.slots.get_mut(slot) {
            *own = Some(kept);
        }
    }

    pub(super) fn get(&self, slot: usize) -> Option<&Opaque> {
        self.slots.get(slot)?.as_ref()
    }

    /// What an attempt left is of no use to the next one.
    pub(super) fn forget_next(&mut self) {
        self.next = None;
    }

    /// What a connection that comes to this place is told, and whether that is its own to use: not
    /// where another stands on it.
    pub(super) fn offer(&self, place: Place) -> (Option<&Opaque>, bool) {
        match (place.taken, &self.next) {
            (false, _) => (self.get(place.slot), self.get(place.slot).is_some()),
            (true, Some(own)) => (Some(own), true),
            (true, None) => (self.get(place.slot), false),
        }
    }
}

impl Machine {
    /// Asks a connection what it leaves to those after it.
    pub(super) fn keep(&mut self, place: Place, keep: Keep) {
        let kept = match keep {
            Keep::Unchanged => return,
            Keep::Nothing => None,
            Keep::This(opaque) => Some(opaque),
        };
        self.set_cursor(place, kept);
    }

    /// Keeps a cursor; behind a present state that waits to be journaled, with it.
    pub(super) fn set_cursor(&mut self, place: Place, cursor: Option<Opaque>) {
        if place.taken {
            self.keeping.next = cursor;
        } else if let Some(state) = self.snapshots.back_mut() {
            state.cursors.push((place.slot, cursor));
        } else {
            self.keep_cursor(place.slot, cursor);
        }
    }

    pub(super) fn keep_cursor(&mut self, slot: usize, cursor: Option<Opaque>) {
        let Some(own) = self.keeping.slots.get_mut(slot) else {
            return;
        };
        let same = own.as_ref().map(Opaque::expose) == cursor.as_ref().map(Opaque::expose);
        if !same {
            *own = cursor;
            self.position_moved = true;
        }
    }

    /// A successor took the place it was meant for.
    pub(super) fn take_place(&mut self, place: Place) -> Place {
        if place.taken
            && let Some(next) = self.keeping.next.take()
        {
            self.set_cursor(
                Place {
                    taken: false,
                    ..place
                },
                Some(next),
            );
        }
        Place {
            taken: false,
            ..place
        }
    }
}
