//! What a connection brings before it is shown that the older one has brought everything: it waits,
//! for the older may still bring what came before (U5, U16).

use super::Machine;
use super::ingest::Via;
use super::io::{Actions, At, Generation};
use super::socket::Socket;
use crate::connectors::ProviderEvent;
use crate::session::waiting::{MOST_BYTES, MOST_EVENTS};

/// Events of a connection that is not joined yet.
#[derive(Debug)]
pub(super) enum Early {
    Wait(Arrived),
    Pass,
}

/// What came, and when.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    events: Vec<(At, ProviderEvent)>,
    bytes: usize,
}

impl Default for Early {
    fn default() -> Self {
        Self::Wait(Arrived::default())
    }
}

impl Early {
    pub(super) fn take(&mut self) -> Arrived {
        match std::mem::replace(self, Self::Pass) {
            Self::Wait(arrived) => arrived,
            Self::Pass => Arrived::default(),
        }
    }
}

impl Machine {
    /// Lets the events of a batch wait, where they must; the others come back.
    pub(super) fn wait_for_the_older(
        &mut self,
        at: At,
        generation: Generation,
        events: Vec<ProviderEvent>,
    ) -> Vec<ProviderEvent> {
        // Numbers put themselves in order.
        if self.ordering.is_some() {
            return events;
        }
        let Some(socket) = self.socket_mut(generation).filter(|s| !s.joined) else {
            return events;
        };
        let Early::Wait(arrived) = &mut socket.early else {
            return events;
        };
        arrived.bytes += events.iter().map(|event| event.raw.len()).sum::<usize>();
        let events = events.into_iter().map(|event| (at, event));
        arrived.events.extend(events);
        // Beyond that nothing waits any more: order may suffer, nothing is lost.
        if arrived.events.len() > MOST_EVENTS || arrived.bytes > MOST_BYTES {
            let arrived = socket.early.take();
            self.ingest_early(at, generation, arrived);
        }
        Vec::new()
    }

    /// Takes in what waited on a connection.
    pub(super) fn release_early(&mut self, at: At, socket: &mut Socket) {
        let arrived = socket.early.take();
        self.ingest_early(at, socket.generation, arrived);
    }

    /// These connections have missed nothing: what waited on them goes on.
    pub(super) fn join(&mut self, at: At, which: impl Fn(&Socket) -> bool, out: &mut Actions) {
        let Some(live) = self.live() else {
            return;
        };
        let mut early = Vec::new();
        for socket in live.iter_mut().filter(|s| !s.joined && which(s)) {
            socket.joined = true;
            early.push((socket.generation, socket.early.take()));
        }
        for (generation, arrived) in early {
            self.ingest_early(at, generation, arrived);
            let settled = self.overlap.join(generation);
            if let Some(socket) = self.socket_mut(generation) {
                socket.settled = settled;
            }
            if !settled {
                self.ask_for_proof(at, generation, Some(generation), out);
            }
        }
    }

    pub(super) fn ingest_early(&mut self, at: At, generation: Generation, arrived: Arrived) {
        let place = None;
        for (came, event) in arrived.events {
            // It is as old as it is, however long it waited.
            let at = At {
                wall: came.wall,
                ..at
            };
            self.ingest_plain(at, event, Via::Socket { generation, place });
        }
    }
}
