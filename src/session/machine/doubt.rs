//! Events that come live for numbers that were given up: late ones, or the first sign of a numbering
//! that began anew (U17, U19). They wait until an answer shows which.

use std::time::Duration;

use super::Machine;
use super::ingest::Payload;
use super::io::At;
use super::renumbering::Renumbering;
use crate::runtime::MonoTime;
use crate::session::ordering::Unit;
use crate::session::waiting::{MOST_BYTES, MOST_EVENTS};

/// After so much silence the history is asked whose numbers they are.
const SILENCE: Duration = Duration::from_secs(30);

/// What waits, in the order in which it came. It is on record as missing already: a crash loses
/// nothing that was not told.
#[derive(Debug, Default)]
pub(super) struct Doubtful {
    units: Vec<Unit<Payload>>,
    events: usize,
    bytes: usize,
    since: Option<MonoTime>,
}

impl Doubtful {
    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Everything that waits.
    pub(super) fn take(&mut self) -> Vec<Unit<Payload>> {
        std::mem::take(self).units
    }

    /// The history is asked, and again after another silence where it does not say.
    pub(super) fn asked(&mut self, now: MonoTime) {
        self.since = self.since.map(|_| now);
    }

    /// What comes beyond is taken for late.
    fn has_room_for(&self, unit: &Unit<Payload>) -> bool {
        self.events + unit.events <= MOST_EVENTS && self.bytes + unit.bytes <= MOST_BYTES
    }

    fn push(&mut self, now: MonoTime, unit: Unit<Payload>) {
        self.since.get_or_insert(now);
        self.events += unit.events;
        self.bytes += unit.bytes;
        self.units.push(unit);
    }
}

impl Machine {
    /// Keeps back what of a live batch may belong to another numbering, and returns the rest. Where
    /// there is no history to ask, nothing is kept back.
    pub(super) fn doubt(
        &mut self,
        at: At,
        batch: Option<u64>,
        units: Vec<Unit<Payload>>,
    ) -> Vec<Unit<Payload>> {
        let Some(ordering) = self.ordering.as_ref() else {
            return units;
        };
        let highest = units.iter().map(|u| u.number).chain(batch).max();
        if highest.is_some_and(|highest| ordering.goes_on(highest)) {
            self.release_doubtful(at);
            return units;
        }
        if !self.connector.capabilities().catch_up {
            return units;
        }
        let mut rest = Vec::with_capacity(units.len());
        for unit in units {
            if ordering.is_on_record(unit.number) && self.doubtful.has_room_for(&unit) {
                self.doubtful.push(at.now, unit);
            } else {
                rest.push(unit);
            }
        }
        rest
    }

    /// When the history is to be asked for want of a sign.
    pub(super) fn doubt_due(&self) -> Option<MonoTime> {
        let asks = self.up.is_some() && matches!(self.renumbering, Renumbering::Unsuspected);
        self.doubtful
            .since
            .filter(|_| asks)
            .map(|since| since + SILENCE)
    }
}
