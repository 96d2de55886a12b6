//! The task that keeps a journal's cursors: takes what has come together, makes it durable with one
//! append, and answers.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::asks::{Answer, Ask, Cursors};
use super::drafts::{Applied, Change, Draft, Drafts};
use super::error::CursorError;
use super::lease::Lease;
use crate::domain::SubscriptionName;
use crate::feed::Feed;
use crate::feed::error::FeedError;
use crate::feed::metrics;
use crate::journal::{AppendError, Commit, Info};
use crate::runtime::Drain;

/// Changes that one append makes durable.
const TOGETHER: usize = 256;

/// The streams that read by cursors, by their names: how each is told to end.
type Streams = BTreeMap<SubscriptionName, watch::Sender<Option<CursorError>>>;

impl Feed {
    /// Keeps the managed cursors of this journal until `drain`. Without this nobody's call about them
    /// is answered. There is one at a time: a second ends at once.
    pub async fn keep_cursors(self, drain: Drain) {
        let Some(mut inbox) = self.cursors().take_inbox() else {
            return;
        };
        let mut streams = Streams::new();
        let mut asks = Vec::with_capacity(TOGETHER);
        loop {
            let count = tokio::select! {
                biased;
                () = drain.draining() => return,
                count = inbox.recv_many(&mut asks, TOGETHER) => count,
            };
            if count == 0 {
                return;
            }
            self.serve(std::mem::take(&mut asks), &mut streams).await;
        }
    }

    async fn serve(&self, asks: Vec<Ask>, streams: &mut Streams) {
        let info = self.info();
        let (outcomes, draft) = self.decide(&asks, &info);
        let kept = match draft.deltas.is_empty() {
            true => Ok(()),
            false => self.keep(&draft).await,
        };
        let touched: Vec<_> = draft.changed.keys().cloned().collect();
        if kept.is_ok() && !touched.is_empty() {
            let cursors = self.cursors();
            cursors.ledger().send_modify(|ledger| ledger.take(draft));
            let holds = cursors.ledger().borrow().holds(&info);
            self.journal().hold_back(holds);
        }
        self.settle_names(&asks);
        for (ask, outcome) in asks.into_iter().zip(outcomes) {
            // Whatever was decided on the grounds of what is not kept was not decided.
            let outcome = match &kept {
                Err(error) if touched.contains(&ask.name) => {
                    Err(self.not_kept(&ask.name, error).into())
                }
                _ => outcome,
            };
            let answer = outcome.map(|applied| self.carry_out(&ask, applied, streams));
            // Whoever does not wait any more has dropped its end; that is its right.
            ask.answer.send(answer).ok();
        }
    }

    /// What each of them comes to, if what is drafted is kept.
    fn decide(&self, asks: &[Ask], info: &Info) -> (Vec<Result<Applied, FeedError>>, Draft) {
        let now = self.clock().wall();
        let cursors = self.cursors();
        let ledger = cursors.ledger().borrow();
        let mut drafts = Drafts::over(&ledger.cursors, ledger.spent);
        let outcomes = asks.iter().map(|Ask { name, change, .. }| {
            let creates = matches!(change, Change::Create { .. });
            if creates && !cursors.names().claim(name, cursors.journal()) {
                return Err(CursorError::Exists { name: name.clone() }.into());
            }
            drafts.apply(name, change, (info, now))
        });
        (outcomes.collect(), drafts.finish())
    }

    async fn keep(&self, draft: &Draft) -> Result<(), AppendError> {
        let commit = Commit {
            events: Vec::new(),
            state: draft.deltas.clone(),
        };
        self.journal().append(commit).await.map(drop)
    }

    /// A name is taken as long as there is a cursor of that name.
    fn settle_names(&self, asks: &[Ask]) {
        let cursors = self.cursors();
        let ledger = cursors.ledger().borrow();
        for Ask { name, .. } in asks {
            let ours = cursors.names().journal_of(name).as_ref() == Some(cursors.journal());
            if ours && !ledger.cursors.contains_key(name) {
                cursors.names().release(name);
            }
        }
    }

    fn not_kept(&self, name: &SubscriptionName, error: &AppendError) -> CursorError {
        let retry_delay = match error {
            AppendError::NoSpace { retry_after } => *retry_after,
            _ => self.retry_delay(),
        };
        CursorError::ReadOnly {
            name: name.clone(),
            reason: error.to_string(),
            retry_delay,
        }
    }

    /// It is durable: tells the stream that it concerns.
    fn carry_out(&self, ask: &Ask, applied: Applied, streams: &mut Streams) -> Answer {
        let Applied { cursor, resolved } = applied;
        let name = &ask.name;
        let lost = match &ask.change {
            Change::Create { .. } | Change::Commit { .. } => None,
            Change::Delete { .. } => Some(CursorError::NotFound { name: name.clone() }),
            Change::Seek { .. } => Some(cursor.fenced(name)),
            Change::Open { .. } => Some(CursorError::TakenOver { name: name.clone() }),
        };
        let older = lost.and_then(|why| Some((streams.remove(name)?, why)));
        if let Some((stream, why)) = older {
            stream.send_replace(Some(why));
        }
        metrics::cursor_changed(self.name(), name, &cursor, word(&ask.change));
        let opening = resolved.map(|resolved| {
            let (stream, told) = watch::channel(None);
            streams.insert(name.clone(), stream);
            let lease = Lease {
                name: name.clone(),
                number: cursor.lease,
                told,
                cursors: Cursors::clone(self.cursors()),
            };
            (resolved, lease)
        });
        Answer { cursor, opening }
    }
}

/// What was done, for the log; `None` for what happens all the time.
fn word(change: &Change) -> Option<&'static str> {
    match change {
        Change::Create { .. } => Some("created"),
        Change::Delete { .. } => Some("deleted"),
        Change::Seek { .. } => Some("moved by hand"),
        Change::Commit { .. } | Change::Open { .. } => None,
    }
}
