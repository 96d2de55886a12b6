//! [`Sidecar`]: the real binary with one session, and a reader of its stream that keeps time.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tieline::client::{Address, GapChoice, Item, Resuming};
use tieline::proto::v1;
use tieline::proto::v1::session_service_client::SessionServiceClient;
use tieline::runtime::Rng;
use tokio::process::Command;
use tokio::time::{Instant, timeout};
use v1::event::{Data, Origin};
use v1::session_event::Kind;
use v1::subscribe_request::Start;

use crate::process::Process;

pub(crate) struct Sidecar {
    process: Process,
    address: Address,
    stream: Resuming,
    pub(crate) events: Vec<v1::Event>,
    pub(crate) epoch: String,
    /// When the newest event of the platform came.
    newest: Option<Instant>,
}

impl Sidecar {
    /// Starts the binary; `environment` is all it has of one.
    pub(crate) async fn start(
        folder: &Path,
        session: &Value,
        environment: &[(&str, String)],
    ) -> Result<Self> {
        let socket = folder.join("grpc.sock");
        let config = json!({
            "listen": { "grpc": [format!("unix:{}", socket.display())], "health": "", "admin": [] },
            "journals": [{ "name": "default", "path": folder.join("journal") }],
            "state_key_file": key(folder)?,
            "drain_timeout": "2s",
            "sessions": [session],
        });
        let file = folder.join("tieline.yaml");
        std::fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tieline"));
        command.env_clear().args(["run", "--config"]).arg(&file);
        command.args(["--log", "info"]);
        command.envs(environment.iter().map(|(name, value)| (*name, value)));
        let log = folder.join("tieline.log");
        let mut process = Process::start(&mut command, &log)?;
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        process.makes(&socket).await.with_context(said)?;
        let address: Address = format!("unix:{}", socket.display()).parse()?;
        let request = v1::SubscribeRequest {
            start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
            ..v1::SubscribeRequest::default()
        };
        let stop = |_: &_| GapChoice::Stop;
        Ok(Self {
            process,
            stream: Resuming::new(address.clone(), request, stop, Rng::from_seed(3))?,
            address,
            events: Vec::new(),
            epoch: String::new(),
            newest: None,
        })
    }

    /// Reads for so long; returns the longest time without an event of the platform, from `since` on
    /// or from the newest event on, whichever is later.
    pub(crate) async fn read_for(&mut self, time: Duration, since: Instant) -> Result<Duration> {
        let until = Instant::now() + time;
        let mut longest = Duration::ZERO;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let before = self.newest.map_or(since, |newest| newest.max(since));
            let Ok(more) = timeout(left, self.next()).await else {
                return Ok(longest.max(until.saturating_duration_since(before)));
            };
            if more? && let Some(newest) = self.newest {
                longest = longest.max(newest.saturating_duration_since(before));
            }
        }
    }

    /// Reads until an event of the platform comes.
    pub(crate) async fn read_one(&mut self) -> Result<()> {
        while !self.next().await? {}
        Ok(())
    }

    /// Takes the next response; whether it brought events of the platform that came live.
    pub(crate) async fn next(&mut self) -> Result<bool> {
        let item = self.stream.next().await.context("the stream ended")?;
        let Item::Response(response) = item? else {
            return Ok(false);
        };
        let of_platform = |event: &v1::Event| event.origin() != Origin::Sidecar;
        let brought = response.events.iter().any(of_platform);
        if brought {
            self.newest = Some(Instant::now());
        }
        self.events.extend(response.events);
        if let Some(position) = self.stream.position() {
            self.epoch.clone_from(&position.epoch);
        }
        Ok(brought)
    }

    /// The session as it is.
    pub(crate) async fn session(&mut self) -> Result<v1::Session> {
        let mut client = SessionServiceClient::new(self.address.channel()?);
        let request = v1::ListSessionsRequest::default();
        let page = client.list_sessions(request).await?.into_inner();
        page.sessions.into_iter().next().context("a session")
    }

    fn facts(&self) -> impl Iterator<Item = (u64, &v1::SessionEvent)> {
        self.events.iter().filter_map(|event| match &event.data {
            Some(Data::SessionEvent(fact)) => Some((event.sequence, fact)),
            _ => None,
        })
    }

    /// How often a reader was told so.
    pub(crate) fn told(&self, kind: Kind) -> usize {
        self.facts().filter(|(_, fact)| fact.kind() == kind).count()
    }

    /// Whether every suspicion has its end.
    pub(crate) fn has_closed_gaps(&self) -> bool {
        let ends = [Kind::GapClosed, Kind::GapConfirmed];
        let ended = self.facts().filter(|(_, fact)| ends.contains(&fact.kind()));
        let ended: HashSet<u64> = ended.map(|(_, fact)| fact.gap_sequence).collect();
        let mut suspected = self
            .facts()
            .filter(|(_, fact)| fact.kind() == Kind::GapSuspected);
        suspected.all(|(sequence, _)| ended.contains(&sequence))
    }

    pub(crate) async fn end(self) -> Result<()> {
        self.process.end().await
    }
}

fn key(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("state-key");
    std::fs::write(&path, "5e".repeat(32))?;
    Ok(path)
}
