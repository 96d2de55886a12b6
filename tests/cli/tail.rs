//! `tieline tail`, `status`, `healthcheck` and `wait` against a server that is faked.

use std::time::Duration;

use tieline::proto::v1;
use tonic::Code;
use v1::subscribe_request::{End, Start};

use crate::fake::{Act, EPOCH, Fake, end_reached, error, events, opened};
use crate::process::{Running, run};

#[tokio::test]
async fn tail_goes_on_by_itself_when_the_server_was_killed() {
    let mut fake = Fake::start(vec![
        vec![opened(0), events(1..=2), Act::Silence],
        vec![opened(2), events(3..=4), end_reached(4)],
    ]);
    let mut tail = Running::start(&["tail", "--address", &fake.address(), "--earliest"]);
    let second = tail.line_with("queues/q2").await;
    assert!(
        second.ends_with("2  ccaas.queue.statistics.updated.v1  queues/q2  {\"n\":2}"),
        "{second}"
    );
    fake.die();
    tail.line_with("trying again").await;
    fake.come_back();
    tail.line_with("queues/q3").await;
    let rest = tail.rest().await;
    assert_eq!(rest.code, Some(0), "{}", rest.stderr);
    assert!(rest.stdout.contains("queues/q4") && rest.stdout.contains("end reached"));
    let resumed = fake.requests().pop().unwrap().start;
    assert_eq!(
        resumed,
        Some(Start::After(v1::Position {
            epoch: EPOCH.into(),
            sequence: 2
        }))
    );
}

#[tokio::test]
async fn json_lines_are_events_and_nothing_else() {
    let draining = error(
        Code::Unavailable,
        "SERVER_DRAINING",
        Some(Duration::from_millis(10)),
    );
    let fake = Fake::start(vec![
        vec![opened(0), events(1..=2), Act::End(draining)],
        vec![opened(2), events(3..=3), end_reached(3)],
    ]);
    let tail = run(&[
        "tail",
        "--json",
        "--until-caught-up",
        "--address",
        &fake.address(),
    ])
    .await;
    assert_eq!(tail.code, Some(0), "{}", tail.stderr);
    let lines: Vec<serde_json::Value> = tail
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let sequences: Vec<_> = lines
        .iter()
        .map(|line| line["rawData"]["n"].as_u64().unwrap())
        .collect();
    assert_eq!(sequences, [1, 2, 3]);
    assert!(tail.stderr.contains("SERVER_DRAINING"));
    let request = &fake.requests()[0];
    assert_eq!(request.start, Some(Start::LastEvents(10)));
    assert_eq!(request.end, Some(End::UntilCaughtUp(true)));
}

#[tokio::test]
async fn what_is_typed_is_what_is_asked_for() {
    let fake = Fake::start(vec![vec![opened(7), end_reached(7)]; 4]);
    let address = fake.address();
    let tail = |arguments: &[&str]| {
        let mut all = vec!["tail", "default", "--address", &address];
        all.extend(arguments);
        let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
        async move {
            run(&all.iter().map(String::as_str).collect::<Vec<_>>())
                .await
                .code
        }
    };
    assert_eq!(
        tail(&["--after", &format!("{EPOCH}/7"), "--view", "attributes"]).await,
        Some(0)
    );
    assert_eq!(tail(&["--latest"]).await, Some(0));
    assert_eq!(
        tail(&["--from-time", "2026-03-10T09:41:07Z"]).await,
        Some(0)
    );
    let filters = [
        "--last",
        "3",
        "--filter",
        "type=a.*",
        "--filter",
        "type=b",
        "--filter",
        "session=s",
    ];
    assert_eq!(tail(&filters).await, Some(0));
    let requests = fake.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.journal == "journals/default")
    );
    assert_eq!(requests[0].view(), v1::EventView::Attributes);
    assert!(matches!(&requests[0].start, Some(Start::After(position)) if position.sequence == 7));
    assert_eq!(
        requests[1].start,
        Some(Start::Preset(v1::StartPreset::Latest.into()))
    );
    assert!(
        matches!(&requests[2].start, Some(Start::FromTime(time)) if time.seconds == 1_773_135_667)
    );
    let filter = requests[3].filter.as_ref().unwrap();
    assert_eq!(
        (&filter.types[..], &filter.sessions[..]),
        (&["a.*".into(), "b".into()][..], &["sessions/s".into()][..])
    );
}

#[tokio::test]
async fn a_gap_stops_with_what_to_type() {
    let fake = Fake::start(vec![vec![Act::End(error(
        Code::FailedPrecondition,
        "EPOCH_CHANGED",
        None,
    ))]]);
    let tail = run(&[
        "tail",
        "--address",
        &fake.address(),
        "--after",
        &format!("{EPOCH}/7"),
    ])
    .await;
    assert_eq!(tail.code, Some(1));
    assert!(
        tail.stderr.contains("EPOCH_CHANGED") && tail.stderr.contains("--on-gap earliest"),
        "{}",
        tail.stderr
    );
}

#[tokio::test]
async fn a_reader_that_leaves_ends_it_quietly() {
    let fake = Fake::start(vec![vec![
        opened(0),
        events(1..=5000),
        events(5001..=20000),
        Act::Silence,
    ]]);
    let mut tail = Running::start(&["tail", "--address", &fake.address()]);
    tail.line_with("queues/q1 ").await;
    let left = tail.leave().await;
    assert_eq!((left.code, left.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn everything_works_over_a_unix_socket() {
    let fake = Fake::start(vec![vec![opened(0), events(1..=1), end_reached(1)]]);
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("tieline.sock");
    fake.listen_on(&socket);
    let address = format!("unix:{}", socket.display());
    let tail = run(&["tail", "--address", &address]).await;
    assert_eq!(tail.code, Some(0), "{}", tail.stderr);
    assert!(tail.stdout.contains("queues/q1"));
    assert_eq!(
        run(&["healthcheck", "--address", &address]).await.code,
        Some(0)
    );
}

#[tokio::test]
async fn status_shows_every_page_as_table_and_as_json() {
    let fake = Fake::start(Vec::new());
    let table = run(&["status", "--address", &fake.address()]).await;
    assert_eq!(table.code, Some(0), "{}", table.stderr);
    for word in [
        "queue-stats",
        "suspended",
        "long_poll",
        "INVALID_CLIENT",
        "4711",
        "3.0 MiB",
        "other",
    ] {
        assert!(table.stdout.contains(word), "{word}: {}", table.stdout);
    }
    let json = run(&["status", "--json", "--address", &fake.address()]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["sessions"][0]["state"], "STATE_SUSPENDED");
    assert_eq!(json["journals"][1]["name"], "journals/other");
    assert_eq!(json["journals"][0]["latestSequence"], 4711);
}

#[tokio::test]
async fn health_is_the_exit_code() {
    let mut fake = Fake::start(Vec::new());
    let address = fake.address();
    assert_eq!(
        run(&["healthcheck", "--address", &address]).await.code,
        Some(0)
    );
    let unknown = run(&[
        "healthcheck",
        "--address",
        &address,
        "--service",
        "sessions/x",
    ])
    .await;
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.stderr.contains("'sessions/x'"),
        "{}",
        unknown.stderr
    );
    fake.die();
    let gone = run(&["healthcheck", "--address", &address]).await;
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("no connection"), "{}", gone.stderr);
    let waited = run(&["wait", "--address", &address, "--timeout", "300ms"]).await;
    assert_eq!(waited.code, Some(1));
    assert!(waited.stderr.contains("waited 300ms"), "{}", waited.stderr);
    let waiting = async { run(&["wait", "--address", &address, "--timeout", "20s"]).await };
    let back = async { fake.come_back() };
    assert_eq!(tokio::join!(waiting, back).0.code, Some(0));
}
