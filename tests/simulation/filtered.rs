//! [`Filtered`]: readers that want only some events, and what they must have got in the end.

use std::time::Duration;

use tieline::client::{Address, GapChoice, Item, Resuming};
use tieline::proto::v1;
use tieline::runtime::{MonoTime, Rng};
use tokio::sync::watch;
use tokio::time::sleep_until;
use v1::event::Data;
use v1::subscribe_request::Start;

use crate::late::Written;
use crate::reader::Phase;

/// What such a reader wants.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wants {
    /// One of the platform's own types.
    ProviderType(&'static str),
    /// Everything but one type.
    AllBut(&'static str),
}

/// Session facts come to everybody, for a gap is one (D10).
impl Wants {
    pub(crate) fn filter(self) -> v1::EventFilter {
        let mut filter = v1::EventFilter::default();
        match self {
            Self::ProviderType(name) => filter.provider_types.push(name.to_owned()),
            Self::AllBut(name) => filter.excluded_types.push(name.to_owned()),
        }
        filter
    }

    fn includes(self, written: &Written) -> bool {
        written.is_fact
            || match self {
                Self::ProviderType(name) => written.provider_type == name,
                Self::AllBut(name) => written.kind != name,
            }
    }
}

/// Such a reader; now and then it drops its connection and goes on where it was.
pub(crate) struct Filtered {
    wants: Wants,
    address: Address,
    stream: Resuming,
    rng: Rng,
    got: Vec<u64>,
    /// Everything up to here was sent to it, or is not for it.
    bookmark: u64,
    broken: Option<String>,
}

impl Filtered {
    pub(crate) fn new(wants: Wants, address: Address, rng: Rng) -> Self {
        let start = Start::Preset(v1::StartPreset::Earliest.into());
        Self {
            wants,
            stream: stream(wants, &address, start, &rng),
            address,
            rng,
            got: Vec::new(),
            bookmark: 0,
            broken: None,
        }
    }

    /// Reads until the world is over.
    pub(crate) async fn run(mut self, mut phase: watch::Receiver<Phase>) -> Self {
        let mut next = self.draw();
        while self.broken.is_none() && *phase.borrow() != Phase::Over {
            let stormy = *phase.borrow() == Phase::Stormy;
            tokio::select! {
                biased;
                changed = phase.changed() => if changed.is_err() {
                    return self;
                },
                () = sleep_until(next), if stormy => {
                    if let Some(position) = self.stream.position().cloned() {
                        let start = Start::After(position);
                        self.stream = stream(self.wants, &self.address, start, &self.rng);
                    }
                    next = self.draw();
                }
                item = self.stream.next() => match item {
                    Some(Ok(Item::Response(response))) => self.take(&response),
                    Some(Ok(Item::Interrupted(_))) => {}
                    other => self.breaks(&format!("gave up: {other:?}")),
                }
            }
        }
        self
    }

    fn draw(&self) -> MonoTime {
        MonoTime::now() + Duration::from_millis(500 + self.rng.below(10_000))
    }

    fn take(&mut self, response: &v1::SubscribeResponse) {
        for event in &response.events {
            let last = self.got.last().copied().unwrap_or_default();
            if event.sequence <= self.bookmark.max(last) {
                let (number, bookmark) = (event.sequence, self.bookmark);
                self.breaks(&format!("{number} came after {last}, bookmark {bookmark}"));
            }
            self.got.push(event.sequence);
        }
        let through = response.through_sequence;
        let last = self.got.last().copied().unwrap_or_default();
        if through < self.bookmark.max(last) || through > response.latest_sequence {
            let latest = response.latest_sequence;
            let before = self.bookmark;
            self.breaks(&format!(
                "its bookmark went from {before} to {through}, with {last} sent and {latest} there"
            ));
        }
        self.bookmark = through;
    }

    fn breaks(&mut self, how: &str) {
        let wants = self.wants;
        self.broken
            .get_or_insert(format!("the reader of {wants:?}: {how}"));
    }

    /// What is wrong with what it got, where `all` is everything up to the end of the run.
    pub(crate) fn judge(&self, all: &[Written]) -> Option<String> {
        let due = all.iter().filter(|w| self.wants.includes(w));
        let due = due.map(|w| w.sequence).filter(|s| *s <= self.bookmark);
        let end = all.last().map_or(0, |w| w.sequence);
        let got = self.got.iter().copied().filter(|s| *s <= end);
        let differs = || {
            let (due, got): (Vec<_>, Vec<_>) = (due.collect(), got.collect());
            let same = due.iter().zip(&got).take_while(|(a, b)| a == b).count();
            let (due, got) = (due.get(same), got.get(same));
            (due != got).then(|| {
                format!(
                    "the reader of {:?} got {got:?} where {due:?} was due",
                    self.wants
                )
            })
        };
        self.broken.clone().or_else(differs)
    }
}

fn stream(wants: Wants, address: &Address, start: Start, rng: &Rng) -> Resuming {
    let request = v1::SubscribeRequest {
        start: Some(start),
        filter: Some(wants.filter()),
        ..Default::default()
    };
    let rng = rng.fork(&rng.bits().to_string());
    Resuming::new(address.clone(), request, |_| GapChoice::Stop, rng).expect("there is a start")
}

/// What an event is, for filters.
pub(crate) fn written(event: &v1::Event, hash: u64) -> Written {
    Written {
        sequence: event.sequence,
        hash,
        kind: event.r#type.clone(),
        provider_type: event.provider_type.clone(),
        is_fact: matches!(event.data, Some(Data::SessionEvent(_))),
    }
}
