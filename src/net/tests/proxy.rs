//! Through a proxy, and to a name with several addresses.

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use url::Url;

use super::server::{Server, answer, header, read_request, read_to_end};
use super::{get, websocket};
use crate::net::stack::{CONNECT_LIMIT, Plan};
use crate::net::{
    Client, HandshakeFailure, HttpClient, HttpFailure, ProxyConfig, ProxyRoutes, TlsConfig, Trust,
    UrlPolicy,
};

fn through(proxy: &Server, endpoint: &Url) -> Client {
    let config = ProxyConfig {
        url: proxy.url.clone(),
        username: Some("me".to_owned()),
        password_file: None,
        password_env: None,
        no_proxy: Vec::new(),
    };
    let routes = ProxyRoutes::of(Some(&config)).unwrap();
    let policy = UrlPolicy::new(endpoint, &[], false).unwrap();
    Client::new(policy, &tls(), routes, &Trust::default()).unwrap()
}

/// Any authority: some machines have none.
fn tls() -> TlsConfig {
    let directory = TempDir::new().unwrap();
    let path = directory.keep().join("ca.pem");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
    TlsConfig {
        ca_file: Some(path),
        ..TlsConfig::default()
    }
}

#[tokio::test]
async fn u7_a_proxys_answer_to_connect_is_read_for_what_it_is() {
    let endpoint: Url = "https://api.test".parse().unwrap();
    for (status, refused) in [
        ("407 Proxy Authentication Required", true),
        ("403 Forbidden", false),
        ("502 Bad Gateway", false),
        ("503 Service Unavailable", false),
    ] {
        let proxy = Server::answering(move |head| {
            assert!(
                head.starts_with("CONNECT api.test:443 HTTP/1.1\r\n"),
                "{head}"
            );
            assert_eq!(header(head, "proxy-authorization"), Some("Basic bWU6"));
            answer(status, "", "an error page")
        })
        .await;
        let client = through(&proxy, &endpoint);
        let request = client.request(get(&endpoint)).await.unwrap_err();
        let handshake = client.websocket(websocket(&endpoint)).await.unwrap_err();
        let HandshakeFailure::Http(handshake) = handshake else {
            panic!("{handshake:?}");
        };
        for failure in [request, handshake] {
            match refused {
                true => assert_eq!(failure, HttpFailure::ProxyRefused),
                false => assert!(
                    matches!(&failure, HttpFailure::Connect(why) if why.contains("no tunnel")),
                    "{failure:?}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn u7_a_proxy_that_hangs_up_or_stalls_is_a_network_that_is_down() {
    let endpoint: Url = "https://api.test".parse().unwrap();
    let rude = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    let failure = through(&rude, &endpoint).request(get(&endpoint)).await;
    assert!(
        matches!(failure, Err(HttpFailure::Connect(_))),
        "{failure:?}"
    );
    let silent = Server::start(|mut stream| async move { read_to_end(&mut stream).await }).await;
    let mut request = get(&endpoint);
    request.timeout = Duration::from_millis(200);
    let failure = through(&silent, &endpoint).request(request).await;
    assert!(
        matches!(failure, Err(HttpFailure::Timeout(_))),
        "{failure:?}"
    );
    let mut request = websocket(&endpoint);
    request.timeout = Duration::from_millis(200);
    let failure = through(&silent, &endpoint).websocket(request).await;
    assert!(
        matches!(failure, Err(HandshakeFailure::Timeout(_))),
        "{failure:?}"
    );
}

#[tokio::test]
async fn u42_the_policy_judges_the_target_and_not_the_proxy() {
    let endpoint: Url = "https://api.test".parse().unwrap();
    let proxy = Server::answering(|_| answer("502 Bad Gateway", "", "")).await;
    let client = through(&proxy, &endpoint);
    let elsewhere = "https://elsewhere.test/".parse().unwrap();
    let failure = client.request(get(&elsewhere)).await;
    assert!(
        matches!(failure, Err(HttpFailure::RedirectRefused(_))),
        "{failure:?}"
    );
    assert_eq!(proxy.accepts(), 0);
}

/// An address that takes no connection and refuses none, for as long as what it returns lives.
async fn black_hole(address: &str, port: u16) -> (TcpListener, JoinSet<()>) {
    let address: SocketAddr = format!("{address}:{port}").parse().unwrap();
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(1).unwrap();
    // Its queue is full once a connection hangs.
    let mut queue = JoinSet::new();
    for _ in 0..64 {
        match timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            Ok(stream) => {
                let mut stream = stream.unwrap();
                queue.spawn(async move { read_to_end(&mut stream).await });
            }
            Err(_) => return (listener, queue),
        }
    }
    panic!("the queue of {address} never fills");
}

async fn reached(port: u16, addresses: &[&str], connect_limit: Duration) -> Duration {
    let endpoint: Url = format!("http://several.test:{port}").parse().unwrap();
    let policy = UrlPolicy::new(&endpoint, &[], true).unwrap();
    let addresses = addresses.iter();
    let plan = Plan {
        trust: Trust::default(),
        tls: TlsConfig::default(),
        routes: ProxyRoutes::default(),
        may_lack_roots: true,
        connect_limit,
        names: vec![(
            "several.test".to_owned(),
            addresses
                .map(|a| format!("{a}:{port}").parse().unwrap())
                .collect(),
        )],
    };
    let client = Client::of(policy, plan).unwrap();
    let began = Instant::now();
    let answer = client.request(get(&endpoint)).await.unwrap();
    assert_eq!(answer.body, "alive");
    began.elapsed()
}

async fn alive() -> (Server, u16) {
    let server = Server::start(|mut stream| async move {
        if read_request(&mut stream).await.is_some() {
            let alive = answer("200 OK", "", "alive");
            stream.write_all(alive.as_bytes()).await.unwrap();
        }
    })
    .await;
    let port = server.url.port().unwrap();
    (server, port)
}

#[tokio::test]
async fn u7_an_address_that_refuses_costs_nothing() {
    let (_server, port) = alive().await;
    let addresses = ["[::1]", "127.0.0.2", "127.0.0.1"];
    let took = reached(port, &addresses, CONNECT_LIMIT).await;
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn u7_an_address_that_hangs_costs_its_share_of_the_limit() {
    let (_server, port) = alive().await;
    let _hole = black_hole("127.0.0.2", port).await;
    let limit = Duration::from_secs(2);
    let took = reached(port, &["127.0.0.2", "127.0.0.1"], limit).await;
    assert!(took >= limit / 2, "it was tried: {took:?}");
}

#[tokio::test]
async fn u7_an_ipv6_path_that_hangs_is_overtaken_by_ipv4() {
    let (_server, port) = alive().await;
    let _hole = black_hole("[::1]", port).await;
    let took = reached(port, &["[::1]", "127.0.0.1"], CONNECT_LIMIT).await;
    assert!(took < CONNECT_LIMIT / 2, "{took:?}");
}
