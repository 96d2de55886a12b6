//! Live events to many readers without a filter, against an encoding by prost for each of them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use tieline::proto::v1;
use tieline::runtime::MonoTime;
use tokio::sync::broadcast;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;

use super::bare_stream::{BareServer, Chunk, connect, subscribe};
use super::single_threaded;
use crate::fixtures;
use crate::harness::{Contender, Effort, Row, Sample, Target};
use crate::machine::server_time;
use crate::sidecar::{Sidecar, from_now_on};

const READERS: u64 = 100;
const CONNECTIONS: u64 = 10;
/// Events that become ready at once, and how often.
const BURST: u64 = 10;
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    vec![Row {
        title: format!("deliveries to {READERS} readers per CPU second of the server"),
        target: Target::Times(1.5),
        contenders: vec![prost(), tieline(folder)],
    }]
}

fn prost() -> Contender {
    let (sender, _) = broadcast::channel(1024);
    let mut server: Option<BareServer> = None;
    let name = "ceiling: prost for each reader, no journal";
    Contender::new(name, move |effort: &Effort| {
        let server = match &mut server {
            Some(server) => server,
            None => {
                let sender = sender.clone();
                server.insert(BareServer::start(move || {
                    let opened = Chunk::Fresh(Arc::default());
                    let live = BroadcastStream::new(sender.subscribe());
                    let live = live.filter_map(Result::ok).map(Chunk::Fresh);
                    Box::pin(tokio_stream::once(opened).chain(live).map(Ok))
                })?)
            }
        };
        measure(server.address, effort, |events| {
            let through_sequence = events.last().map_or(0, |event| event.sequence);
            let response = v1::SubscribeResponse {
                events,
                through_sequence,
                latest_sequence: through_sequence,
                notice: None,
            };
            // Readers that have left do not matter.
            sender.send(Arc::new(response)).ok();
            Ok(())
        })
    })
}

fn tieline(folder: &Path) -> Contender {
    let folder = folder.join("fan-out");
    let mut sidecar: Option<Sidecar> = None;
    Contender::new("Tieline, with its journal", move |effort: &Effort| {
        let sidecar = match &mut sidecar {
            Some(sidecar) => sidecar,
            None => sidecar.insert(Sidecar::start(&folder, None)?),
        };
        let runtime = single_threaded()?;
        measure(sidecar.address, effort, |events| {
            sidecar.append(&runtime, events)
        })
    })
}

fn measure(
    address: SocketAddr,
    effort: &Effort,
    mut publish: impl FnMut(Vec<v1::Event>) -> anyhow::Result<()>,
) -> anyhow::Result<Sample> {
    let bursts = u64::try_from(effort.sample().as_millis() / PAUSE.as_millis())?;
    let each = bursts * BURST;
    let open = Arc::new(AtomicU64::new(0));
    let opened = Arc::clone(&open);
    let readers = std::thread::spawn(move || read(address, each, &opened));
    while open.load(Ordering::Acquire) < READERS && !readers.is_finished() {
        std::thread::park_timeout(PAUSE);
    }
    let (started, spent) = (MonoTime::now(), server_time());
    for burst in 0..bursts {
        let due = started + PAUSE * u32::try_from(burst)?;
        while let wait = due.saturating_duration_since(MonoTime::now())
            && !wait.is_zero()
        {
            std::thread::park_timeout(wait);
        }
        let count = usize::try_from(BURST)?;
        publish(fixtures::drafts(1 + burst * BURST, count))?;
    }
    readers
        .join()
        .map_err(|_| anyhow::anyhow!("a reader panicked"))??;
    let spent = server_time().saturating_sub(spent);
    let delivered = each * READERS;
    Ok(Sample::rate(delivered, spent).with_cpu(delivered, spent))
}

/// Counts that many events with each reader; `open` counts the streams that are.
fn read(address: SocketAddr, each: u64, open: &AtomicU64) -> anyhow::Result<()> {
    single_threaded()?.block_on(async {
        let mut readers = Vec::new();
        for _ in 0..CONNECTIONS {
            let channel = connect(&format!("http://{address}")).await?;
            for _ in 0..READERS / CONNECTIONS {
                let mut messages = subscribe(channel.clone(), from_now_on()).await?;
                readers.push(async move {
                    let (mut events, mut is_open) = (0, false);
                    while events < each {
                        let message = messages.message().await?;
                        let message = message.ok_or_else(|| anyhow::anyhow!("it ended"))?;
                        events += fixtures::count_events(&message);
                        if !is_open {
                            is_open = true;
                            open.fetch_add(1, Ordering::Release);
                        }
                    }
                    anyhow::Ok(())
                });
            }
        }
        try_join_all(readers).await?;
        Ok(())
    })
}
