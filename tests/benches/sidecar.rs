//! Tieline as it runs: the whole application on a runtime of its own, journal on disk, real sockets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use prost::Message as _;
use serde_json::json;
use tieline::app::{App, Stop};
use tieline::journal::{Commit, Journal};
use tieline::proto::v1;
use tieline::proto::v1::subscribe_request::{End, Start};
use tieline::runtime::{Clock, Rng};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::fixtures;
use crate::folder::emptied;
use crate::machine::SERVER;
use crate::source::Source;

/// Ends when dropped.
pub(crate) struct Sidecar {
    pub(crate) address: SocketAddr,
    pub(crate) journal: Arc<dyn Journal>,
    runtime: Option<Runtime>,
    stop: mpsc::Sender<Stop>,
    ended: std::sync::mpsc::Receiver<()>,
}

impl Sidecar {
    /// Starts in an empty folder, with one session if there is a source for it.
    pub(crate) fn start(folder: &Path, source: Option<&Source>) -> anyhow::Result<Self> {
        Self::open(settings(folder, source, "127.0.0.1:0")?)
    }

    /// Starts with this configuration.
    pub(crate) fn open(config: serde_json::Value) -> anyhow::Result<Self> {
        let config = serde_json::from_value(config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(SERVER)
            .enable_all()
            .build()?;
        let app = runtime.block_on(App::start(config, Clock::system(), Rng::from_seed(1)))?;
        let address = app.addresses().first().map(|address| address.parse());
        let journal = app.journals().into_iter().next();
        let (stop, stopped) = mpsc::channel(1);
        let (end, ended) = std::sync::mpsc::channel();
        let running = async move {
            app.run_until(stopped).await;
            end.send(())
        };
        drop(runtime.spawn(running));
        let missing = || anyhow::anyhow!("it serves nothing");
        Ok(Self {
            address: address.ok_or_else(missing)??,
            journal: journal.ok_or_else(missing)?,
            runtime: Some(runtime),
            stop,
            ended,
        })
    }

    /// Puts events into its journal.
    pub(crate) fn fill(&self, count: u64) -> anyhow::Result<()> {
        const COMMIT: u64 = 1000;
        let runtime = super::rows::single_threaded()?;
        for first in (1..=count).step_by(usize::try_from(COMMIT)?) {
            let size = COMMIT.min(count + 1 - first);
            self.append(&runtime, fixtures::drafts(first, usize::try_from(size)?))?;
        }
        Ok(())
    }

    pub(crate) fn append(&self, runtime: &Runtime, events: Vec<v1::Event>) -> anyhow::Result<()> {
        let state = Vec::new();
        runtime.block_on(self.journal.append(Commit { events, state }))?;
        Ok(())
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // What does not end in order is cut with its runtime.
        if self.stop.try_send(Stop::Now).is_ok() {
            self.ended
                .recv_timeout(std::time::Duration::from_secs(5))
                .ok();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Everything from the first event to the last there is.
pub(crate) fn whole_history() -> Vec<u8> {
    let request = v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        end: Some(End::UntilCaughtUp(true)),
        ..Default::default()
    };
    request.encode_to_vec()
}

/// The same, through a filter.
pub(crate) fn filtered_history(filter: v1::EventFilter) -> Vec<u8> {
    let request = v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        end: Some(End::UntilCaughtUp(true)),
        filter: Some(filter),
        ..Default::default()
    };
    request.encode_to_vec()
}

/// Everything from the first event on, without an end.
pub(crate) fn from_the_first() -> Vec<u8> {
    from(v1::StartPreset::Earliest)
}

/// Everything from now on.
pub(crate) fn from_now_on() -> Vec<u8> {
    from(v1::StartPreset::Latest)
}

fn from(preset: v1::StartPreset) -> Vec<u8> {
    let request = v1::SubscribeRequest {
        start: Some(Start::Preset(preset.into())),
        ..Default::default()
    };
    request.encode_to_vec()
}

/// A configuration with one journal, and one session if there is a source for it.
pub(crate) fn settings(
    folder: &Path,
    source: Option<&Source>,
    listen: &str,
) -> anyhow::Result<serde_json::Value> {
    emptied(folder)?;
    let (id, secret) = (folder.join("id"), folder.join("secret"));
    std::fs::write(&id, "bench")?;
    std::fs::write(&secret, "bench")?;
    let session = source.map(|source| {
        json!({
            "name": "bench",
            "platform": "genesys-events",
            "endpoint": format!("http://{}", source.address),
            "channels": [fixtures::TOPIC],
            // Many sessions of one credential are to be there at once, and where the machine is too
            // busy for all their handshakes, none is to poll instead.
            "transport": "websocket",
            "rate_limit": { "per_minute": 1_000_000 },
            "auth": {
                "grant": "client_credentials",
                "client_id_file": id,
                "client_secret_file": secret,
            },
        })
    });
    Ok(json!({
        "listen": { "grpc": [listen], "health": "", "admin": [] },
        "journals": [{ "name": "bench", "path": folder.join("journal") }],
        "sessions": session.into_iter().collect::<Vec<_>>(),
    }))
}
