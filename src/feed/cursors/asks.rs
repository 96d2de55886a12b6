//! [`Cursors`]: the managed cursors of one journal, as callers see them.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::cursor::Cursor;
use super::drafts::Change;
use super::lease::Lease;
use super::ledger::{CursorNames, Ledger};
use super::stored;
use crate::domain::{JournalName, Position, Sequence, SubscriptionName};
use crate::feed::error::FeedError;
use crate::feed::request::{AskedPosition, Policy, Start};
use crate::feed::start::Resolved;
use crate::feed::{Feed, Journal};

/// Asks that wait; further callers wait until there is room.
const WAITING: usize = 256;

/// The managed cursors of one journal. Clones share them.
#[derive(Debug, Clone)]
pub(in crate::feed) struct Cursors(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    journal: JournalName,
    names: CursorNames,
    ledger: watch::Sender<Ledger>,
    asks: mpsc::Sender<Ask>,
    /// Until somebody keeps them.
    inbox: Mutex<Option<mpsc::Receiver<Ask>>>,
}

/// A change that somebody waits for.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) name: SubscriptionName,
    pub(super) change: Change,
    pub(super) answer: oneshot::Sender<Result<Answer, FeedError>>,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) cursor: Cursor,
    /// Of a stream that begins: where, and what it holds.
    pub(super) opening: Option<(Resolved, Lease)>,
}

impl Cursors {
    /// Those that a journal keeps. From here on it holds back what they ask for.
    pub(in crate::feed) fn of(journal: &dyn Journal, names: CursorNames) -> Self {
        let (asks, inbox) = mpsc::channel(WAITING);
        let ledger = Ledger::read(journal, &names);
        journal.hold_back(ledger.holds(&journal.info()));
        Self(Arc::new(Inner {
            journal: journal.info().name,
            names,
            ledger: watch::Sender::new(ledger),
            asks,
            inbox: Mutex::new(Some(inbox)),
        }))
    }

    pub(super) fn journal(&self) -> &JournalName {
        &self.0.journal
    }

    pub(super) fn names(&self) -> &CursorNames {
        &self.0.names
    }

    pub(super) fn ledger(&self) -> &watch::Sender<Ledger> {
        &self.0.ledger
    }

    pub(super) fn take_inbox(&self) -> Option<mpsc::Receiver<Ask>> {
        self.0.inbox.lock().take()
    }

    pub(super) fn owes(&self, name: &SubscriptionName, lease: u64, through: Sequence) {
        let owe = |ledger: &mut Ledger| ledger.owes(name, lease, through);
        self.0.ledger.send_modify(owe);
    }
}

impl Cursor {
    /// Another one whenever anything about the cursor has changed but its lag.
    #[must_use]
    pub fn etag(&self) -> String {
        stored::etag(self)
    }
}

impl Feed {
    /// A managed cursor of this journal, as it is durable.
    #[must_use]
    pub fn cursor(&self, name: &SubscriptionName) -> Option<Cursor> {
        self.cursors().ledger().borrow().cursors.get(name).cloned()
    }

    /// All of them, by name.
    #[must_use]
    pub fn all_cursors(&self) -> Vec<(SubscriptionName, Cursor)> {
        let ledger = self.cursors().ledger().borrow();
        let all = ledger.cursors.iter();
        all.map(|(name, cursor)| (name.clone(), cursor.clone()))
            .collect()
    }

    /// Makes a managed cursor that begins at `start`, as that is now.
    ///
    /// # Errors
    /// [`FeedError`], of [`CursorError`](super::CursorError) `Exists`, `Quota` and `ReadOnly`, or of a
    /// start that is not there.
    pub async fn create_cursor(
        &self,
        name: SubscriptionName,
        start: Start,
        max_retained_bytes: u64,
    ) -> Result<Cursor, FeedError> {
        let change = Change::Create {
            start,
            max_retained_bytes,
        };
        Ok(self.ask(name, change).await?.cursor)
    }

    /// Deletes a managed cursor, unless it has another etag than this, where this is not empty. A
    /// stream that reads by it ends.
    ///
    /// # Errors
    /// [`FeedError`], of [`CursorError`](super::CursorError) `NotFound`, `Changed` and `ReadOnly`.
    pub async fn delete_cursor(
        &self,
        name: SubscriptionName,
        etag: String,
    ) -> Result<(), FeedError> {
        self.ask(name, Change::Delete { etag }).await.map(drop)
    }

    /// Moves a managed cursor forward, and answers once that is durable: with the position kept, which
    /// is ahead of `to` where that was passed before.
    ///
    /// # Errors
    /// [`FeedError`], of [`CursorError`](super::CursorError) `NotFound`, `Fenced` and `ReadOnly`, or of
    /// a position of another incarnation or beyond the end.
    pub async fn commit_cursor(
        &self,
        name: SubscriptionName,
        lease: u64,
        to: AskedPosition,
    ) -> Result<Position, FeedError> {
        let answer = self.ask(name, Change::Commit { lease, to }).await?;
        Ok(answer.cursor.committed)
    }

    /// Moves a managed cursor anywhere, and takes the right to commit from whoever reads by it; that
    /// stream ends.
    ///
    /// # Errors
    /// [`FeedError`], of [`CursorError`](super::CursorError) `NotFound` and `ReadOnly`, or of a place
    /// that is not there.
    pub async fn seek_cursor(
        &self,
        name: SubscriptionName,
        to: Start,
    ) -> Result<Cursor, FeedError> {
        let sought = self.sought(&to).await?;
        let answer = self.ask(name, Change::Seek { to, sought }).await?;
        Ok(answer.cursor)
    }

    /// Begins a stream behind a managed cursor: where, and what it holds.
    pub(in crate::feed) async fn open_cursor(
        &self,
        name: SubscriptionName,
        policy: Policy,
    ) -> Result<(Resolved, Lease), FeedError> {
        let answer = self.ask(name, Change::Open { policy }).await?;
        // An answer to `Open` has one.
        answer.opening.ok_or_else(|| self.is_ending())
    }

    /// Completes once readers have committed what they were given before their streams were ended by a
    /// drain. Whoever does not commit at all is waited for in vain: bound it.
    pub async fn cursors_settled(&self) {
        let mut ledger = self.cursors().ledger().subscribe();
        // An error means that there are none any more.
        ledger.wait_for(Ledger::is_settled).await.ok();
    }

    async fn ask(&self, name: SubscriptionName, change: Change) -> Result<Answer, FeedError> {
        let (answer, answered) = oneshot::channel();
        let ask = Ask {
            name,
            change,
            answer,
        };
        let sent = self.cursors().0.asks.send(ask).await;
        sent.map_err(|_| self.is_ending())?;
        answered.await.map_err(|_| self.is_ending())?
    }

    fn is_ending(&self) -> FeedError {
        FeedError::Draining {
            retry_delay: self.retry_delay(),
        }
    }
}
