//! [`Subscription`]: the numbered log of one client's channels: what is delivered, in which order,
//! what is kept, and where a position stands in it. Pure.
//!
//! Numbers are dense and follow the order of issue. The log is kept in the order of *delivery*,
//! which is the same unless an event is late or withheld; so every reader, whatever its transport,
//! sees the same order, and an event that fell behind comes to those who had passed its place.

mod history;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub(crate) use history::Past;

use history::History;

use super::event::Issued;
use super::ledger::{Digest, Fate, Ledger, LedgerEntry};

/// What a reader gets whose position is beyond anything the platform knows, because the numbering
/// restarted, or because the position was another subscription's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownPosition {
    /// What is issued from now on.
    #[default]
    FromNow,
    /// All that is kept.
    Everything,
    /// Only what is above that position, so nothing for a long time.
    Nothing,
}

/// How much is kept, and how much one answer holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Events that can be resumed.
    pub(crate) retention: usize,
    /// Events that the history has.
    pub(crate) history: usize,
    /// Bytes of either.
    pub(crate) bytes: usize,
    /// Entries of the ledger.
    pub(crate) ledger: usize,
}

/// How much one batch holds; a single event may be larger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimit {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

pub(crate) type Numbered = (u64, Arc<Issued>);

#[derive(Debug)]
pub(crate) struct Subscription {
    bounds: Bounds,
    log: VecDeque<Entry>,
    /// Index of the log's front; indexes never restart.
    front: u64,
    log_bytes: usize,
    /// Where events stand that others overtook: number to index.
    overtaken: BTreeMap<u64, u64>,
    late: Vec<Late>,
    history: History,
    numbering: u32,
    ledger: Ledger,
    scratch: String,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// The highest number up to here.
    highest: u64,
    event: Arc<Issued>,
}

#[derive(Debug)]
struct Late {
    number: u64,
    others: u32,
    event: Arc<Issued>,
}

/// A reader's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    next: u64,
    /// Numbers up to the first are skipped as long as the index is not above the second.
    known: Option<(u64, u64)>,
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) events: Vec<Numbered>,
    /// The highest number in it, or delivered so far where it is empty.
    pub(crate) sequence: u64,
    pub(crate) cursor: Cursor,
}

impl Subscription {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            log: VecDeque::new(),
            front: 0,
            log_bytes: 0,
            overtaken: BTreeMap::new(),
            late: Vec::new(),
            history: History::new(bounds.history, bounds.bytes),
            numbering: 1,
            ledger: Ledger::new(bounds.ledger),
            scratch: String::new(),
        }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn numbering(&self) -> u32 {
        self.numbering
    }

    /// The last number given.
    pub(crate) fn head(&self) -> u64 {
        self.history.head()
    }

    /// The highest number delivered.
    pub(crate) fn delivered(&self) -> u64 {
        self.log.back().map_or(0, |entry| entry.highest)
    }

    /// The lowest number that can be resumed from the log.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.log.front().map(|entry| entry.number)
    }

    fn end(&self) -> u64 {
        self.front + self.log.len() as u64
    }

    /// Gives the event its number, enters it into the ledger and lets its fate have its way.
    pub(crate) fn push(&mut self, event: &Arc<Issued>, fate: Fate) -> u64 {
        let kept = (fate != Fate::Lost).then(|| Arc::clone(event));
        let number = self.history.push(kept);
        self.enter(number, event, fate);
        match fate {
            Fate::Deliver => {
                self.append(number, Arc::clone(event));
                self.overtake();
            }
            Fate::Delay(others) => {
                self.overtake();
                self.late.push(Late {
                    number,
                    others,
                    event: Arc::clone(event),
                });
            }
            Fate::History | Fate::Lost => {}
        }
        self.trim();
        number
    }

    fn enter(&mut self, number: u64, event: &Arc<Issued>, fate: Fate) {
        self.scratch.clear();
        event.write(number, &mut self.scratch);
        self.ledger.enter(LedgerEntry {
            entry: 0,
            numbering: self.numbering,
            number,
            event_type: Arc::clone(&event.channel),
            bytes: u32::try_from(self.scratch.len()).unwrap_or(u32::MAX),
            sha256: Digest::of(self.scratch.as_bytes()),
            issued_at: event.issued_at,
            fate,
        });
        // One oversize event must not keep its bytes for ever.
        self.scratch.shrink_to(1 << 16);
    }

    fn append(&mut self, number: u64, event: Arc<Issued>) {
        let highest = self.delivered().max(number);
        if number < highest {
            self.overtaken.insert(number, self.end());
        }
        self.log_bytes += event.size();
        self.log.push_back(Entry {
            number,
            highest,
            event,
        });
    }

    /// One event was issued: those that wait for others are one closer.
    fn overtake(&mut self) {
        for late in &mut self.late {
            late.others = late.others.saturating_sub(1);
        }
        let (due, waiting) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|late| late.others == 0);
        self.late = waiting;
        self.deliver_late(due);
    }

    /// Delivers what was held back.
    pub(crate) fn release_late(&mut self) {
        let due = std::mem::take(&mut self.late);
        self.deliver_late(due);
    }

    fn deliver_late(&mut self, due: Vec<Late>) {
        for late in due {
            self.append(late.number, late.event);
        }
    }

    fn trim(&mut self) {
        while self.log.len() > self.bounds.retention
            || (self.log_bytes > self.bounds.bytes && self.log.len() > 1)
        {
            let Some(entry) = self.log.pop_front() else {
                break;
            };
            self.log_bytes -= entry.event.size();
            if self.overtaken.get(&entry.number) == Some(&self.front) {
                self.overtaken.remove(&entry.number);
            }
            self.front += 1;
        }
    }

    /// Forgets everything and numbers from 1 again. Readers in place get what is new.
    pub(crate) fn restart(&mut self) {
        self.front = self.end();
        self.log.clear();
        self.log_bytes = 0;
        self.overtaken.clear();
        self.late.clear();
        self.history = History::new(self.bounds.history, self.bounds.bytes);
        self.numbering += 1;
    }

    /// Where a reader stands that has everything up to `after`; 0 has nothing.
    pub(crate) fn cursor(&self, after: u64, unknown: UnknownPosition) -> Cursor {
        let at = |next| Cursor { next, known: None };
        if after == 0 {
            return at(self.front);
        }
        if after > self.delivered() {
            let known = after <= self.head();
            return match unknown {
                _ if known => at(self.end()),
                UnknownPosition::FromNow => at(self.end()),
                UnknownPosition::Everything => at(self.front),
                UnknownPosition::Nothing => Cursor {
                    next: self.end(),
                    known: Some((after, u64::MAX)),
                },
            };
        }
        let above = self.log.partition_point(|entry| entry.highest <= after) as u64;
        let own = self.overtaken.get(&after).copied().unwrap_or_else(|| {
            self.front + self.log.partition_point(|entry| entry.highest < after) as u64
        });
        Cursor {
            next: (self.front + above).min(own + 1),
            known: Some((after, own)),
        }
    }

    /// The next batch for a reader, empty where there is nothing for it.
    pub(crate) fn read(&self, cursor: Cursor, limit: BatchLimit) -> Reading {
        let mut next = cursor.next.max(self.front);
        let skip = usize::try_from(next - self.front).unwrap_or(usize::MAX);
        let mut events = Vec::new();
        let mut bytes = 0;
        let (mut sequence, mut leads_on) = (0, false);
        for entry in self.log.iter().skip(skip) {
            let known = cursor
                .known
                .is_some_and(|(after, until)| entry.number <= after && next <= until);
            if !known {
                bytes += entry.event.size() + 1;
                let full = events.len() == limit.events || bytes > limit.bytes;
                if full && leads_on {
                    break;
                }
                // Late events alone would leave a reader who asks by number where it is, for ever.
                leads_on |= cursor.known.is_none_or(|(after, _)| entry.number > after);
                sequence = sequence.max(entry.number);
                events.push((entry.number, Arc::clone(&entry.event)));
            }
            next += 1;
        }
        if events.is_empty() {
            sequence = self.delivered();
        }
        Reading {
            events,
            sequence,
            cursor: Cursor { next, ..cursor },
        }
    }

    /// The last `count` events delivered before a reader's place.
    pub(crate) fn before(&self, cursor: Cursor, count: usize) -> Vec<Numbered> {
        let passed = usize::try_from(cursor.next.saturating_sub(self.front)).unwrap_or(usize::MAX);
        let from = passed.min(self.log.len());
        self.log
            .iter()
            .take(from)
            .skip(from.saturating_sub(count))
            .map(|entry| (entry.number, Arc::clone(&entry.event)))
            .collect()
    }

    /// The history after one number through another.
    pub(crate) fn past(&self, after: u64, through: u64, limit: BatchLimit) -> Past {
        self.history.between(after, through, limit)
    }
}

#[cfg(test)]
mod tests;
