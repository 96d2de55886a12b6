//! From the moment that an event is due at its platform to the moment that its reader has decoded
//! it, synced before visible, at a steady pace.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Duration;

use prost::Message as _;
use tieline::proto::v1;
use tieline::runtime::MonoTime;

use super::append::Recycled;
use super::bare_pipeline::BarePipeline;
use super::bare_stream::{connect, subscribe};
use super::single_threaded;
use crate::fixtures;
use crate::harness::{Contender, Effort, Row, Sample, Target};
use crate::sidecar::{Sidecar, from_now_on};
use crate::source::{Source, Upstream};

/// Events per second.
const RATES: [u32; 2] = [1_000, 10_000];
/// What a synced write, a WebSocket and a gRPC stream may take besides the write itself.
const ALLOWED: Duration = Duration::from_micros(120);
/// A stream that is silent for so long is broken.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let row = |rate: u32| Row {
        title: format!("latency at {rate} events/s"),
        target: Target::Above(ALLOWED),
        contenders: vec![
            write_alone(folder, rate),
            bare(folder, rate),
            tieline(folder, rate),
        ],
    };
    RATES.map(row).into()
}

fn write_alone(folder: &Path, rate: u32) -> Contender {
    let folder = folder.to_owned();
    let mut file: Option<Recycled> = None;
    Contender::new("ceiling: write and sync alone", move |effort: &Effort| {
        let file = match &mut file {
            Some(file) => file,
            None => file.insert(Recycled::create(&folder, "latency")?),
        };
        let each = fixtures::encoded(1);
        let mut latencies = Vec::new();
        let started = MonoTime::now();
        paced(rate, effort, started, |first, count| {
            file.append(&each.repeat(usize::try_from(count)?))?;
            let now = MonoTime::now();
            let due = (first..first + count).map(|index| due(started, rate, index));
            latencies.extend(due.map(|due| now.saturating_duration_since(due)));
            Ok(())
        })?;
        Ok(Sample::latency(latencies))
    })
}

fn bare(folder: &Path, rate: u32) -> Contender {
    let folder = folder.to_owned();
    let mut pipeline: Option<BarePipeline> = None;
    let name = "bare pipeline: WebSocket, write, sync, tonic";
    Contender::new(name, move |effort: &Effort| {
        let pipeline = match &mut pipeline {
            Some(pipeline) => pipeline,
            None => pipeline.insert(BarePipeline::start(&folder)?),
        };
        measure(
            pipeline.server.address,
            &mut pipeline.upstream,
            rate,
            effort,
        )
    })
}

fn tieline(folder: &Path, rate: u32) -> Contender {
    let folder = folder.join(format!("latency-{rate}"));
    let mut running: Option<(Sidecar, Upstream, Source)> = None;
    Contender::new("Tieline", move |effort: &Effort| {
        let (sidecar, upstream, _) = match &mut running {
            Some(running) => running,
            None => {
                let source = Source::start()?;
                let sidecar = Sidecar::start(&folder, Some(&source))?;
                running.insert((sidecar, source.upstream()?, source))
            }
        };
        measure(sidecar.address, upstream, rate, effort)
    })
}

/// Sends at a steady pace for a sample's time. What waits behind a slow predecessor counts its
/// waiting.
fn measure(
    address: SocketAddr,
    upstream: &mut Upstream,
    rate: u32,
    effort: &Effort,
) -> anyhow::Result<Sample> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let first = upstream.next;
    let count = total(rate, effort);
    let reader = std::thread::spawn(move || read(address, first, count, &ready));
    is_ready.recv()?;
    let started = MonoTime::now();
    paced(rate, effort, started, |_, count| Ok(upstream.send(count)?))?;
    let arrivals = reader
        .join()
        .map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    let latencies = arrivals.into_iter().map(|(number, arrived)| {
        arrived.saturating_duration_since(due(started, rate, number - first))
    });
    Ok(Sample::latency(latencies.collect()))
}

fn total(rate: u32, effort: &Effort) -> u64 {
    u64::from(rate) * u64::try_from(effort.sample().as_millis()).unwrap_or(0) / 1_000
}

fn due(started: MonoTime, rate: u32, index: u64) -> MonoTime {
    started + Duration::from_secs(index) / rate
}

/// Sends each event when it is due, those that fell due together at once: `send(first, count)`.
fn paced(
    rate: u32,
    effort: &Effort,
    started: MonoTime,
    mut send: impl FnMut(u64, u64) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let total = total(rate, effort);
    let mut sent = 0;
    while sent < total {
        let wait = due(started, rate, sent).saturating_duration_since(MonoTime::now());
        if !wait.is_zero() {
            std::thread::park_timeout(wait);
            continue;
        }
        let passed = started.elapsed().as_nanos() * u128::from(rate) / 1_000_000_000;
        let fallen = u64::try_from(passed)?.min(total - 1) + 1;
        send(sent, fallen - sent)?;
        sent = fallen;
    }
    Ok(())
}

/// Decodes `count` events numbered from `first`, and says by `ready` that the stream is open.
fn read(
    address: SocketAddr,
    first: u64,
    count: u64,
    ready: &Sender<()>,
) -> anyhow::Result<Vec<(u64, MonoTime)>> {
    single_threaded()?.block_on(async {
        let channel = connect(&format!("http://{address}")).await?;
        let mut messages = subscribe(channel, from_now_on()).await?;
        let mut arrivals = Vec::new();
        while (arrivals.len() as u64) < count {
            let next = tokio::time::timeout(PATIENCE, messages.message()).await??;
            let message = next.ok_or_else(|| anyhow::anyhow!("the stream ended"))?;
            let response = v1::SubscribeResponse::decode(message)?;
            let now = MonoTime::now();
            // Both servers open with a response that holds no event.
            let _ = response.events.is_empty().then(|| ready.send(()));
            // Facts of the session have no number of a platform.
            let numbers = response.events.iter().map(|event| event.provider_sequence);
            arrivals.extend(numbers.filter(|n| *n >= first).map(|number| (number, now)));
        }
        Ok(arrivals)
    })
}
