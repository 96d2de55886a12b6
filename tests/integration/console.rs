//! The admin listener over real sockets: what it shows, whom it refuses, what it ends.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tieline::client::Address;
use tieline::config::Config;
use tieline::proto::v1;
use tieline::sandbox::fault::Fault;
use tokio::time::timeout;
use tonic::Code;
use tonic_types::StatusExt as _;
use v1::admin_service_client::AdminServiceClient;
use v1::event_service_client::EventServiceClient;
use v1::subscribe_request::Start;
use v1::subscribe_response::Notice;

use crate::kit::{PATIENCE, SESSION, Stage, get, quick};

/// A stage whose sidecar has a console, on TCP and on a socket.
struct Console {
    stage: Stage,
    files: TempDir,
}

async fn console() -> Console {
    console_with(|_| {}).await
}

async fn console_with(adjust: impl FnOnce(&mut Config)) -> Console {
    let files = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", files.path().join("admin.sock").display());
    let stage = Stage::with(quick(), |config| {
        config.listen.admin = vec!["127.0.0.1:0".to_owned(), socket];
        adjust(config);
    })
    .await;
    stage.sidecar.active().await;
    Console { stage, files }
}

impl Console {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.stage.sidecar.admin()[0])
    }

    fn socket(&self) -> PathBuf {
        self.files.path().join("admin.sock")
    }

    async fn status(&self) -> Value {
        let (status, text) = get(&self.url("/admin/v1/status")).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = client(None).request(method, self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn admin(&self, socket: bool) -> AdminServiceClient<tonic::transport::Channel> {
        let address = match socket {
            true => format!("unix:{}", self.socket().display()),
            false => self.stage.sidecar.admin()[0].clone(),
        };
        let address: Address = address.parse().unwrap();
        AdminServiceClient::new(address.channel().unwrap())
    }
}

fn client(socket: Option<&Path>) -> Client {
    // Whoever is first sets it; the others find it set.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder().no_proxy().timeout(PATIENCE);
    let client = match socket {
        Some(path) => client.unix_socket(path),
        None => client,
    };
    client.build().unwrap()
}

#[tokio::test]
async fn the_status_tells_what_each_session_does_and_since_when_and_why() {
    let console = console().await;
    console.stage.emit(20);
    let mut reader = console.stage.reader();
    reader.catch_up(&console.stage.sandbox).await;
    let status = console.status().await;
    assert_eq!(status["schema"], "tieline.status/v1");
    let process = &status["process"];
    assert_eq!(process["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(process["not_ready"], serde_json::json!([]));
    assert_eq!(process["config_hash"].as_str().unwrap().len(), 16);
    let session = &status["sessions"][0];
    assert_eq!(session["name"], SESSION);
    assert_eq!(session["state"], "active");
    assert!(session["events"].as_u64().unwrap() >= 20, "{session}");
    assert!(session["token_expire_time"].is_string(), "{session}");
    assert!(status["journals"][0]["latest_sequence"].as_u64().unwrap() >= 20);
    assert_eq!(status["subscribers"][0]["client_id"], "reader");

    console.stage.set(Fault::PlatformDown {});
    console.stage.sidecar.reconnect();
    let down = |s: &v1::Session| s.state() == v1::session::State::Reconnecting;
    console.stage.sidecar.until("reconnecting", down).await;
    let (found, text) = get(&console.url(&format!("/admin/v1/sessions/{SESSION}"))).await;
    assert_eq!(found, 200);
    let session: Value = serde_json::from_str(&text).unwrap();
    let transitions = session["transitions"].as_array().unwrap();
    let last = transitions.last().unwrap();
    assert_eq!(last["to"], "reconnecting", "{session}");
    assert!(!last["cause"].as_str().unwrap().is_empty(), "{session}");
    console.stage.settle(&mut reader).await;
}

#[tokio::test]
async fn the_page_shows_its_first_state_without_a_script_and_lets_nothing_foreign_in() {
    let console = console().await;
    let answer = console.ask(Method::GET, "/", &[]).await;
    let headers = answer.headers().clone();
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"));
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    let page = answer.text().await.unwrap();
    assert!(page.contains(SESSION), "{page}");
    for asset in ["/style.css", "/app.js"] {
        let answer = console.ask(Method::GET, asset, &[]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{asset}");
    }
}

#[tokio::test]
async fn a_foreign_host_and_another_site_are_refused() {
    let console = console().await;
    for path in [
        "/",
        "/admin/v1/status",
        "/admin/v1/events",
        "/admin/v1/tail",
    ] {
        let foreign = console
            .ask(Method::GET, path, &[("host", "evil.example")])
            .await;
        assert_eq!(foreign.status(), StatusCode::MISDIRECTED_REQUEST, "{path}");
        for header in [
            ("origin", "http://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let other = console.ask(Method::GET, path, &[header]).await;
            assert_eq!(other.status(), StatusCode::FORBIDDEN, "{path}");
            assert!(other.headers().get("access-control-allow-origin").is_none());
        }
    }
}

#[tokio::test]
async fn what_changes_things_is_refused_over_tcp_and_get_changes_nothing() {
    let console = console().await;
    let before = console.stage.sidecar.session();
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let refused = console.ask(method.clone(), "/admin/v1/log", &[]).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{method}");
    }
    for path in ["/", "/admin/v1/status", "/admin/v1/log", "/admin/v1/events"] {
        let refused = console.ask(Method::POST, path, &[]).await;
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        console.ask(Method::GET, path, &[]).await;
    }
    let after = console.stage.sidecar.session();
    assert_eq!(before.generation, after.generation);
    assert_eq!(before.reconnect_count, after.reconnect_count);
}

#[tokio::test]
async fn the_socket_is_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let console = console().await;
    let mode = std::fs::metadata(console.socket()).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let socket = client(Some(&console.socket()));
    let answer = socket.get("http://localhost/admin/v1/status").send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::OK);
}

/// The status that an event carries, and what is left behind it.
async fn update(answer: &mut Response) -> Value {
    let mut text = String::new();
    loop {
        let chunk = timeout(PATIENCE, answer.chunk()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("it goes on")).unwrap());
        if let Some(event) = text.strip_suffix("\n\n") {
            let data = event.rsplit_once("data: ").unwrap().1;
            return serde_json::from_str(data).unwrap();
        }
    }
}

#[tokio::test]
async fn updates_come_to_as_many_as_may_watch_and_no_faster_than_once_a_second() {
    let console = console().await;
    let mut watching = Vec::new();
    for _ in 0..16 {
        let answer = console.ask(Method::GET, "/admin/v1/events", &[]).await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        watching.push(answer);
    }
    let one_more = console.ask(Method::GET, "/admin/v1/events", &[]).await;
    assert_eq!(one_more.status(), StatusCode::SERVICE_UNAVAILABLE);
    let first = update(&mut watching[0]).await;
    let second = update(&mut watching[0]).await;
    let time = |status: &Value| {
        let text = status["time"].as_str().unwrap();
        tieline::domain::WallTime::parse_rfc3339(text).unwrap()
    };
    let apart = time(&second).since(time(&first));
    assert!(apart.as_millis() > 500, "{apart:?}");
}

#[tokio::test]
async fn a_subscriber_is_disconnected_over_the_socket_alone_and_forgotten() {
    let console = console().await;
    let channel = console.stage.sidecar.address().channel().unwrap();
    let mut events = EventServiceClient::new(channel);
    let request = v1::SubscribeRequest {
        client_id: "dashboard".to_owned(),
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        ..Default::default()
    };
    let mut stream = events.subscribe(request).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();

    let mut over_tcp = console.admin(false).await;
    let list = v1::ListSubscribersRequest {
        parent: "journals/-".to_owned(),
        ..Default::default()
    };
    let listed = over_tcp.list_subscribers(list.clone()).await.unwrap();
    let subscriber = listed.into_inner().subscribers.remove(0);
    assert_eq!(subscriber.client_id, "dashboard");
    assert!(subscriber.peer.starts_with("127.0.0.1:"), "{subscriber:?}");
    assert!(subscriber.connect_time.is_some() && subscriber.last_progress_time.is_some());

    let disconnect = v1::DisconnectSubscriberRequest {
        name: subscriber.name.clone(),
    };
    let refused = over_tcp.disconnect_subscriber(disconnect.clone()).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("socket"), "{refused}");

    let mut over_socket = console.admin(true).await;
    let ended = over_socket.disconnect_subscriber(disconnect.clone());
    let reading = async {
        let mut closing = None;
        loop {
            match stream.message().await {
                Ok(Some(response)) => {
                    if let Some(Notice::Closing(notice)) = response.notice {
                        closing = Some(notice.reason());
                    }
                }
                Ok(None) => panic!("it ended well"),
                Err(status) => return (closing, status),
            }
        }
    };
    let both = async { tokio::join!(ended, reading) };
    let (answer, (closing, status)) = timeout(PATIENCE, both).await.unwrap();
    answer.unwrap();
    let reason = v1::closing::Reason::DisconnectedByOperator;
    assert_eq!(closing, Some(reason));
    assert_eq!(status.code(), Code::Unavailable);
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.reason, "DISCONNECTED_BY_OPERATOR");
    assert!(details.retry_info().is_some());
    let left = over_tcp.list_subscribers(list).await.unwrap().into_inner();
    assert!(left.subscribers.is_empty(), "{left:?}");
    let gone = over_socket.disconnect_subscriber(disconnect).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn the_tail_shows_what_comes_and_payloads_only_where_they_are_allowed() {
    let shy = console().await;
    let refused = shy
        .ask(Method::GET, "/admin/v1/tail?payload=true", &[])
        .await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let unknown = shy.ask(Method::GET, "/admin/v1/tail?jurnal=x", &[]).await;
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);

    let open = console_with(|config| config.listen.admin_payloads = true).await;
    for (console, payload) in [(&shy, false), (&open, true)] {
        let path = format!("/admin/v1/tail?payload={payload}");
        let mut tail = console.ask(Method::GET, &path, &[]).await;
        assert_eq!(tail.status(), StatusCode::OK);
        console.stage.emit(3);
        let mut text = String::new();
        let row = loop {
            let chunk = timeout(PATIENCE, tail.chunk()).await.unwrap().unwrap();
            text.push_str(std::str::from_utf8(&chunk.expect("it goes on")).unwrap());
            let message = text
                .rsplit_once("data: ")
                .filter(|(_, m)| m.ends_with("\n\n"));
            if let Some((_, message)) = message {
                let rows: Value = serde_json::from_str(message).unwrap();
                if rows["events"][0].is_object() {
                    break rows["events"][0].clone();
                }
            }
        };
        assert_eq!(row["session"], SESSION, "{row}");
        assert!(row["size_bytes"].as_u64().unwrap() > 0, "{row}");
        assert_eq!(row["payload"].is_string(), payload, "{row}");
    }
}

#[tokio::test]
async fn top_prints_one_frame_off_a_terminal() {
    let console = console().await;
    let socket = format!("unix:{}", console.socket().display());
    let tcp = console.stage.sidecar.admin()[0].clone();
    for (address, arguments) in [(socket, vec![]), (tcp, vec!["--once"])] {
        let mut top = tokio::process::Command::new(env!("CARGO_BIN_EXE_tieline"));
        top.arg("top").args(["--address", &address]).args(arguments);
        top.stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(PATIENCE, top.output()).await.unwrap().unwrap();
        let frame = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{frame}");
        assert!(
            frame.contains(SESSION) && frame.contains("active"),
            "{frame}"
        );
        assert!(!frame.contains('\u{1b}'), "no colour off a terminal");
    }
}
