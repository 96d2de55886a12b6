//! `grpc.health.v1`: what serves, in step with the sessions and the journals.
//!
//! Names: `""` and `tieline.v1.EventService` (the process takes calls), `sessions/<name>` (its
//! upstream is connected), `journals/<name>` (it takes appends). No platform decides the first two.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::domain::{JournalName, SessionName};
use crate::feed::Feed;
use crate::proto::v1;
use crate::runtime::Drain;
use crate::session::{Post, SessionBoard};

/// Changes within this time are told together.
const TOGETHER: Duration = Duration::from_millis(20);

const EVENT_SERVICE: &str = "tieline.v1.EventService";

/// The health of the process, for as many listeners as there are. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health {
    reporter: HealthReporter,
}

impl Health {
    /// Nothing is known yet but that the process serves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The service, for one listener.
    #[must_use]
    pub fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    /// Keeps the statuses true until the drain begins, then says that nothing serves any more.
    /// Completes only then. Dropping it leaves the statuses as they are.
    pub async fn follow(self, feeds: Vec<Feed>, board: SessionBoard, drain: Drain) {
        self.set(EVENT_SERVICE, true).await;
        let mut journals: FuturesUnordered<_> = feeds
            .iter()
            .map(|feed| self.follow_journal(feed.clone()))
            .collect();
        tokio::select! {
            biased;
            () = drain.draining() => {}
            () = self.follow_sessions(&board) => {}
            () = async { while journals.next().await.is_some() {} std::future::pending().await } => {}
        }
        drop(journals);
        self.nothing_serves(&feeds, &board).await;
    }

    async fn set(&self, name: &str, serving: bool) {
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        self.reporter.set_service_status(name, status).await;
    }

    async fn follow_journal(&self, feed: Feed) {
        let name = feed.name().resource();
        let mut end = feed.durable_end();
        let mut told = None;
        loop {
            let writable = end.borrow_and_update().writable;
            if told != Some(writable) {
                self.set(&name, writable).await;
                told = Some(writable);
            }
            if end.changed().await.is_err() {
                self.set(&name, false).await;
                return;
            }
        }
    }

    async fn follow_sessions(&self, board: &SessionBoard) {
        let mut posts = board.watch();
        let mut told = std::collections::BTreeMap::<SessionName, bool>::new();
        let mut reporter = self.reporter.clone();
        loop {
            let now: std::collections::BTreeMap<_, _> = posts
                .borrow_and_update()
                .iter()
                .map(|(name, post)| (name.clone(), serves(post)))
                .collect();
            for (name, serving) in &now {
                if told.get(name) != Some(serving) {
                    self.set(&name.resource(), *serving).await;
                }
            }
            for gone in told.keys().filter(|name| !now.contains_key(*name)) {
                reporter.clear_service_status(&gone.resource()).await;
            }
            told = now;
            // Thousands of sessions may change together: one look for all of them.
            tokio::time::sleep(TOGETHER).await;
            if posts.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn nothing_serves(&self, feeds: &[Feed], board: &SessionBoard) {
        let mut names: BTreeSet<String> = feeds
            .iter()
            .map(Feed::name)
            .map(JournalName::resource)
            .collect();
        names.extend(board.posts().keys().map(SessionName::resource));
        names.extend(["".to_owned(), EVENT_SERVICE.to_owned()]);
        for name in names {
            self.set(&name, false).await;
        }
    }
}

/// Degraded is connected: events arrive.
fn serves(post: &Post) -> bool {
    matches!(
        post.state.state(),
        v1::session::State::Active | v1::session::State::Degraded
    )
}
