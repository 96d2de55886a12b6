//! Readers of a soak: each remembers for its platform's oracle what it got, and how late it came.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use tieline::client::{Address, GapChoice, Item, Resuming};
use tieline::domain::WallTime;
use tieline::proto::v1;
use tieline::runtime::{Clock, MonoTime, Rng};
use v1::event::{Data, Origin};
use v1::session_event::Kind;
use v1::subscribe_request::Start;
use v1::subscribe_response::Notice;

use crate::figures::Latencies;
use crate::platform::Judge;

/// One that dies does so after one response in so many.
const RESPONSES_PER_LIFE: u64 = 400;

/// What one reader has got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) judge: Judge,
    epoch: String,
    open_gaps: BTreeSet<u64>,
    pub(crate) events: u64,
    pub(crate) resumed: u64,
    pub(crate) latencies: Latencies,
}

/// How a reader reads.
#[derive(Debug)]
pub(crate) struct Manner {
    pub(crate) address: Address,
    pub(crate) journal: &'static str,
    /// It dies at random and resumes from the position that it stored.
    pub(crate) dies: bool,
    pub(crate) rng: Rng,
}

impl Got {
    pub(crate) fn new(judge: Judge) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            judge,
            epoch: String::new(),
            open_gaps: BTreeSet::new(),
            events: 0,
            resumed: 0,
            latencies: Latencies::default(),
        }))
    }

    pub(crate) fn has_open_gaps(&self) -> bool {
        !self.open_gaps.is_empty()
    }

    fn take(&mut self, epoch: &str, events: &[v1::Event], now: WallTime, since: MonoTime) {
        epoch.clone_into(&mut self.epoch);
        self.judge.take(&self.epoch, events);
        for event in events {
            self.events += 1;
            match &event.data {
                Some(Data::SessionEvent(fact)) => match fact.kind() {
                    Kind::GapSuspected => drop(self.open_gaps.insert(event.sequence)),
                    Kind::GapClosed | Kind::GapConfirmed => {
                        self.open_gaps.remove(&fact.gap_sequence);
                    }
                    _ => {}
                },
                _ if event.origin() == Origin::Live => {
                    let issued = event.time.as_ref().and_then(WallTime::from_proto);
                    if let Some(issued) = issued {
                        self.latencies.take(since.elapsed(), now.since(issued));
                    }
                }
                _ => {}
            }
        }
    }
}

impl Manner {
    fn subscribe(&self, position: Option<v1::Position>) -> Result<Resuming> {
        let earliest = Start::Preset(v1::StartPreset::Earliest.into());
        let request = v1::SubscribeRequest {
            journal: format!("journals/{}", self.journal),
            start: Some(position.map_or(earliest, Start::After)),
            ..v1::SubscribeRequest::default()
        };
        // A position that is gone is a failure here, not a choice.
        let stop = |_: &_| GapChoice::Stop;
        Ok(Resuming::new(
            self.address.clone(),
            request,
            stop,
            self.rng.clone(),
        )?)
    }

    /// Reads for ever, unless something is wrong.
    pub(crate) async fn read(self, got: Arc<Mutex<Got>>, since: MonoTime) -> Result<()> {
        let clock = Clock::system();
        let mut stream = self.subscribe(None)?;
        loop {
            let item = stream.next().await.context("the stream ended")??;
            let Item::Response(response) = item else {
                continue;
            };
            if let Some(Notice::Gap(gap)) = &response.notice {
                bail!("events were trimmed: {gap:?}");
            }
            let position = stream.position().cloned();
            if let Some(at) = &position {
                let mut got = got.lock();
                got.take(&at.epoch, &response.events, clock.wall(), since);
            }
            if self.dies && self.rng.below(RESPONSES_PER_LIFE) == 0 {
                got.lock().resumed += 1;
                stream = self.subscribe(position)?;
            }
        }
    }
}
