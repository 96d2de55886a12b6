//! Tokens for an access key (U22), in paused time.

use std::time::Duration;

use serde_json::json;

use super::endpoint::{Endpoint, Fixture, answer, granted, pass};
use crate::auth::{TokenProblem, TokenSource};
use crate::runtime::MonoTime;

/// The grant of each request so far, and the secret it was made with.
fn asked(endpoint: &Endpoint) -> Vec<String> {
    let bodies = endpoint.bodies();
    let each = bodies.iter().map(|body| {
        let pairs: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).collect();
        let value = |key: &str| {
            let found = pairs.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.clone().into_owned())
        };
        value("refresh_token").or(value("password")).unwrap()
    });
    each.collect()
}

async fn tokens(running: &super::endpoint::Running, count: usize) {
    for _ in 0..count {
        let token = running.tokens.token().await.unwrap();
        running.tokens.reject(token.generation);
        running.tokens.token().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn u22_what_came_with_the_token_renews_it_until_it_is_two_hours_old() {
    // The same refresh token each time: it grows no younger.
    let endpoint = Endpoint::new(|earlier| granted(&format!("t{earlier}"), Some("r1")));
    let fixture = Fixture::new("password");
    let running = fixture.run(&endpoint);
    tokens(&running, 2).await;
    assert_eq!(asked(&endpoint), ["key-secret", "r1", "r1"]);
    pass(Duration::from_secs(2 * 3600 + 300)).await;
    let asked = asked(&endpoint);
    let passwords: Vec<_> = asked.iter().filter(|by| *by == "key-secret").collect();
    assert_eq!(passwords.len(), 2, "{asked:?}");
    assert!(fixture.vault.kept().is_none(), "the password outlives it");
}

#[tokio::test(start_paused = true)]
async fn u22_a_renewal_that_is_refused_is_followed_by_the_password_a_second_later() {
    let endpoint = Endpoint::new(|earlier| match earlier {
        1 => answer(400, &json!({ "error": "invalid_grant" })),
        _ => granted(&format!("t{earlier}"), Some(&format!("r{earlier}"))),
    });
    let fixture = Fixture::new("password");
    let running = fixture.run(&endpoint);
    let token = running.tokens.token().await.unwrap();
    pass(Duration::from_secs(30)).await;
    running.tokens.reject(token.generation);
    assert_eq!(running.tokens.token().await.unwrap().value.expose(), "t2");
    assert_eq!(asked(&endpoint), ["key-secret", "r0", "key-secret"]);
    let times = endpoint.times();
    assert!(times[2] - times[1] >= Duration::from_secs(1));
    assert_eq!(running.tokens.status().borrow().problem, None);
    running.tokens.reject(2);
    running.tokens.token().await.unwrap();
    assert_eq!(asked(&endpoint).last().unwrap(), "r2");
}

#[tokio::test(start_paused = true)]
async fn u22_a_renewal_that_fails_for_another_reason_is_tried_again() {
    let endpoint = Endpoint::new(|earlier| match earlier {
        1 => answer(503, &json!({})),
        _ => granted(&format!("t{earlier}"), Some("r1")),
    });
    let fixture = Fixture::new("password");
    let running = fixture.run(&endpoint);
    pass(Duration::from_secs(1)).await;
    running.tokens.token().await.unwrap();
    pass(Duration::from_secs(300)).await;
    assert_eq!(asked(&endpoint), ["key-secret", "r1", "r1"]);
}

#[tokio::test(start_paused = true)]
async fn u24_another_access_key_is_used_at_once_and_a_refused_one_is_said() {
    let endpoint = Endpoint::new(|earlier| match earlier {
        0 | 1 => granted(&format!("t{earlier}"), Some("r1")),
        _ => answer(400, &json!({ "error": "invalid_grant" })),
    });
    let fixture = Fixture::new("password");
    let running = fixture.run(&endpoint);
    tokens(&running, 1).await;
    fixture.write("password", "another");
    let began = MonoTime::now();
    running.tokens.reject(2);
    let problem = running.tokens.token().await.unwrap_err();
    assert!(matches!(problem, TokenProblem::Refused { .. }), "{problem}");
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(asked(&endpoint), ["key-secret", "r1", "another"]);
}
