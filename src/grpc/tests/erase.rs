//! `EraseEvents`: what it counts, what it erases, and what readers find instead.

use bytes::Bytes;

use super::*;
use crate::feed::tests::session_fact;
use crate::grpc::erase::erase;
use crate::grpc::events::Journals;
use crate::journal::{Commit, Journal as _, StateDelta};

fn asked(filter: v1::EventFilter, validate_only: bool) -> v1::EraseEventsRequest {
    v1::EraseEventsRequest {
        journal: String::new(),
        filter: Some(filter),
        validate_only,
    }
}

fn of_session(name: &str) -> v1::EventFilter {
    v1::EventFilter {
        sessions: vec![format!("sessions/{name}")],
        ..v1::EventFilter::default()
    }
}

/// How many events were erased, or the status of the call.
async fn erased(edge: &Edge, request: v1::EraseEventsRequest) -> Result<u64, Status> {
    let journals = Journals::new([edge.bench.feed.clone()]);
    Ok(erase(&journals, &Gate::open(), request).await?)
}

/// Everything that a stream with this filter tells up to the end: sequences, and erased runs.
async fn told(edge: &Edge, filter: v1::EventFilter) -> (Vec<u64>, Vec<(u64, u64)>) {
    let request = v1::SubscribeRequest {
        start: earliest(),
        filter: Some(filter),
        ..v1::SubscribeRequest::default()
    };
    let mut stream = edge
        .events()
        .await
        .subscribe(request)
        .await
        .unwrap()
        .into_inner();
    let (mut events, mut gaps) = (Vec::new(), Vec::new());
    let latest = edge.bench.journal.info().latest.get();
    loop {
        let response = within(stream.message()).await.unwrap().unwrap();
        events.extend(response.events.iter().map(|event| event.sequence));
        if let Some(Notice::Gap(gap)) = response.notice {
            assert_eq!(gap.cause(), v1::gap::Cause::Erased);
            gaps.push((gap.first_sequence, gap.last_sequence));
        }
        if response.through_sequence >= latest {
            return (events, gaps);
        }
    }
}

#[tokio::test]
async fn what_matches_is_counted_then_erased_and_every_reader_finds_a_gap() {
    let edge = edge().await;
    edge.bench.fill(10).await;
    let count = async |filter, validate_only| {
        let answer = erased(&edge, asked(filter, validate_only)).await;
        answer.unwrap()
    };
    let everything = v1::EventFilter::default;
    let before = told(&edge, everything()).await;
    assert_eq!(count(of_session("s1"), true).await, 5);
    assert_eq!(told(&edge, everything()).await, before, "only counted");
    assert_eq!(count(of_session("s1"), false).await, 5);
    let (events, gaps) = told(&edge, everything()).await;
    assert_eq!((events.len(), gaps.len()), (5, 5));
    // One who would not have got them is told all the same: nobody knows any more what they were.
    assert_eq!(told(&edge, of_session("s0")).await, (events, gaps));
    assert_eq!(count(of_session("s1"), false).await, 0, "erased already");
}

#[tokio::test]
async fn facts_about_losses_stay_unless_they_are_named_and_messages_go_with_their_events() {
    let edge = edge().await;
    let state = |key: &str, event| StateDelta {
        key: key.to_owned(),
        value: Some(Bytes::from_static(b"Where is my parcel?")),
        event,
    };
    let commit = Commit {
        events: vec![crate::feed::tests::draft(2), session_fact(7)],
        state: vec![
            state("sessions/s0/outbound/m1", Some(0)),
            state("sessions/s0/position", Some(0)),
            state("sessions/s0/outbound/m2", None),
        ],
    };
    edge.bench.journal.append(commit).await.unwrap();
    let answer = erased(&edge, asked(of_session("s0"), false)).await.unwrap();
    assert_eq!(answer, 1);
    let keys: Vec<_> = edge
        .bench
        .journal
        .state("")
        .into_iter()
        .map(|e| e.key)
        .collect();
    assert_eq!(keys, ["sessions/s0/outbound/m2", "sessions/s0/position"]);
    let facts = v1::EventFilter {
        filter_sidecar_events: true,
        ..of_session("s0")
    };
    let answer = erased(&edge, asked(facts, false)).await.unwrap();
    assert_eq!(answer, 1);
}

#[tokio::test]
async fn what_is_kept_of_a_guest_goes_with_everything_of_its_session() {
    let edge = edge().await;
    edge.bench.fill(2).await;
    let guest = |name: &str, value: &'static str| StateDelta {
        key: format!("guests/{name}"),
        value: Some(Bytes::from_static(value.as_bytes())),
        event: None,
    };
    let commit = Commit {
        events: Vec::new(),
        state: vec![
            guest("s1", r#"{"template":"webchat","over":5}"#),
            guest("s2", r#"{"template":"webchat","over":5}"#),
            guest("s3", r#"{"template":"webchat","token":"t"}"#),
        ],
    };
    edge.bench.journal.append(commit).await.unwrap();
    let guests = || -> Vec<_> {
        let state = edge.bench.journal.state("guests/").into_iter();
        state.map(|entry| entry.key).collect()
    };
    let everything = guests();
    let some = v1::EventFilter {
        types: vec!["ccaas.*".to_owned()],
        ..of_session("s1")
    };
    erased(&edge, asked(some, false)).await.unwrap();
    erased(&edge, asked(of_session("s1"), true)).await.unwrap();
    assert_eq!(guests(), everything);
    erased(&edge, asked(of_session("s1"), false)).await.unwrap();
    assert_eq!(guests(), ["guests/s2", "guests/s3"]);
    // No event of these is left, or ever was.
    let answer = erased(&edge, asked(of_session("s*"), false)).await.unwrap();
    assert_eq!((answer, guests()), (1, vec!["guests/s3".to_owned()]));
}

#[tokio::test]
async fn a_filter_that_names_nothing_or_a_journal_that_takes_nothing_is_refused() {
    let edge = edge().await;
    edge.bench.fill(3).await;
    let refused = erased(&edge, asked(v1::EventFilter::default(), false)).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    let elsewhere = v1::EraseEventsRequest {
        journal: "journals/none".to_owned(),
        ..asked(of_session("s0"), false)
    };
    let refused = erased(&edge, elsewhere).await;
    assert_eq!(refused.unwrap_err().code(), Code::NotFound);
    let reason = "a disk that failed".to_owned();
    edge.bench
        .journal
        .refuse(Some(crate::journal::AppendError::ReadOnly { reason }));
    let refused = erased(&edge, asked(of_session("s0"), false)).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
}
