//! A platform behind TLS: its authority is trusted from a file, and a wrong one is said and not
//! hammered.

use tieline::proto::v1;
use tieline::runtime::{Clock, Rng};
use tieline::sandbox::{RequestKind, Sandbox, SandboxConfig};
use tieline::session::TransportChoice::{self, Auto, LongPoll, Websocket};
use v1::session::State;

use crate::kit::{Sidecar, Stage, millis, quick};

async fn behind_tls(files: &std::path::Path, name: &str) -> Sandbox {
    let platform = SandboxConfig {
        tls_ca_out: Some(files.join(name)),
        ..quick()
    };
    Sandbox::start(platform, Clock::system(), Rng::from_seed(2))
        .await
        .unwrap()
}

#[tokio::test]
async fn u7_a_private_authority_is_trusted_from_its_file() {
    let one = async |transport: TransportChoice| {
        let files = tempfile::tempdir().unwrap();
        let sandbox = behind_tls(files.path(), "ca.pem").await;
        assert_eq!(sandbox.endpoint().scheme(), "https");
        let sidecar = Sidecar::start(&sandbox, |config| {
            config.sessions[0].transport = transport;
            config.sessions[0].tls.ca_file = Some(files.path().join("ca.pem"));
        })
        .await;
        let stage = Stage { sandbox, sidecar };
        stage.emit(200);
        stage.settle(&mut stage.reader()).await;
    };
    tokio::join!(one(Websocket), one(LongPoll));
}

#[tokio::test]
async fn a_wrong_authority_is_said_and_asked_rarely_and_mended_by_a_restart() {
    let one = async |transport: TransportChoice| {
        let files = tempfile::tempdir().unwrap();
        let sandbox = behind_tls(files.path(), "ca.pem").await;
        let _other = behind_tls(files.path(), "other.pem").await;
        let sidecar = Sidecar::start(&sandbox, |config| {
            config.sessions[0].transport = transport;
            config.sessions[0].tls.ca_file = Some(files.path().join("other.pem"));
        })
        .await;
        let stage = Stage { sandbox, sidecar };
        stage.emit(3);
        let pace = stage.pace();
        let tried = |s: &Sandbox| s.counters().connections_accepted >= 4;
        stage.platform("four connections", tried).await;
        assert!(pace.elapsed() > millis(50), "{:?}", pace.elapsed());
        pace.is_calm(&stage.sandbox, 8.0);
        let session = stage.sidecar.session();
        assert_eq!(session.state(), State::Connecting);
        assert!(
            session.reason.to_lowercase().contains("tls"),
            "{transport:?}: '{}'",
            session.reason
        );
        assert_eq!(stage.sandbox.counters().arrived(RequestKind::Token), 0);

        let Stage { sandbox, sidecar } = stage;
        let sidecar = sidecar
            .restart(|config| {
                config.sessions[0].tls.ca_file = Some(files.path().join("ca.pem"));
            })
            .await;
        let stage = Stage { sandbox, sidecar };
        stage.settle(&mut stage.reader()).await;
    };
    tokio::join!(one(Auto), one(Websocket), one(LongPoll));
}
