//! [`read_all`]: somebody who comes when all is over and reads from the beginning. What it gets is
//! what everybody must have got.

use std::collections::BTreeSet;
use std::time::Duration;

use tieline::client::{Address, GapChoice, Item, Resuming};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tokio::time::timeout;
use v1::event::Data;
use v1::session_event::Kind;
use v1::subscribe_request::{End, Start};

use crate::filtered::written;
use crate::reader::hash;

/// Reading a thousand events takes a moment, also where nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// What an event is, for those who compare.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) sequence: u64,
    pub(crate) hash: u64,
    pub(crate) kind: String,
    pub(crate) provider_type: String,
    pub(crate) is_fact: bool,
}

/// Everything that the journal holds, or why it cannot be had.
#[derive(Debug, Default)]
pub(crate) struct Everything {
    pub(crate) events: Vec<Written>,
    pub(crate) broken: Option<String>,
    /// Gaps that were suspected, and not ended since.
    open_gaps: BTreeSet<u64>,
}

/// Reads from the beginning to the end there is.
pub(crate) async fn read_all(address: Address, rng: &Rng) -> Everything {
    let request = v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        end: Some(End::UntilCaughtUp(true)),
        ..Default::default()
    };
    let stream = Resuming::new(address, request, |_| GapChoice::Stop, rng.fork("late"));
    let mut stream = stream.expect("there is a start");
    let mut all = Everything::default();
    let reading = async {
        loop {
            match stream.next().await {
                Some(Ok(Item::Response(response))) => all.take(&response),
                Some(Ok(Item::Interrupted(_))) => {}
                Some(Err(error)) => return Some(format!("a late reader gave up: {error}")),
                None => return None,
            }
        }
    };
    let ended = timeout(PATIENCE, reading).await;
    all.broken = match ended {
        Ok(broken) => broken,
        Err(_) => Some("a late reader did not reach the end".to_owned()),
    };
    if let Some(open) = all.open_gaps.first() {
        let how = format!("the gap suspected at {open} was neither closed nor confirmed");
        all.broken.get_or_insert(how);
    }
    all
}

impl Everything {
    fn take(&mut self, response: &v1::SubscribeResponse) {
        for event in &response.events {
            self.events.push(written(event, hash(event)));
            let Some(Data::SessionEvent(fact)) = &event.data else {
                continue;
            };
            match fact.kind() {
                Kind::GapSuspected => drop(self.open_gaps.insert(event.sequence)),
                Kind::GapClosed | Kind::GapConfirmed => {
                    self.open_gaps.remove(&fact.gap_sequence);
                }
                _ => {}
            }
        }
    }

    /// Where it differs from what somebody got who was there all the time.
    pub(crate) fn differs(&self, seen: &[u64]) -> Option<String> {
        let mut both = self.events.iter().zip(seen);
        let differs = both.find(|(all, seen)| all.hash != **seen);
        differs.map(|(all, _)| format!("a late reader got another {}", all.sequence))
    }
}
