//! cxone-agent: long polls whose cursor changes with every answer, and snapshots after a stale one.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tieline::proto::v1;
use tieline::runtime::{Rng, WallTime};
use tieline::sandbox::Arriving;
use tieline::sandbox::cxone::fault::CxoneFault;
use tieline::sandbox::cxone::{Change, CxoneAgent, CxoneConfig, CxoneOracle};
use tieline::sandbox::fault::{FaultKind, FaultNames, FaultRule};

use crate::clocks::Clocks;

use super::{Found, Judge, Listens, Platform, by_name, clock, endpoint, limited, one_of, secret};

pub(super) struct Cxone {
    tenant: CxoneAgent,
}

impl Cxone {
    pub(super) fn start(rng: &Rng, arriving: Arriving) -> Self {
        let config = CxoneConfig {
            agents: 1,
            signed_in: true,
            rate: 6.0 + rng.unit() * 20.0,
            token_lifetime: Duration::from_secs(one_of(rng, &[120, 3_600])),
            ..CxoneConfig::default()
        };
        let chance = rng.fork("platform");
        let tenant = CxoneAgent::start_simulated(config, clock(), &chance, endpoint(), arriving);
        Self {
            tenant: tenant.expect("sound settings"),
        }
    }
}

impl Platform for Cxone {
    fn session(&self, secrets: &Path) -> Value {
        let key = self.tenant.credentials();
        json!({
            "platform": "cxone-agent",
            "agent": { "id": key.agent },
            "auth": {
                "grant": "password",
                "client_id_file": secret(secrets, "id", &key.client_id),
                "client_secret_file": secret(secrets, "secret", &key.client_secret),
                "username_file": secret(secrets, "key-id", &key.access_key_id),
                "password_file": secret(secrets, "key-secret", &key.access_key_secret),
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
        let name = one_of(rng, <CxoneFault as FaultKind>::Name::all());
        let mut rule = limited(by_name::<CxoneFault>(name, rng), rng, lasts);
        if name.text() == "oversize_event" {
            rule = rule.times(2);
        }
        self.tenant.faults().set(rule).expect("a sound rule");
        name.text()
    }

    fn calm(&self) {
        self.tenant.faults().clear_all();
        // Whom the platform has signed out signs in again, or has done so.
        for agent in self.tenant.agents() {
            let _signed_in = self.tenant.change(&agent, Change::SignIn {}).is_ok();
        }
    }

    fn struck(&self) -> Vec<(&'static str, u64)> {
        let faults = self.tenant.faults();
        let all = <CxoneFault as FaultKind>::Name::all().iter();
        all.map(|name| (name.text(), faults.struck(*name)))
            .collect()
    }

    fn set_rate(&self, per_second: f64) {
        self.tenant.set_rate(per_second);
    }

    fn issued(&self) -> u64 {
        self.tenant.record().facts.len() as u64
    }

    fn oracle(&self) -> Box<dyn Judge> {
        Box::new(Witness::default())
    }

    fn judge(&self, oracle: &dyn Judge, clocks: &Clocks) -> Found {
        let witness: &Witness = oracle.as_any().downcast_ref().expect("its own");
        let mut record = self.tenant.record();
        let issued: Vec<WallTime> = record.facts.iter().map(|fact| fact.issued_at).collect();
        for fact in &mut record.facts {
            fact.issued_at = clocks.shown(fact.issued_at);
        }
        let mut verdict = witness.oracle.judge(&record);
        let others = verdict.doubled + verdict.disordered + verdict.invented + verdict.differing;
        if verdict.lost > 0 && others == 0 {
            // A process that died before it could say that it listened has promised nothing.
            let mut issued = issued.into_iter();
            record
                .facts
                .retain(|_| issued.next().is_some_and(|at| witness.listened(at, clocks)));
            let promised = witness.oracle.judge(&record);
            verdict.lost = promised.lost;
            verdict.first_violation = promised.first_violation.filter(|_| promised.lost > 0);
        }
        Found {
            delivered: verdict.delivered,
            backfilled: verdict.snapshot_items,
            on_record: verdict.on_record,
            violation: (!verdict.is_clean()).then(|| verdict.to_string()),
        }
    }
}

/// The oracle of a reader, and since when the sidecar has said that it listens.
#[derive(Default)]
struct Witness {
    oracle: CxoneOracle,
    listens: Listens,
}

impl Witness {
    fn listened(&self, at: WallTime, clocks: &Clocks) -> bool {
        self.listens.since(clocks).is_some_and(|since| at >= since)
    }
}

impl Judge for Witness {
    fn take(&mut self, _: &str, event: &v1::Event) {
        self.listens.take(event);
        self.oracle.take(std::slice::from_ref(event));
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
