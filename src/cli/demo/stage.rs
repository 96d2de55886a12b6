//! Everything the demo runs: a simulated platform, the sidecar, and the files between them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::story::scaled;
use crate::app::{App, Ended, Stop};
use crate::auth::{AuthConfig, Grant};
use crate::config::{Config, ListenConfig};
use crate::domain::{JournalName, SessionName};
use crate::journal::{JournalConfig, RetentionConfig, StoreConfig};
use crate::net::{RateLimitConfig, TlsConfig};
use crate::runtime::{Clock, HumanDuration, Rng};
use crate::sandbox::{ElapsedHold, Sandbox, SandboxConfig};
use crate::session::{BackoffConfig, SessionConfig, StatsSnapshot, TimingConfig, TransportChoice};

/// The platform and the sidecar.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    pub(super) address: String,
    pub(super) journal: PathBuf,
    app: App,
    /// Secrets, and the journal where none was named; removed at the end.
    _files: TempDir,
}

/// What the stage is set with.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) rate: f64,
    pub(super) listen: String,
    pub(super) journal: Option<PathBuf>,
    /// How long the story is played.
    pub(super) length: Duration,
}

impl Stage {
    pub(super) async fn set(setting: Setting, rng: &Rng) -> anyhow::Result<Self> {
        let files = tempfile::tempdir().context("make a temporary directory")?;
        let journal = match setting.journal {
            None => files.path().join("journal"),
            Some(path) => unused(path)?,
        };
        let quick = |seconds: f64| scaled(Duration::from_secs_f64(seconds), setting.length);
        let platform = SandboxConfig {
            rate: 0.0,
            hold_min: quick(4.0),
            hold_max: quick(5.0),
            elapsed: ElapsedHold::Either,
            ..SandboxConfig::default()
        };
        let sandbox = Sandbox::start(platform, Clock::system(), rng.fork("platform")).await?;
        let config = config(&sandbox, &files, &journal, &setting.listen, quick).await?;
        let app = App::start(config, Clock::system(), rng.fork("sidecar")).await?;
        sandbox.set_rate(setting.rate);
        let address = app.addresses().first().cloned().unwrap_or_default();
        Ok(Self {
            sandbox,
            address,
            journal,
            app,
            _files: files,
        })
    }

    /// What the session has counted.
    pub(super) fn stats(&self) -> StatsSnapshot {
        let stats = self.app.stats();
        stats
            .into_iter()
            .next()
            .map(|(_, stats)| stats)
            .unwrap_or_default()
    }

    /// Ends the sidecar in order, then the platform; whether everything ended as it should.
    pub(super) async fn strike(self) -> bool {
        let (stop, told) = mpsc::channel(1);
        let asked = stop.send(Stop::Drain).await.is_ok();
        let ended = self.app.run_until(told).await;
        self.sandbox.shutdown().await;
        asked && matches!(ended, Ended::Drained)
    }
}

/// The platform of a demo begins at 1, so a journal that has met another one is of no use.
fn unused(path: PathBuf) -> anyhow::Result<PathBuf> {
    let in_use = std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some());
    if in_use {
        bail!(
            "--journal {}: the directory is not empty; name one that is, or that does not exist",
            path.display()
        );
    }
    Ok(path)
}

async fn config(
    sandbox: &Sandbox,
    files: &TempDir,
    journal: &Path,
    listen: &str,
    quick: impl Fn(f64) -> Duration,
) -> anyhow::Result<Config> {
    let client = sandbox.client_credentials();
    let secret = async |name: &str, text: &str| {
        let path = files.path().join(name);
        let written = tokio::fs::write(&path, text).await;
        written
            .with_context(|| format!("write {}", path.display()))
            .map(|()| path)
    };
    let auth = AuthConfig {
        grant: Grant::ClientCredentials,
        token_url: None,
        credential_placement: None,
        client_id_file: Some(secret("client-id", &client.id).await?),
        client_id_env: None,
        client_secret_file: Some(secret("client-secret", &client.secret).await?),
        client_secret_env: None,
        refresh_token_file: None,
        refresh_token_env: None,
        username_file: None,
        username_env: None,
        password_file: None,
        password_env: None,
    };
    let timing = TimingConfig {
        failback_interval: HumanDuration(quick(1.0)),
        poll_timeout: HumanDuration(quick(10.0)),
        backoff: BackoffConfig {
            base: HumanDuration(quick(0.5)),
            cap: HumanDuration(quick(2.0)),
            max_attempts: 0,
        },
        ..TimingConfig::default()
    };
    let session = SessionConfig {
        name: SessionName::new("contact-centre")?,
        journal: None,
        platform: "genesys-events".to_owned(),
        profile: None,
        endpoint: sandbox.endpoint(),
        alternative_endpoints: Vec::new(),
        channels: crate::sandbox::DEFAULT_CHANNELS.map(str::to_owned).into(),
        topics: Vec::new(),
        redundancy: 1,
        agent: None,
        guest: None,
        rate_limit: RateLimitConfig::default(),
        auth,
        transport: TransportChoice::Auto,
        allowed_domains: Vec::new(),
        allow_plaintext: false,
        timing,
        tls: TlsConfig::default(),
        proxy: None,
    };
    Ok(Config {
        listen: ListenConfig {
            grpc: vec![listen.to_owned()],
            health: String::new(),
            admin: Vec::new(),
            ..ListenConfig::default()
        },
        journals: vec![JournalConfig {
            name: JournalName::new("default")?,
            path: journal.to_owned(),
            store: StoreConfig::default(),
            retention: RetentionConfig::default(),
        }],
        sessions: vec![session],
        session_templates: Vec::new(),
        max_dynamic_sessions: 0,
        state_key_file: None,
        drain_timeout: HumanDuration::from_secs(5),
    })
}
