//! [`MemoryJournal`]: a journal without a disk, with switches for what a disk can do to one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::{Epoch, JournalName, Sequence, WallTime};
use crate::journal::{
    AppendError, Batch, Commit, CommitSink, Committed, DurableEnd, EncodedDraft, Entry, Erasure,
    GapCause, Health, Hold, Info, Item, Journal, Page, ReadError, StateEntry, Store, Turn,
};
use crate::runtime::Clock;

/// Keeps everything in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryJournal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: JournalName,
    epoch: Epoch,
    clock: Clock,
    created: WallTime,
    end: watch::Sender<DurableEnd>,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    entries: Vec<Entry>,
    damaged: Option<(Sequence, Sequence)>,
    erased: BTreeSet<Sequence>,
    state: BTreeMap<String, StateEntry>,
    sinks: Vec<Arc<dyn CommitSink>>,
    refusal: Option<AppendError>,
    holds: Vec<Hold>,
}

impl MemoryJournal {
    /// An empty journal.
    #[expect(
        clippy::expect_used,
        reason = "a test that misnames a journal is to fail"
    )]
    #[must_use]
    pub fn new(name: &str, epoch: u64, clock: Clock) -> Self {
        let end = DurableEnd {
            latest: Sequence::ZERO,
            earliest: Sequence::new(1),
            latest_time: WallTime::default(),
            writable: true,
            erasures: 0,
        };
        Self(Arc::new(Inner {
            name: JournalName::new(name).expect("tests name journals well"),
            epoch: Epoch::new(epoch),
            created: clock.wall(),
            clock,
            end: watch::Sender::new(end),
            shared: Mutex::default(),
        }))
    }

    /// Deletes events before `earliest`, as retention would.
    pub fn trim(&self, earliest: Sequence) {
        self.0
            .end
            .send_modify(|end| end.earliest = earliest.min(end.latest.next()));
    }

    /// Makes a run unreadable, as a failed checksum would.
    pub fn damage(&self, first: Sequence, last: Sequence) {
        self.0.shared.lock().damaged = Some((first, last));
    }

    /// Refuses appends with `error` from now on; `None` takes them again.
    pub fn refuse(&self, error: Option<AppendError>) {
        self.0.end.send_modify(|end| end.writable = error.is_none());
        self.0.shared.lock().refusal = error;
    }

    /// What it was last told to hold back.
    #[must_use]
    pub fn holds(&self) -> Vec<Hold> {
        self.0.shared.lock().holds.clone()
    }

    /// Every stored event, decoded.
    #[expect(clippy::expect_used, reason = "what it encoded itself decodes")]
    #[must_use]
    pub fn events(&self) -> Vec<crate::proto::v1::Event> {
        let shared = self.0.shared.lock();
        shared
            .entries
            .iter()
            .map(|e| e.decode().expect("stored bytes decode"))
            .collect()
    }

    fn append_now(&self, commit: Commit) -> Result<Committed, AppendError> {
        let mut shared = self.0.shared.lock();
        if let Some(error) = &shared.refusal {
            return Err(error.clone());
        }
        let end = *self.0.end.borrow();
        let at = self.0.clock.wall().max(end.latest_time);
        let first = end.latest.next();
        let mut entries = Vec::with_capacity(commit.events.len());
        for (sequence, draft) in (first.get()..).map(Sequence::new).zip(commit.events) {
            let encoded = EncodedDraft::encode(&draft, Store::Full);
            let mut element = Vec::with_capacity(encoded.len_bound());
            let (data_at, raw_at) = encoded.write(sequence, at, &mut element);
            let id_hash = encoded.id_hash();
            let element = element.into();
            entries.push(Entry {
                sequence,
                record_time: at,
                id_hash,
                element,
                data_at,
                raw_at,
            });
        }
        for delta in commit.state {
            let sequence = delta
                .event
                .map_or(Sequence::ZERO, |index| first.plus(index as u64));
            match delta.value {
                Some(value) => {
                    let entry = StateEntry {
                        key: delta.key.clone(),
                        value,
                        sequence,
                    };
                    shared.state.insert(delta.key, entry);
                }
                None => {
                    shared.state.remove(&delta.key);
                }
            }
        }
        let last = end.latest.plus(entries.len() as u64);
        if !entries.is_empty() {
            let batch = Batch::of(entries.as_slice().into());
            shared.entries.extend(entries);
            shared.sinks.iter().for_each(|sink| sink.committed(&batch));
            self.0.end.send_modify(|end| {
                end.latest = last;
                end.latest_time = at;
            });
        }
        Ok(Committed {
            first,
            last,
            record_time: at,
        })
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    fn info(&self) -> Info {
        let shared = self.0.shared.lock();
        let end = *self.0.end.borrow();
        let time_of = |sequence: Sequence| {
            let index = usize::try_from(sequence.previous().get()).ok()?;
            shared.entries.get(index).map(|e| e.record_time)
        };
        Info {
            name: self.0.name.clone(),
            epoch: self.0.epoch,
            earliest: end.earliest,
            latest: end.latest,
            earliest_time: time_of(end.earliest),
            latest_time: time_of(end.latest),
            size_bytes: shared.entries.iter().map(|e| e.element.len() as u64).sum(),
            max_age: Some(Duration::from_secs(3600)),
            max_bytes: None,
            create_time: self.0.created,
            health: match &shared.refusal {
                None => Health::Writable,
                Some(AppendError::NoSpace { .. }) => Health::NoSpace,
                Some(error) => Health::Poisoned {
                    reason: error.to_string(),
                },
            },
        }
    }

    async fn append(&self, commit: Commit) -> Result<Committed, AppendError> {
        self.append_now(commit)
    }

    async fn append_in_turn(
        &self,
        commit: Arc<Commit>,
        turn: Turn,
    ) -> Result<Committed, AppendError> {
        if !turn.take() {
            return Err(AppendError::OutOfTurn);
        }
        let appended = self.append_now(Arc::unwrap_or_clone(commit));
        appended.inspect_err(|_| turn.give_back())
    }

    fn durable_end(&self) -> watch::Receiver<DurableEnd> {
        self.0.end.subscribe()
    }

    async fn read(&self, after: Sequence, max_bytes: usize) -> Result<Page, ReadError> {
        let shared = self.0.shared.lock();
        let end = *self.0.end.borrow();
        if after > end.latest {
            return Err(ReadError::NotWritten {
                after,
                latest: end.latest,
            });
        }
        if after.next() < end.earliest {
            let earliest = end.earliest;
            return Err(ReadError::Trimmed {
                after,
                earliest,
                earliest_time: None,
            });
        }
        let mut page = Page {
            items: Vec::new(),
            through: after,
            buffer: Bytes::new(),
        };
        let mut bytes = 0;
        let from = usize::try_from(after.get()).unwrap_or(usize::MAX);
        for entry in shared.entries.iter().skip(from) {
            if entry.sequence <= page.through {
                continue;
            }
            bytes += entry.element.len();
            if !page.items.is_empty() && bytes > max_bytes {
                break;
            }
            let damaged = shared
                .damaged
                .filter(|(f, l)| (*f..=*l).contains(&entry.sequence));
            page.through = damaged.map_or(entry.sequence, |(_, last)| last.min(end.latest));
            page.items.push(match damaged {
                None if shared.erased.contains(&entry.sequence) => Item::Gap {
                    cause: GapCause::Erased,
                    first: entry.sequence,
                    last: entry.sequence,
                    start_time: Some(entry.record_time),
                    end_time: Some(entry.record_time),
                },
                None => Item::Event(entry.clone()),
                Some(_) => Item::Gap {
                    cause: GapCause::Corrupted,
                    first: entry.sequence,
                    last: page.through,
                    start_time: None,
                    end_time: None,
                },
            });
        }
        Ok(page)
    }

    async fn seek_time(&self, time: WallTime) -> Result<Sequence, ReadError> {
        let shared = self.0.shared.lock();
        let end = *self.0.end.borrow();
        let before = shared.entries.partition_point(|e| e.record_time < time) as u64;
        Ok(Sequence::new(before).max(end.earliest.previous()))
    }

    fn state(&self, prefix: &str) -> Vec<StateEntry> {
        let shared = self.0.shared.lock();
        shared
            .state
            .values()
            .filter(|e| e.key.starts_with(prefix))
            .cloned()
            .collect()
    }

    fn recent_ids(&self) -> Vec<u64> {
        self.0
            .shared
            .lock()
            .entries
            .iter()
            .map(|e| e.id_hash)
            .collect()
    }

    fn attach(&self, sink: Arc<dyn CommitSink>) -> Sequence {
        let mut shared = self.0.shared.lock();
        shared.sinks.push(sink);
        self.0.end.borrow().latest
    }

    async fn erase(&self, erasure: Erasure) -> Result<(), AppendError> {
        let mut shared = self.0.shared.lock();
        if let Some(error) = &shared.refusal {
            return Err(error.clone());
        }
        let sequences = shared.entries.iter().map(|entry| entry.sequence);
        let erased = sequences.filter(|sequence| erasure.events.contains(*sequence));
        let erased: Vec<_> = erased.collect();
        shared.erased.extend(erased);
        erasure.state.iter().for_each(|key| {
            shared.state.remove(key);
        });
        self.0.end.send_modify(|end| end.erasures += 1);
        shared.sinks.iter().for_each(|sink| sink.erased());
        Ok(())
    }

    fn hold_back(&self, holds: Vec<Hold>) {
        self.0.shared.lock().holds = holds;
    }
}
