//! SIGKILL in the middle of `EraseEvents`: after the next start it is not begun or it is done, readers are
//! told, and once it is done no file holds a byte of whom it was about.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tieline::client::Address;
use tieline::proto::v1;
use tieline::runtime::{MonoTime, Rng};
use tieline::sandbox::{Emission, SandboxConfig};
use tieline::testing::scale;
use tokio::time::{interval, timeout};
use tonic::Status;
use v1::admin_service_client::AdminServiceClient;
use v1::event_service_client::EventServiceClient;
use v1::subscribe_request::{End, Start};
use v1::subscribe_response::Notice;

use crate::child::{BOUND, Child, run};
use crate::collectors::with_console;
use crate::place::{Place, Settings, patient_platform};
use crate::readers::{Readers, Temper};
use crate::sigkill::another_file;

/// Of each person, spread over all segments.
const EVENTS: u64 = 25;
/// Of others, between two of them.
const OTHERS: u64 = 400;

/// The sequences that are about one person, by what stands in them and nowhere else.
type People = BTreeMap<String, BTreeSet<u64>>;

/// What one reader got from the first event to the last.
#[derive(Debug, Clone, Default, PartialEq)]
struct Reading {
    events: BTreeMap<u64, v1::Event>,
    erased: BTreeSet<u64>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_is_killed_is_not_begun_or_done_and_leaves_no_byte() {
    let (began, rng) = (MonoTime::now(), Rng::from_entropy());
    println!("seed {}", rng.seed());
    let platform = SandboxConfig {
        rate: 0.0,
        payload: 3_000,
        ..patient_platform()
    };
    let settings = Settings {
        // Segments of 16 MiB, and nothing is trimmed.
        retention: json!({ "max_bytes": "128MiB", "min_free_bytes": "1MiB" }),
        ..Settings::default()
    };
    let place = Place::new(platform, settings, &rng).await;
    let admin = with_console(&place);
    let mut sidecar = place.sidecar();
    let kills = 4 * u64::from(scale());
    let names: Vec<String> = (0..=kills)
        .map(|n| format!("person-{n}-{:016x}", rng.bits()))
        .collect();
    fill(&place, &mut sidecar, &names, &rng).await;
    let mut expected = everything(&place).await;
    let people = people(&expected, &names);
    assert!(
        files_with(&place, "person-") > 1,
        "they stand in several segments"
    );

    let (first, rest) = names.split_first().unwrap();
    let asked = MonoTime::now();
    assert_eq!(erase(&admin, first).await.unwrap(), EVENTS);
    let takes = asked.elapsed();
    expected.forget(&people[first]);
    let (mut done, mut halfway, mut not_begun) = (0, 0, 0);
    for (at, name) in rest.iter().enumerate() {
        let moment = takes.mul_f64(rng.unit());
        tokio::select! {
            _ = erase(&admin, name) => {}
            // A segment is rolled or rewritten: it is begun.
            () = another_file(place.journal()), if at % 2 == 0 => {}
            () = sidecar.runs_for(moment), if at % 2 == 1 => {}
        }
        sidecar.kill().await;
        let left = erasing(&place).await;
        sidecar = place.sidecar();
        place.serves("").await;
        let now = everything(&place).await;
        let before = expected.clone();
        expected.forget(&people[name]);
        if now == before {
            assert_eq!(left, 0, "what was begun is undone");
            not_begun += 1;
            assert_eq!(erase(&admin, name).await.unwrap(), EVENTS);
        } else {
            assert!(now == expected, "a part of {name} is left to readers");
            (halfway, done) = match left {
                0 => (halfway, done + 1),
                _ => (halfway + 1, done),
            };
            until_done(&place).await;
        }
        let now = everything(&place).await;
        assert!(now == expected, "{name} is erased, and nobody else");
        assert_eq!(files_with(&place, name), 0, "something of {name} is left");
    }
    println!(
        "{kills} kills: {not_begun} not begun, {halfway} halfway, {done} done; {takes:?} each, {:.1} s",
        began.elapsed().as_secs_f64()
    );
    assert!(halfway > 0, "no kill met an erasure that was begun");
    sidecar.kill().await;
    let verified = run(["journal", "verify", &place.journal().to_string_lossy()]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

impl Reading {
    fn forget(&mut self, sequences: &BTreeSet<u64>) {
        self.events.retain(|at, _| !sequences.contains(at));
        self.erased.extend(sequences);
    }
}

/// Events about each of `names`, among those of others.
async fn fill(place: &Place, sidecar: &mut Child, names: &[String], rng: &Rng) {
    place.serves("sessions/centre").await;
    for round in 0..EVENTS {
        place.sandbox.emit(&Emission::story(OTHERS)).unwrap();
        for name in names {
            let data = json!({ "agentId": name, "state": "away", "note": [name, round] });
            let event = Emission::event("routing.agentEvent", data);
            place.sandbox.emit(&event).unwrap();
        }
    }
    let head = place.sandbox.ledger().head();
    let mut readers = Readers::start(&place.address(), &[Temper::Plain], rng);
    readers
        .until(sidecar, "everything is there", |now| now.number >= head)
        .await;
}

async fn everything(place: &Place) -> Reading {
    let request = v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        end: Some(End::UntilCaughtUp(true)),
        ..Default::default()
    };
    let mut client = EventServiceClient::new(place.address().channel().unwrap());
    let read = async {
        let mut reading = Reading::default();
        let mut stream = client.subscribe(request).await?.into_inner();
        while let Some(response) = stream.message().await? {
            if let Some(Notice::Gap(gap)) = response.notice {
                assert_eq!(gap.cause(), v1::gap::Cause::Erased, "{gap:?}");
                reading
                    .erased
                    .extend(gap.first_sequence..=gap.last_sequence);
            }
            let events = response.events.into_iter();
            // What the sidecar says of its own connections is nobody's.
            let events = events.filter(|event| event.r#type.starts_with("ccaas."));
            reading
                .events
                .extend(events.map(|event| (event.sequence, event)));
        }
        Ok::<_, Status>(reading)
    };
    timeout(BOUND, read).await.expect("it is read").unwrap()
}

fn people(reading: &Reading, names: &[String]) -> People {
    let mut people = People::new();
    for (sequence, event) in &reading.events {
        let name = names.iter().find(|name| event.subject.ends_with(*name));
        if let Some(name) = name {
            people.entry(name.clone()).or_default().insert(*sequence);
        }
    }
    for name in names {
        assert_eq!(people[name].len() as u64, EVENTS, "{name}");
    }
    people
}

async fn erase(admin: &str, name: &str) -> Result<u64, Status> {
    let address: Address = admin.parse().unwrap();
    let mut client = AdminServiceClient::new(address.channel().unwrap());
    let filter = v1::EventFilter {
        expression: format!("subject.endsWith('{name}')"),
        ..Default::default()
    };
    let request = v1::EraseEventsRequest {
        filter: Some(filter),
        ..Default::default()
    };
    let answer = client.erase_events(request).await?;
    Ok(answer.into_inner().erased_events)
}

/// How many runs are recorded as erased, and still stand in segments.
async fn erasing(place: &Place) -> usize {
    let dir = place.journal().to_string_lossy();
    let report = run(["journal", "inspect", "--json", &dir]).await;
    assert_eq!(report.code, Some(0), "{report:?}");
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    report["erasing"].as_array().unwrap().len()
}

async fn until_done(place: &Place) {
    let mut looks = interval(Duration::from_millis(50));
    let done = async {
        while erasing(place).await > 0 {
            looks.tick().await;
        }
    };
    timeout(BOUND, done).await.expect("it is done");
}

/// In how many files of the journal this stands, whatever they are.
fn files_with(place: &Place, text: &str) -> usize {
    let entries = std::fs::read_dir(place.journal()).unwrap();
    let files = entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let (first, rest) = text.as_bytes().split_first().unwrap();
    let holds = |bytes: &Vec<u8>| {
        let mut places = bytes.iter().enumerate().filter(|(_, byte)| *byte == first);
        places.any(|(at, _)| bytes[at + 1..].starts_with(rest))
    };
    files.filter(holds).count()
}
