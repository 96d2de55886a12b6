//! From a batch to drafts: order, duplicates, holes, sizes, ids (U14 to U20).

use smallvec::SmallVec;

use super::Machine;
use super::draft::{Stamp, hash, identity};
use super::facts::Fact;
use super::io::{Actions, At, Generation};
use super::keeping::Place;
use crate::connectors::{Batch, Control, Identity, ProviderEvent, Transport};
use crate::domain::WallTime;
use crate::journal::id_hash;
use crate::proto::v1::session_event::Kind;
use crate::runtime::Mistake;
use crate::session::ordering::{Offered, Released, Seen, Unit};

/// Events that share a number, and whether they came from the history.
#[derive(Debug)]
pub(super) struct Payload {
    events: SmallVec<[ProviderEvent; 1]>,
    backfill: bool,
}

/// How a batch came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// In answer to a poll of a chain that began then.
    Poll {
        began: WallTime,
        generation: Generation,
    },
    /// On a WebSocket.
    Socket {
        generation: Generation,
        /// Where its cursor is kept.
        place: Option<Place>,
    },
    /// From the platform's history.
    History,
}

impl Via {
    fn place(self) -> Option<Place> {
        match self {
            Self::Socket { place, .. } => place,
            Self::Poll { .. } | Self::History => Some(Place::FIRST),
        }
    }
}

impl Machine {
    pub(super) fn ingest(&mut self, at: At, mut batch: Batch, via: Via, out: &mut Actions) {
        self.receipts(at, std::mem::take(&mut batch.receipts), out);
        let mut missed = Vec::new();
        for control in std::mem::take(&mut batch.controls) {
            match control {
                Control::TopicRejected { topic, reason } => {
                    self.topic_rejected(at, via, topic, reason);
                }
                Control::Lasts { until } => self.standing.lasts(until),
                Control::Missed { reason } => missed.extend(self.missed(at, &reason)),
                // Decided before the batch was taken in, or after it.
                Control::Closing
                | Control::Refused { .. }
                | Control::SubscriptionLost { .. }
                | Control::Answered { .. }
                | Control::Proof { .. }
                | Control::Ended { .. }
                | Control::Expired { .. }
                | Control::Superseded { .. } => {}
            }
        }
        let cursor = batch.opaque.take();
        let snapshot = batch.snapshot.take().filter(|_| self.ordering.is_none());
        if snapshot.is_none() && !missed.is_empty() {
            self.plan_recoveries(at, out);
        }
        if self.ordering.is_some() {
            self.ingest_numbered(at, batch, via, out);
        } else if let Some(snapshot) = snapshot {
            self.present_state(at, snapshot, batch.events, missed, via, out);
        } else {
            for event in batch.events {
                self.ingest_plain(at, event, via);
            }
        }
        if let (Some(cursor), Some(place)) = (cursor, via.place()) {
            self.set_cursor(place, Some(cursor));
        }
        self.settle_gaps(at);
        self.catch_up_next(at, out);
    }

    fn ingest_numbered(&mut self, at: At, batch: Batch, via: Via, out: &mut Actions) {
        let live = via != Via::History;
        if live && self.doubtful.is_empty() && self.ingest_next(at, &batch, via) {
            return;
        }
        let mut repeated = 0;
        let (units, unnumbered) = group(batch.events, batch.number, !live, &mut repeated);
        self.stats.duplicate(repeated);
        let units = if live {
            self.judge_renumbering(at, batch.number, &units, out);
            self.doubt(at, batch.number, units)
        } else {
            units
        };
        let skipped = batch.number.filter(|_| live);
        let Some(mut sorted) = self.put_in_order(units, skipped) else {
            return;
        };
        if Mistake::FilledOutOfOrder.is_made() && !live {
            sorted.released.reverse();
        }
        if let (Via::Poll { began, .. }, Some(time)) = (via, sorted.oldest) {
            self.review(at, began, time);
        }
        self.emit_released(at, sorted.numbering, sorted.released);
        for event in unnumbered {
            let stamp = Stamp {
                number: None,
                backfill: !live,
                gap: None,
                possible_duplicate: false,
            };
            self.emit(at, &event, stamp);
        }
        self.holes_appeared(at);
        self.relieve_full_buffer(at);
    }

    /// Offers units to the order; what may go on is released, with the oldest time of what is new.
    /// Nothing more comes up to `skipped`, where a platform says so.
    fn put_in_order(&mut self, units: Vec<Unit<Payload>>, skipped: Option<u64>) -> Option<InOrder> {
        let ordering = self.ordering.as_mut()?;
        let before = (
            ordering.position().cursor,
            ordering.highest(),
            ordering.missing_changes(),
        );
        let mut sorted = InOrder {
            numbering: ordering.position().numbering,
            released: Vec::new(),
            oldest: None,
        };
        for unit in units {
            let (events, time) = (unit.events, oldest(&unit.payload.events));
            match ordering.offer(unit, &mut sorted.released) {
                Offered::Duplicate if Mistake::RestOfABatchDropped.is_made() => break,
                Offered::Duplicate => self.stats.duplicate(events),
                Offered::Accepted | Offered::Held => {
                    sorted.oldest = sorted.oldest.into_iter().chain(time).min();
                }
                Offered::Late => {}
            }
        }
        if let Some(number) = skipped.filter(|_| ordering.rule().batch_is_cursor) {
            ordering.skip_to(number, &mut sorted.released);
        }
        self.position_moved |= before.0 != ordering.position().cursor;
        if before.2 != ordering.missing_changes() {
            self.position_moved = true;
            self.missing_moved = true;
        }
        if before.1 != ordering.highest() {
            self.unreadable = 0;
        }
        Some(sorted)
    }

    /// What waited goes the way of its number.
    pub(super) fn release_doubtful(&mut self, at: At) {
        let units = self.doubtful.take();
        if units.is_empty() {
            return;
        }
        if let Some(sorted) = self.put_in_order(units, None) {
            self.emit_released(at, sorted.numbering, sorted.released);
            self.holes_appeared(at);
        }
    }

    /// The usual batch: one event, whose turn it is.
    fn ingest_next(&mut self, at: At, batch: &Batch, via: Via) -> bool {
        let ([event], Some(ordering)) = (batch.events.as_slice(), &mut self.ordering) else {
            return false;
        };
        let number = event.number.or(batch.number).filter(|number| *number > 0);
        let beyond = |number: &u64| batch.number.is_some_and(|batch| batch > *number);
        let Some(number) = number.filter(|number| !beyond(number)) else {
            return false;
        };
        if !ordering.take_next(number, hash(event)) {
            return false;
        }
        let numbering = ordering.position().numbering;
        self.position_moved = true;
        self.unreadable = 0;
        if let (Via::Poll { began, .. }, Some(time)) = (via, event.time) {
            self.review(at, began, time);
        }
        let stamp = Stamp {
            number: Some((numbering, number, 0)),
            backfill: false,
            gap: None,
            possible_duplicate: false,
        };
        self.emit(at, event, stamp);
        true
    }

    pub(super) fn emit_released(
        &mut self,
        at: At,
        numbering: u64,
        released: Vec<Released<Payload>>,
    ) {
        for unit in released {
            for (index, event) in unit.payload.events.iter().enumerate() {
                let stamp = Stamp {
                    number: Some((numbering, unit.number, index)),
                    backfill: unit.payload.backfill || unit.late.is_some(),
                    gap: unit.late,
                    possible_duplicate: false,
                };
                self.emit(at, event, stamp);
            }
        }
    }

    pub(super) fn ingest_plain(&mut self, at: At, event: ProviderEvent, via: Via) {
        let named = self.connector.capabilities().identity == Identity::Ids;
        let mut possible_duplicate = false;
        let seen = match (&event.id, named, via) {
            (Some(id), true, _) => {
                let hash = id_hash(self.connector.source(), id);
                if self.is_new_id(at, hash) {
                    Seen::New
                } else {
                    Seen::Duplicate
                }
            }
            (_, _, Via::Socket { generation, .. } | Via::Poll { generation, .. }) => {
                let name = identity(&event);
                self.overlap.judge(at.now, generation, name, event.dated)
            }
            (_, _, Via::History) => Seen::New,
        };
        match seen {
            Seen::Duplicate => return self.stats.duplicate(1),
            Seen::PossibleDuplicate => possible_duplicate = true,
            Seen::New => {}
        }
        if let (Via::Poll { began, .. }, Some(time)) = (via, event.time) {
            self.review(at, began, time);
        }
        let backfill = via == Via::History;
        let stamp = Stamp {
            number: None,
            backfill,
            gap: None,
            possible_duplicate,
        };
        self.emit(at, &event, stamp);
    }

    /// Poll latency above the limit: the session is flagged, once in a connection. Events from
    /// before the chain began are late because of us, not because of it (U14).
    fn review(&mut self, at: At, began: WallTime, time: WallTime) {
        let late = at.wall.since(time) > self.timing.review_latency.0;
        if late && time >= began && self.standing.flag_for_review() {
            let fact = Fact::new(Kind::ReviewRequired).transport(Transport::LongPoll);
            self.fact(at, fact.reason("POLL_LATENCY").times(time, at.wall));
        }
    }
}

/// What came of units that were offered to the order.
struct InOrder {
    numbering: u64,
    released: Vec<Released<Payload>>,
    oldest: Option<WallTime>,
}

/// Events by number, ascending; those without a number of their own have the batch's. One that
/// stands twice under a number of its own is one event.
fn group(
    events: Vec<ProviderEvent>,
    batch: Option<u64>,
    backfill: bool,
    repeated: &mut usize,
) -> (Vec<Unit<Payload>>, Vec<ProviderEvent>) {
    let mut units: Vec<Unit<Payload>> = Vec::with_capacity(events.len());
    let mut unnumbered = Vec::new();
    let mut numbered = Vec::with_capacity(events.len());
    for event in events {
        match event.number.or(batch) {
            Some(number) if number > 0 => numbered.push((number, event)),
            _ => unnumbered.push(event),
        }
    }
    numbered.sort_by_key(|(number, _)| *number);
    for (number, event) in numbered {
        let bytes = event.raw.len();
        let hash = hash(&event);
        match units.last_mut() {
            Some(unit) if unit.number == number && repeats(unit, &event) => *repeated += 1,
            Some(unit) if unit.number == number => {
                unit.events += 1;
                unit.bytes += bytes;
                unit.hash = unit.hash.rotate_left(1) ^ hash;
                unit.payload.events.push(event);
            }
            _ => units.push(Unit {
                number,
                events: 1,
                bytes,
                hash,
                payload: Payload {
                    events: SmallVec::from_iter([event]),
                    backfill,
                },
            }),
        }
    }
    (units, unnumbered)
}

fn repeats(unit: &Unit<Payload>, event: &ProviderEvent) -> bool {
    let same = |known: &ProviderEvent| known.number == event.number && known.raw == event.raw;
    event.number.is_some() && unit.payload.events.iter().any(same)
}

fn oldest(events: &[ProviderEvent]) -> Option<WallTime> {
    events.iter().filter_map(|e| e.time).min()
}
