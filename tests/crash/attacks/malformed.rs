//! Requests that are none: paths, authorities and headers as no client writes them. None is served.

use serde_json::json;

use super::arena::Arena;
use super::raw::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RESET, Raw, SUBSCRIBE, block, frame,
    from_the_beginning,
};

type Header = (&'static [u8], &'static [u8]);

const METHOD: Header = (b":method", b"POST");
const SCHEME: Header = (b":scheme", b"http");
const PATH: Header = (b":path", SUBSCRIBE.as_bytes());
const AUTHORITY: Header = (b":authority", b"localhost");
const KIND: Header = (b"content-type", b"application/grpc");
const TRAILERS: Header = (b"te", b"trailers");

fn with_path(path: &'static [u8]) -> Vec<Header> {
    vec![METHOD, SCHEME, (b":path", path), AUTHORITY, KIND, TRAILERS]
}

fn with_authority(authority: &'static [u8]) -> Vec<Header> {
    vec![
        METHOD,
        SCHEME,
        PATH,
        (b":authority", authority),
        KIND,
        TRAILERS,
    ]
}

fn and(more: &[Header]) -> Vec<Header> {
    let whole = [METHOD, SCHEME, PATH, AUTHORITY, KIND, TRAILERS];
    [&whole, more].concat()
}

/// What comes back for these headers and a `Subscribe` behind them; true where events come.
async fn is_served(arena: &Arena, headers: &[Header]) -> (bool, Vec<u8>) {
    let mut raw = Raw::tcp(arena.server).await;
    raw.hello(&[]).await.unwrap();
    let mut bytes = frame(HEADERS, END_HEADERS, 1, &block(headers));
    bytes.extend(frame(DATA, END_STREAM, 1, &from_the_beginning()));
    // It may be gone before all of it is written.
    raw.mouth.write(&bytes).await.ok();
    let mut kinds = Vec::new();
    while let Some(frame) = raw.ear.next().await {
        let of_call = frame.stream == 1 || frame.kind == GOAWAY;
        kinds.extend(of_call.then_some(frame.kind));
        match frame.kind {
            // A message of gRPC, with its length.
            DATA if frame.payload.starts_with(&[0]) => return (true, kinds),
            RESET | GOAWAY => return (false, kinds),
            DATA | HEADERS if frame.stream == 1 && frame.flags & END_STREAM != 0 => {
                return (false, kinds);
            }
            _ => {}
        }
    }
    (false, kinds)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b09_i5_what_is_no_request_is_not_served() {
    let mut arena = Arena::new(json!({}), &[]).await;
    let (right, _) = is_served(&arena, &and(&[])).await;
    assert!(right, "the right one is served");
    let wrong = [
        // Without the slash, CVE-2026-33186 of another implementation.
        with_path(b"tieline.v1.EventService/Subscribe"),
        with_path(b""),
        with_path(b"*"),
        with_path(b"/"),
        with_path(b"//tieline.v1.EventService/Subscribe"),
        with_path(b"/tieline.v1.EventService//Subscribe"),
        with_path(b"/tieline.v1.EventService/Subscribe/"),
        with_path(b"/tieline.v1.EventService/../tieline.v1.EventService/Subscribe"),
        with_path(b"/tieline.v1.EventService/%53ubscribe"),
        with_path(b"/tieline.v1.eventservice/subscribe"),
        with_path(b"/tieline.v1.EventService/Subscribe\0"),
        with_path(b"/tieline.v1.EventService/Subscribe \r\nx: y"),
        with_path(b"/\xff\xfe"),
        with_path(b"http://localhost/tieline.v1.EventService/Subscribe"),
        with_authority(b"user:password@localhost"),
        with_authority(b"local host"),
        with_authority(b"[::1"),
        with_authority(b"\xff"),
        vec![METHOD, SCHEME, AUTHORITY, KIND, TRAILERS],
        vec![SCHEME, PATH, AUTHORITY, KIND, TRAILERS],
        vec![METHOD, PATH, AUTHORITY, KIND, TRAILERS],
        vec![(b":method", b"CONNECT"), SCHEME, PATH, AUTHORITY, KIND],
        vec![(b":method", b"GE T"), SCHEME, PATH, AUTHORITY, KIND],
        vec![METHOD, METHOD, SCHEME, PATH, AUTHORITY, KIND],
        vec![METHOD, SCHEME, PATH, PATH, AUTHORITY, KIND],
        vec![METHOD, SCHEME, KIND, PATH, AUTHORITY],
        and(&[(b":status", b"200")]),
        and(&[(b":unknown", b"1")]),
        and(&[(b"Upper", b"1")]),
        and(&[(b"connection", b"keep-alive")]),
        and(&[(b"transfer-encoding", b"chunked")]),
        and(&[(b"upgrade", b"h2c")]),
        and(&[(b"te", b"gzip")]),
        and(&[(b"content-length", b"3")]),
        and(&[(b"content-length", b"x")]),
        and(&[(b"x", b"a\0b")]),
        and(&[(b"", b"1")]),
        and(&[(b"grpc-encoding", b"gzip")]),
        // A page of another site, although it speaks as a client does.
        and(&[(b"origin", b"https://evil.example")]),
        and(&[(b"sec-fetch-site", b"cross-site")]),
        vec![
            METHOD,
            SCHEME,
            PATH,
            AUTHORITY,
            (b"content-type", b"application/grpc-web+proto"),
        ],
    ];
    for headers in &wrong {
        let (served, kinds) = is_served(&arena, headers).await;
        let shown: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()))
            .collect();
        assert!(!served, "{shown:?}");
        assert!(!kinds.is_empty(), "{shown:?} was not answered");
    }
    let refused = arena.figure("tieline_grpc_calls_refused_total", "").await;
    assert!(refused >= 4, "{refused}");
    arena.stands("malformed requests", 1).await;
    arena.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_http2_ends_at_once() {
    let mut arena = Arena::new(json!({}), &[]).await;
    let hello: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let garbage: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /tieline.v1.EventService/Subscribe HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"PRI * HTTP/1.1\r\n\r\n",
        hello,
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"SSH-2.0-OpenSSH_9.7\r\n",
    ];
    for bytes in garbage {
        let mut raw = Raw::tcp(arena.server).await;
        raw.mouth.write(bytes).await.unwrap();
        raw.ear.end().await;
    }
    // Frames of a size that nobody allowed, on streams that cannot be.
    for bytes in [
        frame(DATA, 0, 0, &[0; 10]),
        frame(HEADERS, END_HEADERS, 0, &block(&with_path(b"/"))),
        frame(HEADERS, END_HEADERS, 2, &block(&with_path(b"/"))),
        frame(DATA, 0, 1, &[]),
        frame(0x4, 0, 0, &[1, 2, 3]),
        frame(0x4, 0, 1, &[]),
        frame(0x5, END_HEADERS, 1, &[0; 8]),
        frame(0x6, 0, 0, &[0; 7]),
        frame(0x8, 0, 0, &[0; 4]),
        frame(0x9, END_HEADERS, 1, &[]),
        frame(DATA, 0, 1, &[0; 70_000]),
        PREFACE.to_vec(),
    ] {
        let mut raw = Raw::tcp(arena.server).await;
        raw.hello(&[]).await.unwrap();
        raw.mouth.write(&bytes).await.ok();
        raw.ear.end().await;
    }
    arena.stands("garbage", 1).await;
    arena.over().await;
}
