//! Tests of the edge: a real client on real sockets.

mod admin;
mod erase;
mod errors;
mod events;
mod listeners;
mod messaging;
mod model;
mod outbox;
mod panics;
mod serving;
mod sessions;
mod subscriptions;
mod traces;

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

use super::*;
use crate::domain::Epoch;
use crate::feed::tests::validate::{News, Seen};
use crate::feed::tests::{Bench, EPOCH, bench_with};
use crate::feed::{Cause, Feed, FeedConfig};
use crate::proto::v1;
use crate::runtime::{Clock, Rng, drain};
use crate::session::{Guests, SessionBoard};
use crate::telemetry::traces::Tracer;
use v1::event_service_client::EventServiceClient;
use v1::session_service_client::SessionServiceClient;
use v1::subscribe_request::{End, Start};
use v1::subscribe_response::Notice;

/// No single wait of a test is longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A journal, served on TCP.
struct Edge {
    bench: Bench,
    board: SessionBoard,
    address: String,
    tasks: JoinSet<()>,
}

async fn edge() -> Edge {
    edge_with(FeedConfig::default(), 100).await
}

async fn edge_with(config: FeedConfig, limit: u32) -> Edge {
    let bench = bench_with(config, limit);
    let listener = Listener::bind("127.0.0.1:0", SocketMode::Owner)
        .await
        .unwrap();
    let feeds = vec![bench.feed.clone()];
    serve(bench, feeds, vec![listener])
}

fn serve(bench: Bench, feeds: Vec<Feed>, listeners: Vec<Listener>) -> Edge {
    serve_traced(bench, feeds, listeners, Tracer::off())
}

fn serve_traced(bench: Bench, feeds: Vec<Feed>, listeners: Vec<Listener>, tracer: Tracer) -> Edge {
    let board = SessionBoard::new();
    let address = listeners[0].address();
    let mut tasks = JoinSet::new();
    for feed in &feeds {
        tasks.spawn(feed.clone().keep_cursors(drain().1));
    }
    let server = Server::new(ServerParts {
        guests: Guests::none(),
        feeds,
        sessions: board.clone(),
        health: Health::new(),
        clock: Clock::system(),
        rng: Rng::from_seed(2),
        announce: bench.drain.clone(),
        drain: bench.drain.clone(),
        limits: ServerLimits::default(),
        reach: Reach::default(),
        tracer,
        callers: Callers::anyone(),
    })
    .unwrap();
    tasks.spawn(server.serve(listeners));
    Edge {
        bench,
        board,
        address,
        tasks,
    }
}

impl Edge {
    async fn channel(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    async fn events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.channel().await)
    }

    async fn sessions(&self) -> SessionServiceClient<Channel> {
        SessionServiceClient::new(self.channel().await)
    }

    /// Waits for the server to have ended.
    async fn ended(&mut self) {
        within(self.tasks.join_next()).await.unwrap().unwrap();
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("nothing came within the bound")
}

fn position(sequence: u64) -> v1::Position {
    v1::Position {
        epoch: Epoch::new(EPOCH).to_string(),
        sequence,
    }
}

fn after(sequence: u64) -> Option<Start> {
    Some(Start::After(position(sequence)))
}

fn earliest() -> Option<Start> {
    Some(Start::Preset(v1::StartPreset::Earliest.into()))
}

fn to_the_end(start: Option<Start>) -> v1::SubscribeRequest {
    v1::SubscribeRequest {
        start,
        end: Some(End::UntilCaughtUp(true)),
        ..Default::default()
    }
}

/// Every response up to the end, and the error if that is how it ended.
async fn collect(
    client: &mut EventServiceClient<Channel>,
    request: v1::SubscribeRequest,
) -> (Vec<v1::SubscribeResponse>, Option<Status>) {
    let mut stream = match within(client.subscribe(request)).await {
        Ok(response) => response.into_inner(),
        Err(status) => return (Vec::new(), Some(status)),
    };
    let mut all = Vec::new();
    loop {
        match within(stream.message()).await {
            Ok(Some(response)) => all.push(response),
            Ok(None) => return (all, None),
            Err(status) => return (all, Some(status)),
        }
    }
}

async fn message(stream: &mut Streaming<v1::SubscribeResponse>) -> v1::SubscribeResponse {
    within(stream.message()).await.unwrap().unwrap()
}

fn numbers(all: &[v1::SubscribeResponse]) -> Vec<u64> {
    all.iter()
        .flat_map(|r| r.events.iter().map(|e| e.sequence))
        .collect()
}

/// A response in the words of the validators.
fn seen(response: v1::SubscribeResponse) -> Seen {
    Seen {
        events: response.events,
        through: response.through_sequence,
        latest: response.latest_sequence,
        news: response.notice.map(|notice| match notice {
            Notice::Opened(o) => News::Opened {
                epoch: o.epoch,
                start: o.start.unwrap().sequence,
            },
            Notice::CaughtUp(_) => News::CaughtUp,
            Notice::FellBehind(_) => News::FellBehind,
            Notice::Gap(gap) => News::Gap {
                cause: match gap.cause() {
                    v1::gap::Cause::Trimmed => Cause::Trimmed,
                    v1::gap::Cause::Erased => Cause::Erased,
                    v1::gap::Cause::Corrupted => Cause::Corrupted,
                    v1::gap::Cause::EpochChanged => Cause::EpochChanged,
                    v1::gap::Cause::Unspecified => panic!("a gap without a cause"),
                },
                range: (gap.last_sequence > 0).then_some((gap.first_sequence, gap.last_sequence)),
            },
            Notice::Closing(_) => News::Closing,
        }),
    }
}

/// Checks code, reason and domain, and returns the details.
fn details(status: &Status, code: Code, reason: &str) -> ErrorDetails {
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("{status:?} has no ErrorInfo"));
    assert_eq!(
        (status.code(), info.reason.as_str(), info.domain.as_str()),
        (code, reason, DOMAIN)
    );
    details
}

fn metadata<'a>(details: &'a ErrorDetails, key: &str) -> &'a str {
    let info = details.error_info().unwrap();
    info.metadata
        .get(key)
        .unwrap_or_else(|| panic!("no {key} in {info:?}"))
}
