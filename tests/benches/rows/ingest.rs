//! The most that can be taken in: a platform that sends as fast as TCP takes it, one reader that
//! counts, every event synced before it is visible.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tieline::runtime::MonoTime;

use super::bare_pipeline::BarePipeline;
use super::bare_stream::{connect, subscribe};
use super::single_threaded;
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::harness::{Bound, Contender, Row, kept};
use crate::machine::server_time;
use crate::peers::{From, Kind};
use crate::sidecar::{Sidecar, from_now_on};
use crate::source::{Source, Upstream};

/// A stream that is silent for so long is broken.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn rows(folder: &Path, peers: bool) -> Vec<Row> {
    let mut contenders = vec![bare(folder), tieline(folder)];
    if peers {
        contenders.extend([
            peer(folder, Kind::Nats).goal("", Bound::Times(3.0)),
            peer(folder, Kind::S2).goal("", Bound::Times(3.0)),
            peer(folder, Kind::Redis),
            peer(folder, Kind::Node).goal("", Bound::Times(10.0)),
        ]);
    }
    vec![Row::new("ingest to one reader", contenders)]
}

fn bare(folder: &Path) -> Contender {
    let folder = folder.to_owned();
    let mut pipeline: Option<BarePipeline> = None;
    Contender::anchor("ceiling: bare pipeline", move |effort: &Effort| {
        let pipeline = kept(&mut pipeline, || BarePipeline::start(&folder))?;
        measure(pipeline.server.address, &mut pipeline.upstream, effort)
    })
}

fn tieline(folder: &Path) -> Contender {
    let folder = folder.join("ingest");
    let mut running: Option<(Sidecar, Upstream, Source)> = None;
    let run = move |effort: &Effort| {
        let (sidecar, upstream, _) = kept(&mut running, || {
            let source = Source::start()?;
            let sidecar = Sidecar::start(&folder, Some(&source))?;
            Ok((sidecar, source.upstream()?, source))
        })?;
        measure(sidecar.address, upstream, effort)
    };
    Contender::tieline("Tieline", run).goal("", Bound::Times(0.7))
}

/// Of the same events, fewer: they are slower.
fn peer(folder: &Path, kind: Kind) -> Contender {
    let folder = folder.join("ingest-peers");
    let mut running = None;
    Contender::peer(kind.name(), move |effort: &Effort| {
        let count = effort.ingested() / 5;
        let peer = kept(&mut running, || kind.start(&folder))?;
        peer.fresh()?;
        let mut reader = peer.reader(From::Now)?;
        let mut writer = peer.writer()?;
        let (started, spent) = (MonoTime::now(), peer.time());
        let reading = std::thread::spawn(move || {
            let mut read = 0;
            while read < count {
                reader.receive(&mut |_| read += 1)?;
            }
            anyhow::Ok(())
        });
        writer.flood(count)?;
        let read = reading.join();
        read.map_err(|_| anyhow::anyhow!("the reader panicked"))??;
        let sample = Sample::rate(count, started.elapsed());
        Ok(sample.with_cpu(count, peer.time().saturating_sub(spent)))
    })
}

fn measure(
    address: SocketAddr,
    upstream: &mut Upstream,
    effort: &Effort,
) -> anyhow::Result<Sample> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let count = effort.ingested();
    let address = format!("http://{address}");
    let reader = std::thread::spawn(move || read(&address, count, &ready));
    is_ready.recv()?;
    let (started, spent) = (MonoTime::now(), server_time());
    upstream.flood(count)?;
    reader
        .join()
        .map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    let sample = Sample::rate(count, started.elapsed());
    Ok(sample.with_cpu(count, server_time().saturating_sub(spent)))
}

/// Counts that many events, and says by `ready` that the stream is open.
pub(super) fn read(address: &str, count: u64, ready: &Sender<()>) -> anyhow::Result<()> {
    single_threaded()?.block_on(async {
        let channel = connect(address).await?;
        let mut messages = subscribe(channel, from_now_on()).await?;
        let mut events = 0;
        while events < count {
            let next = tokio::time::timeout(PATIENCE, messages.message()).await??;
            let message = next.ok_or_else(|| anyhow::anyhow!("it ended after {events} events"))?;
            let came = fixtures::count_events(&message);
            events += came;
            // Both servers open with a response that holds no event.
            let _ = (came == 0).then(|| ready.send(()));
        }
        Ok(())
    })
}
