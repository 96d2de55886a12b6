//! TLS: the listener's certificate, which may be replaced, and those of callers.

use std::path::Path;

use serde_json::json;
use tieline::client::{Credentials, Failure};
use tieline::config::Config;
use tieline::runtime::Clock;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tonic::{Code, Status};

use super::house::{House, READER, auth, end, goes_on, is, permissions, soon};
use crate::kit::{Authority, PATIENCE, write_private};

/// TLS with a certificate of this authority; `callers` where they need one.
pub(super) fn tls(
    config: &mut Config,
    files: &Path,
    authority: &Authority,
    callers: Option<&Authority>,
) {
    authority.file(files, "ca.pem");
    let (certificate, key) = authority.server(files, "server.pem", "server.key");
    let callers = callers.map(|callers| callers.file(files, "callers.pem"));
    let tls = json!({ "cert_file": certificate, "key_file": key, "client_ca_file": callers });
    config.listen.tls = serde_json::from_value(tls).unwrap();
}

impl House {
    async fn secured() -> Self {
        Self::with(|config, files, authority| tls(config, files, authority, None)).await
    }

    fn trusting(&self, authority: &str, credentials: Credentials) -> Credentials {
        Credentials {
            ca_file: Some(self.files().join(authority)),
            ..credentials
        }
    }

    async fn comes_in(&self, credentials: Credentials) -> Result<(), Status> {
        self.stream(credentials, "journals/default").await.map(drop)
    }
}

/// A peer that was not let in has no status to show for it.
#[track_caller]
fn is_shut(result: Result<(), Status>) {
    let failure = Failure::from_status(&result.unwrap_err());
    assert!(matches!(failure, Failure::Broken(_)), "{failure:?}");
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_shown_to_new_connections() {
    let house = House::secured().await;
    let trusting = house.trusting("ca.pem", house.token(READER));
    let mut before = house
        .stream(trusting.clone(), "journals/default")
        .await
        .unwrap();
    is_shut(house.comes_in(house.token(READER)).await);
    let other = Authority::new();
    other.file(house.files(), "other.pem");
    let trusting_other = house.trusting("other.pem", house.token(READER));
    is_shut(house.comes_in(trusting_other.clone()).await);

    // A key that does not belong to the certificate changes nothing.
    other.server(house.files(), "unused.pem", "server.key");
    house
        .figure(r#"tieline_listen_files_read_total{file="tls",outcome="refused"} 1"#)
        .await;
    house.comes_in(trusting.clone()).await.unwrap();

    other.server(house.files(), "server.pem", "server.key");
    house
        .figure(r#"tieline_listen_files_read_total{file="tls",outcome="applied"} 1"#)
        .await;
    house.comes_in(trusting_other).await.unwrap();
    is_shut(house.comes_in(trusting).await);
    goes_on(&mut before).await;
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_in_nobodys_way_and_is_sent_away() {
    let house = House::secured().await;
    let address = house.address().to_string();
    let address = address.trim_start_matches("http://");
    let mut silent = TcpStream::connect(address).await.unwrap();
    house
        .comes_in(house.trusting("ca.pem", house.token(READER)))
        .await
        .unwrap();
    let mut byte = [0];
    let closed = timeout(PATIENCE, silent.read(&mut byte)).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "it is sent away");
    house
        .figure(r#"tieline_listen_tls_handshakes_total{outcome="failed"} 1"#)
        .await;
}

#[tokio::test]
async fn a_certificate_says_who_calls_until_it_runs_out() {
    let callers = Authority::new();
    let house = House::with(|config, files, authority| {
        tls(config, files, authority, Some(&callers));
        let permissions = json!([
            { "principal": "spiffe://pods/kafka", "journals": ["default"], "allow": ["read"] },
        ]);
        config.listen.auth = serde_json::from_value(auth(files, permissions)).unwrap();
    })
    .await;
    let now = Clock::system().wall().as_millis() / 1000;
    let with = |(certificate, key)| {
        let own = Credentials {
            cert_file: Some(certificate),
            key_file: Some(key),
            ..Credentials::default()
        };
        house.trusting("ca.pem", own)
    };
    let kafka = |until| with(callers.caller(house.files(), "spiffe://pods/kafka", until));
    // None at all, one of another authority, one that has run out, one that is allowed nothing.
    is_shut(
        house
            .comes_in(house.trusting("ca.pem", Credentials::default()))
            .await,
    );
    is_shut(
        house
            .comes_in(house.trusting("ca.pem", house.token(READER)))
            .await,
    );
    let other = Authority::new();
    let foreign = other.caller(house.files(), "spiffe://pods/foreign", now + 600);
    is_shut(house.comes_in(with(foreign)).await);
    is_shut(house.comes_in(kafka(now - 10)).await);
    let unknown = callers.caller(house.files(), "spiffe://pods/unknown", now + 600);
    let refused = house.comes_in(with(unknown)).await.unwrap_err();
    is(&refused, Code::PermissionDenied, "JOURNAL_FORBIDDEN");

    let mut lasting = house
        .stream(kafka(now + 600), "journals/default")
        .await
        .unwrap();
    let until = Clock::system().wall().as_millis() / 1000 + 4;
    let stream = house
        .stream(kafka(until), "journals/default")
        .await
        .unwrap();
    let forbidden = house.stream(kafka(now + 600), "journals/other").await;
    is(
        &forbidden.unwrap_err(),
        Code::PermissionDenied,
        "JOURNAL_FORBIDDEN",
    );
    let left = std::time::Duration::from_secs(until).saturating_sub(
        std::time::Duration::from_millis(Clock::system().wall().as_millis()),
    );
    let due = Instant::now() + left;
    let (status, ended) = end(stream).await;
    is(&status, Code::Unauthenticated, "CREDENTIALS_EXPIRED");
    assert!(
        ended + std::time::Duration::from_millis(50) >= due,
        "it ends too early"
    );
    soon(due, ended);
    goes_on(&mut lasting).await;
}

#[tokio::test]
async fn who_came_in_by_an_authority_that_is_taken_out_is_sent_away_and_others_stay() {
    let (old, new) = (Authority::new(), Authority::new());
    let house = House::with(|config, files, authority| {
        tls(config, files, authority, Some(&old));
        write_private(files, "callers.pem", &(old.pem() + &new.pem()));
        let mut permitted = permissions();
        for name in ["old", "new"] {
            permitted.as_array_mut().unwrap().push(json!(
                { "principal": format!("spiffe://pods/{name}"), "journals": ["default"], "allow": ["read"] }
            ));
        }
        config.listen.auth = serde_json::from_value(auth(files, permitted)).unwrap();
    })
    .await;
    let until = Clock::system().wall().as_millis() / 1000 + 600;
    let with = |authority: &Authority, name, token: Option<&str>| {
        let (certificate, key) = authority.caller(house.files(), name, until);
        let own = Credentials {
            cert_file: Some(certificate),
            key_file: Some(key),
            ..token.map_or_else(Credentials::default, |token| house.token(token))
        };
        house.trusting("ca.pem", own)
    };
    let of_old = with(&old, "spiffe://pods/old", None);
    let of_new = with(&new, "spiffe://pods/new", None);
    // A token does not hold a connection that could not be made any more.
    let by_token = with(&old, "spiffe://pods/other", Some(READER));
    let falls = house.stream(of_old.clone(), "journals/default").await;
    let falls_too = house.stream(by_token, "journals/default").await;
    let stays = house.stream(of_new.clone(), "journals/default").await;
    let (falls, falls_too, mut stays) = (falls.unwrap(), falls_too.unwrap(), stays.unwrap());

    let began = Instant::now();
    write_private(house.files(), "callers.pem", &new.pem());
    for stream in [falls, falls_too] {
        let (status, ended) = end(stream).await;
        is(&status, Code::Unauthenticated, "CREDENTIALS_EXPIRED");
        soon(began, ended);
    }
    house
        .figure(r#"tieline_grpc_connections_cut_total{reason="certificate"} 2"#)
        .await;
    goes_on(&mut stays).await;
    is_shut(house.comes_in(of_old).await);
    house.comes_in(of_new).await.unwrap();
}

#[tokio::test]
async fn a_token_says_more_than_the_certificate_that_it_came_with() {
    let callers = Authority::new();
    let house = House::with(|config, files, authority| {
        tls(config, files, authority, Some(&callers));
        config.listen.auth = serde_json::from_value(auth(files, permissions())).unwrap();
    })
    .await;
    let now = Clock::system().wall().as_millis() / 1000;
    let (certificate, key) = callers.caller(house.files(), "spiffe://pods/nobody", now + 600);
    let with_token = Credentials {
        cert_file: Some(certificate),
        key_file: Some(key),
        ..house.trusting("ca.pem", house.token(READER))
    };
    house.comes_in(with_token).await.unwrap();
}

#[tokio::test]
async fn the_commands_speak_tls_and_bring_a_token() {
    let house = House::secured().await;
    let token = house.token(READER).token_file.unwrap();
    let address = house.address().to_string().replace("http://", "https://");
    let run = async |command: &[&str]| {
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_tieline"));
        process.args(command).args(["--address", &address]);
        process.env("TIELINE_TLS_CA", house.files().join("ca.pem"));
        process.env("TIELINE_TOKEN_FILE", &token).kill_on_drop(true);
        timeout(PATIENCE, process.output()).await.unwrap().unwrap()
    };
    let tail = [
        "tail",
        "default",
        "--earliest",
        "--until-caught-up",
        "--json",
    ];
    let output = run(&tail).await;
    assert!(output.status.success(), "{output:?}");
    assert!(!output.stdout.is_empty());
    for command in [["status", "--json"].as_slice(), &["healthcheck"], &["wait"]] {
        let output = run(command).await;
        assert!(output.status.success(), "{command:?}: {output:?}");
    }
    write_private(
        house.files(),
        token.file_name().unwrap().to_str().unwrap(),
        "no-token-of-theirs",
    );
    let output = run(&["status"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("CREDENTIALS_EXPIRED"),
        "{said}"
    );
    assert!(!said.contains("no-token-of-theirs"));
}
