//! [`TaskSet`]: the owner of tasks. Nothing else spawns.

use std::future::Future;

use tokio::task::{Id, JoinSet};

/// What a task is for; decides what its failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// Ends the process when it fails: journal writer, token refresher, servers.
    Critical,
    /// Logged when it fails; the process goes on: retention, metrics.
    Maintenance,
}

/// A task that ended otherwise than well.
#[derive(Debug, thiserror::Error)]
#[error("task '{name}' {}", if *panicked { "panicked" } else { "failed" })]
pub struct TaskFailure {
    /// What the task was spawned as.
    pub name: String,
    /// What its failure means.
    pub kind: TaskKind,
    /// Whether it panicked.
    pub panicked: bool,
    /// Why, when it said so.
    pub source: Option<anyhow::Error>,
}

/// Owns tasks, reports how they end, and aborts those left when it is dropped.
#[derive(Debug, Default)]
pub struct TaskSet {
    tasks: JoinSet<anyhow::Result<()>>,
    names: std::collections::HashMap<Id, (String, TaskKind)>,
}

impl TaskSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task.
    pub fn spawn<F>(&mut self, kind: TaskKind, name: impl Into<String>, future: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let handle = self.tasks.spawn(future);
        self.names.insert(handle.id(), (name.into(), kind));
    }

    /// Waits for the next failure; `None` once every task has ended. Cancel-safe.
    pub async fn next_failure(&mut self) -> Option<TaskFailure> {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            let (id, outcome) = match ended {
                Ok((id, Ok(()))) => (id, None),
                Ok((id, Err(error))) => (id, Some((false, Some(error)))),
                Err(error) if error.is_cancelled() => (error.id(), None),
                Err(error) => (error.id(), Some((true, None))),
            };
            let known = self.names.remove(&id);
            if let (Some((panicked, source)), Some((name, kind))) = (outcome, known) {
                return Some(TaskFailure {
                    name,
                    kind,
                    panicked,
                    source,
                });
            }
        }
        None
    }

    /// Stops every task at once and waits until each is gone.
    pub async fn abort_all(&mut self) {
        self.tasks.shutdown().await;
        self.names.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_task_is_reported_with_its_name() {
        let mut tasks = TaskSet::new();
        tasks.spawn(TaskKind::Maintenance, "quiet", async { Ok(()) });
        tasks.spawn(TaskKind::Critical, "loud", async {
            anyhow::bail!("no disk")
        });
        let failure = tasks.next_failure().await.unwrap();
        assert_eq!((failure.name.as_str(), failure.panicked), ("loud", false));
        assert!(tasks.next_failure().await.is_none());
    }
}
