//! Commits as the bytes of one write. Pure.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::chain::Chain;
use super::format::{
    Delta, FRAME_ALIGN, FRAME_HEADER_LEN, FrameHeader, IdRun, Kind, Payload, Seed, finish_frame,
    open_frame,
};
use super::{Committed, EncodedDraft, Entry, StateDelta};
use crate::domain::{Sequence, TraceContext, WallTime};

/// A commit whose events are encoded but for their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct EncodedCommit {
    pub(crate) drafts: Vec<EncodedDraft>,
    pub(crate) state: Vec<StateDelta>,
    /// Id hashes that it is to keep.
    pub(crate) carried: Vec<IdRun>,
    pub(crate) flags: u8,
    /// The first of its spans that is recorded: it shows what took how long.
    pub(crate) span: Option<TraceContext>,
    /// When it was handed in.
    pub(crate) at: WallTime,
    /// How long the journal had been open then, whatever became of the wall clock meanwhile.
    pub(crate) uptime: Duration,
}

/// Where a write goes, and what it follows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) seed: Seed,
    /// Where in the file.
    pub(crate) offset: u64,
    /// Sequence of the next event.
    pub(crate) next: Sequence,
    /// No time is before this.
    pub(crate) floor: WallTime,
}

/// One write.
#[derive(Debug, Default)]
pub(crate) struct Write {
    pub(crate) bytes: Bytes,
    /// What `bytes` takes in memory.
    pub(crate) buffer: usize,
    events: Vec<Placed>,
    pub(crate) commits: Vec<Committed>,
    pub(crate) deltas: Vec<Delta>,
}

#[derive(Debug)]
struct Placed {
    sequence: Sequence,
    time: WallTime,
    hash: u64,
    frame_at: usize,
    element: Range<usize>,
    data_at: u32,
    raw_at: u32,
}

impl EncodedCommit {
    /// An upper bound of the bytes that it takes in a segment.
    pub(crate) fn len_bound(&self) -> usize {
        let frame = FRAME_HEADER_LEN + FRAME_ALIGN;
        let drafts = self.drafts.iter().map(|draft| draft.len_bound() + frame);
        let state = self
            .state
            .iter()
            .map(|d| Delta::len_bound(&d.key, d.value.as_ref()));
        drafts.sum::<usize>() + state.sum::<usize>() + IdRun::len_all(&self.carried) + frame + 8
    }
}

/// Encodes commits as one write to `target`.
pub(crate) fn encode(target: Target, commits: Vec<EncodedCommit>) -> Write {
    let bound = commits.iter().map(EncodedCommit::len_bound).sum();
    let mut buffer = Vec::with_capacity(bound);
    let count = commits.iter().map(|commit| commit.drafts.len()).sum();
    let mut write = Write {
        events: Vec::with_capacity(count),
        ..Write::default()
    };
    let mut chain = Chain::new(target.seed, target.next);
    let mut floor = target.floor;
    for commit in commits {
        let first = chain.next();
        let time = commit.at.max(floor);
        floor = time;
        for draft in &commit.drafts {
            write.event(&mut chain, draft, time, &mut buffer);
        }
        let deltas = commit.state.into_iter().map(|delta| Delta {
            sequence: delta
                .event
                .map_or(Sequence::ZERO, |index| first.plus(index as u64)),
            key: delta.key,
            value: delta.value,
        });
        let payload = Payload {
            deltas: deltas.collect(),
            carried: commit.carried,
        };
        write_commit(
            &mut chain,
            target.offset,
            commit.flags,
            time,
            &payload,
            &mut buffer,
        );
        write.deltas.extend(payload.deltas);
        write.commits.push(Committed {
            first,
            last: chain.next().previous(),
            record_time: time,
        });
    }
    write.buffer = buffer.capacity();
    write.bytes = buffer.into();
    write
}

/// Appends the frame that ends a commit of a write that began at `write_start`.
pub(crate) fn write_commit(
    chain: &mut Chain,
    write_start: u64,
    flags: u8,
    time: WallTime,
    payload: &Payload,
    out: &mut Vec<u8>,
) {
    let at = open_frame(out);
    payload.encode(out);
    let header = FrameHeader {
        kind: Kind::Commit,
        flags,
        sequence: chain.next().previous(),
        time,
        hash: write_start,
        a: chain.count(),
        b: chain.checksum(),
    };
    let crc = finish_frame(chain.seed(), &header, at, out);
    chain.follow(&header, crc);
}

impl Write {
    fn event(
        &mut self,
        chain: &mut Chain,
        draft: &EncodedDraft,
        time: WallTime,
        out: &mut Vec<u8>,
    ) {
        let sequence = chain.next();
        let frame_at = open_frame(out);
        let start = out.len();
        let (data_at, raw_at) = draft.write(sequence, time, out);
        let element = start..out.len();
        let hash = draft.id_hash();
        let header = FrameHeader {
            kind: Kind::Event,
            flags: 0,
            sequence,
            time,
            hash,
            a: data_at,
            b: raw_at,
        };
        let crc = finish_frame(chain.seed(), &header, frame_at, out);
        chain.follow(&header, crc);
        self.events.push(Placed {
            sequence,
            time,
            hash,
            frame_at,
            element,
            data_at,
            raw_at,
        });
    }

    /// The events as readers get them: slices of the written bytes.
    pub(crate) fn entries(&self) -> Arc<[Entry]> {
        let entry = |event: &Placed| Entry {
            sequence: event.sequence,
            record_time: event.time,
            id_hash: event.hash,
            element: self.bytes.slice(event.element.clone()),
            data_at: event.data_at,
            raw_at: event.raw_at,
        };
        self.events.iter().map(entry).collect()
    }

    /// Sequence, time and place in the write of each event.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Sequence, WallTime, usize)> {
        self.events
            .iter()
            .map(|event| (event.sequence, event.time, event.frame_at))
    }

    /// The latest time in it.
    pub(crate) fn time(&self) -> Option<WallTime> {
        self.commits.last().map(|commit| commit.record_time)
    }
}
