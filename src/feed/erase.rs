//! Finds what a filter names and has the journal erase it.

use super::Feed;
use super::error::FeedError;
use super::filter::Filter;
use super::keys::Keys;
use super::steps::WINDOW;
use crate::domain::Sequence;
use crate::journal::{Entry, Erasure, Item, MOST_RANGES, Ranges, ReadError, StateEntry};

/// Runs that go together, and as many again may come with one page.
const AT_ONCE: usize = MOST_RANGES / 2;

/// What is to be erased.
#[derive(Debug, Clone)]
pub struct ErasePlan {
    /// The events. Facts about sessions are what says which events are missing: they go only where
    /// the filter treats them like any event, and names them.
    pub filter: Filter,
    /// Nothing is erased, only counted.
    pub validate_only: bool,
    /// Which state of an event that goes is about people, and goes with it.
    pub is_personal: fn(&StateEntry) -> bool,
    /// Sessions of which everything goes, as the filter names them.
    pub sessions: Vec<String>,
    /// Which state that came with no event goes with one of these sessions.
    pub is_of_session: fn(&StateEntry, &[String]) -> bool,
}

impl Feed {
    /// Erases the events that match and were durable when this began; how many they are. They go
    /// together, but for every 32 768 runs of them.
    ///
    /// # Errors
    /// [`FeedError`]; what was erased by then stays erased.
    pub async fn erase(&self, plan: &ErasePlan) -> Result<u64, FeedError> {
        let end = self.info().latest;
        let mut cursor = self.info().earliest.previous();
        let mut erased = 0;
        let mut events = Ranges::default();
        while cursor < end {
            let page = match self.journal().read(cursor, WINDOW).await {
                Ok(page) if page.through > cursor => page,
                Ok(_) => break,
                Err(ReadError::Trimmed { earliest, .. }) => {
                    cursor = earliest.previous();
                    continue;
                }
                Err(error) => return Err(self.unreadable(cursor, &error)),
            };
            cursor = page.through;
            for item in &page.items {
                if let Item::Event(entry) = item
                    && entry.sequence <= end
                    && plan.names(entry)
                {
                    events.push(entry.sequence);
                }
            }
            if events.runs() >= AT_ONCE {
                let some = std::mem::take(&mut events);
                erased += self.erase_events(plan, some, &[]).await?;
            }
        }
        let rest = self.erase_events(plan, events, &plan.sessions).await?;
        Ok(erased + rest)
    }

    async fn erase_events(
        &self,
        plan: &ErasePlan,
        events: Ranges,
        sessions: &[String],
    ) -> Result<u64, FeedError> {
        let count = events.count();
        if plan.validate_only {
            return Ok(count);
        }
        let state = self.journal().state("").into_iter();
        let goes = |entry: &StateEntry| match entry.sequence {
            Sequence::ZERO => (plan.is_of_session)(entry, sessions),
            sequence => events.contains(sequence) && (plan.is_personal)(entry),
        };
        let state: Vec<_> = state.filter(goes).map(|entry| entry.key).collect();
        if count == 0 && state.is_empty() {
            return Ok(0);
        }
        let erased = self.journal().erase(Erasure { events, state }).await;
        erased.map_err(|error| FeedError::ReadOnly {
            reason: error.to_string(),
            retry_delay: self.retry_delay(),
        })?;
        Ok(count)
    }

    fn unreadable(&self, after: Sequence, error: &ReadError) -> FeedError {
        FeedError::Unreadable {
            after,
            reason: error.to_string(),
            retry_delay: self.retry_delay(),
        }
    }
}

impl ErasePlan {
    fn names(&self, entry: &Entry) -> bool {
        let keys = Keys::scan(entry);
        (!keys.session_fact || self.filter.names_facts()) && self.filter.matches(&keys, entry)
    }
}
