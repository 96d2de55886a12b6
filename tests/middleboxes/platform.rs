//! [`Platform`]: one of the simulated platforms, and what its oracle says of a reader.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tieline::proto::v1;
use tieline::runtime::{Clock, Rng};
use tieline::sandbox::cxone::{CxoneAgent, CxoneConfig, CxoneOracle};
use tieline::sandbox::genesys_cloud::{GenesysCloud, GenesysCloudConfig, GenesysOracle};
use tieline::sandbox::{DEFAULT_CHANNELS, ElapsedHold, Emission, Oracle, Sandbox, SandboxConfig};
use url::Url;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// genesys-events: numbered, both transports.
    Events,
    /// genesys-notifications: no numbers, WebSocket alone.
    Notifications,
    /// cxone-agent: no numbers, long polling alone.
    Agent,
}

pub(crate) enum Platform {
    Events(Sandbox),
    Notifications(GenesysCloud),
    Agent(CxoneAgent),
}

/// What a platform's oracle has taken of one reader.
#[derive(Debug)]
pub(crate) enum Judge {
    Events(Box<Oracle>),
    Notifications(Box<GenesysOracle>),
    Agent(Box<CxoneOracle>),
}

impl Judge {
    /// Takes events as the reader got them.
    pub(crate) fn take(&mut self, epoch: &str, events: &[v1::Event]) {
        match self {
            Self::Events(oracle) => oracle.take(epoch, events),
            Self::Notifications(oracle) => oracle.take(epoch, events),
            Self::Agent(oracle) => oracle.take(events),
        }
    }
}

/// What an oracle says, of whatever platform.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) issued: u64,
    pub(crate) delivered: u64,
    /// Not delivered, and a record says so.
    pub(crate) on_record: u64,
    /// Not delivered, and nothing says so.
    pub(crate) lost: u64,
    /// Doubled, disordered, invented, altered: anything else that was promised not to be.
    pub(crate) other: u64,
    pub(crate) first_violation: Option<String>,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Events => "genesys-events",
            Self::Notifications => "genesys-notifications",
            Self::Agent => "cxone-agent",
        }
    }

    /// Starts the platform; behind TLS its authority's certificate goes to a file.
    pub(crate) async fn start(self, ca: Option<PathBuf>) -> Result<Platform> {
        let (clock, rng) = (Clock::system(), Rng::from_seed(17));
        Ok(match self {
            Self::Events => {
                let config = SandboxConfig {
                    tls_ca_out: ca,
                    hold_min: Duration::from_millis(1_400),
                    hold_max: Duration::from_millis(1_700),
                    elapsed: ElapsedHold::Either,
                    ..SandboxConfig::default()
                };
                Platform::Events(Sandbox::start(config, clock, rng).await?)
            }
            Self::Notifications => {
                let config = GenesysCloudConfig {
                    tls_ca_out: ca,
                    requests_per_minute: None,
                    token_requests_per_minute: None,
                    ..GenesysCloudConfig::default()
                };
                Platform::Notifications(GenesysCloud::start(config, clock, rng).await?)
            }
            Self::Agent => {
                let config = CxoneConfig {
                    tls_ca_out: ca,
                    agents: 1,
                    ..CxoneConfig::default()
                };
                Platform::Agent(CxoneAgent::start(config, clock, rng).await?)
            }
        })
    }
}

impl Platform {
    pub(crate) fn endpoint(&self) -> Url {
        match self {
            Self::Events(it) => it.endpoint(),
            Self::Notifications(it) => it.endpoint(),
            Self::Agent(it) => it.endpoint(),
        }
    }

    pub(crate) fn port(&self) -> Result<u16> {
        self.endpoint().port().context("a port")
    }

    /// What a session of it needs besides its endpoint.
    pub(crate) fn session(&self, files: &Path) -> Result<Value> {
        let secret = |name: &str, text: &str| -> Result<PathBuf> {
            let path = files.join(name);
            std::fs::write(&path, text)?;
            Ok(path)
        };
        Ok(match self {
            Self::Events(it) => {
                let client = it.client_credentials();
                json!({
                    "channels": DEFAULT_CHANNELS,
                    "auth": {
                        "grant": "client_credentials",
                        "client_id_file": secret("id", &client.id)?,
                        "client_secret_file": secret("secret", &client.secret)?,
                    },
                })
            }
            Self::Notifications(it) => {
                let client = it.client_credentials();
                json!({
                    "topics": [
                        { "v2.users.{id}?presence&routingStatus": "all" },
                        { "v2.routing.queues.{id}.conversations": "all" },
                    ],
                    "auth": {
                        "grant": "client_credentials",
                        "client_id_file": secret("id", &client.id)?,
                        "client_secret_file": secret("secret", &client.secret)?,
                    },
                })
            }
            Self::Agent(it) => {
                let key = it.credentials();
                json!({
                    "agent": { "id": key.agent },
                    "auth": {
                        "grant": "password",
                        "client_id_file": secret("id", &key.client_id)?,
                        "client_secret_file": secret("secret", &key.client_secret)?,
                        "username_file": secret("key-id", &key.access_key_id)?,
                        "password_file": secret("key-secret", &key.access_key_secret)?,
                    },
                })
            }
        })
    }

    pub(crate) fn set_rate(&self, per_second: f64) {
        match self {
            Self::Events(it) => it.set_rate(per_second),
            Self::Notifications(it) => it.set_rate(per_second),
            Self::Agent(it) => it.set_rate(per_second),
        }
    }

    pub(crate) fn emit(&self, count: u64) -> Result<()> {
        match self {
            Self::Events(it) => {
                it.emit(&Emission::story(count))?;
            }
            Self::Notifications(it) => it.tell(count),
            Self::Agent(it) => {
                it.tell(count);
            }
        }
        Ok(())
    }

    /// An oracle of a reader that has got nothing.
    pub(crate) fn judge(&self) -> Judge {
        match self {
            Self::Events(_) => Judge::Events(Box::default()),
            Self::Notifications(_) => Judge::Notifications(Box::default()),
            Self::Agent(_) => Judge::Agent(Box::default()),
        }
    }

    /// Compares what a reader got with what there was.
    pub(crate) fn judgement(&self, judge: &Judge) -> Judgement {
        match (self, judge) {
            (Self::Events(it), Judge::Events(oracle)) => {
                let verdict = oracle.judge(&it.ledger().entries());
                Judgement {
                    issued: verdict.issued,
                    delivered: verdict.delivered,
                    on_record: verdict.on_record,
                    lost: verdict.lost,
                    other: verdict.doubled
                        + verdict.disordered
                        + verdict.invented
                        + verdict.altered
                        + verdict.jumps,
                    first_violation: verdict.first_violation,
                }
            }
            (Self::Notifications(it), Judge::Notifications(oracle)) => {
                let verdict = oracle.judge(&it.facts(), &it.client_credentials().id);
                Judgement {
                    issued: verdict.due,
                    delivered: verdict.delivered,
                    on_record: verdict.in_windows,
                    lost: verdict.lost,
                    other: verdict.invented + verdict.doubled + verdict.jumps,
                    first_violation: verdict.first_violation,
                }
            }
            (Self::Agent(it), Judge::Agent(oracle)) => {
                let verdict = oracle.judge(&it.record());
                Judgement {
                    // What the platform itself overwrote never left it.
                    issued: verdict.issued - verdict.coalesced,
                    delivered: verdict.delivered,
                    on_record: verdict.on_record,
                    lost: verdict.lost,
                    other: verdict.doubled
                        + verdict.disordered
                        + verdict.invented
                        + verdict.differing,
                    first_violation: verdict.first_violation,
                }
            }
            _ => unreachable!("a judge of another platform"),
        }
    }
}
