//! What the real binary takes: resident memory of a process of its own, and its size on disk.

use std::path::Path;
use std::time::Duration;

use futures_util::future::try_join_all;
use tieline::runtime::MonoTime;

use super::bare_stream::subscribe;
use super::single_threaded;
use crate::fixtures;
use crate::harness::{Contender, Effort, Row, Sample, Target};
use crate::process::{BINARY, Process, SETTLING};
use crate::sidecar::{from_now_on, settings};
use crate::source::{Source, Upstream};

const READERS: u64 = 10;
const IDLE_READERS: u64 = 500;
const PATIENCE: Duration = Duration::from_secs(20);

type Figure = fn(&Path, &Effort) -> anyhow::Result<u64>;

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let row = |title: &str, most: f64, name: &str, figure: Figure| {
        let folder = folder.to_owned();
        let run = move |effort: &Effort| figure(&folder, effort).map(Sample::bytes);
        Row {
            title: title.to_owned(),
            target: Target::Bytes(most),
            contenders: vec![Contender::new(name, run)],
        }
    };
    let mebi = f64::from(1 << 20);
    vec![
        row("memory, resident", 12.0 * mebi, "idle, one session", idle),
        row(
            "memory, resident after load",
            64.0 * mebi,
            "after 1 M events (quick: 200 k) and 10 readers",
            loaded,
        ),
        row(
            "memory, per idle reader",
            15_000.0,
            "of 500 on one connection",
            per_reader,
        ),
        row("size of the binary", 15e6, "release, stripped", |_, _| {
            Ok(std::fs::metadata(BINARY)?.len())
        }),
    ]
}

/// The binary with a session that is connected.
struct Connected {
    process: Process,
    upstream: Upstream,
    _source: Source,
}

impl Connected {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let source = Source::start()?;
        let process = Process::start(folder, |folder, listen| {
            settings(folder, Some(&source), listen)
        })?;
        let upstream = source.upstream()?;
        std::thread::park_timeout(SETTLING);
        Ok(Self {
            process,
            upstream,
            _source: source,
        })
    }
}

fn idle(folder: &Path, _: &Effort) -> anyhow::Result<u64> {
    Ok(Connected::start(folder)?.process.resident())
}

fn loaded(folder: &Path, effort: &Effort) -> anyhow::Result<u64> {
    let mut connected = Connected::start(folder)?;
    let process = &connected.process;
    let count = effort.remembered();
    let runtime = single_threaded()?;
    let mut streams = runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..READERS {
            let mut messages = subscribe(process.connect().await?, from_now_on()).await?;
            messages.message().await?;
            streams.push(messages);
        }
        anyhow::Ok(streams)
    })?;
    let readers = streams.iter_mut().map(|messages| async {
        let mut events = 0;
        while events < count {
            let next = tokio::time::timeout(PATIENCE, messages.message()).await??;
            let message = next.ok_or_else(|| anyhow::anyhow!("it ended after {events} events"))?;
            events += fixtures::count_events(&message);
        }
        anyhow::Ok(())
    });
    let upstream = &mut connected.upstream;
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| upstream.flood(count));
        runtime.block_on(try_join_all(readers))?;
        let flooded = flooding.join();
        flooded.map_err(|_| anyhow::anyhow!("the source panicked"))??;
        anyhow::Ok(())
    })?;
    std::thread::park_timeout(SETTLING);
    Ok(connected.process.resident())
}

fn per_reader(folder: &Path, _: &Effort) -> anyhow::Result<u64> {
    let connected = Connected::start(folder)?;
    let process = &connected.process;
    single_threaded()?.block_on(async {
        let channel = process.connect().await?;
        let mut streams = Vec::new();
        let mut before = 0;
        for reader in 0..=IDLE_READERS {
            let mut messages = subscribe(channel.clone(), from_now_on()).await?;
            // Opened, then caught up.
            messages.message().await?;
            messages.message().await?;
            streams.push(messages);
            if reader == 0 {
                before = process.resident();
            }
        }
        let settled = MonoTime::now() + SETTLING;
        tokio::time::sleep_until(settled).await;
        Ok(process.resident().saturating_sub(before) / IDLE_READERS)
    })
}
