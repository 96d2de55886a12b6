//! What goes wrong in a soak: faults of the platforms and of the process, each as often as the others.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};
use tieline::runtime::Rng;
use tieline::sandbox::Faults;
use tieline::sandbox::fault::{FaultKind, FaultRule, FaultStatus};
use tokio::process::Command;
use tokio::time::sleep;

use crate::place::{KINDS, Place};
use crate::platform::Platform;

/// How long a fault lasts at most.
const LASTS: Duration = Duration::from_secs(3);
/// How often it strikes meanwhile.
const AT_MOST: u64 = 5;

/// One thing that goes wrong: where, and what it is called there.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// A fault of the platform of that number.
    Of(usize, Map<String, Value>),
    /// The process gets no processor for a while.
    Paused,
}

/// Faults that no person has to be called for, unless they come too close upon each other.
fn faults(of: usize) -> Vec<Value> {
    let numbered = [
        json!({ "fault": "strip_upgrade", "status": 426 }),
        json!({ "fault": "swallow_101" }),
        json!({ "fault": "websocket_reset", "mid_frame": true }),
        json!({ "fault": "websocket_close", "code": 1012 }),
        json!({ "fault": "freeze" }),
        json!({ "fault": "drop_pongs" }),
        json!({ "fault": "frame_error", "status": 503 }),
        json!({ "fault": "duplicate", "what": "batch" }),
        json!({ "fault": "reorder", "depth": 5 }),
        json!({ "fault": "skip", "history": true }),
        json!({ "fault": "skip", "history": false }),
        json!({ "fault": "late", "after": 20 }),
        json!({ "fault": "poll_status", "status": 503 }),
        json!({ "fault": "poll_reset_in_hold" }),
        json!({ "fault": "truncated_body" }),
        json!({ "fault": "not_json" }),
        json!({ "fault": "empty_200_at_once" }),
        json!({ "fault": "malformed_event", "form": "wrong_types" }),
        json!({ "fault": "oversize_event" }),
        json!({ "fault": "expire_tokens_now" }),
        json!({ "fault": "token_down" }),
        json!({ "fault": "history_down" }),
        json!({ "fault": "latency", "delay": "50ms", "jitter": "50ms" }),
        json!({ "fault": "platform_down" }),
    ];
    let channels = [
        json!({ "fault": "websocket_reset" }),
        json!({ "fault": "websocket_close", "code": 1001 }),
        json!({ "fault": "freeze" }),
        json!({ "fault": "socket_closing", "notice": "1s" }),
        json!({ "fault": "drop_heartbeats" }),
        json!({ "fault": "malformed_frame" }),
        json!({ "fault": "evict_channel" }),
        json!({ "fault": "expire_channel" }),
        json!({ "fault": "expire_tokens_now" }),
        json!({ "fault": "token_down" }),
        json!({ "fault": "rest_status", "status": 503 }),
        json!({ "fault": "latency", "delay": "50ms" }),
        json!({ "fault": "platform_down" }),
    ];
    let polled = [
        json!({ "fault": "poll_status", "status": 503 }),
        json!({ "fault": "poll_reset_in_hold" }),
        json!({ "fault": "lost_answer" }),
        json!({ "fault": "truncated_body" }),
        json!({ "fault": "not_json" }),
        json!({ "fault": "empty_200_at_once" }),
        json!({ "fault": "slow_answer", "delay": "1s" }),
        json!({ "fault": "stale_session" }),
        json!({ "fault": "freeze" }),
        json!({ "fault": "expire_tokens_now" }),
        json!({ "fault": "token_down" }),
        json!({ "fault": "latency", "delay": "50ms" }),
        json!({ "fault": "platform_down" }),
    ];
    match of {
        0 => numbered.into(),
        1 => channels.into(),
        _ => polled.into(),
    }
}

/// Deals everything that can go wrong in an order of its own, and then again in another.
pub(crate) struct Deck {
    rng: Rng,
    only: String,
    left: Vec<Trouble>,
    dealt: BTreeMap<String, u64>,
}

impl Deck {
    /// Of what has this in its name.
    pub(crate) fn new(rng: Rng, only: &str) -> Self {
        Self {
            rng,
            only: only.to_owned(),
            left: Vec::new(),
            dealt: BTreeMap::new(),
        }
    }

    /// The next; `None` where nothing has that name.
    pub(crate) fn deal(&mut self) -> Option<Trouble> {
        if self.left.is_empty() {
            for of in 0..KINDS.len() {
                let objects = faults(of).into_iter().filter_map(|fault| match fault {
                    Value::Object(object) => Some(Trouble::Of(of, object)),
                    _ => None,
                });
                self.left.extend(objects);
            }
            self.left.extend([Trouble::Paused, Trouble::Paused]);
            self.left
                .retain(|trouble| trouble.name().contains(&self.only));
        }
        if self.left.is_empty() {
            return None;
        }
        let at = self.rng.below(self.left.len() as u64);
        let trouble = self.left.swap_remove(usize::try_from(at).unwrap_or(0));
        *self.dealt.entry(trouble.name()).or_default() += 1;
        Some(trouble)
    }

    /// How often each was dealt.
    pub(crate) fn dealt(&self) -> &BTreeMap<String, u64> {
        &self.dealt
    }
}

impl Trouble {
    fn name(&self) -> String {
        match self {
            Self::Paused => "process paused".to_owned(),
            Self::Of(of, fault) => {
                let name = fault.get("fault").and_then(Value::as_str);
                format!("{} {}", KINDS[*of].1, name.unwrap_or_default())
            }
        }
    }

    /// Lets it happen; it ends by itself.
    pub(crate) async fn befall(self, place: &Place, rng: &Rng) -> Result<()> {
        let lasts = LASTS.mul_f64(0.2 + 0.8 * rng.unit());
        match self {
            Self::Paused => {
                signal(place, "-STOP").await?;
                sleep(lasts).await;
                signal(place, "-CONT").await
            }
            Self::Of(of, fault) => match &place.platforms[of] {
                Platform::Events(it) => set(&it.faults(), fault, lasts),
                Platform::Notifications(it) => set(&it.faults(), fault, lasts),
                Platform::Agent(it) => set(&it.faults(), fault, lasts),
            },
        }
    }
}

fn set<F: FaultKind>(faults: &Faults<F>, fault: Map<String, Value>, lasts: Duration) -> Result<()> {
    let rule = FaultRule::from_json(fault)?;
    // Some events, some answers: who never answers otherwise is given up, and that is right.
    faults.set(rule.during(lasts).times(AT_MOST))?;
    Ok(())
}

async fn signal(place: &Place, signal: &str) -> Result<()> {
    let id = place.process.id().to_string();
    let status = Command::new("kill").args([signal, &id]).status().await?;
    anyhow::ensure!(status.success(), "kill {signal}: {status}");
    Ok(())
}

/// Gives a process its processor back that a fault may have taken it from.
pub(crate) async fn resume(place: &Place) -> Result<()> {
    signal(place, "-CONT").await
}

/// Takes every fault out of force.
pub(crate) fn clear(place: &Place) {
    for platform in &place.platforms {
        match platform {
            Platform::Events(it) => it.faults().clear_all(),
            Platform::Notifications(it) => it.faults().clear_all(),
            Platform::Agent(it) => it.faults().clear_all(),
        }
    }
}

/// How often each fault has struck.
pub(crate) fn struck(place: &Place) -> BTreeMap<String, u64> {
    let mut struck = BTreeMap::new();
    for ((_, name), platform) in KINDS.into_iter().zip(&place.platforms) {
        struck.extend(match platform {
            Platform::Events(it) => named(name, it.faults().status()),
            Platform::Notifications(it) => named(name, it.faults().status()),
            Platform::Agent(it) => named(name, it.faults().status()),
        });
    }
    struck
}

fn named<N: std::fmt::Display>(of: &str, faults: Vec<FaultStatus<N>>) -> Vec<(String, u64)> {
    let named = faults
        .into_iter()
        .map(|fault| (format!("{of} {}", fault.name), fault.struck));
    named.collect()
}
