//! What the [`Writer`] does beside appending: roll by age, trim, regain room, ask for a spare file.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Health;
use super::encode::EncodedCommit;
use super::failure::Failure;
use super::files;
use super::metrics;
use super::retention::{Candidate, Situation, surplus};
use super::segment::Segment;
use super::writer::{Condition, Spare, Writer};
use crate::domain::WallTime;
use crate::runtime::Mistake;

/// The part of a segment that is written before the next one is prepared.
const SPARE_WANTED_AT: u64 = 4;

impl Writer {
    /// Time has passed: does whatever has become due.
    pub(crate) fn tick(&mut self, now: WallTime, uptime: Duration) {
        self.now = self.now.max(now);
        self.uptime = self.uptime.max(self.waiting_time(uptime));
        self.regain();
        if let Err(failure) = self.upkeep() {
            self.fail(failure, self.limits.segment_bytes);
        }
    }

    /// What waits for time to pass goes by how long the journal has been open.
    pub(super) fn waiting_time(&self, uptime: Duration) -> Duration {
        if Mistake::NoSpaceWaitsByTheClock.is_made() {
            return Duration::from_nanos(self.now.as_nanos());
        }
        uptime
    }

    fn upkeep(&mut self) -> Result<(), Failure> {
        if !matches!(self.condition, Condition::Writable) {
            return Ok(());
        }
        let there = self
            .shared
            .storage
            .identity(Some(&self.active.segment.name()));
        there.map_err(Failure::fatal("find the segment being written"))?;
        self.seal_rolled()?;
        if self.is_due() {
            self.roll()?;
        }
        self.trim(0)
    }

    /// Whether the segment's first event is so old that events behind it must be able to outlive it.
    fn is_due(&self) -> bool {
        let segment = &self.active.segment;
        let first = segment.with_extent(|extent| extent.first_time);
        segment.has_events() && first.plus(self.limits.roll_age) <= self.now
    }

    /// Once the delay after a full disk has passed: trims, completes what was left, and writes again
    /// if there seems to be room.
    pub(super) fn regain(&mut self) {
        let Condition::Full { until, wanted } = self.condition else {
            return;
        };
        if self.uptime < until {
            return;
        }
        let regained = (|| {
            self.trim(0)?;
            self.undo_refused()?;
            match self.shared.storage.free_space() {
                Ok(free) if free < wanted => Err(Failure::Full(io::ErrorKind::StorageFull.into())),
                Ok(_) | Err(_) => Ok(()),
            }
        })();
        match regained {
            Ok(()) => {
                self.condition = Condition::Writable;
                self.shared.publish_health(Health::Writable);
                metrics::regained(&self.shared);
            }
            Err(failure) => drop(self.fail(failure, wanted)),
        }
    }

    /// Deletes what retention does not keep, oldest first. The segment being written begins with a
    /// durable snapshot, so any segment before it may go. A file of `incoming` bytes is about to be made.
    pub(super) fn trim(&mut self, incoming: u64) -> Result<(), Failure> {
        let sealed = self.shared.catalog.all();
        let sealed = sealed.split_last().map_or(&[][..], |(_, sealed)| sealed);
        let candidates: Vec<_> = sealed.iter().map(|segment| candidate(segment)).collect();
        let spare = self.shared.spare_bytes.load(Ordering::Relaxed);
        let situation = Situation {
            now: self.now,
            fixed_bytes: self.active.allocated + spare.max(incoming),
            free_bytes: self.shared.storage.free_space().ok(),
            holds: &self.shared.holds.lock().clone(),
        };
        let count = surplus(&self.shared.retention, &candidates, &situation);
        for segment in sealed.iter().take(count) {
            if !self.remove_oldest(segment)? {
                break;
            }
        }
        Ok(())
    }

    /// Removes one segment, and only then makes it invisible: what was told to be trimmed must not
    /// come back. Each removal is synced by itself, or a crash could leave a hole.
    fn remove_oldest(&mut self, segment: &Segment) -> Result<bool, Failure> {
        self.carry_ids(segment.generation)?;
        if let Err(error) = files::remove_if_there(&*self.shared.storage, &segment.name()) {
            metrics::trim_failed(&self.shared, segment, &error);
            return Ok(false);
        }
        self.shared
            .storage
            .sync_dir()
            .map_err(Failure::fatal("sync a removal"))?;
        self.shared.catalog.pop_oldest();
        self.unsealed
            .retain(|(unsealed, _)| unsealed.generation != segment.generation);
        self.shared.publish_earliest();
        metrics::trimmed(&self.shared, segment);
        Ok(true)
    }

    /// Ids that are still recent outlive their segment in a commit of their own. On a full disk they
    /// wait for the next snapshot: after a crash before that duplicates may pass, and room is more
    /// urgent.
    fn carry_ids(&mut self, generation: u64) -> Result<(), Failure> {
        let carried = self.shared.ids.lock().of(generation);
        if carried.is_empty() {
            return Ok(());
        }
        let commit = EncodedCommit {
            carried,
            at: self.now,
            ..EncodedCommit::default()
        };
        let bound = commit.len_bound() as u64;
        if matches!(self.condition, Condition::Writable) {
            match self.try_append(vec![commit], bound) {
                Ok(_) | Err(Failure::Full(_)) => {}
                Err(broken) => return Err(broken),
            }
        }
        self.shared.ids.lock().carry(generation);
        Ok(())
    }

    /// Asks for the next segment's file when the active one fills.
    pub(super) fn want_spare(&mut self) {
        let filled = self.active.end > self.active.allocated / SPARE_WANTED_AT;
        if filled && self.spare == Spare::Absent {
            self.spare = Spare::Wanted;
        }
    }

    /// How large a file of zeros somebody should prepare, if there is room for it.
    pub(crate) fn wanted_spare(&self) -> Option<u64> {
        let bytes = self.limits.segment_bytes;
        let keep = self.shared.retention.min_free_bytes.saturating_add(bytes);
        let room = || {
            self.shared
                .storage
                .free_space()
                .is_ok_and(|free| free > keep)
        };
        let wanted = self.spare == Spare::Wanted && matches!(self.condition, Condition::Writable);
        (wanted && room()).then_some(bytes)
    }

    /// That file has been prepared, or could not be.
    pub(crate) fn spare_prepared(&mut self, prepared: bool) {
        // It takes room, within the same bounds as everything else.
        if prepared
            && matches!(self.condition, Condition::Writable)
            && let Err(failure) = self.trim(self.limits.segment_bytes)
        {
            self.fail(failure, self.limits.segment_bytes);
        }
        self.set_spare(if prepared {
            Spare::Ready
        } else {
            Spare::Absent
        });
    }

    pub(super) fn set_spare(&mut self, spare: Spare) {
        self.spare = spare;
        let bytes = if spare == Spare::Ready {
            self.limits.segment_bytes
        } else {
            0
        };
        self.shared.spare_bytes.store(bytes, Ordering::Relaxed);
    }
}

fn candidate(segment: &Segment) -> Candidate {
    segment.with_extent(|extent| Candidate {
        bytes: extent.bytes,
        last: (extent.last >= segment.first).then_some((extent.last, extent.last_time)),
    })
}
