//! The admin listener over TCP, where it is known who asks.

use reqwest::{Client, Method, StatusCode};
use tieline::client::{Credentials, Target};
use tieline::config::Config;
use tieline::proto::v1;
use tonic::Code;
use v1::admin_service_client::AdminServiceClient;

use super::house::{ADMIN, House, READER, WRITER, files, is};
use crate::kit::{PATIENCE, get};

const FORBIDDEN: &str = "JOURNAL_FORBIDDEN";

async fn house() -> House {
    House::with(|config: &mut Config, _, _| {
        let socket = format!("unix:{}", files(config).join("admin.sock").display());
        config.listen.admin = vec!["127.0.0.1:0".to_owned(), socket];
    })
    .await
}

impl House {
    async fn ask(&self, method: Method, path: &str, token: Option<&str>) -> StatusCode {
        // Whoever is first sets it; the others find it set.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().no_proxy().timeout(PATIENCE);
        let url = format!("http://{}{path}", self.stage.sidecar.admin()[0]);
        let mut request = client.build().unwrap().request(method, url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.body("info").send().await.unwrap().status()
    }

    fn admin(
        &self,
        at: usize,
        credentials: Credentials,
    ) -> AdminServiceClient<tieline::client::Calls> {
        let target = Target {
            address: self.stage.sidecar.admin()[at].parse().unwrap(),
            credentials,
        };
        AdminServiceClient::new(target.channel().unwrap())
    }
}

fn of(journal: &str) -> v1::ListSubscribersRequest {
    v1::ListSubscribersRequest {
        parent: format!("journals/{journal}"),
        ..Default::default()
    }
}

#[tokio::test]
async fn what_changes_something_over_tcp_needs_a_credential_that_may() {
    let house = house().await;
    let _held = house
        .stream(house.token(READER), "journals/default")
        .await
        .unwrap();
    let listed = house
        .admin(0, house.token(ADMIN))
        .list_subscribers(of("-"))
        .await;
    let listed = listed.unwrap().into_inner().subscribers;
    assert_eq!(listed[0].principal, "reader");
    let disconnect = v1::DisconnectSubscriberRequest {
        name: listed[0].name.clone(),
    };
    let none = house.admin(0, Credentials::default());
    let refused = none.clone().disconnect_subscriber(disconnect.clone()).await;
    is(
        &refused.unwrap_err(),
        Code::Unauthenticated,
        "CREDENTIALS_MISSING",
    );
    let refused = none.clone().list_subscribers(of("-")).await;
    is(
        &refused.unwrap_err(),
        Code::Unauthenticated,
        "CREDENTIALS_MISSING",
    );
    for (token, journal) in [
        (READER, "default"),
        (WRITER, "default"),
        (READER, "nowhere"),
    ] {
        let mut admin = house.admin(0, house.token(token));
        let refused = admin.list_subscribers(of(journal)).await.unwrap_err();
        is(&refused, Code::PermissionDenied, FORBIDDEN);
        let refused = admin
            .disconnect_subscriber(disconnect.clone())
            .await
            .unwrap_err();
        is(&refused, Code::PermissionDenied, FORBIDDEN);
        let erase = v1::EraseEventsRequest {
            journal: format!("journals/{journal}"),
            ..Default::default()
        };
        let refused = admin.erase_events(erase).await.unwrap_err();
        is(&refused, Code::PermissionDenied, FORBIDDEN);
    }
    let mut admin = house.admin(0, house.token(ADMIN));
    admin.disconnect_subscriber(disconnect).await.unwrap();
    // The mode of the socket's file says who comes in there.
    let mut at_socket = house.admin(1, Credentials::default());
    assert!(at_socket.list_subscribers(of("-")).await.is_ok());
}

#[tokio::test]
async fn the_console_is_read_on_this_machine_and_its_tail_with_permission() {
    let house = house().await;
    for (method, path, token, expected) in [
        (Method::GET, "/admin/v1/status", None, StatusCode::OK),
        (Method::GET, "/", None, StatusCode::OK),
        (
            Method::GET,
            "/admin/v1/tail?journal=default",
            None,
            StatusCode::UNAUTHORIZED,
        ),
        (
            Method::GET,
            "/admin/v1/tail?journal=default",
            Some("nonsense"),
            StatusCode::UNAUTHORIZED,
        ),
        (
            Method::GET,
            "/admin/v1/tail?journal=other",
            Some(READER),
            StatusCode::FORBIDDEN,
        ),
        (
            Method::GET,
            "/admin/v1/tail?journal=nowhere",
            Some(READER),
            StatusCode::FORBIDDEN,
        ),
        (
            Method::GET,
            "/admin/v1/tail?journal=nowhere",
            Some(ADMIN),
            StatusCode::NOT_FOUND,
        ),
        (
            Method::GET,
            "/admin/v1/tail?journal=default",
            Some(READER),
            StatusCode::OK,
        ),
        (Method::PUT, "/admin/v1/log", None, StatusCode::UNAUTHORIZED),
        (
            Method::PUT,
            "/admin/v1/log",
            Some(WRITER),
            StatusCode::FORBIDDEN,
        ),
        // The log of a test is not of the process.
        (
            Method::PUT,
            "/admin/v1/log",
            Some(ADMIN),
            StatusCode::SERVICE_UNAVAILABLE,
        ),
    ] {
        let status = house.ask(method.clone(), path, token).await;
        assert_eq!(status, expected, "{method} {path} {token:?}");
    }
}

#[tokio::test]
async fn what_is_left_insecure_is_told_by_the_probe_and_the_status() {
    let house = House::with(|config, _, _| {
        config.listen.admin = vec!["127.0.0.1:0".to_owned()];
        config.listen.insecure = serde_json::from_value("insecure-plaintext".into()).unwrap();
    })
    .await;
    let (code, said) = get(&house.stage.sidecar.health_url("/readyz")).await;
    assert_eq!(code, 200);
    assert!(
        said.starts_with("ok\n") && said.contains("listen.insecure"),
        "{said}"
    );
    let url = format!("http://{}/admin/v1/status", house.stage.sidecar.admin()[0]);
    let status: serde_json::Value = serde_json::from_str(&get(&url).await.1).unwrap();
    let told = status["process"]["insecure"].as_str().unwrap();
    assert!(told.contains("can read everything"), "{told}");
}
