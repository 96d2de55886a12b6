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
use crate::fixtures;
use crate::harness::{Contender, Effort, Row, Sample, Target};
use crate::machine::server_time;
use crate::sidecar::{Sidecar, from_now_on};
use crate::source::{Source, Upstream};

/// A stream that is silent for so long is broken.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    vec![Row {
        title: "ingest to one reader".to_owned(),
        target: Target::Times(0.7),
        contenders: vec![bare(folder), tieline(folder)],
    }]
}

fn bare(folder: &Path) -> Contender {
    let folder = folder.to_owned();
    let mut pipeline: Option<BarePipeline> = None;
    let name = "ceiling: bare pipeline";
    Contender::new(name, move |effort: &Effort| {
        let pipeline = match &mut pipeline {
            Some(pipeline) => pipeline,
            None => pipeline.insert(BarePipeline::start(&folder)?),
        };
        measure(pipeline.server.address, &mut pipeline.upstream, effort)
    })
}

fn tieline(folder: &Path) -> Contender {
    let folder = folder.join("ingest");
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
        measure(sidecar.address, upstream, effort)
    })
}

fn measure(
    address: SocketAddr,
    upstream: &mut Upstream,
    effort: &Effort,
) -> anyhow::Result<Sample> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let count = effort.ingested();
    let reader = std::thread::spawn(move || read(address, count, &ready));
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
fn read(address: SocketAddr, count: u64, ready: &Sender<()>) -> anyhow::Result<()> {
    single_threaded()?.block_on(async {
        let channel = connect(&format!("http://{address}")).await?;
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
