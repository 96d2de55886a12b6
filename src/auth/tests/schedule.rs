//! The schedule by example and by property.

use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn schedule() -> Schedule {
    Schedule::new(Duration::from_secs(60))
}

/// A schedule whose first token was asked for at `start`.
fn with_token(start: MonoTime, lifetime: u64, unit: f64) -> Schedule {
    let mut schedule = schedule();
    assert_eq!(schedule.asked(start), Reply::Wait);
    schedule.started(start);
    let (generation, expires_at) = schedule.issued(start, Duration::from_secs(lifetime), unit);
    assert_eq!(generation, 1);
    assert_eq!(expires_at, start + Duration::from_secs(lifetime));
    schedule
}

fn unavailable(retry_after: Option<Duration>) -> Failure {
    Failure::Unavailable {
        retry_after,
        reason: "down".to_owned(),
    }
}

fn throttled(retry_after: Option<Duration>) -> Failure {
    Failure::Throttled {
        retry_after,
        reason: "slow".to_owned(),
    }
}

fn refused() -> Failure {
    Failure::Refused {
        reason: "invalid_client".to_owned(),
    }
}

#[test]
fn u1_nothing_is_due_before_somebody_asks() {
    let mut schedule = schedule();
    assert_eq!(schedule.next_attempt(), None);
    let now = MonoTime::now();
    assert_eq!(schedule.asked(now), Reply::Wait);
    assert_eq!(schedule.next_attempt(), Some(now));
}

#[test]
fn u21_refresh_is_due_a_minute_or_a_fifth_before_expiry_and_jittered() {
    let start = MonoTime::now();
    for (lifetime, unit, due) in [
        (86_400, 0.0, 86_340.0),
        (86_400, 1.0, 86_310.0),
        (300, 0.0, 240.0),
        (300, 1.0, 210.0),
        (100, 0.0, 80.0),
        (100, 0.5, 75.0),
        (10, 0.0, 8.0),
        (1, 0.0, 1.0), // The pace is slower than the fifth.
    ] {
        let schedule = with_token(start, lifetime, unit);
        let due_in = schedule.next_attempt().unwrap() - start;
        assert!(
            (due_in.as_secs_f64() - due).abs() < 0.001,
            "{lifetime} {unit}: {due_in:?}"
        );
    }
}

#[test]
fn u21_who_asks_when_refresh_is_due_waits_and_after_a_failure_gets_the_old_token() {
    let start = MonoTime::now();
    let mut schedule = with_token(start, 300, 0.0);
    assert_eq!(schedule.asked(start + 239 * SECOND), Reply::Present);
    let due = start + 240 * SECOND;
    assert_eq!(schedule.asked(due), Reply::Wait);
    schedule.started(due);
    assert_eq!(schedule.asked(due), Reply::Wait);
    schedule.failed(due + SECOND, unavailable(None), 0.5);
    assert_eq!(schedule.asked(due + SECOND), Reply::Present);
    // Nor do later attempts hold anybody up.
    schedule.started(due + 2 * SECOND);
    assert_eq!(schedule.asked(due + 2 * SECOND), Reply::Present);
    schedule.failed(due + 3 * SECOND, unavailable(None), 0.5);
    assert_eq!(schedule.asked(start + 299 * SECOND), Reply::Present);
    assert!(matches!(
        schedule.asked(start + 300 * SECOND),
        Reply::None(_)
    ));
}

#[test]
fn u21_a_rejection_counts_once_for_each_generation() {
    let start = MonoTime::now();
    let mut schedule = with_token(start, 300, 0.0);
    let now = start + 10 * SECOND;
    assert!(!schedule.rejected(now, 0));
    assert_eq!(schedule.asked(now), Reply::Present);
    assert!(schedule.rejected(now, 1));
    assert!(!schedule.rejected(now, 1));
    assert_eq!(schedule.asked(now), Reply::Wait);
    assert_eq!(schedule.next_attempt(), Some(now));
    schedule.started(now);
    schedule.issued(now, 300 * SECOND, 0.0);
    assert!(!schedule.rejected(now, 1));
    assert_eq!(schedule.asked(now), Reply::Present);
}

#[test]
fn u23_rejections_do_not_outpace_a_second_nor_a_back_off() {
    let start = MonoTime::now();
    let mut schedule = with_token(start, 300, 0.0);
    assert!(schedule.rejected(start, 1));
    assert_eq!(schedule.next_attempt(), Some(start + SECOND));
    let mut schedule = with_token(start, 300, 0.0);
    schedule.started(start + 240 * SECOND);
    schedule.failed(start + 240 * SECOND, refused(), 0.0);
    let due = schedule.next_attempt();
    assert!(schedule.rejected(start + 241 * SECOND, 1));
    assert_eq!(schedule.next_attempt(), due);
    assert!(matches!(
        schedule.asked(start + 241 * SECOND),
        Reply::None(_)
    ));
}

#[test]
fn u23_failures_back_off_and_obey_what_the_endpoint_asks_for() {
    let now = MonoTime::now();
    let retry = |seconds| Some(Duration::from_secs(seconds));
    for (failure, unit, at_least, at_most) in [
        (unavailable(None), 0.0, 1.0, 1.0),
        (unavailable(None), 0.9, 1.0, 1.0),
        (unavailable(retry(20)), 0.0, 20.0, 20.0),
        (unavailable(retry(20)), 1.0, 20.0, 24.0),
        (unavailable(retry(9999)), 1.0, 300.0, 360.0),
        (throttled(None), 0.0, 5.0, 5.0),
        (throttled(None), 1.0, 5.0, 6.0),
        (throttled(retry(0)), 0.0, 1.0, 1.0),
        (throttled(retry(60)), 0.5, 60.0, 72.0),
        (throttled(retry(u64::MAX)), 0.0, 300.0, 300.0),
        (refused(), 0.0, 300.0, 300.0),
        (refused(), 1.0, 300.0, 360.0),
    ] {
        let mut schedule = schedule();
        schedule.asked(now);
        schedule.started(now);
        schedule.failed(now, failure.clone(), unit);
        let delay = (schedule.next_attempt().unwrap() - now).as_secs_f64();
        assert!(
            (at_least..=at_most + 0.001).contains(&delay),
            "{failure:?}: {delay}"
        );
    }
    let mut schedule = schedule();
    schedule.asked(now);
    let mut longest = Vec::new();
    for _ in 0..7 {
        schedule.started(now);
        schedule.failed(now, unavailable(None), 1.0);
        longest.push((schedule.next_attempt().unwrap() - now).as_secs());
    }
    assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30]);
}

#[test]
fn u24_changed_secrets_are_tried_at_once_after_a_refusal_only() {
    let now = MonoTime::now();
    for (failure, sooner) in [(refused(), true), (throttled(None), false)] {
        let mut schedule = schedule();
        schedule.asked(now);
        schedule.started(now);
        schedule.failed(now, failure, 0.0);
        let due = schedule.next_attempt();
        let later = now + 3 * SECOND;
        schedule.secrets_changed(later);
        let expected = if sooner { Some(later) } else { due };
        assert_eq!(schedule.next_attempt(), expected);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Ask,
    Answer(Result<u64, Failure>),
    Reject(u64),
    SecretsChanged,
}

fn step() -> impl Strategy<Value = Step> {
    let seconds = prop::option::of((0_u64..1000).prop_map(Duration::from_secs));
    prop_oneof![
        (0_u64..2_000).prop_map(Step::Pass),
        (0_u64..400_000).prop_map(Step::Pass),
        Just(Step::Ask),
        Just(Step::Ask),
        (1_u64..500).prop_map(|lifetime| Step::Answer(Ok(lifetime))),
        seconds
            .clone()
            .prop_map(|after| Step::Answer(Err(unavailable(after)))),
        seconds.prop_map(|after| Step::Answer(Err(throttled(after)))),
        Just(Step::Answer(Err(refused()))),
        (0_u64..2).prop_map(Step::Reject),
        Just(Step::SecretsChanged),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_schedule_keeps_its_promises(
        steps in prop::collection::vec((step(), 0.0..1.0_f64), 1..200),
    ) {
        let mut now = MonoTime::now();
        let mut schedule = schedule();
        let (mut under_way, mut latest_start) = (false, None::<MonoTime>);
        // The token that may be used: its generation and expiry.
        let mut valid = None;
        let (mut generation, mut asked_ever) = (0, false);
        for (step, unit) in steps {
            match step {
                Step::Pass(millis) => now += Duration::from_millis(millis),
                Step::Ask => {
                    asked_ever = true;
                    let reply = schedule.asked(now);
                    let usable = valid.is_some_and(|expires_at| now < expires_at);
                    match reply {
                        Reply::Present => prop_assert!(usable, "an expired or rejected token"),
                        Reply::None(_) => prop_assert!(!usable, "a valid token withheld"),
                        Reply::Wait => {
                            let near = schedule.next_attempt().is_some_and(|at| at <= now + PACE);
                            prop_assert!(under_way || near, "waiting for nothing");
                        }
                    }
                }
                Step::Answer(outcome) if under_way => {
                    under_way = false;
                    match outcome {
                        Ok(lifetime) => {
                            let asked = latest_start.unwrap();
                            let lifetime = Duration::from_secs(lifetime);
                            let (next, expires_at) = schedule.issued(asked, lifetime, unit);
                            prop_assert_eq!(next, generation + 1);
                            generation = next;
                            valid = Some(expires_at);
                        }
                        Err(failure) => schedule.failed(now, failure, unit),
                    }
                }
                Step::Answer(_) => {}
                Step::Reject(back) => {
                    let counted = schedule.rejected(now, generation.saturating_sub(back));
                    prop_assert_eq!(counted, valid.is_some() && (back == 0 || generation == 0));
                    if counted {
                        valid = None;
                    }
                }
                Step::SecretsChanged => schedule.secrets_changed(now),
            }
            prop_assert_eq!(
                schedule.next_attempt().is_some(),
                asked_ever && !under_way,
                "once asked, an attempt is under way or will be"
            );
            // The shell: starts what is due.
            if schedule.next_attempt().is_some_and(|at| at <= now) {
                prop_assert!(!under_way, "two flights");
                if let Some(latest) = latest_start {
                    prop_assert!(now - latest >= PACE, "two attempts within a second");
                }
                schedule.started(now);
                (under_way, latest_start) = (true, Some(now));
            }
        }
    }
}
