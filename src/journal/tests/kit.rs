//! [`Rig`]: a journal on a simulated disk, and an oracle that knows what it must hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::domain::{Epoch, JournalName, Sequence, WallTime};
use crate::journal::encode::EncodedCommit;
use crate::journal::options::{Limits, Options};
use crate::journal::recent::Window;
use crate::journal::recovery::{self, Recovered};
use crate::journal::retention::Retention;
use crate::journal::shared::Shared;
use crate::journal::storage::simulated::SimulatedDisk;
use crate::journal::writer::Writer;
use crate::journal::{
    AppendError, EncodedDraft, Entry, Health, Item, OpenError, Page, StateDelta, Store, files,
    reader,
};
use crate::proto::v1;
use crate::runtime::{Clock, Rng};

pub(super) const START: WallTime = WallTime::from_millis(1_800_000_000_000);

/// What is appended: of each event its size, of each change of state a key and whether it is set.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    pub(super) events: Vec<usize>,
    pub(super) state: Vec<(u8, bool)>,
}

pub(super) fn events(sizes: &[usize]) -> Shape {
    Shape {
        events: sizes.to_vec(),
        state: Vec::new(),
    }
}

#[derive(Debug, Clone)]
struct Planned {
    ids: Vec<u64>,
    state: Vec<StateDelta>,
}

type State = BTreeMap<String, (Bytes, u64)>;

/// A journal whose disk is simulated.
pub(super) struct Rig {
    pub(super) disk: SimulatedDisk,
    pub(super) options: Options,
    pub(super) now: WallTime,
    pub(super) writer: Option<Writer>,
    pub(super) recovered: Option<Recovered>,
    epoch: Option<Epoch>,
    next_id: u64,
    /// What each visible event looked like when it was first seen, from sequence 1.
    seen: Vec<Entry>,
    state: State,
    /// Commits whose outcome is not known, in order.
    maybe: Vec<Planned>,
    earliest: Sequence,
    pub(super) ids_may_be_lost: bool,
}

pub(super) fn limits(segment_bytes: u64) -> Limits {
    Limits {
        segment_bytes,
        roll_age: Duration::from_secs(10),
        ids: Window {
            age: Duration::from_secs(600),
            count: 1_000_000,
        },
        ..Limits::default()
    }
}

pub(super) const KEEP_ALL: Retention = Retention {
    max_age: None,
    max_bytes: None,
    hard_max_bytes: None,
    min_free_bytes: 0,
};

pub(super) fn options(limits: Limits, retention: Retention) -> Options {
    Options {
        name: JournalName::new("default").unwrap(),
        path: "/simulated".into(),
        store: Store::Full,
        retention,
        limits,
        clock: Clock::anchored(START),
        rng: Rng::from_seed(7),
    }
}

pub(super) fn draft(id: u64, size: usize) -> v1::Event {
    let rng = Rng::from_seed(id);
    // Some are mostly zeros, which a judge of torn tails must not mistake.
    let zeros = size > 600 && id.is_multiple_of(3);
    let byte = |_| if zeros { 0 } else { rng.below(256) as u8 };
    v1::Event {
        id: format!("e{id}"),
        source: "tests".to_owned(),
        raw_data: (0..size).map(byte).collect::<Vec<_>>().into(),
        ..v1::Event::default()
    }
}

/// A commit of one event that no oracle knows.
pub(super) fn commit(id: u64, size: usize) -> EncodedCommit {
    EncodedCommit {
        drafts: vec![EncodedDraft::encode(&draft(id, size), Store::Full)],
        ..EncodedCommit::default()
    }
}

impl Rig {
    pub(super) fn new(seed: u64, limits: Limits, retention: Retention) -> Self {
        let mut rig = Self::closed(SimulatedDisk::new(seed), limits, retention);
        rig.open().unwrap();
        rig
    }

    pub(super) fn closed(disk: SimulatedDisk, limits: Limits, retention: Retention) -> Self {
        Self {
            disk,
            options: options(limits, retention),
            now: START,
            writer: None,
            recovered: None,
            epoch: None,
            next_id: 1,
            seen: Vec::new(),
            state: State::new(),
            maybe: Vec::new(),
            earliest: Sequence::ZERO,
            ids_may_be_lost: false,
        }
    }

    /// The same knowledge about a copy of the disk.
    pub(super) fn copy(&self, seed: u64) -> Self {
        let mut copy = Self::closed(
            self.disk.copy(seed),
            self.options.limits,
            self.options.retention,
        );
        copy.now = self.now;
        copy.epoch = self.epoch;
        copy.next_id = self.next_id;
        copy.seen.clone_from(&self.seen);
        copy.state.clone_from(&self.state);
        copy.maybe.clone_from(&self.maybe);
        copy.earliest = self.earliest;
        copy
    }

    pub(super) fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().unwrap()
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        self.writer.as_ref().unwrap().shared.clone()
    }

    pub(super) fn latest(&self) -> Sequence {
        self.shared().durable_end().latest
    }

    pub(super) fn earliest(&self) -> Sequence {
        self.shared().durable_end().earliest
    }

    pub(super) fn seen(&self) -> &[Entry] {
        &self.seen
    }

    /// A new process opens the directory; it dies in its `die_at`th operation.
    pub(super) fn open_and_die(&mut self, die_at: Option<usize>) -> Result<(), OpenError> {
        self.writer = None;
        let process = self.disk.process();
        if let Some(nth) = die_at {
            self.disk.die_at(nth);
        }
        self.options.clock = Clock::anchored(self.now);
        let (writer, recovered) = recovery::open(process, &self.options)?;
        self.writer = Some(writer);
        self.recovered = Some(recovered);
        Ok(())
    }

    pub(super) fn open(&mut self) -> Result<(), OpenError> {
        self.open_and_die(None)
    }

    pub(super) fn close(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            writer.close();
        }
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
        let now = self.now;
        self.writer().tick(now, now.since(START));
    }

    /// Somebody sets the clock back, and then time passes.
    pub(super) fn pass_with_clock_set_back(&mut self, seconds: u64) {
        let uptime = self.now.since(START) + Duration::from_secs(seconds);
        self.writer().tick(START, uptime);
    }

    pub(super) fn prepare_spare(&mut self) {
        if let Some(bytes) = self.writer().wanted_spare() {
            let shared = self.shared();
            let prepared = files::prepare_spare(&*shared.storage, bytes).is_ok();
            self.writer().spare_prepared(prepared);
        }
    }

    /// Appends commits with one write, and keeps the books.
    pub(super) fn append(&mut self, shapes: &[Shape]) -> Result<(), AppendError> {
        let mut planned = Vec::new();
        let mut commits = Vec::new();
        for shape in shapes {
            let (plan, commit) = self.plan(shape);
            planned.push(plan);
            commits.push(commit);
        }
        let was_poisoned = matches!(*self.shared().health.read(), Health::Poisoned { .. });
        let answer = self.writer().append(commits);
        match (&answer, self.writer().undo) {
            (Err(_), _) if was_poisoned => {}
            (Err(_), Some(_)) if self.maybe.is_empty() => self.maybe.clone_from(&planned),
            (Err(_), Some(_)) => {}
            // A write that was refused before is overwritten before the next is tried.
            (Err(AppendError::ReadOnly { .. }), None) => self.maybe.clone_from(&planned),
            (_, None) => self.maybe.clear(),
            (Ok(_), Some(_)) => panic!("appended behind a refused write"),
        }
        match answer {
            Ok(committed) => {
                assert_eq!(committed.len(), planned.len());
                for (plan, committed) in planned.iter().zip(&committed) {
                    assert_eq!(committed.first.get(), self.seen.len() as u64 + 1);
                    let count = committed.last.get() + 1 - committed.first.get();
                    assert_eq!(count, plan.ids.len() as u64);
                    self.settle(plan);
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn plan(&mut self, shape: &Shape) -> (Planned, EncodedCommit) {
        let mut ids = Vec::new();
        let mut drafts = Vec::new();
        for size in &shape.events {
            ids.push(self.next_id);
            drafts.push(EncodedDraft::encode(
                &draft(self.next_id, *size),
                Store::Full,
            ));
            self.next_id += 1;
        }
        let delta = |(key, is_set): &(u8, bool)| StateDelta {
            key: format!("k{key}"),
            value: is_set.then(|| Bytes::from(format!("v{}", self.next_id))),
            event: ids.len().checked_sub(1),
        };
        let state: Vec<_> = shape.state.iter().map(delta).collect();
        let commit = EncodedCommit {
            drafts,
            state: state.clone(),
            at: self.now,
            uptime: self.now.since(START),
            ..EncodedCommit::default()
        };
        (Planned { ids, state }, commit)
    }

    /// A commit is visible now, and for ever.
    fn settle(&mut self, plan: &Planned) {
        let first = Sequence::new(self.seen.len() as u64 + 1);
        if !plan.ids.is_empty() {
            let shared = self.shared();
            let upto = first.plus(plan.ids.len() as u64);
            let entries = read_range(&shared, first.previous(), upto);
            for (entry, id) in entries.iter().zip(&plan.ids) {
                assert_eq!(entry.decode().unwrap().id, format!("e{id}"));
            }
            self.seen.extend(entries);
        }
        apply(&mut self.state, plan, first);
    }

    /// After a start: everything that was visible is there, unchanged; of what was not answered,
    /// whole commits from the front.
    pub(super) fn check_reopened(&mut self) {
        let shared = self.shared();
        let known = *self.epoch.get_or_insert(shared.epoch);
        assert_eq!(known, shared.epoch, "nothing was lost, so the epoch stands");
        let latest = shared.durable_end().latest.get();
        assert!(latest >= self.seen.len() as u64, "visible events are gone");
        let mut settled = false;
        for kept in 0..=self.maybe.len() {
            let plans = self.maybe[..kept].to_vec();
            let mut state = self.state.clone();
            let mut count = self.seen.len() as u64;
            for plan in &plans {
                apply(&mut state, plan, Sequence::new(count + 1));
                count += plan.ids.len() as u64;
            }
            if count == latest && state == self.current_state() {
                for plan in &plans {
                    self.settle(plan);
                }
                settled = true;
                break;
            }
        }
        assert!(settled, "events and state have parted");
        self.maybe.clear();
        self.check();
    }

    /// Everything that must hold at any moment.
    pub(super) fn check(&mut self) {
        let shared = self.shared();
        let end = shared.durable_end();
        assert_eq!(end.latest.get(), self.seen.len() as u64);
        assert!(end.earliest >= self.earliest, "what was trimmed came back");
        self.earliest = end.earliest;
        assert_eq!(self.current_state(), self.state);
        let entries = read_range(&shared, end.earliest.previous(), end.latest.next());
        let skipped = usize::try_from(end.earliest.get() - 1).unwrap();
        let expected = &self.seen[skipped..];
        assert_eq!(entries.len(), expected.len());
        for (entry, seen) in entries.iter().zip(expected) {
            assert_same(entry, seen);
        }
        if let Some(last) = self.seen.last() {
            assert_eq!(end.latest_time, last.record_time);
        }
        self.check_ids(&shared);
    }

    fn check_ids(&self, shared: &Shared) {
        if self.ids_may_be_lost {
            return;
        }
        let horizon = self.now.minus(Duration::from_secs(600));
        let ids = shared.ids.lock().all();
        let recent = self
            .seen
            .iter()
            .filter(|e| e.record_time > horizon)
            .map(|e| e.id_hash);
        let mut rest = ids.iter();
        for hash in recent {
            assert!(
                rest.any(|id| *id == hash),
                "a recent id is forgotten, or out of order"
            );
        }
    }

    fn current_state(&self) -> State {
        let entries = self.shared().state("");
        entries
            .into_iter()
            .map(|e| (e.key, (e.value, e.sequence.get())))
            .collect()
    }

    /// Reads after `after` in pages of `max_bytes` until the end.
    pub(super) fn check_from(&self, after: Sequence, max_bytes: usize) {
        let shared = self.shared();
        let end = shared.durable_end();
        let mut at = after;
        while at < end.latest {
            let page = reader::read_page(&shared, at, max_bytes).unwrap();
            assert!(!page.items.is_empty());
            let bytes: usize = entries(&page).map(|e| e.element.len()).sum();
            let first = entries(&page).next().map_or(0, |e| e.element.len());
            assert!(bytes <= max_bytes.max(first));
            for entry in entries(&page) {
                assert_eq!(entry.sequence, at.next());
                assert_same(entry, &self.seen[usize::try_from(at.get()).unwrap()]);
                at = entry.sequence;
            }
            assert_eq!(page.through, at);
        }
    }
}

fn apply(state: &mut State, plan: &Planned, first: Sequence) {
    for delta in &plan.state {
        match &delta.value {
            None => drop(state.remove(&delta.key)),
            Some(value) => {
                let sequence = delta.event.map_or(0, |at| first.get() + at as u64);
                state.insert(delta.key.clone(), (value.clone(), sequence));
            }
        }
    }
}

pub(super) fn entries(page: &Page) -> impl Iterator<Item = &Entry> {
    page.items.iter().map(|item| match item {
        Item::Event(entry) => entry,
        Item::Gap { .. } => panic!("nothing was damaged: {item:?}"),
    })
}

/// The events behind `after` and before `upto`.
pub(super) fn read_range(shared: &Shared, after: Sequence, upto: Sequence) -> Vec<Entry> {
    let mut read = Vec::new();
    let mut at = after;
    while at.next() < upto {
        let page = reader::read_page(shared, at, 64 << 10).unwrap();
        assert!(page.through > at);
        at = page.through;
        read.extend(
            entries(&page)
                .filter(|entry| entry.sequence < upto)
                .cloned(),
        );
    }
    read
}

pub(super) fn assert_same(a: &Entry, b: &Entry) {
    assert_eq!(a.sequence, b.sequence);
    assert_eq!((a.record_time, a.id_hash), (b.record_time, b.id_hash));
    assert_eq!((a.data_at, a.raw_at), (b.data_at, b.raw_at));
    assert_eq!(a.element, b.element, "altered bytes of {}", a.sequence);
}
