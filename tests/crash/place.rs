//! [`Place`]: a simulated platform in this process, and the files of a sidecar beside it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tieline::client::Address;
use tieline::runtime::{Clock, Rng};
use tieline::sandbox::{DEFAULT_CHANNELS, Sandbox, SandboxConfig};
use tokio::process::Command;

use crate::child::{Child, run, tieline};

/// Where one sidecar lives.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) sandbox: Sandbox,
    files: TempDir,
    journal: PathBuf,
}

/// What differs between tests.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) transport: &'static str,
    pub(crate) retention: Value,
    /// gRPC is served on a port of loopback as well.
    pub(crate) tcp: bool,
    /// What else stands in `listen`.
    pub(crate) listen: Value,
    /// Where the journal is, other than beside the other files.
    pub(crate) journal: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            transport: "websocket",
            retention: json!({ "min_free_bytes": "1MiB" }),
            tcp: false,
            listen: json!({}),
            journal: None,
        }
    }
}

/// A platform that loses nothing however long a sidecar is away.
pub(crate) fn patient_platform() -> SandboxConfig {
    SandboxConfig {
        payload: 600,
        retention: 1_000_000,
        history_retention: 1_000_000,
        retention_bytes: 512 << 20,
        ledger_capacity: 10_000_000,
        token_requests_per_minute: None,
        ..SandboxConfig::default()
    }
}

impl Place {
    /// Starts the platform and writes the configuration.
    pub(crate) async fn new(platform: SandboxConfig, settings: Settings, rng: &Rng) -> Self {
        let rng = rng.fork("platform");
        let sandbox = Sandbox::start(platform, Clock::system(), rng)
            .await
            .unwrap();
        let files = tempfile::tempdir().unwrap();
        let journal = settings.journal.clone();
        let journal = journal.unwrap_or_else(|| files.path().join("journal"));
        let place = Self {
            sandbox,
            files,
            journal,
        };
        place.write_config(&settings);
        place
    }

    fn write_config(&self, settings: &Settings) {
        let client = self.sandbox.client_credentials();
        std::fs::write(self.path("client-id"), client.id).unwrap();
        std::fs::write(self.path("client-secret"), client.secret).unwrap();
        let mut listen = json!({ "grpc": [self.address().to_string()], "health": "", "admin": [] });
        if settings.tcp {
            listen["grpc"] = json!(["127.0.0.1:0", self.address().to_string()]);
        }
        let more = settings.listen.as_object().cloned();
        listen
            .as_object_mut()
            .unwrap()
            .extend(more.unwrap_or_default());
        let config = json!({
            "listen": listen,
            "drain_timeout": "5s",
            "journals": [
                { "name": "default", "path": self.journal, "retention": settings.retention },
            ],
            "sessions": [{
                "name": "centre",
                "platform": "genesys-events",
                "endpoint": self.sandbox.endpoint(),
                "channels": DEFAULT_CHANNELS,
                "transport": settings.transport,
                "auth": {
                    "grant": "client_credentials",
                    "client_id_file": self.path("client-id"),
                    "client_secret_file": self.path("client-secret"),
                },
                "timing": { "backoff": { "base": "50ms", "cap": "500ms" } },
            }],
        });
        // JSON is YAML.
        std::fs::write(self.config(), config.to_string()).unwrap();
    }

    /// A file beside the others.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("tieline.yaml")
    }

    pub(crate) fn journal(&self) -> &Path {
        &self.journal
    }

    /// Where the sidecar serves gRPC.
    pub(crate) fn address(&self) -> Address {
        Address::Unix(self.path("s"))
    }

    /// Writes something else into the configuration.
    pub(crate) fn change(&self, from: &str, to: &str) {
        let before = std::fs::read_to_string(self.config()).unwrap();
        let after = before.replace(from, to);
        assert_ne!(before, after);
        std::fs::write(self.config(), after).unwrap();
    }

    /// Starts a sidecar.
    pub(crate) fn sidecar(&self) -> Child {
        self.sidecar_with(&[])
    }

    /// Starts a sidecar with these variables in its environment.
    pub(crate) fn sidecar_with(&self, variables: &[(&str, &str)]) -> Child {
        let mut command = tieline();
        command.envs(variables.iter().copied());
        self.sidecar_by(command)
    }

    /// Starts one by a command that ends with the binary.
    pub(crate) fn sidecar_by(&self, mut command: Command) -> Child {
        command.arg("run").arg("--config").arg(self.config());
        Child::start(&mut command, &self.path("log"))
    }

    /// Waits until something of the sidecar serves: `""`, `sessions/centre`, `journals/default`.
    pub(crate) async fn serves(&self, service: &str) {
        let address = self.address().to_string();
        let waited = run(["wait", "--address", &address, "--service", service]).await;
        assert_eq!(waited.code, Some(0), "{service}: {waited:?}");
    }
}
