//! How a sidecar ends. The order, within `drain_timeout` for all of it:
//!
//! 1. *announce*: health says NOT_SERVING, readiness closes;
//! 2. *ingest*: sessions stop reading, journal what arrived, close politely; token refreshers end;
//! 3. *readers*: streams deliver up to that end, say `Closing`, end with UNAVAILABLE; commits are taken;
//! 4. *rest*: maintenance, the managed cursors, the health listener and the console;
//! 5. the journals append what waits and close.
//!
//! What is not done when the time is up is cut; nothing durable is lost by that.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout_at;

use super::App;
use crate::journal::Journal as _;
use crate::runtime::{MonoTime, TaskFailure, TaskKind, TaskSet};

/// Cutting tasks short takes a moment as well.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// What asks a sidecar to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// In order.
    Drain,
    /// At once.
    Now,
}

/// How it ended.
#[derive(Debug)]
pub enum Ended {
    /// In order, within the time.
    Drained,
    /// What was left was cut when the time was up, or because it was told so.
    Cut,
    /// A part that must not fail did.
    Failed(TaskFailure),
}

impl App {
    /// Serves until `stop` says to end, or a critical part fails; then ends in order, unless
    /// [`Stop::Now`] cuts it short.
    pub async fn run_until(mut self, mut stop: mpsc::Receiver<Stop>) -> Ended {
        let failure = tokio::select! {
            biased;
            asked = told(&mut stop) => match asked {
                Stop::Drain => None,
                Stop::Now => return self.cut().await,
            },
            failure = self.tasks.critical_failure() => Some(failure),
        };
        if let Some(failure) = &failure {
            tracing::error!(task = failure.name, error = %failure, "Critical task ended");
        }
        let deadline = MonoTime::now() + self.drain_timeout;
        let in_order = tokio::select! {
            biased;
            in_order = self.end_in_order(deadline) => in_order,
            () = told_now(&mut stop) => false,
        };
        let ended = if in_order {
            Ended::Drained
        } else {
            self.cut().await
        };
        failure.map_or(ended, Ended::Failed)
    }

    async fn end_in_order(&mut self, deadline: MonoTime) -> bool {
        let began = MonoTime::now();
        self.readiness.close("draining");
        self.life.drains();
        self.drains.announce.drain();
        self.drains.ingest.drain();
        let ingest = finish(&mut self.tasks.ingest, deadline).await;
        let ingest_took = began.elapsed();
        self.drains.readers.drain();
        let readers = finish(&mut self.tasks.readers, deadline).await;
        let readers_took = began.elapsed() - ingest_took;
        // Health and the console answer until they are cut: they have nothing to finish.
        self.drains.rest.force();
        let rest = finish(&mut self.tasks.rest, deadline).await;
        let mut journals = true;
        for journal in &self.journals {
            journals &= timeout_at(deadline, journal.close()).await.is_ok();
        }
        tracing::info!(
            ingest = ?ingest_took,
            readers = ?readers_took,
            total = ?began.elapsed(),
            in_order = ingest && readers && rest && journals,
            "Drained"
        );
        ingest && readers && rest && journals
    }

    async fn cut(&mut self) -> Ended {
        let Self { drains, tasks, .. } = self;
        for drain in [
            &drains.announce,
            &drains.ingest,
            &drains.readers,
            &drains.rest,
        ] {
            drain.force();
        }
        let deadline = MonoTime::now() + LAST_MOMENT;
        for tasks in [&mut tasks.ingest, &mut tasks.readers, &mut tasks.rest] {
            if timeout_at(deadline, tasks.abort_all()).await.is_err() {
                tracing::warn!("Tasks left behind");
            }
        }
        for journal in &self.journals {
            if timeout_at(deadline, journal.close()).await.is_err() {
                tracing::warn!(journal = %journal.info().name, "Journal left open");
            }
        }
        Ended::Cut
    }
}

impl super::Tasks {
    /// Completes when a task that must not fail has; the failures of others are logged. Cancel-safe.
    async fn critical_failure(&mut self) -> TaskFailure {
        loop {
            let failure = tokio::select! {
                Some(failure) = self.ingest.next_failure() => failure,
                Some(failure) = self.readers.next_failure() => failure,
                Some(failure) = self.rest.next_failure() => failure,
                else => std::future::pending().await,
            };
            if failure.kind == TaskKind::Critical {
                return failure;
            }
            tracing::warn!(task = failure.name, error = %failure, "Task ended");
        }
    }
}

/// Waits for every task, until the deadline; whether all of them ended.
async fn finish(tasks: &mut TaskSet, deadline: MonoTime) -> bool {
    let all = async {
        while let Some(failure) = tasks.next_failure().await {
            tracing::warn!(task = failure.name, error = %failure, "Task failed while ending");
        }
    };
    timeout_at(deadline, all).await.is_ok()
}

async fn told_now(stop: &mut mpsc::Receiver<Stop>) {
    while told(stop).await != Stop::Now {}
}

/// A sender that is gone tells nothing any more.
async fn told(stop: &mut mpsc::Receiver<Stop>) -> Stop {
    match stop.recv().await {
        Some(stop) => stop,
        None => std::future::pending().await,
    }
}
