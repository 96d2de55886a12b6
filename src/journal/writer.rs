//! [`Writer`]: the one who appends. Synchronous, without clock or chance: the shell hands in both.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::encode::{EncodedCommit, Target, encode};
use super::erasing::Erasing;
use super::failure::Failure;
use super::files::{self, Origin};
use super::format::{CLOSING, Delta, Meta, Payload, SegmentHeader};
use super::metrics;
use super::options::Limits;
use super::segment::Segment;
use super::shared::Shared;
use super::storage::{Lock, StorageFile};
use super::{AppendError, Committed, Health};
use crate::domain::{Sequence, WallTime};
use crate::runtime::{Mistake, MonoTime};

/// Appends, rolls and trims. There is one, and it holds the lock of the directory.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) limits: Limits,
    pub(super) journal: u128,
    pub(super) meta: Meta,
    pub(super) erasing: Erasing,
    pub(super) active: Active,
    /// Rolled, but without a footer for lack of room.
    pub(super) unsealed: Vec<(Arc<Segment>, Arc<dyn StorageFile>)>,
    pub(super) next: Sequence,
    pub(super) condition: Condition,
    /// Bytes of a refused write that are still to be overwritten, for lack of room even for that.
    pub(super) undo: Option<(u64, usize)>,
    pub(super) spare: Spare,
    /// The latest time that was seen: commits are not before it.
    pub(super) floor: WallTime,
    /// Likewise, of the clock; retention does not follow it back.
    pub(super) now: WallTime,
    /// How long the journal has been open: what waits for time to pass goes by this, for a clock may
    /// be set back.
    pub(super) uptime: Duration,
    /// Nothing was appended since the journal was closed in order.
    pub(super) is_closed: bool,
    pub(super) lock: Option<Box<dyn Lock>>,
}

/// The segment being written.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) segment: Arc<Segment>,
    pub(crate) file: Arc<dyn StorageFile>,
    /// Where its first write after the snapshot went.
    pub(crate) start: u64,
    /// Where the next write goes.
    pub(crate) end: u64,
    /// Length of the file.
    pub(crate) allocated: u64,
}

/// Whether the writer writes.
#[derive(Debug)]
pub(crate) enum Condition {
    Writable,
    /// There was no room for `wanted` bytes.
    Full {
        until: Duration,
        wanted: u64,
    },
    Poisoned(String),
}

/// The file of zeros for the next segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spare {
    Absent,
    Wanted,
    Ready,
}

impl Active {
    /// A segment that was just made.
    pub(crate) fn new(segment: Arc<Segment>, file: Arc<dyn StorageFile>) -> Self {
        let (end, allocated) = segment.with_extent(|extent| (extent.data_end, extent.bytes));
        Self {
            segment,
            file,
            start: end,
            end,
            allocated,
        }
    }
}

impl Writer {
    /// Bytes and commits that one write takes.
    pub(crate) fn batch_bounds(&self) -> (usize, usize) {
        (self.limits.batch_bytes, self.limits.batch_commits)
    }

    /// Appends commits with one write and one sync. All of them are kept, or none.
    pub(crate) fn append(
        &mut self,
        commits: Vec<EncodedCommit>,
    ) -> Result<Vec<Committed>, AppendError> {
        let now = commits
            .iter()
            .map(|commit| commit.at)
            .max()
            .unwrap_or_default();
        self.now = self.now.max(now);
        let uptime = commits.iter().map(|commit| commit.uptime).max();
        let uptime = self.waiting_time(uptime.unwrap_or_default());
        self.uptime = self.uptime.max(uptime);
        self.regain();
        self.refusal()?;
        let bound = commits.iter().map(EncodedCommit::len_bound).sum::<usize>() as u64;
        let appended = self
            .make_room(bound)
            .and_then(|()| self.try_append(commits, bound));
        appended.map_err(|failure| self.fail(failure, bound))
    }

    /// Why nothing can be appended now.
    pub(super) fn refusal(&self) -> Result<(), AppendError> {
        match &self.condition {
            Condition::Writable => Ok(()),
            Condition::Full { until, .. } => Err(AppendError::NoSpace {
                retry_after: until.saturating_sub(self.uptime),
            }),
            Condition::Poisoned(reason) => Err(AppendError::ReadOnly {
                reason: reason.clone(),
            }),
        }
    }

    /// Before a segment is added, retention gets its turn: no burst outgrows the bounds.
    fn make_room(&mut self, bound: u64) -> Result<(), Failure> {
        self.undo_refused()?;
        if self.must_roll(bound) {
            self.trim(self.limits.segment_bytes)?;
        }
        Ok(())
    }

    /// Whether so many bytes go to a new segment. What is larger than any segment goes where nothing
    /// else is.
    fn must_roll(&self, bound: u64) -> bool {
        let active = &self.active;
        active.end + bound > active.allocated && active.end > active.start
    }

    pub(super) fn try_append(
        &mut self,
        commits: Vec<EncodedCommit>,
        bound: u64,
    ) -> Result<Vec<Committed>, Failure> {
        self.undo_refused()?;
        if self.must_roll(bound) {
            self.roll()?;
        }
        let offset = self.active.end;
        let target = Target {
            seed: self.active.segment.seed,
            offset,
            next: self.next,
            floor: self.floor,
        };
        let span = commits.iter().find_map(|commit| commit.span);
        let write = encode(target, commits);
        if let Err(error) = self.active.file.write_at(&write.bytes, offset) {
            self.undo = Some((offset, write.bytes.len()));
            let failure = Failure::of("write to a segment")(error);
            if let Failure::Full(_) = failure {
                match self.undo_refused() {
                    Ok(()) | Err(Failure::Full(_)) => {}
                    Err(broken) => return Err(broken),
                }
            }
            return Err(failure);
        }
        let began = MonoTime::now();
        self.sync_written()
            .map_err(Failure::fatal("sync a segment"))?;
        let took = began.elapsed();
        self.shared.stats.sync.took(took);
        if let Some(span) = span {
            self.shared.stats.sync.show(took, span, self.now);
        }
        self.active.end = offset + write.bytes.len() as u64;
        self.active.allocated = self.active.allocated.max(self.active.end);
        self.floor = write.time().unwrap_or(self.floor);
        self.is_closed = false;
        if let Some(last) = write.commits.last() {
            self.next = last.last.next();
        }
        self.shared.publish(&self.active.segment, &write, offset);
        self.want_spare();
        Ok(write.commits)
    }

    /// What failed once is not tried again: the system may have forgotten what was to be synced.
    fn sync_written(&self) -> io::Result<()> {
        let file = &self.active.file;
        match Mistake::VisibleBeforeSynced.is_made() {
            true => Ok(()),
            false if Mistake::SyncTriedAgain.is_made() => {
                file.sync_data().or_else(|_| file.sync_data())
            }
            false => file.sync_data(),
        }
    }

    /// Nothing of a refused write may be found at the next start: its room is zeroed again, as far as
    /// the file reaches.
    pub(super) fn undo_refused(&mut self) -> Result<(), Failure> {
        let Some((offset, len)) = self.undo else {
            return Ok(());
        };
        let file = &self.active.file;
        let length = file
            .len()
            .map_err(Failure::fatal("read the length of a segment"))?;
        let room = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let zeros = vec![0; len.min(room)];
        file.write_at(&zeros, offset)
            .map_err(Failure::of("undo a write"))?;
        file.sync_data()
            .map_err(Failure::fatal("sync an undone write"))?;
        self.undo = None;
        Ok(())
    }

    /// Goes on in a new segment, which begins with all state, and seals the old one.
    pub(super) fn roll(&mut self) -> Result<(), Failure> {
        let origin = match self.spare {
            Spare::Ready => Origin::Spare,
            Spare::Absent | Spare::Wanted => Origin::Fresh,
        };
        let old = &self.active.segment;
        let header = SegmentHeader {
            journal: self.journal,
            epoch: self.shared.epoch,
            generation: old.generation + 1,
            first: self.next,
            allocated: self.limits.segment_bytes,
            created: self.now,
        };
        let latest_time = self.shared.durable_end().latest_time;
        let snapshot = self.snapshot();
        if origin == Origin::Spare {
            self.set_spare(Spare::Absent);
        }
        let storage = self.shared.storage.clone();
        let (segment, file) =
            files::create_segment(&*storage, header, &snapshot, latest_time, origin)?;
        let active = Active::new(Arc::new(segment), file);
        self.shared.catalog.push(active.segment.clone());
        let old = std::mem::replace(&mut self.active, active);
        metrics::rolled(&self.shared, &old.segment);
        self.shared.catalog.note_open(&old.segment);
        self.unsealed.push((old.segment, old.file));
        self.seal_rolled()
    }

    /// Writes the footers that are due. Without room for one, the segment is read whole at the next
    /// start, and nothing else is lost.
    pub(super) fn seal_rolled(&mut self) -> Result<(), Failure> {
        while let Some((segment, file)) = self.unsealed.last() {
            let ids = self.shared.ids.lock().of(segment.generation);
            match files::seal(segment, &**file, ids) {
                Ok(()) => drop(self.unsealed.pop()),
                Err(Failure::Full(_)) => return Ok(()),
                Err(broken) => return Err(broken),
            }
        }
        Ok(())
    }

    fn snapshot(&self) -> Payload {
        let ids = self.shared.ids.lock();
        let state = self.shared.state.read();
        let delta = |entry: &super::StateEntry| Delta {
            key: entry.key.clone(),
            value: Some(entry.value.clone()),
            sequence: entry.sequence,
        };
        Payload {
            deltas: state.values().map(delta).collect(),
            carried: ids.carried(),
        }
    }

    /// Records a failure and says it to the appender.
    pub(super) fn fail(&mut self, failure: Failure, wanted: u64) -> AppendError {
        match failure {
            Failure::Full(error) => {
                metrics::no_space(&self.shared, &error);
                self.shared.publish_health(Health::NoSpace);
                self.condition = Condition::Full {
                    until: self.uptime + self.limits.retry_after,
                    wanted,
                };
                AppendError::NoSpace {
                    retry_after: self.limits.retry_after,
                }
            }
            Failure::Broken { action, error } => {
                let reason = format!("{action}: {error}");
                metrics::poisoned(&self.shared, &reason);
                self.shared.publish_health(Health::Poisoned {
                    reason: reason.clone(),
                });
                self.condition = Condition::Poisoned(reason.clone());
                self.erasing.give_up();
                AppendError::ReadOnly { reason }
            }
        }
    }

    /// Ends in order: a last write proves to the next start that all before it was synced.
    pub(crate) fn close(&mut self) {
        if matches!(self.condition, Condition::Writable) && !self.is_closed {
            let commit = EncodedCommit {
                flags: CLOSING,
                at: self.now,
                ..EncodedCommit::default()
            };
            let bound = commit.len_bound() as u64;
            if let Err(failure) = self.try_append(vec![commit], bound) {
                self.fail(failure, bound);
            }
        }
        self.lock = None;
    }
}
