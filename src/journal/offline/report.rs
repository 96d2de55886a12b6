//! [`Report`] and [`Verification`]: what there is to say about a directory.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::domain::{Sequence, WallTime};
use crate::journal::erasing::Erasing;
use crate::journal::erasure::Ranges;
use crate::journal::found::{Contents, Found};
use crate::journal::survey::Survey;

/// What a journal's directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The directory.
    pub path: PathBuf,
    /// Who has it open.
    pub holder: Option<String>,
    /// The incarnation; `None` when the file that says so is damaged, and the next start begins one.
    pub epoch: Option<String>,
    /// When the incarnation began.
    pub create_time: Option<String>,
    /// The next start begins a new incarnation, for this reason.
    pub new_epoch: Option<String>,
    /// First sequence that is kept; `latest + 1` when there is none.
    pub earliest: u64,
    /// Last sequence.
    pub latest: u64,
    /// Time of the first event.
    pub earliest_time: Option<String>,
    /// Time of the last event.
    pub latest_time: Option<String>,
    /// Bytes of all segments.
    pub size_bytes: u64,
    /// Oldest first.
    pub segments: Vec<SegmentReport>,
    /// What is kept beside the events, by key.
    pub state: Vec<StateReport>,
    /// No complete snapshot of the state could be read.
    pub state_is_partial: bool,
    /// Runs of events that are known to be unreadable.
    pub gaps: Vec<GapReport>,
    /// Runs of events that were erased on request, ascending.
    pub erased: Vec<GapReport>,
    /// Runs that nobody is given any more, and that segments still hold: the writer is at it, or goes on
    /// at the next start.
    pub erasing: Vec<GapReport>,
}

/// One segment file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SegmentReport {
    /// Its name.
    pub file: String,
    /// The incarnation that wrote it.
    pub epoch: String,
    /// First sequence; greater than `last` when it holds no events.
    pub first: u64,
    /// Last sequence.
    pub last: u64,
    /// Time of its first event.
    pub first_time: Option<String>,
    /// Time of its last event.
    pub last_time: Option<String>,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes in use.
    pub data_bytes: u64,
    /// Whether it has its footer.
    pub sealed: bool,
}

/// One entry of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateReport {
    /// Its key.
    pub key: String,
    /// Bytes of its value, which may be personal and is not shown.
    pub bytes: usize,
    /// Sequence of the event that it came with; zero when with none.
    pub sequence: u64,
}

/// A run of events that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GapReport {
    /// First sequence.
    pub first: u64,
    /// Last sequence.
    pub last: u64,
}

/// A report, and everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// What there is.
    #[serde(flatten)]
    pub report: Report,
    /// What is wrong with it; empty when nothing is.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file; none when a file is missing.
    pub file: Option<String>,
    /// Where in it.
    pub offset: Option<u64>,
    /// What is wrong.
    pub problem: &'static str,
    /// The events that are lost by it.
    pub lost: Option<GapReport>,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

impl GapReport {
    /// `None` when the run is empty.
    pub(super) fn new(first: Sequence, last: Sequence) -> Option<Self> {
        (first <= last).then(|| Self {
            first: first.get(),
            last: last.get(),
        })
    }

    fn all(ranges: &Ranges) -> Vec<Self> {
        let runs = ranges.iter();
        runs.filter_map(|(first, last)| Self::new(first, last))
            .collect()
    }

    /// How many events it is.
    pub(super) fn count(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// `erased` is what segments say of themselves.
pub(super) fn report(
    path: &Path,
    holder: Option<String>,
    found: &Survey,
    erased: &Ranges,
) -> Report {
    let segments: Vec<_> = found.segments.iter().map(segment).collect();
    let with_events = || segments.iter().filter(|s| s.first_time.is_some());
    let state = found.fold.state.values().map(|entry| StateReport {
        key: entry.key.clone(),
        bytes: entry.value.len(),
        sequence: entry.sequence.get(),
    });
    let cause = found.new_epoch().filter(|_| holder.is_none());
    Report {
        path: path.to_owned(),
        holder,
        epoch: found.meta.map(|meta| meta.epoch.to_string()),
        create_time: found.meta.map(|meta| meta.created.to_string()),
        new_epoch: cause.map(|cause| cause.to_string()),
        earliest: segments.first().map_or(1, |s| s.first),
        latest: segments.last().map_or(0, |s| s.last),
        earliest_time: with_events().find_map(|s| s.first_time.clone()),
        latest_time: with_events()
            .filter_map(|s| s.last_time.clone())
            .next_back(),
        size_bytes: segments.iter().map(|s| s.file_bytes).sum(),
        state: state.collect(),
        state_is_partial: found.state_is_partial,
        gaps: gaps(found),
        erased: GapReport::all(erased),
        erasing: GapReport::all(&named(found).without(erased)),
        segments,
    }
}

/// What erasures that are not done name, of what is kept.
fn named(found: &Survey) -> Ranges {
    let state: Vec<_> = found.fold.state.values().cloned().collect();
    let earliest = found.segments.first().map_or(Sequence::ZERO, |s| s.first);
    let erasing = Erasing::found(&state, 0);
    let masks = erasing.masks();
    masks.fold(Ranges::default(), |all, erasure| {
        all.with(&erasure.events, earliest)
    })
}

fn segment(found: &Found) -> SegmentReport {
    let extent = found.extent();
    let time = |time: WallTime| (extent.last >= found.first).then(|| time.to_string());
    SegmentReport {
        file: found.name.clone(),
        epoch: found.epoch.to_string(),
        first: found.first.get(),
        last: extent.last.get(),
        first_time: time(extent.first_time),
        last_time: time(extent.last_time),
        file_bytes: found.len,
        data_bytes: extent.data_end,
        sealed: matches!(found.contents, Contents::Sealed(..)),
    }
}

/// The runs that are missing between segments, and those in segments that had to be read.
fn gaps(found: &Survey) -> Vec<GapReport> {
    let damage = found.segments.iter().flat_map(Found::damage);
    let damaged = damage.filter_map(|place| GapReport::new(place.first, place.last));
    let pairs = found.segments.iter().zip(found.segments.iter().skip(1));
    let missing = pairs.filter_map(|(a, b)| GapReport::new(a.last().next(), b.first.previous()));
    let mut gaps: Vec<_> = damaged.chain(missing).collect();
    gaps.sort_by_key(|gap| gap.first);
    gaps
}
