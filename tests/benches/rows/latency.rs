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
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::harness::{Bound, Contender, Row, kept, micros};
use crate::machine::server_time;
use crate::pace::{Pace, latencies};
use crate::peers::{From, Kind};
use crate::sidecar::{Sidecar, from_now_on};
use crate::source::{Source, Upstream};

/// Events per second.
const RATES: [u32; 3] = [1_000, 5_000, 10_000];
/// At which of them other programs are measured.
const PEERS_AT: u32 = 5_000;
/// What a WebSocket and a gRPC stream may take besides the synced write itself.
const ALLOWED: Duration = Duration::from_micros(120);
/// A stream that is silent for so long is broken.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn rows(folder: &Path, peers: bool) -> Vec<Row> {
    let row = |rate: u32| {
        let mut contenders = vec![
            write_alone(folder, rate),
            bare(folder, rate),
            tieline(folder, rate),
        ];
        if peers && rate == PEERS_AT {
            contenders.extend([
                peer(folder, Kind::Nats).goal("p99", Bound::Within(1.0)),
                peer(folder, Kind::S2),
                peer(folder, Kind::Redis),
                peer(folder, Kind::Node),
            ]);
        }
        Row::new(format!("latency at {rate} events/s"), contenders)
    };
    RATES.map(row).into()
}

fn pace(rate: u32, effort: &Effort) -> Pace {
    Pace {
        per_second: rate,
        lasting: effort.sample(),
    }
}

fn write_alone(folder: &Path, rate: u32) -> Contender {
    let folder = folder.to_owned();
    let mut file: Option<Recycled> = None;
    Contender::anchor("ceiling: write and sync alone", move |effort: &Effort| {
        let file = kept(&mut file, || Ok(Recycled::create(&folder, "latency")?))?;
        let each = fixtures::encoded(1);
        let mut arrivals = Vec::new();
        let (pace, started) = (pace(rate, effort), MonoTime::now());
        pace.keep(started, |first, count| {
            file.append(&each.repeat(usize::try_from(count)?))?;
            let now = MonoTime::now();
            arrivals.extend((first..first + count).map(|index| (index, now)));
            Ok(())
        })?;
        Ok(Sample::latency(latencies(pace, started, arrivals)))
    })
}

fn bare(folder: &Path, rate: u32) -> Contender {
    let folder = folder.to_owned();
    let mut pipeline: Option<BarePipeline> = None;
    let name = "bare pipeline: WebSocket, write, sync, tonic";
    Contender::anchor(name, move |effort: &Effort| {
        let pipeline = kept(&mut pipeline, || BarePipeline::start(&folder))?;
        let address = pipeline.server.address;
        measure(address, &mut pipeline.upstream, pace(rate, effort))
    })
}

fn tieline(folder: &Path, rate: u32) -> Contender {
    let folder = folder.join(format!("latency-{rate}"));
    let mut running: Option<(Sidecar, Upstream, Source)> = None;
    let run = move |effort: &Effort| {
        let (sidecar, upstream, _) = kept(&mut running, || {
            let source = Source::start()?;
            let sidecar = Sidecar::start(&folder, Some(&source))?;
            Ok((sidecar, source.upstream()?, source))
        })?;
        measure(sidecar.address, upstream, pace(rate, effort))
    };
    Contender::tieline("Tieline", run).goal("p50", Bound::Above(micros(ALLOWED)))
}

/// Without a sync of each batch, as they come.
fn peer(folder: &Path, kind: Kind) -> Contender {
    let folder = folder.join("latency-peers");
    let mut running = None;
    Contender::peer(kind.name(), move |effort: &Effort| {
        let peer = kept(&mut running, || kind.start(&folder))?;
        peer.fresh()?;
        let mut reader = peer.reader(From::Now)?;
        let mut writer = peer.writer()?;
        let first = writer.next();
        let pace = pace(PEERS_AT, effort);
        let reading = std::thread::spawn(move || {
            let mut arrivals = Vec::new();
            while (arrivals.len() as u64) < pace.total() {
                let mut numbers = Vec::new();
                reader.receive(&mut |json| numbers.push(fixtures::number(json)))?;
                let now = MonoTime::now();
                let numbers = numbers.into_iter().filter(|number| *number >= first);
                arrivals.extend(numbers.map(|number| (number - first, now)));
            }
            anyhow::Ok(arrivals)
        });
        let started = MonoTime::now();
        pace.keep(started, |_, count| writer.send(count))?;
        let arrivals = reading.join();
        let arrivals = arrivals.map_err(|_| anyhow::anyhow!("the reader panicked"))??;
        Ok(Sample::latency(latencies(pace, started, arrivals)))
    })
}

fn measure(address: SocketAddr, upstream: &mut Upstream, pace: Pace) -> anyhow::Result<Sample> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let first = upstream.next;
    let address = format!("http://{address}");
    let reader = std::thread::spawn(move || read(&address, first, pace.total(), &ready));
    is_ready.recv()?;
    let (started, spent) = (MonoTime::now(), server_time());
    pace.keep(started, |_, count| Ok(upstream.send(count)?))?;
    let arrivals = reader
        .join()
        .map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    let sample = Sample::latency(latencies(pace, started, arrivals));
    Ok(sample.with_cpu(pace.total(), server_time().saturating_sub(spent)))
}

/// Decodes `count` events numbered from `first`, and says by `ready` that the stream is open.
pub(super) fn read(
    address: &str,
    first: u64,
    count: u64,
    ready: &Sender<()>,
) -> anyhow::Result<Vec<(u64, MonoTime)>> {
    single_threaded()?.block_on(async {
        let channel = connect(address).await?;
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
            let numbers = numbers.filter(|number| *number >= first);
            arrivals.extend(numbers.map(|number| (number - first, now)));
        }
        Ok(arrivals)
    })
}
