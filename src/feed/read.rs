//! One bounded read, with or without waiting for a first event; and the read of a single event.

use bytes::Bytes;

use super::Feed;
use super::delivery::{Cause, Gap};
use super::elements::Elements;
use super::error::FeedError;
use super::gather::Gather;
use super::keys::Keys;
use super::request::{Policy, ReadPlan};
use super::start::{bounds, trimmed_gap};
use super::steps::WINDOW;
use crate::domain::{Epoch, Sequence};
use crate::journal::{Entry, GapCause, Info, Item, ReadError};
use crate::runtime::MonoTime;

/// Encoded bytes that one call looks at, whatever the filter passes. Its answer then tells how far
/// it came.
const SCAN_BYTES: usize = 32 << 20;
/// Gaps that one answer names.
const MOST_GAPS: usize = 100;
/// No call waits longer.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(60);

/// What one bounded read found.
#[derive(Debug)]
pub struct Reading {
    /// What matched, ascending.
    pub elements: Elements,
    /// The journal's incarnation.
    pub epoch: Epoch,
    /// Everything up to here is in this reading, did not match, or is named by a gap.
    pub through: Sequence,
    /// First sequence that can be read.
    pub earliest: Sequence,
    /// Last durable sequence.
    pub latest: Sequence,
    /// What cannot be read.
    pub gaps: Vec<Gap>,
}

struct Progress<'a> {
    plan: &'a ReadPlan,
    gather: Gather,
    cursor: Sequence,
    gaps: Vec<Gap>,
    scanned: usize,
}

impl Feed {
    /// Reads a bounded run of events.
    ///
    /// # Errors
    /// [`FeedError`], when there is nothing that could be returned before it.
    pub async fn read(&self, plan: &ReadPlan) -> Result<Reading, FeedError> {
        let deadline = self.clock().now() + plan.wait.min(LONGEST_WAIT);
        let mut end = self.journal().durable_end();
        let resolved = self.resolve(&plan.start, plan.policy).await?;
        let mut progress = Progress {
            gather: Gather::new(plan.view, plan.batching, self.config().message_bytes),
            cursor: resolved.start,
            gaps: resolved.gap.into_iter().collect(),
            scanned: 0,
            plan,
        };
        loop {
            // Marked as seen before the read, so that nothing between the two is missed.
            let latest = end.borrow_and_update().latest;
            while progress.cursor < latest && !progress.is_done() {
                self.read_page(&mut progress).await?;
            }
            if progress.has_news() || self.await_more(&mut end, deadline).await.is_none() {
                break;
            }
        }
        let info = self.info();
        Ok(Reading {
            elements: progress.gather.take(),
            epoch: info.epoch,
            through: progress.cursor,
            earliest: info.earliest,
            latest: info.latest.max(progress.cursor),
            gaps: progress.gaps,
        })
    }

    /// Waits for the end of the journal to move; `None` when the wait is over.
    async fn await_more(
        &self,
        end: &mut tokio::sync::watch::Receiver<crate::journal::DurableEnd>,
        deadline: MonoTime,
    ) -> Option<()> {
        tokio::select! {
            biased;
            () = self.drain().draining() => None,
            () = tokio::time::sleep_until(deadline) => None,
            moved = end.changed() => moved.ok(),
        }
    }

    async fn read_page(&self, progress: &mut Progress<'_>) -> Result<(), FeedError> {
        let page = match self.journal().read(progress.cursor, WINDOW).await {
            Ok(page) => page,
            Err(error) => return progress.failed(error, &self.info(), self),
        };
        if page.items.is_empty() {
            return Err(FeedError::Unreadable {
                after: progress.cursor,
                reason: "nothing was found before the end".to_owned(),
                retry_delay: self.retry_delay(),
            });
        }
        for item in &page.items {
            if !progress.take(item, &page.buffer, &self.info())? {
                break;
            }
        }
        Ok(())
    }

    /// Reads one event.
    ///
    /// # Errors
    /// [`FeedError`]; an erased event is not found, like one that was never written.
    pub async fn event(&self, sequence: Sequence) -> Result<Entry, FeedError> {
        let not_found = FeedError::EventNotFound { sequence };
        let info = self.info();
        if sequence == Sequence::ZERO || sequence > info.latest {
            return Err(not_found);
        }
        let page = match self.journal().read(sequence.previous(), 1).await {
            Ok(page) => page,
            Err(ReadError::Trimmed { .. }) => {
                return Err(FeedError::PositionTrimmed(bounds(sequence, &self.info())));
            }
            Err(ReadError::NotWritten { .. }) => return Err(not_found),
            Err(ReadError::Io { after, reason }) => {
                let retry_delay = self.retry_delay();
                return Err(FeedError::Unreadable {
                    after,
                    reason,
                    retry_delay,
                });
            }
        };
        match page.items.into_iter().next() {
            Some(Item::Event(entry)) if entry.sequence == sequence => Ok(entry),
            Some(Item::Gap {
                cause: GapCause::Corrupted,
                first,
                last,
                ..
            }) => Err(FeedError::Corrupted { first, last }),
            Some(Item::Event(_) | Item::Gap { .. }) | None => Err(not_found),
        }
    }
}

impl Progress<'_> {
    /// Whether the answer is complete although there is more to read.
    fn is_done(&self) -> bool {
        self.gather.is_full() || self.scanned >= SCAN_BYTES || self.gaps.len() >= MOST_GAPS
    }

    fn has_news(&self) -> bool {
        !self.gather.is_empty() || !self.gaps.is_empty() || self.is_done()
    }

    /// Takes the next item in; whether there is room for another.
    fn take(&mut self, item: &Item, buffer: &Bytes, info: &Info) -> Result<bool, FeedError> {
        match item {
            Item::Event(entry) => {
                if self.plan.selection.wants(&Keys::scan(entry), entry)
                    && !self.gather.offer(entry, Some(buffer))
                {
                    return Ok(false);
                }
                self.scanned += entry.element.len();
                self.cursor = entry.sequence;
            }
            Item::Gap {
                cause,
                first,
                last,
                start_time,
                end_time,
            } => {
                let first = (*first).max(self.cursor.next());
                let (cause, last) = match (cause, self.plan.policy) {
                    (GapCause::Erased, _) => (Cause::Erased, *last),
                    (GapCause::Corrupted, Policy::ResumeAtEarliest) => (Cause::Corrupted, *last),
                    (GapCause::Corrupted, Policy::ResumeAtLatest) => {
                        (Cause::Corrupted, info.latest.max(*last))
                    }
                    (GapCause::Corrupted, Policy::Fail) if self.has_news() => return self.stop(),
                    (GapCause::Corrupted, Policy::Fail) => {
                        return Err(FeedError::Corrupted { first, last: *last });
                    }
                };
                self.cursor = last;
                self.gaps.push(Gap {
                    cause,
                    range: Some((first, last)),
                    start_time: *start_time,
                    end_time: *end_time,
                    previous_epoch: None,
                });
                if self.cursor >= info.latest {
                    return Ok(false);
                }
            }
        }
        Ok(!self.is_done())
    }

    /// Returns what there is; the next call meets the damage first.
    fn stop(&mut self) -> Result<bool, FeedError> {
        self.scanned = SCAN_BYTES;
        Ok(false)
    }

    fn failed(&mut self, error: ReadError, info: &Info, feed: &Feed) -> Result<(), FeedError> {
        match error {
            ReadError::Trimmed { .. } => {
                let last = match self.plan.policy {
                    Policy::Fail if self.has_news() => return self.stop().map(|_| ()),
                    Policy::Fail => {
                        return Err(FeedError::PositionTrimmed(bounds(self.cursor, info)));
                    }
                    Policy::ResumeAtEarliest => info.earliest.previous(),
                    Policy::ResumeAtLatest => info.latest,
                };
                let last = last.max(self.cursor);
                self.gaps.push(trimmed_gap(self.cursor, last, None, info));
                self.cursor = last;
                Ok(())
            }
            ReadError::NotWritten { .. } => {
                Err(FeedError::PositionNotWritten(bounds(self.cursor, info)))
            }
            ReadError::Io { after, reason } => Err(FeedError::Unreadable {
                after,
                reason,
                retry_delay: feed.retry_delay(),
            }),
        }
    }
}
