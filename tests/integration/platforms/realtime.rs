//! cxone-realtime: the machine of numbered events in other words.

use tieline::config::Config;
use tieline::proto::v1;
use tieline::sandbox::fault::{Fault, FaultName};
use tieline::sandbox::{Emission, EventsDialect, RequestKind, SandboxConfig};
use v1::Transport;
use v1::session_event::Kind;

use crate::kit::{Stage, quick};

fn realtime() -> SandboxConfig {
    SandboxConfig {
        dialect: EventsDialect::CxoneRealtime,
        ..quick()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u3_u4_cxone_realtime_falls_back_to_polls_and_returns_without_a_loss() {
    let stage = Stage::with(realtime(), |_: &mut Config| {}).await;
    let mut reader = stage.reader();
    stage.sandbox.set_rate(150.0);
    stage.sidecar.active_on(Transport::Websocket).await;
    for _ in 0..2 {
        stage.set(Fault::StripUpgrade { status: 426 });
        stage.set(
            Fault::WebsocketReset {
                after: tieline::runtime::HumanDuration::from_secs(0),
                mid_frame: true,
            }
            .times(1),
        );
        stage.sidecar.active_on(Transport::LongPoll).await;
        stage.sandbox.faults().clear(FaultName::StripUpgrade);
        stage.sidecar.active_on(Transport::Websocket).await;
    }
    stage.sandbox.set_rate(0.0);
    let verdict = stage.settle(&mut reader).await;
    assert!(
        verdict.delivered > 50 && verdict.on_record == 0,
        "{verdict}"
    );
    assert!(stage.sandbox.counters().arrived(RequestKind::Poll) > 0);
    assert_eq!(
        reader.told(Kind::GapSuspected).len(),
        0,
        "numbers say that nothing is missing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u17_cxone_realtime_fills_holes_from_the_history_and_outlives_its_tokens() {
    let stage = Stage::with(realtime(), |_: &mut Config| {}).await;
    let mut reader = stage.reader();
    stage.sidecar.active_on(Transport::Websocket).await;
    stage.set(Fault::Skip { history: true }.times(3));
    stage.emit(40);
    stage.struck(FaultName::Skip, 3).await;
    reader.hears(Kind::GapClosed, 1).await;
    stage.set(Fault::ExpireTokensNow {});
    stage.emit(40);
    let verdict = stage.settle(&mut reader).await;
    assert!(
        verdict.backfilled >= 3 && verdict.on_record == 0,
        "{verdict}"
    );
    assert!(stage.sandbox.tokens_issued() >= 2);
    let forms = |event: &v1::Event| event.r#type != "ccaas.unmapped.v1";
    let own = serde_json::json!({ "agentId": "a-1", "state": "BREAK" });
    let emission = Emission::event("routing.agentEvent", own);
    stage.sandbox.emit(&emission).unwrap();
    let mut witness = crate::kit::Witness::new(&stage.sidecar);
    witness
        .until("the agent takes a break", |w| {
            w.events
                .iter()
                .any(|e| e.subject == "agents/a-1" && forms(e))
        })
        .await;
}
