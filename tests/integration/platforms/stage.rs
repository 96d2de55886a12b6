//! Sidecars that read simulated platforms, configured as an operator would.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tieline::runtime::{Clock, Rng};
use tieline::sandbox::cxone::{CxoneAgent, CxoneConfig};
use tieline::sandbox::genesys_cloud::{GenesysCloud, GenesysCloudConfig};
use tieline::sandbox::push::{PushConfig, PushOracle, PushPlatform, PushVerdict};
use tokio::time::Instant;

use crate::kit::{PATIENCE, Sidecar, Witness, write_secret};

/// A contact centre that moves only when it is told to, and makes known what it did at once.
pub(crate) fn quiet() -> GenesysCloudConfig {
    GenesysCloudConfig {
        requests_per_minute: None,
        token_requests_per_minute: None,
        ..GenesysCloudConfig::default()
    }
}

pub(crate) async fn cloud(config: GenesysCloudConfig) -> GenesysCloud {
    let started = GenesysCloud::start(config, Clock::system(), Rng::from_seed(11));
    started.await.unwrap()
}

pub(crate) async fn tenant(config: CxoneConfig) -> CxoneAgent {
    let started = CxoneAgent::start(config, Clock::system(), Rng::from_seed(11));
    started.await.unwrap()
}

pub(super) async fn push(config: PushConfig) -> PushPlatform {
    let config = PushConfig {
        token_requests_per_minute: None,
        ..config
    };
    let started = PushPlatform::start(config, Clock::system(), Rng::from_seed(11));
    started.await.unwrap()
}

/// A session of a platform that pushes; `more` overrides its keys.
pub(super) fn of_push(files: &Path, platform: &PushPlatform, name: &str, more: Value) -> Value {
    let client = platform.client_credentials();
    let secret = |key: &str, text: &str| write_secret(files, &format!("{name}-{key}"), text);
    let session = json!({
        "name": name,
        "platform": name,
        "endpoint": platform.endpoint(),
        "auth": {
            "grant": "client_credentials",
            "client_id_file": secret("id", &client.id),
            "client_secret_file": secret("secret", &client.secret),
        },
        "timing": { "backoff": { "base": "100ms", "cap": "800ms" } },
    });
    merged(session, more)
}

/// Reads until nothing is missing that no window covers, and every gap has its end; then nothing may
/// be missing, invented, doubled or out of sequence.
pub(super) async fn kept(platform: &PushPlatform, witness: &mut Witness) -> PushVerdict {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut oracle = PushOracle::new();
        oracle.take(&witness.events);
        let verdict = oracle.judge(&platform.facts());
        let well = verdict.lost == 0 && witness.has_closed_gaps();
        if well || Instant::now() > until {
            assert!(verdict.is_clean(), "{verdict:?}");
            assert!(witness.has_closed_gaps(), "gaps stay open: {verdict:?}");
            return verdict;
        }
        drop(tokio::time::timeout_at(until, witness.next()).await);
    }
}

/// A session of Genesys Cloud; `more` overrides its keys.
pub(crate) fn of_genesys(files: &Path, cloud: &GenesysCloud, name: &str, more: Value) -> Value {
    let client = cloud.client_credentials();
    let secret = |key: &str, text: &str| write_secret(files, &format!("{name}-{key}"), text);
    let session = json!({
        "name": name,
        "platform": "genesys-notifications",
        "endpoint": cloud.endpoint(),
        "auth": {
            "grant": "client_credentials",
            "client_id_file": secret("id", &client.id),
            "client_secret_file": secret("secret", &client.secret),
        },
        "rate_limit": { "per_minute": 1_000_000 },
        "timing": { "backoff": { "base": "100ms", "cap": "800ms" } },
    });
    merged(session, more)
}

/// A session of the tenant's first agent; `more` overrides its keys.
pub(crate) fn of_cxone(files: &Path, tenant: &CxoneAgent, name: &str, more: Value) -> Value {
    let key = tenant.credentials();
    let secret = |key: &str, text: &str| write_secret(files, &format!("{name}-{key}"), text);
    let session = json!({
        "name": name,
        "platform": "cxone-agent",
        "endpoint": tenant.endpoint(),
        "agent": { "id": key.agent },
        "auth": {
            "grant": "password",
            "client_id_file": secret("id", &key.client_id),
            "client_secret_file": secret("secret", &key.client_secret),
            "username_file": secret("key-id", &key.access_key_id),
            "password_file": secret("key-secret", &key.access_key_secret),
        },
        "rate_limit": { "per_minute": 1_000_000 },
        "timing": { "poll_timeout": "4s", "backoff": { "base": "100ms", "cap": "800ms" } },
    });
    merged(session, more)
}

fn merged(mut session: Value, more: Value) -> Value {
    let more = more.as_object().cloned().unwrap_or_default();
    session.as_object_mut().unwrap().extend(more);
    session
}

/// A sidecar with these sessions; `make` is given the folder for their secrets.
pub(crate) async fn sidecar(make: impl FnOnce(&Path) -> Vec<Value>) -> Sidecar {
    let files = Arc::new(TempDir::new().unwrap());
    let sessions = make(files.path());
    let key = write_secret(files.path(), "state-key", &"5e".repeat(32));
    let config = json!({
        "listen": { "grpc": ["127.0.0.1:0"], "health": "127.0.0.1:0", "admin": [] },
        "journals": [{ "name": "default", "path": files.path().join("journal") }],
        "state_key_file": key,
        "drain_timeout": "5s",
        "sessions": sessions,
    });
    Sidecar::open(serde_json::from_value(config).unwrap(), files).await
}
