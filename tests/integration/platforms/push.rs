//! Platforms that push and keep nothing: genesys-streaming, genesys-adherence, genesys-analytics.

use serde_json::{Value, json};
use tieline::proto::v1;
use tieline::runtime::HumanDuration;
use tieline::sandbox::fault::{FaultRule, Malformation};
use tieline::sandbox::push::fault::{PushFault, PushFaultName};
use tieline::sandbox::push::{PushConfig, PushDialect, PushOperation, PushPlatform};
use v1::event::Origin;
use v1::session::State;
use v1::session_event::Kind;

use super::stage::{kept, of_push, push, sidecar};
use crate::kit::{Authority, PATIENCE, Sidecar, Witness, millis};

const NOW: HumanDuration = HumanDuration::from_secs(0);

/// Each dialect with the normal forms that its story takes.
fn dialects() -> [(PushDialect, &'static [&'static str]); 3] {
    const TOLD: &[&str] = &[
        "ccaas.agent.state_changed.v1",
        "ccaas.queue.statistics.v1",
        "ccaas.conversation.updated.v1",
    ];
    [
        (PushDialect::Streaming, TOLD),
        (PushDialect::Adherence, &["ccaas.adherence.changed.v1"]),
        (PushDialect::Analytics, TOLD),
    ]
}

async fn one(platform: &PushPlatform, name: &str, more: Value) -> Sidecar {
    let sidecar = sidecar(|files| vec![of_push(files, platform, name, more)]).await;
    active(&sidecar, name).await;
    sidecar
}

async fn active(sidecar: &Sidecar, name: &str) {
    sidecar
        .until_of(name, "active", |s| s.state() == State::Active)
        .await;
}

fn set(platform: &PushPlatform, fault: PushFault, times: u64) {
    let rule = FaultRule::<PushFault>::from(fault).times(times);
    platform.faults().set(rule).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_each_dialect_arrive_in_their_normal_forms() {
    for (dialect, forms) in dialects() {
        let name = dialect.platform();
        let platform = push(PushConfig::new(dialect)).await;
        let sidecar = one(&platform, name, json!({})).await;
        let mut witness = Witness::new(&sidecar);
        platform.tell(150);
        let verdict = kept(&platform, &mut witness).await;
        assert!(
            verdict.delivered >= 150 && verdict.windows == 0,
            "{name}: {verdict:?}"
        );
        for form in forms {
            let seen = witness.events.iter().any(|event| event.r#type == *form);
            assert!(seen, "{name}: no {form}");
        }
        let unmapped = |e: &&v1::Event| e.r#type == "ccaas.unmapped.v1";
        assert_eq!(witness.events.iter().find(unmapped), None, "{name}");
        assert_eq!(platform.counters().strange_texts, 0, "{name}");
    }
}

/// Events of the platform that came as they happened.
/// Whoever has no certificate, or one of another authority, gets nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u7_a_platform_that_pushes_asks_its_clients_for_their_certificate() {
    for (dialect, _) in dialects() {
        let files = tempfile::tempdir().unwrap();
        let (authority, stranger) = (Authority::new(), Authority::new());
        let name = dialect.platform();
        let platform = push(PushConfig {
            tls_ca_out: Some(files.path().join("ca.pem")),
            tls_client_ca: Some(authority.file(files.path(), "clients.pem")),
            ..PushConfig::new(dialect)
        })
        .await;
        let (certificate, key) = stranger.client(files.path(), "tls.crt", "tls.key");
        let more = json!({ "tls": {
            "ca_file": files.path().join("ca.pem"),
            "client_cert_file": certificate,
            "client_key_file": key,
        } });
        let sidecar = sidecar(|files| vec![of_push(files, &platform, name, more)]).await;
        let tried = |p: &PushPlatform| p.counters().connections_accepted >= 3;
        assert!(platform.wait_until(PATIENCE, tried).await, "{name}");
        assert_eq!(platform.tokens_issued(), 0, "{name}");

        authority.client(files.path(), "tls.crt", "tls.key");
        active(&sidecar, name).await;
        let mut witness = Witness::new(&sidecar);
        platform.tell(20);
        kept(&platform, &mut witness).await;
    }
}

fn live(witness: &Witness) -> usize {
    let live = |event: &&v1::Event| event.origin() == Origin::Live;
    witness.events.iter().filter(live).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u18_a_killed_socket_has_its_window_and_nothing_outside_it_is_lost() {
    for (dialect, _) in dialects() {
        let name = dialect.platform();
        let platform = push(PushConfig::new(dialect)).await;
        let sidecar = one(&platform, name, json!({})).await;
        let mut witness = Witness::new(&sidecar);
        platform.set_rate(100.0);
        for kill in 1..=4_usize {
            let before = live(&witness);
            let heard = |w: &Witness| live(w) > before;
            witness.until("events come", heard).await;
            let fault = match kill % 2 {
                0 => PushFault::WebsocketReset {
                    after: NOW,
                    mid_frame: true,
                },
                _ => PushFault::WebsocketClose {
                    code: 1006,
                    reason: String::new(),
                    after: NOW,
                },
            };
            set(&platform, fault, 1);
            let back = |w: &Witness| w.told(Kind::Connected).len() > kill;
            witness.until("the session is back", back).await;
        }
        platform.set_rate(0.0);
        let verdict = kept(&platform, &mut witness).await;
        assert_eq!(verdict.windows, 4, "{name}: {verdict:?}");
        assert!(verdict.delivered > 0, "{name}: {verdict:?}");
        let confirmed = witness.told(Kind::GapConfirmed);
        assert_eq!(confirmed.len(), 4, "{name}");
        assert_eq!(confirmed[0].reason, "NOT_RECOVERABLE", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u33_a_refusal_in_a_frame_suspends_the_session() {
    for (dialect, _) in dialects() {
        let name = dialect.platform();
        let platform = push(PushConfig::new(dialect)).await;
        set(
            &platform,
            PushFault::FrameError {
                status: 403,
                code: 1008,
            },
            1,
        );
        let sidecar = sidecar(|files| vec![of_push(files, &platform, name, json!({}))]).await;
        let session = sidecar
            .until_of(name, "suspended", |s| s.state() == State::Suspended)
            .await;
        assert_eq!(session.reason, "PERMISSION_DENIED", "{name}");
        assert_eq!(platform.counters().sockets_opened, 1, "{name}: no loop");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u12_a_handshake_without_permission_suspends_and_an_old_token_is_renewed() {
    let platform = push(PushConfig::new(PushDialect::Streaming)).await;
    let name = "genesys-streaming";
    set(&platform, PushFault::RefuseHandshake { status: 401 }, 1);
    let sidecar = one(&platform, name, json!({})).await;
    assert_eq!(
        platform.counters().answered(PushOperation::Handshake, 401),
        1
    );
    assert_eq!(
        platform.tokens_issued(),
        2,
        "a token that was refused is not used again"
    );
    drop(sidecar);
    set(&platform, PushFault::RefuseHandshake { status: 403 }, 1);
    let sidecar = self::sidecar(|files| vec![of_push(files, &platform, name, json!({}))]).await;
    let session = sidecar
        .until_of(name, "suspended", |s| s.state() == State::Suspended)
        .await;
    assert_eq!(session.reason, "PERMISSION_DENIED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u5_u21_a_renewed_token_opens_its_successor_first_and_nothing_is_missed() {
    let one = async |dialect: PushDialect| {
        let name = dialect.platform();
        let config = PushConfig {
            token_lifetime: millis(10_000),
            ..PushConfig::new(dialect)
        };
        let platform = push(config).await;
        let sidecar = one(&platform, name, json!({})).await;
        let mut witness = Witness::new(&sidecar);
        platform.set_rate(60.0);
        let renewed = |p: &PushPlatform| p.counters().sockets_subscribed >= 3;
        assert!(platform.wait_until(2 * PATIENCE, renewed).await, "{name}");
        platform.set_rate(0.0);
        let verdict = kept(&platform, &mut witness).await;
        assert_eq!(verdict.windows, 0, "{name}: {verdict:?}");
        assert!(platform.tokens_issued() >= 3, "{name}");
    };
    futures_util::future::join_all(dialects().map(|(dialect, _)| one(dialect))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u26_genesys_streaming_beats_as_its_gateway_wants_and_is_not_cut_off() {
    let config = PushConfig {
        idle: (millis(25_000), millis(25_000)),
        ..PushConfig::new(PushDialect::Streaming)
    };
    let platform = push(config).await;
    let more = json!({ "timing": { "heartbeat": { "stable": "15s" } } });
    let sidecar = one(&platform, "genesys-streaming", more).await;
    // Two heartbeats at the gateway's own minimum, one that it does not answer among them.
    set(&platform, PushFault::DropAcknowledgements {}, 1);
    let two = |p: &PushPlatform| p.heartbeats().len() >= 2 && p.counters().acknowledgements >= 1;
    assert!(
        platform.wait_until(2 * PATIENCE, two).await,
        "{:?}",
        platform.counters()
    );
    let heartbeats = platform.heartbeats();
    let intervals: Vec<_> = heartbeats.iter().map(|beat| beat.after_ms).collect();
    assert!(
        intervals.iter().skip(1).all(|ms| *ms >= 15_000),
        "{intervals:?}"
    );
    assert!(
        heartbeats
            .iter()
            .all(|beat| beat.refused.is_none() && beat.bytes <= 1024)
    );
    let counters = platform.counters();
    assert_eq!((counters.sockets_opened, counters.sockets_idle), (1, 0));
    active(&sidecar, "genesys-streaming").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u20_what_cannot_be_read_is_kept_and_a_frozen_socket_is_left() {
    for (dialect, _) in dialects() {
        let name = dialect.platform();
        let platform = push(PushConfig::new(dialect)).await;
        let timing = json!({
            "backoff": { "base": "100ms", "cap": "800ms" },
            "websocket_ping": "600ms", "pong_timeout": "500ms",
        });
        let sidecar = one(&platform, name, json!({ "timing": timing })).await;
        let mut witness = Witness::new(&sidecar);
        for form in [
            Malformation::NoType,
            Malformation::WrongTypes,
            Malformation::Scalar,
        ] {
            set(&platform, PushFault::MalformedEvent { form }, 1);
            platform.tell(2);
        }
        set(&platform, PushFault::NotJson {}, 1);
        platform.tell(2);
        set(&platform, PushFault::Duplicate {}, 1);
        platform.tell(2);
        let verdict = kept(&platform, &mut witness).await;
        assert_eq!(verdict.windows, 0, "{name}: {verdict:?}");
        let broken = |e: &&v1::Event| e.attributes.contains_key("parseerror");
        assert!(witness.events.iter().filter(broken).count() >= 4, "{name}");
        set(&platform, PushFault::Freeze {}, 1);
        let back = |w: &Witness| w.told(Kind::Connected).len() > 1;
        witness.until("another connection stands", back).await;
        platform.faults().clear(PushFaultName::Freeze);
        platform.tell(5);
        let verdict = kept(&platform, &mut witness).await;
        assert_eq!(verdict.windows, 1, "{name}: {verdict:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u25_silence_is_not_death_while_pongs_come() {
    let platform = push(PushConfig::new(PushDialect::Analytics)).await;
    let name = "genesys-analytics";
    let timing = json!({ "websocket_ping": "300ms", "pong_timeout": "200ms" });
    let sidecar = one(&platform, name, json!({ "timing": timing })).await;
    let mut witness = Witness::new(&sidecar);
    platform.faults().set(PushFault::Silence {}).unwrap();
    platform.tell(3);
    let pings = |p: &PushPlatform| p.counters().pings >= 8;
    assert!(platform.wait_until(PATIENCE, pings).await);
    assert_eq!(platform.counters().sockets_opened, 1);
    platform.faults().clear(PushFaultName::Silence);
    let verdict = kept(&platform, &mut witness).await;
    assert_eq!(verdict.windows, 0, "{verdict:?}");
}
