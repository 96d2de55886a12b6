//! [`Cursor`]: one managed cursor, and what may move it. Pure.

use super::error::CursorError;
use crate::domain::{Position, Sequence, SubscriptionName, WallTime};
use crate::feed::error::FeedError;
use crate::feed::request::{AskedPosition, Policy, Start};
use crate::feed::start::{self, Resolved};
use crate::journal::{Hold, Info};

/// One managed cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Everything up to here is done with. Until it is first moved: where it begins.
    pub committed: Position,
    /// When it was last moved; `None` until then.
    pub commit_time: Option<WallTime>,
    /// The only right to commit. It rises with each stream that is opened and with each seek, and no
    /// cursor of the same journal had it before.
    pub lease: u64,
    /// Events that are not done with are kept beyond retention up to so many bytes.
    pub max_retained_bytes: u64,
}

impl Cursor {
    /// A new one that begins at `start`, which is no time.
    pub(super) fn new(
        start: &Start,
        max_retained_bytes: u64,
        lease: u64,
        info: &Info,
    ) -> Result<Self, FeedError> {
        Ok(Self {
            committed: place(start, Sequence::ZERO, info)?,
            commit_time: None,
            lease,
            max_retained_bytes,
        })
    }

    /// Moves it forward; `None` where it is there already. Former incarnations lie behind the present
    /// one, whatever their numbers.
    pub(super) fn commit(
        &self,
        name: &SubscriptionName,
        lease: u64,
        asked: &AskedPosition,
        (info, now): (&Info, WallTime),
    ) -> Result<Option<Self>, FeedError> {
        if lease != self.lease {
            return Err(self.fenced(name).into());
        }
        if asked.epoch != info.epoch.to_string() {
            return Err(start::epoch_changed(asked, info));
        }
        if asked.sequence > info.latest {
            let bounds = start::bounds(asked.sequence, info);
            return Err(FeedError::PositionNotWritten(bounds));
        }
        let is_behind =
            self.committed.epoch == info.epoch && asked.sequence <= self.committed.sequence;
        Ok((!is_behind).then(|| Self {
            committed: Position {
                epoch: info.epoch,
                sequence: asked.sequence,
            },
            commit_time: Some(now),
            ..self.clone()
        }))
    }

    /// Moves it anywhere that can be read from. `sought` is where a start by time is. Whoever reads by
    /// it loses the right to commit.
    pub(super) fn seek(
        &self,
        start: &Start,
        sought: Sequence,
        (info, now): (&Info, WallTime),
    ) -> Result<Self, FeedError> {
        Ok(Self {
            committed: place(start, sought, info)?,
            commit_time: Some(now),
            lease: self.lease + 1,
            ..self.clone()
        })
    }

    /// Begins a stream behind it, which gets the right to commit.
    pub(super) fn open(&self, policy: Policy, info: &Info) -> Result<(Self, Resolved), FeedError> {
        let start = Start::After(AskedPosition {
            epoch: self.committed.epoch.to_string(),
            sequence: self.committed.sequence,
        });
        let resolved = start::resolve(&start, policy, info, Sequence::ZERO)?;
        let lease = self.lease + 1;
        Ok((
            Self {
                lease,
                ..self.clone()
            },
            resolved,
        ))
    }

    /// Durable events that it does not have behind it. Of another incarnation's position nothing is
    /// known, so all that there are count.
    #[must_use]
    pub fn lag(&self, info: &Info) -> u64 {
        let behind = match self.committed.epoch == info.epoch {
            true => self.committed.sequence,
            false => info.earliest.previous(),
        };
        info.latest.since(behind)
    }

    /// What it asks retention to keep: nothing on behalf of another incarnation.
    pub(super) fn hold(&self, info: &Info) -> Option<Hold> {
        let holds = self.max_retained_bytes > 0 && self.committed.epoch == info.epoch;
        holds.then_some(Hold {
            passed: self.committed.sequence,
            bytes: self.max_retained_bytes,
        })
    }

    pub(super) fn fenced(&self, name: &SubscriptionName) -> CursorError {
        CursorError::Fenced {
            name: name.clone(),
            lease: self.lease,
        }
    }
}

/// Where a start is, which must be there.
fn place(start: &Start, sought: Sequence, info: &Info) -> Result<Position, FeedError> {
    let resolved = start::resolve(start, Policy::Fail, info, sought)?;
    Ok(Position {
        epoch: info.epoch,
        sequence: resolved.start,
    })
}
