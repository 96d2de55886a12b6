//! Faults of connections: what a middlebox, a network or an overloaded platform does.

use futures_util::FutureExt;

use super::*;
use crate::sandbox::fault::{Fault, FaultName, On};

fn now() -> HumanDuration {
    HumanDuration::from_secs(0)
}

/// That nothing comes for a while, where a healthy platform would answer at once.
async fn silent<T>(wait: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_millis(150), wait)
        .await
        .is_err()
}

#[tokio::test]
async fn upgrade_is_stripped_from_probe_and_handshake_alike() {
    let visit = Visit::new(quick()).await;
    for status in [200, 400, 426] {
        visit.set(Fault::StripUpgrade { status });
        let probe = format!("{SUBSCRIBE}?polling=true");
        for (path, token) in [(probe.as_str(), None), (SUBSCRIBE, Some(&*visit.token))] {
            match visit.handshake(path, token).await {
                Err(Error::Http(answer)) => assert_eq!(answer.status(), status),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(visit.poll(0).await.unwrap().status, 200);
    visit.sandbox.faults().clear_all();
    visit.live().await;
    assert_eq!(visit.sandbox.faults().struck(FaultName::StripUpgrade), 6);
}

#[tokio::test]
async fn a_swallowed_101_never_comes_and_no_error_either() {
    let visit = Visit::new(quick()).await;
    visit.set(Fault::Swallow101 {}.times(1));
    assert!(silent(visit.handshake(SUBSCRIBE, Some(&visit.token))).await);
    visit.live().await;
    let abandoned = |counters: Counters| counters.ended(RequestKind::Websocket, Outcome::Abandoned);
    visit
        .until(|sandbox| abandoned(sandbox.counters()) == 1)
        .await;
}

#[tokio::test]
async fn a_websocket_is_reset_between_frames_and_in_the_middle_of_one() {
    let visit = Visit::new(quick()).await;
    for mid_frame in [false, true] {
        let mut socket = visit.live().await;
        let after = now();
        visit.set(Fault::WebsocketReset { after, mid_frame }.times(1));
        let Error::Io(error) = breaks(&mut socket).await else {
            panic!("not broken by the network");
        };
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    visit.live().await;
}

#[tokio::test]
async fn a_reset_may_wait_for_its_time() {
    let visit = Visit::new(quick()).await;
    visit.set(Fault::WebsocketReset {
        after: HumanDuration::from_millis(50),
        mid_frame: false,
    });
    let mut socket = visit.live().await;
    breaks(&mut socket).await;
}

#[tokio::test]
async fn a_websocket_is_closed_with_the_code_that_is_asked_for() {
    let visit = Visit::new(quick()).await;
    for code in [1000, 1001, 1008, 1011, 1012, 4401] {
        let mut socket = visit.live().await;
        let reason = "maintenance".to_owned();
        let after = now();
        visit.set(
            Fault::WebsocketClose {
                code,
                reason,
                after,
            }
            .times(1),
        );
        assert_eq!(close_code(&mut socket).await, code);
    }
    let mut socket = visit.live().await;
    let (code, reason, after) = (1006, String::new(), now());
    visit.set(
        Fault::WebsocketClose {
            code,
            reason,
            after,
        }
        .times(1),
    );
    assert!(!matches!(frame(&mut socket).await, Some(Ok(_))));
}

#[tokio::test]
async fn a_count_strikes_one_of_two_connections() {
    let visit = Visit::new(quick()).await;
    let (mut one, mut other) = (visit.live().await, visit.live().await);
    let (after, mid_frame) = (now(), false);
    visit.set(Fault::WebsocketReset { after, mid_frame }.times(1));
    visit
        .until(|sandbox| {
            sandbox
                .connections()
                .iter()
                .filter(|c| c.transport == Transport::Websocket)
                .count()
                == 1
        })
        .await;
    visit.emit(1);
    let first = frame(&mut one).await;
    let second = frame(&mut other).await;
    assert_eq!(
        [first, second]
            .iter()
            .filter(|end| matches!(end, Some(Ok(_))))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_frozen_websocket_is_silent_until_it_thaws_and_has_lost_nothing() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    let transport = On::Websocket;
    visit.set(Fault::Freeze { transport }.times(1));
    visit
        .until(|sandbox| sandbox.faults().struck(FaultName::Freeze) == 1)
        .await;
    visit.emit(3);
    socket.send(Message::Ping("alive?".into())).await.unwrap();
    assert!(silent(socket.next()).await);
    assert_eq!(visit.poll(0).await.unwrap().status, 200);
    visit.sandbox.faults().clear(FaultName::Freeze);
    let mut numbers = Vec::new();
    while numbers.len() < 3 {
        numbers.extend(batch(&mut socket).await.numbers());
    }
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn a_frozen_poll_is_answered_when_it_thaws() {
    let visit = Visit::new(quick()).await;
    visit.set(Fault::Freeze {
        transport: On::Poll,
    });
    let mut poll = Box::pin(visit.poll(0));
    assert!(silent(&mut poll).await);
    visit.sandbox.faults().clear(FaultName::Freeze);
    assert_eq!(poll.await.unwrap().status, 200);
}

#[tokio::test]
async fn pongs_are_dropped_while_events_flow() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    visit.set(Fault::DropPongs {});
    visit
        .until(|sandbox| sandbox.faults().struck(FaultName::DropPongs) == 1)
        .await;
    socket.send(Message::Ping("alive?".into())).await.unwrap();
    visit.emit(1);
    assert!(matches!(
        frame(&mut socket).await,
        Some(Ok(Message::Text(_)))
    ));
    assert!(silent(socket.next()).await);
    visit.sandbox.faults().clear(FaultName::DropPongs);
    assert!(matches!(
        frame(&mut socket).await,
        Some(Ok(Message::Pong(_)))
    ));
}

#[tokio::test]
async fn pings_are_answered_in_a_flood_of_events() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    visit.sandbox.set_rate(5_000.0);
    socket.send(Message::Ping("alive?".into())).await.unwrap();
    while !matches!(frame(&mut socket).await, Some(Ok(Message::Pong(_)))) {}
}

#[tokio::test]
async fn a_subscription_may_be_refused_in_a_frame() {
    let visit = Visit::new(quick()).await;
    for (status, expected) in [(403, 4403), (401, 4401), (429, 1008)] {
        visit.set(Fault::FrameError { status }.times(1));
        let mut socket = visit.subscribe(0).await;
        let error: Value = serde_json::from_str(&text(&mut socket).await).unwrap();
        assert_eq!(error["status"], status);
        assert_eq!(close_code(&mut socket).await, expected);
    }
    visit.live().await;
}

#[tokio::test]
async fn everything_is_late_by_the_latency() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    let delay = Duration::from_millis(80);
    let jitter = now();
    visit.set(Fault::Latency {
        delay: HumanDuration(delay),
        jitter,
    });
    let started = tokio::time::Instant::now();
    visit.emit(1);
    batch(&mut socket).await;
    assert!(started.elapsed() >= delay);
    let started = tokio::time::Instant::now();
    visit.get("api/v2/system/health").await.unwrap();
    assert!(started.elapsed() >= delay);
}

#[tokio::test]
async fn a_platform_that_is_down_refuses_connections_and_comes_back_on_its_port() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    let endpoint = visit.sandbox.endpoint();
    let reached = async |expected| {
        let polls = async {
            while visit
                .poll(0)
                .await
                .map_or_else(|error| !error.is_connect(), |_| true)
                != expected
            {}
        };
        tokio::time::timeout(PATIENCE, polls).await.unwrap();
    };
    for _ in 0..3 {
        visit.set(Fault::PlatformDown {});
        reached(false).await;
        visit
            .until(|sandbox| sandbox.connections().is_empty())
            .await;
        visit.sandbox.faults().clear(FaultName::PlatformDown);
        reached(true).await;
    }
    visit.set(Fault::PlatformDown {}.during(Duration::from_millis(50)));
    let over = |sandbox: &Sandbox| sandbox.faults().status().iter().all(|f| f.rule.is_none());
    visit.until(over).await;
    reached(true).await;
    breaks(&mut socket).await;
    assert_eq!(visit.sandbox.endpoint(), endpoint);
    visit.live().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let visit = Visit::new(quick()).await;
    let _held = visit.live().await;
    let open = u32::try_from(visit.sandbox.connections().len()).unwrap();
    visit.set(Fault::ConnectionLimit { max: open });
    assert!(
        visit
            .handshake(SUBSCRIBE, Some(&visit.token))
            .await
            .is_err()
    );
    assert_eq!(visit.sandbox.counters().connections_refused, 1);
    visit.sandbox.faults().clear_all();
    visit.live().await;
}

#[tokio::test]
async fn a_fault_ends_by_itself_when_its_time_is_over() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    visit.set(Fault::Freeze { transport: On::Any }.during(Duration::from_millis(60)));
    visit.emit(1);
    assert!(socket.next().now_or_never().is_none());
    assert_eq!(batch(&mut socket).await.numbers(), [1]);
}
