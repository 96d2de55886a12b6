//! The client loop over real sockets: servers that die, drain, trim, go silent and misbehave.

use std::time::Duration;

use tieline::client::{Failure, GapChoice, Item, ResumeError, Resuming};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tokio::time::{Instant, timeout};
use tonic::Code;
use v1::subscribe_request::Start;

use crate::fake::{Act, EPOCH, Fake, end_reached, error, events, notice, opened, opened_in};
use crate::process::BOUND;

fn reading(fake: &Fake, on_gap: GapChoice) -> Resuming {
    let request = v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        ..Default::default()
    };
    let address = fake.address().parse().unwrap();
    Resuming::new(address, request, move |_| on_gap, Rng::from_seed(1)).unwrap()
}

/// What a reader saw, in short.
#[derive(Debug, Default)]
struct Seen {
    sequences: Vec<u64>,
    interruptions: Vec<(Failure, Duration)>,
}

/// Reads until `last` was seen, the end, or an error.
async fn read_to(events: &mut Resuming, last: u64, seen: &mut Seen) -> Option<ResumeError> {
    while seen.sequences.last() != Some(&last) {
        match timeout(BOUND, events.next())
            .await
            .expect("something happens")?
        {
            Ok(Item::Response(response)) => {
                seen.sequences
                    .extend(response.events.iter().map(|event| event.sequence));
            }
            Ok(Item::Interrupted(it)) => seen.interruptions.push((it.cause, it.retry_after)),
            Err(error) => return Some(error),
        }
    }
    None
}

fn starts(fake: &Fake) -> Vec<String> {
    let start = |request: &v1::SubscribeRequest| match &request.start {
        Some(Start::After(position)) => format!("{}/{}", position.epoch, position.sequence),
        _ => "start".to_owned(),
    };
    fake.requests().iter().map(start).collect()
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back_loses_and_doubles_nothing() {
    let mut fake = Fake::start(vec![
        vec![opened(0), events(1..=3), Act::Silence],
        vec![opened(3), events(4..=5), Act::Silence],
        vec![opened(5), events(6..=6), end_reached(6)],
    ]);
    let mut reader = reading(&fake, GapChoice::Stop);
    let mut seen = Seen::default();
    for last in [3, 5] {
        assert_eq!(read_to(&mut reader, last, &mut seen).await, None);
        fake.die();
        fake.come_back();
    }
    assert_eq!(read_to(&mut reader, 0, &mut seen).await, None);
    assert_eq!(seen.sequences, [1, 2, 3, 4, 5, 6]);
    assert!(
        seen.interruptions
            .iter()
            .all(|(cause, _)| matches!(cause, Failure::Broken(_)))
    );
    assert_eq!(
        starts(&fake),
        ["start", &format!("{EPOCH}/3"), &format!("{EPOCH}/5")]
    );
    assert_eq!(reader.position().unwrap().sequence, 6);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    let mut fake = Fake::start(vec![vec![opened(0), events(1..=1), end_reached(1)]]);
    fake.die();
    let mut reader = reading(&fake, GapChoice::Stop);
    for _ in 0..3 {
        let item = timeout(BOUND, reader.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(matches!(item, Item::Interrupted(it) if matches!(it.cause, Failure::Broken(_))));
    }
    fake.come_back();
    let mut seen = Seen::default();
    assert_eq!(read_to(&mut reader, 0, &mut seen).await, None);
    assert_eq!(seen.sequences, [1]);
}

#[tokio::test]
async fn a_drain_is_resumed_after_the_delay_it_names() {
    let delay = Duration::from_millis(300);
    let draining = error(Code::Unavailable, "SERVER_DRAINING", Some(delay));
    let fake = Fake::start(vec![
        vec![opened(0), events(1..=2), Act::End(draining)],
        vec![opened(2), events(3..=3), end_reached(3)],
    ]);
    let mut reader = reading(&fake, GapChoice::Stop);
    let mut seen = Seen::default();
    let began = Instant::now();
    assert_eq!(read_to(&mut reader, 0, &mut seen).await, None);
    assert!(began.elapsed() >= delay);
    assert_eq!(seen.sequences, [1, 2, 3]);
    assert_eq!(seen.interruptions[0].1, delay);
}

#[tokio::test]
async fn silence_of_two_and_a_half_heartbeats_is_a_dead_connection() {
    let fake = Fake::start(vec![
        vec![opened(0), events(1..=1), Act::Silence],
        vec![opened(1), events(2..=2), end_reached(2)],
    ]);
    let mut reader = reading(&fake, GapChoice::Stop);
    let mut seen = Seen::default();
    let began = Instant::now();
    assert_eq!(read_to(&mut reader, 0, &mut seen).await, None);
    assert!(began.elapsed() >= Duration::from_millis(2500));
    assert_eq!(seen.sequences, [1, 2]);
    assert_eq!(
        seen.interruptions[0].0,
        Failure::Silent(Duration::from_millis(2500))
    );
}

#[tokio::test]
async fn a_trimmed_position_stops_or_goes_on_as_was_chosen() {
    let trimmed = || Act::End(error(Code::OutOfRange, "POSITION_TRIMMED", None));
    let gap = v1::Gap {
        cause: v1::gap::Cause::Trimmed.into(),
        first_sequence: 3,
        last_sequence: 7,
        ..Default::default()
    };
    let gap = notice(7, v1::subscribe_response::Notice::Gap(gap));
    let cut = || {
        Act::End(error(
            Code::Unavailable,
            "SERVER_DRAINING",
            Some(Duration::ZERO),
        ))
    };
    let script = || {
        vec![
            vec![opened(0), events(1..=2), cut()],
            vec![trimmed()],
            vec![opened(2), gap.clone(), events(8..=8), end_reached(8)],
        ]
    };
    let fake = Fake::start(script());
    let mut seen = Seen::default();
    let stopped = read_to(&mut reading(&fake, GapChoice::Stop), 0, &mut seen).await;
    assert!(matches!(stopped, Some(ResumeError::Gap(gap)) if gap.reason == "POSITION_TRIMMED"));
    assert_eq!(seen.sequences, [1, 2]);

    let fake = Fake::start(script());
    let mut seen = Seen::default();
    assert_eq!(
        read_to(&mut reading(&fake, GapChoice::Earliest), 0, &mut seen).await,
        None
    );
    assert_eq!(seen.sequences, [1, 2, 8]);
    let policies: Vec<_> = fake
        .requests()
        .iter()
        .map(v1::SubscribeRequest::unavailable_policy)
        .collect();
    use v1::UnavailablePolicy::{Fail, ResumeAtEarliest};
    assert_eq!(policies, [Fail, Fail, ResumeAtEarliest]);
}

#[tokio::test]
async fn a_new_epoch_is_read_from_where_it_was_chosen() {
    let fake = Fake::start(vec![
        vec![
            opened(0),
            events(1..=9),
            Act::End(error(Code::Unavailable, "STREAM_MAX_AGE", None)),
        ],
        vec![Act::End(error(
            Code::FailedPrecondition,
            "EPOCH_CHANGED",
            None,
        ))],
        vec![
            opened_in("1111111111111111", 0),
            events(1..=2),
            end_reached(2),
        ],
    ]);
    let mut reader = reading(&fake, GapChoice::Earliest);
    let mut seen = Seen::default();
    assert_eq!(read_to(&mut reader, 0, &mut seen).await, None);
    assert_eq!(seen.sequences, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2]);
    assert_eq!(reader.position().unwrap().epoch, "1111111111111111");
}

#[tokio::test]
async fn what_repeating_does_not_change_is_surfaced_at_once() {
    for (code, reason) in [
        (Code::InvalidArgument, "FILTER_INVALID"),
        (Code::NotFound, "JOURNAL_NOT_FOUND"),
        (Code::OutOfRange, "POSITION_NOT_WRITTEN"),
        (Code::Aborted, "SUBSCRIPTION_TAKEN_OVER"),
        (Code::Internal, "BUG"),
    ] {
        let fake = Fake::start(vec![vec![
            opened(0),
            events(1..=1),
            Act::End(error(code, reason, None)),
        ]]);
        let mut seen = Seen::default();
        let mut reader = reading(&fake, GapChoice::Latest);
        let surfaced = read_to(&mut reader, 0, &mut seen).await;
        assert!(
            matches!(&surfaced, Some(ResumeError::Refused(it)) if it.reason.as_deref() == Some(reason)),
            "{surfaced:?}"
        );
        assert_eq!(fake.requests().len(), 1);
        assert!(reader.next().await.is_none());
    }
}

#[tokio::test]
async fn ok_without_an_announced_end_is_not_believed() {
    let fake = Fake::start(vec![
        vec![opened(0), events(1..=1)],
        vec![opened(1), events(2..=2), end_reached(2)],
    ]);
    let mut seen = Seen::default();
    assert_eq!(
        read_to(&mut reading(&fake, GapChoice::Stop), 0, &mut seen).await,
        None
    );
    assert_eq!(seen.sequences, [1, 2]);
    assert_eq!(seen.interruptions[0].0, Failure::Ended);
}

#[tokio::test]
async fn a_server_that_leaves_a_hole_is_caught() {
    let fake = Fake::start(vec![vec![
        opened(0),
        events(1..=1),
        events(3..=3),
        Act::Silence,
    ]]);
    let mut seen = Seen::default();
    let caught = read_to(&mut reading(&fake, GapChoice::Stop), 0, &mut seen).await;
    assert_eq!(
        caught.unwrap().to_string(),
        "subscribe: the server broke the contract: events 2 to 2 are missing without a gap"
    );
    assert_eq!(seen.sequences, [1]);
}
