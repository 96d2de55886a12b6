//! Whatever the order of broken connections, kills, receipts, throttling, histories, cancellations and
//! expiry: each message comes to one outcome, in order, and none is claimed that did not arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::kit::{Kit, acknowledged, message, rules};
use crate::connectors::{Content, Seen, SendOutcome};
use crate::domain::WallTime;
use crate::proto::v1::OutboundMessageState as Shown;
use crate::runtime::Rng;
use crate::session::outbound::queue::{Answer, Asked, Asks, Queue};
use crate::session::outbound::{Stage, UnknownOutcome};

const SEEDS: u64 = 2_000;
const STEPS: usize = 160;

/// A copy of a message that the platform got.
#[derive(Debug, Clone)]
struct Copy {
    id: String,
    provider_id: String,
    content: Content,
    time: WallTime,
    /// It came after its connection had broken.
    late: bool,
}

/// The platform, the network before it, and what whoever sends was told.
struct World {
    kit: Kit,
    rng: Rng,
    /// Whether the platform's history keeps our ids.
    names: bool,
    /// Its clock against ours.
    skew: i64,
    connected: bool,
    /// Given to the socket, and not written yet.
    handed: Option<(String, Content)>,
    /// Written on this connection, and not read yet.
    wire: Option<(String, Content)>,
    /// Written on one that broke: it may come yet, or never.
    adrift: Vec<(String, Content)>,
    /// What the platform says, and has not said yet.
    answers: Vec<(Option<String>, SendOutcome)>,
    platform: Vec<Copy>,
    /// When it was decided to ask the history.
    asked: Option<Asked>,
    /// What each message was asked with, of those that were told to be accepted.
    told: BTreeMap<String, u64>,
    tickets: BTreeMap<u64, String>,
    policies: BTreeMap<String, UnknownOutcome>,
    throttled_until: Option<WallTime>,
    next: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let rng = Rng::from_seed(seed);
        let mut rules = rules();
        rules.history = rng.below(4) > 0;
        let mut kit = Kit::new(rules, seed);
        kit.prompt = rng.below(2) == 0;
        Self {
            kit,
            names: rng.below(2) == 0,
            skew: i64::try_from(rng.below(480)).unwrap() - 240,
            rng,
            connected: false,
            handed: None,
            wire: None,
            adrift: Vec::new(),
            answers: Vec::new(),
            platform: Vec::new(),
            asked: None,
            told: BTreeMap::new(),
            tickets: BTreeMap::new(),
            policies: BTreeMap::new(),
            throttled_until: None,
            next: 0,
        }
    }

    fn chance(&self, percent: u64) -> bool {
        self.rng.below(100) < percent
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..20 => self.send(),
            20..24 => self.cancel(),
            24..29 => self.crash(),
            29..37 => self.cut(),
            37..50 => self.connect(),
            50..62 => self.wire_moves(),
            62..76 => self.platform_speaks(),
            76..82 => self.history(),
            82..84 => self.adrift_arrives(),
            84..86 => self.kit.wait(Duration::from_secs(20 + self.rng.below(300))),
            _ => self.kit.wait(Duration::from_millis(self.rng.below(2_000))),
        }
        self.goes_on();
    }

    fn send(&mut self) {
        let repeat = self.next > 0 && self.chance(20);
        let number = match repeat {
            true => self.rng.below(self.next),
            false => {
                self.next += 1;
                self.next - 1
            }
        };
        // Few texts, so that many are equal.
        let mut asked = message(&format!("m{number}"), &format!("text {}", number % 5));
        let resend = number % 3 == 0;
        asked.unknown_outcome = resend.then_some(UnknownOutcome::Resend);
        let policy = asked.unknown_outcome.unwrap_or_default();
        self.policies.insert(asked.id.clone(), policy);
        let stages = [Stage::Accepted, Stage::Sent, Stage::Acknowledged];
        let stage = stages[usize::try_from(self.rng.below(3)).unwrap()];
        let id = asked.id.clone();
        let ticket = self.kit.send(asked, stage);
        self.tickets.insert(ticket, id);
    }

    fn cancel(&mut self) {
        let id = format!("m{}", self.rng.below(self.next.max(1)));
        let ticket = self.kit.cancel(&id);
        self.tickets.insert(ticket, id);
    }

    fn crash(&mut self) {
        self.connection_gone();
        // What was on its way to the disk may have come there.
        if self.chance(50) {
            self.kit.commit();
        }
        self.listen();
        if !self.kit.pending.is_empty() {
            // That it is throttled may not be durable.
            self.throttled_until = None;
        }
        self.kit.crash();
        self.connected = false;
        self.asked = None;
    }

    fn cut(&mut self) {
        if self.connected {
            let unwritten = self.handed.is_some();
            self.connection_gone();
            self.kit.cut(unwritten);
            self.connected = false;
            self.asked = None;
        }
    }

    fn connection_gone(&mut self) {
        self.handed = None;
        self.answers.clear();
        let wire = self.wire.take();
        self.adrift.extend(wire);
    }

    fn connect(&mut self) {
        if self.connected {
            return;
        }
        self.connected = true;
        self.kit.open();
        if self.kit.queue.is_unsettled() {
            let start = self.kit.queue.oldest_unsettled().unwrap();
            self.asked = Some(Asked {
                start,
                decided: self.kit.at.now,
            });
        }
    }

    /// The socket takes what it is given, and the platform reads what is written.
    fn wire_moves(&mut self) {
        if let Some(handed) = self.handed.take() {
            self.wire = Some(handed);
            self.kit.act(Queue::written);
        } else if let Some((id, content)) = self.wire.take() {
            self.platform_reads(id, content, false);
        }
    }

    fn platform_reads(&mut self, id: String, content: Content, late: bool) {
        let mut say = |outcome| {
            if !late {
                self.answers.push((Some(id.clone()), outcome));
            }
        };
        match self.rng.below(100) {
            0..10 => {
                let retry_after = Duration::from_millis(self.rng.below(3_000));
                return say(SendOutcome::Throttled { retry_after });
            }
            10..15 => return say(SendOutcome::NotTaken { reason: "DOWN" }),
            15..18 => return say(SendOutcome::Refused { reason: "REFUSED" }),
            18..22 => say(SendOutcome::Unknown { reason: "TIMEOUT" }),
            _ => {}
        }
        let early = self
            .throttled_until
            .is_some_and(|until| self.kit.at.wall < until);
        assert!(late || !early, "sent while throttled");
        let provider_id = format!("p{}", self.platform.len());
        let nanos = i64::try_from(self.kit.at.wall.as_nanos()).unwrap();
        let time = nanos + self.skew * 1_000_000_000;
        self.platform.push(Copy {
            id: id.clone(),
            provider_id: provider_id.clone(),
            content,
            time: WallTime::from_nanos(u64::try_from(time).unwrap()),
            late,
        });
        if !late {
            let outcome = match self.chance(70) {
                true => acknowledged(&provider_id),
                false => SendOutcome::Acknowledged { provider_id: None },
            };
            self.answers.push((Some(id), outcome));
        }
    }

    fn platform_speaks(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let (id, outcome) = self.answers.remove(0);
        if let SendOutcome::Throttled { retry_after } = outcome {
            self.throttled_until = Some(self.kit.at.wall.plus(retry_after));
        }
        let anonymous = self.chance(30) && !matches!(outcome, SendOutcome::Delivered);
        let id = id.filter(|_| !anonymous);
        if self.kit.receive(id.as_deref(), outcome) == Asks::Reconnect {
            self.cut();
        }
    }

    fn adrift_arrives(&mut self) {
        if let Some((id, content)) = self.adrift.pop()
            && self.chance(50)
        {
            self.platform_reads(id, content, true);
        }
    }

    /// History answers, whole, in part, or not at all.
    fn history(&mut self) {
        let Some(asked) = self.asked.take().filter(|_| self.connected) else {
            return;
        };
        let everything = self.chance(70);
        let mut seen = Vec::new();
        for copy in &self.platform {
            if copy.time >= asked.start && (everything || self.chance(50)) {
                seen.push(Seen {
                    provider_id: copy.provider_id.clone(),
                    id: self.names.then(|| copy.id.clone()),
                    content: (!self.names || self.chance(50)).then(|| copy.content.clone()),
                    time: self.chance(90).then_some(copy.time),
                });
            }
        }
        self.kit.queue.seen(seen);
        self.kit
            .act(|queue, at, fx| queue.recovered(at, asked, everything, fx));
    }

    fn goes_on(&mut self) {
        if !self.kit.prompt && self.chance(60) {
            self.kit.commit();
        }
        if self.connected
            && let Some(id) = self.kit.begin()
        {
            let outgoing = self.kit.queue.ready().unwrap();
            let content = outgoing.content.clone();
            assert!(
                self.handed.is_none() && self.wire.is_none(),
                "one in flight"
            );
            self.kit.queue.handed(self.kit.at);
            self.handed = Some((id, content));
        }
        if self.kit.queue.is_overdue(self.kit.at.now) {
            self.cut();
        }
        self.listen();
    }

    /// What whoever sends is told is true.
    fn listen(&mut self) {
        for (ticket, answer) in std::mem::take(&mut self.kit.answers) {
            let id = &self.tickets[&ticket];
            match answer {
                Answer::Stands(message, sequence) => {
                    let index = usize::try_from(sequence.get()).unwrap() - 1;
                    let event = &self.kit.journal.events[index];
                    assert_eq!(event.outbound_message, message.name);
                    assert_eq!(event.state(), Shown::Accepted);
                    let first = self.told.entry(id.clone()).or_insert(sequence.get());
                    assert_eq!(*first, sequence.get(), "the same position again");
                }
                Answer::Cancelled(message) => {
                    assert_eq!(message.state(), Shown::Cancelled);
                }
                Answer::NotSent(_) | Answer::NotCancelled(_) => {}
            }
        }
    }

    /// All is well from now on, for long enough.
    fn quiesce(&mut self) {
        self.kit.prompt = true;
        self.kit.commit();
        for _ in 0..2_000 {
            let queue = &self.kit.queue;
            if queue.waiting.is_empty() && queue.unsettled.is_empty() && queue.flight.is_none() {
                return;
            }
            self.connect();
            self.history();
            self.wire_moves();
            self.platform_speaks();
            self.kit.wait(Duration::from_millis(500));
            self.goes_on();
        }
    }

    fn judge(&self, seed: u64) {
        let mut provider_ids = BTreeSet::new();
        for id in self.policies.keys() {
            let states = self.kit.states(id);
            if states.is_empty() {
                assert!(!self.told.contains_key(id), "{seed}: {id} is lost");
                continue;
            }
            let copies = self.platform.iter().filter(|copy| copy.id == *id).count();
            let told = format!("{seed}: {id}: {states:?}, {copies} copies");
            let last = self.kit.shown(id).unwrap();
            assert_eq!(states.last(), Some(&last), "{told}");
            match last {
                Shown::Acknowledged => assert!(copies > 0, "{told}"),
                Shown::Failed | Shown::Expired | Shown::Cancelled => {
                    assert_eq!(copies, 0, "{told}");
                }
                Shown::OutcomeUnknown => {}
                other => panic!("{told}: no end but {other:?}"),
            }
            if self.policies[id] == UnknownOutcome::Report {
                assert!(copies <= 1, "{told}");
            }
            let ends = [
                Shown::Acknowledged,
                Shown::Failed,
                Shown::Expired,
                Shown::Cancelled,
            ];
            let outcomes = states.iter().filter(|state| ends.contains(state)).count();
            assert!(outcomes <= 1, "{told}");
            let event = self.kit.journal.events.iter().rev();
            let own = event
                .filter(|e| e.outbound_message.ends_with(&format!("/{id}")))
                .find(|e| !e.provider_message_id.is_empty());
            if let Some(own) = own {
                let name = &own.provider_message_id;
                let copy = self
                    .platform
                    .iter()
                    .find(|c| c.provider_id == *name)
                    .unwrap();
                assert_eq!(copy.id, *id, "{told}: {name} is of another");
                assert!(provider_ids.insert(name.clone()), "{told}: claimed twice");
            }
        }
        self.judge_order(seed);
    }

    /// First arrivals, but for those that the network kept, are in the order of acceptance.
    fn judge_order(&self, seed: u64) {
        let mut first = BTreeSet::new();
        let arrived = self.platform.iter().filter(|copy| !copy.late);
        let arrived: Vec<u64> = arrived
            .filter(|copy| first.insert(&copy.id))
            .map(|copy| self.order_of(&copy.id))
            .collect();
        assert!(arrived.is_sorted(), "{seed}: {arrived:?}");
    }

    fn order_of(&self, id: &str) -> u64 {
        let name = format!("sessions/cc/outboundMessages/{id}");
        let events = self.kit.journal.events.iter();
        let index = events
            .map(|event| &event.outbound_message)
            .position(|n| *n == name);
        index.unwrap() as u64
    }
}

#[test]
fn u36_every_message_has_one_outcome_whatever_happens() {
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    let mut settled = 0;
    for seed in 0..SEEDS * u64::from(crate::testing::scale()) {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.quiesce();
        world.judge(seed);
        for id in world.policies.keys() {
            if let Some(shown) = world.kit.shown(id) {
                *ends.entry(shown.as_str_name()).or_default() += 1;
                let states = world.kit.states(id);
                let unknown = states.contains(&Shown::OutcomeUnknown);
                settled += usize::from(unknown && shown == Shown::Acknowledged);
            }
        }
    }
    println!("{ends:?}, {settled} settled");
    // The world is wild enough to show something.
    assert!(ends.len() >= 5 && settled > 1_000, "{ends:?}, {settled}");
}
