//! Many at once, long failures, long lives: how often the token endpoint is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::endpoint::{Endpoint, Fixture, granted, pass};
use crate::auth::{TokenProblem, TokenSource};
use crate::net::HttpFailure;
use crate::runtime::MonoTime;

const USERS: usize = 500;
/// What the scripted endpoint gives, and how long before its end a token is replaced (U21).
const LIFETIME: Duration = Duration::from_secs(300);
const MARGIN: Duration = Duration::from_secs(60);

/// An endpoint that can be taken down.
fn endpoint() -> (Endpoint, Arc<AtomicBool>) {
    let down = Arc::<AtomicBool>::default();
    let seen = Arc::clone(&down);
    let endpoint = Endpoint::new(move |earlier| match seen.load(Ordering::SeqCst) {
        true => Err(HttpFailure::Connect("down".to_owned())),
        false => granted(&format!("t{}", earlier + 1), None),
    });
    (endpoint, down)
}

/// On threads of their own, at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn u21_five_hundred_users_on_eight_threads_cause_one_request() {
    let (endpoint, _) = endpoint();
    let fixture = Fixture::new("client_credentials");
    let running = fixture.run(&endpoint);
    let first = running.tokens.token().await.unwrap();
    let together = Arc::new(Barrier::new(USERS));
    let mut users = JoinSet::new();
    for _ in 0..USERS {
        let (tokens, together) = (running.tokens.clone(), Arc::clone(&together));
        users.spawn(async move {
            together.wait().await;
            tokens.reject(first.generation);
            tokens.token().await.unwrap().generation
        });
    }
    let generations = users.join_all().await;
    assert_eq!(generations.len(), USERS);
    assert!(generations.iter().all(|g| *g == 2), "{generations:?}");
    assert_eq!(
        endpoint.bodies().len(),
        2,
        "one for the first token, one for all"
    );
}

#[tokio::test(start_paused = true)]
async fn u21_five_hundred_users_of_one_expired_token_cause_one_request() {
    let (endpoint, down) = endpoint();
    let fixture = Fixture::new("client_credentials");
    let running = fixture.run(&endpoint);
    running.tokens.token().await.unwrap();
    down.store(true, Ordering::SeqCst);
    pass(LIFETIME + Duration::from_secs(1)).await;
    let problem = running.tokens.token().await.unwrap_err();
    assert!(
        matches!(problem, TokenProblem::Unavailable { .. }),
        "{problem:?}"
    );
    down.store(false, Ordering::SeqCst);
    let before = endpoint.bodies().len();
    // Each asks again and again until there is one, as a session does.
    let users = (0..USERS).map(|_| async {
        loop {
            match running.tokens.token().await {
                Ok(token) => break token.generation,
                Err(_) => pass(Duration::from_millis(10)).await,
            }
        }
    });
    let generations = join_all(users).await;
    assert!(generations.iter().all(|g| *g == 2));
    assert_eq!(endpoint.bodies().len(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn u23_ten_minutes_of_a_dead_endpoint_are_one_attempt_for_each_step_of_the_back_off() {
    let (endpoint, down) = endpoint();
    let fixture = Fixture::new("client_credentials");
    let running = fixture.run(&endpoint);
    let first = running.tokens.token().await.unwrap();
    down.store(true, Ordering::SeqCst);
    let began = endpoint.bodies().len();
    // Users that ask all the time do not make it more.
    for _ in 0..600 {
        let asking = (0..20).map(|_| running.tokens.token());
        for token in join_all(asking).await {
            let lasts = MonoTime::now() < first.expires_at;
            assert_eq!(token.is_ok(), lasts, "the old token is good while it lasts");
        }
        pass(Duration::from_secs(1)).await;
    }
    let times = endpoint.times().split_off(began);
    // 1, 2, 4, 8, 16 s and then 30 s, each with full jitter, so half of that on average; a floor of
    // a second.
    let failing = *times.last().unwrap() - times[0];
    assert!(times.len() >= 5, "{}", times.len());
    let most = 5.0 + 2.0 * failing.as_secs_f64() / 15.0;
    assert!(
        (times.len() as f64) < most,
        "{} in {failing:?}",
        times.len()
    );
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(1));
    }
}

/// With nobody asking but the clock: what the lifetimes demand, no more and no less.
#[tokio::test(start_paused = true)]
async fn u21_a_day_of_short_tokens_costs_what_their_lifetimes_demand() {
    let (endpoint, _) = endpoint();
    let fixture = Fixture::new("client_credentials");
    let running = fixture.run(&endpoint);
    running.tokens.token().await.unwrap();
    let day = Duration::from_secs(86_400);
    let ends = MonoTime::now() + day;
    while MonoTime::now() < ends {
        let token = running.tokens.token().await.unwrap();
        assert!(token.expires_at > MonoTime::now(), "never without one");
        pass(Duration::from_secs(7)).await;
    }
    let (soonest, latest) = (LIFETIME - MARGIN - MARGIN / 2, LIFETIME - MARGIN);
    let times = endpoint.times();
    for pair in times.windows(2) {
        let lived = pair[1] - pair[0];
        assert!((soonest..=latest).contains(&lived), "{lived:?}");
    }
    let demanded = |each: Duration| (day.as_secs_f64() / each.as_secs_f64()).ceil() as usize;
    let bounds = demanded(latest)..=demanded(soonest) + 1;
    assert!(
        bounds.contains(&times.len()),
        "{} of {bounds:?}",
        times.len()
    );
}
