//! SIGKILL while readers commit to managed cursors: no answered commit is lost, none goes back, and no
//! lease that was given out before can commit again.

use std::time::Duration;

use tieline::client::{Address, Failure};
use tieline::proto::v1;
use tieline::runtime::{MonoTime, Rng};
use tieline::sandbox::SandboxConfig;
use tieline::testing::scale;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tonic::Status;
use tonic::transport::Channel;
use v1::event_service_client::EventServiceClient;
use v1::subscribe_request::Start;
use v1::subscribe_response::Notice;
use v1::subscription_service_client::SubscriptionServiceClient;

use crate::child::{BOUND, Child, run};
use crate::place::{Place, Settings, patient_platform};

const RATE: f64 = 1_000.0;
const CURSORS: usize = 6;
/// A start has done everything but serve by then.
const FIRST_MOMENTS: Duration = Duration::from_millis(150);
const MOST_COMMITS_BETWEEN: u64 = 150;
/// How often a reader tries to connect.
const TRIES: Duration = Duration::from_millis(10);

/// A few at a scale of 1, 48 at 8.
fn kills() -> u64 {
    6 * u64::from(scale())
}

/// What all of them have got so far.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    opened: u64,
    answered: u64,
    fenced: u64,
}

/// A reader that commits what it gets, and what it knows of its cursor.
struct Committer {
    name: String,
    address: Address,
    progress: watch::Sender<Progress>,
    /// The highest position that a commit was answered with, and that was asked for.
    answered: u64,
    asked: u64,
    lease: u64,
    lives: u64,
}

/// Why a life ended.
enum Trouble {
    /// The sidecar is gone, or not there yet.
    Gone,
    /// It did what it must not do.
    Wrong(String),
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        match Failure::from_status(&status) {
            Failure::Broken(_) | Failure::Ended | Failure::Silent(_) => Self::Gone,
            Failure::Refused(refusal) if refusal.reason.is_none() => Self::Gone,
            other => Self::Wrong(other.to_string()),
        }
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Trouble> {
    match holds {
        true => Ok(()),
        false => Err(Trouble::Wrong(what())),
    }
}

impl Committer {
    /// Reads and commits until it is told to end, life after life.
    async fn run(mut self, mut end: watch::Receiver<bool>) -> Result<Self, String> {
        let mut tries = interval(TRIES);
        loop {
            tries.tick().await;
            let life = tokio::select! {
                biased;
                _ = end.wait_for(|end| *end) => return Ok(self),
                life = self.live() => life,
            };
            match life {
                Err(Trouble::Gone) => {}
                Err(Trouble::Wrong(what)) => return Err(format!("{}: {what}", self.name)),
                Ok(never) => match never {},
            }
        }
    }

    async fn live(&mut self) -> Result<std::convert::Infallible, Trouble> {
        let channel = self.address.channel().map_err(|_| Trouble::Gone)?;
        let mut commits = SubscriptionServiceClient::new(channel.clone());
        let request = v1::SubscribeRequest {
            start: Some(Start::Subscription(self.name.clone())),
            ..Default::default()
        };
        let mut events = EventServiceClient::new(channel);
        let mut stream = events.subscribe(request).await?.into_inner();
        let first = stream.message().await?;
        let Some(Notice::Opened(opened)) = first.and_then(|first| first.notice) else {
            return Err(Trouble::Wrong("it was not opened".to_owned()));
        };
        self.check_opened(&opened, &mut commits).await?;
        while let Some(response) = stream.message().await? {
            let through = response.through_sequence;
            if through > self.asked {
                self.commit(&mut commits, &opened, through).await?;
            }
        }
        Err(Trouble::Wrong("it ended with OK".to_owned()))
    }

    /// Whatever was answered is behind it, nothing is that was not asked for, and the lease is new.
    async fn check_opened(
        &mut self,
        opened: &v1::Opened,
        commits: &mut SubscriptionServiceClient<Channel>,
    ) -> Result<(), Trouble> {
        let start = opened.start.as_ref().map_or(0, |start| start.sequence);
        let (answered, asked, before) = (self.answered, self.asked, self.lease);
        check((answered..=asked).contains(&start), || {
            format!("it is at {start}: {answered} was answered, {asked} was asked for")
        })?;
        check(opened.lease > before, || {
            format!("lease {} after {before}", opened.lease)
        })?;
        self.lease = opened.lease;
        // What is answered with is durable: it counts as answered.
        self.answered = start;
        self.lives += 1;
        self.progress.send_modify(|progress| progress.opened += 1);
        if before > 0 {
            let stale = commits.commit_subscription(self.request(opened, before, start + 1));
            let refused = match stale.await {
                Ok(answer) => return Err(Trouble::Wrong(format!("lease {before}: {answer:?}"))),
                Err(status) => Failure::from_status(&status),
            };
            match refused {
                Failure::Refused(refusal) if refusal.reason.as_deref() == Some("LEASE_FENCED") => {
                    self.progress.send_modify(|progress| progress.fenced += 1);
                }
                Failure::Broken(_) => return Err(Trouble::Gone),
                other => return Err(Trouble::Wrong(other.to_string())),
            }
        }
        Ok(())
    }

    fn request(
        &self,
        opened: &v1::Opened,
        lease: u64,
        sequence: u64,
    ) -> v1::CommitSubscriptionRequest {
        v1::CommitSubscriptionRequest {
            name: self.name.clone(),
            position: Some(v1::Position {
                epoch: opened.epoch.clone(),
                sequence,
            }),
            lease,
        }
    }

    async fn commit(
        &mut self,
        commits: &mut SubscriptionServiceClient<Channel>,
        opened: &v1::Opened,
        through: u64,
    ) -> Result<(), Trouble> {
        self.asked = through;
        let request = self.request(opened, self.lease, through);
        let answer = commits.commit_subscription(request).await?.into_inner();
        let committed = answer.committed.map_or(0, |committed| committed.sequence);
        check(committed == through, || {
            format!("{committed} for {through}")
        })?;
        self.answered = through;
        self.progress.send_modify(|progress| progress.answered += 1);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answered_commit_and_no_lease_is_lost_to_sigkill() {
    let (began, rng) = (MonoTime::now(), Rng::from_entropy());
    println!("seed {}", rng.seed());
    let platform = SandboxConfig {
        rate: RATE,
        ..patient_platform()
    };
    let place = Place::new(platform, Settings::default(), &rng).await;
    let mut sidecar = place.sidecar();
    place.serves("").await;
    let (end, ends) = watch::channel(false);
    let (progress, mut told) = watch::channel(Progress::default());
    let mut committers = JoinSet::new();
    for n in 0..CURSORS {
        let committer = created(&place, n, &progress).await;
        committers.spawn(committer.run(ends.clone()));
    }

    let all = |progress: &Progress| progress.opened >= CURSORS as u64;
    advance(&mut told, all, &mut committers, &mut sidecar).await;
    for _ in 0..kills() {
        let more = 1 + rng.below(MOST_COMMITS_BETWEEN);
        let until = told.borrow_and_update().answered + more;
        let enough = |progress: &Progress| progress.answered >= until;
        advance(&mut told, enough, &mut committers, &mut sidecar).await;
        sidecar.kill().await;
        sidecar = place.sidecar();
        if rng.below(3) == 0 {
            sidecar.runs_for(FIRST_MOMENTS.mul_f64(rng.unit())).await;
            sidecar.kill().await;
            sidecar = place.sidecar();
        }
    }
    let until = told.borrow_and_update().answered + MOST_COMMITS_BETWEEN;
    let enough = |progress: &Progress| progress.answered >= until;
    advance(&mut told, enough, &mut committers, &mut sidecar).await;
    place.sandbox.set_rate(0.0);
    end.send_replace(true);
    let mut lives = 0;
    while let Some(ended) = committers.join_next().await {
        let committer = ended.unwrap().unwrap_or_else(|wrong| panic!("{wrong}"));
        lives += committer.lives;
        let kept = get(&place, &committer.name).await;
        let committed = kept.committed.unwrap().sequence;
        assert!((committer.answered..=committer.asked).contains(&committed));
        assert_eq!(kept.lease, committer.lease);
    }
    let total = *told.borrow();
    // Whoever committed after a kill had tried its former lease before.
    assert!(total.fenced >= kills(), "{total:?}");
    println!(
        "{} kills, {lives} lives, {total:?}, {:.1} s",
        kills(),
        began.elapsed().as_secs_f64()
    );
    sidecar.kill().await;
    let verified = run(["journal", "verify", &place.journal().to_string_lossy()]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

/// A subscription, and its reader.
async fn created(place: &Place, n: usize, progress: &watch::Sender<Progress>) -> Committer {
    let channel = place.address().channel().unwrap();
    let request = v1::CreateSubscriptionRequest {
        subscription_id: format!("reader-{n}"),
        start: v1::StartPreset::Earliest.into(),
        ..Default::default()
    };
    let mut client = SubscriptionServiceClient::new(channel);
    let created = client.create_subscription(request).await.unwrap();
    Committer {
        name: created.into_inner().subscription.unwrap().name,
        address: place.address(),
        progress: progress.clone(),
        answered: 0,
        asked: 0,
        lease: 0,
        lives: 0,
    }
}

/// Waits until they got so far, while nobody has a complaint.
async fn advance(
    told: &mut watch::Receiver<Progress>,
    far_enough: impl FnMut(&Progress) -> bool,
    committers: &mut JoinSet<Result<Committer, String>>,
    sidecar: &mut Child,
) {
    tokio::select! {
        reached = timeout(BOUND, told.wait_for(far_enough)) => {
            reached.expect("they get on").unwrap();
        }
        Some(ended) = committers.join_next() => panic!("{:?}", ended.map(|it| it.err())),
        died = sidecar.died() => panic!("{died}"),
    }
}

async fn get(place: &Place, name: &str) -> v1::Subscription {
    let mut client = SubscriptionServiceClient::new(place.address().channel().unwrap());
    let name = name.to_owned();
    let request = v1::GetSubscriptionRequest { name };
    let answer = client.get_subscription(request).await.unwrap();
    answer.into_inner().subscription.unwrap()
}
