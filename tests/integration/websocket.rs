//! WebSockets that break, stall or are closed (U25, U30 to U33).

use tieline::proto::v1;
use tieline::runtime::HumanDuration;
use tieline::sandbox::fault::{Fault, FaultName, On};
use tieline::sandbox::{RequestKind, SandboxConfig};
use tieline::session::TransportChoice::{self, Auto, Websocket};
use v1::Transport;
use v1::session::State;
use v1::session_event::Kind;

use crate::kit::{Reader, Stage, millis, quick};

const AT_ONCE: HumanDuration = HumanDuration::from_millis(0);

/// A stage whose WebSocket is pinged quickly, live at 100 events a second.
async fn live(transport: TransportChoice) -> (Stage, Reader) {
    patient(transport, 400).await
}

/// Likewise, that waits so many milliseconds for a pong.
async fn patient(transport: TransportChoice, pong_timeout: u64) -> (Stage, Reader) {
    let stage = Stage::with(quick(), |config| {
        let session = &mut config.sessions[0];
        session.transport = transport;
        session.timing.websocket_ping = HumanDuration::from_millis(300);
        session.timing.pong_timeout = HumanDuration::from_millis(pong_timeout);
    })
    .await;
    stage.sandbox.set_rate(100.0);
    stage.sidecar.active_on(Transport::Websocket).await;
    let reader = stage.reader();
    (stage, reader)
}

async fn quiet(stage: &Stage, reader: &mut Reader) {
    stage.sandbox.set_rate(0.0);
    let verdict = stage.settle(reader).await;
    assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
}

#[tokio::test]
async fn u31_a_storm_of_resets_is_backed_off_and_loses_nothing() {
    let one = async |transport, mid_frame| {
        let (stage, mut reader) = live(transport).await;
        let pace = stage.pace();
        let after = AT_ONCE;
        stage.set(Fault::WebsocketReset { after, mid_frame });
        stage.struck(FaultName::WebsocketReset, 8).await;
        let asked = pace.asked(&stage.sandbox, RequestKind::Websocket);
        assert!((7..=10).contains(&asked), "{asked}");
        assert!(pace.elapsed() > millis(500), "{:?}", pace.elapsed());
        pace.is_calm(&stage.sandbox, 10.0);
        quiet(&stage, &mut reader).await;
        assert!(
            reader
                .told(Kind::Disconnected)
                .iter()
                .all(|f| f.reason == "RESET")
        );
    };
    tokio::join!(one(Auto, false), one(Websocket, true));
}

#[tokio::test]
async fn u25_a_frozen_connection_is_found_dead_by_its_pong() {
    let (stage, mut reader) = live(Websocket).await;
    let transport = On::Websocket;
    stage.set(Fault::Freeze { transport }.times(1));
    reader.hears(Kind::Disconnected, 1).await;
    assert_eq!(reader.told(Kind::Disconnected)[0].reason, "NO_PONG");
    reader.hears(Kind::Connected, 2).await;
    quiet(&stage, &mut reader).await;
}

#[tokio::test]
async fn u25_events_without_pongs_are_life_and_silence_without_pongs_is_not() {
    let (stage, mut reader) = patient(Websocket, 1_500).await;
    stage.set(Fault::DropPongs {}.times(1));
    stage.struck(FaultName::DropPongs, 1).await;
    // Events flow for twice as long as a pong is waited for.
    let head = stage.sandbox.ledger().head();
    stage
        .platform("300 events", |s| s.ledger().head() > head + 300)
        .await;
    reader.catch_up(&stage.sandbox).await;
    assert!(reader.told(Kind::Disconnected).is_empty());
    stage.sandbox.set_rate(0.0);
    reader.hears(Kind::Disconnected, 1).await;
    assert_eq!(reader.told(Kind::Disconnected)[0].reason, "NO_PONG");
    quiet(&stage, &mut reader).await;
}

#[tokio::test]
async fn u31_a_close_is_followed_by_a_connection_and_nothing_is_missing() {
    let one = async |code: u16| {
        let (stage, mut reader) = live(Websocket).await;
        let pace = stage.pace();
        let (after, reason) = (AT_ONCE, "bye".to_owned());
        stage.set(
            Fault::WebsocketClose {
                code,
                reason,
                after,
            }
            .times(2),
        );
        reader.hears(Kind::Connected, 3).await;
        pace.is_calm(&stage.sandbox, 10.0);
        quiet(&stage, &mut reader).await;
        let reasons: Vec<_> = reader.told(Kind::Disconnected);
        let expected = match code {
            1006 => "RESET".to_owned(),
            _ => format!("CLOSED_{code}"),
        };
        assert!(
            reasons.iter().all(|f| f.reason == expected),
            "{code}: {reasons:?}"
        );
        assert_eq!(stage.sandbox.tokens_issued(), 1, "{code}");
    };
    tokio::join!(
        one(1000),
        one(1001),
        one(1006),
        one(1011),
        one(1012),
        one(1013)
    );
}

#[tokio::test]
async fn u31_a_close_with_4401_takes_one_new_token() {
    let (stage, mut reader) = live(Websocket).await;
    let (after, reason) = (AT_ONCE, "token".to_owned());
    stage.set(
        Fault::WebsocketClose {
            code: 4401,
            reason,
            after,
        }
        .times(1),
    );
    reader.hears(Kind::Connected, 2).await;
    assert_eq!(stage.sandbox.tokens_issued(), 2);
    quiet(&stage, &mut reader).await;
    assert_eq!(reader.told(Kind::Disconnected)[0].reason, "TOKEN_REFUSED");
}

#[tokio::test]
async fn u31_a_close_for_policy_needs_a_person() {
    let one = async |code: u16| {
        let (stage, mut reader) = live(Websocket).await;
        let (after, reason) = (AT_ONCE, String::new());
        stage.set(
            Fault::WebsocketClose {
                code,
                reason,
                after,
            }
            .times(1),
        );
        let session = stage.sidecar.suspended().await;
        assert_eq!(session.reason, "PERMISSION_DENIED");
        reader.hears(Kind::Suspended, 1).await;
        stage.sidecar.reconnect();
        quiet(&stage, &mut reader).await;
    };
    tokio::join!(one(1008), one(4403));
}

#[tokio::test]
async fn u33_a_refusal_inside_a_frame_is_as_its_status() {
    let refused = async |status, times| {
        let platform = SandboxConfig {
            rate: 50.0,
            ..quick()
        };
        let rule = Fault::FrameError { status }.times(times);
        Stage::troubled(platform, [rule], |config| {
            config.sessions[0].transport = Websocket;
        })
        .await
    };
    let forbidden = async {
        let stage = refused(403, 1).await;
        let session = stage.sidecar.suspended().await;
        assert_eq!(session.reason, "PERMISSION_DENIED");
        stage.sidecar.reconnect();
        quiet(&stage, &mut stage.reader()).await;
    };
    let expired = async {
        let stage = refused(401, 1).await;
        stage.sidecar.active().await;
        assert_eq!(stage.sandbox.tokens_issued(), 2);
        quiet(&stage, &mut stage.reader()).await;
    };
    let busy = async {
        let stage = refused(503, 6).await;
        let pace = stage.pace();
        stage.struck(FaultName::FrameError, 6).await;
        stage.sidecar.active().await;
        pace.is_calm(&stage.sandbox, 10.0);
        assert_eq!(stage.sidecar.session().state(), State::Active);
        quiet(&stage, &mut stage.reader()).await;
    };
    tokio::join!(forbidden, expired, busy);
}
