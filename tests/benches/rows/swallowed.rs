//! A middlebox that swallows WebSockets: how long until the first event comes by long poll, and how
//! late events are while the session goes back to WebSocket once it can.

use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Duration;

use prost::Message as _;
use serde_json::json;
use tieline::domain::WallTime;
use tieline::proto::v1;
use tieline::runtime::{Clock, MonoTime, Rng};
use tieline::sandbox::fault::Fault;
use tieline::sandbox::{DEFAULT_CHANNELS, Sandbox, SandboxConfig, Transport};

use super::bare_stream::{connect, subscribe};
use super::single_threaded;
use crate::figure::Sample;
use crate::harness::{Bound, Contender, Row, micros};
use crate::sidecar::{Sidecar, from_the_first, settings};

/// Events per second.
const RATE: f64 = 200.0;
/// Until the first event.
const ALLOWED: Duration = Duration::from_secs(5);
/// An event that takes longer is late.
const LATE: Duration = Duration::from_millis(50);
/// How long it is watched after the change.
const WATCHED: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST: &str = "first event";
const LATE_ONES: &str = "events later than 50 ms while going back";

/// When an event happened, and when it came.
type Arrival = (WallTime, WallTime);

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let folder = folder.join("swallowed");
    let run = move |_: &_| measure(&folder);
    let contender = Contender::tieline("from its start to its end", run)
        .goal(FIRST, Bound::Most(micros(ALLOWED)))
        .goal(LATE_ONES, Bound::Most(0.0));
    vec![Row::new("WebSocket swallowed by a middlebox", vec![contender]).few(5)]
}

fn measure(folder: &Path) -> anyhow::Result<Sample> {
    let platform = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let config = SandboxConfig {
        rate: RATE,
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::start(config, Clock::system(), Rng::from_seed(1));
    let sandbox = platform.block_on(sandbox)?;
    sandbox.faults().set(Fault::Swallow101 {})?;
    let config = configured(folder, &sandbox)?;

    let (started, clock) = (MonoTime::now(), Clock::system());
    let sidecar = Sidecar::open(config)?;
    let (tell, arrivals) = std::sync::mpsc::channel();
    let address = format!("http://{}", sidecar.address);
    let reading = std::thread::spawn(move || read(&address, &tell));
    let mut arrival: Arrival = arrivals.recv_timeout(PATIENCE)?;
    let first = started.elapsed();

    // What had happened before it was connected has come once nothing is late any more.
    while delay(&arrival) > LATE {
        arrival = arrivals.recv_timeout(PATIENCE)?;
    }
    let cleared = clock.wall();
    sandbox.faults().clear_all();
    let is_back = |sandbox: &Sandbox| {
        let mut all = sandbox.connections().into_iter();
        all.any(|one| one.transport == Transport::Websocket)
    };
    let came_back = platform.block_on(sandbox.wait_until(PATIENCE, is_back));
    anyhow::ensure!(came_back, "it does not go back to WebSocket");
    std::thread::park_timeout(WATCHED);
    drop(sidecar);
    // The stream ended with its server.
    drop(reading.join());
    let since = arrivals.try_iter().filter(|(_, came)| *came > cleared);
    let delays: Vec<Duration> = since.map(|arrival| delay(&arrival)).collect();
    anyhow::ensure!(!delays.is_empty(), "no event came after the change");
    let late = delays.iter().filter(|delay| **delay > LATE).count();
    let longest = delays.into_iter().max().unwrap_or_default();
    Ok(Sample::time(FIRST, first)
        .with_count(LATE_ONES, late as u64)
        .with_time("the latest of them all", longest))
}

fn delay((at, came): &Arrival) -> Duration {
    came.since(*at)
}

fn configured(folder: &Path, sandbox: &Sandbox) -> anyhow::Result<serde_json::Value> {
    let mut config = settings(folder, None, "127.0.0.1:0")?;
    let client = sandbox.client_credentials();
    let (id, secret) = (folder.join("id"), folder.join("secret"));
    std::fs::write(&id, client.id)?;
    std::fs::write(&secret, client.secret)?;
    let session = json!({
        "name": "bench",
        "platform": "genesys-events",
        "endpoint": sandbox.endpoint(),
        "channels": DEFAULT_CHANNELS,
        "auth": {
            "grant": "client_credentials",
            "client_id_file": id,
            "client_secret_file": secret,
        },
        "timing": { "failback_interval": "1s" },
    });
    if let Some(sessions) = config.pointer_mut("/sessions") {
        *sessions = json!([session]);
    }
    Ok(config)
}

/// Tells every event of the platform as it comes, until the stream ends.
fn read(address: &str, tell: &Sender<Arrival>) -> anyhow::Result<()> {
    let clock = Clock::system();
    single_threaded()?.block_on(async {
        let mut messages = subscribe(connect(address).await?, from_the_first()).await?;
        while let Some(message) = messages.message().await? {
            let came = clock.wall();
            // Facts of the session have no number of a platform.
            let events = v1::SubscribeResponse::decode(message)?.events.into_iter();
            for event in events.filter(|event| event.provider_sequence > 0) {
                let at = event.time.as_ref().and_then(WallTime::from_proto);
                tell.send((at.unwrap_or_default(), came))?;
            }
        }
        Ok(())
    })
}
