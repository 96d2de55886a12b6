//! Bytes on the disk: of segments over the events in them, and of an event over what its platform
//! sent.

use std::path::{Path, PathBuf};

use futures_util::future::try_join_all;
use prost::Message as _;
use tieline::journal::{Commit, offline};
use tieline::proto::v1;

use super::bare_stream::{connect, subscribe};
use super::single_threaded;
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::harness::{Bound, Contender, Row};
use crate::sidecar::{Sidecar, whole_history};
use crate::source::Source;

/// More than one segment holds.
const EVENTS: u64 = 160_000;

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let of_segments = |name: &str, fill: fn(&Path) -> anyhow::Result<Sidecar>| {
        let folder = folder.join("stored");
        let run = move |_: &Effort| {
            let sidecar = fill(&folder)?;
            overhead(&folder.join("journal"), &events_of(&sidecar)?)
        };
        Contender::tieline(name, run).goal("", Bound::Most(1.05))
    };
    let folder_of_raw: PathBuf = folder.join("stored-raw");
    let of_events = move |_: &Effort| {
        let events = events_of(&taken_in(&folder_of_raw, 5_000)?)?;
        // Facts of the session have nothing of a platform.
        let events = events.iter().filter(|event| !event.raw_data.is_empty());
        let (stored, raw) = events.fold((0, 0), |(stored, raw), event| {
            (stored + event.encoded_len(), raw + event.raw_data.len())
        });
        Ok(Sample::over(stored as u64, raw as u64))
    };
    let of_events = Contender::tieline("normal form and the platform's bytes", of_events);
    let contenders = vec![
        of_segments("taken in at full speed", |folder| taken_in(folder, EVENTS)),
        of_segments("a commit for each event", one_by_one),
    ];
    vec![
        Row::new("size of sealed segments over their events", contenders).few(1),
        Row::new(
            "size of an encoded event over its 600 B",
            vec![of_events.goal("", Bound::Most(1.6))],
        )
        .few(1),
    ]
}

/// A sidecar whose session has stored so many events of its platform.
fn taken_in(folder: &Path, count: u64) -> anyhow::Result<Sidecar> {
    let source = Source::start()?;
    let sidecar = Sidecar::start(folder, Some(&source))?;
    let mut upstream = source.upstream()?;
    upstream.flood(count)?;
    let runtime = single_threaded()?;
    let mut last = 0;
    while last < count {
        let batch = events_from(&sidecar, &runtime)?;
        last = batch
            .iter()
            .map(|event| event.provider_sequence)
            .max()
            .unwrap_or(0);
    }
    Ok(sidecar)
}

/// A sidecar that was given each event in a commit of its own, many at once.
fn one_by_one(folder: &Path) -> anyhow::Result<Sidecar> {
    const AT_ONCE: usize = 1_000;
    let sidecar = Sidecar::start(folder, None)?;
    let runtime = single_threaded()?;
    for first in (1..=EVENTS).step_by(AT_ONCE) {
        let commits = fixtures::drafts(first, AT_ONCE)
            .into_iter()
            .map(|event| Commit {
                events: vec![event],
                state: Vec::new(),
            });
        let appended = commits.map(|commit| sidecar.journal.append(commit));
        runtime.block_on(try_join_all(appended))?;
    }
    Ok(sidecar)
}

fn events_of(sidecar: &Sidecar) -> anyhow::Result<Vec<v1::Event>> {
    events_from(sidecar, &single_threaded()?)
}

fn events_from(
    sidecar: &Sidecar,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<Vec<v1::Event>> {
    runtime.block_on(async {
        let channel = connect(&format!("http://{}", sidecar.address)).await?;
        let mut messages = subscribe(channel, whole_history()).await?;
        let mut events = Vec::new();
        while let Some(message) = messages.message().await? {
            events.extend(v1::SubscribeResponse::decode(message)?.events);
        }
        Ok(events)
    })
}

/// Bytes of the files of sealed segments over those of their events as they are sent.
fn overhead(journal: &Path, events: &[v1::Event]) -> anyhow::Result<Sample> {
    let report = offline::inspect(journal)?;
    let sealed = report.segments.iter().filter(|segment| segment.sealed);
    let (mut files, mut sent) = (0, 0);
    for segment in sealed {
        files += segment.file_bytes;
        let own = segment.first..=segment.last;
        let own = events.iter().filter(|event| own.contains(&event.sequence));
        sent += own.map(element_bytes).sum::<u64>();
    }
    anyhow::ensure!(sent > 0, "no segment was sealed");
    Ok(Sample::over(files, sent))
}

/// An event as it stands in a response: tag, length, event.
fn element_bytes(event: &v1::Event) -> u64 {
    let bytes = event.encoded_len();
    (1 + prost::length_delimiter_len(bytes) + bytes) as u64
}
