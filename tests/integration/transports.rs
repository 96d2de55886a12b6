//! Choosing and changing the transport (U1 to U4), judged by what a reader saw.

use tieline::proto::v1;
use tieline::runtime::HumanDuration;
use tieline::sandbox::fault::{Fault, FaultName};
use tieline::sandbox::{RequestKind, Sandbox, SandboxConfig};
use tieline::session::TransportChoice::{Auto, LongPoll, Websocket};
use tokio::time::Instant;
use v1::Transport;
use v1::session::State;
use v1::session_event::Kind;

use crate::kit::{Stage, millis, quick};

#[tokio::test]
async fn u1_a_network_that_strips_upgrade_means_long_polling_at_once() {
    let one = async |status| {
        let rule = Fault::StripUpgrade { status }.into();
        let began = Instant::now();
        let stage = Stage::troubled(quick(), [rule], |_| {}).await;
        stage.emit(3);
        let mut reader = stage.reader();
        reader.catch_up(&stage.sandbox).await;
        assert!(began.elapsed() < millis(5_000));
        let session = stage.sidecar.active_on(Transport::LongPoll).await;
        assert!(!session.reason.is_empty(), "why it polls is said");
        assert_eq!(stage.sandbox.counters().arrived(RequestKind::Websocket), 0);
        stage.settle(&mut reader).await;
    };
    tokio::join!(one(200), one(400), one(426));
}

#[tokio::test]
async fn u2_a_swallowed_101_costs_the_deadline_and_nothing_more() {
    let stage = Stage::troubled(quick(), [Fault::Swallow101 {}.into()], |config| {
        config.sessions[0].timing.probe_timeout = HumanDuration::from_secs(4);
        config.sessions[0].timing.failback_interval = HumanDuration::from_secs(60);
    })
    .await;
    // The session has not run yet: nothing was waited for since it was started.
    let began = Instant::now();
    stage.emit(3);
    let mut reader = stage.reader();
    reader.catch_up(&stage.sandbox).await;
    let elapsed = began.elapsed();
    assert!(
        elapsed > millis(3_900) && elapsed < millis(5_000),
        "{elapsed:?}"
    );
    let session = stage.sidecar.active_on(Transport::LongPoll).await;
    assert_eq!(session.reason, "WEBSOCKET_HANGS");
    stage.settle(&mut reader).await;
}

#[tokio::test]
async fn u1_a_probe_that_is_refused_by_the_platform_proves_nothing() {
    let one = async |probe_status| {
        let platform = SandboxConfig {
            probe_status,
            ..quick()
        };
        let stage = Stage::with(platform, |_| {}).await;
        stage.sidecar.active_on(Transport::Websocket).await;
        stage.settle(&mut stage.reader()).await;
    };
    tokio::join!(one(401), one(403), one(404));
}

#[tokio::test]
async fn u1_no_credential_leaves_before_the_path_is_known() {
    let stage = Stage::troubled(quick(), [Fault::Swallow101 {}.into()], |_| {}).await;
    let probed = |s: &Sandbox| s.counters().arrived(RequestKind::Probe) == 1;
    stage.platform("a probe", probed).await;
    let counters = stage.sandbox.counters();
    assert_eq!(counters.arrived(RequestKind::Token), 0);
    assert_eq!(counters.arrived(RequestKind::Websocket), 0);
    stage.settle(&mut stage.reader()).await;
}

#[tokio::test]
async fn u4_back_to_websocket_with_nothing_lost_and_no_disconnect() {
    let stage = Stage::troubled(
        quick(),
        [Fault::StripUpgrade { status: 200 }.into()],
        |_| {},
    )
    .await;
    stage.sandbox.set_rate(300.0);
    let mut reader = stage.reader();
    stage.sidecar.active_on(Transport::LongPoll).await;
    let mut changes = 0;
    for _ in 0..3 {
        stage.sandbox.faults().clear_all();
        stage.sidecar.active_on(Transport::Websocket).await;
        changes += 1;
        reader.hears(Kind::TransportChanged, changes).await;
        assert_eq!(reader.told(Kind::Disconnected).len(), changes / 2);
        // The network changes its mind.
        stage.set(Fault::StripUpgrade { status: 200 });
        let after = HumanDuration::from_millis(0);
        let mid_frame = true;
        stage.set(Fault::WebsocketReset { after, mid_frame }.times(1));
        stage.sidecar.active_on(Transport::LongPoll).await;
        changes += 1;
        reader.hears(Kind::TransportChanged, changes).await;
    }
    stage.sandbox.set_rate(0.0);
    let verdict = stage.settle(&mut reader).await;
    assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
    let seen = reader.told(Kind::TransportChanged);
    let polls = |fact: &&v1::SessionEvent| fact.transport() == Transport::LongPoll;
    assert!(seen.iter().skip(1).step_by(2).all(polls), "{seen:?}");
    assert_eq!(reader.told(Kind::Disconnected).len(), 3);
}

#[tokio::test]
async fn u6_without_polling_a_stripping_network_is_said_and_asked_rarely() {
    let rule = Fault::StripUpgrade { status: 200 }.into();
    let stage = Stage::troubled(quick(), [rule], |config| {
        config.sessions[0].transport = Websocket;
    })
    .await;
    stage.emit(3);
    let pace = stage.pace();
    stage.struck(FaultName::StripUpgrade, 8).await;
    pace.is_calm(&stage.sandbox, 10.0);
    let session = stage.sidecar.session();
    assert_eq!(session.state(), State::Connecting);
    assert_eq!(session.reason, "HANDSHAKE_200");
    stage.settle(&mut stage.reader()).await;
}

#[tokio::test]
async fn a_platform_that_is_down_for_two_seconds_costs_nothing_but_time() {
    let one = async |transport| {
        let stage = Stage::with(quick(), |config| config.sessions[0].transport = transport).await;
        stage.sandbox.set_rate(100.0);
        let mut reader = stage.reader();
        stage.sidecar.active().await;
        let pace = stage.pace();
        stage.set(Fault::PlatformDown {}.during(millis(2_000)));
        stage
            .sidecar
            .until("down", |s| s.state() == State::Reconnecting)
            .await;
        let over = |s: &Sandbox| {
            let status = s.faults().status();
            status
                .iter()
                .all(|f| f.name != FaultName::PlatformDown || f.rule.is_none())
        };
        stage.platform("the end of it", over).await;
        stage.sidecar.active().await;
        pace.is_calm(&stage.sandbox, 110.0);
        stage.sandbox.set_rate(0.0);
        let verdict = stage.settle(&mut reader).await;
        assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
        assert!(!reader.told(Kind::Disconnected).is_empty());
    };
    tokio::join!(one(Auto), one(LongPoll));
}
