//! [`Reader`]: a client of the gRPC API that stalls, drops its connection, forgets where it was or
//! begins again, and remembers everything it ever got.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prost::Message as _;
use tieline::client::{Address, GapChoice, Item, Resuming};
use tieline::proto::v1;
use tieline::runtime::{MonoTime, Rng};
use tokio::sync::watch;
use tokio::time::sleep_until;
use v1::subscribe_request::Start;

use crate::platform::Judge;
use crate::trace::Trace;

/// What a reader does besides reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    Steady,
    /// Does not read for a while.
    Stalls,
    /// Drops its connection.
    Reconnects,
    /// Crashes before it has stored where it was.
    Forgets,
}

pub(crate) struct Reader {
    name: u64,
    habit: Habit,
    address: Address,
    stream: Resuming,
    /// Nothing once it has given up.
    oracle: Option<Arc<Mutex<Box<dyn Judge>>>>,
    epoch: String,
    /// A hash of each event, by sequence.
    seen: Vec<u64>,
    /// Where the present stream is.
    at: u64,
    rng: Rng,
    trace: Trace,
    pub(crate) did: u64,
    pub(crate) broken: Option<String>,
}

/// How far the readers are to go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    /// Faults strike, and habits are had.
    Stormy,
    /// Faults are over.
    Calm,
    /// The readers are asked what they have.
    Over,
}

impl Reader {
    pub(crate) fn new(
        (name, habit): (u64, Habit),
        address: Address,
        oracle: Arc<Mutex<Box<dyn Judge>>>,
        rng: Rng,
        trace: Trace,
    ) -> Self {
        let start = Start::Preset(v1::StartPreset::Earliest.into());
        Self {
            name,
            habit,
            stream: stream(&address, start, &rng),
            address,
            oracle: Some(oracle),
            epoch: String::new(),
            seen: Vec::new(),
            at: 0,
            rng,
            trace,
            did: 0,
            broken: None,
        }
    }

    /// Reads until the world is over, or the promise is broken.
    pub(crate) async fn run(mut self, mut phase: watch::Receiver<Phase>) -> Self {
        let mut next_habit = self.draw();
        while self.broken.is_none() && *phase.borrow() != Phase::Over {
            let stormy = *phase.borrow() == Phase::Stormy && self.habit != Habit::Steady;
            tokio::select! {
                biased;
                changed = phase.changed() => if changed.is_err() {
                    return self;
                },
                () = sleep_until(next_habit), if stormy => {
                    self.have_habit().await;
                    next_habit = self.draw();
                }
                item = self.stream.next() => self.take(item),
            }
        }
        self
    }

    fn draw(&self) -> MonoTime {
        MonoTime::now() + Duration::from_millis(200 + self.rng.below(8_000))
    }

    async fn have_habit(&mut self) {
        let position = self.stream.position().cloned();
        let Some(mut position) = position else { return };
        self.did += 1;
        match self.habit {
            Habit::Steady => {}
            Habit::Stalls => {
                tokio::time::sleep(Duration::from_millis(500 + self.rng.below(20_000))).await;
            }
            Habit::Reconnects => {
                self.stream = stream(&self.address, Start::After(position), &self.rng);
            }
            Habit::Forgets => {
                let back = self.rng.below(100);
                position.sequence = position.sequence.saturating_sub(back);
                self.at = position.sequence;
                let start = match self.rng.below(5) {
                    0 => {
                        self.at = 0;
                        Start::Preset(v1::StartPreset::Earliest.into())
                    }
                    _ => Start::After(position),
                };
                self.stream = stream(&self.address, start, &self.rng);
            }
        }
    }

    fn take(&mut self, item: Option<Result<Item, tieline::client::ResumeError>>) {
        match item {
            Some(Ok(Item::Response(response))) => self.response(&response),
            Some(Ok(Item::Interrupted(_))) => {}
            Some(Err(error)) => self.breaks(format!("gave up: {error}")),
            None => self.breaks("the stream ended".to_owned()),
        }
    }

    fn response(&mut self, response: &v1::SubscribeResponse) {
        let epoch = self.stream.position().map(|p| p.epoch.clone());
        let epoch = epoch.unwrap_or_default();
        if !self.epoch.is_empty() && self.epoch != epoch {
            self.breaks(format!("the epoch became {epoch}"));
        }
        self.epoch = epoch;
        self.events(response);
        // It wants everything, so whatever is claimed was sent (D7).
        let (through, latest) = (response.through_sequence, response.latest_sequence);
        if self.broken.is_none() && (through != self.at || through > latest) {
            self.breaks(format!(
                "{through} of {latest} was claimed after {}",
                self.at
            ));
        }
    }

    fn events(&mut self, response: &v1::SubscribeResponse) {
        for event in &response.events {
            if event.sequence != self.at + 1 {
                self.breaks(format!("{} came after {}", event.sequence, self.at));
                return;
            }
            self.at = event.sequence;
            let hash = hash(event);
            let index = usize::try_from(event.sequence - 1).unwrap();
            match self.seen.get(index) {
                Some(before) if *before == hash => {}
                Some(_) => self.breaks(format!("{} is not what it was", event.sequence)),
                None => {
                    self.seen.push(hash);
                    self.trace.note("event", self.name, hash);
                    if let Some(oracle) = &self.oracle {
                        oracle.lock().take(&self.epoch, event);
                    }
                }
            }
        }
    }

    fn breaks(&mut self, how: String) {
        self.oracle = None;
        self.broken
            .get_or_insert(format!("reader {} ({:?}): {how}", self.name, self.habit));
    }

    /// A hash of each event, by sequence.
    pub(crate) fn seen(&self) -> &[u64] {
        &self.seen
    }

    /// Where two readers got different things, if they did.
    pub(crate) fn differs(&self, other: &Self) -> Option<usize> {
        let both = self.seen.iter().zip(&other.seen);
        both.enumerate()
            .find(|(_, (a, b))| a != b)
            .map(|(index, _)| index + 1)
    }
}

/// Everything that an event is; a map has no order of its own.
pub(crate) fn hash(event: &v1::Event) -> u64 {
    let mut event = event.clone();
    let attributes: BTreeMap<_, _> = event.attributes.drain().collect();
    let mut hash = DefaultHasher::new();
    (event.encode_to_vec(), attributes).hash(&mut hash);
    hash.finish()
}

fn stream(address: &Address, start: Start, rng: &Rng) -> Resuming {
    let request = v1::SubscribeRequest {
        start: Some(start),
        ..Default::default()
    };
    let on_gap = |_: &_| GapChoice::Stop;
    let rng = rng.fork(&rng.bits().to_string());
    Resuming::new(address.clone(), request, on_gap, rng).expect("the request has a start")
}
