//! What one run of a plan does with each answer.

use super::*;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::runtime::{MonoTime, Secret};
use crate::session::planner::tests::{Listing, connector};

fn token(generation: u64) -> Result<AccessToken, TokenProblem> {
    Ok(AccessToken {
        value: Secret::new(format!("t{generation}")),
        generation,
        expires_at: MonoTime::now(),
    })
}

fn answer(status: u16, body: &str) -> Result<HttpResponse, HttpFailure> {
    Ok(HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    })
}

/// A run of a plan that asks for these pages, and has its next token.
struct Run {
    run: Resolving,
    generation: u64,
}

impl Run {
    fn of(listing: Listing) -> Self {
        Self {
            run: Resolving::new(Box::new(listing)),
            generation: 1,
        }
    }

    /// Asks, and gives this answer; what the machine wants then.
    fn answer(&mut self, status: u16, body: &str) -> Do {
        self.reply(answer(status, body))
    }

    fn reply(&mut self, answer: Result<HttpResponse, HttpFailure>) -> Do {
        assert!(matches!(self.run.go_on(), Do::AskToken { rejecting: None }));
        let next = self.run.token(token(self.generation), 0.5);
        assert!(matches!(next, Do::Call(_)), "{next:?}");
        self.run.answer(answer, WallTime::default(), 0.5)
    }

    fn shown(&self) -> (State, &str) {
        let standing = self.run.standing();
        (standing.state, &standing.reason)
    }
}

fn wait_of(next: &Do) -> Duration {
    match next {
        Do::Wait { delay, .. } => *delay,
        other => panic!("no wait: {other:?}"),
    }
}

#[test]
fn a_plan_is_asked_until_it_is_done_with_a_token_for_each_call() {
    let mut run = Run::of(Listing::of_pages(2));
    assert_eq!(run.shown(), (State::Connecting, "RESOLVING_TOPICS"));
    let next = run.run.token(token(1), 0.5);
    let Do::Call(request) = next else {
        panic!("{next:?}")
    };
    assert_eq!(request.url.as_str(), "https://api.test/list?page=0");
    assert_eq!(request.headers["authorization"], "t1");
    assert_eq!(request.timeout, Duration::from_secs(10));
    assert_eq!(request.class, CallClass::Subscription);
    let wall = WallTime::default();
    let next = run.run.answer(answer(200, "a"), wall, 0.5);
    assert!(matches!(next, Do::AskToken { rejecting: None }));
    assert!(matches!(run.answer(200, "b"), Do::AskToken { .. }));
    match run.run.token(token(2), 0.5) {
        Do::Done(connectors) => assert_eq!(connectors[0].topics(), ["a", "b"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn u12_a_401_is_repeated_once_with_another_token() {
    let mut run = Run::of(Listing::of_pages(1));
    let next = run.answer(401, "");
    assert!(
        matches!(next, Do::AskToken { rejecting: Some(1) }),
        "{next:?}"
    );
    assert_eq!(run.shown().0, State::Connecting);
    run.generation = 2;
    let next = run.answer(401, "");
    assert_eq!(wait_of(&next), Duration::from_secs(330));
    let reason = "CREDENTIALS_REFUSED: 401 with a fresh token";
    assert_eq!(run.shown(), (State::Suspended, reason));
    // The same again after the wait, and then all is well.
    assert!(matches!(
        run.answer(401, ""),
        Do::AskToken { rejecting: Some(2) }
    ));
    assert!(matches!(run.answer(200, "a"), Do::AskToken { .. }));
    assert_eq!(run.shown(), (State::Connecting, "RESOLVING_TOPICS"));
}

#[test]
fn u12_a_429_is_obeyed_within_bounds() {
    for (header, seconds) in [
        (Some("7"), 7),
        (Some("0"), 1),
        (Some("86400"), 300),
        (None, 5),
    ] {
        let mut run = Run::of(Listing::of_pages(1));
        let mut throttled = answer(429, "").unwrap();
        if let Some(header) = header {
            let value = HeaderValue::from_static(header);
            throttled.headers.insert("retry-after", value);
        }
        let wait = wait_of(&run.reply(Ok(throttled)));
        assert_eq!(wait, Duration::from_millis(seconds * 1_100), "{header:?}");
        assert_eq!(
            run.shown(),
            (State::Connecting, "RESOLVING_TOPICS: THROTTLED")
        );
    }
}

#[test]
fn u30_failures_back_off_until_an_answer_is_taken() {
    let mut run = Run::of(Listing::of_pages(2));
    let failures = [
        answer(503, ""),
        Err(HttpFailure::Connect("refused".to_owned())),
        answer(408, ""),
        // Not what the platform sends.
        answer(200, "?"),
    ];
    let waits = failures.map(|failure| wait_of(&run.reply(failure)));
    assert_eq!(
        waits.map(|wait| wait.as_millis()),
        [500, 1_000, 2_000, 4_000]
    );
    assert_eq!(run.shown().0, State::Connecting);
    assert!(matches!(run.answer(200, "a"), Do::AskToken { .. }));
    let wait = wait_of(&run.answer(502, ""));
    assert_eq!(wait, Duration::from_millis(500));
    assert_eq!(
        run.shown(),
        (State::Connecting, "RESOLVING_TOPICS: HTTP 502")
    );
}

#[test]
fn what_is_refused_is_the_plans_to_judge() {
    for (status, reason) in [
        (403, "PERMISSION_DENIED"),
        (404, "RESOLVING_TOPICS: HTTP 404"),
    ] {
        let mut run = Run::of(Listing::of_pages(2).absorbing(status));
        assert!(matches!(run.answer(status, ""), Do::AskToken { .. }));
        assert_eq!(run.shown().0, State::Connecting);
        assert!(matches!(run.answer(200, "b"), Do::AskToken { .. }));
        match run.run.token(token(1), 0.5) {
            Do::Done(connectors) => assert_eq!(connectors[0].topics(), ["b"]),
            other => panic!("{other:?}"),
        }
        let mut run = Run::of(Listing::of_pages(1));
        let wait = wait_of(&run.answer(status, ""));
        assert_eq!(wait, Duration::from_secs(330));
        assert_eq!(run.shown(), (State::Suspended, reason));
    }
}

#[test]
fn u24_without_a_token_it_waits_for_the_credential() {
    let mut run = Run::of(Listing::of_pages(1));
    let reason = "invalid_client".to_owned();
    let next = run.run.token(Err(TokenProblem::Refused { reason }), 0.5);
    assert!(matches!(next, Do::Wait { or_token: true, .. }), "{next:?}");
    assert_eq!(
        run.shown(),
        (State::Suspended, "CREDENTIALS_REFUSED: invalid_client")
    );
    let reason = "down".to_owned();
    let next = run
        .run
        .token(Err(TokenProblem::Unavailable { reason }), 0.5);
    assert_eq!(wait_of(&next), Duration::from_millis(500));
    assert_eq!(
        run.shown(),
        (
            State::Connecting,
            "RESOLVING_TOPICS: TOKEN_UNAVAILABLE: down"
        )
    );
}

#[test]
fn a_plan_without_end_is_given_up() {
    let mut run = Run::of(Listing::of_pages(usize::MAX));
    for _ in 0..MOST_CALLS {
        assert!(matches!(run.answer(200, "a"), Do::AskToken { .. }));
    }
    assert!(matches!(run.run.token(token(1), 0.5), Do::GiveUp));
    assert_eq!(run.shown().0, State::Suspended);
}

#[test]
fn the_same_connectors_change_nothing_and_others_their_own_index_alone() {
    use crate::session::planner::{Change, changes};
    let told = |standing: &[&[&str]], planned: &[&[&str]]| {
        let all = |lanes: &[&[&str]]| {
            lanes
                .iter()
                .map(|topics| connector(topics))
                .collect::<Vec<_>>()
        };
        let each = changes(&all(standing), &all(planned)).into_iter();
        each.map(|change| match change {
            Change::Add(index, new) => format!("add {index} {:?}", new.topics()),
            Change::Replace(index, new) => format!("replace {index} {:?}", new.topics()),
            Change::Remove(index) => format!("remove {index}"),
        })
        .collect::<Vec<_>>()
    };
    assert!(told(&[&["a"], &["b"]], &[&["a"], &["b"]]).is_empty());
    assert_eq!(told(&[], &[&["a"]]), ["add 0 [\"a\"]"]);
    assert_eq!(told(&[&["a"], &["b"]], &[&["a"]]), ["remove 1"]);
    assert_eq!(
        told(&[&["a"], &["b"]], &[&["a"], &["b", "c"], &["d"]]),
        ["replace 1 [\"b\", \"c\"]", "add 2 [\"d\"]"]
    );
}
