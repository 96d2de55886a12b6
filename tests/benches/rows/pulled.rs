//! Many readers that take the recent events as fast as they can: unfiltered against an encoding by
//! prost for each of them, and each with a filter of its own against unfiltered.

use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::try_join_all;
use tieline::proto::v1;
use tieline::runtime::MonoTime;
use tokio_stream::StreamExt as _;

use super::bare_stream::{BareServer, Chunk, connect, repeated, subscribe};
use super::single_threaded;
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::harness::{Bound, Contender, Row, kept};
use crate::machine::server_time;
use crate::sidecar::{Sidecar, filtered_history, whole_history};

const CONNECTIONS: usize = 10;
/// Events that each reader takes, or passes over: what is still in memory.
const HISTORY: u64 = 8_000;
/// Events of one message of the bare servers.
const CHUNK: usize = 40;
/// Readers, of whom each has a filter of its own.
const FILTERED: usize = 100;

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let row = |(readers, least): (usize, f64)| {
        let title = format!("fan-out: {readers} readers of recent events, per CPU second");
        let ours = unfiltered(folder, readers).goal("", Bound::Times(least));
        let contenders = vec![prost(readers), shared(readers), ours];
        Row::new(title, contenders)
    };
    let mut rows: Vec<Row> = [(100, 1.5), (1_000, 2.0)].map(row).into();
    // One sample takes the server seconds.
    if let Some(row) = rows.pop() {
        rows.push(row.few(3));
    }
    let title =
        format!("fan-out: {FILTERED} readers with {FILTERED} filters, examined per CPU second");
    let filtered = filtered(folder).goal("", Bound::Times(0.6));
    rows.push(Row::new(
        title,
        vec![unfiltered_as_anchor(folder), filtered],
    ));
    rows
}

fn prost(readers: usize) -> Contender {
    let mut server: Option<BareServer> = None;
    Contender::anchor("prost for each reader, from memory", move |effort| {
        let server = kept(&mut server, || {
            let message = |first| v1::SubscribeResponse {
                events: fixtures::drafts(first, CHUNK),
                ..Default::default()
            };
            let firsts = (1..=HISTORY).step_by(CHUNK);
            let table: Vec<Chunk> = firsts
                .map(|at| Chunk::Fresh(Arc::new(message(at))))
                .collect();
            BareServer::start(move || Box::pin(tokio_stream::iter(table.clone()).map(Ok)))
        })?;
        let requests = requests(readers, whole_history, effort);
        measure(server.address, requests, |_| HISTORY)
    })
}

fn shared(readers: usize) -> Contender {
    let mut server: Option<BareServer> = None;
    Contender::anchor("bare tonic, the same bytes for all", move |effort| {
        let server = kept(&mut server, || {
            let chunk = fixtures::encoded(CHUNK);
            let times = usize::try_from(HISTORY)? / CHUNK;
            BareServer::start(move || repeated(chunk.clone(), times))
        })?;
        let requests = requests(readers, whole_history, effort);
        measure(server.address, requests, |_| HISTORY)
    })
}

fn unfiltered(folder: &Path, readers: usize) -> Contender {
    let run = serving(
        folder.join(format!("pulled-{readers}")),
        move |address, effort| {
            measure(address, requests(readers, whole_history, effort), |_| {
                HISTORY
            })
        },
    );
    Contender::tieline("Tieline, with its journal", run)
}

fn unfiltered_as_anchor(folder: &Path) -> Contender {
    let run = serving(folder.join("pulled-unfiltered"), move |address, effort| {
        measure(address, requests(FILTERED, whole_history, effort), |_| {
            HISTORY
        })
    });
    Contender::anchor("Tieline without filters", run)
}

fn filtered(folder: &Path) -> Contender {
    let run = serving(folder.join("pulled-filtered"), |address, _| {
        let filter = |reader: usize| v1::EventFilter {
            types: vec!["ccaas.unmapped.v1".to_owned()],
            subjects: vec![fixtures::subject(reader as u64)],
            ..Default::default()
        };
        let requests = (0..FILTERED).map(|reader| filtered_history(filter(reader)));
        let matching = |reader| {
            let matches = |number: &u64| fixtures::subject(*number) == fixtures::subject(reader);
            (1..=HISTORY).filter(matches).count() as u64
        };
        measure(address, requests.collect(), matching)
    });
    Contender::tieline("Tieline, each by type and subject", run)
}

/// A sidecar with the history, kept from sample to sample.
fn serving(
    folder: std::path::PathBuf,
    measure: impl Fn(SocketAddr, &Effort) -> anyhow::Result<Sample> + 'static,
) -> impl FnMut(&Effort) -> anyhow::Result<Sample> {
    let mut sidecar: Option<Sidecar> = None;
    move |effort| {
        let sidecar = kept(&mut sidecar, || {
            let started = Sidecar::start(&folder, None)?;
            started.fill(HISTORY)?;
            Ok(started)
        })?;
        measure(sidecar.address, effort)
    }
}

/// The same request for every reader; a tenth of the readers where it is to be quick.
fn requests(readers: usize, request: fn() -> Vec<u8>, effort: &Effort) -> Vec<Vec<u8>> {
    let readers = if effort.quick { readers / 10 } else { readers };
    std::iter::repeat_with(request).take(readers).collect()
}

/// Reads every stream to its end at once. A reader examines the whole history, and must be given
/// `due(reader)` events of it.
fn measure(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    due: impl Fn(u64) -> u64,
) -> anyhow::Result<Sample> {
    let examined = HISTORY * requests.len() as u64;
    let (started, spent) = (MonoTime::now(), server_time());
    let came = single_threaded()?.block_on(read(address, requests))?;
    let (elapsed, spent) = (started.elapsed(), server_time().saturating_sub(spent));
    for (reader, came) in (0..).zip(came) {
        let due = due(reader);
        anyhow::ensure!(
            came == due,
            "reader {reader} was given {came} events of {due}"
        );
    }
    Ok(Sample::rate(examined, spent).with_rate("per second", examined, elapsed))
}

async fn read(address: SocketAddr, requests: Vec<Vec<u8>>) -> anyhow::Result<Vec<u64>> {
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        channels.push(connect(&format!("http://{address}")).await?);
    }
    let channels = Rc::new(channels);
    let readers = requests.into_iter().enumerate().map(|(reader, request)| {
        let channels = Rc::clone(&channels);
        async move {
            let channel = channels.get(reader % CONNECTIONS);
            let channel = channel.ok_or_else(|| anyhow::anyhow!("no connection"))?;
            let mut messages = subscribe(channel.clone(), request).await?;
            let mut events = 0;
            while let Some(message) = messages.message().await? {
                events += fixtures::count_events(&message);
            }
            anyhow::Ok(events)
        }
    });
    try_join_all(readers).await
}
