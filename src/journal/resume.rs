//! From what a [`Survey`] found to a [`Writer`]: makes the last commit durable and finds it a segment
//! to write to.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::erasing::Erasing;
use super::erasure::Ranges;
use super::failure::Failure;
use super::files::{self, Origin, remove_if_there};
use super::fold::Fold;
use super::format::{Delta, Meta, Payload, SEGMENT_HEADER_LEN, SegmentHeader};
use super::found::{Contents, Found};
use super::hints::Hints;
use super::metrics::JournalStats;
use super::options::Options;
use super::recent::RecentIds;
use super::segment::{Catalog, Segment};
use super::shared::Shared;
use super::storage::{Access, Lock, Storage, StorageFile};
use super::survey::{Survey, is_unfinished};
use super::tail::Tail;
use super::writer::{Active, Condition, Spare, Writer};
use super::{DurableEnd, Health};
use crate::domain::{Sequence, WallTime};
use crate::runtime::Mistake;

/// What failed, and what was being done.
pub(crate) type Action<T> = Result<T, (&'static str, io::Error)>;

fn because<E>(action: &'static str) -> impl Fn(E) -> (&'static str, E) {
    move |error| (action, error)
}

/// Goes on with a journal.
pub(crate) fn resume(
    storage: Arc<dyn Storage>,
    options: &Options,
    found: Survey,
    meta: &Meta,
    lock: Box<dyn Lock>,
) -> Action<Writer> {
    for name in storage
        .list()
        .map_err(because("list the journal's files"))?
    {
        if is_unfinished(&name) {
            remove_if_there(&*storage, &name).map_err(because("remove unfinished work"))?;
        }
    }
    let now = options.clock.wall();
    let ids = recent_ids(&found, options);
    let history = History::of(&found);
    if let Some(last) = found.segments.last() {
        repeat_last_write(&*storage, last).map_err(because("make the last commit durable"))?;
    }
    let catalog = Catalog::new(found.segments.iter().map(segment).collect());
    let header = SegmentHeader {
        journal: meta.journal,
        epoch: meta.epoch,
        generation: found.segments.last().map_or(1, |last| last.generation + 1),
        first: history.latest.next(),
        allocated: options.limits.segment_bytes,
        created: now,
    };
    let active = active(&*storage, &found, &catalog, header, &history, &ids)?;
    let sealed = catalog
        .all()
        .into_iter()
        .filter(|s| s.generation != active.segment.generation);
    let unsealed = unsealed(&*storage, &found, sealed)?;
    if !Mistake::NameNotSynced.is_made() {
        storage.sync_dir().map_err(because("sync the directory"))?;
    }
    let is_closed = history.is_closed && active.segment.generation < header.generation;
    let state: Vec<_> = found.fold.state.values().cloned().collect();
    let erasing = Erasing::found(&state, active.segment.generation);
    let mut masked = Ranges::default();
    for erasure in erasing.masks() {
        masked = masked.with(&erasure.events, Sequence::ZERO);
    }
    let shared = shared(storage, options, meta, &history, catalog, found.fold, ids);
    *shared.erased.write() = Arc::new(masked);
    let mut writer = Writer {
        meta: *meta,
        erasing,
        limits: options.limits,
        journal: meta.journal,
        active,
        unsealed,
        next: history.latest.next(),
        condition: Condition::Writable,
        undo: None,
        spare: Spare::Absent,
        floor: history.floor,
        now: now.max(history.floor),
        uptime: Duration::ZERO,
        is_closed,
        lock: Some(lock),
        shared: Arc::new(shared),
    };
    writer.seal_rolled().map_err(failed)?;
    Ok(writer)
}

fn shared(
    storage: Arc<dyn Storage>,
    options: &Options,
    meta: &Meta,
    history: &History,
    catalog: Catalog,
    fold: Fold,
    ids: RecentIds,
) -> Shared {
    let end = DurableEnd {
        latest: history.latest,
        earliest: catalog.first(),
        latest_time: history.latest_time,
        writable: true,
        erasures: 0,
    };
    Shared {
        name: options.name.clone(),
        epoch: meta.epoch,
        created: meta.created,
        retention: options.retention,
        storage,
        catalog,
        erased: RwLock::default(),
        hints: Hints::default(),
        end: watch::Sender::new(end),
        state: RwLock::new(fold.state),
        ids: Mutex::new(ids),
        sinks: Mutex::default(),
        health: RwLock::new(Health::Writable),
        spare_bytes: AtomicU64::new(0),
        holds: Mutex::default(),
        stats: JournalStats::default(),
    }
}

/// Only what was closed in order goes on in its last segment. Behind any other end there may be bytes
/// on the disk that the system does not show: of a write whose sync failed, say. They would look like
/// damage one day, so a new segment is begun; where there is no room for one, they are
/// overwritten.
fn active(
    storage: &dyn Storage,
    found: &Survey,
    catalog: &Catalog,
    header: SegmentHeader,
    history: &History,
    ids: &RecentIds,
) -> Action<Active> {
    let last = catalog.all().pop().filter(|_| found.is_whole(header.epoch));
    if let (Some(last), true) = (&last, history.is_closed && history.tail == Tail::Clean) {
        return continue_in(storage, last.clone());
    }
    let snapshot = snapshot(&found.fold, ids);
    let time = history.latest_time;
    match (
        files::create_segment(storage, header, &snapshot, time, Origin::Fresh),
        last,
    ) {
        (Ok((segment, file)), _) => {
            let segment = Arc::new(segment);
            catalog.push(segment.clone());
            Ok(Active::new(segment, file))
        }
        (Err(Failure::Full(_)), Some(last)) => {
            let active = continue_in(storage, last)?;
            zero_rest(&active).map_err(because("clear the end of the last segment"))?;
            Ok(active)
        }
        (Err(failure), _) => Err(failed(failure)),
    }
}

fn continue_in(storage: &dyn Storage, segment: Arc<Segment>) -> Action<Active> {
    let opened = storage.open(&segment.name(), Access::Write);
    let file = opened.map_err(because("open the last segment"))?;
    let mut active = Active::new(segment, file);
    active.start = SEGMENT_HEADER_LEN as u64;
    Ok(active)
}

fn zero_rest(active: &Active) -> io::Result<()> {
    const PIECE: usize = 1 << 20;
    let zeros = vec![0; PIECE];
    let mut at = active.end;
    while at < active.allocated {
        let rest = usize::try_from(active.allocated - at).unwrap_or(PIECE);
        let piece = zeros.get(..rest).unwrap_or(&zeros);
        active.file.write_at(piece, at)?;
        at += piece.len() as u64;
    }
    active.file.sync_data()
}

fn failed(failure: Failure) -> (&'static str, io::Error) {
    match failure {
        Failure::Full(error) => ("begin a segment", error),
        Failure::Broken { action, error } => (action, error),
    }
}

/// Where the journal stands.
struct History {
    latest: Sequence,
    latest_time: WallTime,
    floor: WallTime,
    is_closed: bool,
    tail: Tail,
}

impl History {
    fn of(found: &Survey) -> Self {
        let last = found.segments.last();
        let latest = last.map_or(Sequence::ZERO, Found::last);
        // The snapshot of the last segment may be damaged: then an earlier segment knows.
        let latest_time = found
            .segments
            .iter()
            .map(Found::last_time)
            .max()
            .unwrap_or_default();
        let scan = found.last_scan();
        Self {
            latest,
            latest_time,
            floor: latest_time.max(scan.map_or(latest_time, |scan| scan.latest_commit)),
            is_closed: scan.is_some_and(|scan| scan.is_closed),
            tail: scan.map_or(Tail::Clean, |scan| scan.tail),
        }
    }
}

fn recent_ids(found: &Survey, options: &Options) -> RecentIds {
    let mut ids = RecentIds::new(options.limits.ids);
    ids.extend_carried(found.fold.carried.clone());
    for segment in &found.segments {
        match &segment.contents {
            Contents::Sealed(footer, _) => ids.extend(segment.generation, footer.ids.clone()),
            Contents::Scanned(scan) => {
                for (time, hash) in &scan.ids {
                    ids.push(segment.generation, *time, *hash);
                }
            }
        }
    }
    ids
}

fn segment(found: &Found) -> Segment {
    let of = (found.generation, found.seed);
    Segment::new(of, found.first, found.extent(), None)
}

fn snapshot(fold: &Fold, ids: &RecentIds) -> Payload {
    let delta = |entry: &super::StateEntry| Delta {
        key: entry.key.clone(),
        value: Some(entry.value.clone()),
        sequence: entry.sequence,
    };
    let kept = !Mistake::SnapshotWithoutState.is_made();
    let state = fold.state.values().filter(|_| kept);
    Payload {
        deltas: state.map(delta).collect(),
        carried: ids.carried(),
    }
}

/// Makes what the last segment holds durable before it becomes visible. Its last write may never have
/// been synced, or its sync may have failed, after which the system takes the pages for clean: so it
/// is written again. All before it was synced when it began.
fn repeat_last_write(storage: &dyn Storage, last: &Found) -> io::Result<()> {
    let Contents::Scanned(scan) = &last.contents else {
        return Ok(());
    };
    if scan.tail == Tail::Sealed {
        return Ok(());
    }
    let file = storage.open(&last.name, Access::Write)?;
    let len = scan.data_end.min(last.len).saturating_sub(scan.write_start);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let filled = file.read_at(&mut bytes, scan.write_start)?;
    bytes.truncate(filled);
    file.write_at(&bytes, scan.write_start)?;
    file.sync_data()
}

type Unsealed = Vec<(Arc<Segment>, Arc<dyn StorageFile>)>;

/// The segments that another follows and that have no footer: one that was rolled when a crash came.
fn unsealed(
    storage: &dyn Storage,
    found: &Survey,
    sealed: impl Iterator<Item = Arc<Segment>>,
) -> Action<Unsealed> {
    let mut unsealed = Vec::new();
    for (segment, found) in sealed.zip(&found.segments) {
        let Contents::Scanned(scan) = &found.contents else {
            continue;
        };
        if scan.tail != Tail::Sealed {
            let opened = storage.open(&found.name, Access::Write);
            let file = opened.map_err(because("open an unsealed segment"))?;
            unsealed.push((segment, file));
        }
    }
    Ok(unsealed)
}
