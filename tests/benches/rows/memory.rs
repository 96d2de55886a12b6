//! What the real binary takes: resident memory of a process of its own, and its size on disk.

use std::path::Path;
use std::time::Duration;

use futures_util::future::try_join_all;
use tieline::runtime::MonoTime;
use tonic::transport::Channel;

use super::bare_stream::subscribe;
use super::single_threaded;
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::harness::{Bound, Contender, Row};
use crate::process::{BINARY, Process};
use crate::sidecar::{from_now_on, from_the_first, whole_history};

const READERS: u64 = 100;
const IDLE_READERS: u64 = 500;
/// Events that an active reader takes as fast as it can.
const TAKEN: u64 = 20_000;
/// What a process does after it has started or worked, it has done by then.
const SETTLING: Duration = Duration::from_millis(700);
const PATIENCE: Duration = Duration::from_secs(60);
const MEBI: f64 = 1_048_576.0;

type Figure = fn(&Path, &Effort) -> anyhow::Result<u64>;

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let row = |title: &str, most: f64, name: &str, figure: Figure| {
        let folder = folder.to_owned();
        let run = move |effort: &Effort| figure(&folder, effort).map(Sample::bytes);
        let contender = Contender::tieline(name, run).goal("", Bound::Most(most));
        Row::new(title, vec![contender]).few(3)
    };
    vec![
        row("memory, resident", 12.0 * MEBI, "idle, one session", idle),
        row(
            "memory, resident after load",
            64.0 * MEBI,
            "after 1 M events (quick: 20 k) and 100 readers",
            loaded,
        )
        .few(1),
        row(
            "memory, per idle reader, shared connection",
            15_000.0,
            "of 500 on one connection",
            |folder, _| per_idle_reader(folder, false),
        ),
        row(
            "memory, per idle reader, own connection",
            45_000.0,
            "of 500",
            |folder, _| per_idle_reader(folder, true),
        ),
        row(
            "memory, per active reader",
            25_000.0,
            "of 1 000 (quick: 100) that take 20 k events, at its peak",
            per_active_reader,
        ),
        row(
            "memory, per session",
            150_000.0,
            "of 1 000 (quick: 200), connected and idle",
            per_session,
        ),
        size_of_binary(),
    ]
}

fn size_of_binary() -> Row {
    let run = |_: &Effort| Ok(Sample::file_bytes(std::fs::metadata(BINARY)?.len()));
    let contender = Contender::tieline("release, stripped", run).goal("", Bound::Most(15e6));
    Row::new("size of the binary", vec![contender]).few(1)
}

fn idle(folder: &Path, _: &Effort) -> anyhow::Result<u64> {
    let process = Process::start(folder, 1)?;
    settle();
    Ok(process.resident())
}

pub(super) fn settle() {
    std::thread::park_timeout(SETTLING);
}

fn loaded(folder: &Path, effort: &Effort) -> anyhow::Result<u64> {
    let mut process = Process::start(folder, 1)?;
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
    let upstream = process.upstreams.first_mut();
    let upstream = upstream.ok_or_else(|| anyhow::anyhow!("no session"))?;
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| upstream.flood(count));
        runtime.block_on(try_join_all(readers))?;
        let flooded = flooding.join();
        flooded.map_err(|_| anyhow::anyhow!("the source panicked"))??;
        anyhow::Ok(())
    })?;
    settle();
    Ok(process.resident())
}

fn per_idle_reader(folder: &Path, own_connection: bool) -> anyhow::Result<u64> {
    let mut process = Process::start(folder, 1)?;
    settle();
    single_threaded()?.block_on(async {
        let shared = process.connect().await?;
        let mut streams = Vec::new();
        let mut before = 0;
        for reader in 0..=IDLE_READERS {
            let channel: Channel = match own_connection {
                true => process.connect().await?,
                false => shared.clone(),
            };
            let mut messages = subscribe(channel, from_now_on()).await?;
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

/// Of readers on ten connections; what one reader alone takes, and what the history does to the
/// process, has come before.
fn per_active_reader(folder: &Path, effort: &Effort) -> anyhow::Result<u64> {
    let readers: u64 = if effort.quick { 100 } else { 1_000 };
    let mut process = Process::start(folder, 1)?;
    let upstream = process.upstreams.first_mut();
    let upstream = upstream.ok_or_else(|| anyhow::anyhow!("no session"))?;
    upstream.flood(TAKEN)?;
    single_threaded()?.block_on(async {
        let mut channels = Vec::new();
        for _ in 0..10 {
            channels.push(process.connect().await?);
        }
        let read = async |channel: &Channel, request: Vec<u8>| {
            let mut messages = subscribe(channel.clone(), request).await?;
            let mut events = 0;
            while events < TAKEN {
                let next = tokio::time::timeout(PATIENCE, messages.message()).await??;
                let Some(message) = next else { break };
                events += fixtures::count_events(&message);
            }
            anyhow::Ok(())
        };
        if let Some(channel) = channels.first() {
            read(channel, from_the_first()).await?;
        }
        let before = process.peak();
        let connections = channels.iter().cycle();
        let reading = connections.take(usize::try_from(readers)?);
        try_join_all(reading.map(|channel| read(channel, whole_history()))).await?;
        Ok(process.peak().saturating_sub(before) / readers)
    })
}

fn per_session(folder: &Path, effort: &Effort) -> anyhow::Result<u64> {
    let sessions = if effort.quick { 200 } else { 1_000 };
    let measure = |sessions| {
        let process = Process::start(folder, sessions)?;
        settle();
        anyhow::Ok(process.resident())
    };
    let one = measure(1)?;
    let all = measure(sessions)?;
    Ok(all.saturating_sub(one) / (sessions as u64 - 1))
}
