//! A queue with a journal that keeps what is committed, and time that is moved by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::connectors::{Content, Receipt, SendOutcome};
use crate::domain::{Sequence, SessionName, WallTime};
use crate::proto::v1;
use crate::proto::v1::OutboundMessageState as Shown;
use crate::runtime::{MonoTime, Rng};
use crate::session::outbound::queue::{
    Answer, Asks, Change, Effects, KEYS, Message, Moment, Path, Queue, Rules, Ticket,
};
use crate::session::outbound::{Defaults, NewMessage, Stage, UnknownOutcome};

pub(super) const PACE: Duration = Duration::from_millis(200);
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn rules() -> Rules {
    Rules {
        defaults: Defaults {
            ttl: Duration::from_secs(300),
            attempts: 3,
            unknown_outcome: UnknownOutcome::Report,
        },
        pace: PACE,
        acknowledged_within: PATIENCE,
        history: true,
        backoff: (Duration::from_secs(1), Duration::from_secs(30)),
    }
}

pub(super) fn text(words: &str) -> Content {
    Content::Text {
        text: words.to_owned(),
    }
}

pub(super) fn message(id: &str, words: &str) -> NewMessage {
    NewMessage {
        id: id.to_owned(),
        content: text(words),
        attributes: BTreeMap::new(),
        expire_time: None,
        unknown_outcome: None,
    }
}

pub(super) fn receipt(id: Option<&str>, outcome: SendOutcome) -> Receipt {
    Receipt {
        id: id.map(str::to_owned),
        outcome,
    }
}

pub(super) fn acknowledged(provider_id: &str) -> SendOutcome {
    SendOutcome::Acknowledged {
        provider_id: Some(provider_id.to_owned()),
    }
}

/// What was committed.
#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) events: Vec<v1::OutboundMessageEvent>,
    pub(super) state: BTreeMap<String, (bytes::Bytes, Sequence)>,
}

pub(super) struct Kit {
    pub(super) queue: Queue,
    pub(super) rules: Rules,
    pub(super) at: Moment,
    pub(super) journal: Committed,
    /// What is not durable yet.
    pub(super) pending: Vec<Change>,
    /// Whether everything is durable at once.
    pub(super) prompt: bool,
    pub(super) answers: Vec<(Ticket, Answer)>,
    pub(super) seed: u64,
    tickets: Ticket,
}

impl Kit {
    pub(super) fn new(rules: Rules, seed: u64) -> Self {
        let at = Moment {
            now: MonoTime::now(),
            wall: WallTime::parse_rfc3339("2026-03-10T09:41:00Z").unwrap(),
        };
        let mut kit = Self {
            queue: queue(rules, seed, Vec::new(), at),
            rules,
            at,
            journal: Committed::default(),
            pending: Vec::new(),
            prompt: true,
            answers: Vec::new(),
            seed,
            tickets: 0,
        };
        kit.act(Queue::start);
        kit
    }

    /// One that is connected, and whose first pace has passed.
    pub(super) fn connected(rules: Rules) -> Self {
        let mut kit = Self::new(rules, 7);
        kit.open();
        kit.wait(PACE);
        kit
    }

    pub(super) fn act<T>(&mut self, act: impl FnOnce(&mut Queue, Moment, &mut Effects) -> T) -> T {
        let mut fx = Effects::default();
        let result = act(&mut self.queue, self.at, &mut fx);
        self.answers.extend(fx.answers);
        self.pending.extend(fx.changes);
        if self.prompt {
            self.commit();
        }
        result
    }

    /// What is pending becomes durable, as one commit.
    pub(super) fn commit(&mut self) {
        while !self.pending.is_empty() {
            let changes = std::mem::take(&mut self.pending);
            let mut durable = Vec::new();
            for change in changes {
                let event = change.event.map(|event| {
                    self.journal.events.push(event);
                    Sequence::new(self.journal.events.len() as u64)
                });
                let own = event.filter(|_| change.accepts);
                match change.value {
                    Some(value) => {
                        let sequence = own.unwrap_or(Sequence::ZERO);
                        self.journal.state.insert(change.key, (value, sequence));
                    }
                    None => {
                        self.journal.state.remove(&change.key);
                    }
                }
                durable.push((change.order, own));
            }
            let mut fx = Effects::default();
            for (order, own) in durable {
                self.queue.durable(self.at, order, own, &mut fx);
            }
            self.answers.extend(fx.answers);
            self.pending.extend(fx.changes);
        }
    }

    /// The process is killed and started again on what was committed.
    pub(super) fn crash(&mut self) {
        self.pending.clear();
        self.answers.clear();
        self.seed += 1;
        let stored = self.journal.state.iter().map(|(key, (value, sequence))| {
            let message = Message::decode(value, *sequence).unwrap();
            (key.strip_prefix(KEYS).unwrap().to_owned(), message)
        });
        self.queue = queue(self.rules, self.seed, stored.collect(), self.at);
        self.act(Queue::start);
    }

    pub(super) fn send(&mut self, asked: NewMessage, stage: Stage) -> Ticket {
        self.tickets += 1;
        let ticket = self.tickets;
        self.act(|queue, at, fx| queue.accept(at, asked, stage, ticket, fx));
        ticket
    }

    pub(super) fn cancel(&mut self, id: &str) -> Ticket {
        self.tickets += 1;
        let ticket = self.tickets;
        self.act(|queue, at, fx| queue.cancel(at, id, ticket, fx));
        ticket
    }

    pub(super) fn answer(&self, ticket: Ticket) -> Option<&Answer> {
        let own = self.answers.iter().find(|(own, _)| *own == ticket);
        own.map(|(_, answer)| answer)
    }

    pub(super) fn open(&mut self) {
        self.act(|queue, at, fx| queue.connected(at, Path::Open, fx));
    }

    pub(super) fn down(&mut self, seconds: u64) {
        let until = self.at.now + Duration::from_secs(seconds);
        self.act(|queue, at, fx| queue.connected(at, Path::Down(until), fx));
    }

    /// The connection breaks.
    pub(super) fn cut(&mut self, unwritten: bool) {
        self.act(|queue, at, fx| queue.interrupted(at, unwritten, fx));
        self.down(1);
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.at.now += time;
        self.at.wall = self.at.wall.plus(time);
        self.act(Queue::due);
    }

    /// Begins with the next message; its id, where it may be handed over.
    pub(super) fn begin(&mut self) -> Option<String> {
        self.act(|queue, at, fx| queue.begin(at, false, fx));
        self.queue.ready().map(|outgoing| outgoing.id.to_owned())
    }

    /// The next message is written; its id.
    pub(super) fn write(&mut self) -> Option<String> {
        let id = self.begin()?;
        self.queue.handed(self.at);
        self.act(Queue::written);
        Some(id)
    }

    pub(super) fn receive(&mut self, id: Option<&str>, outcome: SendOutcome) -> Asks {
        let receipt = receipt(id, outcome);
        self.act(|queue, at, fx| queue.receipt(at, receipt, fx))
    }

    pub(super) fn shown(&self, id: &str) -> Option<Shown> {
        self.queue.shown(id)
    }

    /// States that a message came to, with their reasons, as they are journaled.
    pub(super) fn history(&self, id: &str) -> Vec<(Shown, String)> {
        let name = format!("sessions/cc/outboundMessages/{id}");
        let own = self.journal.events.iter();
        let own = own.filter(|event| event.outbound_message == name);
        own.map(|event| (event.state(), event.reason.clone()))
            .collect()
    }

    pub(super) fn states(&self, id: &str) -> Vec<Shown> {
        self.history(id)
            .into_iter()
            .map(|(state, _)| state)
            .collect()
    }
}

fn queue(rules: Rules, seed: u64, stored: Vec<(String, Message)>, at: Moment) -> Queue {
    let session = SessionName::new("cc").unwrap();
    Queue::new(&session, rules, Rng::from_seed(seed), stored, at)
}
