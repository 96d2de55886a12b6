//! No secret and no token in anything that can be read.

use std::time::Duration;

use serde_json::json;

use super::endpoint::{Endpoint, Fixture, answer, granted, pass};
use crate::auth::{Sealer, TokenSource};
use crate::net::HttpFailure;
use crate::testing::Log;

#[tokio::test(start_paused = true)]
async fn s6_no_secret_and_no_token_is_ever_printed() {
    let (log, _guard) = Log::capture("trace");
    // The endpoint echoes what it was sent wherever it can.
    let echo = json!({
        "error": "canary-secret", "error_description": "canary-secret canary-refresh",
        "access_token": { "canary-token": 1 },
    });
    let endpoint = Endpoint::new(move |earlier| match earlier {
        0 => granted("canary-token-1", Some("canary-rotated")),
        1 => answer(400, &echo),
        2 => answer(200, &echo),
        3 => answer(200, &json!({ "access_token": "canary-token \r\n" })),
        4 => Err(HttpFailure::Reset("broken".to_owned())),
        5 => answer(
            401,
            &json!({ "error": "invalid_client", "error_description": "canary-id" }),
        ),
        _ => granted("canary-token-2", None),
    });
    let fixture = Fixture::new("refresh_token");
    fixture.write("id", "canary-id");
    fixture.write("secret", "canary-secret");
    fixture.write("refresh", "canary-refresh");
    let (tokens, refresher) = fixture.refresher(&endpoint);
    let mut shown = format!("{refresher:?} {:?}", fixture.settings());
    drop((tokens, refresher));
    let running = fixture.run(&endpoint);
    let status = running.tokens.status();
    for _ in 0..200 {
        // Another test, without a subscriber, may be the first at a log line just as ours begins;
        // tracing then takes the line for unwanted until it looks again.
        tracing::callsite::rebuild_interest_cache();
        match running.tokens.token().await {
            Ok(token) => {
                shown += &format!("{token:?}");
                running.tokens.reject(token.generation);
            }
            Err(problem) => shown += &format!("{problem} {problem:?}"),
        }
        shown += &format!("{:?} {:?}", running.tokens, *status.borrow());
        pass(Duration::from_secs(3)).await;
    }
    assert!(endpoint.bodies().len() > 7, "the story was told to its end");
    shown += &format!(
        "{:?} {:?}",
        fixture.vault,
        Sealer::new(b"canary-key-canary-key-canary-key")
    );
    let log = log.text();
    for expected in ["Token obtained", "Token refused", "Token request failed"] {
        assert!(log.contains(expected), "{expected} was not logged");
    }
    for text in [shown, log] {
        assert!(!text.contains("canary"), "{text}");
    }
}
