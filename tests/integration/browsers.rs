//! Browsers at the gRPC listener: gRPC-Web by HTTP/1.1 and HTTP/2, the question beforehand, pages of
//! other sites, and whom a proxy speaks for.

use prost::Message as _;
use tieline::client::Address;
use tieline::config::Config;
use tieline::proto::v1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use v1::subscribe_request::{End, Start};
use v1::subscribe_response::Notice;

use crate::kit::{PATIENCE, Stage, get, quick};

const PAGE: &str = "https://wallboard.example.test";
const SUBSCRIBE: &str = "/tieline.v1.EventService/Subscribe";
const GET_EVENT: &str = "/tieline.v1.EventService/GetEvent";
/// Of the first byte of a frame: trailers.
const TRAILERS: u8 = 0x80;

async fn stage(adjust: impl FnOnce(&mut Config)) -> Stage {
    let stage = Stage::with(quick(), |config| {
        config.listen.allowed_origins = vec![PAGE.to_owned()];
        adjust(config);
    })
    .await;
    let mut reader = stage.reader();
    stage.sidecar.active().await;
    stage.emit(20);
    reader.catch_up(&stage.sandbox).await;
    stage
}

fn all_there_is() -> v1::SubscribeRequest {
    v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        end: Some(End::UntilCaughtUp(true)),
        ..Default::default()
    }
}

/// An answer of HTTP/1.1.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(named, _)| named.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    /// Frames of gRPC-Web: flags and contents.
    fn frames(&self) -> Vec<(u8, &[u8])> {
        let mut rest = self.body.as_slice();
        let mut frames = Vec::new();
        while let [flags, a, b, c, d, behind @ ..] = rest {
            let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            let (frame, behind) = behind.split_at(len);
            frames.push((*flags, frame));
            rest = behind;
        }
        assert!(rest.is_empty());
        frames
    }
}

fn port(stage: &Stage) -> String {
    match stage.sidecar.address() {
        Address::Tcp(address) => address,
        other => panic!("{other}"),
    }
}

/// Writes a request as a browser does, and reads the whole answer.
async fn ask(
    stage: &Stage,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let server = port(stage);
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {server}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let asked = timeout(PATIENCE, async {
        let mut stream = TcpStream::connect(&server).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    });
    let answer = asked.await.expect("an answer");
    let end = answer
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = answer[end + 4..].to_vec();
    if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        body = whole(&body);
    }
    Answer { status, head, body }
}

/// A chunked body as one.
fn whole(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunks
            .windows(2)
            .position(|part| part == b"\r\n")
            .expect("a size");
        let size = std::str::from_utf8(&chunks[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let chunk = &chunks[end + 2..];
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunk[..size]);
        chunks = &chunk[size + 2..];
    }
}

fn framed(message: &impl prost::Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let mut framed = vec![0];
    framed.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    framed.extend(bytes);
    framed
}

const OF_PAGE: [(&str, &str); 3] = [
    ("origin", PAGE),
    ("content-type", "application/grpc-web+proto"),
    ("x-grpc-web", "1"),
];

/// The responses of a stream and its trailers.
fn responses(answer: &Answer) -> (Vec<v1::SubscribeResponse>, String) {
    let mut frames = answer.frames();
    let (flags, trailers) = frames.pop().expect("an end");
    assert_eq!(flags, TRAILERS);
    let decoded = frames.iter().map(|(flags, frame)| {
        assert_eq!(*flags, 0);
        v1::SubscribeResponse::decode(*frame).unwrap()
    });
    (
        decoded.collect(),
        String::from_utf8(trailers.to_vec()).unwrap(),
    )
}

async fn refused(stage: &Stage, reason: &str) -> u64 {
    let (_, text) = get(&stage.sidecar.health_url("/metrics")).await;
    let label = format!("tieline_grpc_calls_refused_total{{reason=\"{reason}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&label));
    line.unwrap_or_else(|| panic!("no {label} in {text}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_reads_what_every_client_reads() {
    let stage = stage(|_| {}).await;
    let answer = ask(
        &stage,
        "POST",
        SUBSCRIBE,
        &OF_PAGE,
        &framed(&all_there_is()),
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    assert_eq!(
        answer.header("content-type"),
        Some("application/grpc-web+proto")
    );
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("vary"), Some("Origin"));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("grpc-status-details-bin"), "{exposed}");
    let (all, trailers) = responses(&answer);
    assert!(trailers.contains("grpc-status:0"), "{trailers}");
    assert!(matches!(all[0].notice, Some(Notice::Opened(_))));
    let sequences: Vec<u64> = all
        .iter()
        .flat_map(|r| r.events.iter().map(|e| e.sequence))
        .collect();
    let latest = stage.sidecar.journal().latest.get();
    assert_eq!(sequences, (1..=latest).collect::<Vec<_>>());

    // A single answer, and one that is an error.
    let event = |sequence: u64| v1::GetEventRequest {
        name: format!("journals/default/events/{sequence}"),
        ..Default::default()
    };
    let answer = ask(&stage, "POST", GET_EVENT, &OF_PAGE, &framed(&event(1))).await;
    let frames = answer.frames();
    let found = v1::GetEventResponse::decode(frames[0].1).unwrap();
    assert_eq!(found.event.unwrap().sequence, 1);
    let answer = ask(
        &stage,
        "POST",
        GET_EVENT,
        &OF_PAGE,
        &framed(&event(1 << 40)),
    )
    .await;
    assert_eq!(answer.header("grpc-status"), Some("5"), "{}", answer.head);
    assert!(answer.header("grpc-status-details-bin").is_some());
}

#[tokio::test]
async fn a_stream_comes_as_it_is_made_and_not_at_its_end() {
    let stage = stage(|_| {}).await;
    let endless = v1::SubscribeRequest {
        end: None,
        ..all_there_is()
    };
    let body = framed(&endless);
    let server = port(&stage);
    let mut stream = TcpStream::connect(&server).await.unwrap();
    let head = format!(
        "POST {SUBSCRIBE} HTTP/1.1\r\nhost: {server}\r\norigin: {PAGE}\r\n\
         content-type: application/grpc-web+proto\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut came = Vec::new();
    // What is issued later comes on the same answer, again and again.
    for marker in 1..=5 {
        stage.emit(1);
        let before = came.len();
        let reading = timeout(PATIENCE, async {
            while came.len() < before + 100 {
                let mut piece = [0; 4096];
                let read = stream.read(&mut piece).await.unwrap();
                assert!(read > 0, "it goes on");
                came.extend_from_slice(&piece[..read]);
            }
        });
        reading
            .await
            .unwrap_or_else(|_| panic!("nothing came after {marker}"));
    }
}

#[tokio::test]
async fn a_browser_asks_beforehand_and_is_told_what_it_may_do() {
    let stage = stage(|_| {}).await;
    let asks = [
        ("origin", PAGE),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "content-type,x-grpc-web,authorization",
        ),
    ];
    let answer = ask(&stage, "OPTIONS", SUBSCRIBE, &asks, b"").await;
    assert_eq!(answer.status, 204, "{}", answer.head);
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    let allowed = answer.header("access-control-allow-headers").unwrap();
    for name in [
        "content-type",
        "x-grpc-web",
        "authorization",
        "grpc-timeout",
    ] {
        assert!(allowed.contains(name), "{allowed}");
    }
    assert_eq!(answer.header("access-control-allow-private-network"), None);
    let private = [
        &asks[..],
        &[("access-control-request-private-network", "true")],
    ]
    .concat();
    let answer = ask(&stage, "OPTIONS", SUBSCRIBE, &private, b"").await;
    assert_eq!(
        answer.header("access-control-allow-private-network"),
        Some("true")
    );
}

#[tokio::test]
async fn a_page_of_another_origin_or_under_another_name_is_refused_and_counted() {
    let stage = stage(|config| {
        config.listen.grpc_hosts = vec!["tieline.example.test".to_owned()];
    })
    .await;
    let body = framed(&all_there_is());
    let page = |origin| [("origin", origin), OF_PAGE[1], OF_PAGE[2]];
    for origin in [
        "https://evil.example",
        "null",
        "http://wallboard.example.test",
    ] {
        for method in ["POST", "OPTIONS"] {
            let answer = ask(&stage, method, SUBSCRIBE, &page(origin), &body).await;
            assert_eq!(answer.status, 403, "{}", answer.head);
            assert_eq!(answer.header("access-control-allow-origin"), None);
            let why = String::from_utf8(answer.body).unwrap();
            assert!(
                why.contains(origin) && why.contains("listen.allowed_origins"),
                "{why}"
            );
        }
    }
    assert_eq!(refused(&stage, "origin").await, 6);
    for (host, status) in [
        ("rebound.example", 403),
        ("tieline.example.test", 200),
        ("localhost:1", 200),
    ] {
        let headers = [&page(PAGE)[..], &[("host", host)]].concat();
        let answer = ask(&stage, "POST", SUBSCRIBE, &headers, &body).await;
        assert_eq!(answer.status, status, "{host}: {}", answer.head);
    }
    assert_eq!(refused(&stage, "host").await, 1);
    // What is no call of gRPC-Web is none, whoever asks.
    let answer = ask(&stage, "GET", "/", &[("origin", PAGE)], b"").await;
    assert_eq!(answer.status, 400);
    let answer = ask(&stage, "GET", SUBSCRIBE, &OF_PAGE, b"").await;
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn without_allowed_origins_no_browser_is_spoken_to() {
    let stage = stage(|config| config.listen.allowed_origins.clear()).await;
    let server = port(&stage);
    let mut stream = TcpStream::connect(&server).await.unwrap();
    let asked = format!("POST {SUBSCRIBE} HTTP/1.1\r\nhost: {server}\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&answer).into_owned();
    assert!(read.is_err() || !told.contains("HTTP/1.1"), "{told}");
}

#[tokio::test]
async fn operators_see_whom_a_trusted_proxy_speaks_for() {
    for (trusted, expected) in [(vec!["127.0.0.0/8"], Some("198.51.100.9")), (vec![], None)] {
        let stage = stage(|config| {
            config.listen.admin = vec!["127.0.0.1:0".to_owned()];
            config.listen.trusted_proxies = trusted.iter().map(|&text| text.to_owned()).collect();
        })
        .await;
        let endless = v1::SubscribeRequest {
            end: None,
            ..all_there_is()
        };
        let body = framed(&endless);
        let server = port(&stage);
        let mut stream = TcpStream::connect(&server).await.unwrap();
        let own = stream.local_addr().unwrap().to_string();
        let head = format!(
            "POST {SUBSCRIBE} HTTP/1.1\r\nhost: {server}\r\norigin: {PAGE}\r\n\
             x-forwarded-for: 10.9.9.9, 198.51.100.9\r\n\
             content-type: application/grpc-web+proto\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut piece = [0; 64];
        timeout(PATIENCE, stream.read_exact(&mut piece))
            .await
            .unwrap()
            .unwrap();
        let status = format!("http://{}/admin/v1/status", stage.sidecar.admin()[0]);
        let (_, text) = get(&status).await;
        let status: serde_json::Value = serde_json::from_str(&text).unwrap();
        let peers: Vec<_> = status["subscribers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|subscriber| subscriber["peer"].as_str().unwrap().to_owned())
            .collect();
        assert!(
            peers.contains(&expected.map_or(own, str::to_owned)),
            "{peers:?}"
        );
    }
}
