//! [`Outbox`]: what waits on one socket. Pure.

use std::collections::VecDeque;

use super::bell::Bell;
use super::record::{Pushed, Receipt};
use super::state::State;
use crate::runtime::MonoTime;

/// What waits on one socket.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Whose socket it is, once that is known.
    pub(super) session: Option<String>,
    /// In the order in which it was put there; what is due goes first.
    waiting: VecDeque<Parcel>,
    /// The code and reason with which the socket is closed when nothing is due any more.
    pub(super) parting: Option<(u16, String)>,
    pub(super) bell: Bell,
}

/// A frame that waits.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) due: MonoTime,
    pub(super) text: String,
    pub(super) meaning: Meaning,
}

/// What comes of it when a frame is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Plain,
    /// The echo of a guest's message, by its number.
    Echo(u64),
    /// A message of the agent, by its number.
    Agent(u64),
    /// An error with this code.
    Error(u16),
}

impl Outbox {
    /// Frames that are due, so many at most.
    pub(super) fn take_due(&mut self, now: MonoTime, most: usize) -> Vec<Parcel> {
        let mut due = Vec::new();
        let mut place = 0;
        while due.len() < most {
            match self.waiting.get(place).map(|parcel| parcel.due <= now) {
                Some(true) => due.extend(self.waiting.remove(place)),
                Some(false) => place += 1,
                None => break,
            }
        }
        due
    }

    /// Whether something is due; else when.
    pub(super) fn next_due(&self) -> Option<MonoTime> {
        self.waiting.iter().map(|parcel| parcel.due).min()
    }
}

impl State {
    /// Puts a frame into an outbox. One that is full closes its socket.
    pub(super) fn post(&mut self, connection: u64, parcel: Parcel) {
        let most = self.config.outbox;
        let Some(outbox) = self.outboxes.get_mut(&connection) else {
            self.settle(connection, parcel.meaning, false);
            return;
        };
        if outbox.waiting.len() < most {
            outbox.waiting.push_back(parcel);
        } else {
            outbox.parting = Some((1008, "too slow".to_owned()));
        }
        outbox.bell.ring();
    }

    /// Puts a frame of no further meaning into an outbox, at once.
    pub(super) fn tell(&mut self, connection: u64, text: String, now: MonoTime) {
        let meaning = Meaning::Plain;
        let parcel = Parcel {
            due: now,
            text,
            meaning,
        };
        self.post(connection, parcel);
    }

    /// Closes a socket when what is due is on the wire, and takes it from its session.
    pub(super) fn part(&mut self, connection: u64, code: u16, reason: &str) {
        self.detach(connection);
        if let Some(outbox) = self.outboxes.get_mut(&connection) {
            outbox.parting.get_or_insert((code, reason.to_owned()));
            outbox.bell.ring();
        }
    }

    /// Takes a socket from its session.
    pub(super) fn detach(&mut self, connection: u64) {
        let outbox = self.outboxes.get_mut(&connection);
        let session = outbox.and_then(|outbox| outbox.session.take());
        if let Some(guest) = session.and_then(|session| self.guests.get_mut(&session)) {
            guest.sockets.retain(|socket| *socket != connection);
        }
    }

    /// A connection is over.
    pub(super) fn close_outbox(&mut self, connection: u64) {
        self.detach(connection);
        let outbox = self.outboxes.remove(&connection);
        for parcel in outbox.into_iter().flat_map(|outbox| outbox.waiting) {
            self.settle(connection, parcel.meaning, false);
        }
    }

    /// A frame was put on the wire whole, or never will be.
    pub(super) fn settle(&mut self, connection: u64, meaning: Meaning, written: bool) {
        match meaning {
            Meaning::Echo(number) => {
                self.counters.echoes += u64::from(written);
                let receipt = match written {
                    true => Receipt::Written,
                    false => Receipt::Cut,
                };
                self.receipt(number, receipt);
            }
            Meaning::Agent(number) if written => {
                self.counters.agent_messages_pushed += 1;
                if let Some(said) = self.said.get_mut(number) {
                    let mut pushed = said.pushed.iter_mut();
                    match pushed.find(|pushed| pushed.connection == connection) {
                        Some(pushed) => pushed.copies += 1,
                        None => said.pushed.push(Pushed {
                            connection,
                            copies: 1,
                        }),
                    }
                }
            }
            Meaning::Error(code) if written => {
                *self.counters.errors.entry(code).or_default() += 1;
            }
            _ => {}
        }
    }

    /// What became of a message's echo, unless that is known already.
    pub(crate) fn receipt(&mut self, number: u64, receipt: Receipt) {
        if let Some(message) = self.record.get_mut(number)
            && message.receipt == Receipt::Waiting
        {
            message.receipt = receipt;
        }
    }
}
