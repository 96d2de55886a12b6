//! A journal whose disk takes seconds for a few events.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::journal::{Committed, Page, ReadError, StateEntry, Turn};

/// Takes three seconds for each read, and counts them.
#[derive(Debug)]
pub(super) struct SlowJournal {
    journal: MemoryJournal,
    pub(super) reads: AtomicU64,
}

impl SlowJournal {
    pub(super) fn before(journal: MemoryJournal) -> Self {
        let reads = AtomicU64::new(0);
        Self { journal, reads }
    }
}

#[async_trait::async_trait]
impl Journal for SlowJournal {
    async fn read(&self, after: Sequence, _: usize) -> Result<Page, ReadError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.journal.read(after, 400).await
    }

    fn info(&self) -> Info {
        self.journal.info()
    }

    async fn append(&self, commit: Commit) -> Result<Committed, crate::journal::AppendError> {
        self.journal.append(commit).await
    }

    async fn append_in_turn(
        &self,
        commit: Arc<Commit>,
        turn: Turn,
    ) -> Result<Committed, crate::journal::AppendError> {
        self.journal.append_in_turn(commit, turn).await
    }

    fn durable_end(&self) -> watch::Receiver<DurableEnd> {
        self.journal.durable_end()
    }

    async fn seek_time(&self, time: WallTime) -> Result<Sequence, ReadError> {
        self.journal.seek_time(time).await
    }

    fn state(&self, prefix: &str) -> Vec<StateEntry> {
        self.journal.state(prefix)
    }

    fn recent_ids(&self) -> Vec<u64> {
        self.journal.recent_ids()
    }

    fn attach(&self, sink: Arc<dyn crate::journal::CommitSink>) -> Sequence {
        self.journal.attach(sink)
    }

    async fn erase(
        &self,
        erasure: crate::journal::Erasure,
    ) -> Result<(), crate::journal::AppendError> {
        self.journal.erase(erasure).await
    }

    fn hold_back(&self, holds: Vec<crate::journal::Hold>) {
        self.journal.hold_back(holds);
    }
}
