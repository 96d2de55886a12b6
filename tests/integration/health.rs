//! What probes and health checks say, and when.

use tieline::proto::v1;
use tieline::sandbox::fault::Fault;
use tokio::time::{Instant, timeout};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus::{self, NotServing, Serving};
use tonic_health::pb::health_client::HealthClient;
use v1::session::State;

use crate::kit::{PATIENCE, SESSION, Stage, get, millis, quick};

async fn check(stage: &Stage, service: &str) -> ServingStatus {
    let mut health = HealthClient::new(stage.sidecar.address().channel().unwrap());
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    health.check(request).await.unwrap().into_inner().status()
}

#[tokio::test]
async fn a_platform_that_is_down_makes_its_session_unhealthy_and_nothing_else() {
    let down = Fault::PlatformDown {}.into();
    let stage = Stage::troubled(quick(), [down], |_| {}).await;
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(get(&stage.sidecar.health_url(path)).await.0, 200, "{path}");
    }
    let session = format!("sessions/{SESSION}");
    assert_eq!(check(&stage, "").await, Serving);
    assert_eq!(check(&stage, "tieline.v1.EventService").await, Serving);
    assert_eq!(check(&stage, "journals/default").await, Serving);
    assert_eq!(check(&stage, &session).await, NotServing);
    let state = stage.sidecar.session();
    assert_eq!(state.state(), State::Connecting);
    let said = stage.sidecar.until("said", |s| !s.reason.is_empty()).await;
    assert!(said.reason.contains("connect"), "{said:?}");

    let mut health = HealthClient::new(stage.sidecar.address().channel().unwrap());
    let request = HealthCheckRequest { service: session };
    let mut watch = health.watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), NotServing);
    stage.sandbox.faults().clear_all();
    let up = Instant::now();
    let next = timeout(PATIENCE, watch.message()).await.unwrap();
    assert_eq!(next.unwrap().unwrap().status(), Serving);
    // The token endpoint is asked once a second at most, and was down for two of them.
    assert!(up.elapsed() < millis(5_000), "{:?}", up.elapsed());

    stage.set(Fault::PlatformDown {});
    let next = timeout(PATIENCE, watch.message()).await.unwrap();
    assert_eq!(next.unwrap().unwrap().status(), NotServing);
    assert_eq!(check(&stage, "").await, Serving);
    assert_eq!(get(&stage.sidecar.health_url("/readyz")).await.0, 200);
    stage.sandbox.faults().clear_all();
    let up = Instant::now();
    let next = timeout(PATIENCE, watch.message()).await.unwrap();
    assert_eq!(next.unwrap().unwrap().status(), Serving);
    // With a token in hand it is the session's back-off alone, 800 ms here at most.
    assert!(up.elapsed() < millis(2_000), "{:?}", up.elapsed());
    stage.settle(&mut stage.reader()).await;
}
