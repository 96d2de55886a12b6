//! [`Shared`]: what the writer publishes and readers see.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::encode::Write;
use super::erasure::Ranges;
use super::fold::apply_delta;
use super::format::IndexEntry;
use super::hints::Hints;
use super::metrics::{self, JournalStats};
use super::recent::RecentIds;
use super::retention::{Hold, Retention};
use super::scan::is_indexed;
use super::segment::{Catalog, Segment};
use super::storage::Storage;
use super::{Batch, CommitSink, DurableEnd, Health, Info, StateEntry};
use crate::domain::{Epoch, JournalName, Sequence, WallTime};

/// Everything about an open journal that is not the writer's alone.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: JournalName,
    pub(crate) epoch: Epoch,
    pub(crate) created: WallTime,
    pub(crate) retention: Retention,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) catalog: Catalog,
    pub(crate) hints: Hints,
    pub(crate) end: watch::Sender<DurableEnd>,
    pub(crate) state: RwLock<BTreeMap<String, StateEntry>>,
    pub(crate) ids: Mutex<RecentIds>,
    pub(crate) sinks: Mutex<Vec<Arc<dyn CommitSink>>>,
    pub(crate) health: RwLock<Health>,
    /// Length of the file that is prepared for the next segment.
    pub(crate) spare_bytes: AtomicU64,
    /// What nobody reads any more, whatever stands in the segments.
    pub(crate) erased: RwLock<Arc<Ranges>>,
    /// What readers that are away want to find.
    pub(crate) holds: Mutex<Arc<[Hold]>>,
    pub(crate) stats: JournalStats,
}

impl Shared {
    pub(crate) fn durable_end(&self) -> DurableEnd {
        *self.end.borrow()
    }

    /// Makes a synced write visible: to readers, to the state, to the sinks, and then to everybody.
    pub(crate) fn publish(&self, segment: &Segment, write: &Write, offset: u64) {
        metrics::written(self, write);
        let entries = write.entries();
        let data_end = offset + write.bytes.len() as u64;
        segment.update_extent(|extent| {
            for (sequence, time, at) in write.places() {
                let offset = offset + at as u64;
                if is_indexed(&extent.index, offset) {
                    extent.index.push(IndexEntry {
                        sequence,
                        time,
                        offset,
                    });
                }
                if extent.last < segment.first {
                    extent.first_time = time;
                }
                extent.last = sequence;
                extent.last_time = time;
            }
            extent.data_end = data_end;
            extent.bytes = extent.bytes.max(data_end);
        });
        {
            let mut ids = self.ids.lock();
            for entry in entries.iter() {
                ids.push(segment.generation, entry.record_time, entry.id_hash);
            }
        }
        {
            let mut state = self.state.write();
            for delta in &write.deltas {
                apply_delta(&mut state, delta.clone());
            }
        }
        let Some(last) = entries.last() else { return };
        let (latest, latest_time) = (last.sequence, last.record_time);
        let batch = Batch {
            entries,
            buffer: write.buffer,
        };
        // A sink that attaches now sees this batch or finds it behind the durable end, never neither.
        let sinks = self.sinks.lock();
        for sink in sinks.iter() {
            sink.committed(&batch);
        }
        self.end.send_modify(|end| {
            end.latest = latest;
            end.latest_time = latest_time;
        });
    }

    /// What is trimmed is gone from disk: tells everybody.
    pub(crate) fn publish_earliest(&self) {
        let earliest = self.catalog.first();
        self.end.send_if_modified(|end| {
            let moves = earliest > end.earliest;
            end.earliest = end.earliest.max(earliest);
            moves
        });
    }

    pub(crate) fn publish_health(&self, health: Health) {
        let writable = health == Health::Writable;
        *self.health.write() = health;
        self.end.send_if_modified(|end| {
            let changes = end.writable != writable;
            end.writable = writable;
            changes
        });
    }

    pub(crate) fn attach(&self, sink: Arc<dyn CommitSink>) -> Sequence {
        let mut sinks = self.sinks.lock();
        sinks.push(sink);
        self.durable_end().latest
    }

    pub(crate) fn state(&self, prefix: &str) -> Vec<StateEntry> {
        let state = self.state.read();
        let from = state.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(|(key, _)| key.starts_with(prefix))
            .map(|(_, entry)| entry.clone())
            .collect()
    }

    pub(crate) fn info(&self) -> Info {
        let end = self.durable_end();
        Info {
            name: self.name.clone(),
            epoch: self.epoch,
            earliest: end.earliest,
            latest: end.latest,
            earliest_time: self.catalog.first_time(),
            latest_time: Some(end.latest_time).filter(|_| end.latest > Sequence::ZERO),
            size_bytes: self.catalog.bytes() + self.spare_bytes.load(Ordering::Relaxed),
            max_age: self.retention.max_age,
            max_bytes: self.retention.max_bytes,
            create_time: self.created,
            health: self.health.read().clone(),
        }
    }
}
