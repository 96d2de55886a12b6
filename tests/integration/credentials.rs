//! Tokens and secrets (U21 to U24), over both transports.

use tieline::auth::Grant;
use tieline::proto::v1;
use tieline::sandbox::fault::{Fault, FaultName, TokenRefusal};
use tieline::sandbox::{RequestKind, Sandbox, SandboxConfig};
use tieline::session::TransportChoice::{self, LongPoll, Websocket};
use v1::session::State;
use v1::session_event::Kind;

use crate::kit::{Reader, Stage, millis, quick, write_secret};

async fn over_both(test: impl AsyncFn(TransportChoice)) {
    tokio::join!(Box::pin(test(Websocket)), Box::pin(test(LongPoll)));
}

#[tokio::test]
async fn u23_a_token_endpoint_that_is_down_at_the_start_is_asked_rarely_until_it_is_up() {
    over_both(async |transport| {
        let rule = Fault::TokenDown { status: 503 }.into();
        let stage = Stage::troubled(quick(), [rule], |config| {
            config.sessions[0].transport = transport;
        })
        .await;
        stage.emit(3);
        let pace = stage.pace();
        stage.struck(FaultName::TokenDown, 3).await;
        assert!(pace.elapsed() >= millis(1_900), "{:?}", pace.elapsed());
        let session = stage.sidecar.until("said", |s| !s.reason.is_empty()).await;
        assert_eq!(session.state(), State::Connecting);
        assert!(
            session.reason.starts_with("TOKEN_UNAVAILABLE: ") && session.reason.contains("503"),
            "{}",
            session.reason
        );
        pace.is_calm(&stage.sandbox, 8.0);
        stage.settle(&mut stage.reader()).await;
    })
    .await;
}

#[tokio::test]
async fn u24_a_wrong_secret_needs_a_person_who_mends_the_file_and_nothing_else() {
    over_both(async |transport| {
        let mut files = std::path::PathBuf::new();
        let stage = Stage::with(quick(), |config| {
            let session = &mut config.sessions[0];
            session.transport = transport;
            let secret = session.auth.client_secret_file.clone().unwrap();
            files = secret.parent().unwrap().to_owned();
            write_secret(&files, "client-secret", "not this one");
        })
        .await;
        stage.emit(3);
        let session = stage.sidecar.suspended().await;
        assert!(
            session.reason.starts_with("CREDENTIALS_REFUSED"),
            "{}",
            session.reason
        );
        assert!(
            session.reason.contains("invalid_client"),
            "{}",
            session.reason
        );
        assert!(!session.reason.contains("not this one"));
        let tokens = |s: &Sandbox| s.counters().arrived(RequestKind::Token);
        assert_eq!(tokens(&stage.sandbox), 1);
        let secret = stage.sandbox.client_credentials().secret;
        write_secret(&files, "client-secret", &secret);
        let mut reader = stage.reader();
        stage.settle(&mut reader).await;
        assert_eq!(tokens(&stage.sandbox), 2);
    })
    .await;
}

/// A stage at 200 events a second, whose tokens have stopped being valid once.
async fn expired(transport: TransportChoice) -> (Stage, Reader) {
    let platform = SandboxConfig {
        rate: 200.0,
        ..quick()
    };
    let stage = Stage::with(platform, |config| config.sessions[0].transport = transport).await;
    let mut reader = stage.reader();
    stage.sidecar.active().await;
    stage.set(Fault::ExpireTokensNow {});
    stage
        .platform("a second token", |s| s.tokens_issued() == 2)
        .await;
    stage.sidecar.active().await;
    let head = stage.sandbox.ledger().head();
    reader
        .until("later events", |r| r.oracle.highest_number() > head)
        .await;
    (stage, reader)
}

#[tokio::test]
async fn u21_tokens_that_expire_at_once_are_replaced_once_and_nothing_is_missing() {
    over_both(async |transport| {
        let (stage, mut reader) = expired(transport).await;
        stage.sandbox.set_rate(0.0);
        let verdict = stage.settle(&mut reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
        assert_eq!(stage.sandbox.tokens_issued(), 2);
        assert!(reader.told(Kind::Suspended).is_empty());
    })
    .await;
}

#[tokio::test]
async fn u24_a_second_refusal_within_seconds_needs_a_person_and_costs_no_further_tokens() {
    // A poll that is answered proves its token at once, a socket only after a while.
    let (stage, mut reader) = expired(TransportChoice::Websocket).await;
    stage.set(Fault::ExpireTokensNow {});
    let session = stage.sidecar.suspended().await;
    assert!(
        session.reason.starts_with("CREDENTIALS_REFUSED"),
        "{}",
        session.reason
    );
    reader.hears(Kind::Suspended, 1).await;
    let issued = stage.sandbox.tokens_issued();
    stage.sandbox.set_rate(0.0);
    stage.sidecar.reconnect();
    stage.sidecar.active().await;
    let verdict = stage.settle(&mut reader).await;
    assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
    assert!(stage.sandbox.tokens_issued() <= issued + 1);
}

#[tokio::test]
async fn u21_short_lived_tokens_are_replaced_before_they_expire() {
    let platform = SandboxConfig {
        token_lifetime: millis(2_000),
        rate: 50.0,
        ..quick()
    };
    let stage = Stage::with(platform, |config| config.sessions[0].transport = LongPoll).await;
    let mut reader = stage.reader();
    stage
        .platform("three tokens", |s| s.tokens_issued() >= 3)
        .await;
    stage.sandbox.set_rate(0.0);
    stage.settle(&mut reader).await;
    assert_eq!(stage.sandbox.counters().answered(RequestKind::Poll, 401), 0);
}

#[tokio::test]
async fn u23_a_throttling_token_endpoint_is_left_alone() {
    let one = async |error| {
        let rule = Fault::TokenError { error }.times(1);
        let stage = Stage::troubled(quick(), [rule], |_| {}).await;
        stage.struck(FaultName::TokenError, 1).await;
        let pace = stage.pace();
        stage.platform("a token", |s| s.tokens_issued() == 1).await;
        assert!(pace.elapsed() >= millis(4_900), "{:?}", pace.elapsed());
        assert_eq!(pace.asked(&stage.sandbox, RequestKind::Token), 1);
        stage.settle(&mut stage.reader()).await;
    };
    tokio::join!(
        one(TokenRefusal::RateLimit),
        one(TokenRefusal::RateLimit400)
    );
}

#[tokio::test]
async fn u22_a_rotated_refresh_token_survives_a_restart_and_is_sealed() {
    let one = async |sealed: bool| {
        let platform = SandboxConfig {
            rotate_refresh_tokens: true,
            ..quick()
        };
        let sandbox = tieline::sandbox::Sandbox::start(
            platform,
            tieline::runtime::Clock::system(),
            tieline::runtime::Rng::from_seed(5),
        )
        .await
        .unwrap();
        let first = sandbox.client_credentials().refresh_token;
        let sidecar = crate::kit::Sidecar::start(&sandbox, |config| {
            let auth = &mut config.sessions[0].auth;
            let secret = auth.client_secret_file.clone().unwrap();
            let files = secret.parent().unwrap();
            auth.grant = Grant::RefreshToken;
            auth.refresh_token_file = Some(write_secret(files, "refresh-token", &first));
            let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
            config.state_key_file = sealed.then(|| write_secret(files, "key", key));
        })
        .await;
        let stage = Stage { sandbox, sidecar };
        let mut reader = stage.reader();
        stage.emit(3);
        reader.catch_up(&stage.sandbox).await;
        // A second rotation: the configured token is two generations old.
        stage.set(Fault::ExpireTokensNow {});
        stage
            .platform("a second token", |s| s.tokens_issued() == 2)
            .await;
        stage.sidecar.active().await;

        let Stage { sandbox, sidecar } = stage;
        let sidecar = sidecar.restart(|_| {}).await;
        let plain = holds(&sidecar.files().join("journal"), b"sandbox-r-");
        assert_eq!(
            plain, !sealed,
            "whether the token stands in the journal in plain"
        );
        let stage = Stage { sandbox, sidecar };
        reader.move_to(&stage.sidecar);
        stage.emit(3);
        stage.settle(&mut reader).await;
        assert_eq!(stage.sandbox.tokens_issued(), 3);
        assert_eq!(
            stage.sandbox.counters().answered(RequestKind::Token, 400),
            0
        );
        assert!(reader.told(Kind::Suspended).is_empty());
    };
    tokio::join!(one(true), one(false));
}

/// Whether any file below a directory holds these bytes.
fn holds(dir: &std::path::Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}
