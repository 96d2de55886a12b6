//! Group commit: events per second into the journal, against append and sync of the same bytes.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use tieline::journal::Commit;
use tieline::proto::v1;
use tieline::runtime::MonoTime;

use super::single_threaded;
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::harness::{Bound, Contender, Row, kept};
use crate::peers::stores::Store;
use crate::sidecar::Sidecar;

/// Events of one commit.
const GROUPS: [usize; 4] = [1, 16, 128, 1024];

pub(crate) fn rows(folder: &Path, peers: bool) -> Vec<Row> {
    let row = |group: usize| {
        let mut contenders = vec![
            bare(folder, group),
            journal(folder, group, "one", "Tieline, one commit", |events| {
                vec![events]
            }),
        ];
        if group > 1 {
            let each = |events: Vec<v1::Event>| events.into_iter().map(|e| vec![e]).collect();
            let name = format!("Tieline, {group} appenders at once");
            contenders.push(journal(folder, group, "many", &name, each));
        }
        if peers {
            contenders.extend([Store::Fjall, Store::Redb].map(|store| peer(folder, group, store)));
        }
        Row::new(format!("append and sync {group} events"), contenders)
    };
    GROUPS.map(row).into()
}

/// A segment-sized file that was written before, as a recycled segment was: no allocation, no
/// change of its metadata, stands between an append and its sync.
pub(crate) struct Recycled {
    file: File,
    at: u64,
}

impl Recycled {
    const BYTES: u64 = 64 << 20;

    pub(crate) fn create(folder: &Path, name: &str) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .create(true)
            .write(true)
            .truncate(true)
            .open(folder.join(name))?;
        let zeros = vec![0; 1 << 20];
        for megabyte in 0..Self::BYTES >> 20 {
            file.write_all_at(&zeros, megabyte << 20)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    /// Appends and syncs; begins again where the file ends.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.at + bytes.len() as u64 > Self::BYTES {
            self.at = 0;
        }
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        self.file.sync_data()
    }
}

fn bare(folder: &Path, group: usize) -> Contender {
    let folder = folder.to_owned();
    let mut made: Option<(Recycled, Bytes)> = None;
    Contender::anchor("ceiling: a bare file", move |effort: &Effort| {
        let (file, bytes) = kept(&mut made, || {
            let file = Recycled::create(&folder, &format!("append-{group}"))?;
            Ok((file, fixtures::encoded(group)))
        })?;
        let started = MonoTime::now();
        let mut events = 0;
        while started.elapsed() < effort.sample() {
            file.append(bytes)?;
            events += group as u64;
        }
        Ok(Sample::rate(events, started.elapsed()))
    })
}

fn peer(folder: &Path, group: usize, store: Store) -> Contender {
    let folder = folder.join(format!("append-{}", store.name()));
    let mut opened = None;
    let run = move |effort: &Effort| {
        let store = kept(&mut opened, || store.open(&folder))?;
        store.measure(group, effort)
    };
    Contender::peer(store.name(), run).goal("", Bound::Times(1.0))
}

/// The journal of a sidecar, whose events are handed in as `split` says, all at once.
fn journal(
    folder: &Path,
    group: usize,
    label: &str,
    name: &str,
    split: impl Fn(Vec<v1::Event>) -> Vec<Vec<v1::Event>> + 'static,
) -> Contender {
    let folder = folder.join(format!("journal-{group}-{label}"));
    let mut sidecar: Option<Sidecar> = None;
    let run = move |effort: &Effort| {
        let sidecar = kept(&mut sidecar, || Sidecar::start(&folder, None))?;
        single_threaded()?.block_on(async {
            let events = fixtures::drafts(1, group);
            let started = MonoTime::now();
            let (mut appended, mut spent) = (0, Duration::ZERO);
            while started.elapsed() < effort.sample() {
                // Whoever calls has made its events before.
                let commits = split(events.clone()).into_iter().map(|events| Commit {
                    events,
                    state: Vec::new(),
                });
                let commits: Vec<_> = commits.collect();
                let begun = MonoTime::now();
                try_join_all(commits.into_iter().map(|c| sidecar.journal.append(c))).await?;
                spent += begun.elapsed();
                appended += group as u64;
            }
            Ok(Sample::rate(appended, spent))
        })
    };
    Contender::tieline(name, run).goal("", Bound::Times(0.8))
}
