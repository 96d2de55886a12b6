//! Platform `custom`: the README's vendor, in the README's own words, against a sandbox that speaks
//! them.

use std::sync::Arc;

use serde_json::{Value, json};
use tieline::config::{Sources, load_text};
use tieline::connectors::{Profile, platforms};
use tieline::domain::WallTime;
use tieline::proto::v1;
use tieline::runtime::HumanDuration;
use tieline::sandbox::fault::FaultRule;
use tieline::sandbox::push::fault::PushFault;
use tieline::sandbox::push::{PushConfig, PushDialect, PushOperation, PushPlatform};
use v1::agent_state_event::Availability;
use v1::event::Data;
use v1::session::State;
use v1::session_event::Kind;

use super::stage::{kept, of_push, push, sidecar};
use crate::kit::{PATIENCE, Sidecar, Witness};

/// The session of the README's example.
fn example() -> Value {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let readme = readme.unwrap();
    let (_, rest) = readme
        .split_once("```yaml\n# acme.yaml\n")
        .expect("an example");
    let (example, _) = rest.split_once("```").unwrap();
    let sources = Sources {
        file: "acme.yaml".into(),
        variables: std::env::vars().collect(),
        flags: Vec::new(),
        platforms: platforms(),
    };
    let loaded = load_text(example, &sources).unwrap_or_else(|findings| panic!("{findings}"));
    serde_json::to_value(&loaded.config.sessions[0]).unwrap()
}

async fn acme() -> PushPlatform {
    let profile: Profile = serde_json::from_value(example()["profile"].take()).unwrap();
    push(PushConfig::new(PushDialect::Described(Arc::new(profile)))).await
}

/// A session as the README has it, at the sandbox's address with its credentials.
async fn one(platform: &PushPlatform, heartbeat: Value) -> Sidecar {
    let sidecar = sidecar(|files| {
        let example = example();
        let mut more = json!({
            "name": "acme", "platform": "custom",
            "channels": example["channels"], "profile": example["profile"],
        });
        more["timing"] = json!({
            "backoff": { "base": "100ms", "cap": "800ms" }, "heartbeat": heartbeat,
        });
        vec![of_push(files, platform, "custom", more)]
    })
    .await;
    sidecar
        .until_of("acme", "active", |s| s.state() == State::Active)
        .await;
    sidecar
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readmes_vendor_is_read_as_the_readme_says() {
    let platform = acme().await;
    let sidecar = one(&platform, json!({})).await;
    let mut witness = Witness::new(&sidecar);
    platform.tell(120);
    let verdict = kept(&platform, &mut witness).await;
    assert!(
        verdict.delivered >= 120 && verdict.windows == 0,
        "{verdict:?}"
    );
    let mut seen = std::collections::BTreeSet::new();
    for event in &witness.events {
        if let Some(Data::AgentStateEvent(agent)) = &event.data {
            assert_ne!(agent.availability(), Availability::Unspecified, "{agent:?}");
            seen.insert(event.provider_type.clone());
        }
        if let Some(Data::QueueStatisticsEvent(queue)) = &event.data {
            assert!(!queue.metrics.is_empty(), "{queue:?}");
            seen.insert(event.provider_type.clone());
        }
        if !event.source.is_empty() && event.source.starts_with("//custom/") {
            assert!(!event.id.is_empty() && event.time.is_some(), "{event:?}");
        }
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["agent.status", "queue.load"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u26_heartbeats_of_a_profile_keep_their_intervals_and_are_acknowledged() {
    let platform = acme().await;
    let interval = json!({ "stable": "300ms", "degraded": "300ms", "reconnecting": "300ms" });
    let sidecar = one(&platform, interval).await;
    let late = PushFault::LateAcknowledgements {
        delay: HumanDuration::from_millis(50),
    };
    let late = FaultRule::<PushFault>::from(late).times(2);
    platform.faults().set(late).unwrap();
    let enough = |p: &PushPlatform| p.counters().acknowledgements >= 6;
    assert!(
        platform.wait_until(PATIENCE, enough).await,
        "{:?}",
        platform.counters()
    );
    // When the platform reads one says little on a busy machine; each says when it was sent.
    let opened = platform.requests(0, usize::MAX);
    let opened = opened
        .iter()
        .find(|r| r.operation == PushOperation::Handshake)
        .map(|r| WallTime::parse_rfc3339(&r.at).unwrap().as_millis());
    let sent = platform.heartbeats();
    let sent = sent.iter().map(|beat| {
        let said: Value = serde_json::from_str(&beat.text).unwrap();
        said["at"].as_u64().unwrap()
    });
    let sent: Vec<_> = opened.into_iter().chain(sent).collect();
    assert!(sent.len() > 6, "{sent:?}");
    assert!(
        sent.windows(2).all(|pair| pair[1] - pair[0] >= 299),
        "{sent:?}"
    );
    assert_eq!(platform.counters().sockets_opened, 1);
    assert!(
        platform
            .heartbeats()
            .iter()
            .all(|beat| beat.refused.is_none())
    );
    drop(sidecar);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u16_what_a_new_connection_brings_again_is_recognised_by_its_id() {
    let platform = acme().await;
    let sidecar = one(&platform, json!({})).await;
    let mut witness = Witness::new(&sidecar);
    platform.tell(30);
    kept(&platform, &mut witness).await;
    let again = FaultRule::<PushFault>::from(PushFault::RepeatOnConnect { events: 10 }).times(1);
    platform.faults().set(again).unwrap();
    let reset = PushFault::WebsocketReset {
        after: HumanDuration::from_secs(0),
        mid_frame: false,
    };
    let reset = FaultRule::<PushFault>::from(reset).times(1);
    platform.faults().set(reset).unwrap();
    let back = |w: &Witness| w.told(Kind::Connected).len() > 1;
    witness.until("the session is back", back).await;
    platform.tell(10);
    let verdict = kept(&platform, &mut witness).await;
    assert_eq!((verdict.windows, verdict.delivered), (1, 40), "{verdict:?}");
    let repeated: u32 = platform.facts().iter().map(|fact| fact.repeated).sum();
    assert_eq!(repeated, 10);
}
