//! Replay from the start to one reader over gRPC, against a bare stream of the same bytes.

use std::net::SocketAddr;
use std::path::Path;

use prost::Message as _;
use tieline::proto::v1;
use tieline::runtime::MonoTime;

use super::bare_stream::{BareServer, connect, count_bytes, repeated, subscribe};
use super::single_threaded;
use crate::fixtures;
use crate::harness::{Contender, Effort, Row, Sample, Target};
use crate::sidecar::{Sidecar, whole_history};

/// Events of one message: some 32 KiB, in the middle of what suits HTTP/2.
const CHUNK: usize = 40;

/// Reads a stream to its end, which comes after so many events.
type Read = fn(SocketAddr, u64) -> anyhow::Result<()>;

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let readers: [(&str, Read); 2] = [("counts bytes", count), ("decodes", decode)];
    let row = |(what, read): (&str, Read)| Row {
        title: format!("replay to a reader that {what}"),
        target: Target::Times(0.85),
        contenders: vec![bare(read), tieline(folder, read)],
    };
    readers.map(row).into()
}

fn bare(read: Read) -> Contender {
    let mut server: Option<BareServer> = None;
    Contender::new("ceiling: bare tonic, from memory", move |effort| {
        let server = match &mut server {
            Some(server) => server,
            None => {
                let chunk = fixtures::encoded(CHUNK);
                let times = usize::try_from(effort.replayed())? / CHUNK;
                server.insert(BareServer::start(move || repeated(chunk.clone(), times))?)
            }
        };
        timed(server.address, read, effort)
    })
}

fn tieline(folder: &Path, read: Read) -> Contender {
    let folder = folder.join("replay");
    let mut sidecar: Option<Sidecar> = None;
    Contender::new("Tieline, from disk", move |effort| {
        if sidecar.is_none() {
            let started = Sidecar::start(&folder, None)?;
            started.fill(effort.replayed())?;
            sidecar = Some(started);
        }
        let address = sidecar.as_ref().map(|sidecar| sidecar.address);
        timed(address.unwrap_or(([127, 0, 0, 1], 0).into()), read, effort)
    })
}

fn timed(address: SocketAddr, read: Read, effort: &Effort) -> anyhow::Result<Sample> {
    let started = MonoTime::now();
    read(address, effort.replayed())?;
    Ok(Sample::rate(effort.replayed(), started.elapsed()))
}

fn count(address: SocketAddr, events: u64) -> anyhow::Result<()> {
    let counting = count_bytes(address, whole_history());
    let bytes = single_threaded()?.block_on(counting)?;
    let least = usize::try_from(events)? * fixtures::JSON_BYTES;
    anyhow::ensure!(bytes > least, "it ended after {bytes} bytes");
    Ok(())
}

fn decode(address: SocketAddr, events: u64) -> anyhow::Result<()> {
    single_threaded()?.block_on(async {
        let channel = connect(&format!("http://{address}")).await?;
        let mut messages = subscribe(channel, whole_history()).await?;
        let mut count = 0;
        while let Some(message) = messages.message().await? {
            count += v1::SubscribeResponse::decode(message)?.events.len() as u64;
        }
        anyhow::ensure!(count == events, "it ended after {count} events");
        Ok(())
    })
}
