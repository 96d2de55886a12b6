//! [`Session`]: an agent session as its pollers see it: a queue that coalesces, and an id that
//! changes with every answer. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::answer::Branch;
use super::ledger::AnswerCause;
use super::record::Cursor;
use crate::runtime::MonoTime;

/// Bytes that wait for a poll, at most.
const QUEUE_BYTES: usize = 128 << 20;

/// An event that waits for a poll.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    pub(super) fact: u64,
    /// Of a `CustomEvent`: its name, of which only the newest is kept.
    pub(super) name: Option<String>,
    pub(super) body: Arc<str>,
}

/// The last answer, until a poll comes with its id.
#[derive(Debug, Clone)]
pub(super) struct Unconfirmed {
    /// The answer's number.
    pub(super) number: u64,
    pub(super) facts: Vec<u64>,
    /// The id that it answered.
    pub(super) asked: Arc<str>,
    /// As it stood on the wire.
    pub(super) body: Arc<str>,
    pub(super) branch: Branch,
}

#[derive(Debug)]
pub(super) struct Session {
    /// Index of the agent.
    pub(super) agent: usize,
    /// The id that was given out last.
    current: Arc<str>,
    /// Those before, the newest last.
    old: VecDeque<Arc<str>>,
    remembered: usize,
    pub(super) ids_issued: u64,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    pub(super) unconfirmed: Option<Unconfirmed>,
    /// Why the next answer is a snapshot, if it is.
    pub(super) renew: Option<AnswerCause>,
    pub(super) ended: bool,
    /// Nobody polls from then on.
    pub(super) polled_until: MonoTime,
}

impl Session {
    pub(super) fn new(agent: usize, id: Arc<str>, remembered: usize, now: MonoTime) -> Self {
        Self {
            agent,
            current: id,
            old: VecDeque::new(),
            remembered,
            ids_issued: 1,
            queue: VecDeque::new(),
            queued_bytes: 0,
            unconfirmed: None,
            renew: Some(AnswerCause::Started),
            ended: false,
            polled_until: now,
        }
    }

    /// How an id stands here.
    pub(super) fn cursor(&self, id: &str) -> Cursor {
        if self.ended && (self.queue.is_empty() || *self.current != *id) {
            return match *self.current == *id || self.old.iter().any(|old| **old == *id) {
                true => Cursor::Ended,
                false => Cursor::Unknown,
            };
        }
        if *self.current == *id {
            Cursor::Current
        } else if self.old.iter().any(|old| **old == *id) {
            Cursor::Old
        } else {
            Cursor::Unknown
        }
    }

    /// The id that was given out last.
    pub(super) fn current(&self) -> Arc<str> {
        Arc::clone(&self.current)
    }

    /// Every id that is known here.
    pub(super) fn ids(&self) -> impl Iterator<Item = &Arc<str>> {
        self.old.iter().chain([&self.current])
    }

    /// Gives out another id; the ids that are no longer known.
    pub(super) fn advance(&mut self, next: Arc<str>) -> Vec<Arc<str>> {
        let before = std::mem::replace(&mut self.current, next);
        self.ids_issued += 1;
        self.old.push_back(before);
        let forgotten = self.old.len().saturating_sub(self.remembered);
        self.old.drain(..forgotten).collect()
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether there is anything to answer a poll with.
    pub(super) fn has_news(&self) -> bool {
        self.renew.is_some() || !self.queue.is_empty()
    }

    /// Puts an event at the end of the queue.
    pub(super) fn push(&mut self, event: Queued, capacity: usize) -> Pushed {
        if let Some(name) = &event.name
            && let Some(at) = self
                .queue
                .iter()
                .position(|queued| queued.name.as_ref() == Some(name))
            && let Some(overwritten) = self.queue.remove(at)
        {
            self.queued_bytes -= overwritten.body.len();
            let fact = overwritten.fact;
            self.append(event);
            return Pushed::Overwrote(fact);
        }
        self.append(event);
        if self.queue.len() > capacity || self.queued_bytes > QUEUE_BYTES {
            self.renew = self.renew.or(Some(AnswerCause::Overflow));
            return Pushed::Overflowed(self.take());
        }
        Pushed::Kept
    }

    fn append(&mut self, event: Queued) {
        self.queued_bytes += event.body.len();
        self.queue.push_back(event);
    }

    /// Takes out all that waits.
    pub(super) fn take(&mut self) -> Vec<Queued> {
        self.queued_bytes = 0;
        self.queue.drain(..).collect()
    }
}

/// What an event that is put into the queue does to the others.
#[derive(Debug)]
pub(super) enum Pushed {
    Kept,
    /// The fact of this number is no longer to be had.
    Overwrote(u64),
    /// Too many waited: these are no longer to be had, and the platform knows.
    Overflowed(Vec<Queued>),
}
