//! What the [`Writer`] does to erase: a record of what goes, which counts from then on; then one segment
//! after the other is rewritten, between the appends of others.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::encode::EncodedCommit;
use super::erasure::{Erasure, PREFIX};
use super::failure::Failure;
use super::files::{UNREADY_REWRITE, remove_if_there};
use super::format::ERASING_VERSION;
use super::metrics;
use super::recovery::write_meta;
use super::rewrite::{Source, rewrite};
use super::segment::Segment;
use super::shared::Shared;
use super::storage::Access;
use super::writer::{Condition, Writer};
use super::{AppendError, StateDelta, StateEntry};

/// Erasures whose record is durable and whose segments are not all rewritten.
#[derive(Debug, Default)]
pub(crate) struct Erasing {
    waiting: VecDeque<Pending>,
    serial: u64,
}

#[derive(Debug)]
struct Pending {
    key: String,
    erasure: Erasure,
    /// Segments of lower generations are done.
    from: u64,
    /// The last segment that can hold any of it.
    until: u64,
    done: Option<oneshot::Sender<()>>,
}

impl Erasing {
    /// Those that another process left, by the state that it left.
    pub(crate) fn found(state: &[StateEntry], active: u64) -> Self {
        let mut erasing = Self::default();
        for entry in state {
            let serial = entry.key.strip_prefix(PREFIX);
            let serial = serial.and_then(|serial| u64::from_str_radix(serial, 16).ok());
            if let (Some(serial), Some(erasure)) = (serial, Erasure::decode(&entry.value)) {
                erasing.serial = erasing.serial.max(serial);
                erasing.waiting.push_back(Pending {
                    key: entry.key.clone(),
                    erasure,
                    from: 0,
                    until: active,
                    done: None,
                });
            }
        }
        erasing
    }

    /// Nothing more is written: whoever waits learns that it is not done yet.
    pub(crate) fn give_up(&mut self) {
        self.waiting
            .iter_mut()
            .for_each(|pending| pending.done = None);
    }

    /// What they name, for readers.
    pub(crate) fn masks(&self) -> impl Iterator<Item = &Erasure> {
        self.waiting.iter().map(|pending| &pending.erasure)
    }
}

impl Writer {
    /// Begins to erase: from when this returns, nobody reads any of it. `done` is told when no segment
    /// holds any of it any more.
    pub(crate) fn erase(
        &mut self,
        erasure: Erasure,
        done: oneshot::Sender<()>,
    ) -> Result<(), AppendError> {
        self.refusal()?;
        if self.meta.version < ERASING_VERSION {
            let mut meta = self.meta;
            meta.version = ERASING_VERSION;
            self.meta = write_meta(&*self.shared.storage, meta).map_err(|error| {
                let failure = Failure::of("write the file meta")(error);
                self.fail(failure, 0)
            })?;
        }
        self.erasing.serial += 1;
        let key = format!("{PREFIX}{:016x}", self.erasing.serial);
        let deletes = erasure.state.iter().map(|key| delta(key, None));
        let record = delta(&key, Some(erasure.encode()));
        let commit = EncodedCommit {
            state: deletes.chain([record]).collect(),
            at: self.now,
            uptime: self.uptime,
            ..EncodedCommit::default()
        };
        self.append(vec![commit])?;
        self.shared.publish_erased(&erasure);
        let until = self.active.segment.generation;
        self.erasing.waiting.push_back(Pending {
            key,
            erasure,
            from: 0,
            until,
            done: Some(done),
        });
        Ok(())
    }

    /// Whether a step of an erasure can be taken.
    pub(crate) fn owes_erasure(&self) -> bool {
        !self.erasing.waiting.is_empty() && matches!(self.condition, Condition::Writable)
    }

    /// Rewrites one segment, or ends the oldest erasure where there is none left.
    pub(crate) fn erase_step(&mut self) {
        let Some(mut pending) = self.erasing.waiting.pop_front() else {
            return;
        };
        match self.step(&mut pending) {
            Ok(true) => {
                if let Some(done) = pending.done.take() {
                    // Whoever asked may have left.
                    done.send(()).ok();
                }
            }
            Ok(false) => self.erasing.waiting.push_front(pending),
            Err(failure) => {
                self.erasing.waiting.push_front(pending);
                self.fail(failure, self.limits.segment_bytes);
            }
        }
    }

    fn step(&mut self, pending: &mut Pending) -> Result<bool, Failure> {
        self.undo_refused()?;
        if pending.concerns(&self.active.segment) {
            self.roll()?;
        }
        // A footer that is not written yet would be missing in what is rewritten.
        self.seal_rolled()?;
        let active = self.active.segment.generation;
        let next = self
            .shared
            .catalog
            .all()
            .into_iter()
            .find(|segment| segment.generation != active && pending.concerns(segment));
        if let Some(segment) = next {
            self.rewrite(&segment, &pending.erasure)?;
            pending.from = segment.generation + 1;
            return Ok(false);
        }
        let commit = EncodedCommit {
            state: vec![delta(&pending.key, None)],
            at: self.now,
            uptime: self.uptime,
            ..EncodedCommit::default()
        };
        let bound = commit.len_bound() as u64;
        self.try_append(vec![commit], bound)?;
        metrics::erased(&self.shared, pending.erasure.events.count());
        Ok(true)
    }

    /// Beside the segment, and in its place only when it is whole and synced.
    fn rewrite(&mut self, segment: &Arc<Segment>, erasure: &Erasure) -> Result<(), Failure> {
        let storage = Arc::clone(&self.shared.storage);
        let name = segment.name();
        let written = || {
            remove_if_there(&*storage, UNREADY_REWRITE)?;
            let source = storage.open(&name, Access::Read)?;
            let to = storage.create(UNREADY_REWRITE)?;
            let source = Source {
                file: &*source,
                seed: segment.seed,
                first: segment.first,
                data_end: segment.with_extent(|extent| extent.data_end),
            };
            rewrite(source, erasure, &*to)?;
            to.sync_data()?;
            storage.rename(UNREADY_REWRITE, &name)
        };
        let written: io::Result<()> = written();
        written
            .inspect_err(|_| drop(storage.remove(UNREADY_REWRITE)))
            .map_err(Failure::of("rewrite a segment"))?;
        let synced = storage.sync_dir();
        synced.map_err(Failure::fatal("sync a rewritten segment"))?;
        segment.reopen();
        // What was to be sealed is sealed in the file that is gone.
        for (unsealed, file) in &mut self.unsealed {
            if unsealed.generation == segment.generation {
                let opened = storage.open(&name, Access::Write);
                *file = opened.map_err(Failure::fatal("open a rewritten segment"))?;
            }
        }
        Ok(())
    }
}

impl Pending {
    /// Whether something in a segment is to go.
    fn concerns(&self, segment: &Segment) -> bool {
        let sequences = segment.first..=segment.last();
        (self.from..=self.until).contains(&segment.generation)
            && (!self.erasure.state.is_empty() || self.erasure.events.meets(sequences))
    }
}

impl Shared {
    /// From now on nobody reads these, and what was read before is read again.
    fn publish_erased(&self, erasure: &Erasure) {
        {
            let mut erased = self.erased.write();
            let earliest = self.durable_end().earliest;
            *erased = Arc::new(erased.with(&erasure.events, earliest));
        }
        self.end.send_modify(|end| end.erasures += 1);
        let sinks = self.sinks.lock();
        sinks.iter().for_each(|sink| sink.erased());
    }
}

fn delta(key: &str, value: Option<bytes::Bytes>) -> StateDelta {
    StateDelta {
        key: key.to_owned(),
        value,
        event: None,
    }
}
