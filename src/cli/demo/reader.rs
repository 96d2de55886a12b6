//! The demo's subscriber: an ordinary client of the gRPC API that can be killed and come back.

use anyhow::Context as _;

use crate::client::{GapChoice, Item, Resuming};
use crate::proto::v1;
use crate::runtime::Rng;
use crate::sandbox::Oracle;
use v1::subscribe_request::Start;

/// A reader, alive or not, and what it has got.
#[derive(Debug)]
pub(super) struct Reader {
    address: String,
    rng: Rng,
    stream: Option<Resuming>,
    position: Option<v1::Position>,
    pub(super) oracle: Oracle,
    pub(super) resumes: u64,
}

/// What one response brought.
#[derive(Debug)]
pub(super) enum News {
    /// Events, in order; may be none.
    Events(Vec<v1::Event>),
    /// The connection broke and is made again by itself.
    Interrupted(String),
}

impl Reader {
    pub(super) fn new(address: String, rng: Rng) -> Self {
        Self {
            address,
            rng,
            stream: None,
            position: None,
            oracle: Oracle::new(),
            resumes: 0,
        }
    }

    /// Begins at the first event, or after the last position it stored.
    pub(super) fn subscribe(&mut self) -> anyhow::Result<()> {
        let start = match &self.position {
            Some(position) => {
                self.resumes += 1;
                Start::After(position.clone())
            }
            None => Start::Preset(v1::StartPreset::Earliest.into()),
        };
        let request = v1::SubscribeRequest {
            start: Some(start),
            client_id: "demo".to_owned(),
            ..v1::SubscribeRequest::default()
        };
        let address = self.address.parse()?;
        let stop = |_: &_| GapChoice::Stop;
        self.stream = Some(Resuming::new(address, request, stop, self.rng.clone())?);
        Ok(())
    }

    /// Kills it: nothing of it is left but the position it stored.
    pub(super) fn kill(&mut self) {
        self.stream = None;
    }

    pub(super) fn is_alive(&self) -> bool {
        self.stream.is_some()
    }

    /// The position it has stored.
    pub(super) fn position(&self) -> String {
        match &self.position {
            Some(position) => format!("{}/{}", position.epoch, position.sequence),
            None => "the beginning".to_owned(),
        }
    }

    /// The next response; never, while it is dead. Cancel-safe.
    pub(super) async fn next(&mut self) -> anyhow::Result<News> {
        let Some(stream) = &mut self.stream else {
            return std::future::pending().await;
        };
        let item = stream.next().await.context("the stream ended by itself")?;
        match item? {
            Item::Interrupted(interruption) => {
                Ok(News::Interrupted(format!("{:?}", interruption.cause)))
            }
            Item::Response(response) => {
                self.position = stream.position().cloned();
                let epoch = self
                    .position
                    .as_ref()
                    .map(|position| position.epoch.as_str());
                self.oracle
                    .take(epoch.unwrap_or_default(), &response.events);
                Ok(News::Events(response.events))
            }
        }
    }
}
