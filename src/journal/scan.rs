//! Reads a segment from its first frame to its end: what it holds, what is damaged, how it ends.

use std::io;

use super::chain::Chain;
use super::erasure::Ranges;
use super::fold::Fold;
use super::format::{
    FRAME_ALIGN, FrameHeader, IndexEntry, Kind, Payload, SEGMENT_HEADER_LEN, Seed,
};
use super::frames::{find_frame, frame_at};
use super::storage::StorageFile;
use super::tail::{self, BLOCK, Tail};
use super::window::Window;
use crate::domain::{Sequence, WallTime};
use crate::runtime::Mistake;

/// Bytes of events between two entries of an index.
pub(crate) const INDEX_STRIDE: u64 = 64 << 10;

/// What is known of a segment's end before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing: its last write may not have been completed.
    Open,
    /// A segment follows it: everything up to `last` was synced.
    Followed { last: Sequence },
    /// A footer says where its data ends: everything before was synced.
    Sealed { last: Sequence, end: u64 },
}

/// A place that cannot be read, and the events that stood there: none if `last < first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) offset: u64,
    pub(crate) first: Sequence,
    pub(crate) last: Sequence,
}

/// What a segment holds.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    /// Last sequence; one less than the first where there is none.
    pub(crate) last: Sequence,
    /// Time of the first event.
    pub(crate) first_time: Option<WallTime>,
    /// Time of the last event; before the first event, what the snapshot says.
    pub(crate) last_time: WallTime,
    /// The latest time of any frame.
    pub(crate) latest_commit: WallTime,
    /// End of the last commit.
    pub(crate) data_end: u64,
    /// Where the write of the last commit began.
    pub(crate) write_start: u64,
    pub(crate) index: Vec<IndexEntry>,
    pub(crate) ids: Vec<(WallTime, u64)>,
    pub(crate) events: u64,
    /// Those of them that were erased.
    pub(crate) erased: Ranges,
    pub(crate) damage: Vec<Damage>,
    pub(crate) tail: Tail,
    /// Behind this there are only zeros.
    pub(crate) tail_end: u64,
    /// Whether the last commit is one that a journal writes when it is closed in order.
    pub(crate) is_closed: bool,
    /// Whether the first commit, which holds all state, could be read.
    pub(crate) has_snapshot: bool,
}

impl Scan {
    /// Of a segment in which nothing could be read.
    pub(crate) fn nothing(first: Sequence) -> Self {
        let start = SEGMENT_HEADER_LEN as u64;
        Self {
            last: first.previous(),
            first_time: None,
            last_time: WallTime::default(),
            latest_commit: WallTime::default(),
            data_end: start,
            write_start: start,
            index: Vec::new(),
            ids: Vec::new(),
            events: 0,
            erased: Ranges::default(),
            damage: Vec::new(),
            tail: Tail::Clean,
            tail_end: start,
            is_closed: false,
            has_snapshot: false,
        }
    }
}

struct Scanner<'a> {
    window: Window<'a>,
    seed: Seed,
    proof: Proof,
    /// Everything before this was synced.
    proven: Option<u64>,
    chain: Chain,
    pending: Vec<(FrameHeader, u64)>,
    out: Scan,
}

enum Found {
    Event(FrameHeader, u32, u64),
    Commit(FrameHeader, Payload, u32, u64),
    Footer,
    Nothing,
}

/// Reads a segment whose first event is `first`, and adds what its commits say of state to `fold`.
pub(crate) fn scan(
    file: &dyn StorageFile,
    seed: Seed,
    first: Sequence,
    proof: Proof,
    fold: &mut Fold,
) -> io::Result<Scan> {
    let end = match proof {
        Proof::Sealed { end, .. } => end,
        Proof::Open | Proof::Followed { .. } => file.len()?,
    };
    let mut scanner = Scanner {
        window: Window::new(file, end),
        seed,
        proof,
        proven: None,
        chain: Chain::new(seed, first),
        pending: Vec::new(),
        out: Scan::nothing(first),
    };
    if matches!(proof, Proof::Sealed { .. }) {
        scanner.out.tail = Tail::Sealed;
    }
    scanner.run(fold)
}

/// Whether `entry` belongs into an index after those that are in it.
pub(crate) fn is_indexed(index: &[IndexEntry], offset: u64) -> bool {
    index
        .last()
        .is_none_or(|last| offset - last.offset >= INDEX_STRIDE)
}

impl Scanner<'_> {
    fn run(mut self, fold: &mut Fold) -> io::Result<Scan> {
        let mut at = self.out.data_end;
        while at < self.window.end() {
            match self.found(at)? {
                Found::Event(header, crc, len)
                    if self.within(header.sequence) && self.chain.follow(&header, crc) =>
                {
                    self.pending.push((header, at));
                    at += len;
                }
                Found::Commit(header, payload, crc, len) if self.chain.follow(&header, crc) => {
                    self.keep_pending(at);
                    at += len;
                    self.commit(&header, payload, at, fold);
                }
                Found::Footer if self.proof == Proof::Open => {
                    self.out.tail = Tail::Sealed;
                    return Ok(self.out);
                }
                _ => match self.pass_damage(at)? {
                    Some(next) => at = next,
                    None => break,
                },
            }
        }
        if self.proof != Proof::Open || Mistake::TornCommitAccepted.is_made() {
            self.keep_pending(at);
        }
        if self.proof == Proof::Open {
            self.judge_tail()?;
        }
        Ok(self.out)
    }

    fn found(&mut self, at: u64) -> io::Result<Found> {
        let Some((header, payload, crc, len)) = frame_at(&mut self.window, self.seed, at)? else {
            return Ok(Found::Nothing);
        };
        Ok(match header.kind {
            Kind::Event => Found::Event(header, crc, len),
            Kind::Footer => Found::Footer,
            Kind::Commit => match Payload::decode(payload) {
                Some(payload) => Found::Commit(header, payload, crc, len),
                None => Found::Nothing,
            },
        })
    }

    /// What was written to a segment that another follows, and is numbered like the other's events,
    /// was refused.
    fn within(&self, sequence: Sequence) -> bool {
        match self.proof {
            Proof::Open => true,
            Proof::Followed { last } | Proof::Sealed { last, .. } => sequence <= last,
        }
    }

    /// The events since the last commit, which end at `end`, are to be served.
    fn keep_pending(&mut self, end: u64) {
        if !self.pending.is_empty() {
            self.out.data_end = end;
        }
        for (header, offset) in self.pending.drain(..) {
            if is_indexed(&self.out.index, offset) {
                self.out.index.push(IndexEntry {
                    sequence: header.sequence,
                    time: header.time,
                    offset,
                });
            }
            self.out.events += 1;
            if header.is_erased() {
                self.out.erased.push(header.sequence);
            }
            self.out.ids.push((header.time, header.hash));
            self.out.first_time.get_or_insert(header.time);
            self.out.last_time = header.time;
            self.out.last = header.sequence;
        }
    }

    fn commit(&mut self, header: &FrameHeader, payload: Payload, end: u64, fold: &mut Fold) {
        if self.out.data_end == SEGMENT_HEADER_LEN as u64 && header.is_snapshot() {
            self.out.has_snapshot = true;
            self.out.last_time = header.time;
        }
        self.out.latest_commit = self.out.latest_commit.max(header.time);
        self.out.last = header.sequence;
        self.out.data_end = end;
        self.out.write_start = header.hash.min(end);
        self.out.is_closed = header.is_closing();
        fold.apply(header.is_snapshot(), payload);
    }

    /// If what stands at `at` was synced once, and so is damage, finds where to go on.
    fn pass_damage(&mut self, at: u64) -> io::Result<Option<u64>> {
        let proven = match self.proof {
            Proof::Sealed { end, .. } => end,
            Proof::Followed { last } if self.chain.next() > last => at,
            Proof::Followed { .. } => u64::MAX,
            Proof::Open => self.proven_from(at)?,
        };
        if at >= proven {
            return Ok(None);
        }
        self.keep_pending(at);
        let first = self.chain.next();
        let (seed, proof) = (self.seed, self.proof);
        let mut resumed = None;
        let found = find_frame(
            &mut self.window,
            seed,
            at + FRAME_ALIGN as u64,
            |header, _| {
                let next = match header.kind {
                    Kind::Event => header.sequence,
                    Kind::Commit => header.sequence.next(),
                    Kind::Footer => return false,
                };
                let within = match proof {
                    Proof::Open => true,
                    Proof::Followed { last } | Proof::Sealed { last, .. } => next <= last.next(),
                };
                resumed = Some(next);
                within && next >= first
            },
        )?;
        let next = match (found, resumed, self.proof) {
            (Some(_), Some(next), _) => next,
            (_, _, Proof::Followed { last } | Proof::Sealed { last, .. }) => last.next(),
            _ => first,
        };
        let last = next.previous();
        self.out.damage.push(Damage {
            offset: at,
            first,
            last,
        });
        self.out.last = self.out.last.max(last);
        self.chain.skip_to(next);
        Ok(found)
    }

    /// The last place where a write began of which a commit is left behind `at`: a write begins when
    /// all before it are synced.
    fn proven_from(&mut self, at: u64) -> io::Result<u64> {
        if let Some(proven) = self.proven {
            return Ok(proven);
        }
        // A segment gets its name when its snapshot is synced.
        let mut proven = SEGMENT_HEADER_LEN as u64 + 1;
        find_frame(&mut self.window, self.seed, at, |header, offset| {
            if header.kind == Kind::Commit && header.hash <= offset {
                proven = header.hash.max(proven);
            }
            false
        })?;
        self.proven = Some(proven);
        Ok(proven)
    }

    fn judge_tail(&mut self) -> io::Result<()> {
        let start = self.out.data_end;
        let (mut at, mut end) = (start, start);
        loop {
            let bytes = self.window.at(at, 1)?;
            if bytes.is_empty() {
                break;
            }
            if let Some(used) = bytes.iter().rposition(|byte| *byte != 0) {
                end = at + used as u64 + 1;
            }
            at += bytes.len() as u64;
        }
        self.out.tail_end = end
            .next_multiple_of(BLOCK)
            .min(self.window.end())
            .max(start);
        if end > start {
            let len = usize::try_from(self.out.tail_end - start).unwrap_or(usize::MAX);
            let bytes = self.window.at(start, len)?;
            let bytes = bytes.get(..len).unwrap_or(bytes);
            self.out.tail = tail::judge(self.seed, self.out.last.next(), start, bytes);
        }
        Ok(())
    }
}
