//! [`GuestPlace`]: a platform for guests in this process, and the files of a sidecar beside it.

use serde_json::{Value, json};
use tempfile::TempDir;
use tieline::client::Address;
use tieline::runtime::{Clock, Rng};
use tieline::sandbox::guests::{GuestConfig, GuestDialect, GuestPlatform};

use crate::child::{Child, tieline};

/// The template that guests are made of.
pub(super) const TEMPLATE: &str = "sessionTemplates/chat";

/// Where one sidecar of guests lives.
#[derive(Debug)]
pub(super) struct GuestPlace {
    pub(super) platform: GuestPlatform,
    files: TempDir,
}

impl GuestPlace {
    pub(super) async fn new(config: GuestConfig, guests: usize, rng: &Rng) -> Self {
        let platform = GuestPlatform::start(config, Clock::system(), rng.fork("platform")).await;
        let place = Self {
            platform: platform.unwrap(),
            files: tempfile::tempdir().unwrap(),
        };
        std::fs::write(place.path("tieline.yaml"), place.config(guests).to_string()).unwrap();
        place
    }

    /// JSON is YAML.
    fn config(&self, guests: usize) -> Value {
        let mut template = json!({
            "name": "chat",
            "platform": self.platform.config().dialect.platform(),
            "endpoint": self.platform.endpoint(),
            "connections_per_second": 1000,
            "rate_limit": { "per_minute": 100_000 },
            "timing": { "backoff": { "base": "100ms", "cap": "1s" } },
        });
        match self.platform.config().dialect {
            GuestDialect::WebMessaging => {
                template["deployment_id"] = json!(self.platform.config().deployment_id);
            }
            GuestDialect::Webchat => {
                let client = self.platform.client_credentials();
                std::fs::write(self.path("client-id"), client.id).unwrap();
                std::fs::write(self.path("client-secret"), client.secret).unwrap();
                template["auth"] = json!({
                    "grant": "client_credentials",
                    "client_id_file": self.path("client-id"),
                    "client_secret_file": self.path("client-secret"),
                });
            }
        }
        json!({
            "listen": { "grpc": [self.address().to_string()], "health": "", "admin": [] },
            "drain_timeout": "5s",
            "journals": [{
                "name": "default",
                "path": self.path("journal"),
                "retention": { "min_free_bytes": "1MiB" },
            }],
            "max_dynamic_sessions": guests,
            "session_templates": [template],
        })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.files.path().join(name)
    }

    /// Where the sidecar serves gRPC.
    pub(super) fn address(&self) -> Address {
        Address::Unix(self.path("s"))
    }

    /// Starts a sidecar.
    pub(super) fn sidecar(&self) -> Child {
        let mut command = tieline();
        command
            .arg("run")
            .arg("--config")
            .arg(self.path("tieline.yaml"));
        Child::start(&mut command, &self.path("log"))
    }
}
