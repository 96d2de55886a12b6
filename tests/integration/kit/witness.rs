//! [`Witness`]: a client of the gRPC API that remembers every event it got.

use tieline::client::{Address, GapChoice, Item, Resuming};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tokio::time::timeout;
use v1::event::Data;
use v1::session_event::Kind;
use v1::subscribe_request::Start;

use super::{PATIENCE, Sidecar};

pub(crate) struct Witness {
    address: Address,
    stream: Resuming,
    filter: v1::EventFilter,
    pub(crate) events: Vec<v1::Event>,
    pub(crate) epoch: String,
}

impl Witness {
    /// One that begins with the first event.
    pub(crate) fn new(sidecar: &Sidecar) -> Self {
        Self::of(sidecar, v1::EventFilter::default())
    }

    /// One that wants these events only.
    pub(crate) fn of(sidecar: &Sidecar, filter: v1::EventFilter) -> Self {
        let address = sidecar.address();
        let start = Start::Preset(v1::StartPreset::Earliest.into());
        Self {
            stream: stream(&address, start, &filter),
            address,
            filter,
            events: Vec::new(),
            epoch: String::new(),
        }
    }

    /// Goes on at a sidecar that was started again.
    pub(crate) fn move_to(&mut self, sidecar: &Sidecar) {
        self.address = sidecar.address();
        if let Some(position) = self.stream.position().cloned() {
            self.stream = stream(&self.address, Start::After(position), &self.filter);
        }
    }

    /// Takes the next response. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        let item = self.stream.next().await.expect("a stream without an end");
        if let Item::Response(response) = item.expect("a stream that goes on") {
            self.events.extend(response.events);
            if let Some(position) = self.stream.position() {
                self.epoch.clone_from(&position.epoch);
            }
        }
    }

    /// Reads until something is true of what was read.
    pub(crate) async fn until(&mut self, what: &str, test: impl Fn(&Self) -> bool) {
        let reading = async {
            while !test(self) {
                self.next().await;
            }
        };
        if timeout(PATIENCE, reading).await.is_err() {
            let facts: Vec<_> = self.facts().map(|f| (f.kind(), &f.reason)).collect();
            panic!("waited in vain until {what}; facts {facts:?}");
        }
    }

    /// Facts about sessions, in their order.
    pub(crate) fn facts(&self) -> impl Iterator<Item = &v1::SessionEvent> {
        self.events.iter().filter_map(|event| match &event.data {
            Some(Data::SessionEvent(fact)) => Some(fact),
            _ => None,
        })
    }

    /// Facts of one kind.
    pub(crate) fn told(&self, kind: Kind) -> Vec<&v1::SessionEvent> {
        self.facts().filter(|fact| fact.kind() == kind).collect()
    }

    /// Whether every suspicion has its end.
    pub(crate) fn has_closed_gaps(&self) -> bool {
        let ended: std::collections::HashSet<_> = self
            .facts()
            .filter(|f| matches!(f.kind(), Kind::GapClosed | Kind::GapConfirmed))
            .map(|f| f.gap_sequence)
            .collect();
        let suspected = |event: &&v1::Event| matches!(&event.data, Some(Data::SessionEvent(f)) if f.kind() == Kind::GapSuspected);
        let mut suspicions = self.events.iter().filter(suspected);
        suspicions.all(|event| ended.contains(&event.sequence))
    }
}

fn stream(address: &Address, start: Start, filter: &v1::EventFilter) -> Resuming {
    let request = v1::SubscribeRequest {
        start: Some(start),
        filter: Some(filter.clone()),
        heartbeat_interval: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
        ..v1::SubscribeRequest::default()
    };
    let stop = |_: &_| GapChoice::Stop;
    Resuming::new(address.clone(), request, stop, Rng::from_seed(3)).unwrap()
}
