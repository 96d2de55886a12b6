//! The ledger against what readers got: over WebSocket, over polls, and across a switch.

use super::*;
use crate::sandbox::fault::Fault;
use crate::sandbox::script;

const COUNT: u64 = 2_000;

/// Reads a WebSocket up to a number.
async fn read_socket(socket: &mut Ws, through: u64) -> Vec<(u64, Digest)> {
    let mut got: Vec<(u64, Digest)> = Vec::new();
    while got.last().is_none_or(|(number, _)| *number < through) {
        let text = text(socket).await;
        match serde_json::from_str::<RawBatch>(&text) {
            Ok(_) => got.extend(Batch::parse(&text).events),
            Err(_) => got.push(known(&text, 0)),
        }
    }
    got
}

/// Polls from a position up to a number.
async fn read_polls(visit: &Visit, mut after: u64, through: u64) -> Vec<(u64, Digest)> {
    let mut got = Vec::new();
    while after < through {
        let answer = visit.poll(after).await.unwrap();
        if answer.status == 200 {
            let batch = Batch::parse(&answer.body);
            after = batch.sequence;
            got.extend(batch.events);
        }
    }
    got
}

fn busy() -> SandboxConfig {
    SandboxConfig {
        rate: 4_000.0,
        payload: 300,
        bare_share: 0.5,
        elapsed: ElapsedHold::Either,
        ..quick()
    }
}

#[tokio::test]
async fn readers_over_either_transport_get_exactly_what_was_issued() {
    let visit = Visit::new(busy()).await;
    let mut socket = visit.subscribe(0).await;
    let (live, polled) = tokio::join!(
        read_socket(&mut socket, COUNT),
        read_polls(&visit, 0, COUNT)
    );
    let issued = visit.issued();
    assert_eq!(live, issued[..live.len()]);
    assert_eq!(polled, issued[..polled.len()]);
    assert!(live.len() as u64 >= COUNT && polled.len() as u64 >= COUNT);
}

#[tokio::test]
async fn nothing_is_missing_or_doubled_across_switches() {
    let visit = Visit::new(busy()).await;
    let mut got = Vec::new();
    for round in 1..=6 {
        let after = got.last().map_or(0, |(number, _)| *number);
        let through = after + COUNT / 6;
        let part = match round % 2 {
            0 => read_polls(&visit, after, through).await,
            _ => {
                let mut socket = visit.subscribe(after).await;
                read_socket(&mut socket, through).await
            }
        };
        got.extend(part);
    }
    assert_eq!(got, visit.issued()[..got.len()]);
}

#[tokio::test]
async fn nothing_is_missing_across_resets_and_gateways_that_give_up() {
    let visit = Visit::new(busy()).await;
    let zero = HumanDuration::from_secs(0);
    let status = Fault::PollStatus {
        status: 502,
        retry_after: None,
        after: zero,
    };
    visit.set(status.with_probability(0.2));
    let cut_connection = false;
    visit.set(Fault::TruncatedBody { cut_connection }.with_probability(0.2));
    let mut got: Vec<(u64, Digest)> = Vec::new();
    let mut broken = 0;
    while (got.len() as u64) < COUNT {
        let after = got.last().map_or(0, |(number, _)| *number);
        let answer = visit.poll(after).await.unwrap();
        match serde_json::from_str::<RawBatch>(&answer.body) {
            Ok(_) => got.extend(Batch::parse(&answer.body).events),
            Err(_) => broken += 1,
        }
    }
    assert!(broken > 0);
    assert_eq!(got, visit.issued()[..got.len()]);
}

#[tokio::test]
async fn deliveries_tell_what_was_put_on_the_wire() {
    let visit = Visit::new(quick()).await;
    let mut socket = visit.live().await;
    visit.emit(3);
    batch(&mut socket).await;
    visit.poll(1).await.unwrap();
    visit.history(0, 2).await;
    let told: Vec<_> = visit
        .sandbox
        .deliveries(0, 10)
        .into_iter()
        .map(|delivery| (delivery.transport, delivery.numbers, delivery.sequence))
        .collect();
    let expected = [
        (Transport::Websocket, "", 0),
        (Transport::Websocket, "1-3", 3),
        (Transport::Poll, "2-3", 3),
        (Transport::Request, "1-2", 2),
    ];
    assert_eq!(
        told,
        expected.map(|(kind, numbers, sequence)| (kind, numbers.to_owned(), sequence))
    );
    let counters = visit.sandbox.counters();
    assert_eq!(
        (counters.events_over_websocket, counters.events_over_poll),
        (3, 2)
    );
}

#[tokio::test]
async fn the_seed_repeats_the_events() {
    let story = async |seed| {
        let visit = Visit::seeded(quick(), seed).await;
        visit.emit(300);
        let all = visit.poll(0).await.unwrap().json();
        let events = all["events"].as_array().unwrap().clone();
        let told = |mut event: Value| {
            // Time is the clock's, not the seed's.
            event.as_object_mut().unwrap().remove("timestamp");
            event["data"].as_object_mut().unwrap().remove("since");
            event
        };
        events.into_iter().map(told).collect::<Vec<_>>()
    };
    let first = story(11).await;
    assert_eq!(first.len(), 300);
    assert_eq!(first, story(11).await);
    assert_ne!(first, story(12).await);
}

#[tokio::test]
async fn the_rate_is_kept_over_a_second() {
    let visit = Visit::new(quick()).await;
    let started = tokio::time::Instant::now();
    visit.sandbox.set_rate(10_000.0);
    visit
        .until(|sandbox| sandbox.ledger().head() >= 10_000)
        .await;
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(999), "{elapsed:?}");
    visit.sandbox.set_rate(0.0);
    let head = visit.sandbox.ledger().head();
    assert!(visit.sandbox.ledger().page(head - 1, 5).entries.len() == 1);
}

#[tokio::test]
async fn a_script_plays_its_story() {
    let script = script::parse(
        "
         - { at: 0ms, emit: 3 }
         - { at: 10ms, fault: skip, history: false, count: 1 }
         - { at: 20ms, emit: 2 }
         - { at: 30ms, fault: poll_status, status: 503 }
         - { at: 40ms, clear: all }
         - { at: 50ms, rate: 2000 }",
    )
    .unwrap();
    let config = SandboxConfig { script, ..quick() };
    let visit = Visit::new(config).await;
    visit.until(|sandbox| sandbox.ledger().head() > 20).await;
    let entries = visit.sandbox.ledger().entries();
    let lost: Vec<_> = entries
        .iter()
        .filter(|e| e.fate == Fate::Lost)
        .map(|e| e.number)
        .collect();
    assert_eq!(lost, [4]);
    assert_eq!(visit.poll(0).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_second_client_has_a_log_of_its_own_with_all_that_is_still_there() {
    let config = SandboxConfig {
        clients: 2,
        retention: 4,
        ..quick()
    };
    let mut visit = Visit::new(config).await;
    visit.emit(6);
    let other = visit.sandbox.clients().remove(1);
    let body = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        other.id, other.secret
    );
    let request = visit.http.post(visit.url("oauth/token")).body(body);
    visit.token = read(request).await.unwrap().json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let got = visit.poll(0).await.unwrap();
    assert_eq!(Batch::parse(&got.body).numbers(), [1, 2, 3, 4]);
    assert_eq!(visit.sandbox.subscriptions().len(), 2);
}
