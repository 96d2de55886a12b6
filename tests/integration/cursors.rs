//! Readers that keep nothing themselves: the sidecar keeps their cursors, over drains and restarts.

use tieline::client::{Address, Failure, GapChoice, Item, ResumeError, Resuming};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tieline::sandbox::Oracle;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use v1::event_service_client::EventServiceClient;
use v1::subscribe_request::Start;
use v1::subscribe_response::Notice;
use v1::subscription_service_client::SubscriptionServiceClient;

use crate::kit::{PATIENCE, Stage, quick};

/// A reader that has nothing but the name of its subscription.
struct Consumer {
    name: String,
    commits: SubscriptionServiceClient<Channel>,
    stream: Streaming<v1::SubscribeResponse>,
    opened: v1::Opened,
    committed: u64,
}

async fn create(address: &Address, id: &str) -> v1::Subscription {
    let mut client = SubscriptionServiceClient::new(address.channel().unwrap());
    let request = v1::CreateSubscriptionRequest {
        subscription_id: id.to_owned(),
        start: v1::StartPreset::Earliest.into(),
        ..Default::default()
    };
    let created = client.create_subscription(request).await.unwrap();
    created.into_inner().subscription.unwrap()
}

fn reason(status: &Status) -> Option<String> {
    match Failure::from_status(status) {
        Failure::Refused(refusal) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

impl Consumer {
    async fn start(address: &Address, id: &str) -> Self {
        let channel = address.channel().unwrap();
        let name = format!("subscriptions/{id}");
        let request = v1::SubscribeRequest {
            start: Some(Start::Subscription(name.clone())),
            ..Default::default()
        };
        let mut events = EventServiceClient::new(channel.clone());
        let mut stream = events.subscribe(request).await.unwrap().into_inner();
        let first = stream.message().await.unwrap().unwrap();
        let Some(Notice::Opened(opened)) = first.notice else {
            panic!("{first:?}");
        };
        Self {
            name,
            commits: SubscriptionServiceClient::new(channel),
            stream,
            committed: opened.start.as_ref().unwrap().sequence,
            opened,
        }
    }

    async fn next(&mut self) -> Result<v1::SubscribeResponse, Status> {
        let next = timeout(PATIENCE, self.stream.message()).await;
        next.expect("no silence").map(|next| next.expect("no end"))
    }

    async fn commit(&mut self, sequence: u64) -> Result<u64, Status> {
        let request = v1::CommitSubscriptionRequest {
            name: self.name.clone(),
            position: Some(v1::Position {
                epoch: self.opened.epoch.clone(),
                sequence,
            }),
            lease: self.opened.lease,
        };
        let committed = self.commits.commit_subscription(request).await?;
        Ok(committed.into_inner().committed.unwrap().sequence)
    }

    /// Takes responses and commits each, until the oracle has this number of the platform or the stream
    /// ends.
    async fn work(&mut self, oracle: &mut Oracle, until: u64) -> Option<Status> {
        while oracle.highest_number() < until {
            let response = match self.next().await {
                Ok(response) => response,
                Err(status) => return Some(status),
            };
            oracle.take(&self.opened.epoch, &response.events);
            let through = response.through_sequence;
            // Nobody waits for a commit that changes nothing.
            if through > self.committed {
                assert_eq!(self.commit(through).await.unwrap(), through);
                self.committed = through;
            }
        }
        None
    }
}

#[tokio::test]
async fn a_reader_with_nothing_but_a_subscription_gets_everything_once_over_restarts() {
    let mut stage = Stage::with(quick(), |_| {}).await;
    create(&stage.sidecar.address(), "crm").await;
    let (mut oracle, mut leases) = (Oracle::new(), Vec::new());
    for _ in 0..3 {
        let head = stage.emit(200);
        let mut consumer = Consumer::start(&stage.sidecar.address(), "crm").await;
        leases.push(consumer.opened.lease);
        assert!(consumer.work(&mut oracle, head).await.is_none());
        stage.sandbox.set_rate(500.0);
        let Stage { sandbox, sidecar } = stage;
        // It works on while the sidecar drains, and its last commit is taken.
        let restarting = sidecar.restart(|_| {});
        let (sidecar, ended) = tokio::join!(restarting, consumer.work(&mut oracle, u64::MAX));
        let status = ended.expect("a drain ends it");
        assert_eq!(reason(&status).as_deref(), Some("SERVER_DRAINING"));
        sandbox.set_rate(0.0);
        stage = Stage { sandbox, sidecar };
    }
    let head = stage.emit(50);
    let mut consumer = Consumer::start(&stage.sidecar.address(), "crm").await;
    leases.push(consumer.opened.lease);
    assert!(consumer.work(&mut oracle, head).await.is_none());
    assert_eq!(leases, [1, 2, 3, 4]);
    let verdict = oracle.judge(&stage.sandbox.ledger().entries());
    assert!(verdict.is_clean(), "{verdict}");
}

#[tokio::test]
async fn a_successor_takes_over_and_the_predecessor_can_neither_read_on_nor_commit() {
    let stage = Stage::with(quick(), |_| {}).await;
    let address = stage.sidecar.address();
    create(&address, "crm").await;
    let mut oracle = Oracle::new();
    let head = stage.emit(100);
    let mut first = Consumer::start(&address, "crm").await;
    first.work(&mut oracle, head).await;
    let mut second = Consumer::start(&address, "crm").await;
    let ended = loop {
        match first.next().await {
            Ok(response) => {
                let closing = matches!(response.notice, Some(Notice::Closing(closing))
                    if closing.reason() == v1::closing::Reason::TakenOver);
                assert!(closing || response.notice.is_none(), "{response:?}");
            }
            Err(status) => break status,
        }
    };
    assert_eq!(reason(&ended).as_deref(), Some("SUBSCRIPTION_TAKEN_OVER"));
    let late = first.commit(1).await.unwrap_err();
    assert_eq!(reason(&late).as_deref(), Some("LEASE_FENCED"));
    let head = stage.emit(100);
    assert!(second.work(&mut oracle, head).await.is_none());
    let verdict = oracle.judge(&stage.sandbox.ledger().entries());
    assert!(verdict.is_clean(), "{verdict}");
}

#[tokio::test]
async fn the_resuming_client_reads_by_a_subscription_and_commits_over_restarts() {
    let stage = Stage::with(quick(), |config| {
        // Where it is found again after a restart.
        let socket = config.journals[0].path.with_file_name("socket");
        config.listen.grpc = vec![format!("unix:{}", socket.display())];
    })
    .await;
    let address = stage.sidecar.address();
    create(&address, "crm").await;
    let request = v1::SubscribeRequest {
        start: Some(Start::Subscription("subscriptions/crm".to_owned())),
        ..Default::default()
    };
    let stop = |_: &_| GapChoice::Stop;
    let mut stream = Resuming::new(address, request, stop, Rng::from_seed(5)).unwrap();
    let mut oracle = Oracle::new();
    let early = stream.commit(v1::Position::default()).await.unwrap_err();
    assert!(matches!(early, ResumeError::Commit(Failure::Broken(_))));
    stage.sandbox.set_rate(300.0);
    work(&mut stream, &mut oracle, |oracle, _| {
        oracle.highest_number() > 200
    })
    .await;
    let Stage { sandbox, sidecar } = stage;
    let restarting = sidecar.restart(|_| {});
    let interrupted = |_: &Oracle, interruptions| interruptions > 0;
    let (sidecar, ()) = tokio::join!(restarting, work(&mut stream, &mut oracle, interrupted));
    sandbox.set_rate(0.0);
    let stage = Stage { sandbox, sidecar };
    let head = stage.emit(20);
    work(&mut stream, &mut oracle, |oracle, _| {
        oracle.highest_number() >= head
    })
    .await;
    let verdict = oracle.judge(&stage.sandbox.ledger().entries());
    assert!(verdict.is_clean(), "{verdict}");
}

/// Reads and commits each response, until something is true of what was read and how often it was
/// interrupted.
async fn work(stream: &mut Resuming, oracle: &mut Oracle, enough: impl Fn(&Oracle, u64) -> bool) {
    let mut interruptions = 0;
    while !enough(oracle, interruptions) {
        let next = timeout(PATIENCE, stream.next()).await.expect("no silence");
        let response = match next.expect("no end").unwrap() {
            Item::Response(response) => response,
            Item::Interrupted(_) => {
                interruptions += 1;
                continue;
            }
        };
        let position = stream.position().unwrap().clone();
        oracle.take(&position.epoch, &response.events);
        if !response.events.is_empty() {
            assert_eq!(stream.commit(position.clone()).await.unwrap(), position);
        }
    }
}
