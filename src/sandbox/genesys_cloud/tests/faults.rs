//! What goes wrong when it is told to.

use super::*;

const PRESENCE: &str = "v2.users.u1.presence";

fn struck(visit: &Visit, name: GenesysFaultName) -> u64 {
    visit.sandbox.faults().struck(name)
}

#[tokio::test]
async fn a_planned_close_is_announced_and_comes_when_its_notice_is_over() {
    let visit = Visit::new(prompt()).await;
    let (channel, mut socket) = visit.live(&[PRESENCE]).await;
    let notice = Some(HumanDuration::from_secs(1));
    let after = HumanDuration::from_secs(0);
    visit.set(GenesysFault::SocketClosing { notice, after }.times(1));
    let told = event(&mut socket).await;
    assert_eq!(told["topicName"], "v2.system.socket_closing");
    assert_eq!(told["eventBody"]["channelId"], channel.id);
    visit.emit(PRESENCE, &json!(1));
    assert_eq!(
        event(&mut socket).await["eventBody"],
        1,
        "events flow meanwhile"
    );
    assert_eq!(close_code(&mut socket).await.0, 1001);
    let mut again = visit.open(&channel).await.unwrap();
    assert!(before_the_pong(&mut again).await.is_empty());
}

#[tokio::test]
async fn sockets_end_without_a_warning_in_every_way() {
    let visit = Visit::new(prompt()).await;
    let after = HumanDuration::from_secs(0);
    let close = |code, reason: &str| GenesysFault::WebsocketClose {
        code,
        reason: reason.to_owned(),
        after,
    };
    let (channel, mut socket) = visit.live(&[PRESENCE]).await;
    visit.set(close(1001, "idle timeout").times(1));
    assert_eq!(close_code(&mut socket).await.0, 1001);
    let mut socket = visit.open(&channel).await.unwrap();
    visit.set(close(1006, "").times(1));
    breaks(&mut socket).await;
    for mid_frame in [false, true] {
        let mut socket = visit.open(&channel).await.unwrap();
        visit.set(GenesysFault::WebsocketReset { after, mid_frame }.times(1));
        breaks(&mut socket).await;
    }
    assert_eq!(struck(&visit, GenesysFaultName::WebsocketReset), 2);
}

#[tokio::test]
async fn a_frozen_socket_is_silent_until_it_is_thawed() {
    let visit = Visit::new(GenesysCloudConfig {
        heartbeat: Duration::from_millis(20),
        ..prompt()
    })
    .await;
    let (channel, mut socket) = visit.live(&[PRESENCE]).await;
    visit.set(GenesysFault::Freeze {});
    visit
        .until(|s| s.faults().struck(GenesysFaultName::Freeze) == 1)
        .await;
    let fact = visit.emit(PRESENCE, &json!(1));
    assert_eq!(visit.fate(fact, &channel), DueFate::Waiting);
    visit.sandbox.faults().clear(GenesysFaultName::Freeze);
    loop {
        if event(&mut socket).await["eventBody"] == 1 {
            break;
        }
    }
}

#[tokio::test]
async fn heartbeats_and_pongs_can_be_held_back_while_events_flow() {
    let visit = Visit::new(GenesysCloudConfig {
        heartbeat: Duration::from_millis(20),
        ..prompt()
    })
    .await;
    visit.set(GenesysFault::DropHeartbeats {});
    visit.set(GenesysFault::DropPongs {});
    let (_, mut socket) = visit.live(&[PRESENCE]).await;
    visit
        .until(|s| s.faults().struck(GenesysFaultName::DropPongs) == 1)
        .await;
    say(&mut socket, r#"{"message":"ping"}"#).await;
    visit
        .until(|s| s.faults().struck(GenesysFaultName::DropHeartbeats) == 1)
        .await;
    visit.emit(PRESENCE, &json!(1));
    assert_eq!(event(&mut socket).await["eventBody"], 1);
    assert_eq!(visit.sandbox.counters().heartbeats_sent, 0);
    visit.sandbox.faults().clear_all();
    assert!(event(&mut socket).await["topicName"] == "channel.metadata");
}

#[tokio::test]
async fn frames_are_lost_doubled_and_spoilt_and_the_ledger_knows() {
    let visit = Visit::new(prompt()).await;
    let (channel, mut socket) = visit.live(&[PRESENCE]).await;
    visit.set(GenesysFault::DropEvent {}.times(1));
    let lost = visit.emit(PRESENCE, &json!(1));
    let fault = GenesysFaultName::DropEvent;
    visit.until(|s| s.faults().struck(fault) == 1).await;
    assert_eq!(visit.fate(lost, &channel), DueFate::Lost { fault });
    visit.set(GenesysFault::Duplicate {}.times(1));
    let doubled = visit.emit(PRESENCE, &json!(2));
    assert_eq!(text(&mut socket).await, text(&mut socket).await);
    let fate = |fact: u64, fate: DueFate| {
        move |s: &GenesysCloud| s.ledger(fact - 1, 1).facts[0].due[0].fate == fate
    };
    visit
        .until(fate(doubled, DueFate::Sent { copies: 2 }))
        .await;
    let form = fault::BadFrame::Truncated;
    visit.set(GenesysFault::MalformedFrame { form }.times(1));
    let spoilt = visit.emit(PRESENCE, &json!(3));
    assert!(serde_json::from_str::<Value>(&text(&mut socket).await).is_err());
    let fault = GenesysFaultName::MalformedFrame;
    visit.until(fate(spoilt, DueFate::Lost { fault })).await;
}

#[tokio::test]
async fn channels_are_pushed_out_and_expired_on_demand() {
    let visit = Visit::new(prompt()).await;
    let (channel, mut socket) = visit.live(&[PRESENCE]).await;
    let (other, _socket) = visit.live(&[PRESENCE]).await;
    let name = Some(channel.id.clone());
    visit.set(GenesysFault::EvictChannel { channel: name });
    let (_, said) = close_code(&mut socket).await;
    assert!(said[0].contains("no_longer_subscribed"));
    assert_eq!(visit.sandbox.channels().len(), 1);
    visit.set(GenesysFault::ExpireChannel { channel: None });
    assert_eq!(visit.refused(&other).await, 404);
}

#[tokio::test]
async fn handshakes_are_refused_stripped_and_swallowed() {
    let visit = Visit::new(prompt()).await;
    let channel = visit.make_channel().await;
    for status in [404, 401, 403] {
        visit.set(GenesysFault::RefuseHandshake { status }.times(1));
        assert_eq!(visit.refused(&channel).await, status);
    }
    visit.set(GenesysFault::StripUpgrade { status: 200 }.times(1));
    assert_eq!(visit.refused(&channel).await, 200);
    visit.set(GenesysFault::Swallow101 {}.times(1));
    let open = visit.open(&channel);
    tokio::select! {
        opened = open => panic!("{opened:?}"),
        () = visit.until(|s| s.faults().struck(GenesysFaultName::Swallow101) == 1) => {}
    }
    assert!(visit.open(&channel).await.is_ok());
}

#[tokio::test]
async fn requests_fail_below_a_path_as_often_as_they_are_told_to() {
    let visit = Visit::new(prompt()).await;
    let fail = |status, retry_after: Option<&str>| GenesysFault::RestStatus {
        status,
        retry_after: retry_after.map(str::to_owned),
        under: "/api/v2/users".to_owned(),
    };
    visit.set(fail(429, Some("7")).times(1));
    assert_eq!(visit.get("api/v2/organizations/me").await.status, 200);
    let got = visit.get("api/v2/users").await;
    assert_eq!((got.status, got.retry_after.as_deref()), (429, Some("7")));
    visit.set(fail(503, None).times(1));
    assert_eq!(visit.get("api/v2/users").await.status, 503);
    assert_eq!(visit.get("api/v2/users").await.status, 200);
}

#[tokio::test]
async fn the_token_endpoint_throttles_refuses_and_is_down() {
    use crate::sandbox::fault::TokenRefusal;
    let visit = Visit::new(prompt()).await;
    let ask = async || visit.ask_token(0, "grant_type=client_credentials").await;
    let error = TokenRefusal::RateLimit400;
    visit.set(GenesysFault::TokenError { error }.times(1));
    let got = ask().await;
    assert_eq!(
        (got.status, &got.json()["error"]),
        (400, &json!("invalid_request"))
    );
    visit.set(GenesysFault::TokenDown { status: 502 }.times(1));
    assert_eq!(ask().await.status, 502);
    assert_eq!(ask().await.status, 200);
}

#[tokio::test]
async fn a_topic_is_forbidden_to_everybody() {
    let visit = Visit::new(prompt()).await;
    let channel = visit.make_channel().await;
    visit.set(GenesysFault::ForbidTopic {
        topic: "presence".to_owned(),
        permission: "made:up:view".to_owned(),
    });
    assert_eq!(visit.put(&channel, &[PRESENCE], false).await.status, 403);
    let entities = visit
        .put(&channel, &[PRESENCE, "v2.users.u1.routingStatus"], true)
        .await
        .entities();
    assert_eq!(entities[0]["missingPermissions"], json!(["made:up:view"]));
    assert_eq!(entities[1]["state"], "Permitted");
}

#[tokio::test]
async fn a_platform_that_is_down_refuses_connections_and_comes_back() {
    let visit = Visit::new(prompt()).await;
    let (channel, mut socket) = visit.live(&[PRESENCE]).await;
    visit.set(GenesysFault::PlatformDown {});
    breaks(&mut socket).await;
    assert!(visit.open(&channel).await.is_err());
    visit.sandbox.faults().clear(GenesysFaultName::PlatformDown);
    let mut socket = loop {
        if let Ok(socket) = visit.open(&channel).await {
            break socket;
        }
    };
    assert!(before_the_pong(&mut socket).await.is_empty());
}
