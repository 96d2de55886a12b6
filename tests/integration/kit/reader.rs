//! [`Reader`]: an ordinary client of the gRPC API, with an oracle and a memory for facts.

use prost::Message as _;
use tieline::client::{Address, GapChoice, Interruption, Item, Resuming};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tieline::sandbox::{Oracle, Sandbox, Verdict};
use tokio::time::{Instant, timeout, timeout_at};
use v1::event::Data;
use v1::session_event::Kind;
use v1::subscribe_request::Start;
use v1::subscribe_response::Notice;

use super::canary::is_clean;
use super::{PATIENCE, Sidecar};

pub(crate) struct Reader {
    name: &'static str,
    address: Address,
    stream: Resuming,
    pub(crate) oracle: Oracle,
    /// Facts about the session, in their order.
    pub(crate) facts: Vec<v1::SessionEvent>,
    /// Events of the platform that have an attribute.
    pub(crate) remarkable: Vec<v1::Event>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) interruptions: Vec<Interruption>,
}

impl Reader {
    /// One that begins with the first event.
    pub(crate) fn new(sidecar: &Sidecar, name: &'static str) -> Self {
        let address = sidecar.address();
        let start = Start::Preset(v1::StartPreset::Earliest.into());
        Self {
            name,
            stream: stream(name, &address, start),
            address,
            oracle: Oracle::new(),
            facts: Vec::new(),
            remarkable: Vec::new(),
            notices: Vec::new(),
            interruptions: Vec::new(),
        }
    }

    pub(crate) fn position(&self) -> v1::Position {
        self.stream.position().cloned().unwrap_or_default()
    }

    /// Drops the connection and subscribes anew after the last position.
    pub(crate) fn reconnect(&mut self) {
        if let Some(position) = self.stream.position().cloned() {
            self.stream = stream(self.name, &self.address, Start::After(position));
        }
    }

    /// Goes on at a sidecar that was started again.
    pub(crate) fn move_to(&mut self, sidecar: &Sidecar) {
        self.address = sidecar.address();
        self.reconnect();
    }

    /// Takes the next response or interruption. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        let item = self.stream.next().await.expect("a stream without an end");
        match item.unwrap_or_else(|error| panic!("{}: {error}", self.name)) {
            Item::Interrupted(interruption) => self.interruptions.push(interruption),
            Item::Response(response) => self.take(response),
        }
    }

    fn take(&mut self, response: v1::SubscribeResponse) {
        let bytes = response.encode_to_vec();
        is_clean("a response", &String::from_utf8_lossy(&bytes));
        self.oracle.take(&self.position().epoch, &response.events);
        for event in response.events {
            match event.data {
                Some(Data::SessionEvent(fact)) => self.facts.push(fact),
                _ if !event.attributes.is_empty() => self.remarkable.push(event),
                _ => {}
            }
        }
        self.notices.extend(response.notice);
    }

    /// Reads until something is true of what was read.
    pub(crate) async fn until(&mut self, what: &str, test: impl Fn(&Self) -> bool) {
        let reading = async {
            while !test(self) {
                self.next().await;
            }
        };
        if timeout(PATIENCE, reading).await.is_err() {
            panic!("{} waited in vain until {what}: {self:?}", self.name);
        }
    }

    /// Reads up to the last number that the platform has given.
    pub(crate) async fn catch_up(&mut self, sandbox: &Sandbox) {
        let head = sandbox.ledger().head();
        self.until(&format!("number {head}"), |reader| {
            reader.oracle.highest_number() >= head
        })
        .await;
    }

    /// What the oracle says once nothing is missing any more, or nothing helps.
    pub(crate) async fn verdict(&mut self, sandbox: &Sandbox) -> Verdict {
        let issued = sandbox.ledger().entries();
        let until = Instant::now() + PATIENCE;
        loop {
            let verdict = self.oracle.judge(&issued);
            if verdict.lost == 0 || timeout_at(until, self.next()).await.is_err() {
                return verdict;
            }
        }
    }

    /// Facts of one kind.
    pub(crate) fn told(&self, kind: Kind) -> Vec<&v1::SessionEvent> {
        self.facts.iter().filter(|f| f.kind() == kind).collect()
    }

    /// Reads until there are so many facts of a kind.
    pub(crate) async fn hears(&mut self, kind: Kind, times: usize) {
        self.until(kind.as_str_name(), |reader| {
            reader.told(kind).len() >= times
        })
        .await;
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let facts: Vec<_> = self
            .facts
            .iter()
            .map(|fact| (fact.kind(), &fact.reason))
            .collect();
        f.debug_struct("Reader")
            .field("position", &self.position())
            .field("highest", &self.oracle.highest_number())
            .field("facts", &facts)
            .field("interruptions", &self.interruptions.len())
            .finish_non_exhaustive()
    }
}

fn stream(name: &str, address: &Address, start: Start) -> Resuming {
    let request = v1::SubscribeRequest {
        start: Some(start),
        heartbeat_interval: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
        client_id: name.to_owned(),
        ..v1::SubscribeRequest::default()
    };
    let stop = |_: &_| GapChoice::Stop;
    Resuming::new(address.clone(), request, stop, Rng::from_seed(3)).unwrap()
}
