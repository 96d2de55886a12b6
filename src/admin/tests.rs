//! The probes over real sockets.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{HealthServer, router};
use crate::runtime::{Readiness, drain};

const BOUND: Duration = Duration::from_secs(10);

/// Serves while `asks` runs, then forces the end and waits for it.
async fn serving<F: Future<Output = ()>>(
    startup: &Readiness,
    readiness: &Readiness,
    asks: impl FnOnce(std::net::SocketAddr) -> F,
) {
    let routes = router(startup.clone(), readiness.clone());
    let server = HealthServer::bind("127.0.0.1:0", routes).await.unwrap();
    let address = server.local_addr().unwrap();
    let (trigger, drain) = drain();
    let asks = async {
        asks(address).await;
        trigger.force();
    };
    tokio::time::timeout(BOUND, async { tokio::join!(server.serve(drain), asks) })
        .await
        .unwrap();
}

async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn probes_name_what_is_pending_and_need_no_host() {
    let (startup, readiness) = (Readiness::new(), Readiness::new());
    let journal = startup.latch("journals/default");
    let serve = readiness.latch("listeners");
    serving(&startup, &readiness, |address| {
        let readiness = readiness.clone();
        async move {
            let alive = ask(address, "GET /livez HTTP/1.0\r\n\r\n").await;
            assert!(alive.starts_with("HTTP/1.0 200"), "{alive}");
            let starting = ask(address, "GET /startupz HTTP/1.0\r\n\r\n").await;
            assert!(starting.starts_with("HTTP/1.0 503"), "{starting}");
            assert!(
                starting.ends_with("pending: journals/default\n"),
                "{starting}"
            );
            journal.open();
            let started = ask(address, "GET /startupz HTTP/1.0\r\n\r\n").await;
            assert!(started.ends_with("\r\n\r\nok\n"), "{started}");
            serve.open();
            let ready = ask(address, "GET /readyz HTTP/1.0\r\n\r\n").await;
            assert!(ready.starts_with("HTTP/1.0 200"), "{ready}");
            readiness.close("draining");
            let draining = ask(address, "GET /readyz HTTP/1.0\r\n\r\n").await;
            assert!(draining.ends_with("pending: draining\n"), "{draining}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let ready = Readiness::new();
    serving(&ready, &ready, |address| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let endless = format!("GET /livez HTTP/1.1\r\nx: {}", "y".repeat(64 * 1024));
        // The server may hang up before all is written.
        let _refused_early = stream.write_all(endless.as_bytes()).await.is_err();
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await.is_err();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = HealthServer::bind("127.0.0.1:0", axum::Router::new())
        .await
        .unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = HealthServer::bind(&address, axum::Router::new())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("bind the health listener to {address}")
    );
}

#[tokio::test]
async fn grpc_health_shares_the_port() {
    let (health, checks) = tonic_health::server::health_reporter();
    health
        .set_service_status("journals/default", tonic_health::ServingStatus::NotServing)
        .await;
    let ready = Readiness::new();
    let grpc = tonic::service::Routes::new(checks).into_axum_router();
    let routes = grpc.merge(router(ready.clone(), ready));
    let server = HealthServer::bind("127.0.0.1:0", routes).await.unwrap();
    let address = server.local_addr().unwrap();
    let (trigger, drain) = drain();
    let asks = async {
        let alive = ask(address, "GET /livez HTTP/1.0\r\n\r\n").await;
        assert!(alive.ends_with("ok\n"), "{alive}");
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"));
        let channel = channel.unwrap().connect().await.unwrap();
        let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
        let request = tonic_health::pb::HealthCheckRequest {
            service: "journals/default".into(),
        };
        let status = client.check(request).await.unwrap().into_inner().status();
        assert_eq!(status.as_str_name(), "NOT_SERVING");
        trigger.force();
    };
    tokio::time::timeout(BOUND, async { tokio::join!(server.serve(drain), asks) })
        .await
        .unwrap();
}
