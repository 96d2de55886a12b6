//! Peers that hold still: readers that do not read, requests that do not end, connections that say
//! nothing.

use futures_util::future::join_all;
use serde_json::json;
use tieline::sandbox::Emission;
use tokio::time::Instant;

use super::arena::Arena;
use super::raw::{
    DATA, END_HEADERS, GOAWAY, HEADERS, INITIAL_WINDOW, PREFACE, RESET, Raw, SUBSCRIBE, call,
    window,
};
use crate::child::BOUND;

/// What is issued while nobody but the reader takes anything: more than any buffer holds.
const BACKLOG: u64 = 20_000;
/// Its share that is issued at once.
const AT_ONCE: u64 = 2_000;

/// Opens so many streams, each with a window of this size, and waits until all are open.
async fn stalled(arena: &Arena, streams: u32, stream_window: u32) -> Raw {
    let mut raw = Raw::tcp(arena.server).await;
    raw.hello(&[(INITIAL_WINDOW, stream_window)]).await.unwrap();
    raw.mouth.write(&window(0, 1 << 30)).await.unwrap();
    let mut opened = 0;
    for stream in (0..streams).map(|n| 2 * n + 1) {
        raw.subscribe(stream).await.unwrap();
    }
    // Headers are not held back by a window.
    while opened < streams {
        let frame = raw.ear.next().await.expect("it goes on");
        opened += u32::from(frame.kind == HEADERS);
    }
    raw
}

async fn backlog(arena: &mut Arena) {
    for _ in (0..BACKLOG).step_by(AT_ONCE as usize) {
        arena.place.sandbox.emit(&Emission::story(AT_ONCE)).unwrap();
        let head = arena.place.sandbox.ledger().head();
        let has = |now: &crate::record::Progress| now.number >= head;
        arena
            .readers
            .until(&mut arena.sidecar, "it keeps up", has)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b01_b02_b03_readers_that_do_not_read_are_parked_at_a_bounded_price() {
    let mut arena = Arena::new(json!({}), &[]).await;
    // No window at all, on many streams; a window of a byte; windows without an end that are not read.
    let nothing = stalled(&arena, 200, 0).await;
    arena.stands("200 streams without a window", 1).await;
    let mut dribble = stalled(&arena, 10, 1).await;
    let never = stalled(&arena, 10, i32::MAX as u32).await;
    backlog(&mut arena).await;
    arena.stands("streams that are not read", 3).await;
    let open = arena.figure("tieline_feed_subscribers", "").await;
    assert_eq!(open, 221, "nobody is cut off for being slow");

    // A byte at a time: each window that is opened by one lets one byte out.
    let mut taken = 0;
    for n in 0..2_000_u32 {
        let stream = 2 * (n % 10) + 1;
        dribble.mouth.write(&window(stream, 1)).await.unwrap();
        let frame = dribble.ear.hear(DATA).await.expect("it goes on");
        taken += frame.payload.len();
        let opened = 10 + n as usize + 1;
        assert!(taken <= opened, "{taken} bytes through windows of {opened}");
    }
    arena.stands("a byte at a time", 3).await;

    drop((nothing, dribble, never));
    arena
        .until("tieline_feed_subscribers", "", |open| open == 1)
        .await;
    arena
        .until("tieline_grpc_connections", "", |open| open == 1)
        .await;
    arena.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b03_one_peer_has_so_many_streams_and_others_have_theirs() {
    let limits = json!({ "streams_per_connection": 30, "per_peer": { "streams": 50 } });
    let mut arena = Arena::new(limits, &[]).await;
    let mut raws = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw::from([127, 0, 0, 9], arena.server).await.unwrap();
        raw.hello(&[(INITIAL_WINDOW, 0)]).await.unwrap();
        for stream in (0..30).map(|n| 2 * n + 1) {
            raw.subscribe(stream).await.unwrap();
        }
        // The first has all of its streams before the second asks for any.
        arena
            .until("tieline_feed_subscribers", "", |open| open >= 31)
            .await;
        raws.push(raw);
    }
    arena
        .until("tieline_grpc_calls_refused_total", "peer_streams", |n| {
            n == 10
        })
        .await;
    arena
        .until("tieline_feed_subscribers", "", |open| open == 51)
        .await;
    // One more than a connection may have is refused by the protocol, and the others stay.
    let raw = raws.first_mut().unwrap();
    raw.subscribe(61).await.unwrap();
    let refused = raw.ear.hear(RESET).await.expect("it is reset");
    assert_eq!((refused.stream, refused.payload.last()), (61, Some(&7)));
    let mut other = Raw::from([127, 0, 0, 8], arena.server).await.unwrap();
    other.hello(&[]).await.unwrap();
    other.subscribe(1).await.unwrap();
    other.ear.hear(DATA).await.expect("it is served");
    arena.stands("many streams", 3).await;
    arena.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b10_who_says_nothing_or_never_ends_is_not_waited_for() {
    let mut arena = Arena::new(json!({}), &[]).await;
    let began = Instant::now();
    let server = arena.server;
    // Connections that stop at each place of the first words.
    let silent = (0..PREFACE.len()).map(|said| async move {
        let mut raw = Raw::tcp(server).await;
        raw.mouth.write(PREFACE.get(..said).unwrap()).await.unwrap();
        raw.ear.end().await
    });
    let silent = join_all(silent);
    // Requests that begin and do not end.
    let endless = async {
        let mut raw = Raw::tcp(server).await;
        raw.hello(&[]).await.unwrap();
        for stream in (0..100).map(|n| 2 * n + 1) {
            raw.mouth
                .frame(HEADERS, END_HEADERS, stream, &call(SUBSCRIBE))
                .await
                .unwrap();
        }
        let mut answered = 0;
        while answered < 100 {
            let frame = raw.ear.next().await.expect("it goes on");
            assert!(frame.kind != GOAWAY, "{frame:?}");
            answered += u32::from(frame.kind == HEADERS);
        }
    };
    tokio::join!(silent, endless);
    println!("  all of them were ended after {:?}", began.elapsed());
    assert!(began.elapsed() < BOUND);
    let cut = arena
        .figure("tieline_grpc_connections_cut_total", "first_words")
        .await;
    assert_eq!(cut, PREFACE.len() as u64);
    let late = arena
        .figure("tieline_grpc_calls_refused_total", "request_timeout")
        .await;
    assert_eq!(late, 100);
    arena.stands("silence", 1).await;
    arena.over().await;
}
