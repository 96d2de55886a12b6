//! genesys-notifications: no numbers, so what is missing must lie in a loss window on record.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tieline::sandbox::Arriving;
use tieline::sandbox::fault::{FaultKind, FaultNames, FaultRule};
use tieline::sandbox::genesys_cloud::fault::GenesysFault;
use tieline::sandbox::genesys_cloud::{GenesysCloud, GenesysCloudConfig, GenesysOracle};

use super::{Found, Judge, Platform, by_name, clock, endpoint, limited, one_of, secret};

/// An event that is lost on a connection that lives leaves no trace anywhere, and a topic that is
/// refused is told in another way than by a gap.
const NOT_FOR_READERS: [&str; 2] = ["drop_event", "forbid_topic"];

pub(super) struct Genesys {
    cloud: GenesysCloud,
    redundancy: u32,
}

impl Genesys {
    pub(super) fn start(rng: &Rng, arriving: Arriving) -> Self {
        let config = GenesysCloudConfig {
            rate: 8.0 + rng.unit() * 20.0,
            users: 6,
            queues: 2,
            management_units: 1,
            token_lifetime: Duration::from_secs(one_of(rng, &[300, 3_600, 86_399])),
            ..GenesysCloudConfig::default()
        };
        let redundancy = one_of(rng, &[1, 1, 2]);
        let chance = rng.fork("platform");
        let cloud = GenesysCloud::start_simulated(config, clock(), &chance, endpoint(), arriving);
        Self {
            cloud: cloud.expect("sound settings"),
            redundancy,
        }
    }
}

impl Platform for Genesys {
    fn session(&self, secrets: &Path) -> Value {
        let client = self.cloud.client_credentials();
        json!({
            "platform": "genesys-notifications",
            "redundancy": self.redundancy,
            "topics": [
                { "v2.users.{id}?presence&routingStatus": "all" },
                { "v2.routing.queues.{id}.conversations": "all" },
                { "v2.routing.queues.{id}.users": "all" },
            ],
            "auth": {
                "grant": "client_credentials",
                "client_id_file": secret(secrets, "id", &client.id),
                "client_secret_file": secret(secrets, "secret", &client.secret),
            },
        })
    }

    fn strike(
        &self,
        _: &FaultRule,
        rng: &Rng,
        lasts: Duration,
        _: &dyn Fn() -> bool,
    ) -> &'static str {
        let names = <GenesysFault as FaultKind>::Name::all();
        let name = one_of(rng, names);
        if !NOT_FOR_READERS.contains(&name.text()) {
            let rule = limited(by_name::<GenesysFault>(name, rng), rng, lasts);
            self.cloud.faults().set(rule).expect("a sound rule");
        }
        name.text()
    }

    fn calm(&self) {
        self.cloud.faults().clear_all();
    }

    fn struck(&self) -> Vec<(&'static str, u64)> {
        let faults = self.cloud.faults();
        let all = <GenesysFault as FaultKind>::Name::all().iter();
        all.filter(|name| !NOT_FOR_READERS.contains(&name.text()))
            .map(|name| (name.text(), faults.struck(*name)))
            .collect()
    }

    fn set_rate(&self, per_second: f64) {
        self.cloud.set_rate(per_second);
    }

    fn issued(&self) -> u64 {
        self.cloud.facts().len() as u64
    }

    fn oracle(&self) -> Box<dyn Judge> {
        Box::new(GenesysOracle::new())
    }

    fn judge(&self, oracle: &dyn Judge) -> Found {
        let oracle: &GenesysOracle = oracle.as_any().downcast_ref().expect("its own");
        let client = self.cloud.client_credentials().id;
        let verdict = oracle.judge(&self.cloud.facts(), &client);
        Found {
            delivered: verdict.delivered,
            backfilled: verdict.backfilled,
            on_record: verdict.in_windows,
            violation: verdict.first_violation.map(|first| {
                format!(
                    "due {}, lost {}, invented {}, doubled {}, jumps {}: {first}",
                    verdict.due, verdict.lost, verdict.invented, verdict.doubled, verdict.jumps
                )
            }),
        }
    }
}

impl Judge for GenesysOracle {
    fn take(&mut self, epoch: &str, event: &v1::Event) {
        GenesysOracle::take(self, epoch, std::slice::from_ref(event));
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
