//! genesys-notifications: no numbers, so what is missing must lie in a loss window on record.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tieline::proto::v1;
use tieline::runtime::{Rng, WallTime};
use tieline::sandbox::Arriving;
use tieline::sandbox::fault::{FaultKind, FaultNames, FaultRule};
use tieline::sandbox::genesys_cloud::fault::GenesysFault;
use tieline::sandbox::genesys_cloud::{GenesysCloud, GenesysCloudConfig, GenesysOracle};

use crate::clocks::Clocks;

use super::{Found, Judge, Listens, Platform, by_name, clock, endpoint, limited, one_of, secret};

/// An event that the platform drops on a connection that lives leaves no trace anywhere, and a topic
/// that it refuses is told in another way than by a gap.
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
            heartbeat: Duration::from_secs(5),
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
        // A heartbeat is missed by those only who wait for one.
        let lasts = match name.text() {
            "drop_heartbeats" => lasts * 6,
            _ => lasts,
        };
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
        Box::new(Witness::default())
    }

    fn judge(&self, oracle: &dyn Judge, clocks: &Clocks) -> Found {
        let witness: &Witness = oracle.as_any().downcast_ref().expect("its own");
        let client = self.cloud.client_credentials().id;
        let mut facts = self.cloud.facts();
        let issued: Vec<WallTime> = facts.iter().map(|fact| fact.at).collect();
        for fact in &mut facts {
            fact.at = clocks.shown(fact.at);
        }
        let mut verdict = witness.oracle.judge(&facts, &client);
        if verdict.lost > 0 && [verdict.invented, verdict.doubled, verdict.jumps] == [0; 3] {
            // A process that died before it could say that it listened has promised nothing.
            let listens = witness.listens.since(clocks);
            let mut issued = issued.iter();
            facts.retain(|_| {
                let at = issued.next();
                at.zip(listens.as_ref())
                    .is_some_and(|(at, since)| at >= since)
            });
            let promised = witness.oracle.judge(&facts, &client);
            verdict.lost = promised.lost;
            verdict.first_violation = promised.first_violation.filter(|_| promised.lost > 0);
        }
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

/// The oracle of a reader, and since when the sidecar has said that it listens.
#[derive(Default)]
struct Witness {
    oracle: GenesysOracle,
    listens: Listens,
}

impl Judge for Witness {
    fn take(&mut self, epoch: &str, event: &v1::Event) {
        self.oracle.take(epoch, std::slice::from_ref(event));
        self.listens.take(event);
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
