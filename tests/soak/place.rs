//! Where a soak takes place: three platforms with short lives, and the binary with a session of each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tieline::client::Address;
use tieline::proto::v1;
use tieline::proto::v1::session_service_client::SessionServiceClient;
use tieline::runtime::{Clock, Rng};
use tieline::sandbox::cxone::{CxoneAgent, CxoneConfig};
use tieline::sandbox::genesys_cloud::{GenesysCloud, GenesysCloudConfig};
use tieline::sandbox::{Sandbox, SandboxConfig};
use tokio::process::Command;

use crate::Asked;
use crate::platform::{Kind, Platform};
use crate::process::Process;

/// Of every access token.
const TOKEN_LIFE: Duration = Duration::from_secs(20);
/// Of every channel of the platform that has channels.
const CHANNEL_LIFE: Duration = Duration::from_secs(30);
/// Changes in a second of the platforms that have few; each is told by several events.
const FEW: f64 = 10.0;
/// What a platform or its ledger may hold: as much as a day of this brings.
const ENOUGH: usize = 50_000_000;

/// Names of the sessions and of their journals.
pub(crate) const KINDS: [(Kind, &str); 3] = [
    (Kind::Events, "events"),
    (Kind::Notifications, "notifications"),
    (Kind::Agent, "agent"),
];

pub(crate) struct Place {
    pub(crate) platforms: Vec<Platform>,
    pub(crate) process: Process,
    pub(crate) address: Address,
    log: PathBuf,
}

impl Place {
    /// Starts everything below a folder.
    pub(crate) async fn start(folder: &Path, asked: &Asked) -> Result<Self> {
        let mut platforms = Vec::new();
        for (kind, name) in KINDS {
            platforms.push(start(kind, asked.rng.fork(name)).await?);
        }
        let socket = folder.join("grpc.sock");
        let config = config(folder, &socket, &platforms)?;
        let file = folder.join("tieline.yaml");
        // JSON is YAML.
        std::fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tieline"));
        command.env_clear().args(["run", "--config"]).arg(&file);
        let log = folder.join("tieline.log");
        let mut process = Process::start(&mut command, &log)?;
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        process.makes(&socket).await.with_context(said)?;
        Ok(Self {
            platforms,
            process,
            address: format!("unix:{}", socket.display()).parse()?,
            log,
        })
    }

    /// Waits until every session has connected, then lets the platforms speak.
    pub(crate) async fn begin(&self, rate: f64) -> Result<()> {
        let mut client = SessionServiceClient::new(self.address.channel()?);
        let request = v1::WatchSessionsRequest::default();
        let mut watch = client.watch_sessions(request).await?.into_inner();
        let mut connected = std::collections::BTreeSet::new();
        while connected.len() < KINDS.len() {
            let told = watch.message().await?.context("the watch ended")?;
            let connects =
                |session: &v1::Session| session.transport() != v1::Transport::Unspecified;
            let names = told.sessions.into_iter().filter(connects);
            connected.extend(names.map(|session| session.name));
        }
        for platform in &self.platforms {
            let few = if matches!(platform, Platform::Events(_)) {
                rate
            } else {
                FEW
            };
            platform.set_rate(few);
        }
        Ok(())
    }

    /// What a person would do about sessions that are suspended; why they were.
    pub(crate) async fn reconnect_suspended(&self) -> Result<Vec<String>> {
        let mut client = SessionServiceClient::new(self.address.channel()?);
        let request = v1::ListSessionsRequest::default();
        let sessions = client.list_sessions(request).await?.into_inner().sessions;
        let mut reasons = Vec::new();
        for session in sessions {
            if session.state() != v1::session::State::Suspended {
                continue;
            }
            let (name, why) = (session.name, session.reason);
            let short = name.trim_start_matches("sessions/");
            reasons.push(format!(
                "{short} {}",
                why.split(':').next().unwrap_or_default()
            ));
            client
                .reconnect_session(v1::ReconnectSessionRequest { name })
                .await?;
        }
        Ok(reasons)
    }

    /// The last lines that the binary said.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines.iter().skip(lines.len().saturating_sub(15));
        tail.map(|line| format!("    {line}\n")).collect()
    }
}

async fn start(kind: Kind, rng: Rng) -> Result<Platform> {
    let clock = Clock::system();
    Ok(match kind {
        Kind::Events => {
            let config = SandboxConfig {
                payload: 600,
                token_lifetime: TOKEN_LIFE,
                token_requests_per_minute: None,
                hold_min: Duration::from_millis(1_400),
                hold_max: Duration::from_millis(1_700),
                ledger_capacity: ENOUGH,
                ..SandboxConfig::default()
            };
            Platform::Events(Sandbox::start(config, clock, rng).await?)
        }
        Kind::Notifications => {
            let config = GenesysCloudConfig {
                token_lifetime: 2 * TOKEN_LIFE,
                channel_lifetime: CHANNEL_LIFE,
                requests_per_minute: None,
                token_requests_per_minute: None,
                ledger_capacity: ENOUGH,
                ..GenesysCloudConfig::default()
            };
            Platform::Notifications(GenesysCloud::start(config, clock, rng).await?)
        }
        Kind::Agent => {
            let config = CxoneConfig {
                agents: 1,
                token_lifetime: TOKEN_LIFE,
                refresh_lifetime: 3 * TOKEN_LIFE,
                ledger_capacity: ENOUGH,
                ..CxoneConfig::default()
            };
            Platform::Agent(CxoneAgent::start(config, clock, rng).await?)
        }
    })
}

fn config(folder: &Path, socket: &Path, platforms: &[Platform]) -> Result<Value> {
    let key = folder.join("state-key");
    std::fs::write(&key, "5e".repeat(32))?;
    let (mut journals, mut sessions) = (Vec::new(), Vec::new());
    for ((kind, name), platform) in KINDS.into_iter().zip(platforms) {
        let secrets = folder.join(name);
        std::fs::create_dir_all(&secrets)?;
        journals.push(json!({
            "name": name,
            "path": secrets.join("journal"),
            // Filled, rolled and trimmed again and again.
            "retention": { "max_bytes": "128MiB", "min_free_bytes": "1MiB" },
        }));
        let mut session = platform.session(&secrets)?;
        let own = json!({
            "name": name,
            "journal": name,
            "platform": kind.name(),
            "endpoint": platform.endpoint(),
            "rate_limit": { "per_minute": 1_000_000 },
            "timing": {
                "failback_interval": "2s",
                "poll_timeout": "4s",
                "websocket_ping": "1s",
                "pong_timeout": "800ms",
                "backoff": { "base": "100ms", "cap": "1s" },
            },
        });
        let keys = session.as_object_mut().context("an object")?;
        keys.extend(own.as_object().cloned().context("an object")?);
        sessions.push(session);
    }
    Ok(json!({
        "listen": { "grpc": [format!("unix:{}", socket.display())], "health": "", "admin": [] },
        "journals": journals,
        "sessions": sessions,
        "state_key_file": key,
        "drain_timeout": "5s",
    }))
}
