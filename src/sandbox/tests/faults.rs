//! Faults of single requests: polls, tokens, history, health.

use super::*;
use crate::sandbox::fault::{Fault, FaultName, On, TokenRefusal};

const AT_ONCE: HumanDuration = HumanDuration::from_secs(0);

fn status(status: u16) -> Fault {
    Fault::PollStatus {
        status,
        retry_after: None,
        after: AT_ONCE,
    }
}

#[tokio::test]
async fn a_poll_is_answered_with_the_status_that_is_asked_for() {
    let visit = Visit::new(patient()).await;
    for code in [401, 403, 408, 500, 502, 503, 504] {
        visit.set(status(code).times(1));
        assert_eq!(visit.poll(0).await.unwrap().status, code);
    }
    let retry_after = Some("Wed, 21 Oct 2065 07:28:00 GMT".to_owned());
    visit.set(Fault::PollStatus {
        status: 429,
        retry_after: retry_after.clone(),
        after: AT_ONCE,
    });
    let got = visit.poll(0).await.unwrap();
    assert_eq!((got.status, got.retry_after), (429, retry_after));
}

#[tokio::test]
async fn a_fault_strikes_a_poll_that_is_held_already() {
    let visit = Visit::new(patient()).await;
    let strike = async {
        visit
            .until(|sandbox| sandbox.counters().arrived(RequestKind::Poll) == 1)
            .await;
        visit.set(status(502));
    };
    let (got, ()) = tokio::join!(visit.poll(0), strike);
    assert_eq!(got.unwrap().status, 502);
}

#[tokio::test]
async fn a_gateway_gives_up_after_a_while_and_loses_nothing() {
    let visit = Visit::new(patient()).await;
    let after = HumanDuration::from_millis(50);
    visit.set(
        Fault::PollStatus {
            status: 504,
            retry_after: None,
            after,
        }
        .times(1),
    );
    let started = tokio::time::Instant::now();
    assert_eq!(visit.poll(0).await.unwrap().status, 504);
    assert!(started.elapsed() >= after.0);
    visit.emit(1);
    assert_eq!(
        Batch::parse(&visit.poll(0).await.unwrap().body).numbers(),
        [1]
    );
}

#[tokio::test]
async fn a_poll_is_reset_in_its_hold() {
    let visit = Visit::new(patient()).await;
    let after = HumanDuration::from_millis(30);
    visit.set(Fault::PollResetInHold { after }.times(1));
    let error = visit.poll(0).await.unwrap_err();
    assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    let counters = visit.sandbox.counters();
    assert_eq!(counters.ended(RequestKind::Poll, Outcome::Reset), 1);
}

#[tokio::test]
async fn a_body_is_cut_by_the_connection_or_by_its_length() {
    let visit = Visit::new(quick()).await;
    visit.emit(3);
    let cut_connection = true;
    visit.set(Fault::TruncatedBody { cut_connection }.times(1));
    let error = visit.poll(0).await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    let cut_connection = false;
    visit.set(Fault::TruncatedBody { cut_connection }.times(1));
    let got = visit.poll(0).await.unwrap();
    assert_eq!(got.status, 200);
    assert!(got.body.starts_with("{\"sequence\":3"));
    assert!(serde_json::from_str::<Value>(&got.body).is_err());
    assert_eq!(
        Batch::parse(&visit.poll(0).await.unwrap().body).numbers(),
        [1, 2, 3]
    );
}

#[tokio::test]
async fn html_comes_where_json_should() {
    let visit = Visit::new(patient()).await;
    visit.set(Fault::NotJson {
        transport: On::Poll,
    });
    let got = visit.poll(0).await.unwrap();
    assert!(got.status == 200 && got.body.starts_with("<!DOCTYPE html>"));

    visit.set(
        Fault::NotJson {
            transport: On::Websocket,
        }
        .times(1),
    );
    let mut socket = visit.subscribe(0).await;
    assert!(text(&mut socket).await.starts_with("<!DOCTYPE html>"));
    assert_eq!(batch(&mut socket).await.sequence, 0);
}

#[tokio::test]
async fn a_proxy_answers_an_empty_200_at_once() {
    let visit = Visit::new(patient()).await;
    visit.set(Fault::Empty200AtOnce { batch: false });
    let got = visit.poll(0).await.unwrap();
    assert_eq!((got.status, got.body.as_str()), (200, ""));
    visit.set(Fault::Empty200AtOnce { batch: true });
    let got = visit.poll(0).await.unwrap();
    assert_eq!(
        (got.status, got.body.as_str()),
        (200, r#"{"sequence":0,"events":[]}"#)
    );
    // What it withholds it must not pass over.
    visit.emit(3);
    let got = visit.poll(1).await.unwrap();
    assert_eq!(got.body, r#"{"sequence":1,"events":[]}"#);
    visit.sandbox.faults().clear_all();
    let got = visit.poll(1).await.unwrap();
    assert_eq!(Batch::parse(&got.body).numbers(), [2, 3]);
}

#[tokio::test]
async fn the_token_endpoint_is_down_slow_or_refuses() {
    let visit = Visit::new(quick()).await;
    let ask = async || {
        visit
            .ask_token("grant_type=client_credentials")
            .await
            .unwrap()
    };
    visit.set(Fault::TokenDown { status: 503 }.times(1));
    assert_eq!(ask().await.status, 503);
    let cases = [
        (TokenRefusal::InvalidClient, 401, "invalid_client"),
        (TokenRefusal::InvalidGrant, 400, "invalid_grant"),
        (TokenRefusal::RateLimit400, 400, "invalid_request"),
        (TokenRefusal::RateLimit, 429, "too_many_requests"),
    ];
    for (error, status, code) in cases {
        visit.set(Fault::TokenError { error }.times(1));
        let got = ask().await;
        assert_eq!((got.status, &got.json()["error"]), (status, &code.into()));
        assert_eq!(got.retry_after.is_some(), status == 429);
        let description = got.json()["error_description"].to_string();
        assert_eq!(
            description.contains("rate limit exceeded"),
            code != "invalid_client" && code != "invalid_grant"
        );
    }
    let delay = HumanDuration::from_millis(60);
    visit.set(Fault::TokenSlow { delay });
    let started = tokio::time::Instant::now();
    assert_eq!(ask().await.status, 200);
    assert!(started.elapsed() >= delay.0);
}

#[tokio::test]
async fn tokens_expire_when_they_are_told_to() {
    let mut visit = Visit::new(patient()).await;
    let mut socket = visit.live().await;
    let strike = async {
        visit
            .until(|sandbox| sandbox.counters().arrived(RequestKind::Poll) == 1)
            .await;
        visit.set(Fault::ExpireTokensNow {});
    };
    let (got, ()) = tokio::join!(visit.poll(0), strike);
    assert_eq!(got.unwrap().status, 401);
    assert_eq!(close_code(&mut socket).await, 4401);
    assert_eq!(visit.sandbox.faults().struck(FaultName::ExpireTokensNow), 1);
    visit.renew().await;
    visit.live().await;
}

#[tokio::test]
async fn the_history_is_down_gone_or_slow() {
    let visit = Visit::new(quick()).await;
    visit.emit(2);
    visit.set(Fault::HistoryDown { status: 503 }.times(1));
    assert_eq!(visit.history(0, 2).await.status, 503);
    for status in [404, 410] {
        visit.set(Fault::HistoryGone { status }.times(1));
        assert_eq!(visit.history(0, 2).await.status, status);
    }
    let delay = HumanDuration::from_millis(60);
    visit.set(Fault::HistorySlow { delay });
    let started = tokio::time::Instant::now();
    assert_eq!(
        Batch::parse(&visit.history(0, 2).await.body).numbers(),
        [1, 2]
    );
    assert!(started.elapsed() >= delay.0);
}

#[tokio::test]
async fn health_fails_while_events_flow() {
    let visit = Visit::new(quick()).await;
    visit.set(Fault::HealthDown { status: 503 });
    assert_eq!(visit.get("api/v2/system/health").await.unwrap().status, 503);
    visit.emit(1);
    assert_eq!(
        Batch::parse(&visit.poll(0).await.unwrap().body).numbers(),
        [1]
    );
}

#[tokio::test]
async fn a_fault_out_of_range_is_refused_and_changes_nothing() {
    let visit = Visit::new(quick()).await;
    assert!(visit.sandbox.faults().set(status(99)).is_err());
    assert_eq!(visit.poll(0).await.unwrap().status, 200);
}
