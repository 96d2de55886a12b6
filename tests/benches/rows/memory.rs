//! What the real binary takes: resident memory of a process of its own, and its size on disk.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::try_join_all;
use tieline::runtime::MonoTime;
use tonic::transport::Channel;

use super::bare_stream::{connect, subscribe};
use super::single_threaded;
use crate::fixtures;
use crate::harness::{Contender, Effort, Row, Sample, Target};
use crate::machine::resident;
use crate::sidecar::{from_now_on, settings};
use crate::source::{Source, Upstream};

const BINARY: &str = env!("CARGO_BIN_EXE_tieline");
const READERS: u64 = 10;
const IDLE_READERS: u64 = 500;
/// What a process does after it has started or worked, it has done by then.
const SETTLING: Duration = Duration::from_millis(700);
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
struct Process {
    child: Running,
    socket: PathBuf,
    upstream: Upstream,
    _source: Source,
}

impl Process {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.join("process");
        // A socket's path is short; where the target folder stands is not ours to know.
        let socket = std::env::temp_dir().join(format!("tieline-bench-{}", std::process::id()));
        let source = Source::start()?;
        let listen = format!("unix:{}", socket.display());
        let config = settings(&folder, Some(&source), &listen)?;
        let file = folder.join("tieline.yaml");
        std::fs::write(&file, config.to_string())?;
        let child = Command::new(BINARY)
            .args(["--log", "warn", "run", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()?;
        let child = Running(child);
        let upstream = source.upstream()?;
        std::thread::park_timeout(SETTLING);
        Ok(Self {
            child,
            socket,
            upstream,
            _source: source,
        })
    }

    fn resident(&self) -> u64 {
        resident(self.child.0.id())
    }

    async fn connect(&self) -> anyhow::Result<Channel> {
        connect(&format!("unix:{}", self.socket.display())).await
    }
}

/// Killed when dropped, however far it came.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed; it is waited for as well.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        std::fs::remove_file(&self.socket).ok();
    }
}

fn idle(folder: &Path, _: &Effort) -> anyhow::Result<u64> {
    Ok(Process::start(folder)?.resident())
}

fn loaded(folder: &Path, effort: &Effort) -> anyhow::Result<u64> {
    let mut process = Process::start(folder)?;
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
    let upstream = &mut process.upstream;
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| upstream.flood(count));
        runtime.block_on(try_join_all(readers))?;
        let flooded = flooding.join();
        flooded.map_err(|_| anyhow::anyhow!("the source panicked"))??;
        anyhow::Ok(())
    })?;
    std::thread::park_timeout(SETTLING);
    Ok(process.resident())
}

fn per_reader(folder: &Path, _: &Effort) -> anyhow::Result<u64> {
    let process = Process::start(folder)?;
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
