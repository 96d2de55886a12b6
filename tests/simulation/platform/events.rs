//! genesys-events: dense numbers, so the strictest oracle there is.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tieline::proto::v1;
use tieline::runtime::{ByteSize, HumanDuration, Rng};
use tieline::sandbox::fault::{
    Fault, FaultName, FaultNames, FaultRule, Malformation, On, Portion, TokenRefusal,
};
use tieline::sandbox::{Arriving, DEFAULT_CHANNELS, Oracle, Sandbox, SandboxConfig};

use super::{Found, Judge, Platform, clock, endpoint, limited, one_of, secret};
use crate::clocks::Clocks;
use crate::world::EVENTS;

pub(super) struct Events {
    sandbox: Sandbox,
    transport: &'static str,
}

impl Events {
    pub(super) fn start(rng: &Rng, arriving: Arriving) -> Self {
        let config = SandboxConfig {
            rate: 15.0 + rng.unit() * 60.0,
            payload: 64,
            token_lifetime: Duration::from_secs(one_of(rng, &[60, 300, 3_600])),
            token_requests_per_minute: Some(60),
            ..SandboxConfig::default()
        };
        let transport = one_of(rng, &["auto", "auto", "websocket", "long_poll"]);
        let chance = rng.fork("platform");
        let sandbox = Sandbox::start_simulated(config, clock(), &chance, endpoint(), arriving);
        Self {
            sandbox: sandbox.expect("sound settings"),
            transport,
        }
    }
}

impl Platform for Events {
    fn session(&self, secrets: &Path) -> Value {
        let client = self.sandbox.client_credentials();
        json!({
            "platform": "genesys-events",
            "channels": DEFAULT_CHANNELS,
            "transport": self.transport,
            "auth": {
                "grant": "client_credentials",
                "client_id_file": secret(secrets, "id", &client.id),
                "client_secret_file": secret(secrets, "secret", &client.secret),
            },
        })
    }

    fn has_numbers(&self) -> bool {
        true
    }

    fn strike(
        &self,
        rule: &FaultRule,
        _: &Rng,
        _: Duration,
        caught_up: &dyn Fn() -> bool,
    ) -> &'static str {
        let rule = rule.clone();
        let name = rule.name();
        // A numbering that begins again and passes the place where the sidecar stood cannot be told
        // from one that goes on; and what was not delivered before is known to nobody.
        let is_beyond = || self.sandbox.ledger().head() > EVENTS * 6 / 10 && caught_up();
        if name != FaultName::RestartNumbering || is_beyond() {
            self.sandbox.faults().set(rule).expect("a sound rule");
        }
        name.text()
    }

    fn calm(&self) {
        self.sandbox.faults().clear_all();
    }

    fn struck(&self) -> Vec<(&'static str, u64)> {
        let faults = self.sandbox.faults();
        let all = FaultName::all().iter();
        all.map(|name| (name.text(), faults.struck(*name)))
            .collect()
    }

    fn set_rate(&self, per_second: f64) {
        self.sandbox.set_rate(per_second);
    }

    fn issued(&self) -> u64 {
        self.sandbox.ledger().entries().len() as u64
    }

    fn oracle(&self) -> Box<dyn Judge> {
        Box::new(Oracle::new())
    }

    fn judge(&self, oracle: &dyn Judge, _: &Clocks) -> Found {
        let oracle: &Oracle = oracle.as_any().downcast_ref().expect("its own");
        let verdict = oracle.judge(&self.sandbox.ledger().entries());
        Found {
            delivered: verdict.delivered,
            backfilled: verdict.backfilled,
            on_record: verdict.on_record,
            violation: (!verdict.is_clean()).then(|| verdict.to_string()),
        }
    }
}

impl Judge for Oracle {
    fn take(&mut self, epoch: &str, event: &v1::Event) {
        Oracle::take(self, epoch, std::slice::from_ref(event));
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// The next fault of this platform.
pub(crate) fn draw(rng: &Rng, lasts: Duration) -> FaultRule {
    let flag = rng.below(2) == 0;
    let of = |codes: &[u16]| one_of(rng, codes);
    // At once as often as later: while events come, no poll is held for long.
    let after = HumanDuration::from_millis(rng.below(2) * rng.below(3_000));
    let delay = HumanDuration::from_millis(rng.below(4_000));
    let transport = one_of(rng, &[On::Any, On::Websocket, On::Poll]);
    let fault = match rng.below(30) {
        0 => Fault::StripUpgrade {
            status: of(&[200, 400, 426]),
        },
        1 => Fault::Swallow101 {},
        2 => Fault::WebsocketReset {
            after,
            mid_frame: flag,
        },
        3 => Fault::WebsocketClose {
            code: of(&[1000, 1001, 1006, 1008, 1011, 1012, 1013, 4401, 4403]),
            reason: String::new(),
            after,
        },
        4 => Fault::Freeze { transport },
        5 => Fault::DropPongs {},
        6 => Fault::FrameError {
            status: of(&[401, 403, 429, 500, 503]),
        },
        7 => Fault::Duplicate {
            what: one_of(rng, &[Portion::Event, Portion::Batch]),
        },
        8 => Fault::Reorder { depth: 5 },
        9 => Fault::Skip { history: flag },
        10 => Fault::Late { after: 20 },
        11 | 12 => Fault::PollStatus {
            status: of(&[401, 403, 408, 429, 500, 502, 503, 504]),
            retry_after: flag.then(|| "2".to_owned()),
            after,
        },
        13 => Fault::PollResetInHold { after },
        14 => Fault::TruncatedBody {
            cut_connection: flag,
        },
        15 => Fault::NotJson { transport },
        16 => Fault::Empty200AtOnce { batch: flag },
        17 => Fault::MalformedEvent {
            form: one_of(rng, &[Malformation::WrongTypes, Malformation::NoType]),
        },
        18 => Fault::ExpireTokensNow {},
        19 => Fault::HistoryDown { status: 503 },
        20 => Fault::HistoryGone { status: 410 },
        21 => Fault::HistorySlow { delay },
        22 => Fault::TokenDown { status: 503 },
        23 => Fault::TokenSlow { delay },
        24 => Fault::TokenError {
            error: one_of(
                rng,
                &[
                    TokenRefusal::InvalidClient,
                    TokenRefusal::InvalidGrant,
                    TokenRefusal::RateLimit,
                ],
            ),
        },
        25 => Fault::HealthDown { status: 503 },
        26 => Fault::Latency {
            delay,
            jitter: delay,
        },
        27 => Fault::PlatformDown {},
        28 => Fault::ConnectionLimit { max: 1 },
        _ if flag => Fault::RestartNumbering {},
        _ => {
            let size = ByteSize::from_mib(4);
            return FaultRule::from(Fault::OversizeEvent { size }).times(2);
        }
    };
    limited(FaultRule::from(fault), rng, lasts)
}
