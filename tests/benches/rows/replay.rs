//! Replay from the start to one reader over gRPC, against a bare stream of the same bytes.

use std::net::SocketAddr;
use std::path::Path;

use bytes::{Buf as _, BytesMut};
use prost::Message as _;
use tieline::proto::v1;
use tieline::runtime::MonoTime;

use super::bare_stream::{BareServer, connect, read_bytes, repeated, subscribe};
use super::single_threaded;
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::harness::{Bound, Contender, Row, kept};
use crate::peers::{From, Kind};
use crate::sidecar::{Sidecar, whole_history};

/// Events of one message: some 32 KiB, in the middle of what suits HTTP/2.
const CHUNK: usize = 40;

/// Reads a stream to its end, which comes after so many events.
type Read = fn(SocketAddr, u64) -> anyhow::Result<()>;

pub(crate) fn rows(folder: &Path, peers: bool) -> Vec<Row> {
    let readers: [(&str, Read); 3] = [
        ("counts bytes", count),
        ("decodes", decode),
        ("counts events", count_events),
    ];
    let row = |(what, read): (&str, Read)| {
        let contenders = vec![bare(read), tieline(folder, read)];
        Row::new(format!("replay to a reader that {what}"), contenders)
    };
    let mut rows: Vec<Row> = readers.map(row).into();
    // Their readers find every event, too, and look into none.
    if let Some(row) = rows.last_mut().filter(|_| peers) {
        let all = [
            (Kind::Nats, Bound::Times(3.0)),
            (Kind::S2, Bound::Times(4.0)),
            (Kind::Redis, Bound::Times(1.0)),
        ];
        let all = all.map(|(kind, bound)| peer(folder, kind).goal("", bound));
        row.contenders.extend(all);
    }
    rows
}

fn bare(read: Read) -> Contender {
    let mut server: Option<BareServer> = None;
    Contender::anchor("ceiling: bare tonic, from memory", move |effort| {
        let server = kept(&mut server, || {
            let chunk = fixtures::encoded(CHUNK);
            let times = usize::try_from(effort.replayed())? / CHUNK;
            BareServer::start(move || repeated(chunk.clone(), times))
        })?;
        timed(server.address, read, effort)
    })
}

fn tieline(folder: &Path, read: Read) -> Contender {
    let folder = folder.join("replay");
    let mut sidecar: Option<Sidecar> = None;
    let run = move |effort: &Effort| {
        let sidecar = kept(&mut sidecar, || {
            let started = Sidecar::start(&folder, None)?;
            started.fill(effort.replayed())?;
            Ok(started)
        })?;
        timed(sidecar.address, read, effort)
    };
    Contender::tieline("Tieline, from disk", run).goal("", Bound::Times(0.85))
}

fn peer(folder: &Path, kind: Kind) -> Contender {
    let folder = folder.join("replay-peers");
    let mut running = None;
    Contender::peer(kind.name(), move |effort: &Effort| {
        let events = effort.replayed() / 5;
        let peer = kept(&mut running, || {
            let mut peer = kind.start(&folder)?;
            peer.fresh()?;
            peer.writer()?.flood(events)?;
            Ok(peer)
        })?;
        let mut reader = peer.reader(From::Start { total: events })?;
        let started = MonoTime::now();
        let mut read = 0;
        while read < events {
            reader.receive(&mut |_| read += 1)?;
        }
        Ok(Sample::rate(events, started.elapsed()))
    })
}

fn timed(address: SocketAddr, read: Read, effort: &Effort) -> anyhow::Result<Sample> {
    let started = MonoTime::now();
    read(address, effort.replayed())?;
    Ok(Sample::rate(effort.replayed(), started.elapsed()))
}

fn count(address: SocketAddr, events: u64) -> anyhow::Result<()> {
    let mut bytes = 0;
    let counting = read_bytes(address, whole_history(), |data| bytes += data.len());
    single_threaded()?.block_on(counting)?;
    let least = usize::try_from(events)? * fixtures::JSON_BYTES;
    anyhow::ensure!(bytes > least, "it ended after {bytes} bytes");
    Ok(())
}

/// Finds every event and looks into none, as the readers of peers do.
fn count_events(address: SocketAddr, events: u64) -> anyhow::Result<()> {
    /// Whether it is compressed, and its length.
    const HEAD: usize = 5;
    let (mut came, mut begun) = (0, BytesMut::new());
    let counting = read_bytes(address, whole_history(), |data| {
        begun.extend_from_slice(data);
        while let Some([_, a, b, c, d]) = begun.first_chunk::<HEAD>() {
            let length = u32::from_be_bytes([*a, *b, *c, *d]);
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let Some(message) = begun.get(HEAD..HEAD.saturating_add(length)) else {
                break;
            };
            came += fixtures::count_events(message);
            begun.advance(HEAD + length);
        }
    });
    single_threaded()?.block_on(counting)?;
    anyhow::ensure!(came == events, "it ended after {came} events");
    Ok(())
}

fn decode(address: SocketAddr, events: u64) -> anyhow::Result<()> {
    single_threaded()?.block_on(async {
        let channel = connect(&format!("http://{address}")).await?;
        let mut messages = subscribe(channel, whole_history()).await?;
        let mut came = 0;
        while let Some(message) = messages.message().await? {
            came += v1::SubscribeResponse::decode(message)?.events.len() as u64;
        }
        anyhow::ensure!(came == events, "it ended after {came} events");
        Ok(())
    })
}
