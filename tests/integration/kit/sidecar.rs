//! [`Sidecar`]: a whole [`App`] in this process, that can be ended and started again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tieline::app::{App, Ended, ReloadError, ReloadStatus, Stop};
use tieline::auth::{AuthConfig, Grant};
use tieline::client::Address;
use tieline::config::{Config, Difference, ListenConfig, Sources};
use tieline::domain::{JournalName, SessionName};
use tieline::journal::{Info, JournalConfig, RetentionConfig, StoreConfig};
use tieline::net::{RateLimitConfig, TlsConfig};
use tieline::proto::v1;
use tieline::runtime::{ByteSize, Clock, Hangups, HumanDuration, Rng};
use tieline::sandbox::{DEFAULT_CHANNELS, Sandbox};
use tieline::session::{
    BackoffConfig, SessionBoard, SessionConfig, StatsSnapshot, TimingConfig, TransportChoice,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use v1::session::State;

use super::PATIENCE;
use super::canary::{Canary, is_clean, keep_secret};

/// The name of the one session.
pub(crate) const SESSION: &str = "contact-centre";

pub(crate) struct Sidecar {
    app: App,
    config: Config,
    /// Secrets and the journal; removed with the last sidecar that used them.
    files: Arc<TempDir>,
    /// Looks for secrets where none may be.
    canary: Canary,
}

impl Sidecar {
    /// Starts one for a platform; `adjust` has the last word on its configuration.
    pub(crate) async fn start(sandbox: &Sandbox, adjust: impl FnOnce(&mut Config)) -> Self {
        let files = Arc::new(tempfile::tempdir().unwrap());
        let mut config = config(sandbox, files.path());
        adjust(&mut config);
        Self::open(config, files).await
    }

    /// Starts one on files that are there already.
    pub(crate) async fn open(config: Config, files: Arc<TempDir>) -> Self {
        let canary = Canary::new(&config);
        let app = App::start(config.clone(), Clock::system(), Rng::from_seed(7));
        let app = timeout(PATIENCE, app).await.unwrap().unwrap();
        Self {
            app,
            config,
            files,
            canary,
        }
    }

    /// Where its files stand.
    pub(crate) fn files(&self) -> &Path {
        self.files.path()
    }

    /// What it takes to start it again once it has ended.
    pub(crate) fn again(&self) -> (Config, Arc<TempDir>) {
        (self.config.clone(), Arc::clone(&self.files))
    }

    /// Applies another configuration while it runs.
    pub(crate) async fn reload(&self, config: Config) -> Result<Difference, ReloadError> {
        timeout(PATIENCE, self.app.reloads().apply(config))
            .await
            .expect("it is applied")
    }

    /// Reads its configuration from this file whenever that changes.
    pub(crate) fn follow(&mut self, file: &Path) {
        let sources = Sources {
            file: file.to_owned(),
            variables: BTreeMap::new(),
            flags: Vec::new(),
            platforms: tieline::connectors::platforms(),
        };
        self.app.follow(sources, Hangups::listen().unwrap());
    }

    /// How its configuration was last read again.
    pub(crate) fn reload_status(&self) -> ReloadStatus {
        self.app.reload_status()
    }

    /// Its journal.
    pub(crate) fn journal(&self) -> Info {
        self.app.journals()[0].info()
    }

    pub(crate) fn address(&self) -> Address {
        self.app.addresses()[0].parse().unwrap()
    }

    /// The address of `/readyz` and its like.
    pub(crate) fn health_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.health_address().unwrap())
    }

    /// Where the console is.
    pub(crate) fn admin(&self) -> &[String] {
        self.app.admin_addresses()
    }

    pub(crate) fn stats(&self) -> StatsSnapshot {
        self.app.stats()[0].1
    }

    pub(crate) fn board(&self) -> SessionBoard {
        self.app.board().clone()
    }

    /// The session as it is now.
    pub(crate) fn session(&self) -> v1::Session {
        let posts = self.board().posts();
        let session = &posts[&SessionName::new(SESSION).unwrap()].state;
        is_clean("the session's state", &format!("{session:?}"));
        session.as_ref().clone()
    }

    /// Waits until something is true of the session.
    pub(crate) async fn until(
        &self,
        what: &str,
        test: impl Fn(&v1::Session) -> bool,
    ) -> v1::Session {
        self.until_of(SESSION, what, test).await
    }

    /// Waits until something is true of the session of that name.
    pub(crate) async fn until_of(
        &self,
        name: &str,
        what: &str,
        test: impl Fn(&v1::Session) -> bool,
    ) -> v1::Session {
        let name = SessionName::new(name).unwrap();
        let mut posts = self.board().watch();
        let wait = posts.wait_for(|posts| posts.get(&name).is_some_and(|post| test(&post.state)));
        match timeout(PATIENCE, wait).await {
            Ok(Ok(posts)) => {
                let session = &posts[&name].state;
                is_clean("the session's state", &format!("{session:?}"));
                session.as_ref().clone()
            }
            _ => {
                let posts = self.board().posts();
                let is = &posts[&name].state;
                panic!("waited in vain until {name} is {what}; it is {is:?}");
            }
        }
    }

    /// Waits until the session is well.
    pub(crate) async fn active(&self) -> v1::Session {
        self.until("active", |s| s.state() == State::Active).await
    }

    /// Waits until the session is well on one transport.
    pub(crate) async fn active_on(&self, transport: v1::Transport) -> v1::Session {
        let wanted = |s: &v1::Session| s.state() == State::Active && s.transport() == transport;
        self.until(transport.as_str_name(), wanted).await
    }

    /// Waits until the session needs a person.
    pub(crate) async fn suspended(&self) -> v1::Session {
        self.until("suspended", |s| s.state() == State::Suspended)
            .await
    }

    /// An operator asks for a new connection.
    pub(crate) fn reconnect(&self) {
        let known = self.board().reconnect(&SessionName::new(SESSION).unwrap());
        assert!(known.is_some());
    }

    /// Ends it in order.
    pub(crate) async fn drain(self) -> Ended {
        self.end().await.0
    }

    /// Ends it in order and starts it again on the same files.
    pub(crate) async fn restart(self, adjust: impl FnOnce(&mut Config)) -> Self {
        let (ended, mut config, files) = self.end().await;
        assert!(matches!(ended, Ended::Drained), "{ended:?}");
        adjust(&mut config);
        Self::open(config, files).await
    }

    async fn end(self) -> (Ended, Config, Arc<TempDir>) {
        let (stop, told) = mpsc::channel(1);
        stop.send(Stop::Drain).await.unwrap();
        let ended = timeout(PATIENCE, self.app.run_until(told)).await;
        let ended = ended.expect("it ends");
        is_clean("how it ended", &format!("{ended:?}"));
        drop(self.canary);
        (ended, self.config, self.files)
    }

    /// Runs it until it is told to end.
    pub(crate) async fn run_until(mut self, told: mpsc::Receiver<Stop>) -> Ended {
        // Its end is timed; whoever opens these files again looks at them.
        self.canary.leave_files();
        self.app.run_until(told).await
    }
}

/// Writes a secret where a session looks for it.
pub(crate) fn write_secret(files: &Path, name: &str, text: &str) -> std::path::PathBuf {
    // A name is no secret.
    if !name.ends_with("id") {
        keep_secret(text);
    }
    let path = files.join(name);
    // As an operator's tooling does: whole or not at all.
    let beside = files.join(format!(".{name}"));
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, &path).unwrap();
    path
}

/// Likewise, so that only its owner can read it.
pub(crate) fn write_private(files: &Path, name: &str, text: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let (path, beside) = (files.join(name), files.join(format!(".{name}")));
    std::fs::write(&beside, text).unwrap();
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&beside, &path).unwrap();
    path
}

fn config(sandbox: &Sandbox, files: &Path) -> Config {
    let client = sandbox.client_credentials();
    let human = |millis| HumanDuration::from_millis(millis);
    let auth = AuthConfig {
        grant: Grant::ClientCredentials,
        token_url: None,
        credential_placement: None,
        client_id_file: Some(write_secret(files, "client-id", &client.id)),
        client_id_env: None,
        client_secret_file: Some(write_secret(files, "client-secret", &client.secret)),
        client_secret_env: None,
        refresh_token_file: None,
        refresh_token_env: None,
        username_file: None,
        username_env: None,
        password_file: None,
        password_env: None,
    };
    let timing = TimingConfig {
        probe_timeout: human(1_000),
        failback_interval: human(400),
        poll_timeout: human(3_000),
        reorder_window: human(3_000),
        backoff: BackoffConfig {
            base: human(100),
            cap: human(800),
            max_attempts: 0,
        },
        ..TimingConfig::default()
    };
    let session = SessionConfig {
        name: SessionName::new(SESSION).unwrap(),
        journal: None,
        platform: sandbox.dialect().platform().to_owned(),
        profile: None,
        endpoint: sandbox.endpoint(),
        alternative_endpoints: Vec::new(),
        channels: DEFAULT_CHANNELS.map(str::to_owned).into(),
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
    let retention = RetentionConfig {
        max_bytes: ByteSize::from_mib(128),
        ..RetentionConfig::default()
    };
    Config {
        session_templates: Vec::new(),
        max_dynamic_sessions: 0,
        listen: ListenConfig {
            grpc: vec!["127.0.0.1:0".to_owned()],
            health: "127.0.0.1:0".to_owned(),
            admin: Vec::new(),
            ..ListenConfig::default()
        },
        journals: vec![JournalConfig {
            name: JournalName::new("default").unwrap(),
            path: files.join("journal"),
            store: StoreConfig::default(),
            retention,
        }],
        sessions: vec![session],
        state_key_file: None,
        drain_timeout: HumanDuration::from_secs(5),
    }
}

/// Status and body of an answer over plain HTTP.
pub(crate) async fn get(url: &str) -> (u16, String) {
    // Whoever is first sets it; the others find it set.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
    let answer = client.build().unwrap().get(url).send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    is_clean(url, &text);
    (status, text)
}
