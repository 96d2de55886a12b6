//! [`Drafts`]: what a run of changes makes of a journal's cursors before any of it is durable. Pure.

use std::collections::BTreeMap;

use super::MOST_CURSORS;
use super::cursor::Cursor;
use super::error::CursorError;
use super::stored;
use crate::domain::{Sequence, SubscriptionName, WallTime};
use crate::feed::error::FeedError;
use crate::feed::request::{AskedPosition, Policy, Start};
use crate::feed::start::Resolved;
use crate::journal::{Info, StateDelta};

/// What is asked of one cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// That there be one.
    Create {
        start: Start,
        max_retained_bytes: u64,
    },
    /// That there be none; of the one with this etag alone, unless it is empty.
    Delete { etag: String },
    /// That it be moved forward.
    Commit { lease: u64, to: AskedPosition },
    /// That it be moved anywhere. `sought` is where a start by time is.
    Seek { to: Start, sought: Sequence },
    /// That a stream begin behind it.
    Open { policy: Policy },
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applied {
    /// As it is now, or was when it was deleted.
    pub(super) cursor: Cursor,
    /// Where a stream begins.
    pub(super) resolved: Option<Resolved>,
}

impl From<Cursor> for Applied {
    fn from(cursor: Cursor) -> Self {
        Self {
            cursor,
            resolved: None,
        }
    }
}

/// Cursors as they are kept, and what changes make of them.
#[derive(Debug)]
pub(super) struct Drafts<'a> {
    kept: &'a BTreeMap<SubscriptionName, Cursor>,
    changed: BTreeMap<SubscriptionName, Option<Cursor>>,
    count: usize,
    /// Leases up to this one were given out by cursors that are gone.
    spent: u64,
    spends: bool,
}

/// What is to become durable.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) changed: BTreeMap<SubscriptionName, Option<Cursor>>,
    pub(super) spent: u64,
    pub(super) deltas: Vec<StateDelta>,
}

impl<'a> Drafts<'a> {
    pub(super) fn over(kept: &'a BTreeMap<SubscriptionName, Cursor>, spent: u64) -> Self {
        Self {
            kept,
            changed: BTreeMap::new(),
            count: kept.len(),
            spent,
            spends: false,
        }
    }

    fn find(&self, name: &SubscriptionName) -> Result<&Cursor, CursorError> {
        let drafted = self.changed.get(name).map(Option::as_ref);
        let found = drafted.unwrap_or_else(|| self.kept.get(name));
        found.ok_or_else(|| CursorError::NotFound { name: name.clone() })
    }

    fn put(&mut self, name: &SubscriptionName, cursor: Option<Cursor>) {
        self.changed.insert(name.clone(), cursor);
    }

    /// Decides one change. What it makes is what those that follow find.
    pub(super) fn apply(
        &mut self,
        name: &SubscriptionName,
        change: &Change,
        at: (&Info, WallTime),
    ) -> Result<Applied, FeedError> {
        match change {
            Change::Create {
                start,
                max_retained_bytes,
            } => {
                if self.find(name).is_ok() {
                    return Err(CursorError::Exists { name: name.clone() }.into());
                }
                let limit = MOST_CURSORS;
                if self.count >= limit {
                    return Err(CursorError::Quota { limit }.into());
                }
                let cursor = Cursor::new(start, *max_retained_bytes, self.spent, at.0)?;
                self.count += 1;
                self.put(name, Some(cursor.clone()));
                Ok(cursor.into())
            }
            Change::Delete { etag } => {
                let cursor = self.find(name)?.clone();
                let present = stored::etag(&cursor);
                if !etag.is_empty() && *etag != present {
                    let (name, etag) = (name.clone(), present);
                    return Err(CursorError::Changed { name, etag }.into());
                }
                self.count -= 1;
                // The next of this name must not accept what was given out by this one.
                self.spends |= cursor.lease > self.spent;
                self.spent = self.spent.max(cursor.lease);
                self.put(name, None);
                Ok(cursor.into())
            }
            Change::Commit { lease, to } => {
                let cursor = self.find(name)?;
                match cursor.commit(name, *lease, to, at)? {
                    None => Ok(cursor.clone().into()),
                    Some(moved) => {
                        self.put(name, Some(moved.clone()));
                        Ok(moved.into())
                    }
                }
            }
            Change::Seek { to, sought } => {
                let moved = self.find(name)?.seek(to, *sought, at)?;
                self.put(name, Some(moved.clone()));
                Ok(moved.into())
            }
            Change::Open { policy } => {
                let (cursor, resolved) = self.find(name)?.open(*policy, at.0)?;
                self.put(name, Some(cursor.clone()));
                Ok(Applied {
                    cursor,
                    resolved: Some(resolved),
                })
            }
        }
    }

    /// Everything that was changed, as one commit.
    pub(super) fn finish(self) -> Draft {
        let cursors = self.changed.iter();
        let cursors = cursors.map(|(name, cursor)| stored::delta(name, cursor.as_ref()));
        let spent = self.spends.then(|| stored::spent_delta(self.spent));
        Draft {
            deltas: cursors.chain(spent).collect(),
            changed: self.changed,
            spent: self.spent,
        }
    }
}
