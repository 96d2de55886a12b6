//! Proxies and certificates (U7): every connection of a session goes through its proxy, and the
//! refusals of a proxy are not taken for the platform's. The platform stands under a name that no
//! resolver knows: what does not go through the proxy goes nowhere.

use std::net::Ipv6Addr;
use std::path::Path;

use serde_json::{Value, json};
use tieline::proto::v1;
use tieline::sandbox::cxone::CxoneConfig;
use tieline::sandbox::genesys_cloud::GenesysCloudConfig;
use tieline::sandbox::{RequestKind, Sandbox, SandboxConfig};
use tieline::session::TransportChoice::{self, Auto, LongPoll, Websocket};
use v1::session::State;

use crate::kit::{Authority, Conduct, Proxy, Sidecar, Stage, Witness, quick, write_secret};
use crate::platforms::stage::{cloud, of_cxone, of_genesys, quiet, sidecar, tenant};

/// A numbered platform behind TLS, under its hidden name, and a sidecar that has but the proxy.
async fn behind(proxy: &Proxy, files: &Path, transport: TransportChoice, more: Value) -> Stage {
    let platform = SandboxConfig {
        tls_ca_out: Some(files.join("ca.pem")),
        ..quick()
    };
    through(platform, proxy, files, transport, more).await
}

async fn through(
    platform: SandboxConfig,
    proxy: &Proxy,
    files: &Path,
    transport: TransportChoice,
    more: Value,
) -> Stage {
    Stage::with(platform, |config| {
        let session = &mut config.sessions[0];
        session.transport = transport;
        session.endpoint = Proxy::hidden(&session.endpoint);
        session.tls.ca_file = Some(files.join("ca.pem"));
        session.proxy = Some(serde_json::from_value(proxy.config(more)).unwrap());
    })
    .await
}

fn tokens(sandbox: &Sandbox) -> u64 {
    sandbox.counters().arrived(RequestKind::Token)
}

/// The platform accepted nothing that did not come by the proxy.
fn nothing_else_came(proxy: &Proxy, accepted: u64) {
    let book = proxy.book();
    assert!(accepted > 0);
    assert_eq!(
        book.tunnels.len() as u64,
        accepted,
        "every connection is a tunnel"
    );
    let hidden = |target: &String| target.starts_with("sandbox.invalid:");
    assert!(book.tunnels.iter().all(hidden), "{:?}", book.tunnels);
    assert!(book.passed_on.is_empty(), "{:?}", book.passed_on);
}

#[tokio::test]
async fn u7_token_probe_websocket_and_poll_all_go_through_the_proxy() {
    let one = async |transport, user: bool| {
        let files = tempfile::tempdir().unwrap();
        let proxy = Proxy::start().await;
        let mut more = json!({});
        if user {
            proxy.wants("tieline", "pa:ss%41 w@rd");
            let file = write_secret(files.path(), "password", "pa:ss%41 w@rd\n");
            more = json!({ "username": "tieline", "password_file": file });
        }
        let stage = behind(&proxy, files.path(), transport, more).await;
        stage.emit(200);
        stage.settle(&mut stage.reader()).await;
        nothing_else_came(&proxy, stage.sandbox.counters().connections_accepted);
        assert_eq!(proxy.book().refused, 0);
    };
    tokio::join!(
        one(Auto, true),
        one(Websocket, false),
        one(LongPoll, false),
        one(LongPoll, true)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u7_rest_and_sockets_of_a_contact_centre_go_through_the_proxy() {
    let files = tempfile::tempdir().unwrap();
    let proxy = Proxy::start().await;
    proxy.wants("tieline", "secret");
    let password = write_secret(files.path(), "password", "secret");
    let cloud = cloud(GenesysCloudConfig {
        tls_ca_out: Some(files.path().join("ca.pem")),
        ..quiet()
    })
    .await;
    let given = proxy.config(json!({ "username": "tieline", "password_file": password }));
    let more = json!({
        "endpoint": Proxy::hidden(&cloud.endpoint()),
        "topics": [{ "v2.users.{id}.presence": "all" }],
        "tls": { "ca_file": files.path().join("ca.pem") },
        "proxy": given,
    });
    let sidecar = sidecar(|secrets| vec![of_genesys(secrets, &cloud, "genesys", more)]).await;
    let active = |s: &v1::Session| s.state() == State::Active;
    sidecar.until_of("genesys", "active", active).await;
    let mut witness = Witness::new(&sidecar);
    cloud.tell(50);
    let told = |w: &Witness| {
        w.events
            .iter()
            .any(|e| e.r#type == "ccaas.agent.state_changed.v1")
    };
    witness.until("a presence", told).await;
    let book = proxy.book();
    assert!(
        book.tunnels.len() >= 2,
        "REST and a socket: {:?}",
        book.tunnels
    );
    assert_eq!((book.refused, book.passed_on.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u7_discovery_and_polls_of_an_agent_go_through_the_proxy() {
    let files = tempfile::tempdir().unwrap();
    let proxy = Proxy::start().await;
    let tenant = tenant(CxoneConfig {
        agents: 1,
        tls_ca_out: Some(files.path().join("ca.pem")),
        ..CxoneConfig::default()
    })
    .await;
    let more = json!({
        "endpoint": Proxy::hidden(&tenant.endpoint()),
        "tls": { "ca_file": files.path().join("ca.pem") },
        "proxy": proxy.config(json!({})),
    });
    let sidecar = sidecar(|secrets| vec![of_cxone(secrets, &tenant, "agent", more)]).await;
    let active = |s: &v1::Session| s.state() == State::Active;
    sidecar.until_of("agent", "active", active).await;
    nothing_else_came(&proxy, tenant.counters().connections_accepted);
}

#[tokio::test]
async fn u7_a_proxy_behind_tls_is_trusted_by_the_same_authorities() {
    let files = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let proxy = Proxy::over(Some(authority.acceptor())).await;
    let sandbox = Sandbox::start(
        SandboxConfig {
            tls_ca_out: Some(files.path().join("platform.pem")),
            ..quick()
        },
        tieline::runtime::Clock::system(),
        tieline::runtime::Rng::from_seed(2),
    );
    let sandbox = sandbox.await.unwrap();
    let both = format!("{}{}", authority.pem(), sandbox.ca_pem().unwrap());
    let ca = write_secret(files.path(), "ca.pem", &both);
    let sidecar = Sidecar::start(&sandbox, |config| {
        let session = &mut config.sessions[0];
        session.endpoint = Proxy::hidden(&session.endpoint);
        session.tls.ca_file = Some(ca);
        session.proxy = Some(serde_json::from_value(proxy.config(json!({}))).unwrap());
    })
    .await;
    let stage = Stage { sandbox, sidecar };
    stage.emit(20);
    stage.sidecar.active_on(v1::Transport::Websocket).await;
    stage.settle(&mut stage.reader()).await;
    nothing_else_came(&proxy, stage.sandbox.counters().connections_accepted);
}

/// A platform on `[::1]`; behind TLS where it is given a file for its authority.
async fn at_ipv6(proxy: Value, tls: Option<&Path>, transport: TransportChoice) -> Stage {
    let platform = SandboxConfig {
        listen: (Ipv6Addr::LOCALHOST, 0).into(),
        tls_ca_out: tls.map(Path::to_path_buf),
        ..quick()
    };
    Stage::with(platform, |config| {
        let session = &mut config.sessions[0];
        session.transport = transport;
        session.tls.ca_file = tls.map(Path::to_path_buf);
        session.proxy = Some(serde_json::from_value(proxy).unwrap());
    })
    .await
}

#[tokio::test]
async fn u7_an_ipv6_address_is_reached_through_a_proxy_in_plaintext_and_directly_with_tls() {
    let one = async |transport| {
        let proxy = Proxy::start().await;
        let stage = at_ipv6(proxy.config(json!({})), None, transport).await;
        stage.emit(20);
        stage.settle(&mut stage.reader()).await;
        let port = stage.sandbox.endpoint().port().unwrap();
        let book = proxy.book();
        let to = |target: &String| *target == format!("[::1]:{port}");
        assert!(book.passed_on.iter().all(to), "{:?}", book.passed_on);
        assert!(!book.passed_on.is_empty());

        let files = tempfile::tempdir().unwrap();
        let exempt = proxy.config(json!({ "no_proxy": ["::1"] }));
        let stage = at_ipv6(exempt, Some(&files.path().join("ca.pem")), transport).await;
        stage.emit(20);
        stage.settle(&mut stage.reader()).await;
        assert_eq!(proxy.book().asked, book.asked);
    };
    tokio::join!(one(Websocket), one(LongPoll));
}

/// The HTTP client cannot: the configuration's check refuses it, and whoever gets here all the same,
/// by an address that a platform names, is told what to mend.
#[tokio::test]
async fn u7_an_ipv6_address_behind_tls_and_a_proxy_is_said_to_need_a_name() {
    let files = tempfile::tempdir().unwrap();
    let proxy = Proxy::start().await;
    let ca = files.path().join("ca.pem");
    let stage = at_ipv6(proxy.config(json!({})), Some(&ca), Auto).await;
    proxy.asked(2).await;
    let said = |s: &v1::Session| s.reason.contains("must have a name");
    stage.sidecar.until("told what to mend", said).await;
    assert_eq!(tokens(&stage.sandbox), 0);
    let port = stage.sandbox.endpoint().port().unwrap();
    assert_eq!(proxy.book().tunnels[0], format!("[::1]:{port}"));
}

#[tokio::test]
async fn u7_what_is_exempt_is_reached_directly() {
    let one = async |host: Option<&str>, exempt: &str| {
        let files = tempfile::tempdir().unwrap();
        let proxy = Proxy::start().await;
        proxy.conducts(Conduct::Refuses(403));
        let platform = SandboxConfig {
            tls_ca_out: Some(files.path().join("ca.pem")),
            ..quick()
        };
        let stage = Stage::with(platform, |config| {
            let session = &mut config.sessions[0];
            session
                .endpoint
                .set_host(host.or(Some("127.0.0.1")))
                .unwrap();
            session.tls.ca_file = Some(files.path().join("ca.pem"));
            let given = proxy.config(json!({ "no_proxy": ["elsewhere.test", exempt] }));
            session.proxy = Some(serde_json::from_value(given).unwrap());
        })
        .await;
        stage.emit(3);
        stage.settle(&mut stage.reader()).await;
        assert_eq!(proxy.book().asked, 0);
    };
    tokio::join!(
        one(None, "127.0.0.0/8"),
        one(Some("localhost"), ".localhost"),
        one(None, "*")
    );
}

#[tokio::test]
async fn u7_refused_credentials_are_the_proxys_and_a_mended_file_is_enough() {
    let one = async |transport| {
        let files = tempfile::tempdir().unwrap();
        let proxy = Proxy::start().await;
        proxy.wants("tieline", "right");
        let file = write_secret(files.path(), "password", "c4nary");
        let more = json!({ "username": "tieline", "password_file": file });
        let stage = behind(&proxy, files.path(), transport, more).await;
        stage.emit(3);
        let session = stage.sidecar.suspended().await;
        assert!(
            session.reason.starts_with("PROXY_REFUSED: "),
            "{}",
            session.reason
        );
        assert!(session.reason.contains("407"), "{}", session.reason);
        assert!(!session.reason.contains("c4nary"));
        let asked = proxy.book().asked;
        assert!(asked <= 6, "tried again with a back-off: {asked}");
        assert_eq!(tokens(&stage.sandbox), 0);

        write_secret(files.path(), "password", "right");
        stage.settle(&mut stage.reader()).await;
        assert_eq!(tokens(&stage.sandbox), 1);
        nothing_else_came(&proxy, stage.sandbox.counters().connections_accepted);
    };
    tokio::join!(one(Auto), one(Websocket), one(LongPoll));
}

#[tokio::test]
async fn u7_a_password_that_changes_while_all_is_well_is_used_from_then_on() {
    let one = async |transport| {
        let files = tempfile::tempdir().unwrap();
        let proxy = Proxy::start().await;
        proxy.wants("tieline", "first");
        let file = write_secret(files.path(), "password", "first");
        let more = json!({ "username": "tieline", "password_file": file });
        let stage = behind(&proxy, files.path(), transport, more).await;
        let mut reader = stage.reader();
        stage.sidecar.active().await;
        stage.emit(3);
        reader.catch_up(&stage.sandbox).await;

        // As it is done: the file first, the proxy then.
        write_secret(files.path(), "password", "second");
        proxy.wants("tieline", "second");
        proxy.cut();
        let verdict = stage.settle(&mut reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));

        // Or the proxy first: a mended file is enough.
        proxy.wants("tieline", "third");
        proxy.cut();
        let session = stage.sidecar.suspended().await;
        assert!(
            session.reason.starts_with("PROXY_REFUSED"),
            "{}",
            session.reason
        );
        write_secret(files.path(), "password", "third");
        let verdict = stage.settle(&mut reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
        nothing_else_came(&proxy, stage.sandbox.counters().connections_accepted);
    };
    tokio::join!(one(Websocket), one(LongPoll));
}

const NO_TUNNEL: &str = "TOKEN_UNAVAILABLE: connect: the proxy opens no tunnel";

#[tokio::test]
async fn u7_a_proxy_that_makes_no_tunnel_is_a_network_that_is_down() {
    let one = async |transport, conduct, word: &str| {
        let files = tempfile::tempdir().unwrap();
        let proxy = Proxy::start().await;
        proxy.conducts(conduct);
        let stage = behind(&proxy, files.path(), transport, json!({})).await;
        stage.emit(3);
        let wanted = if conduct == Conduct::Stalls { 2 } else { 4 };
        let began = tokio::time::Instant::now();
        proxy.asked(wanted).await;
        let seconds = began.elapsed().as_secs_f64();
        let asked = proxy.book().asked as f64;
        assert!(
            asked <= 12.0 + 10.0 * seconds,
            "{asked} in {seconds:.1} s is a hot loop"
        );
        let session = stage.sidecar.session();
        assert_eq!(session.state(), State::Connecting, "{}", session.reason);
        assert!(session.reason.contains(word), "{}", session.reason);
        assert_eq!(tokens(&stage.sandbox), 0);
        proxy.conducts(Conduct::Open);
        // What hangs at a proxy that stalled does so until its deadline.
        proxy.cut();
        stage.settle(&mut stage.reader()).await;
    };
    tokio::join!(
        one(Websocket, Conduct::Refuses(403), NO_TUNNEL),
        one(Websocket, Conduct::Refuses(502), NO_TUNNEL),
        one(LongPoll, Conduct::Refuses(503), NO_TUNNEL),
        one(Auto, Conduct::Refuses(403), NO_TUNNEL),
        one(Websocket, Conduct::Stalls, "within 10s"),
        one(LongPoll, Conduct::Stalls, "within 10s")
    );
}

#[tokio::test]
async fn u7_plaintext_is_passed_on_by_the_proxy_itself() {
    let one = async |transport| {
        let proxy = Proxy::start().await;
        proxy.wants("tieline", "secret");
        let files = tempfile::tempdir().unwrap();
        let file = write_secret(files.path(), "password", "secret");
        let given = json!({ "username": "tieline", "password_file": file });
        let stage = Stage::with(quick(), |config| {
            let session = &mut config.sessions[0];
            session.transport = transport;
            session.proxy = Some(serde_json::from_value(proxy.config(given)).unwrap());
        })
        .await;
        stage.emit(3);
        stage.settle(&mut stage.reader()).await;
        let book = proxy.book();
        assert_eq!((book.tunnels.len(), book.refused), (0, 0));
        let accepted = stage.sandbox.counters().connections_accepted;
        assert_eq!(book.passed_on.len() as u64, accepted);

        // Its 407 has the form of an answer here, and is the proxy's all the same.
        proxy.wants("tieline", "another");
        proxy.cut();
        let session = stage.sidecar.suspended().await;
        assert!(
            session.reason.starts_with("PROXY_REFUSED"),
            "{}",
            session.reason
        );
    };
    tokio::join!(one(Websocket), one(LongPoll));
}

#[tokio::test]
async fn u7_a_client_certificate_is_shown_on_every_connection_and_a_new_one_when_it_comes() {
    let one = async |transport| {
        let files = tempfile::tempdir().unwrap();
        let (authority, stranger) = (Authority::new(), Authority::new());
        let proxy = Proxy::start().await;
        let platform = SandboxConfig {
            tls_ca_out: Some(files.path().join("ca.pem")),
            tls_client_ca: Some(authority.file(files.path(), "clients.pem")),
            ..quick()
        };
        let (certificate, key) = stranger.client(files.path(), "tls.crt", "tls.key");
        let stage = Stage::with(platform, |config| {
            let session = &mut config.sessions[0];
            session.transport = transport;
            session.endpoint = Proxy::hidden(&session.endpoint);
            session.tls.ca_file = Some(files.path().join("ca.pem"));
            session.tls.client_cert_file = Some(certificate);
            session.tls.client_key_file = Some(key);
            session.proxy = Some(serde_json::from_value(proxy.config(json!({}))).unwrap());
        })
        .await;
        stage.emit(3);
        let tried = |s: &Sandbox| s.counters().connections_accepted >= 3;
        stage.platform("three connections", tried).await;
        assert_eq!(stage.sidecar.session().state(), State::Connecting);
        assert_eq!(tokens(&stage.sandbox), 0);

        authority.client(files.path(), "tls.crt", "tls.key");
        let mut reader = stage.reader();
        stage.settle(&mut reader).await;
        // Half of the next pair: what was there goes on.
        write_secret(files.path(), "tls.key", "half a file");
        stage.sidecar.reconnect();
        stage.settle(&mut reader).await;
        nothing_else_came(&proxy, stage.sandbox.counters().connections_accepted);
    };
    tokio::join!(one(Websocket), one(LongPoll));
}
