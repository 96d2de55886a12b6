//! [`Record`]: what each sequence was when any reader first saw it, and that it stays so.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use prost::Message as _;
use tieline::proto::v1;
use tokio::sync::watch;
use v1::event::Data;
use xxhash_rust::xxh3::xxh3_64;

use crate::readers::Temper;

/// What all readers of one journal have seen.
#[derive(Debug)]
pub(crate) struct Record {
    seen: Mutex<Seen>,
    progress: watch::Sender<Progress>,
}

#[derive(Debug, Default)]
struct Seen {
    epoch: Option<String>,
    imprints: BTreeMap<u64, Imprint>,
}

/// One event as it was seen: hashes of its forms.
#[derive(Debug, Clone, Copy)]
struct Imprint {
    whole: Option<u64>,
    normalized: u64,
    selected: bool,
}

/// How far readers are.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Progress {
    /// Streams that were opened.
    pub(crate) opened: u64,
    /// Events that were taken, by all readers.
    pub(crate) taken: u64,
    /// The highest sequence that any of them has.
    pub(crate) latest: u64,
    /// The highest of the platform's numbers that the plain reader has.
    pub(crate) number: u64,
    /// The place of each reader, by its temper; there is one of each at most.
    places: [Option<u64>; 3],
}

/// Which events a selective reader asks for: facts about sessions always come.
pub(crate) const SELECTED: &str = "ccaas.agent.";

impl Progress {
    /// How many events the slowest reader is behind the fastest.
    pub(crate) fn apart(&self) -> u64 {
        let slowest = self.places.iter().flatten().min();
        slowest.map_or(0, |slowest| self.latest.saturating_sub(*slowest))
    }
}

impl Record {
    /// Of these readers.
    pub(crate) fn new(tempers: &[Temper]) -> Self {
        let mut progress = Progress::default();
        for temper in tempers {
            progress.places[*temper as usize] = Some(0);
        }
        Self {
            seen: Mutex::default(),
            progress: watch::Sender::new(progress),
        }
    }

    /// A reader is there now.
    pub(crate) fn stands(&self, temper: Temper, sequence: u64) {
        self.progress
            .send_modify(|progress| progress.places[temper as usize] = Some(sequence));
    }

    /// Takes what a reader got, in the form it asked for.
    pub(crate) fn take(
        &self,
        epoch: &str,
        events: &[v1::Event],
        whole: bool,
    ) -> Result<(), String> {
        let mut seen = self.seen.lock();
        let known = seen.epoch.get_or_insert_with(|| epoch.to_owned());
        if known != epoch {
            return Err(format!("epoch {known} became {epoch}"));
        }
        for event in events {
            let new = Imprint::of(event, whole);
            let old = seen.imprints.entry(event.sequence).or_insert(new);
            let differs = old.whole.zip(new.whole).is_some_and(|(a, b)| a != b);
            if differs || old.normalized != new.normalized {
                return Err(format!("sequence {} is another event now", event.sequence));
            }
            old.whole = old.whole.or(new.whole);
        }
        let latest = events.last().map_or(0, |event| event.sequence);
        drop(seen);
        self.progress.send_modify(|progress| {
            progress.taken += events.len() as u64;
            progress.latest = progress.latest.max(latest);
        });
        Ok(())
    }

    pub(crate) fn opened(&self) {
        self.progress.send_modify(|progress| progress.opened += 1);
    }

    pub(crate) fn reached(&self, number: u64) {
        self.progress
            .send_modify(|progress| progress.number = number);
    }

    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// The sequences that somebody saw; all that there are, if somebody saw everything.
    pub(crate) fn sequences(&self) -> Vec<u64> {
        self.seen.lock().imprints.keys().copied().collect()
    }

    /// Those that a selective reader should have.
    pub(crate) fn selected(&self) -> Vec<u64> {
        let seen = self.seen.lock();
        let selected = seen.imprints.iter().filter(|(_, seen)| seen.selected);
        selected.map(|(sequence, _)| *sequence).collect()
    }
}

impl Imprint {
    fn of(event: &v1::Event, whole: bool) -> Self {
        let mut normalized = event.clone();
        normalized.raw_data.clear();
        let fact = matches!(event.data, Some(Data::SessionEvent(_)));
        Self {
            whole: whole.then(|| hash(event.clone())),
            normalized: hash(normalized),
            selected: fact || event.r#type.starts_with(SELECTED),
        }
    }
}

/// Of everything in an event; a map has no order of its own.
fn hash(mut event: v1::Event) -> u64 {
    let attributes: BTreeMap<_, _> = std::mem::take(&mut event.attributes).into_iter().collect();
    let mut bytes = event.encode_to_vec();
    bytes.extend_from_slice(format!("{attributes:?}").as_bytes());
    xxh3_64(&bytes)
}
