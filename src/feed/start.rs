//! Resolves where a reader begins against what the journal still holds. Pure.

use super::delivery::{Cause, Gap};
use super::error::{Bounds, FeedError};
use super::request::{AskedPosition, Policy, Start};
use crate::domain::{Sequence, WallTime};
use crate::journal::Info;
use crate::runtime::Mistake;

/// Where a reader begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// What lies behind the reader before it is told of `gap`.
    pub(super) through: Sequence,
    /// Delivery begins after this.
    pub(super) start: Sequence,
    /// What it must be told first.
    pub(super) gap: Option<Gap>,
}

impl Resolved {
    fn at(start: Sequence) -> Self {
        Self {
            through: start,
            start,
            gap: None,
        }
    }
}

/// Resolves a start. `sought` is what the journal's `seek_time` gave for a start by time.
pub(super) fn resolve(
    start: &Start,
    policy: Policy,
    info: &Info,
    sought: Sequence,
) -> Result<Resolved, FeedError> {
    let first = info.earliest.previous();
    match start {
        Start::Earliest => Ok(Resolved::at(first)),
        Start::Latest => Ok(Resolved::at(info.latest)),
        Start::Last(count) => Ok(Resolved::at(info.latest.minus(*count).max(first))),
        Start::After(asked) => after(asked, policy, info),
        Start::FromTime(time) if lost_since(*time, info, sought) => {
            trimmed(Sequence::ZERO, Some(*time), policy, info)
        }
        Start::FromTime(_) => Ok(Resolved::at(sought)),
    }
}

fn after(asked: &AskedPosition, policy: Policy, info: &Info) -> Result<Resolved, FeedError> {
    if asked.epoch != info.epoch.to_string() {
        let start = match policy {
            Policy::Fail => return Err(epoch_changed(asked, info)),
            Policy::ResumeAtEarliest => info.earliest.previous(),
            Policy::ResumeAtLatest => info.latest,
        };
        return Ok(Resolved {
            through: start,
            start,
            gap: Some(Gap {
                cause: Cause::EpochChanged,
                range: None,
                start_time: None,
                end_time: None,
                previous_epoch: Some(asked.epoch.clone()),
            }),
        });
    }
    if asked.sequence > info.latest {
        return Err(FeedError::PositionNotWritten(bounds(asked.sequence, info)));
    }
    if asked.sequence.next() < info.earliest {
        return trimmed(asked.sequence, None, policy, info);
    }
    if Mistake::ResumesAtThePosition.is_made() {
        return Ok(Resolved::at(asked.sequence.previous()));
    }
    Ok(Resolved::at(asked.sequence))
}

/// The error of a position that belongs to another incarnation.
pub(super) fn epoch_changed(asked: &AskedPosition, info: &Info) -> FeedError {
    FeedError::EpochChanged {
        requested: asked.epoch.clone(),
        current: info.epoch,
        earliest: info.earliest,
        latest: info.latest,
    }
}

/// Whether events recorded at `time` or later may have been trimmed. Of events that are gone the
/// times are gone too, so a start before the earliest event there is counts as lost; one exactly at
/// it does not, because that is how a caller names the earliest event.
fn lost_since(time: WallTime, info: &Info, sought: Sequence) -> bool {
    let trimmed_any = info.earliest > Sequence::new(1);
    let within = match (info.earliest_time, info.latest_time) {
        (Some(earliest), _) if info.earliest <= info.latest => time < earliest,
        (_, Some(latest)) => time <= latest,
        (_, None) => false,
    };
    trimmed_any && (within || sought.next() < info.earliest)
}

fn trimmed(
    asked: Sequence,
    from: Option<WallTime>,
    policy: Policy,
    info: &Info,
) -> Result<Resolved, FeedError> {
    let start = match policy {
        Policy::Fail => return Err(FeedError::PositionTrimmed(bounds(asked, info))),
        Policy::ResumeAtEarliest => info.earliest.previous(),
        Policy::ResumeAtLatest => info.latest,
    };
    Ok(Resolved {
        through: asked,
        start,
        gap: Some(trimmed_gap(asked, start, from, info)),
    })
}

/// The gap between a place and the next one that can be served.
pub(super) fn trimmed_gap(
    after: Sequence,
    through: Sequence,
    from: Option<WallTime>,
    info: &Info,
) -> Gap {
    let reaches_latest = through >= info.latest;
    Gap {
        cause: Cause::Trimmed,
        range: Some((after.next(), through)),
        start_time: from,
        end_time: if reaches_latest {
            info.latest_time
        } else {
            info.earliest_time
        },
        previous_epoch: None,
    }
}

/// Where the journal stands, for an error about `requested`.
pub(super) fn bounds(requested: Sequence, info: &Info) -> Bounds {
    Bounds {
        epoch: info.epoch,
        requested,
        earliest: info.earliest,
        latest: info.latest,
        earliest_time: info.earliest_time,
    }
}
