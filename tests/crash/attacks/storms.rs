//! Storms: connections that come faster than anybody needs, more than there are files for, and streams
//! that end by their age.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::arena::Arena;
use super::raw::{DATA, Raw};

/// The open files of a sidecar that is short of them.
const FEW_FILES: u64 = 600;
const IDLE: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b04_a_storm_of_a_thousand_connections_a_second_is_another_peers_own_trouble() {
    let limits = json!({ "per_peer": { "connections": 100, "connections_per_second": 50 } });
    let mut arena = Arena::new(limits, &[]).await;
    let server = arena.server;
    let mut tick = interval(Duration::from_millis(10));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut storm = JoinSet::new();
    // 3 000 in three seconds, each of which leaves in the middle of a message.
    for _ in 0..300 {
        tick.tick().await;
        for _ in 0..10 {
            storm.spawn(async move {
                let Ok(mut raw) = Raw::from([127, 0, 0, 9], server).await else {
                    return;
                };
                // What is refused is closed at once.
                if raw.hello(&[]).await.is_ok() && raw.subscribe(1).await.is_ok() {
                    raw.ear.hear(DATA).await;
                }
            });
        }
    }
    // One from elsewhere is served in the middle of it.
    let mut other = Raw::from([127, 0, 0, 8], server).await.unwrap();
    other.hello(&[]).await.unwrap();
    other.subscribe(1).await.unwrap();
    other.ear.hear(DATA).await.expect("it is served");
    drop(other);
    storm.join_all().await;
    arena.stands("a storm", 100).await;
    let refused = arena
        .figure("tieline_grpc_connections_refused_total", "peer_")
        .await;
    assert!(refused > 2_000, "{refused}");
    arena
        .until("tieline_feed_subscribers", "", |open| open == 1)
        .await;
    arena
        .until("tieline_grpc_connections", "", |open| open == 1)
        .await;
    arena.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b10_d5_idle_connections_make_room_and_never_take_the_journals_files() {
    // For the sockets of this side.
    let _unlimited = tieline::runtime::raise_open_files();
    let limits = json!({ "per_peer": { "connections": 4_000, "connections_per_second": 4_000 } });
    let few = format!("ulimit -n {FEW_FILES} && exec \"$0\" \"$@\"");
    let mut arena = Arena::new(limits, &["sh", "-c", &few]).await;
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        let mut raw = Raw::from([127, 0, 0, 9], arena.server).await.unwrap();
        raw.hello(&[]).await.unwrap();
        idle.push(raw);
    }
    arena.stands("idle connections", FEW_FILES).await;
    let open = arena.figure("tieline_grpc_connections", "").await;
    assert!(open < FEW_FILES - 200, "{open}");
    let room = arena
        .figure("tieline_grpc_connections_cut_total", "made_room")
        .await;
    assert!(room as usize > IDLE - FEW_FILES as usize, "{room}");
    // Who comes with a call is served, and stays whatever comes after.
    let mut honest = Raw::tcp(arena.server).await;
    honest.hello(&[]).await.unwrap();
    honest.subscribe(1).await.unwrap();
    honest.ear.hear(DATA).await.expect("it is served");
    for _ in 0..IDLE {
        let mut raw = Raw::from([127, 0, 0, 9], arena.server).await.unwrap();
        raw.hello(&[]).await.ok();
        idle.push(raw);
    }
    honest
        .mouth
        .write(&super::raw::window(0, 1 << 20))
        .await
        .unwrap();
    honest
        .mouth
        .write(&super::raw::window(1, 1 << 20))
        .await
        .unwrap();
    honest.ear.hear(DATA).await.expect("it is served still");
    arena.stands("more of them", FEW_FILES).await;
    arena.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b12_streams_that_end_by_their_age_are_resumed_exactly() {
    let mut arena = Arena::new(json!({ "max_stream_age": "1s" }), &[]).await;
    arena
        .until(
            "tieline_feed_subscriptions_ended_total",
            "max_age",
            |ended| ended >= 4,
        )
        .await;
    arena
        .until("tieline_grpc_connections_cut_total", "max_age", |ended| {
            ended >= 1
        })
        .await;
    arena.stands("streams of a second", 2).await;
    arena.over().await;
}
