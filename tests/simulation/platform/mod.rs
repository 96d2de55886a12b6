//! [`Platform`]: what a world needs of a simulated platform, whichever it is, and the oracle of its
//! readers.

mod cxone;
mod events;
mod genesys;

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tieline::proto::v1;
use tieline::runtime::{Clock, Rng, WallTime};
use tieline::sandbox::fault::{FaultKind, FaultNames, FaultRule};

use v1::event::Data;
use v1::session_event::Kind;

pub(crate) use self::events::draw;
use crate::clocks::Clocks;
use crate::mood::Mood;
use crate::network::{Network, Place};

/// Where it is reached.
pub(crate) const ADDRESS: &str = "platform.test:443";
/// 2026-03-10, about when the examples of the platforms' documents are from.
pub(crate) const EPOCH: WallTime = WallTime::from_millis(1_773_135_667_000);

/// A simulated platform.
pub(crate) trait Platform {
    /// The keys of a session that reads it. Secrets are written below `secrets`.
    fn session(&self, secrets: &Path) -> Value;

    /// Whether losses are told by numbers; else by times.
    fn has_numbers(&self) -> bool {
        false
    }

    /// Puts this fault in force where it has it, else one of its own, for so long at most.
    /// `caught_up`: the sidecar has everything.
    fn strike(
        &self,
        rule: &FaultRule,
        rng: &Rng,
        lasts: Duration,
        caught_up: &dyn Fn() -> bool,
    ) -> &'static str;

    /// Takes every fault out of force.
    fn calm(&self);

    /// How often each of its faults struck.
    fn struck(&self) -> Vec<(&'static str, u64)>;

    fn set_rate(&self, per_second: f64);

    /// How many events it has issued.
    fn issued(&self) -> u64;

    /// The oracle of a reader that has got nothing.
    fn oracle(&self) -> Box<dyn Judge>;

    /// What an oracle makes of everything that was issued. Times on record are those that the
    /// sidecar's clock showed.
    fn judge(&self, oracle: &dyn Judge, clocks: &Clocks) -> Found;
}

/// What one reader got.
pub(crate) trait Judge: Send {
    fn take(&mut self, epoch: &str, event: &v1::Event);

    fn as_any(&self) -> &dyn std::any::Any;
}

/// Since when the sidecar has said that it listens, on its clock.
#[derive(Debug, Default)]
struct Listens(Option<WallTime>);

impl Listens {
    fn take(&mut self, event: &v1::Event) {
        if let Some(Data::SessionEvent(fact)) = &event.data
            && fact.kind() == Kind::Connected
            && self.0.is_none()
        {
            self.0 = event.record_time.as_ref().and_then(WallTime::from_proto);
        }
    }

    /// The same on the platform's clock.
    fn since(&self, clocks: &Clocks) -> Option<WallTime> {
        self.0.map(|wall| clocks.first_showed(wall))
    }
}

/// What an oracle found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) delivered: u64,
    pub(crate) backfilled: u64,
    /// Not delivered, and a gap record says so.
    pub(crate) on_record: u64,
    pub(crate) violation: Option<String>,
}

/// The platform of a world: most often the one with the strictest oracle.
pub(crate) fn of(mood: Mood, rng: &Rng, network: &Network) -> Box<dyn Platform> {
    let arriving = network.listen(ADDRESS, Place::Platform, None);
    // Moods are told in faults of genesys-events.
    match rng.below(10) {
        _ if mood != Mood::Any => Box::new(events::Events::start(rng, arriving)),
        0 => Box::new(cxone::Cxone::start(rng, arriving)),
        1 | 2 => Box::new(genesys::Genesys::start(rng, arriving)),
        _ => Box::new(events::Events::start(rng, arriving)),
    }
}

fn endpoint() -> url::Url {
    let endpoint = format!("http://{ADDRESS}/");
    endpoint.parse().expect("an address")
}

/// The clock of the platform; nobody sets it.
fn clock() -> Clock {
    Clock::anchored(EPOCH)
}

/// Writes a secret, for a session to be told where.
fn secret(secrets: &Path, name: &str, text: &str) -> Value {
    let path = secrets.join(name);
    std::fs::write(&path, text).expect("a file can be written");
    json!(path)
}

/// One of several, by chance.
fn one_of<T: Copy>(rng: &Rng, all: &[T]) -> T {
    let index = usize::try_from(rng.below(all.len() as u64)).unwrap_or_default();
    all[index]
}

/// Limits of a fault, by chance.
fn limited<F: FaultKind>(rule: FaultRule<F>, rng: &Rng, lasts: Duration) -> FaultRule<F> {
    let rule = rule.during(lasts);
    match rng.below(3) {
        0 => rule.times(1 + rng.below(3)),
        1 => rule.times(1 + rng.below(20)).with_probability(0.3),
        _ => rule,
    }
}

/// A fault of that name with parameters by chance, as far as they are known by name.
fn by_name<F: FaultKind>(name: F::Name, rng: &Rng) -> FaultRule<F> {
    let statuses: &[u16] = match name.text() {
        "strip_upgrade" => &[200, 400, 426],
        "refuse_handshake" => &[404, 401, 403, 503],
        "session_refused" => &[404, 409, 500],
        _ => &[429, 500, 502, 503, 504],
    };
    let millis = |most: u64| format!("{}ms", rng.below(most));
    let mut given = Map::new();
    for (key, value) in [
        ("status", json!(one_of(rng, statuses))),
        ("after", json!(millis(3_000))),
        ("delay", json!(millis(4_000))),
        ("jitter", json!(millis(2_000))),
        ("code", json!(one_of(rng, &[1000, 1001, 1006, 1011, 1012]))),
    ] {
        // Which parameters a fault has is its own affair: those that it refuses are left out.
        let mut with = given.clone();
        with.insert(key.to_owned(), value);
        let mut object = with.clone();
        object.insert("fault".to_owned(), name.text().into());
        if FaultRule::<F>::from_json(object).is_ok() {
            given = with;
        }
    }
    given.insert("fault".to_owned(), name.text().into());
    FaultRule::from_json(given).expect("a fault with what it takes")
}
