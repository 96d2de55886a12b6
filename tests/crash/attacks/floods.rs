//! Floods: frames that carry nothing, headers that never end, calls that are taken back.

use serde_json::json;
use tokio::time::timeout;

use super::arena::Arena;
use super::raw::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RESET, Raw,
    SETTINGS, SUBSCRIBE, WINDOW_UPDATE, call, frame, from_the_beginning, header, integer, message,
    window,
};
use crate::child::BOUND;

/// Pieces of a flood; it has ended long before all of them are written.
const MOST_PIECES: usize = 200_000;
/// Frames that are written at once.
const AT_ONCE: usize = 64;

/// Writes a flood until the server ends the connection, which it has to.
async fn flooded(raw: Raw, mut piece: impl FnMut(u32) -> Vec<u8>) -> Option<u32> {
    let Raw { mut ear, mut mouth } = raw;
    let floods = async {
        for n in 0..MOST_PIECES {
            let n = u32::try_from(n).unwrap();
            if mouth.write(&piece(n)).await.is_err() {
                return;
            }
        }
        panic!("{MOST_PIECES} pieces were taken");
    };
    let ended = timeout(BOUND, async {
        tokio::select! {
            () = floods => ear.end().await,
            code = ear.end() => code,
        }
    });
    ended.await.expect("it is ended")
}

fn many(frame: Vec<u8>) -> impl FnMut(u32) -> Vec<u8> {
    let many = frame.repeat(AT_ONCE);
    move |_| many.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b09_floods_of_frames_that_carry_nothing_end_their_connection() {
    let mut arena = Arena::new(json!({}), &[]).await;
    let floods = [
        ("pings", frame(PING, 0, 0, &[7; 8])),
        ("acknowledged pings", frame(PING, ACK, 0, &[7; 8])),
        ("settings", frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])),
        ("empty settings", frame(SETTINGS, 0, 0, &[])),
        ("priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 200])),
        ("windows", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        (
            "windows of a stream",
            frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
        ),
        ("empty data", frame(DATA, 0, 3, &[])),
        ("unknown frames", frame(0x7f, 0, 0, &[1, 2, 3])),
    ];
    for (what, frame) in &floods {
        for over_tcp in [true, false] {
            let mut raw = match over_tcp {
                true => Raw::tcp(arena.server).await,
                false => Raw::unix(&arena.place.path("s")).await,
            };
            raw.hello(&[]).await.unwrap();
            raw.subscribe(1).await.unwrap();
            let open = super::raw::frame(HEADERS, END_HEADERS, 3, &call(SUBSCRIBE));
            raw.mouth.write(&open).await.unwrap();
            let code = flooded(raw, many(frame.clone())).await;
            println!("  {what}: ended with {code:?}");
        }
        arena.stands(what, 1).await;
    }
    let cut = arena
        .figure("tieline_grpc_connections_cut_total", "control_frames")
        .await;
    assert!(cut >= 2 * (floods.len() as u64 - 2), "{cut}");
    arena.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b09_headers_without_an_end_end_their_connection() {
    let mut arena = Arena::new(json!({}), &[]).await;
    let server = arena.server;
    let opened = async || {
        let mut raw = Raw::tcp(server).await;
        raw.hello(&[]).await.unwrap();
        raw
    };
    let endless = |padding: usize| {
        let more = header(b"x-more", &vec![b'x'; padding]);
        move |n: u32| match n {
            0 => frame(HEADERS, END_STREAM, 1, &call(SUBSCRIBE)),
            _ => frame(CONTINUATION, 0, 1, &more),
        }
    };
    let code = flooded(opened().await, endless(8_000)).await;
    println!("  continuations: {code:?}");
    let mut empty = |n: u32| match n {
        0 => frame(HEADERS, END_STREAM, 1, &call(SUBSCRIBE)),
        _ => frame(CONTINUATION, 0, 1, &[]).repeat(AT_ONCE),
    };
    let code = flooded(opened().await, &mut empty).await;
    println!("  empty continuations: {code:?}");

    // A header that is put into the table once and then named ten thousand times.
    let mut bomb = call(SUBSCRIBE);
    bomb.push(0x40);
    for text in [&b"x-bomb"[..], &[b'x'; 3_900]] {
        integer(text.len(), 7, 0, &mut bomb);
        bomb.extend_from_slice(text);
    }
    bomb.extend([0xbe_u8; 10_000]);
    let mut raw = opened().await;
    raw.mouth
        .frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb)
        .await
        .unwrap();
    let code = raw.ear.end().await;
    println!("  a bomb: {code:?}");
    assert!(code.is_some());

    // Too large to be taken, and not so large that the connection is ended for it.
    let mut large = call(SUBSCRIBE);
    large.extend(header(b"x-large", &[b'x'; 20_000]));
    let mut raw = opened().await;
    raw.mouth
        .frame(HEADERS, END_HEADERS | END_STREAM, 1, &large)
        .await
        .unwrap();
    let refused = raw.ear.hear(HEADERS).await.expect("an answer");
    // A status that the table of the protocol has no number for, as 431 is: its name and then its text.
    assert_eq!(refused.payload.first(), Some(&0x48), "{refused:?}");
    arena.stands("headers", 4).await;
    arena.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b06_b09_calls_that_are_taken_back_at_once_leave_nothing_behind() {
    let mut arena = Arena::new(json!({}), &[]).await;
    let refused = |n: u32| {
        let stream = 2 * n + 1;
        // A name in capitals: it is reset for it.
        let mut block = call(SUBSCRIBE);
        block.extend(header(b"X-Bad", b"1"));
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
    };
    let mut raw = Raw::tcp(arena.server).await;
    raw.hello(&[]).await.unwrap();
    println!("  mistakes: {:?}", flooded(raw, refused).await);
    arena.stands("mistakes", 1).await;

    let rapid = |n: u32| {
        let mut bytes = Vec::new();
        for stream in (n * 64..).take(64).map(|n| 2 * n + 1) {
            bytes.extend(frame(HEADERS, END_HEADERS, stream, &call(SUBSCRIBE)));
            bytes.extend(frame(DATA, END_STREAM, stream, &from_the_beginning()));
            bytes.extend(frame(RESET, 0, stream, &8_u32.to_be_bytes()));
        }
        bytes
    };
    let mut raw = Raw::tcp(arena.server).await;
    raw.hello(&[]).await.unwrap();
    println!("  rapid resets: {:?}", flooded(raw, rapid).await);
    arena.stands("rapid resets", 1).await;

    // Each is opened before it is taken back: 1 500 of them.
    let mut raw = Raw::tcp(arena.server).await;
    raw.hello(&[]).await.unwrap();
    raw.mouth.write(&window(0, 1 << 30)).await.unwrap();
    for stream in (1..3_000).step_by(2) {
        raw.subscribe(stream).await.unwrap();
        while raw.ear.next().await.expect("it goes on").stream != stream {}
        raw.mouth
            .frame(RESET, 0, stream, &8_u32.to_be_bytes())
            .await
            .unwrap();
    }
    arena.stands("subscribe and cancel", 1).await;
    drop(raw);
    // The reader's alone is left.
    arena
        .until("tieline_feed_subscribers", "", |open| open == 1)
        .await;
    arena
        .until("tieline_grpc_connections", "", |open| open == 1)
        .await;
    arena.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_pings_are_answered_as_often_as_anybody_needs() {
    let mut arena = Arena::new(json!({}), &[]).await;
    let mut raw = Raw::tcp(arena.server).await;
    raw.hello(&[]).await.unwrap();
    for n in 0..500_u64 {
        raw.mouth.frame(PING, 0, 0, &n.to_be_bytes()).await.unwrap();
        let pong = raw.ear.hear(PING).await.expect("it is not cut");
        assert_eq!(
            (pong.flags & ACK, pong.payload),
            (ACK, n.to_be_bytes().to_vec())
        );
    }
    let large = message(&vec![0; 2 << 20]);
    raw.mouth
        .frame(HEADERS, END_HEADERS, 1, &call(SUBSCRIBE))
        .await
        .unwrap();
    // A message of more than a request may hold is refused by its length alone.
    raw.mouth
        .frame(DATA, 0, 1, large.get(..1_000).unwrap())
        .await
        .unwrap();
    let answer = raw.ear.hear(HEADERS).await.expect("an answer");
    assert_eq!(answer.flags & END_STREAM, END_STREAM);
    arena.stands("pings", 1).await;
    arena.over().await;
}
