//! Single flight, refresh, rejection, rotation, failure, mended secrets, drain.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use http::HeaderValue;
use serde_json::json;

use super::endpoint::{Endpoint, Fixture, answer, granted, pass};
use crate::auth::{AccessToken, TokenProblem, TokenSource};
use crate::domain::WallTime;
use crate::net::HttpFailure;
use crate::runtime::MonoTime;

const CLIENT_CREDENTIALS: &str = "client_credentials";
const REFRESH_TOKEN: &str = "refresh_token";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn value(token: &AccessToken) -> &str {
    token.value.expose()
}

fn refresh_tokens_sent(endpoint: &Endpoint) -> Vec<String> {
    let bodies = endpoint.bodies();
    let sent = |body: &String| {
        let pairs = url::form_urlencoded::parse(body.as_bytes());
        let found = pairs.into_iter().find(|(key, _)| key == "refresh_token");
        found.unwrap().1.into_owned()
    };
    bodies.iter().map(sent).collect()
}

#[tokio::test(start_paused = true)]
async fn u21_a_hundred_who_ask_cause_one_request() {
    let endpoint = Endpoint::granting();
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    let asking = (0..100).map(|_| running.tokens.token());
    for token in join_all(asking).await {
        assert_eq!(value(&token.unwrap()), "t1");
    }
    assert_eq!(endpoint.bodies().len(), 1);
    let status = running.tokens.status().borrow().clone();
    assert_eq!((status.generation, status.refreshes), (1, 1));
    // 1 s at the start, the question at once, 300 s of life.
    assert_eq!(status.expires_at, Some(WallTime::from_millis(301_000)));
    assert_eq!(status.problem, None);
}

#[tokio::test(start_paused = true)]
async fn u1_no_secret_leaves_the_process_before_somebody_asks() {
    let endpoint = Endpoint::granting();
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    pass(seconds(3600)).await;
    assert_eq!(endpoint.bodies().len(), 0);
    running.tokens.token().await.unwrap();
    assert_eq!(endpoint.bodies().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn u21_tokens_are_refreshed_before_they_expire_without_being_asked_for() {
    let endpoint = Endpoint::granting();
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    running.tokens.token().await.unwrap();
    pass(seconds(3600)).await;
    let times = endpoint.times();
    assert!((15..=18).contains(&times.len()), "{}", times.len());
    for pair in times.windows(2) {
        let between = pair[1] - pair[0];
        assert!(
            (seconds(210)..=seconds(240)).contains(&between),
            "{between:?}"
        );
    }
    assert!(
        times.windows(3).any(|t| t[1] - t[0] != t[2] - t[1]),
        "no jitter"
    );
}

#[tokio::test(start_paused = true)]
async fn u21_who_asks_during_a_refresh_gets_the_new_token() {
    let endpoint = Endpoint::slow(seconds(5), |earlier| granted(&format!("t{earlier}"), None));
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    running.tokens.token().await.unwrap();
    pass(seconds(200)).await;
    for _ in 0..60 {
        let token = running.tokens.token().await.unwrap();
        assert!(token.expires_at > MonoTime::now() + seconds(55));
        pass(seconds(1)).await;
    }
    assert_eq!(endpoint.bodies().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn u21_five_hundred_rejections_cause_one_refresh() {
    let endpoint = Endpoint::granting();
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    let first = running.tokens.token().await.unwrap();
    pass(seconds(30)).await;
    let storm = (0..500).map(|_| async {
        running.tokens.reject(first.generation);
        running.tokens.token().await.unwrap()
    });
    for token in join_all(storm).await {
        assert_eq!((value(&token), token.generation), ("t2", 2));
        // A late 401 for the old token.
        running.tokens.reject(first.generation);
    }
    pass(seconds(60)).await;
    assert_eq!(endpoint.bodies().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn u23_rejecting_every_token_asks_once_a_second_at_most() {
    let endpoint = Endpoint::granting();
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    for _ in 0..20 {
        let token = running.tokens.token().await.unwrap();
        running.tokens.reject(token.generation);
    }
    for pair in endpoint.times().windows(2) {
        assert!(pair[1] - pair[0] >= seconds(1));
    }
}

#[tokio::test(start_paused = true)]
async fn u22_a_rotated_refresh_token_is_durable_before_its_answer_is_used() {
    let endpoint = Endpoint::new(|earlier| {
        granted(
            &format!("t{}", earlier + 1),
            Some(&format!("r{}", earlier + 1)),
        )
    });
    let fixture = Fixture::new(REFRESH_TOKEN);
    let running = fixture.run(&endpoint);
    let token = running.tokens.token().await.unwrap();
    assert_eq!(
        (value(&token), fixture.vault.kept().unwrap()),
        ("t1", "r1".to_owned())
    );
    running.tokens.reject(token.generation);
    let token = running.tokens.token().await.unwrap();
    assert_eq!(
        (value(&token), fixture.vault.kept().unwrap()),
        ("t2", "r2".to_owned())
    );
    drop(running);
    // After a restart the kept token counts, until another is configured.
    let running = fixture.run(&endpoint);
    running.tokens.token().await.unwrap();
    drop(running);
    fixture.write("refresh", "another\n");
    let running = fixture.run(&endpoint);
    running.tokens.token().await.unwrap();
    assert_eq!(
        refresh_tokens_sent(&endpoint),
        ["r0", "r1", "r2", "another"]
    );
    assert_eq!(fixture.vault.kept().unwrap(), "r4");
}

#[tokio::test(start_paused = true)]
async fn u22_a_vault_that_fails_loses_neither_the_old_token_nor_the_new_one() {
    let endpoint = Endpoint::new(|earlier| {
        granted(
            &format!("t{}", earlier + 1),
            Some(&format!("r{}", earlier + 1)),
        )
    });
    let fixture = Fixture::new(REFRESH_TOKEN);
    let running = fixture.run(&endpoint);
    running.tokens.token().await.unwrap();
    fixture.vault.fails.store(true, Ordering::SeqCst);
    pass(seconds(245)).await;
    assert_eq!(value(&running.tokens.token().await.unwrap()), "t1");
    let problem = running.tokens.status().borrow().problem.clone();
    let problem = problem.unwrap().to_string();
    assert!(problem.contains("disk full"), "{problem}");
    // The endpoint has answered and is not asked again: only the vault is tried.
    fixture.vault.fails.store(false, Ordering::SeqCst);
    pass(seconds(31)).await;
    assert_eq!(value(&running.tokens.token().await.unwrap()), "t2");
    assert_eq!(fixture.vault.kept().unwrap(), "r2");
    assert_eq!(endpoint.bodies().len(), 2);
    assert_eq!(running.tokens.status().borrow().problem, None);
}

#[tokio::test(start_paused = true)]
async fn u22_a_token_that_expired_while_the_vault_failed_is_replaced_by_its_rotated_successor() {
    let endpoint = Endpoint::new(|earlier| {
        granted(
            &format!("t{}", earlier + 1),
            Some(&format!("r{}", earlier + 1)),
        )
    });
    let fixture = Fixture::new(REFRESH_TOKEN);
    fixture.vault.fails.store(true, Ordering::SeqCst);
    let running = fixture.run(&endpoint);
    assert!(running.tokens.token().await.is_err());
    pass(seconds(600)).await;
    assert_eq!(endpoint.bodies().len(), 1);
    fixture.vault.fails.store(false, Ordering::SeqCst);
    pass(seconds(32)).await;
    assert_eq!(value(&running.tokens.token().await.unwrap()), "t2");
    assert_eq!(refresh_tokens_sent(&endpoint), ["r0", "r1"]);
}

#[tokio::test(start_paused = true)]
async fn u23_an_endpoint_that_is_down_is_asked_ever_more_rarely() {
    let endpoint = Endpoint::new(|earlier| match earlier {
        0 => granted("t1", None),
        1..=60 => Err(HttpFailure::Reset("gone".to_owned())),
        _ => granted("t2", None),
    });
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    running.tokens.token().await.unwrap();
    let expiry = MonoTime::now() + seconds(299);
    pass(seconds(245)).await;
    // The old token is good while it lasts, and nobody waits for it.
    while MonoTime::now() < expiry {
        let before = MonoTime::now();
        assert_eq!(value(&running.tokens.token().await.unwrap()), "t1");
        assert_eq!(before, MonoTime::now());
        pass(seconds(1)).await;
    }
    pass(seconds(2)).await;
    let problem = running.tokens.token().await.unwrap_err();
    assert!(
        matches!(problem, TokenProblem::Unavailable { .. }),
        "{problem:?}"
    );
    pass(seconds(3600)).await;
    assert_eq!(value(&running.tokens.token().await.unwrap()), "t2");
    let times = endpoint.times();
    let failing = times[60] - times[10];
    assert!(
        (seconds(300)..=seconds(1500)).contains(&failing),
        "{failing:?}"
    );
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= seconds(1));
    }
}

#[tokio::test(start_paused = true)]
async fn u23_throttling_is_obeyed() {
    let endpoint = Endpoint::new(|earlier| match earlier {
        0 => answer(429, &json!({})).map(|mut response| {
            let date = HeaderValue::from_static("Thu, 01 Jan 1970 00:00:41 GMT");
            response.headers.insert("retry-after", date);
            response
        }),
        1 => answer(
            400,
            &json!({ "error": "invalid_request", "error_description": "rate limit exceeded; x" }),
        ),
        _ => granted("t1", None),
    });
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    let problem = running.tokens.token().await.unwrap_err();
    assert!(
        matches!(problem, TokenProblem::Unavailable { .. }),
        "{problem:?}"
    );
    pass(seconds(120)).await;
    assert_eq!(value(&running.tokens.token().await.unwrap()), "t1");
    let times = endpoint.times();
    let waits = [times[1] - times[0], times[2] - times[1]];
    assert!((seconds(39)..seconds(49)).contains(&waits[0]), "{waits:?}");
    assert!((seconds(5)..seconds(7)).contains(&waits[1]), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn u24_a_refusal_is_tried_again_slowly() {
    let endpoint = Endpoint::new(|_| answer(401, &json!({ "error": "invalid_client" })));
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    let problem = running.tokens.token().await.unwrap_err();
    let reason = "invalid_client (HTTP 401)".to_owned();
    assert_eq!(problem, TokenProblem::Refused { reason });
    // However many ask.
    for _ in 0..290 {
        running.tokens.token().await.unwrap_err();
        pass(seconds(1)).await;
    }
    assert_eq!(endpoint.bodies().len(), 1);
    pass(seconds(3600)).await;
    for pair in endpoint.times().windows(2) {
        assert!((seconds(300)..seconds(362)).contains(&(pair[1] - pair[0])));
    }
}

#[tokio::test(start_paused = true)]
async fn u24_a_mended_secret_is_picked_up_without_a_restart() {
    let endpoint = Endpoint::new(|earlier| match earlier {
        0 => answer(400, &json!({ "error": "invalid_client" })),
        _ => granted("t1", None),
    });
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    running.tokens.token().await.unwrap_err();
    pass(seconds(60)).await;
    assert_eq!(endpoint.bodies().len(), 1);
    fixture.write("secret", "mended");
    pass(seconds(7)).await;
    assert_eq!(value(&running.tokens.token().await.unwrap()), "t1");
    assert!(endpoint.bodies()[1].contains("client_secret=mended"));
}

#[tokio::test(start_paused = true)]
async fn u24_a_secret_file_that_appears_late_is_found() {
    let endpoint = Endpoint::granting();
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let path = fixture.directory.path().join("secret");
    std::fs::remove_file(&path).unwrap();
    let running = fixture.run(&endpoint);
    let problem = running.tokens.token().await.unwrap_err();
    assert!(
        matches!(problem, TokenProblem::Refused { .. }),
        "{problem:?}"
    );
    assert!(
        problem.to_string().contains(path.to_str().unwrap()),
        "{problem}"
    );
    fixture.write("secret", "late");
    pass(seconds(7)).await;
    assert_eq!(value(&running.tokens.token().await.unwrap()), "t1");
    assert_eq!(endpoint.bodies().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn secrets_are_read_anew_at_each_refresh() {
    let endpoint = Endpoint::granting();
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    running.tokens.token().await.unwrap();
    fixture.write("secret", "rotated");
    pass(seconds(241)).await;
    let bodies = endpoint.bodies();
    assert!(bodies[0].contains("client_secret=the-secret"));
    assert!(bodies[1].contains("client_secret=rotated"));
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_the_attempt_under_way_and_keeps_its_rotated_token() {
    let endpoint = Endpoint::slow(seconds(3), |_| granted("t1", Some("r1")));
    let fixture = Fixture::new(REFRESH_TOKEN);
    let mut running = fixture.run(&endpoint);
    let (token, ()) = tokio::join!(running.tokens.token(), async {
        pass(seconds(1)).await;
        running.trigger.drain();
    });
    assert_eq!(value(&token.unwrap()), "t1");
    running.tasks.join_next().await.unwrap().unwrap();
    assert_eq!(fixture.vault.kept().unwrap(), "r1");
    // What is valid still serves those who close; nothing new comes.
    assert_eq!(value(&running.tokens.token().await.unwrap()), "t1");
    pass(seconds(300)).await;
    assert!(running.tokens.token().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn force_ends_an_attempt_and_those_who_wait_for_it() {
    let endpoint = Endpoint::slow(seconds(9), |_| granted("t1", None));
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let mut running = fixture.run(&endpoint);
    let before = MonoTime::now();
    let (token, ()) = tokio::join!(running.tokens.token(), async {
        pass(seconds(1)).await;
        running.trigger.force();
    });
    assert!(matches!(token, Err(TokenProblem::Unavailable { .. })));
    running.tasks.join_next().await.unwrap().unwrap();
    assert_eq!(before.elapsed(), seconds(1));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_answers_holds_nobody_for_long() {
    let endpoint = Endpoint::slow(seconds(1_000_000), |_| granted("t1", None));
    let fixture = Fixture::new(CLIENT_CREDENTIALS);
    let running = fixture.run(&endpoint);
    let before = MonoTime::now();
    let problem = running.tokens.token().await.unwrap_err();
    assert!(
        matches!(problem, TokenProblem::Unavailable { .. }),
        "{problem:?}"
    );
    assert_eq!(before.elapsed(), seconds(20));
}
