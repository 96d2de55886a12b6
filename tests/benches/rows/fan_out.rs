//! Live events to many readers without a filter, beside an encoding by prost for each of them: what
//! costs here is to wake a reader and to write to its socket.

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
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::harness::{Bound, Contender, Row, kept};
use crate::machine::server_time;
use crate::sidecar::{Sidecar, from_now_on};

const CONNECTIONS: u64 = 10;
/// Events that become ready at once.
const BURST: u64 = 10;
/// Deliveries a second: half of what a core can do, so that nobody falls behind.
const PER_SECOND: u64 = 200_000;
/// Microseconds of the server that a delivery may take.
const ALLOWED: f64 = 0.7;
/// How often it is looked whether every reader is there.
const LOOKING: Duration = Duration::from_millis(5);

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let row = |readers: u64| {
        Row::new(
            format!("fan-out: {BURST} live events at once to {readers} readers, CPU of a delivery"),
            vec![prost(readers), tieline(folder, readers)],
        )
    };
    [100, 1_000].map(row).into()
}

fn prost(readers: u64) -> Contender {
    let (sender, _) = broadcast::channel(1024);
    let mut server: Option<BareServer> = None;
    let name = "prost for each reader, no journal";
    Contender::anchor(name, move |effort: &Effort| {
        let server = kept(&mut server, || {
            let sender = sender.clone();
            BareServer::start(move || {
                let opened = Chunk::Fresh(Arc::default());
                let live = BroadcastStream::new(sender.subscribe());
                let live = live.filter_map(Result::ok).map(Chunk::Fresh);
                Box::pin(tokio_stream::once(opened).chain(live).map(Ok))
            })
        })?;
        measure(server.address, readers, effort, |events| {
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

fn tieline(folder: &Path, readers: u64) -> Contender {
    let folder = folder.join(format!("fan-out-{readers}"));
    let mut sidecar: Option<Sidecar> = None;
    let run = move |effort: &Effort| {
        let sidecar = kept(&mut sidecar, || Sidecar::start(&folder, None))?;
        let runtime = single_threaded()?;
        measure(sidecar.address, readers, effort, |events| {
            sidecar.append(&runtime, events)
        })
    };
    Contender::tieline("Tieline, with its journal", run).goal("", Bound::Most(ALLOWED))
}

fn measure(
    address: SocketAddr,
    readers: u64,
    effort: &Effort,
    mut publish: impl FnMut(Vec<v1::Event>) -> anyhow::Result<()>,
) -> anyhow::Result<Sample> {
    let pause =
        Duration::from_secs(1) * u32::try_from(readers * BURST)? / u32::try_from(PER_SECOND)?;
    let bursts = u64::try_from(effort.sample().as_millis() / pause.as_millis())?.max(4);
    let each = bursts * BURST;
    let open = Arc::new(AtomicU64::new(0));
    let opened = Arc::clone(&open);
    let reading = std::thread::spawn(move || read(address, readers, each, &opened));
    while open.load(Ordering::Acquire) < readers && !reading.is_finished() {
        std::thread::park_timeout(LOOKING);
    }
    let (started, spent) = (MonoTime::now(), server_time());
    for burst in 0..bursts {
        let due = started + pause * u32::try_from(burst)?;
        while let wait = due.saturating_duration_since(MonoTime::now())
            && !wait.is_zero()
        {
            std::thread::park_timeout(wait);
        }
        let count = usize::try_from(BURST)?;
        publish(fixtures::drafts(1 + burst * BURST, count))?;
    }
    reading
        .join()
        .map_err(|_| anyhow::anyhow!("a reader panicked"))??;
    let spent = server_time().saturating_sub(spent);
    let delivered = each * readers;
    Ok(Sample::each(delivered, spent))
}

/// Counts that many events with each reader; `open` counts the streams that are.
fn read(address: SocketAddr, count: u64, each: u64, open: &AtomicU64) -> anyhow::Result<()> {
    single_threaded()?.block_on(async {
        let mut readers = Vec::new();
        for _ in 0..CONNECTIONS {
            let channel = connect(&format!("http://{address}")).await?;
            for _ in 0..count / CONNECTIONS {
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
